//! The MCP endpoint (protocol 2f): Streamable HTTP with JSON answers, opened by a token.

use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::metadata::{MORE_SCOPE, SCOPE};
use super::reply::{self, Reply};
use super::shelf::Shelf;
use super::token::Access;
use super::{Broken, MCP, bearer, secret};
use crate::endpoint::resource_metadata_path;

/// Latest first.
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const SESSION: &str = "mcp-session-id";
/// The tool that needs more scope than a login asks for.
const FORGET: &str = "forget";

/// JSON-RPC 2.0 section 5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
/// What the TypeScript SDK's server uses (protocol 5.9).
const REFUSED: i32 = -32000;
const NO_SESSION: i32 = -32001;

/// A method's result, or JSON-RPC code and message.
type Outcome = Result<Value, (i32, String)>;

/// The token that opens the endpoint, if the request has one.
pub(super) fn access(broken: &Broken, head: &Parts) -> Option<Access> {
    let token = bearer(head)?;
    broken.state().access_tokens.get(token).filter(|access| access.is_alive()).cloned()
}

/// Answers any method of the endpoint.
pub(super) fn answer(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    let Some(access) = access(broken, head) else {
        return unauthorized(broken, bearer(head).is_some());
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
fn unauthorized(broken: &Broken, had_token: bool) -> Reply {
    let (code, text, error) = if had_token {
        ("invalid_token", "The access token is unknown or expired", "error=\"invalid_token\", ")
    } else {
        ("unauthorized", "Authentication required", "")
    };
    let challenge = format!("Bearer {error}{}, scope=\"{SCOPE}\"", pointer(broken));
    reply::with_text(reply::error(StatusCode::UNAUTHORIZED, code, text), WWW_AUTHENTICATE, &challenge)
}

/// MCP 2025-11-25, authorization, "Runtime Insufficient Scope Errors".
fn needs_more_scope(broken: &Broken) -> Reply {
    let text = format!("This tool requires the scope {MORE_SCOPE}");
    let scope = format!("scope=\"{SCOPE} {MORE_SCOPE}\"");
    let challenge = format!("Bearer error=\"insufficient_scope\", {scope}, {}", pointer(broken));
    let reply = reply::error(StatusCode::FORBIDDEN, "insufficient_scope", &text);
    reply::with_text(reply, WWW_AUTHENTICATE, &challenge)
}

fn pointer(broken: &Broken) -> String {
    format!("resource_metadata=\"{}{}\"", broken.origin, resource_metadata_path(MCP))
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
    if method == "tools/call" && message["params"]["name"] == FORGET {
        if !more {
            return needs_more_scope(broken);
        }
        broken.state().sessions = Shelf::default();
    }
    match call(method, &message["params"], more) {
        Ok(result) => reply::json(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": result})),
        Err((code, text)) => refuse(StatusCode::OK, id, code, &text),
    }
}

fn refuse(status: StatusCode, id: &Value, code: i32, text: &str) -> Reply {
    reply::json(status, &json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}))
}

fn session(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION)?.to_str().ok()
}

fn initialize(broken: &Broken, id: &Value, params: &Value) -> Reply {
    let asked = params["protocolVersion"].as_str();
    let version = VERSIONS.into_iter().find(|known| Some(*known) == asked).unwrap_or(VERSIONS[0]);
    let result = json!({
        "protocolVersion": version,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "mcp-mend-demo", "version": env!("CARGO_PKG_VERSION")},
        "instructions": "Two tools to see that the connection works: echo and add.",
    });
    let Some((session, value)) =
        secret::random().ok().and_then(|name| HeaderValue::try_from(&name).ok().map(|value| (name, value)))
    else {
        return reply::failed();
    };
    broken.state().sessions.put(session, ());
    let mut answer = reply::json(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": result}));
    answer.headers_mut().insert(SESSION, value);
    answer
}

fn call(method: &str, params: &Value, more: bool) -> Outcome {
    match method {
        "ping" => Ok(json!({})),
        "tools/list" => Ok(tools(more)),
        "tools/call" => use_tool(params),
        _ => Err((METHOD_NOT_FOUND, format!("Method not found: {method}"))),
    }
}

/// Those that the token's scope allows.
fn tools(more: bool) -> Value {
    let schema = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let number = |what: &str| json!({"type": "number", "description": what});
    let mut tools = vec![
        json!({
            "name": "echo",
            "description": "Says the text again.",
            "inputSchema": schema(json!({"text": {"type": "string", "description": "What to say"}}), &["text"]),
        }),
        json!({
            "name": "add",
            "description": "Adds two numbers.",
            "inputSchema": schema(json!({"a": number("The first"), "b": number("The second")}), &["a", "b"]),
        }),
    ];
    if more {
        let schema = schema(json!({}), &[]);
        tools.push(json!({"name": FORGET, "description": "Ends every session.", "inputSchema": schema}));
    }
    json!({ "tools": tools })
}

/// Wrong arguments are the tool's to report, so that a model can correct itself (MCP 2025-11-25, server/tools).
fn use_tool(params: &Value) -> Outcome {
    let arguments = &params["arguments"];
    let done = match params["name"].as_str() {
        Some("echo") => arguments["text"].as_str().map(str::to_owned).ok_or("echo wants a text: {\"text\": \"...\"}"),
        Some("add") => match (arguments["a"].as_f64(), arguments["b"].as_f64()) {
            (Some(a), Some(b)) => Ok((a + b).to_string()),
            _ => Err("add wants two numbers: {\"a\": 1, \"b\": 2}"),
        },
        Some(FORGET) => Ok("every session ended".to_owned()),
        name => return Err((INVALID_PARAMS, format!("Unknown tool: {}", name.unwrap_or("(none)")))),
    };
    let failed = done.is_err();
    let text = done.unwrap_or_else(str::to_owned);
    Ok(json!({"content": [{"type": "text", "text": text}], "isError": failed}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, arguments: Value) -> (String, bool) {
        let result = use_tool(&json!({"name": name, "arguments": arguments})).unwrap();
        (result["content"][0]["text"].as_str().unwrap().to_owned(), result["isError"].as_bool().unwrap())
    }

    #[test]
    fn tools_do_their_work() {
        assert_eq!(said("echo", json!({"text": "é <b>"})), ("é <b>".to_owned(), false));
        assert_eq!(said("add", json!({"a": 2, "b": 3})), ("5".to_owned(), false));
        assert_eq!(said("add", json!({"a": 0.5, "b": -1})), ("-0.5".to_owned(), false));
        assert!(said("add", json!({"a": "2", "b": 3})).1);
        assert!(said("echo", Value::Null).1);
        assert_eq!(use_tool(&json!({"name": "rm"})).unwrap_err().0, INVALID_PARAMS);
    }

    #[test]
    fn a_tool_that_may_not_be_called_is_not_listed() {
        let names = |more| tools(more)["tools"].as_array().unwrap().len();
        assert_eq!((names(false), names(true)), (2, 3));
    }

    #[test]
    fn other_methods_are_not_found() {
        assert_eq!(call("ping", &Value::Null, false), Ok(json!({})));
        assert_eq!(call("resources/list", &Value::Null, false).unwrap_err().0, METHOD_NOT_FOUND);
    }
}
