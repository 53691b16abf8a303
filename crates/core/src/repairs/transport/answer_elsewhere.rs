//! F-13: a message that is taken, and whose answer comes on the stream that a GET opens.

use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.answer-elsewhere",
    rows: &["F-13"],
    summary: "a message that wants an answer is answered 202",
    why: "202 is the answer to a notification: some clients wait for ever, others fail. Servers that do so send \
          the answer on the stream that a GET opens, as the older transport did.",
    hits: "clients that have not opened that stream themselves: the SDKs have, where there are sessions",
    stops: who::NOBODY,
    remedy: "Opens the stream of the same session with a GET, waits there for the answer and hands it on. \
             Nothing is kept: any replica can do it. If there is no such stream, or the client has it already, \
             the 202 stays.",
    advice: "Answer a message that has an `id` where it was posted.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::Accepted]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "taken",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "202",
            then: Then::Asks("GET /mcp\nAccept: text/event-stream\nMcp-Session-Id: s"),
        },
        Example {
            note: "a stream that was opened for it",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Sound,
        },
        Example {
            note: "a notification",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "202",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks() && !request.is_modern() && reply.status == StatusCode::ACCEPTED && !reply.is_of("text/event-stream")
}

fn run(_: &Site<'_>, _: &Request, _: &Reply) -> Outcome {
    let fields = vec![(ACCEPT, Some(HeaderValue::from_static("text/event-stream")))];
    Outcome::again("a message that wants an answer is only accepted", Ask { listens: true, fields, ..Ask::default() })
}
