//! JSON-RPC 2.0 messages by their outermost members: peeked at, never built. A message of any size is judged by this
//! before anything else looks at it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::edit::json::scan;

/// JSON-RPC 2.0 section 5.1, and what MCP adds.
pub const PARSE_ERROR: i64 = -32700;
pub const INVALID_REQUEST: i64 = -32600;
pub const METHOD_NOT_FOUND: i64 = -32601;
pub const INVALID_PARAMS: i64 = -32602;
pub const INTERNAL_ERROR: i64 = -32603;
/// Whatever else a server refuses; what the SDKs use.
pub const SERVER_ERROR: i64 = -32000;
/// A session that is not known (any more); what the SDKs use.
pub const SESSION_NOT_FOUND: i64 = -32001;
/// Errors that only servers of MCP 2026-07-28 know.
pub const HEADER_MISMATCH: i64 = -32020;
pub const MODERN: std::ops::RangeInclusive<i64> = -32022..=-32020;

/// The probe of MCP 2026-07-28; who does not know it says so at once, or is taken for one that does not.
pub const PROBE: &str = "server/discover";

/// The outermost members of a message. Of a member given twice the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Whether it is a list of messages (MCP 2025-03-26); then nothing else is known.
    pub is_batch: bool,
    /// Whether `jsonrpc` says 2.0.
    pub is_versioned: bool,
    /// The JSON text of these members.
    pub id: Option<Bytes>,
    pub result: Option<Bytes>,
    pub error: Option<Bytes>,
    pub method: Option<String>,
    /// Whether there are members that JSON-RPC does not know there, or `params` that are null.
    pub has_more: bool,
}

impl Envelope {
    /// Reads the outermost members; `None` if the text is no JSON object and no array.
    #[must_use]
    pub fn peek(text: &Bytes) -> Option<Self> {
        Self::scan(text).or_else(|| Self::read(text))
    }

    /// The members of an object that the scan can read.
    fn scan(text: &Bytes) -> Option<Self> {
        let mut found = Self::default();
        let mut params = None;
        scan::members(text, |name, place| {
            let value = text.get(place.clone())?;
            match text.get(name)? {
                b"jsonrpc" => found.is_versioned = value == b"\"2.0\"",
                b"id" => found.id = Some(text.slice(place)),
                b"result" => found.result = Some(text.slice(place)),
                b"error" => found.error = Some(text.slice(place)),
                b"method" => found.method = Some(plain_string(value)?.to_owned()),
                b"params" => params = Some(value != b"null"),
                _ => found.has_more = true,
            }
            Some(())
        })?;
        found.note_params(params);
        Some(found)
    }

    /// Takes in whether there are `params`, and whether they say something.
    fn note_params(&mut self, params: Option<bool>) {
        self.has_more |= params.is_some_and(|says_something| !says_something || self.method.is_none());
    }

    /// The members of any object.
    fn read(text: &Bytes) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let mut found = Self::default();
        Outline { text, found: &mut found }.deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(found)
    }

    /// As [`Envelope::peek`], of a text of which only the beginning is there: the members that have come.
    #[must_use]
    pub fn peek_start(text: &Bytes) -> Self {
        let mut found = Self::default();
        // It ends too early, and what was found by then is all that can be known.
        let _ = Outline { text, found: &mut found }.deserialize(&mut serde_json::Deserializer::from_slice(text));
        found
    }

    /// Whether it wants an answer.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.method.is_some() && self.has_id()
    }

    /// Whether nobody answers it: a notification, or itself an answer.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        !self.is_batch && if self.method.is_some() { self.id.is_none() } else { self.is_response() }
    }

    /// Whether it answers something.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.method.is_none() && (self.result.is_some() || self.error.is_some())
    }

    /// Whether it is a message at all.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.is_batch || self.method.is_some() || self.is_response()
    }

    /// Whether it has an id that is not null.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.id.as_ref().is_some_and(|id| &id[..] != b"null")
    }

    /// Whether this is the request's method.
    #[must_use]
    pub fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// Whether it answers this request: by its id, however that is written (clients take `"1"` for `1`).
    #[must_use]
    pub fn answers(&self, request: &Self) -> bool {
        self.is_response() && self.id.as_deref().map(bare) == request.id.as_deref().map(bare)
    }

    /// Whether there is a result that says something.
    #[must_use]
    pub fn has_result(&self) -> bool {
        self.result.as_deref().is_some_and(|result| result != b"null")
    }

    /// Whether the upstream only reads for it, so that asking it twice does no harm.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        let method = self.method.as_deref().unwrap_or_default();
        method.ends_with("/list") || ["ping", "initialize", PROBE].contains(&method)
    }

    /// Whether every parser takes it: what JSON-RPC 2.0 knows and nothing more, one of result and error, both objects,
    /// an id that is no null and no fraction. What it cannot tell is not sound.
    #[must_use]
    pub fn is_surely_sound(&self) -> bool {
        let is_object = |text: &Bytes| text.first() == Some(&b'{');
        let has_sound_id = |is_needed: bool| match self.id.as_deref() {
            None => !is_needed,
            Some(id) => id.first() == Some(&b'"') || id.iter().all(|b| b.is_ascii_digit() || *b == b'-'),
        };
        let has_sound_kind = match (&self.method, &self.result, &self.error) {
            (Some(_), None, None) => has_sound_id(false),
            (None, Some(result), None) => is_object(result) && has_sound_id(true),
            // What is wrong inside an error is looked for: it is rare, and short.
            _ => false,
        };
        self.is_versioned && !self.has_more && has_sound_kind
    }

    /// The code of its error, if that is a number.
    #[must_use]
    pub fn error_code(&self) -> Option<i64> {
        let error: serde_json::Value = serde_json::from_slice(self.error.as_ref()?).ok()?;
        error.get("code")?.as_i64()
    }
}

