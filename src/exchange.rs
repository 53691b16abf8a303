//! What a repair sees of an exchange: the site, the request, the reply. Pure values, no I/O.

mod event;
mod outcome;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_RANGES, AGE, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
    LOCATION, REFRESH, WWW_AUTHENTICATE,
};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};

use crate::coding::Coding;
use crate::edit::json::Object;
use crate::edit::list;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint::{self, Class};
use crate::jsonrpc::Envelope;
use crate::knowledge::Knowledge;

pub use event::{At, Event};
pub use outcome::{Ask, Finding, Outcome};

/// What the operator states about a site. Never changes while the process runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The origin that clients use.
    pub public: Origin,
    /// The origin of the configured upstream.
    pub upstream: Origin,
    /// Path of the MCP endpoint, the same on both sides; begins with `/`.
    pub mcp_path: String,
    /// Browser origins that may call the MCP, registration, token and revocation endpoints.
    pub origins: Vec<Origin>,
    /// Whether every loopback origin may too: true when the proxy itself listens on loopback.
    pub loopback_origins: bool,
    /// Scopes that challenge and metadata name; empty: the upstream's own.
    pub scopes: Vec<String>,
}

/// The site as a repair sees it: stated facts and what the upstream's own answers taught.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    pub facts: &'a Facts,
    pub known: &'a Knowledge,
}

impl Site<'_> {
    /// Whether the URL is on the upstream's own origin: the configured one, one that the upstream advertises as its
    /// own, the public one, or a twin of these.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        after_origin(url).is_some() && Origin::of(url).is_ok_and(|origin| self.owns_origin(&origin))
    }

    /// As [`Site::owns`], for an origin.
    #[must_use]
    pub fn owns_origin(&self, origin: &Origin) -> bool {
        let facts = self.facts;
        origin.is_twin_of(&facts.upstream)
            || origin.is_twin_of(&facts.public)
            || self.known.advertised.iter().any(|own| origin.is_twin_of(own))
    }

    /// The public form of a URL on the upstream's own origin; `None` when it is another's or already right.
    #[must_use]
    pub fn to_public(&self, url: &str) -> Option<String> {
        if !self.owns(url) {
            return None;
        }
        let public = format!("{}{}", self.facts.public, after_origin(url)?);
        (public != url).then_some(public)
    }

    /// The one form of our issuer: the public origin without path and without slash (protocol 4.0).
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.facts.public.as_str()
    }

    /// The client-facing URL of the MCP endpoint: the only `resource` that satisfies every client (protocol 2b).
    #[must_use]
    pub fn resource(&self) -> String {
        match self.facts.mcp_path.as_str() {
            "/" => self.facts.public.as_str().to_owned(),
            path => format!("{}{path}", self.facts.public),
        }
    }

    /// Where clients find the resource metadata, if anything is served there: a pointer to nothing is worse than none.
    #[must_use]
    pub fn resource_metadata_url(&self) -> Option<String> {
        self.serves_resource_metadata()
            .then(|| format!("{}{}", self.facts.public, endpoint::resource_metadata_path(&self.facts.mcp_path)))
    }

    /// Whether a request for the resource metadata gets a document: the upstream's, or one derived from the
    /// authorization server that is known.
    #[must_use]
    pub fn serves_resource_metadata(&self) -> bool {
        self.known.resource_metadata_path.is_some()
            || self.has_own_authorization_server()
            || self.known.foreign.is_some()
    }

    /// Whether the authorization server is the upstream itself.
    #[must_use]
    pub fn has_own_authorization_server(&self) -> bool {
        self.known.has_own_authorization_server()
    }

    /// Whether pages of this origin may call the endpoints that carry credentials (house rule: never reflected).
    #[must_use]
    pub fn allows_origin(&self, origin: &HeaderValue) -> bool {
        // Browsers send the serialised form (RFC 6454 section 6.2): equal texts are equal origins.
        if self.facts.origins.iter().any(|listed| listed.as_str().as_bytes() == origin.as_bytes()) {
            return true;
        }
        self.facts.loopback_origins
            && origin.to_str().is_ok_and(|text| {
                Origin::exactly(text).is_ok_and(|origin| origin.is_loopback() && origin.as_str() == text)
            })
    }
}

