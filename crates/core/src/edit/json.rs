//! A JSON object whose members can be changed one by one while every other byte stays as it came.
//!
//! Printing a parsed document again would normalise escapes, blanks and numbers and drop duplicates. Here a member
//! is a range of the source text; an edit replaces that range alone.

mod compare;
mod list;
mod outline;
pub mod scan;
mod tape;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::Deserializer as _;
use serde_json::Value;

pub use self::list::List;
use self::outline::{Outline, can_be_built, extent};
use self::tape::View;

/// Documents nested deeper than this are nobody's metadata: they pass untouched.
const MAX_DEPTH: usize = 128;
/// Nor have documents so many members, or so many values in all: looking for each would take too long.
const MAX_MEMBERS: usize = 1000;
const MAX_VALUES: usize = 10_000;

/// A JSON object and the changes made to its top-level members.
#[derive(Clone, Debug)]
pub struct Object {
    source: Bytes,
    /// Shared by all copies until one of them is changed.
    members: Arc<Vec<Member>>,
    /// Where it stands in a text of which every value was found.
    view: Option<View>,
    changed: bool,
}

#[derive(Clone, Debug)]
struct Member {
    name: Name,
    /// Where name and value stand in the source; `None` for a member that was added.
    span: Option<Span>,
    /// The value on the tape of the object's view.
    node: Option<u32>,
    state: State,
}

/// A name without quotation marks and escapes.
#[derive(Clone, Debug)]
enum Name {
    /// As it stands in the source.
    Plain(Range<usize>),
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    name: usize,
    value: Range<usize>,
}

#[derive(Clone, Debug)]
enum State {
    Kept,
    Set(Value),
    /// Another JSON text in its place.
    Spliced(Bytes),
    Removed,
}

/// Why a body is not an object that can be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    #[error("the body is not UTF-8")]
    NotText,
    #[error("the body is not a JSON object")]
    NotJson,
    /// A repair would take such a value for a missing one.
    #[error("the body has a value that most parsers refuse: half of a surrogate pair, or deep nesting")]
    NotPlain,
    #[error("the body is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the body has more than {MAX_MEMBERS} members or {MAX_VALUES} values")]
    TooMany,
}

impl Object {
    /// Reads the outline of an object; values are validated, not built.
    ///
    /// # Errors
    /// When the text is no JSON object, not UTF-8, nested too deep, has too many members or values, or one that cannot be built.
    pub fn parse(source: Bytes) -> Result<Self, NotAnObject> {
        if let Some((object, values)) = Self::scan(&source) {
            return if values > MAX_VALUES { Err(NotAnObject::TooMany) } else { Ok(object) };
        }
        let (depth, values) = extent(&source);
        if depth > MAX_DEPTH {
            return Err(NotAnObject::TooDeep);
        }
        if values > MAX_VALUES {
            return Err(NotAnObject::TooMany);
        }
        Self::read(source)
    }

    /// As [`Object::parse`], for messages: lists of tools are long and deep, and nobody looks for every member of theirs.
    ///
    /// # Errors
    /// When the text is no JSON object, not UTF-8, has too many members, or a value that cannot be built.
    pub fn parse_message(source: Bytes) -> Result<Self, NotAnObject> {
        if source.trim_ascii_start().first() != Some(&b'{') {
            return Self::read(source);
        }
        let viewed = View::of(&source).and_then(|view| Self::viewed(source.clone(), 0, view));
        let scanned = || Self::scan(&source).map(|(object, _)| object);
        viewed.or_else(scanned).map_or_else(|| Self::read(source.clone()), Ok)
    }

    /// The object of a view, if no name has escapes and it has not too many members. `source` is its text, which begins at
    /// `start` of the text of the view.
    fn viewed(source: Bytes, start: usize, view: View) -> Option<Self> {
        let mut members = Vec::new();
        let moved = |place: Range<usize>| place.start - start..place.end - start;
        for member in view.members() {
            let (name, value, node) = member?;
            let name = moved(name);
            let span = Span { name: name.start - 1, value: moved(value) };
            members.push(Member { name: Name::Plain(name), span: Some(span), node: Some(node), state: State::Kept });
            if members.len() > MAX_MEMBERS {
                return None;
            }
        }
        Some(Self { source, members: Arc::new(members), view: Some(view), changed: false })
    }

