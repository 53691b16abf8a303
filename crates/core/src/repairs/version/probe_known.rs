//! F-08: the probe of a newer version at a server that was just seen not to know it.

use http::StatusCode;
use http::header::HeaderMap;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.probe-known",
    rows: &["F-08"],
    summary: "`server/discover` at a server that lately did not know it",
    why: "Each client begins with the probe, and some servers leave it unanswered: every connection would begin \
          with seconds of silence.",
    hits: "Claude Code and every TypeScript SDK 2 host",
    stops: who::CLAUDE_CODE.and(who::GO),
    remedy: "Answers 400 with -32601 at once, as long as limits.learned_seconds, if the message carries a token \
             or none is needed. Another replica asks once itself.",
    advice: "Answer an unknown method with a JSON-RPC error -32601 that carries the id.",
    basis: &[basis::FALLBACK],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Probe]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "seen before",
            site: SiteKind::Open,
            request: "POST /mcp\nX-Legacy: yes\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "",
            then: Then::Answers(
                "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "a token is missing",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nX-Legacy: yes\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "not seen",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.is_legacy
        && request.calls(crate::jsonrpc::PROBE)
        && request.asks()
        && (request.authorized || !request.requires_auth)
}

fn run(_: &Site<'_>, request: &Request) -> Outcome {
    let mut reply = Reply::new(StatusCode::BAD_REQUEST, HeaderMap::new());
    reply.say(StatusCode::BAD_REQUEST, Some(super::unknown(request)));
    Outcome::answer("server/discover at a server that does not know it", reply)
}
