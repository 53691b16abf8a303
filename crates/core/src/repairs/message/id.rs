//! F-24: the id of an answer.

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.id",
    rows: &["F-24"],
    summary: "an answer does not carry the id of its request as the request wrote it",
    why: "A client finds the request of an answer by its id. With null, or none, it waits until its time is \
          over; some take `1.0` or `\"1\"` for another id than 1.",
    hits: "Python SDK (null: a timeout; a float), rmcp (null: a hang), TypeScript SDK (null)",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Writes the id of the request into the one answer to it, if that has none or the same in another \
             spelling.",
    advice: "Return the `id` as it came, also with an error.",
    basis: &[basis::JSONRPC_ANSWER],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::Response]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "null",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,\"message\":\"x\"}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"x\"}}"),
        },
        Example {
            note: "none",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"result\":{}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}"),
        },
        Example {
            note: "a float",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"result\":{}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "a text",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}",
            then: Then::Becomes("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Sound,
        },
        Example {
            note: "another request's",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}",
            then: Then::Sound,
        },
        Example {
            note: "a question of the server",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"roots/list\"}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, message: &Envelope) -> bool {
    let Some(asked) = request.message.as_ref().filter(|_| request.asks()) else { return false };
    // What is no JSON-RPC message is nobody's answer.
    message.is_response()
        && message.id != asked.id
        && (!message.has_id() || message.answers(asked))
        && !super::is_foreign(message)
}

fn run(_: &Site<'_>, request: &Request, message: &Object) -> Outcome {
    let Some(id) = request.message.as_ref().and_then(|asked| asked.id.clone()) else { return Outcome::Sound };
    Outcome::mended("an answer without the id of its request", super::with(message, "id", id))
}
