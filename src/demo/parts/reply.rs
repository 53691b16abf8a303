//! Answers of the demo server.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::body::Body;

/// An answer.
pub(in crate::demo) type Reply = Response<Body>;

/// Tells nginx not to hold an answer back.
pub(in crate::demo) const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How long an answer is held back, as an extension of it. Who hangs up before does not leave it behind.
#[derive(Clone, Copy, Debug)]
pub(in crate::demo) struct Late(pub(in crate::demo) Duration);

/// An answer without a body.
pub(in crate::demo) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::default());
    *reply.status_mut() = status;
    reply
}

/// An answer of this type.
pub(in crate::demo) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = empty(status);
    *reply.body_mut() = Body::whole(body.into());
    with(reply, CONTENT_TYPE, kind)
}

/// A JSON document.
pub(in crate::demo) fn json(status: StatusCode, document: &Value) -> Reply {
    text(status, "application/json", document.to_string())
}

/// An OAuth error (RFC 6749 section 5.2, RFC 7591 section 3.2.2).
pub(in crate::demo) fn error(status: StatusCode, code: &str, description: &str) -> Reply {
    json(status, &json!({"error": code, "error_description": description}))
}

/// Another method, please.
pub(in crate::demo) fn not_allowed(allow: &'static str) -> Reply {
    with(empty(StatusCode::METHOD_NOT_ALLOWED), ALLOW, allow)
}

/// The answer with this header field.
pub(in crate::demo) fn with(reply: Reply, name: HeaderName, value: &'static str) -> Reply {
    set(reply, name, HeaderValue::from_static(value))
}

/// The answer with this header field, if the text can be one.
pub(in crate::demo) fn with_text(reply: Reply, name: HeaderName, value: &str) -> Reply {
    match HeaderValue::from_str(value) {
        Ok(value) => set(reply, name, value),
        Err(_) => reply,
    }
}

fn set(mut reply: Reply, name: HeaderName, value: HeaderValue) -> Reply {
    reply.headers_mut().insert(name, value);
    reply
}

/// The answer without a header field.
pub(in crate::demo) fn without(mut reply: Reply, name: HeaderName) -> Reply {
    reply.headers_mut().remove(name);
    reply
}

/// The answer with another status.
pub(in crate::demo) fn status(mut reply: Reply, status: StatusCode) -> Reply {
    *reply.status_mut() = status;
    reply
}

/// The answer with other bytes as its body, of the same type.
pub(in crate::demo) fn body(mut reply: Reply, body: impl Into<Bytes>) -> Reply {
    *reply.body_mut() = Body::whole(body.into());
    reply
}

/// The bytes of the body, or what is there of a stream.
pub(in crate::demo) fn bytes(reply: &Reply) -> Bytes {
    reply.body().bytes()
}

/// An event stream that says at once that nobody may hold it back.
pub(in crate::demo) fn events(body: Body) -> Reply {
    let reply = with(empty(StatusCode::OK), CONTENT_TYPE, "text/event-stream");
    let reply = with(with(reply, CACHE_CONTROL, "no-cache, no-transform"), BUFFERING, "no");
    reply.map(|_| body)
}

/// A message as an event.
pub(in crate::demo) fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// Whether the answer is an event stream.
pub(in crate::demo) fn is_stream(reply: &Reply) -> bool {
    reply.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// The event stream with its text changed, in one piece; any other answer as it is.
pub(in crate::demo) fn retold(reply: Reply, change: impl FnOnce(String) -> String) -> Reply {
    if is_stream(&reply) { reply.map(|body| body.retold(change)) } else { reply }
}

/// The JSON of the body; null if it is none.
pub(in crate::demo) fn document(reply: &Reply) -> Value {
    serde_json::from_slice(&bytes(reply)).unwrap_or_default()
}

/// The answer with its JSON changed.
pub(in crate::demo) fn changed(reply: Reply, change: impl FnOnce(&mut Value)) -> Reply {
    // Where there is no document, nothing of one can be wrong.
    let mut document = document(&reply);
    if document.is_null() {
        return reply;
    }
    change(&mut document);
    body(reply, document.to_string())
}

/// The answer, held back so long that nobody waits for it.
pub(in crate::demo) fn late(mut reply: Reply) -> Reply {
    reply.extensions_mut().insert(Late(Duration::from_secs(60)));
    reply
}

/// No randomness, no secrets: the system cannot go on.
pub(in crate::demo) fn failed() -> Reply {
    error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "No random numbers")
}
