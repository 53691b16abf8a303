//! The MCP endpoint: Streamable HTTP (MCP 2025-11-25), opened by a token. Answers are JSON, but for a tool that has more to
//! say than its result.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::metadata::{MORE_SCOPE, SCOPE};
use super::token::Access;
use super::{Broken, cors, offer};
use crate::demo::parts::body::Body;
use crate::demo::parts::reply::{self, Reply};
use crate::demo::parts::shelf::Shelf;
use crate::demo::parts::{MCP, bearer};
use crate::endpoint::{LEGACY_SSE, resource_metadata_path};
use crate::secret;

/// Latest first. The last one is of the HTTP+SSE transport.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const SESSION: &str = "mcp-session-id";

/// JSON-RPC 2.0 section 5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
/// What the TypeScript SDK's server uses.
const REFUSED: i32 = -32000;
const NO_SESSION: i32 = -32001;

/// Between two events of an answer that comes as a stream.
const A_WHILE: Duration = Duration::from_millis(20);

/// The token that opens the endpoint, if the request has one.
pub(super) fn access(broken: &Broken, head: &Parts) -> Option<Access> {
    let token = bearer(head)?;
    broken.state().access_tokens.get(token).filter(|access| access.is_alive()).cloned()
}

/// Answers any method of the endpoint.
pub(super) fn answer(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    if !cors::is_welcome(&broken.origin, head) {
        return refuse(StatusCode::FORBIDDEN, &Value::Null, REFUSED, "Origin not allowed");
    }
    let Some(access) = access(broken, head) else {
        return unauthorized(broken, head);
    };
    match head.method {
        Method::POST => post(broken, head, body, &access),
        Method::DELETE => {
            if let Some(session) = session(&head.headers) {
                broken.state().sessions.take(session);
            }
            reply::empty(StatusCode::OK)
        }
        _ => reply::not_allowed("POST, DELETE"),
    }
}

/// RFC 6750 section 3.1: `error` only if there was a token.
pub(super) fn unauthorized(broken: &Broken, head: &Parts) -> Reply {
    let (code, text, error) = if bearer(head).is_some() {
        ("invalid_token", "The access token is unknown or expired", "error=\"invalid_token\", ")
    } else {
        ("unauthorized", "Authentication required", "")
    };
    let at = if head.uri.path() == MCP { MCP } else { LEGACY_SSE };
    let challenge = format!("Bearer {error}{}, scope=\"{SCOPE}\"", pointer(broken, at));
    reply::with_text(reply::error(StatusCode::UNAUTHORIZED, code, text), WWW_AUTHENTICATE, &challenge)
}

/// MCP 2025-11-25, authorization, "Runtime Insufficient Scope Errors".
fn needs_more_scope(broken: &Broken) -> Reply {
    let text = format!("This tool requires the scope {MORE_SCOPE}");
    let scope = format!("scope=\"{SCOPE} {MORE_SCOPE}\"");
    let challenge = format!("Bearer error=\"insufficient_scope\", {scope}, {}", pointer(broken, MCP));
    let reply = reply::error(StatusCode::FORBIDDEN, "insufficient_scope", &text);
    reply::with_text(reply, WWW_AUTHENTICATE, &challenge)
}

fn pointer(broken: &Broken, at: &str) -> String {
    format!("resource_metadata=\"{}{}\"", broken.origin, resource_metadata_path(at))
}

fn post(broken: &Broken, head: &Parts, body: &[u8], access: &Access) -> Reply {
    let Ok(message) = serde_json::from_slice::<Value>(body) else {
        return refuse(StatusCode::BAD_REQUEST, &Value::Null, PARSE_ERROR, "Parse error");
    };
    let id = &message["id"];
    if message["jsonrpc"] != "2.0" {
        return refuse(StatusCode::BAD_REQUEST, id, INVALID_REQUEST, "Not one JSON-RPC 2.0 message");
    }
    let version = head.headers.get("mcp-protocol-version");
    if version.is_some_and(|version| !VERSIONS.iter().any(|known| version == known)) {
        return refuse(StatusCode::BAD_REQUEST, id, REFUSED, "Bad Request: Unsupported protocol version");
    }
    let Some(method) = message["method"].as_str().filter(|_| message.get("id").is_some()) else {
        // A notification, or an answer to a question that was never put.
        return reply::empty(StatusCode::ACCEPTED);
    };
    if !(id.is_string() || id.is_i64() || id.is_u64()) {
        return refuse(StatusCode::BAD_REQUEST, &Value::Null, INVALID_REQUEST, "The id is no string and no integer");
    }
    if method == "initialize" {
        return initialize(broken, id, &message["params"]);
    }
    // A client may do without the session, which holds nothing. One that names an old one has to begin anew.
    if session(&head.headers).is_some_and(|session| broken.state().sessions.get(session).is_none()) {
        return refuse(StatusCode::NOT_FOUND, id, NO_SESSION, "Session not found");
    }
    let more = access.has(MORE_SCOPE);
    let params = &message["params"];
    if method == "tools/call" && params["name"] == offer::FORGET {
        if !more {
            return needs_more_scope(broken);
        }
        broken.state().sessions = Shelf::default();
    }
    let answer = said(id, method, params, more);
    if method == "tools/call" && params["name"] == offer::COUNT && accepts_events(head) {
        return counted(params, &answer);
    }
    reply::json(StatusCode::OK, &answer)
}

/// The answer to a method as a message.
pub(super) fn said(id: &Value, method: &str, params: &Value, more: bool) -> Value {
    match offer::call(method, params, more) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, text)) => error(id, code, &text),
    }
}

fn accepts_events(head: &Parts) -> bool {
    let lines = head.headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|kind| kind.trim().starts_with("text/event-stream"))
}

/// The answer as a stream, behind a word on how far it is for those who asked for that (MCP 2025-11-25, Progress).
fn counted(params: &Value, answer: &Value) -> Reply {
    let mut events = vec![answer.clone()];
    if let Some(token) = params["_meta"].get("progressToken") {
        let progress = json!({"progressToken": token, "progress": 1, "total": 2});
        events.insert(0, json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress}));
    }
    reply::events(Body::stream(events.iter().map(|event| (A_WHILE, Bytes::from(reply::event(event))))))
}

fn error(id: &Value, code: i32, text: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}})
}

fn refuse(status: StatusCode, id: &Value, code: i32, text: &str) -> Reply {
    reply::json(status, &error(id, code, text))
}

fn session(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION)?.to_str().ok()
}

fn initialize(broken: &Broken, id: &Value, params: &Value) -> Reply {
    let Some((session, value)) =
        secret::random().ok().and_then(|name| HeaderValue::try_from(&name).ok().map(|value| (name, value)))
    else {
        return reply::failed();
    };
    broken.state().sessions.put(session, ());
    let mut answer = reply::json(StatusCode::OK, &hello(id, params));
    answer.headers_mut().insert(SESSION, value);
    answer
}

/// The answer to `initialize`: the version that was asked for if there is such a one, else the newest.
pub(super) fn hello(id: &Value, params: &Value) -> Value {
    let asked = params["protocolVersion"].as_str();
    let version = VERSIONS.into_iter().find(|known| Some(*known) == asked).unwrap_or(VERSIONS[0]);
    let result = json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
        "serverInfo": {"name": "mcp-mend-demo", "title": "mcp-mend demo", "version": env!("CARGO_PKG_VERSION")},
        "instructions": "Tools to see that the connection works: echo, add and count.",
    });
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}
