//! What a repair changes. A repair reads a message and returns edits. The plan applies them, here and nowhere else.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode};

use super::{Event, Form, OF_THE_ANSWER, Opening, Reply, ReplyBody, Request, RequestBody};
use crate::edit::json::Object;

/// One change of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// The reply has this status.
    Status(StatusCode),
    /// The field has this value and no other.
    Set(HeaderName, HeaderValue),
    /// The field has one more line.
    Add(HeaderName, HeaderValue),
    /// The field goes.
    Remove(HeaderName),
    /// The request goes to this path and query.
    Target(PathAndQuery),
    /// The JSON object with some members changed, or another one in its place.
    Document(Object),
    /// The body of a request is this form.
    Fields(String),
    /// The body of a reply, or the text of an event.
    Text(Bytes),
    /// There is no body.
    Empty,
    /// What was known of the body before is true no longer: it is another one.
    NewBody,
    /// The body leaves without its content coding.
    Decode,
    /// The body leaves in this form.
    Form(Form),
    /// The body begins so.
    Opening(Opening),
    /// The stream ends behind the event.
    End,
}

/// A part of a message that edits change: what shows the defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The status.
    Start,
    Field(HeaderName),
    /// A member of the JSON object that the body is.
    Member(String),
    Body,
}

/// Changes of one message, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits(Vec<Edit>);

/// An edit that such a message cannot take.
const MISPLACED: &str = "an edit does not fit the kind of message";

impl Edits {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The JSON object as it shall be.
    #[must_use]
    pub fn to_document(document: Object) -> Self {
        Self(vec![Edit::Document(document)])
    }

    /// The text of an event as it shall be.
    #[must_use]
    pub fn to_text(text: impl Into<Bytes>) -> Self {
        Self(vec![Edit::Text(text.into())])
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    pub fn status(&mut self, status: StatusCode) {
        self.0.push(Edit::Status(status));
    }

    /// Gives a field one value and no other.
    pub fn set(&mut self, name: impl Into<HeaderName>, value: HeaderValue) {
        self.0.push(Edit::Set(name.into(), value));
    }

    /// Gives a field these lines and no others.
    pub fn set_all(&mut self, name: &HeaderName, values: impl IntoIterator<Item = HeaderValue>) {
        self.remove(name.clone());
        for value in values {
            self.add(name.clone(), value);
        }
    }

    /// Gives a message these fields and no others.
    pub fn set_head(&mut self, old: &HeaderMap, new: HeaderMap) {
        for name in old.keys() {
            self.remove(name.clone());
        }
        for (name, value) in &new {
            self.add(name.clone(), value.clone());
        }
    }

    pub fn add(&mut self, name: impl Into<HeaderName>, value: HeaderValue) {
        self.0.push(Edit::Add(name.into(), value));
    }

    pub fn remove(&mut self, name: impl Into<HeaderName>) {
        self.0.push(Edit::Remove(name.into()));
    }

    pub fn target(&mut self, target: PathAndQuery) {
        self.0.push(Edit::Target(target));
    }

    pub fn document(&mut self, document: Object) {
        self.0.push(Edit::Document(document));
    }

    pub fn fields(&mut self, form: impl Into<String>) {
        self.0.push(Edit::Fields(form.into()));
    }

    pub fn text(&mut self, text: impl Into<Bytes>) {
        self.0.push(Edit::Text(text.into()));
    }

    pub fn empty(&mut self) {
        self.0.push(Edit::Empty);
    }

    pub fn new_body(&mut self) {
        self.0.push(Edit::NewBody);
    }

    pub fn decode(&mut self) {
        self.0.push(Edit::Decode);
    }

    pub fn form(&mut self, form: Form) {
        self.0.push(Edit::Form(form));
    }

    pub fn opening(&mut self, opening: Opening) {
        self.0.push(Edit::Opening(opening));
    }

    pub fn end(&mut self) {
        self.0.push(Edit::End);
    }

    /// Adds the changes of another list behind these.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Says something else instead: `message`, or nothing. What described the body or led elsewhere goes, the rest stays.
    pub fn say(&mut self, status: StatusCode, message: Option<Bytes>) {
        for name in OF_THE_ANSWER {
            self.remove(name.clone());
        }
        self.status(status);
        match message {
            Some(message) => {
                self.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self.text(message);
            }
            None => {
                self.remove(CONTENT_TYPE);
                self.empty();
            }
        }
        self.new_body();
    }

    /// Replaces the answer by a JSON document of ours. The upstream's header fields go: they described its body. The
    /// challenges of a refusal stay: they are about the request.
    pub fn replace_with_json(&mut self, reply: &Reply, status: StatusCode, mut document: Object) {
        document.touch();
        self.status(status);
        let is_kept = |name: &HeaderName| *name == WWW_AUTHENTICATE && !status.is_success();
        for name in reply.headers.keys().filter(|name| !is_kept(name)) {
            self.remove(name.clone());
        }
        self.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.document(document);
        self.new_body();
    }

    /// What they change in a message whose body was this object, or no object.
    #[must_use]
    pub fn parts(&self, before: Option<&Object>) -> Vec<Part> {
        let mut parts = Vec::new();
        for edit in &self.0 {
            match edit {
                Edit::Status(_) | Edit::Target(_) => parts.push(Part::Start),
                Edit::Set(name, _) | Edit::Add(name, _) | Edit::Remove(name) => parts.push(Part::Field(name.clone())),
                Edit::Document(after) => match before.and_then(|before| after.differs_in(before)) {
                    Some(names) => parts.extend(names.into_iter().map(Part::Member)),
                    None => parts.push(Part::Body),
                },
                Edit::Fields(_) | Edit::Text(_) | Edit::Empty | Edit::Decode | Edit::Form(_) | Edit::End => {
                    parts.push(Part::Body);
                }
                Edit::NewBody | Edit::Opening(_) => {}
            }
        }
        parts
    }

    /// Makes the changes of a request.
    ///
    /// # Errors
    /// When a request cannot be changed so. Some of the changes may have been made.
    pub fn apply_to_request(self, request: &mut Request) -> Result<(), &'static str> {
        for edit in self.0 {
            match edit {
                Edit::Target(target) => request.target = target,
                Edit::Document(document) => request.body = RequestBody::Json(document),
                Edit::Fields(form) => request.body = RequestBody::Form(form),
                edit => apply_to_headers(edit, &mut request.headers).map_err(|_| MISPLACED)?,
            }
        }
        request.authorized = request.headers.contains_key(AUTHORIZATION);
        Ok(())
    }

