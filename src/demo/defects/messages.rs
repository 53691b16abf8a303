//! What is wrong inside answers to messages, and inside the events that carry them (catalogue 4F).

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::transport::as_events;
use super::{Defect, remove};
use crate::demo::broken::change::{Asked, Change, Seam};
use crate::demo::broken::reply;
use crate::demo::mended::messages as mended;
use crate::demo::visit::messages as visit;

/// A defect in the document that answers a method.
macro_rules! documents {
    ($($name:literal, $row:literal, $summary:literal, $visit:ident, $check:ident, $method:literal, $change:expr;)*) => {
        pub(super) static DOCUMENTS: &[Defect] = &[$(Defect {
            name: $name,
            row: $row,
            summary: $summary,
            ask: visit::$visit,
            check: mended::$check,
            change: &[Change::Document(Seam::Opened, |asked, answer| {
                let change: fn(&mut Value) = $change;
                if is(asked, $method) { change(answer) }
            })],
        }),*];
    };
}

/// A defect in how the list of tools is written on the wire.
macro_rules! forms {
    ($($name:literal, $row:literal, $summary:literal, $change:expr;)*) => {
        pub(super) static FORMS: &[Defect] = &[$(Defect {
            name: $name,
            row: $row,
            summary: $summary,
            ask: visit::LIST,
            check: mended::listed,
            change: &[Change::After(Seam::Opened, $change)],
        }),*];
    };
}

documents! {
    "initialize-bare", "F-07", "initialize is answered without capabilities and serverInfo", BEGIN, begun, "initialize", |answer| {
        remove(&mut answer["result"], "capabilities");
        remove(&mut answer["result"], "serverInfo");
    };
    "capabilities-flags", "F-07", "capabilities are true or null", BEGIN, begun, "initialize", |answer| {
        answer["result"]["capabilities"] = json!({"tools": true, "prompts": null});
    };
    "initialize-nulls", "F-27", "optional members of the answer to initialize are null", BEGIN, begun, "initialize", |answer| {
        answer["result"]["instructions"] = Value::Null;
        answer["result"]["serverInfo"]["title"] = Value::Null;
    };
    "error-null", "F-24", "an error that is null beside the result", LIST, listed, "tools/list", |answer| answer["error"] = Value::Null;
    "member-foreign", "F-24", "a member that JSON-RPC does not know", LIST, listed, "tools/list", |answer| answer["took"] = json!(1.5);
    "jsonrpc-missing", "F-24", "no jsonrpc", LIST, listed, "tools/list", |answer| remove(answer, "jsonrpc");
    "id-null", "F-24", "an error with the id null", WRONG_CALL, unknown_tool, "tools/call", |answer| answer["id"] = Value::Null;
    "id-text", "F-24", "an id in quotes", LIST, listed, "tools/list", |answer| answer["id"] = "2".into();
    "code-text", "F-24", "the code of an error in quotes", WRONG_CALL, unknown_tool, "tools/call", |answer| answer["error"]["code"] = "-32602".into();
    "tool-nulls", "F-27", "optional members of a tool are null", LIST, listed, "tools/list", |answer| {
        answer["result"]["tools"][0]["title"] = Value::Null;
        answer["result"]["tools"][1]["annotations"] = json!({"title": null});
    };
    "cursor-null", "F-27", "the cursor behind the last page is null", LIST, listed, "tools/list", |answer| answer["result"]["nextCursor"] = Value::Null;
    "cursor-empty", "F-27", "the cursor behind the last page is empty", LIST, listed, "tools/list", |answer| answer["result"]["nextCursor"] = "".into();
    "schema-missing", "F-28", "a tool without inputSchema", LIST, listed, "tools/list", |answer| remove(&mut answer["result"]["tools"][0], "inputSchema");
    "schema-untyped", "F-28", "an inputSchema without a type", LIST, listed, "tools/list", |answer| answer["result"]["tools"][0]["inputSchema"] = json!({});
    "content-text", "F-30", "what a tool says is a text and not a list of blocks", CALL, called, "tools/call", |answer| answer["result"]["content"] = "5".into();
    "content-missing", "F-30", "what a tool says is not in content", CALL, called, "tools/call", |answer| answer["result"] = json!({"sum": 5});
    "answer-in-a-list", "F-25", "the answer is a list of one message", LIST, listed, "tools/list", |answer| *answer = json!([answer.take()]);
}

forms! {
    "type-plain", "F-19", "the answer is called text/plain", |asked, reply| {
        if is(asked, "tools/list") { reply::with(reply, CONTENT_TYPE, "text/plain; charset=utf-8") } else { reply }
    };
    "type-missing", "F-19", "the answer has no media type", |asked, reply| {
        if is(asked, "tools/list") { reply::without(reply, CONTENT_TYPE) } else { reply }
    };
    "type-json-rpc", "F-19", "the answer is called application/json-rpc", |asked, reply| {
        if is(asked, "tools/list") { reply::with(reply, CONTENT_TYPE, "application/json-rpc") } else { reply }
    };
    "json-as-events", "F-19", "JSON that is called an event stream", |asked, reply| {
        if is(asked, "tools/list") { reply::with(reply, CONTENT_TYPE, "text/event-stream") } else { reply }
    };
    "events-as-json", "F-19", "events that are called JSON", |asked, reply| {
        let reply = as_events(asked, reply, "event: message\ndata: ", "\n\n");
        if is(asked, "tools/list") { reply::with(reply, CONTENT_TYPE, "application/json") } else { reply }
    };
    "event-unended", "F-20", "the last event has no blank line", |asked, reply| as_events(asked, reply, "data: ", "\n");
    "line-unended", "F-20", "the last event has no line end", |asked, reply| as_events(asked, reply, "data: ", "");
    "event-named", "F-21", "the event is called response", |asked, reply| as_events(asked, reply, "event: response\ndata: ", "\n\n");
    "event-bare-cr", "F-21", "lines end in CR alone", |asked, reply| as_events(asked, reply, "event: message\rdata: ", "\r\r");
    "event-junk", "F-21", "an event that is no message comes first", |asked, reply| {
        as_events(asked, reply, "data: connected\n\ndata: ", "\n\n")
    };
    "event-done", "F-21", "[DONE] comes behind the answer", |asked, reply| {
        as_events(asked, reply, "data: ", "\n\ndata: [DONE]\n\n")
    };
    "event-list", "F-25", "an event carries a list of messages", |asked, reply| as_events(asked, reply, "data: [", "]\n\n");
    "events-as-page", "F-19", "events that are called a page", |asked, reply| {
        let reply = as_events(asked, reply, "data: ", "\n\n");
        if is(asked, "tools/list") { reply::status(reply::with(reply, CONTENT_TYPE, "text/html"), StatusCode::OK) } else { reply }
    };
}

fn is(asked: &Asked<'_>, method: &str) -> bool {
    asked.head.method == Method::POST && asked.json()["method"] == method
}
