//! What a repair sees of an exchange: the site, the request, the reply. Pure values, no I/O.

mod outcome;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};

use crate::coding::Coding;
use crate::edit::json::Object;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint::{self, Class};
use crate::knowledge::Knowledge;

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
        self.known.issuer.is_some()
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
    /// Content codings that the client accepts, as it wrote them.
    pub accept_encoding: Option<HeaderValue>,
    /// The header fields on their way to the upstream. Empty once they were sent, unless the class may ask again.
    pub headers: HeaderMap,
    pub body: RequestBody,
    /// The body as the client sent it, before any repair.
    pub sent: RequestBody,
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
}

impl RequestBody {
    /// The media type that a body of ours is sent with.
    #[must_use]
    pub fn media_type(&self) -> Option<HeaderValue> {
        match self {
            Self::Unread => None,
            Self::Json(_) => Some(HeaderValue::from_static("application/json")),
            Self::Form(_) => Some(HeaderValue::from_static("application/x-www-form-urlencoded")),
        }
    }
}

impl Request {
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
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
}

/// An answer's body, as far as a repair asked to see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ReplyBody {
    /// Streams by, or was never read.
    #[default]
    Stream,
    Json(Object),
    /// Was read whole and is no JSON object.
    Text(Bytes),
    /// The repair answers without a body.
    Empty,
}

impl Reply {
    /// An answer as its head and nothing more.
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap) -> Self {
        let coding = Coding::of(&headers);
        Self { status, headers, body: ReplyBody::Stream, cut_off: false, coding, decode: false }
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

    /// Whether the answer claims to be JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(is_json)
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

/// One event of a stream (WHATWG HTML, server-sent events), as the lines that make it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The text from the first field to the blank line, both included.
    pub text: Bytes,
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