    /// The object of a view, with its own text.
    fn of_view(text: Bytes, view: View) -> Option<Self> {
        let start = view.place().start;
        Self::viewed(text.clone(), start, view).or_else(|| Self::read(text).ok())
    }

    /// The view of a member that stands as it came, and its text.
    fn view(&self, name: &str) -> Option<(View, Bytes)> {
        let member = self.member(name).filter(|member| matches!(member.state, State::Kept))?;
        let (view, span) = (self.view.as_ref()?.at(member.node?), member.span.as_ref()?);
        Some((view, self.source.slice(span.value.clone())))
    }

    /// The object, if the scan can read it and it has not too many members, and about how many values it has.
    fn scan(source: &Bytes) -> Option<(Self, usize)> {
        let mut members = Vec::new();
        let values = scan::members(source, |name, value| {
            let span = Span { name: name.start - 1, value };
            members.push(Member { name: Name::Plain(name), span: Some(span), node: None, state: State::Kept });
            (members.len() <= MAX_MEMBERS).then_some(())
        })?;
        Some((Self { source: source.clone(), members: Arc::new(members), view: None, changed: false }, values))
    }

    /// Reads any object.
    fn read(source: Bytes) -> Result<Self, NotAnObject> {
        let text = std::str::from_utf8(&source).map_err(|_| NotAnObject::NotText)?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = reader.deserialize_map(Outline { text }).map_err(|_| NotAnObject::NotJson)?;
        reader.end().map_err(|_| NotAnObject::NotJson)?;
        if !can_be_built(text) {
            return Err(NotAnObject::NotPlain);
        }
        if members.len() > MAX_MEMBERS {
            return Err(NotAnObject::TooMany);
        }
        Ok(Self { source, members: Arc::new(members), view: None, changed: false })
    }

