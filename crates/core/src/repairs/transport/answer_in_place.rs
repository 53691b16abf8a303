//! G-03: an answer where it was posted, over the older transport.

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Form, Opening, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.answer-in-place",
    rows: &["G-03"],
    summary: "the answer to a message of the HTTP+SSE transport comes where it was posted",
    why: "Over that transport answers come on the stream, and nobody reads what a POST is answered with.",
    hits: "every client that speaks HTTP+SSE: the message is never answered",
    stops: who::OLDER_TRANSPORT,
    remedy: "Sends the message on the stream of its session and answers 202, if that stream runs through this \
             process, was opened with the same credentials (without any, from the same address), and no other has the \
             name of its session; else the answer stays as it is. Several replicas need an affinity by the session for \
             this one.",
    advice: "Answer 202 and send the message on the stream.",
    basis: &[basis::ENDPOINT_EVENT],
    default: Mode::Fix,
    on: &[Class::LegacyPost],
    gate: &[&[Feature::Asks], SUCCESS],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "an answer",
            site: SiteKind::Open,
            request: "POST /messages?sessionId=a\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\nX-Form: posted\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            ),
        },
        Example {
            note: "accepted",
            site: SiteKind::Open,
            request: "POST /messages?sessionId=a\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "202",
            then: Then::Sound,
        },
        Example {
            note: "a notification",
            site: SiteKind::Open,
            request: "POST /messages?sessionId=a\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks()
        && reply.status.is_success()
        && reply.form == Form::AsItCame
        && matches!(reply.opening, Opening::Object | Opening::Events)
}

fn run(_: &Site<'_>, _: &Request, _: &Reply) -> Outcome {
    let mut edits = Edits::new();
    edits.form(Form::Posted);
    Outcome::mended("an answer where it was posted, and not on the stream", edits)
}
