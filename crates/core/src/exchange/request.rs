//! A request as repairs see it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HeaderMap,
    HeaderValue, ORIGIN, TRAILER,
};
use http::uri::PathAndQuery;
use http::{HeaderName, Method};

use super::{Placement, Site};
use crate::edit::json::Object;
use crate::edit::{jwt, list};
use crate::endpoint::guard::Classes;
use crate::endpoint::{self, Class, SESSION};
use crate::headers::{self, Names};
use crate::jsonrpc::Envelope;

/// A request as repairs see it: those of requests before it goes up, the others beside the answer to it.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is; with [`Request::rules`] and [`Request::is_document`] by [`crate::exchange::Site::place`].
    pub class: Class,
    /// Every class whose rules it has to keep: those that a lenient server may take it for.
    pub rules: Classes,
    /// Whether it reads a public document at an exact known place.
    pub is_document: bool,
    pub method: Method,
    /// Path and query as they came, undecoded.
    pub target: PathAndQuery,
    /// What the names of its fields told when it came.
    pub names: Names,
    /// The `Origin` of a page.
    pub origin: Option<HeaderValue>,
    pub preflight: Option<Preflight>,
    /// Whether there is an `Authorization` header; its value is nobody's business.
    pub authorized: bool,
    /// Whether a header other than `Authorization` may carry a credential, such as a cookie or an API key. Looked at
    /// only where a login is known to be needed and `Authorization` is missing.
    pub has_other_credentials: bool,
    /// Whether the `Authorization` is a bearer token in the form of a JWT (RFC 7519) whose `exp` has passed. Looked at only where a
    /// login is known to be needed.
    pub expired: bool,
    /// Whether clients log in to this site, as far as was known when this was last asked: only then can an answer
    /// want a token.
    pub requires_auth: bool,
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

/// A target in memory of its own.
#[must_use]
pub fn detached(target: &PathAndQuery) -> PathAndQuery {
    PathAndQuery::try_from(target.as_str()).unwrap_or_else(|_| target.clone())
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

/// What the names of credentials have in them.
const CREDENTIAL_WORDS: [&[u8]; 8] = [b"auth", b"cert", b"cookie", b"jwt", b"key", b"secret", b"session", b"token"];

/// Whether a header or query parameter of this name may let its sender in.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    let name = name.as_bytes();
    let begins_with =
        |at: usize, word: &[u8]| name[at..].get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    // By the first two letters: this is asked of every header field of a message without a token.
    let may_begin = |pair: &[u8]| LETTERS[usize::from(pair[0])].0 & LETTERS[usize::from(pair[1])].1 != 0;
    let mut pairs = name.windows(2).enumerate();
    pairs.any(|(at, pair)| may_begin(pair) && CREDENTIAL_WORDS.iter().any(|word| begins_with(at, word)))
}

/// For each byte: the set of words that have it as first letter, and as second letter.
static LETTERS: [(u8, u8); 256] = {
    let (mut letters, mut word) = ([(0, 0); 256], 0);
    while word < CREDENTIAL_WORDS.len() {
        let [first, second, ..] = CREDENTIAL_WORDS[word] else { panic!("a word has at least two letters") };
        let bit = 1 << word;
        letters[*first as usize].0 |= bit;
        letters[first.to_ascii_uppercase() as usize].0 |= bit;
        letters[*second as usize].1 |= bit;
        letters[second.to_ascii_uppercase() as usize].1 |= bit;
        word += 1;
    }
    letters
};

/// What a preflight asks for (Fetch section 4.8).
#[derive(Clone, Debug)]
pub struct Preflight {
    pub method: String,
    pub headers: Vec<String>,
}

impl Preflight {
    /// What the request asks for, if it is a preflight: it has an origin and a method to ask about.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        if *method != Method::OPTIONS || !headers.contains_key(ORIGIN) {
            return None;
        }
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()?;
        let headers = list::members(headers, ACCESS_CONTROL_REQUEST_HEADERS);
        Some(Self { method: method.to_owned(), headers: headers.map(str::to_owned).collect() })
    }
}

