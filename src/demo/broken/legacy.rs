//! The HTTP+SSE transport of MCP 2024-11-05 (HTTP with SSE): a GET opens the stream on which all answers come, its first
//! event says where messages are posted.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::Value;

use super::Broken;
use super::mcp::{self, access, unauthorized};
use super::metadata::MORE_SCOPE;
use crate::demo::parts::body::Body;
use crate::demo::parts::reply::{self, Reply};
use crate::demo::parts::{MESSAGES, field, fields};
use crate::secret;

/// Names the session in the address of its messages.
const SESSION: &str = "sessionId";

/// Opens a stream.
pub(super) fn listen(broken: &Broken, head: &Parts, _: &[u8]) -> Reply {
    if access(broken, head).is_none() {
        return unauthorized(broken, head);
    }
    let Ok(session) = secret::random() else { return reply::failed() };
    let first = format!("event: endpoint\ndata: {MESSAGES}?{SESSION}={session}\n\n");
    let body = Body::stream([(Duration::ZERO, Bytes::from(first))]);
    reply::events(body.then(broken.streams.listen(&session)))
}

/// Takes a message; the answer comes on the stream.
pub(super) fn send(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    let Some(access) = access(broken, head) else {
        return unauthorized(broken, head);
    };
    let session = field(&fields(head.uri.query().unwrap_or_default().as_bytes()), SESSION);
    let Some(session) = session.filter(|session| broken.streams.has(session)) else {
        return reply::error(StatusCode::NOT_FOUND, "not_found", "Session not found");
    };
    let Ok(message) = serde_json::from_slice::<Value>(body) else {
        return reply::error(StatusCode::BAD_REQUEST, "invalid_request", "Not one JSON-RPC 2.0 message");
    };
    if let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) {
        let answer = match method {
            "initialize" => mcp::hello(id, &message["params"]),
            _ => mcp::said(id, method, &message["params"], access.has(MORE_SCOPE)),
        };
        broken.streams.tell(&session, reply::event(&answer));
    }
    reply::text(StatusCode::ACCEPTED, "text/plain", "Accepted")
}
