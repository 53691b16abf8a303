//! An answer as repairs see it.

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    ACCEPT_RANGES, AGE, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, HeaderMap, HeaderName, LAST_MODIFIED, LOCATION, REFRESH,
};

use super::{is_json, is_media_type};
use crate::coding::Coding;
use crate::edit::json::Object;
use crate::jsonrpc::Envelope;

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

    /// Whether it is a success that carries an error, as far as it was peeked at.
    #[must_use]
    pub fn is_error_inside(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.error.is_some())
    }

    /// How a stranger's message is received, by this answer and the JSON object in it. A success with an error or a page
    /// in it says nothing: it may be a refusal.
    #[must_use]
    pub fn reception(&self, document: Option<&Object>) -> Option<StatusCode> {
        let is_taken = document.map_or_else(|| !self.is_of("text/html"), |document| document.has("result"));
        (is_taken || !self.status.is_success()).then_some(self.status)
    }

    /// Whether the answer claims to be JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(is_json)
    }
}