/// The messages in a text: one, or those of a list. Texts inside them may have half of a surrogate pair.
#[must_use]
pub fn messages(text: &Bytes) -> Vec<Envelope> {
    match Envelope::peek(text) {
        Some(message) if !message.is_batch => vec![message],
        Some(_) => {
            let list: Vec<&RawValue> = serde_json::from_slice(text).unwrap_or_default();
            list.into_iter().filter_map(|one| Envelope::peek(&text.slice_ref(one.get().as_bytes()))).collect()
        }
        None => Vec::new(),
    }
}

/// The text of an answer that is an error, to this message.
#[must_use]
pub fn error(to: Option<&Envelope>, code: i64, message: &str) -> Bytes {
    let id = to.and_then(|to| to.id.as_deref()).unwrap_or(b"null");
    let id = String::from_utf8_lossy(id);
    let message = serde_json::Value::from(message);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#).into()
}

/// As [`error`], for an HTTP error: which one stands beside what is said.
#[must_use]
pub fn error_of_status(to: Option<&Envelope>, status: u16, message: &str) -> Bytes {
    let id = to.and_then(|to| to.id.as_deref()).unwrap_or(b"null");
    let (id, message) = (String::from_utf8_lossy(id), serde_json::Value::from(message));
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{INTERNAL_ERROR},"message":{message},"data":{{"status":{status}}}}}}}"#
    )
    .into()
}

/// The text of an answer that says nothing but that the message came.
#[must_use]
pub fn empty_result(to: Option<&Envelope>) -> Bytes {
    let id = to.and_then(|to| to.id.as_deref()).unwrap_or(b"null");
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, String::from_utf8_lossy(id)).into()
}

/// The inside of a JSON string without escapes.
fn plain_string(text: &[u8]) -> Option<&str> {
    let inner = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(inner).ok().filter(|inner| !inner.contains('\\'))
}

/// Whether two ids mean the same, however they are written.
#[must_use]
pub fn is_same_id(one: &[u8], other: &[u8]) -> bool {
    bare(one) == bare(other)
}

/// An id without its quotation marks, its escapes and a fraction of nothing.
fn bare(id: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', id).is_some()
        && let Ok(text) = serde_json::from_slice::<String>(id)
    {
        return Cow::Owned(text.into_bytes());
    }
    let inner = id.strip_prefix(b"\"").and_then(|id| id.strip_suffix(b"\"")).unwrap_or(id);
    Cow::Borrowed(inner.strip_suffix(b".0").unwrap_or(inner))
}

struct Outline<'a> {
    text: &'a Bytes,
    found: &'a mut Envelope,
}

impl<'de> DeserializeSeed<'de> for Outline<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Outline<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { text, found } = self;
        // Whether there are any, and whether they say something.
        let mut params = None;
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &'de RawValue = match name {
                Member::Params => {
                    params = Some(map.next_value::<Option<IgnoredAny>>()?.is_some());
                    continue;
                }
                _ => map.next_value()?,
            };
            let value = value.get();
            let part = || Some(text.slice_ref(value.as_bytes()));
            match name {
                Member::Version => found.is_versioned = value == "\"2.0\"",
                Member::Id => found.id = part(),
                Member::Result => found.result = part(),
                Member::Error => found.error = part(),
                Member::Method => found.method = serde_json::from_str(value).ok(),
                Member::Params | Member::Other => found.has_more = true,
            }
        }
        found.note_params(params);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.found.is_batch = true;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

enum Member {
    Version,
    Id,
    Method,
    Params,
    Result,
    Error,
    Other,
}

/// Reads a member's name without keeping it.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Member, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Member, E> {
        Ok(match name {
            "jsonrpc" => Member::Version,
            "id" => Member::Id,
            "method" => Member::Method,
            "params" => Member::Params,
            "result" => Member::Result,
            "error" => Member::Error,
            _ => Member::Other,
        })
    }
}

#[cfg(test)]
mod tests;