/// A request, as it stands before the upstream is asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub class: Class,
    pub method: Method,
    /// Path and query as they came, undecoded.
    pub target: PathAndQuery,
    /// The `Origin` of a page.
    pub origin: Option<HeaderValue>,
    pub preflight: Option<Preflight>,
    /// Whether there is an `Authorization` header; its value is nobody's business.
    pub authorized: bool,
    /// Whether a header other than `Authorization` may carry a credential, such as a cookie or an API key. Looked at
    /// only where a login is known to be needed and `Authorization` is missing.
    pub keyed: bool,
    /// Whether the `Authorization` is a bearer token in the form of a JWT (RFC 7519) whose `exp` has passed. Looked at only where a
    /// login is known to be needed.
    pub expired: bool,
    /// Whether clients log in to this site, as far as was known when this was last asked: only then can an answer
    /// want a token.
    pub guarded: bool,
    /// Whether a browser asks for something to show: `Accept` names `text/html`.
    pub wants_page: bool,
    /// What forms of an answer the client takes.
    pub accepts: Accepts,
    /// The message in the body, as far as it was peeked at.
    pub message: Option<Envelope>,
    /// Whether the upstream was lately seen not to know the probe of MCP 2026-07-28.
    pub is_legacy: bool,
    /// Whether it names a version without sessions.
    pub is_stateless: bool,
    /// Where the upstream was lately seen to redirect messages to, path and query.
    pub moved: Option<Arc<str>>,
    /// The session as the client names it.
    pub session_sent: Option<HeaderValue>,
    /// Content codings that the client accepts, as it wrote them.
    pub accept_encoding: Option<HeaderValue>,
    /// The header fields on their way to the upstream. Empty once they were sent, unless the class may ask again.
    pub headers: HeaderMap,
    pub body: RequestBody,
    /// The body as the client sent it, before any repair.
    pub sent: RequestBody,
}

/// An `Accept` that names both forms of an answer.
pub const BOTH_FORMS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The forms in which a client takes the answer to a message (MCP, Streamable HTTP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepts {
    pub json: bool,
    pub events: bool,
}

impl Accepts {
    /// What an `Accept` header says; who sends none or `*/*` takes anything (RFC 9110 section 12.5.1).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let any = Self { json: true, events: true };
        match headers.get(ACCEPT) {
            None => return any,
            // What the SDKs write.
            Some(accept) if accept == BOTH_FORMS => return any,
            Some(_) => {}
        }
        list::members(headers, ACCEPT).fold(Self { json: false, events: false }, |found, member| {
            let kind = member.split(';').next().unwrap_or(member).trim();
            let is = |wanted: &str| kind.eq_ignore_ascii_case(wanted);
            Self {
                json: found.json || is("application/json") || is("application/*") || is("*/*"),
                events: found.events || is("text/event-stream") || is("text/*") || is("*/*"),
            }
        })
    }
}

/// Whether a header or query parameter of this name may let its sender in.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    // By the first letter: this is asked of every header field of a message without a token.
    name.bytes().enumerate().any(|(at, byte)| {
        let words: &[&str] = match byte.to_ascii_lowercase() {
            b'a' => &["auth"],
            b'c' => &["cert", "cookie"],
            b'j' => &["jwt"],
            b'k' => &["key"],
            b's' => &["secret", "session"],
            b't' => &["token"],
            _ => &[],
        };
        words.iter().any(|word| name.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
    })
}

/// What a preflight asks for (Fetch section 4.8).
#[derive(Clone, Debug)]
pub struct Preflight {
    pub method: String,
    pub headers: Vec<String>,
}

/// A request body, as far as a repair asked to see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RequestBody {
    /// Streams by.
    #[default]
    Unread,
    Json(Object),
    /// `application/x-www-form-urlencoded` text.
    Form(String),
    /// A message that nothing wants to see the inside of.
    Whole(Bytes),
}