    /// An object that came from nowhere: every member is added.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let mut object = Self { source: Bytes::from_static(b"{}"), members: Arc::default(), view: None, changed: true };
        for (name, value) in members {
            object.set(name, value);
        }
        object
    }

    /// The last member of this name.
    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().rev().find(|member| !matches!(member.state, State::Removed) && self.is_named(member, name))
    }

    fn is_named(&self, member: &Member, name: &str) -> bool {
        match &member.name {
            // Most names differ in length already.
            Name::Plain(place) => place.len() == name.len() && self.source[place.clone()] == *name.as_bytes(),
            Name::Other(other) => other == name,
        }
    }

    fn name_of<'a>(&'a self, member: &'a Member) -> &'a [u8] {
        match &member.name {
            Name::Plain(place) => &self.source[place.clone()],
            Name::Other(name) => name.as_bytes(),
        }
    }

    /// The value of a member. Of a name given twice the last one counts, as in every parser that clients use.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        let member = self.member(name)?;
        match &member.state {
            State::Set(value) => Some(value.clone()),
            State::Spliced(text) => serde_json::from_slice(text).ok(),
            State::Kept => self.parsed(member),
            State::Removed => None,
        }
    }

    /// The JSON text of a member as it stands.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<Bytes> {
        let member = self.member(name)?;
        match (&member.state, &member.span) {
            (State::Set(value), _) => Some(value.to_string().into()),
            (State::Spliced(text), _) => Some(text.clone()),
            (State::Kept, Some(span)) => Some(self.source.slice(span.value.clone())),
            _ => None,
        }
    }

    /// A member that is itself an object, to be changed and spliced in again.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Self> {
        match self.view(name) {
            Some((view, text)) if text.first() == Some(&b'{') => Self::of_view(text, view),
            Some(_) => None,
            None => self.raw(name).and_then(|text| Self::parse_message(text).ok()),
        }
    }

    /// A member that is a list, to be changed and spliced in again.
    #[must_use]
    pub fn list(&self, name: &str) -> Option<List> {
        match self.view(name) {
            Some((view, text)) => (text.first() == Some(&b'[')).then(|| List::viewed(text, &view)),
            None => self.raw(name).and_then(List::parse),
        }
    }

    /// The value of a member if it is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// Whether a member is null: by its text, without building it.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.member(name).is_some_and(|member| self.says_null(member))
    }

    /// The names of the members that are null.
    #[must_use]
    pub fn nulls(&self) -> Vec<String> {
        let nulls = self.members.iter().filter(|member| self.says_null(member));
        let names = nulls.map(|member| String::from_utf8_lossy(self.name_of(member)).into_owned());
        // Of a name given twice the last one counts.
        names.filter(|name| self.is_null(name)).collect()
    }

    fn says_null(&self, member: &Member) -> bool {
        match (&member.state, &member.span) {
            (State::Set(value), _) => value.is_null(),
            (State::Spliced(text), _) => &text[..] == b"null",
            (State::Kept, Some(span)) => &self.source[span.value.clone()] == b"null",
            _ => false,
        }
    }

    /// The names of the members, in order, each once.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(self.members.len());
        for member in self.members.iter().filter(|member| !matches!(member.state, State::Removed)) {
            let name = String::from_utf8_lossy(self.name_of(member));
            if !names.iter().any(|have| *have == name) {
                names.push(name.into_owned());
            }
        }
        names
    }

    /// Sets a member: in its place if it is there (earlier duplicates go), at the end otherwise.
    pub fn set(&mut self, name: &str, value: Value) {
        self.put(name, State::Set(value));
    }

    /// As [`Object::set`], to a JSON text: the rest of the member stays byte for byte.
    pub fn splice(&mut self, name: &str, text: Bytes) {
        self.put(name, State::Spliced(text));
    }

    fn put(&mut self, name: &str, state: State) {
        self.changed = true;
        let mut all = self.places(name);
        let members = Arc::make_mut(&mut self.members);
        match all.pop() {
            Some(last) => members[last].state = state,
            None => members.push(Member { name: Name::Other(name.to_owned()), span: None, node: None, state }),
        }
        for earlier in all {
            members[earlier].state = State::Removed;
        }
    }

    /// Which members have this name.
    fn places(&self, name: &str) -> Vec<usize> {
        let is_it = |member: &Member| !matches!(member.state, State::Removed) && self.is_named(member, name);
        self.members.iter().enumerate().filter(|(_, member)| is_it(member)).map(|(place, _)| place).collect()
    }

    /// Takes a member out, all of its duplicates too.
    pub fn remove(&mut self, name: &str) {
        let all = self.places(name);
        if all.is_empty() {
            return;
        }
        self.changed = true;
        let members = Arc::make_mut(&mut self.members);
        for place in all {
            members[place].state = State::Removed;
        }
    }

    /// Has the object printed as a whole even if no member was changed: it stands for another.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// The text: the source itself when nothing changed, else the source with the changed members spliced.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if !self.changed {
            return self.source.clone();
        }
        Bytes::from(self.print())
    }

    fn parsed(&self, member: &Member) -> Option<Value> {
        let span = member.span.as_ref()?;
        serde_json::from_slice(&self.source[span.value.clone()]).ok()
    }

    fn print(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.source.len() + 64);
        let first = self.members.iter().find_map(|m| m.span.as_ref());
        out.extend_from_slice(first.map_or(b"{", |span| &self.source[..span.name]));
        let mut written = false;
        let mut previous_end = None;
        for member in self.members.iter() {
            let separator = match (&member.span, previous_end) {
                (Some(span), Some(end)) => &self.source[end..span.name],
                _ => b",",
            };
            if let Some(span) = &member.span {
                previous_end = Some(span.value.end);
            }
            if matches!(member.state, State::Removed) {
                continue;
            }
            if written {
                out.extend_from_slice(separator);
            }
            written = true;
            self.print_member(member, &mut out);
        }
        out.extend_from_slice(previous_end.map_or(b"}", |end| &self.source[end..]));
        out
    }

    fn print_member(&self, member: &Member, out: &mut Vec<u8>) {
        let printed = match (&member.state, &member.span) {
            (State::Kept, Some(span)) => return out.extend_from_slice(&self.source[span.name..span.value.end]),
            (State::Kept, None) | (State::Removed, _) => return,
            (State::Set(value), _) => Bytes::from(value.to_string()),
            (State::Spliced(text), _) => text.clone(),
        };
        match &member.span {
            Some(span) => out.extend_from_slice(&self.source[span.name..span.value.start]),
            None => {
                let name = String::from_utf8_lossy(self.name_of(member));
                out.extend_from_slice(Value::from(name).to_string().as_bytes());
                out.push(b':');
            }
        }
        out.extend_from_slice(&printed);
    }
}

impl Eq for Object {}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

#[cfg(test)]
mod tests;