/// The head of a request, as the client sent it.
#[derive(Debug)]
pub struct Head {
    pub method: Method,
    pub target: PathAndQuery,
    pub headers: HeaderMap,
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
    /// A request as its head tells it, of whose body nothing was read. What does not go up is taken out of the head. `clock`
    /// gives the seconds since 1970, and is read only where a token has an expiry.
    #[must_use]
    pub fn new(site: &Site<'_>, head: Head, clock: fn() -> i64) -> Self {
        let Head { method, target, mut headers } = head;
        // Before fields go that `Connection` names.
        let preflight = Preflight::of(&method, &headers);
        let names = Names::of(&headers);
        if names.hop_by_hop {
            headers::strip_hop_by_hop(&mut headers);
        }
        if names.misleading {
            headers::drop_misleading(&mut headers);
        }
        if names.trailer {
            // The trailers of a request do not go up.
            headers.remove(TRAILER);
        }
        let Placement { class, rules, is_document } = site.place(&method, &target, &headers);
        let mut request = Self {
            class,
            rules,
            is_document,
            preflight,
            origin: headers::origin(&headers),
            authorized: headers.contains_key(AUTHORIZATION),
            names,
            has_other_credentials: false,
            expired: false,
            requires_auth: false,
            wants_page: method != Method::POST && list::contains(&headers, ACCEPT, "text/html"),
            accepts: Accepts::of(&headers),
            message: None,
            is_legacy: false,
            is_stateless: class.has_messages() && endpoint::is_stateless(&headers),
            moved: None,
            session_sent: headers.get(endpoint::SESSION).cloned(),
            accept_encoding: headers.get(ACCEPT_ENCODING).cloned(),
            method,
            target,
            headers,
            body: RequestBody::Unread,
            sent: RequestBody::Unread,
        };
        request.take_login(!site.known.is_without_oauth(), clock);
        request
    }

    /// Takes in whether clients log in to the site. Only then it matters what else may let the client in.
    pub fn take_login(&mut self, requires_auth: bool, clock: fn() -> i64) {
        self.requires_auth = requires_auth;
        // Once they were sent the fields are gone, and what they said is known.
        if self.headers.is_empty() {
            return;
        }
        let matters = requires_auth && self.class.has_messages();
        let is_other_credential = |name: &HeaderName| *name != AUTHORIZATION && is_credential(name.as_str());
        self.has_other_credentials = matters && !self.authorized && self.headers.keys().any(is_other_credential);
        let token = self.headers.get(AUTHORIZATION).filter(|token| matters && jwt::may_expire(token));
        self.expired = token.is_some_and(|token| jwt::has_expired(token, clock()));
    }

    /// The request for as long as its answer streams, which may be days: without the fields, and nothing in it keeps the buffer of
    /// its head.
    #[must_use]
    pub fn detached(self) -> Self {
        let own = |value: Option<HeaderValue>| value.as_ref().map(headers::detached);
        Self {
            target: detached(&self.target),
            headers: HeaderMap::new(),
            origin: own(self.origin),
            session_sent: own(self.session_sent),
            accept_encoding: own(self.accept_encoding),
            ..self
        }
    }

    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// Whether it can be asked a second time: it has no body, or one that was read.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        let has_body = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        !has_body || !matches!(self.body, RequestBody::Unread)
    }

    /// Whether nothing in it may tell its sender from any other stranger, but for a session.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        let mut names = self.headers.keys().filter(|name| **name != SESSION);
        !self.authorized && self.query().is_none_or(str::is_empty) && !names.any(|name| is_credential(name.as_str()))
    }

    /// Whether it is a POST of a message that wants an answer.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.method == Method::POST && self.message.as_ref().is_some_and(Envelope::is_request)
    }

    /// Whether the upstream only reads for it, so that asking it twice does no harm.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.method != Method::POST || self.message.as_ref().is_some_and(Envelope::only_reads)
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

    proptest::proptest! {
        #[test]
        fn finds_every_word_wherever_it_stands(
            parts in proptest::collection::vec(
                "au|th|ce|rt|co|okie|j|wt|k|ey|s|e|cret|ssion|to|ken|a|c|t|-|x|\u{e9}", 0..8,
            ),
            big: bool,
        ) {
            let name = parts.concat();
            let words = ["auth", "cert", "cookie", "jwt", "key", "secret", "session", "token"];
            let expected = words.iter().any(|word| name.contains(word));
            proptest::prop_assert_eq!(is_credential(&if big { name.to_ascii_uppercase() } else { name }), expected);
        }
    }
}