impl RequestBody {
    /// The media type that a body of ours is sent with.
    #[must_use]
    pub fn media_type(&self) -> Option<HeaderValue> {
        match self {
            Self::Unread => None,
            Self::Json(_) | Self::Whole(_) => Some(HeaderValue::from_static("application/json")),
            Self::Form(_) => Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
        }
    }
}

impl Request {
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// Whether it is a POST of a message that wants an answer.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.method == Method::POST && self.message.as_ref().is_some_and(Envelope::is_request)
    }

    /// Whether it is a POST of a message with this method.
    #[must_use]
    pub fn calls(&self, method: &str) -> bool {
        self.method == Method::POST && self.message.as_ref().is_some_and(|message| message.is(method))
    }

    /// The session that it names, if any (MCP 2025-03-26 to 2025-11-25).
    #[must_use]
    pub fn session(&self) -> Option<&HeaderValue> {
        self.session_sent.as_ref()
    }

    /// Whether it speaks MCP 2026-07-28 or later: there are no sessions, and statuses mean other things.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        self.is_stateless && self.session_sent.is_none() && (!self.calls("initialize") || self.says_so_itself())
    }

    /// Whether the message itself names its version, as those of MCP 2026-07-28 and later do.
    #[must_use]
    pub fn says_so_itself(&self) -> bool {
        let meta = self.json().and_then(|message| message.child("params")?.child("_meta"));
        meta.is_some_and(|meta| meta.has("io.modelcontextprotocol/protocolVersion"))
    }

    /// The query without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// Replaces the query. Answers whether it could stand in a request target.
    pub fn set_query(&mut self, query: &str) -> bool {
        match PathAndQuery::try_from(format!("{}?{query}", self.path())) {
            Ok(target) => {
                self.target = target;
                true
            }
            Err(_) => false,
        }
    }

    /// The JSON object of the body, if it was read.
    #[must_use]
    pub fn json(&self) -> Option<&Object> {
        match &self.body {
            RequestBody::Json(object) => Some(object),
            _ => None,
        }
    }

    /// The form of the body, if it was read.
    #[must_use]
    pub fn form(&self) -> Option<&str> {
        match &self.body {
            RequestBody::Form(form) => Some(form),
            _ => None,
        }
    }
}

/// An answer of the upstream, on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: ReplyBody,
    /// Whether the upstream could not be asked, or broke off: then this is the proxy's own answer, which says so.
    pub cut_off: bool,
    /// The content coding of the body, if it can be undone.
    pub coding: Option<Coding>,
    /// Whether the body shall leave without it.
    pub decode: bool,
    /// The message in the body, as far as it was peeked at.
    pub message: Option<Envelope>,
    /// What the body begins like, where that was looked at.
    pub opening: Opening,
    /// The form in which the body shall leave.
    pub form: Form,
}

/// Header fields that say something of the body or of where to go instead.
pub const OF_THE_ANSWER: &[HeaderName] = &[
    ACCEPT_RANGES,
    AGE,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    LOCATION,
    REFRESH,
];

/// What a body begins like, whatever its media type says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opening {
    /// Nobody looked.
    #[default]
    Unseen,
    /// There is none.
    Nothing,
    Object,
    List,
    /// A field of a server-sent event.
    Events,
    /// Anything else.
    Other,
}

impl Opening {
    /// Judges by the first bytes; `Unseen` if they do not tell yet.
    #[must_use]
    pub fn of(start: &[u8]) -> Self {
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
        let is_field = [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| start.starts_with(field));
        match start.first() {
            None => Self::Unseen,
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(_) if is_field => Self::Events,
            Some(_) => Self::Other,
        }
    }
}

/// The form in which a body leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    AsItCame,
    /// A message, as the one event of a stream.
    Event,
    /// The one message of a stream that answers the request.
    Message,
    /// A stream that somebody listens to for one answer: it ends behind that.
    Listened,
    /// A message, on the stream of the session that its request was posted for.
    Posted,
}

