//! F-11: a notification that is answered with something.

use http::{Method, StatusCode};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.notification-answered",
    rows: &["F-11", "F-12"],
    summary: "a notification is answered with a success that is not an empty 202",
    why: "The TypeScript SDK opens its event stream only after a 202, Codex and rmcp take a body for the answer \
          to something and close.",
    hits: "TypeScript SDK clients (no notifications), Codex (\"Transport channel closed\")",
    stops: who::CODEX,
    remedy: "Answers 202 without a body.",
    advice: "Answer 202 with no body to every message without an `id`, and to answers.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Unanswered], SUCCESS],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "with a body",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "200\nContent-Type: application/json\nContent-Length: 40\nMcp-Session-Id: s",
            then: Then::Becomes("202\nMcp-Session-Id: s\n\n(empty)"),
        },
        Example {
            note: "no content",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "204",
            then: Then::Becomes("202\n\n(empty)"),
        },
        Example {
            note: "an answer of the client",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Becomes("202\n\n(empty)"),
        },
        Example {
            note: "accepted, with a body",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "202\nContent-Length: 8",
            then: Then::Becomes("202\n\n(empty)"),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "202\nContent-Length: 0",
            then: Then::Sound,
        },
        Example {
            note: "a request",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let is_right = reply.status == StatusCode::ACCEPTED && reply.declared_length().is_none_or(|length| length == 0);
    request.method == Method::POST
        && request.message.as_ref().is_some_and(Envelope::is_unanswered)
        && reply.status.is_success()
        && !is_right
}

fn run(_: &Site<'_>, _: &Request, _: &Reply) -> Outcome {
    let mut edits = Edits::new();
    edits.say(StatusCode::ACCEPTED, None);
    Outcome::mended("an answer to a notification", edits)
}
