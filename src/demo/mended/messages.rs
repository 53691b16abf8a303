//! What a sound answer to a message looks like (protocol 2f and 5.9): read as strictly as the strictest client does.

use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Verdict, right};
use crate::demo::client::Answer;
use crate::endpoint::{NEGOTIATED, SESSION};

/// The one message that answers, from a body or an event stream.
fn message(answer: &Answer, id: u64) -> Result<Value, String> {
    let message = any_message(answer)?;
    right(message["jsonrpc"] == "2.0", || "jsonrpc is not 2.0".to_owned())?;
    right(message["id"] == json!(id), || format!("id {} instead of {id}", message["id"]))?;
    let members = message.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let foreign = members.iter().find(|name| !["jsonrpc", "id", "result", "error"].contains(&name.as_str()));
    right(foreign.is_none(), || format!("a member {}", foreign.map_or("", |name| name)))?;
    right(members.len() == 3, || "not one of result and error".to_owned())?;
    Ok(message)
}

fn any_message(answer: &Answer) -> Result<Value, String> {
    let kind = answer.only(CONTENT_TYPE).unwrap_or("no Content-Type");
    match kind.split(';').next().unwrap_or_default() {
        "application/json" => answer.json(),
        "text/event-stream" => event(&answer.body),
        other => Err(format!("{other} instead of a message")),
    }
}

/// The data of the last event that is heard; every line ends in LF, every event in a blank line.
fn event(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_| "no text")?;
    right(!text.contains('\r'), || "lines that end in CR".to_owned())?;
    let mut found = None;
    let mut rest = text;
    while let Some((event, next)) = rest.split_once("\n\n") {
        rest = next;
        let field =
            |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start));
        let Some(data) = field("data") else { continue };
        if field("event").is_none_or(|name| name == "message") {
            found = Some(serde_json::from_str(data).map_err(|_| format!("an event that is no message: {data}"))?);
        }
    }
    found.ok_or_else(|| "no event that is heard and ended".to_owned())
}

fn result(answer: &Answer, id: u64) -> Result<Value, String> {
    right(answer.status == StatusCode::OK, || format!("{} instead of 200", answer.status.as_u16()))?;
    let mut message = message(answer, id)?;
    let result = message["result"].take();
    right(result.is_object(), || format!("an error: {}", message["error"]))?;
    Ok(result)
}

/// A session has begun: a version that is negotiated, capabilities that are objects, a server with a name.
pub(in crate::demo) fn begun(answer: &Answer) -> Verdict {
    let result = result(answer, 1)?;
    let version = result["protocolVersion"].as_str().unwrap_or("no version");
    right(NEGOTIATED.contains(&version), || format!("version {version}"))?;
    let capabilities = result["capabilities"].as_object().ok_or("no capabilities")?;
    right(capabilities.values().all(Value::is_object), || "a capability that is no object".to_owned())?;
    let server = &result["serverInfo"];
    right(server["name"].is_string() && server["version"].is_string(), || "no serverInfo".to_owned())?;
    right(!holds_null(&result), || "a null".to_owned())?;
    let session = answer.headers.get(SESSION).map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    right(session != b"null" && session.iter().all(u8::is_ascii_graphic), || "a session id that is none".to_owned())
}

/// Two tools, each with the schema of an object, and nothing that is null.
pub(in crate::demo) fn listed(answer: &Answer) -> Verdict {
    let result = result(answer, 2)?;
    let tools = result["tools"].as_array().ok_or("no tools")?;
    right(tools.len() == 2, || format!("{} tools", tools.len()))?;
    right(tools.iter().all(|tool| tool["inputSchema"]["type"] == "object"), || "a tool without a schema".to_owned())?;
    right(!holds_null(&result) && result["nextCursor"] != "", || "a null, or an empty cursor".to_owned())
}

/// The same, in JSON: nothing else was accepted.
pub(in crate::demo) fn listed_in_json(answer: &Answer) -> Verdict {
    let is_json = answer.only(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    right(is_json, || "no JSON".to_owned())?;
    listed(answer)
}

/// The sum, in a list of blocks.
pub(in crate::demo) fn called(answer: &Answer) -> Verdict {
    let result = result(answer, 2)?;
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    right(text == "5" || text.contains(":5"), || format!("the tool says: {result}"))
}

/// A sign of life, or none of the methods of a server.
pub(in crate::demo) fn alive(answer: &Answer) -> Verdict {
    result(answer, 2).map(drop)
}

fn error(answer: &Answer, code: i64) -> Verdict {
    right(answer.status == StatusCode::OK, || format!("{} instead of 200", answer.status.as_u16()))?;
    let message = message(answer, 2)?;
    right(message["error"]["code"] == json!(code), || format!("{} instead of {code}", message["error"]["code"]))?;
    right(message["error"]["message"].is_string(), || "an error without a text".to_owned())
}

/// The method is not there, in JSON-RPC.
pub(in crate::demo) fn unknown_method(answer: &Answer) -> Verdict {
    error(answer, -32601)
}

/// The tool is not there, in JSON-RPC.
pub(in crate::demo) fn unknown_tool(answer: &Answer) -> Verdict {
    error(answer, -32602)
}

/// Something is told instead of nothing, or the tools are.
pub(in crate::demo) fn told(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::OK, || format!("{} instead of 200", answer.status.as_u16()))?;
    message(answer, 2).map(drop)
}

/// A message in JSON, whatever its status, and no page.
pub(in crate::demo) fn told_in_json(answer: &Answer) -> Verdict {
    message(answer, 2).map(drop)
}

/// An older server, by an answer that every newer client understands.
pub(in crate::demo) fn older(answer: &Answer) -> Verdict {
    let is_known = matches!(answer.status, StatusCode::OK | StatusCode::BAD_REQUEST);
    right(is_known, || format!("{} for the probe", answer.status.as_u16()))?;
    let message = message(answer, 2)?;
    right(message["error"]["code"].is_i64(), || "no error".to_owned())
}

/// Taken, and nothing said.
pub(in crate::demo) fn accepted(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::ACCEPTED, || format!("{} instead of 202", answer.status.as_u16()))?;
    right(answer.body.is_empty(), || "a body".to_owned())
}

/// There is no stream, or there is one.
pub(in crate::demo) fn no_stream(answer: &Answer) -> Verdict {
    if answer.status == StatusCode::OK && answer.only(CONTENT_TYPE) == Some("text/event-stream") {
        return Ok(());
    }
    not_allowed(answer)
}

/// Done, or not possible.
pub(in crate::demo) fn ended(answer: &Answer) -> Verdict {
    if answer.status.is_success() { Ok(()) } else { not_allowed(answer) }
}

/// Not allowed, and what is.
pub(in crate::demo) fn not_allowed(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::METHOD_NOT_ALLOWED, || format!("{} instead of 405", answer.status.as_u16()))?;
    right(answer.lists(ALLOW, "POST"), || "no Allow: POST".to_owned())
}

/// The session is gone, so that the client begins anew.
pub(in crate::demo) fn session_gone(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::NOT_FOUND, || format!("{} instead of 404", answer.status.as_u16()))?;
    let message = message(answer, 2)?;
    right(message["error"]["code"] == json!(-32001), || "not -32001".to_owned())
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}
