//! What a sound answer to a message looks like: as the strictest client of each kind reads it.

use http::StatusCode;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Verdict, right};
use crate::demo::client::Answer;
use crate::demo::events::messages;
use crate::demo::parts::reply::BUFFERING;
use crate::demo::visit::session::{FIRST_ID, ID, is_legal_session};
use crate::endpoint::NEGOTIATED;

/// JSON-RPC 2.0 section 5.1, and what the SDKs use for a lost session.
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NO_SESSION: i64 = -32001;

fn status(answer: &Answer, wanted: StatusCode) -> Verdict {
    right(answer.status == wanted, || format!("{} instead of {}", answer.status.as_u16(), wanted.as_u16()))
}

fn kind(answer: &Answer) -> &str {
    let kind = answer.only(CONTENT_TYPE).unwrap_or("no Content-Type");
    kind.split(';').next().unwrap_or_default().trim()
}

/// The one message with this id, in whichever form it came.
fn message(answer: &Answer, id: u64) -> Result<Value, String> {
    let message = match kind(answer) {
        "application/json" => answer.json()?,
        "text/event-stream" => {
            let all = messages(&answer.body)?;
            let mut own = all.into_iter().filter(|message| message.get("method").is_none());
            let first = own.next().ok_or("a stream without the answer")?;
            right(own.next().is_none(), || "a stream with two answers".to_owned())?;
            first
        }
        other => return Err(format!("{other} instead of application/json or text/event-stream")),
    };
    let members = message.as_object().ok_or("not one message")?;
    right(message["jsonrpc"] == "2.0", || "no jsonrpc".to_owned())?;
    right(message["id"] == json!(id), || format!("id {} instead of {id}", message["id"]))?;
    let outcomes = members.keys().filter(|name| matches!(name.as_str(), "result" | "error")).count();
    right(outcomes == 1, || format!("{outcomes} of result and error"))?;
    right(members.len() == 3, || "members that JSON-RPC does not know".to_owned())?;
    Ok(message)
}

fn result(answer: &Answer, id: u64) -> Result<Value, String> {
    status(answer, StatusCode::OK)?;
    let message = message(answer, id)?;
    right(message["result"].is_object(), || format!("no result: {}", message["error"]))?;
    no_null(&message["result"], "_meta")?;
    Ok(message["result"].clone())
}

/// Code of a JSON-RPC error that every parser reads.
fn error(answer: &Answer) -> Result<i64, String> {
    let message = message(answer, ID)?;
    let error = &message["error"];
    right(error["message"].is_string(), || format!("error.message: {}", error["message"]))?;
    error["code"].as_i64().ok_or_else(|| format!("error.code: {}", error["code"]))
}

fn no_null(object: &Value, name: &str) -> Verdict {
    right(object.get(name).is_none_or(|value| !value.is_null()), || format!("{name}: null"))
}

/// A session has begun, in a version that is negotiated.
pub(in crate::demo) fn initialized(answer: &Answer) -> Verdict {
    hello(&result(answer, FIRST_ID)?)
}

/// The result of `initialize`, as the schema wants it.
pub(super) fn hello(result: &Value) -> Verdict {
    let version = result["protocolVersion"].as_str().unwrap_or("missing");
    right(NEGOTIATED.contains(&version), || format!("protocolVersion: {version}"))?;
    let capabilities = result["capabilities"].as_object().ok_or("no capabilities")?;
    for (name, value) in capabilities {
        right(value.is_object(), || format!("capabilities.{name}: {value}"))?;
    }
    for name in ["name", "version"] {
        right(result["serverInfo"][name].is_string(), || format!("no serverInfo.{name}"))?;
    }
    no_null(&result["serverInfo"], "title")?;
    no_null(result, "instructions")
}

/// The same, as the one JSON message that the client takes.
pub(in crate::demo) fn initialized_in_json(answer: &Answer) -> Verdict {
    initialized(answer)?;
    right(kind(answer) == "application/json", || format!("{} instead of application/json", kind(answer)))
}

/// What tells a client of MCP 2026-07-28 that this server is older: a JSON-RPC error with its id, in 400 or 200
/// (catalogue F-08).
pub(in crate::demo) fn older(answer: &Answer) -> Verdict {
    let well = matches!(answer.status, StatusCode::OK | StatusCode::BAD_REQUEST);
    right(well, || format!("{} for server/discover", answer.status.as_u16()))?;
    error(answer).map(drop)
}

/// 202 without a body.
pub(in crate::demo) fn accepted(answer: &Answer) -> Verdict {
    status(answer, StatusCode::ACCEPTED)?;
    right(answer.body.is_empty(), || "202 with a body".to_owned())
}

/// 404, from which a client begins anew.
pub(in crate::demo) fn session_lost(answer: &Answer) -> Verdict {
    status(answer, StatusCode::NOT_FOUND)?;
    let code = error(answer)?;
    right(code == NO_SESSION, || format!("error.code: {code}"))
}

/// A client could send the id of its session back, and got its answer.
pub(in crate::demo) fn session_kept(answer: &Answer) -> Verdict {
    right(is_legal_session(answer), || "a session id that cannot be sent back".to_owned())?;
    tools_listed(answer)
}

