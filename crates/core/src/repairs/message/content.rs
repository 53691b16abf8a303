//! F-30: what a tool has said, outside of `content`.

use serde_json::{Value, json};

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.content",
    rows: &["F-30"],
    summary: "the result of a tool has no `content`, or something else than a list of blocks",
    why: "Clients want a list of blocks. A server that returns what its function returned loses the result.",
    hits: "TypeScript SDK clients, Python SDK",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Puts a text into a block of text, one block into a list, and a result of another form into a block \
             as its JSON text. What stands in `content` and `structuredContent` stays as it is.",
    advice: "Return `{\"content\":[{\"type\":\"text\",\"text\":\"...\"}]}`.",
    basis: &[basis::SCHEMA],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Response]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "a text",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":\"hi\"}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}",
            ),
        },
        Example {
            note: "null",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":null}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}"),
        },
        Example {
            note: "one block",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":{\"type\":\"text\",\"text\":\"hi\"}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}",
            ),
        },
        Example {
            note: "structured alone",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"structuredContent\":{\"a\":1.50}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"structuredContent\":{\"a\":1.50},\"content\":[{\"type\":\"text\",\"text\":\"{\\\"a\\\":1.50}\"}]}}",
            ),
        },
        Example {
            note: "whatever the function returned",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"temperature\":7}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"temperature\\\":7}\"}]}}",
            ),
        },
        Example {
            note: "an error in its own form",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"isError\":true,\"reason\":\"full\"}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"isError\\\":true,\\\"reason\\\":\\\"full\\\"}\"}],\"isError\":true}}",
            ),
        },
        Example {
            note: "an object that is no block",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":{\"a\":1}}}",
            then: Then::Sound,
        },
        Example {
            note: "a text as the result",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"hi\"}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}",
            ),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}",
            then: Then::Sound,
        },
        Example {
            note: "a question of the newest version",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{}}}",
            then: Then::Sound,
        },
        Example {
            note: "a task",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"task\":{\"taskId\":\"a\"}}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, message: &Envelope) -> bool {
    // As nearly every server writes it: then there is nothing to look for.
    let is_plain = |result: &[u8]| result.starts_with(b"{\"content\":[") || result.starts_with(b"{\"content\": [");
    request.calls("tools/call")
        && message.is_response()
        && message.result.as_deref().is_some_and(|result| result != b"null" && !is_plain(result))
}

fn run(_: &Site<'_>, _: &Request, message: &Object) -> Outcome {
    let Some(mut result) = message.child("result") else {
        let Some(said) = message.get("result").filter(|said| !said.is_null()) else { return Outcome::Sound };
        let mut message = message.clone();
        message.set("result", json!({ "content": block(said) }));
        return Outcome::mended("a tool's result that is no object", Edits::to_document(message));
    };
    let is_other = result.text("resultType").is_some_and(|kind| kind != "complete") || result.has("task");
    if is_other || result.raw("content").is_some_and(|content| content.first() == Some(&b'[')) {
        return Outcome::Sound;
    }
    match result.raw("content") {
        Some(block) if block.first() == Some(&b'{') => {
            if result.child("content").is_none_or(|block| block.text("type").is_none()) {
                return Outcome::Sound;
            }
            result.splice("content", [&b"["[..], &block, b"]"].concat().into());
        }
        Some(text) if &text[..] != b"null" => {
            let Some(said) = result.get("content") else { return Outcome::Sound };
            result.set("content", block(said));
        }
        _ => without_content(message, &mut result),
    }
    Outcome::mended("a tool's result without a list of blocks", super::with(message, "result", result.to_bytes()))
}

/// A result that says it elsewhere, or not at all.
fn without_content(message: &Object, result: &mut Object) {
    if let Some(text) = result.raw("structuredContent").filter(|text| &text[..] != b"null") {
        result.set("content", block(String::from_utf8_lossy(&text).into_owned().into()));
    } else if result.names().iter().all(|name| OF_A_RESULT.contains(&name.as_str())) {
        result.set("content", json!([]));
    } else {
        let text = message.raw("result").unwrap_or_default();
        let mut told = Object::new([("content", block(String::from_utf8_lossy(&text).into_owned().into()))]);
        // An error stays one.
        for name in OF_A_RESULT.iter().filter(|name| **name != "content" && !result.is_null(name)) {
            if let Some(text) = result.raw(name) {
                told.splice(name, text);
            }
        }
        *result = told;
    }
}

/// What a result may have beside what the tool has said.
const OF_A_RESULT: [&str; 5] = ["content", "isError", "_meta", "resultType", "structuredContent"];

fn block(said: Value) -> Value {
    let text = match said {
        Value::String(text) => text,
        said => said.to_string(),
    };
    json!([{ "type": "text", "text": text }])
}