    /// Makes the changes of a reply.
    ///
    /// # Errors
    /// When a reply cannot be changed so. Some of the changes may have been made.
    pub fn apply_to_reply(self, reply: &mut Reply) -> Result<(), &'static str> {
        for edit in self.0 {
            match edit {
                Edit::Status(status) => reply.status = status,
                Edit::Document(document) => reply.body = ReplyBody::Json(document),
                Edit::Text(text) => reply.body = ReplyBody::Text(text),
                Edit::Empty => reply.body = ReplyBody::Empty,
                Edit::NewBody => {
                    (reply.coding, reply.decode, reply.form) = (None, false, Form::AsItCame);
                    (reply.message, reply.opening) = (None, Opening::Unseen);
                }
                Edit::Decode => reply.decode = true,
                Edit::Form(form) => reply.form = form,
                Edit::Opening(opening) => reply.opening = opening,
                edit => apply_to_headers(edit, &mut reply.headers).map_err(|_| MISPLACED)?,
            }
        }
        Ok(())
    }

    /// Makes the changes of an event.
    ///
    /// # Errors
    /// When an event cannot be changed so.
    pub fn apply_to_event(self, event: &mut Event) -> Result<(), &'static str> {
        for edit in self.0 {
            match edit {
                Edit::Text(text) => event.text = text,
                Edit::End => event.ends = true,
                _ => return Err(MISPLACED),
            }
        }
        Ok(())
    }

    /// The message that this leaves of another; `None` if it cannot be changed so.
    #[must_use]
    pub fn into_document(mut self) -> Option<Object> {
        match (self.0.pop(), self.0.is_empty()) {
            (Some(Edit::Document(document)), true) => Some(document),
            _ => None,
        }
    }
}

/// Makes a change of header fields; gives back any other.
fn apply_to_headers(edit: Edit, headers: &mut HeaderMap) -> Result<(), Edit> {
    match edit {
        Edit::Set(name, value) => drop(headers.insert(name, value)),
        Edit::Add(name, value) => drop(headers.append(name, value)),
        Edit::Remove(name) => drop(headers.remove(name)),
        edit => return Err(edit),
    }
    Ok(())
}

impl Reply {
    /// Says something else instead: `message`, or nothing.
    pub fn say(&mut self, status: StatusCode, message: Option<Bytes>) {
        let mut edits = Edits::new();
        edits.say(status, message);
        // A reply can take all of these.
        let _ = edits.apply_to_reply(self);
    }
}
