//! Answers of the broken server. None has a CORS header (defect H-02).

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// A whole answer.
pub(super) type Reply = Response<Full<Bytes>>;

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

/// An answer of this type.
pub(super) fn text(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut reply = empty(status);
    *reply.body_mut() = Full::new(Bytes::from(body));
    with(reply, CONTENT_TYPE, kind)
}

/// A JSON document.
pub(super) fn json(status: StatusCode, document: &Value) -> Reply {
    text(status, "application/json", document.to_string())
}

/// An OAuth error (RFC 6749 section 5.2, RFC 7591 section 3.2.2).
pub(super) fn error(status: StatusCode, code: &str, description: &str) -> Reply {
    json(status, &json!({"error": code, "error_description": description}))
}

/// Another method, please.
pub(super) fn not_allowed(allow: &'static str) -> Reply {
    with(empty(StatusCode::METHOD_NOT_ALLOWED), ALLOW, allow)
}

/// The answer with one more header field.
pub(super) fn with(mut reply: Reply, name: HeaderName, value: &'static str) -> Reply {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
    reply
}

/// No randomness, no secrets: the system cannot go on.
pub(super) fn failed() -> Reply {
    error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "No random numbers")
}
