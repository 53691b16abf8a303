//! F-33: a success without a body to a message that wants an answer.

use http::StatusCode;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Opening, Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.empty",
    rows: &["F-33"],
    summary: "a message that wants an answer gets a success without a body",
    why: "The client waits for the answer until its time is over, or fails to read it.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Answers with the JSON-RPC error -32603, so that the client knows at once.",
    advice: "Answer every message that has an `id`.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::NoContent, Feature::OpensNothing, Feature::LengthZero]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "200",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n(empty)",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"The server gave no answer\"}}",
            ),
        },
        Example {
            note: "204",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "204",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"The server gave no answer\"}}",
            ),
        },
        Example {
            note: "an answer",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Sound,
        },
        Example {
            note: "accepted: the answer comes elsewhere",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "202\n\n(empty)",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let is_empty = match reply.status {
        StatusCode::NO_CONTENT => true,
        StatusCode::OK | StatusCode::CREATED => {
            reply.opening == Opening::Nothing
                || (reply.opening == Opening::Unseen && reply.declared_length() == Some(0))
        }
        _ => false,
    };
    is_empty && request.asks()
}

fn run(_: &Site<'_>, request: &Request, _: &Reply) -> Outcome {
    let message = jsonrpc::error(request.message.as_ref(), jsonrpc::INTERNAL_ERROR, "The server gave no answer");
    let mut edits = Edits::new();
    edits.say(StatusCode::OK, Some(message));
    Outcome::mended("a success without an answer", edits)
}
