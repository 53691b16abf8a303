//! F-02: a message whose `Accept` names only one of the two forms of an answer.

use http::Method;
use http::header::{ACCEPT, HeaderMap};

use crate::client::who;
use crate::edit::list;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{BOTH_FORMS, Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.accept-narrow",
    rows: &["F-02"],
    summary: "a client does not accept both forms of an answer",
    why: "Servers built with the SDKs answer 406 unless `Accept` names application/json and text/event-stream, \
          by name.",
    hits: "claude.ai (sends one of them), ElevenLabs, curl and validators",
    stops: who::CLAUDE,
    remedy: "Names both towards the upstream. The answer is turned into the form that the client accepts \
             (transport.form-unaccepted).",
    advice: "Answer in the form that the client accepts instead of 406.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Message]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "JSON alone",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nAccept: application/json, text/event-stream\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "anything",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: */*\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nAccept: application/json, text/event-stream\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "nothing said",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nAccept: application/json, text/event-stream\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "both, in any order",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: text/event-stream;q=0.9, application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "no message",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.method == Method::POST && request.message.is_some() && !names_both(&request.headers)
}

fn names_both(headers: &HeaderMap) -> bool {
    let names = |wanted: &str| {
        list::members(headers, ACCEPT)
            .any(|member| member.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted)))
    };
    headers.get(ACCEPT).is_some_and(|accept| accept == BOTH_FORMS)
        || (names("application/json") && names("text/event-stream"))
}

fn run(_: &Site<'_>, _: &Request) -> Outcome {
    let mut edits = Edits::new();
    edits.set(ACCEPT, BOTH_FORMS);
    // Clients must name both: the server may refuse.
    Outcome::mended("Accept does not name both forms of an answer", edits).within_the_rules()
}