/// An answer's body, as far as a repair asked to see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ReplyBody {
    /// Streams by, or was never read.
    #[default]
    Stream,
    Json(Object),
    /// Was read whole and is no JSON object, or is what a repair answers with.
    Text(Bytes),
    /// The repair answers without a body.
    Empty,
}

impl Reply {
    /// An answer as its head and nothing more.
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap) -> Self {
        let coding = Coding::of(&headers);
        Self {
            status,
            headers,
            body: ReplyBody::Stream,
            cut_off: false,
            coding,
            decode: false,
            message: None,
            opening: Opening::Unseen,
            form: Form::AsItCame,
        }
    }

    /// The body if it was read and is text that is no JSON object.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            ReplyBody::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// How many bytes the head says that the body has.
    #[must_use]
    pub fn declared_length(&self) -> Option<u64> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Whether the answer claims to be of this media type.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|have| is_media_type(have, kind))
    }

    /// The JSON object of the body, if it was read.
    #[must_use]
    pub fn json(&self) -> Option<&Object> {
        match &self.body {
            ReplyBody::Json(object) => Some(object),
            _ => None,
        }
    }

    /// The JSON object of the body, to be changed.
    pub fn json_mut(&mut self) -> Option<&mut Object> {
        match &mut self.body {
            ReplyBody::Json(object) => Some(object),
            _ => None,
        }
    }

    /// Whether it is a success that carries an error, as far as it was peeked at.
    #[must_use]
    pub fn is_error_inside(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.error.is_some())
    }

    /// Whether the answer claims to be JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(is_json)
    }

    /// Says something else instead: `message`, or nothing. What described the body or led elsewhere goes, the rest stays.
    pub fn say(&mut self, status: StatusCode, message: Option<Bytes>) {
        for name in OF_THE_ANSWER {
            self.headers.remove(name);
        }
        self.headers.remove(CONTENT_TYPE);
        self.status = status;
        self.body = match message {
            Some(message) => {
                self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                ReplyBody::Text(message)
            }
            None => ReplyBody::Empty,
        };
        (self.coding, self.decode, self.form) = (None, false, Form::AsItCame);
        (self.message, self.opening) = (None, Opening::Unseen);
    }

    /// Replaces the answer by a JSON document of ours. The upstream's header fields go: they described its body. Its
    /// challenges stay: they are about the request.
    pub fn replace_with_json(&mut self, status: StatusCode, mut object: Object) {
        object.touch();
        let challenges: Vec<HeaderValue> = self.headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        self.status = status;
        self.headers.clear();
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for challenge in challenges {
            self.headers.append(WWW_AUTHENTICATE, challenge);
        }
        self.body = ReplyBody::Json(object);
        self.message = None;
        (self.coding, self.decode) = (None, false);
    }
}

/// `application/json` or a `+json` type, with any parameters.
#[must_use]
pub fn is_json(content_type: &HeaderValue) -> bool {
    // What nearly everybody writes.
    if content_type == "application/json" {
        return true;
    }
    media_type(content_type).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
    })
}

/// Whether a header value names this media type, with any parameters.
#[must_use]
pub fn is_media_type(content_type: &HeaderValue, wanted: &str) -> bool {
    let text = content_type.as_bytes();
    if text.len() < wanted.len() {
        return false;
    }
    media_type(content_type).is_some_and(|kind| kind.eq_ignore_ascii_case(wanted))
}

fn media_type(content_type: &HeaderValue) -> Option<&str> {
    let text = content_type.to_str().ok()?;
    Some(text.split(';').next().unwrap_or(text).trim())
}

#[cfg(test)]
mod tests {
    use super::is_credential;

    #[test]
    fn a_credential_is_known_by_a_word_in_its_name() {
        for name in [
            "x-api-key",
            "X-API-KEY",
            "access_token",
            "proxy-authorization",
            "client_secret",
            "Mcp-Session-Id",
            "cookie",
            "é-jwt",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "host",
            "accept",
            "content-type",
            "user-agent",
            "x-forwarded-for",
            "mcp-protocol-version",
            "",
            "toké",
            "ke",
        ] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
