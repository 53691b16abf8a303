//! F-24: what an error is made of.

use serde_json::{Value, json};

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::{self, Envelope};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.error",
    rows: &["F-24"],
    summary: "the error of an answer is no object with a number and a text",
    why: "A code that is a text, or an error that is only a text, makes the answer unreadable: the client \
          reports that instead of what went wrong.",
    hits: "TypeScript SDK clients, rmcp (a code that is a text)",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Makes the code an integer and the message a text; what was said stays.",
    advice: "Send `{\"code\": -32603, \"message\": \"...\"}`.",
    basis: &[basis::JSONRPC_ANSWER],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Response], &[Feature::HasError]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "a code in quotes",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"-32602\",\"message\":\"x\"}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"x\"}}"),
        },
        Example {
            note: "a float",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602.0,\"message\":\"x\",\"data\":null}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"x\"}}"),
        },
        Example {
            note: "a word",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"NOT_FOUND\"}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"NOT_FOUND\"}}"),
        },
        Example {
            note: "a text alone",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no such tool\"}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"no such tool\"}}",
            ),
        },
        Example {
            note: "beside a result",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]},\"error\":false}",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"x\",\"data\":{\"a\":null}}}",
            then: Then::Sound,
        },
    ],
};

fn when(_: &Request, message: &Envelope) -> bool {
    // Beside a result nobody can tell which of the two counts.
    message.is_response()
        && message.result.as_deref().is_none_or(|result| result == b"null")
        && message.error.as_deref().is_some_and(|error| error != b"null")
        && !super::is_foreign(message)
}

fn run(_: &Site<'_>, _: &Request, message: &Object) -> Outcome {
    let Some(mut error) = message.child("error") else { return from_text(message) };
    let code = error.get("code");
    let is_integer = code.as_ref().is_some_and(|code| code.is_i64() || code.is_u64());
    if !is_integer {
        let number = code.as_ref().and_then(number).unwrap_or(jsonrpc::INTERNAL_ERROR);
        error.set("code", number.into());
    }
    if error.text("message").is_none() {
        // What a program calls the error is better than nothing.
        let name = code.and_then(|code| code.as_str().map(str::to_owned)).filter(|name| name.parse::<f64>().is_err());
        let said = error.get("message").filter(|said| !said.is_null()).map(|said| said.to_string());
        error.set("message", said.or(name).unwrap_or_else(|| "Internal error".to_owned()).into());
    }
    if error.is_null("data") {
        error.remove("data");
    }
    if !error.is_changed() {
        return Outcome::Sound;
    }
    Outcome::mended("an error that is no number and text", super::with(message, "error", error.to_bytes()))
}

/// An error that is only a text, or a list of whatever.
fn from_text(message: &Object) -> Outcome {
    let Some(said) = message.get("error").filter(|said| !said.is_null()) else { return Outcome::Sound };
    let text = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    let mut message = message.clone();
    message.set("error", json!({ "code": jsonrpc::INTERNAL_ERROR, "message": text }));
    Outcome::mended("an error that is only a text", Edits::to_document(message))
}

/// The integer that a code stands for.
fn number(code: &Value) -> Option<i64> {
    let text = code.as_str().map_or_else(|| code.to_string(), str::to_owned);
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    whole.parse().ok()
}
