//! The MCP endpoint (protocol 2f): Streamable HTTP with JSON answers. Sound once a token opens it.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::reply::{self, Reply};
use super::{Broken, bearer, secret};

/// Latest first.
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
const SESSION: &str = "mcp-session-id";

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

/// Answers any method of the endpoint.
pub(super) fn answer(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    let known = bearer(head)
        .is_some_and(|token| broken.state().access_tokens.get(token).is_some_and(super::token::Access::is_alive));
    if !known {
        // Defects and H-01: no challenge, nothing that a page may read, and OPTIONS wants a token too.
        let what = json!({"error": "unauthorized", "error_description": "Authentication required"});
        return reply::json(StatusCode::UNAUTHORIZED, &what);
    }
    match head.method {
        Method::POST => post(broken, head, body),
        Method::DELETE => {
            if let Some(session) = session(&head.headers) {
                broken.state().sessions.take(session);
            }
            reply::empty(StatusCode::OK)
        }
        _ => reply::not_allowed("POST, DELETE"),
    }
}

fn post(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
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
    match call(method, &message["params"]) {
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

fn call(method: &str, params: &Value) -> Outcome {
    match method {
        "ping" => Ok(json!({})),
        "tools/list" => Ok(tools()),
        "tools/call" => use_tool(params),
        _ => Err((METHOD_NOT_FOUND, format!("Method not found: {method}"))),
    }
}

fn tools() -> Value {
    let schema = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let number = |what: &str| json!({"type": "number", "description": what});
    json!({"tools": [
        {
            "name": "echo",
            "description": "Says the text again.",
            "inputSchema": schema(json!({"text": {"type": "string", "description": "What to say"}}), &["text"]),
        },
        {
            "name": "add",
            "description": "Adds two numbers.",
            "inputSchema": schema(json!({"a": number("The first"), "b": number("The second")}), &["a", "b"]),
        },
    ]})
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
    fn other_methods_are_not_found() {
        assert_eq!(call("ping", &Value::Null), Ok(json!({})));
        assert_eq!(call("resources/list", &Value::Null).unwrap_err().0, METHOD_NOT_FOUND);
    }
}