/// A list without a null where a client wants nothing or a value, and without a cursor that leads nowhere.
fn list(answer: &Answer, name: &str, optional: &[&str]) -> Result<Vec<Value>, String> {
    let result = result(answer, ID)?;
    let cursor = result.get("nextCursor");
    right(cursor.is_none_or(|cursor| cursor.as_str().is_some_and(|text| !text.is_empty())), || {
        format!("nextCursor: {}", result["nextCursor"])
    })?;
    let all = result[name].as_array().ok_or_else(|| format!("no {name}"))?;
    for one in all {
        right(one["name"].is_string(), || format!("a name: {}", one["name"]))?;
        for name in optional {
            no_null(one, name)?;
        }
    }
    Ok(all.clone())
}

/// Tools that every client takes.
pub(in crate::demo) fn tools_listed(answer: &Answer) -> Verdict {
    for tool in list(answer, "tools", &["title", "description", "annotations", "outputSchema"])? {
        let kind = &tool["inputSchema"]["type"];
        right(kind == "object", || format!("inputSchema of {}: {}", tool["name"], tool["inputSchema"]))?;
    }
    Ok(())
}

/// Resources that every client takes, or the honest word that there are none.
pub(in crate::demo) fn resources_listed(answer: &Answer) -> Verdict {
    if answer.status == StatusCode::OK && error(answer) == Ok(METHOD_NOT_FOUND) {
        return Ok(());
    }
    list(answer, "resources", &["title", "description", "mimeType", "size", "annotations"]).map(drop)
}

/// Prompts that every client takes.
pub(in crate::demo) fn prompts_listed(answer: &Answer) -> Verdict {
    for prompt in list(answer, "prompts", &["title", "description", "arguments"])? {
        for argument in prompt["arguments"].as_array().into_iter().flatten() {
            no_null(argument, "description")?;
        }
    }
    Ok(())
}

/// A sign of life.
pub(in crate::demo) fn alive(answer: &Answer) -> Verdict {
    let result = result(answer, ID)?;
    right(result == json!({}), || format!("result: {result}"))
}

/// What a tool says, as a list of contents.
pub(in crate::demo) fn said(answer: &Answer) -> Verdict {
    let result = result(answer, ID)?;
    let content = result["content"].as_array().ok_or_else(|| format!("content: {}", result["content"]))?;
    right(content.iter().all(|one| one["type"].is_string()), || format!("content: {}", result["content"]))
}

/// The same, and the stream of it has ended.
pub(in crate::demo) fn said_to_the_end(answer: &Answer) -> Verdict {
    said(answer)?;
    right(answer.ended, || "the stream stays open behind the answer".to_owned())
}

/// The same, by a stream that nobody holds back.
pub(in crate::demo) fn said_at_once(answer: &Answer) -> Verdict {
    said(answer)?;
    right(answer.lists(BUFFERING, "no"), || "no X-Accel-Buffering: no".to_owned())?;
    right(answer.lists(CACHE_CONTROL, "no-transform"), || "no Cache-Control: no-transform".to_owned())
}

/// An answer, be it an error: a client knows at once.
pub(in crate::demo) fn told(answer: &Answer) -> Verdict {
    status(answer, StatusCode::OK)?;
    message(answer, ID).map(drop)
}

/// What a tool says, or the status of a failure with a message that a client can show.
pub(in crate::demo) fn told_in_json(answer: &Answer) -> Verdict {
    if answer.status.is_success() {
        return said(answer);
    }
    error(answer).map(drop)
}

/// A JSON-RPC error of a request that was read: with status 200.
pub(in crate::demo) fn not_known(answer: &Answer) -> Verdict {
    status(answer, StatusCode::OK)?;
    let code = error(answer)?;
    right(code == INVALID_PARAMS, || format!("error.code: {code}"))
}

/// A stream on which a client hears something in time, or the honest word that there is none.
pub(in crate::demo) fn listening(answer: &Answer) -> Verdict {
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        return right(answer.headers.contains_key(ALLOW), || "405 without Allow".to_owned());
    }
    status(answer, StatusCode::OK)?;
    right(kind(answer) == "text/event-stream", || format!("{} instead of text/event-stream", kind(answer)))?;
    right(!answer.body.is_empty(), || "the stream is silent".to_owned())
}

/// A session that has ended, or the honest word that it cannot.
pub(in crate::demo) fn session_ended(answer: &Answer) -> Verdict {
    let well = answer.status.is_success() || answer.status == StatusCode::METHOD_NOT_ALLOWED;
    right(well, || format!("{} for DELETE", answer.status.as_u16()))
}

/// Somebody is there.
pub(in crate::demo) fn there(answer: &Answer) -> Verdict {
    let well = matches!(answer.status, StatusCode::OK | StatusCode::METHOD_NOT_ALLOWED);
    right(well, || format!("{} for HEAD", answer.status.as_u16()))
}

/// A page that may not call.
pub(in crate::demo) fn turned_away(answer: &Answer) -> Verdict {
    status(answer, StatusCode::FORBIDDEN)
}
