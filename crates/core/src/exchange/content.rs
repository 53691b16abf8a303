//! What the body of an answer says, read once and strictly: whoever decides by it must not take it for less than it says.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use memchr::memmem;
use serde_json::Value;

use super::{Opening, Reply, ReplyBody};
use crate::headers;
use crate::sse;

/// What a body says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// There is no body.
    Nothing,
    /// It is a text for people, or a form.
    Words(Bytes),
    /// JSON documents: the one that it is, the elements of a list, or the data of each event.
    Documents(Vec<Value>),
    /// It is meant to be JSON or events, and cannot be read, or not in one way only.
    Unclear(Bytes),
    /// Not all of it was read.
    Unread,
}

impl Content {
    #[must_use]
    pub fn of(reply: &Reply) -> Self {
        let text = match &reply.body {
            ReplyBody::Json(object) => object.to_bytes(),
            ReplyBody::Text(text) => text.clone(),
            ReplyBody::Empty => return Self::Nothing,
            ReplyBody::Stream if reply.opening == Opening::Nothing || reply.declared_length() == Some(0) => {
                return Self::Nothing;
            }
            ReplyBody::Stream => return Self::Unread,
        };
        match Opening::of(&text) {
            Opening::Unseen | Opening::Nothing => Self::Nothing,
            Opening::Object | Opening::List => match document(&text) {
                Some(document) => listed(document),
                // As in `[ERROR] no such route`.
                None if is_of_text(reply) && are_words(reply, &text) && !text.contains(&b'"') => Self::Words(text),
                None => Self::Unclear(text),
            },
            Opening::Events => events(&text).map_or(Self::Unclear(text), Self::Documents),
            Opening::Other if are_words(reply, &text) => Self::Words(text),
            Opening::Other => Self::Unclear(text),
        }
    }

    /// Whether a document in it is as asked for.
    pub fn any(&self, is: impl Fn(&Value) -> bool) -> bool {
        matches!(self, Self::Documents(all) if all.iter().any(is))
    }
}

/// Whether a text is for people: in letters that can be read, and with nothing of JSON in it, be that encoded once more as a string
/// or behind something else.
fn are_words(reply: &Reply, text: &[u8]) -> bool {
    let has = |part: &[u8]| memmem::find(text, part).is_some();
    // Latin-1 is what an old text is in. Anything else may be UTF-16, or what is left of a content coding.
    let is_readable = std::str::from_utf8(text).is_ok() || is_of_text(reply) && !headers::is_encoded(&reply.headers);
    let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let may_be_json =
        (reply.is_json() || text.starts_with(b"\"")) && has(b":") && (has(b"\"") || has(b"{") || has(b"["));
    is_readable
        && !text.iter().any(is_control)
        && !reply.is_of("text/event-stream")
        && !has(b"jsonrpc\"")
        && !has(b"jsonrpc\\\"")
        && !may_be_json
}

fn is_of_text(reply: &Reply) -> bool {
    reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/"))
}

fn listed(document: Value) -> Content {
    match document {
        Value::Array(list) => Content::Documents(list),
        one => Content::Documents(vec![one]),
    }
}

/// The data of the events in a text.
fn events(text: &Bytes) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for data in sse::events(text).filter_map(|event| sse::data(&event)).filter(|data| !data.trim_ascii().is_empty()) {
        match document(&data)? {
            Value::Array(list) => all.extend(list),
            one => all.push(one),
        }
    }
    Some(all)
}

/// The one document in a text, if it can be read in one way only: of a member given twice some take the first, others the last.
fn document(text: &[u8]) -> Option<Value> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let document: Value = serde_json::from_slice(text).ok()?;
    (members(&document) == colons(text)).then_some(document)
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(members).sum(),
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

/// How many colons stand outside of strings: one for each member that the text has.
fn colons(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut is_escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b':' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn of(head: &str, body: &[u8]) -> Content {
        let mut reply = example::reply(head).unwrap();
        reply.body = ReplyBody::Text(Bytes::copy_from_slice(body));
        Content::of(&reply)
    }

    #[test]
    fn what_can_be_read_in_one_way_is_read() {
        let one = serde_json::json!({"error": {"code": 1, "a:\"b": [{"c": null}]}});
        for text in [
            r#"{"error":{"code":1,"a:\"b":[{"c":null}]}}"#,
            "\u{feff} {\"error\" : {\"code\":1,\"a:\\\"b\":[{\"c\":null}]}}\n",
            "event: message\ndata: {\"error\":{\"code\":1,\ndata: \"a:\\\"b\":[{\"c\":null}]}}\n\n: end\n\n",
            r#"[{"error":{"code":1,"a:\"b":[{"c":null}]}}]"#,
        ] {
            assert_eq!(of("400", text.as_bytes()), Content::Documents(vec![one.clone()]), "{text}");
        }
        assert!(matches!(of("400", b"Unsupported protocol version"), Content::Words(_)));
        assert_eq!(of("400", b" \n"), Content::Nothing);
        for (head, text) in [
            ("400\nContent-Type: text/plain", &b"[ERROR] no such version"[..]),
            ("400\nContent-Type: text/html", b"<p>Version nicht unterst\xfctzt</p>"),
            ("400\nContent-Type: application/json", b"Unsupported protocol version: 2025"),
            ("400", b"<script>\\u003cb\\u003e</script>"),
        ] {
            assert!(matches!(of(head, text), Content::Words(_)), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_unclear() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for text in [
            &br#"{"error":{"code":1,"code":2}}"#[..],
            br#"{"error":1,"error":2}"#,
            br#"{"error":1} {"error":2}"#,
            b"{\"error\":1}\n{\"error\":2}",
            br#"{"error":1,}"#,
            br#"{'error': 1}"#,
            br#"{"a":"\ud800"}"#,
            b"{\"a\":\"\xff\"}",
            b"{\"error\":1}\0",
            b"\xff\xfe[\0{\0",
            b"U\0n\0",
            b"data: {\"error\":1}\n\ndata: {\"err\n\n",
            deep.as_bytes(),
        ] {
            assert!(matches!(of("400", text), Content::Unclear(_)), "{}", String::from_utf8_lossy(text));
        }
        for (kind, text) in [
            ("text/event-stream", &b"nonsense"[..]),
            ("application/json", br#""{\"error\":{\"code\":-32603}}""#),
            ("application/json", br#")]}',{"error":1}"#),
            ("application/json", "\u{feff}\u{feff}{\"error\":1}".as_bytes()),
            ("application/json-seq", b"\x1e{\"error\":1}"),
            ("text/javascript", br#"answer({"jsonrpc":"2.0"})"#),
            ("application/octet-stream", b"\xfcber"),
        ] {
            assert!(matches!(of(&format!("400\nContent-Type: {kind}"), text), Content::Unclear(_)), "{kind}");
        }
        assert_eq!(Content::of(&example::reply("400\nContent-Length: 7").unwrap()), Content::Unread);
    }
}
