//! What a repair answers: that all is well, what it mended, or how the upstream shall be asked again.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode};

use super::edits::Edits;
use super::{Reply, RequestBody};
use crate::client::Clients;
use crate::edit::json::Object;
use crate::edit::params;
use crate::endpoint::Class;

/// How binding a rule is (RFC 2119), or that it is a matter of what deployed clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Must,
    Should,
    Interop,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::Interop => "interop",
        })
    }
}

/// What a repair found. Never carries a secret: it goes to logs and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    pub what: Cow<'static, str>,
    /// Whom it stops here, where that is less than the repair says.
    pub stops: Option<Clients>,
    /// Which kind of rule it breaks here, where that is less than the repair says.
    pub level: Option<Level>,
    /// It is right as it came, at the address where it came from: the other form is what a proxy needs.
    pub is_blameless: bool,
}

impl Finding {
    fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }
}

/// What a repair makes of the message it was given.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing is wrong.
    Sound,
    /// Something is wrong, and these changes mend it.
    Mended(Finding, Edits),
    /// Something is wrong that only the upstream can mend: ask it once more, so.
    Again(Finding, Box<Ask>),
    /// What a sound server says to this request is known without asking the upstream (request hooks alone).
    Answer(Finding, Box<Reply>),
}

impl Outcome {
    /// The message shall be changed so because of this.
    pub fn mended(what: impl Into<Cow<'static, str>>, edits: Edits) -> Self {
        Self::Mended(Finding::new(what), edits)
    }

    /// As [`Self::mended`]; nothing is wrong if nothing is to be changed.
    pub fn mended_if_any(what: impl Into<Cow<'static, str>>, edits: Edits) -> Self {
        if edits.is_empty() { Self::Sound } else { Self::mended(what, edits) }
    }

    /// The upstream shall be asked again because of this.
    pub fn again(what: impl Into<Cow<'static, str>>, ask: Ask) -> Self {
        Self::Again(Finding::new(what), Box::new(ask))
    }

    /// The request is answered because of this.
    pub fn answer(what: impl Into<Cow<'static, str>>, reply: Reply) -> Self {
        Self::Answer(Finding::new(what), Box::new(reply))
    }

    /// Nobody else gives up over what was found here.
    #[must_use]
    pub fn stopping(self, clients: Clients) -> Self {
        self.with(|finding| finding.stops = Some(clients))
    }

    /// What was found here breaks no rule that binds the server.
    #[must_use]
    pub fn within_the_rules(self) -> Self {
        self.with(|finding| finding.level = Some(Level::Interop))
    }

    /// What was found here is right where it came from, if so.
    #[must_use]
    pub fn blameless_if(self, is_right: bool) -> Self {
        self.with(|finding| finding.is_blameless = is_right)
    }

    fn with(mut self, change: impl FnOnce(&mut Finding)) -> Self {
        if let Self::Mended(finding, _) | Self::Again(finding, _) | Self::Answer(finding, _) = &mut self {
            change(finding);
        }
        self
    }
}

/// How a further ask differs from the first. Its answer counts if it is better (`Ask::is_better`), or if the request may have been
/// carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// Another target, path and query. The client must be allowed to ask there itself, unless it is a document.
    pub target: Option<String>,
    /// Another body, and with it its media type.
    pub body: Option<RequestBody>,
    /// Header fields with another value, or without one.
    pub fields: Vec<(HeaderName, Option<HeaderValue>)>,
    /// Whether the answer is looked for in the stream that a GET opens: the message itself was taken.
    pub listens: bool,
    /// Messages to ask one by one instead of the list that they came in.
    pub parts: Vec<Bytes>,
    /// Where the stream of the HTTP+SSE transport is opened, over which the message is asked.
    pub bridge: Option<String>,
    /// What to try next, as long as no answer is better.
    pub otherwise: Option<Box<Ask>>,
    /// Another place for the client's own credentials: `Some(None)` takes the `Authorization` header out.
    pub authorization: Option<Option<HeaderValue>>,
}

