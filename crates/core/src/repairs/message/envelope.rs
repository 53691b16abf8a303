//! F-24: what JSON-RPC says a message is made of.

use serde_json::json;

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
    id: "message.envelope",
    rows: &["F-24"],
    summary: "a message lacks what JSON-RPC demands, or has more than it knows",
    why: "Clients validate messages strictly and each at another place: a null beside the result, a foreign \
          member or a missing `jsonrpc` loses the whole answer, and a real error is masked by the failure to \
          read it.",
    hits: "TypeScript SDK clients (all of it), Python SDK, rmcp (its transport ends)",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Writes `jsonrpc`, takes a null `error` or `result` beside the other one out, of an answer the members \
             that JSON-RPC does not know, and of a question or notification what is null and may be left out.",
    advice: "Send `jsonrpc`, `id` and exactly one of `result` and `error`; leave out what is null.",
    basis: &[basis::JSONRPC_ANSWER],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Unsound]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "a null beside the result",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]},\"error\":null}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}"),
        },
        Example {
            note: "a null beside the error",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null,\"error\":{\"code\":1,\"message\":\"x\"}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}"),
        },
        Example {
            note: "no version, and a member too many",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"id\":1,\"result\":{\"tools\":[ ]},\"took\":1.50}",
            then: Then::Becomes("{\"id\":1,\"result\":{\"tools\":[ ]},\"jsonrpc\":\"2.0\"}"),
        },
        Example {
            note: "a result with nothing in it",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "a notification",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "{\"method\":\"notifications/message\",\"params\":{\"level\":null}}",
            then: Then::Becomes(
                "{\"method\":\"notifications/message\",\"params\":{\"level\":null},\"jsonrpc\":\"2.0\"}",
            ),
        },
        Example {
            note: "a notification with nulls",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"notifications/tools/list_changed\",\"params\":null,\"error\":null}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}"),
        },
        Example {
            note: "a question of the server",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"sampling/createMessage\",\"params\":{\"a\":null},\"x\":1}",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":null}}",
            then: Then::Sound,
        },
        Example {
            note: "no message at all",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"error\":\"unauthorized\"}",
            then: Then::Sound,
        },
    ],
};

/// What an answer is made of.
const KNOWN: [&str; 4] = ["jsonrpc", "id", "result", "error"];
/// Requests whose result is an object without members.
const NOTHING_TO_SAY: [&str; 4] = ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

fn when(_: &Request, message: &Envelope) -> bool {
    !message.is_surely_sound() && message.is_message() && !super::is_foreign(message)
}

fn run(_: &Site<'_>, request: &Request, message: &Object) -> Outcome {
    let mut message = message.clone();
    let has_error = is_something(&message, "error");
    if message.is_null("result") && !has_error && NOTHING_TO_SAY.iter().any(|method| request.calls(method)) {
        message.set("result", json!({}));
    }
    let has_result = is_something(&message, "result");
    if has_result && message.is_null("error") {
        message.remove("error");
    }
    if has_error && message.is_null("result") {
        message.remove("result");
    }
    // To what was asked, what has a result is an answer, whatever else it says.
    if (has_result || has_error) && (request.asks() || !message.has("method")) {
        let names = message.names();
        names.iter().filter(|name| !KNOWN.contains(&name.as_str())).for_each(|name| message.remove(name));
    } else if message.has("method") {
        let may_go = |name: &&&str| **name != "id" || is_notification(&message);
        let nulls = ["id", "params", "result", "error"].iter().filter(may_go).filter(|name| message.is_null(name));
        nulls.copied().collect::<Vec<_>>().into_iter().for_each(|name| message.remove(name));
    }
    if message.text("jsonrpc").as_deref() != Some("2.0") {
        message.set("jsonrpc", "2.0".into());
    }
    if !message.is_changed() {
        return Outcome::Sound;
    }
    Outcome::mended("a message that JSON-RPC does not know", Edits::to_document(message))
}

/// Whether it is a notification by its name: one with an id would be none (JSON-RPC 2.0, section 4.1).
fn is_notification(message: &Object) -> bool {
    message.text("method").is_some_and(|method| method.starts_with("notifications/"))
}

fn is_something(message: &Object, name: &str) -> bool {
    message.has(name) && !message.is_null(name)
}