impl Ask {
    /// The same request at another target.
    #[must_use]
    pub fn at(target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..Self::default() }
    }

    /// The same request with another JSON object.
    #[must_use]
    pub fn with_json(object: Object) -> Self {
        Self { body: Some(RequestBody::Json(object)), ..Self::default() }
    }

    /// The same request with another form.
    #[must_use]
    pub fn with_form(form: impl Into<String>) -> Self {
        Self { body: Some(RequestBody::Form(form.into())), ..Self::default() }
    }

    /// Asks in the order of their promise; `None` if there are none.
    #[must_use]
    pub fn one_of(asks: impl DoubleEndedIterator<Item = Self>) -> Option<Self> {
        asks.rev().fold(None, |next, ask| Some(Self { otherwise: next.map(Box::new), ..ask }))
    }

    /// The same request with another value of a header field, or without it.
    #[must_use]
    pub fn with_field(name: HeaderName, value: Option<HeaderValue>) -> Self {
        Self { fields: vec![(name, value)], ..Self::default() }
    }

    /// Whether the second answer is worth more than the first: a success; in a browser's login also a redirect or a
    /// page that is no error; and a refusal by an endpoint that the first ask did not get to.
    #[must_use]
    pub fn is_better(class: Class, first: &Reply, second: &Reply) -> bool {
        if class.has_messages() {
            return is_better_received(first, second);
        }
        if second.status.is_success() {
            return true;
        }
        if class == Class::Authorize {
            let to = second.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            return second.status.is_redirection()
                && !to.is_some_and(|to| to.split(['?', '#']).skip(1).any(|part| params::has(part, "error")));
        }
        let error = |reply: &Reply| reply.json().and_then(|document| document.text("error"));
        let is_at_the_door = |reply: &Reply| {
            let status = reply.status;
            let is_absent = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
            status.is_redirection() || is_absent || status == StatusCode::UNSUPPORTED_MEDIA_TYPE
        };
        if !class.is_oauth() || !second.status.is_client_error() {
            return false;
        }
        let Some(reason) = error(second) else {
            // Who refuses in a form of its own has looked at it all the same.
            return is_at_the_door(first) && !is_at_the_door(second) && second.json().is_some();
        };
        let at_the_door = is_at_the_door(first);
        // A grant is looked at after the client has been let in (RFC 6749 sections 4.1.3 and 6).
        at_the_door || (error(first).as_deref() == Some("invalid_client") && reason == "invalid_grant")
    }
}

/// Whether a message got further the second time: taken and not refused inside, or stopped by something else than a
/// redirect, such as a missing token.
fn is_better_received(first: &Reply, second: &Reply) -> bool {
    if first.status.is_redirection() {
        return !second.status.is_redirection() || first.headers.get(LOCATION) != second.headers.get(LOCATION);
    }
    let is_refused = second.json().is_some_and(|message| message.has("error") && !message.has("result"));
    second.status.is_success() && !is_refused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_redirect_with_an_error_anywhere_is_no_better_answer() {
        for (reply, class, better) in [
            ("200", Class::Token, true),
            ("302\nLocation: /login", Class::Authorize, true),
            ("302\nLocation: /login", Class::Token, false),
            ("302\nLocation: https://c.example/cb?code=1", Class::Authorize, true),
            ("302\nLocation: https://c.example/cb?error=a", Class::Authorize, false),
            ("302\nLocation: https://c.example/cb#error=a", Class::Authorize, false),
            ("302\nLocation: https://c.example/cb?x=1#error=a", Class::Authorize, false),
            ("400", Class::Authorize, false),
        ] {
            let first = example::reply("400").unwrap();
            assert_eq!(Ask::is_better(class, &first, &example::reply(reply).unwrap()), better, "{reply}");
        }
    }

    #[test]
    fn a_refusal_in_any_form_is_better_than_no_endpoint() {
        for (first, second, better) in [
            ("404", "400\nContent-Type: application/json\n\n{\"message\":\"no\"}", true),
            ("404", "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}", true),
            ("404", "400\nContent-Type: text/html\n\n<h1>no</h1>", false),
            ("404", "404\nContent-Type: application/json\n\n{\"message\":\"no\"}", false),
            ("400", "400\nContent-Type: application/json\n\n{\"message\":\"no\"}", false),
        ] {
            let [one, other] = [first, second].map(|text| example::reply(text).unwrap());
            assert_eq!(Ask::is_better(Class::Register, &one, &other), better, "{first}, then {second}");
        }
    }
}
