//! F-34: a server that does not know the origins that the operator allows.

use http::Method;
use http::header::ORIGIN;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.origin-passed",
    rows: &["F-34"],
    summary: "the upstream gets to judge an origin that this proxy has judged",
    why: "Servers that check `Origin` against a list of their own refuse the pages that the operator lets in, \
          or time out on them.",
    hits: "MCP Inspector in a browser, web clients",
    stops: who::BROWSERS,
    remedy: "Takes `Origin` out towards the upstream once it is on the list of this proxy; a message without \
             one is fine for every server. Others go on as they came.",
    advice: "Make the list of allowed origins a setting.",
    basis: &[basis::ORIGIN_CHECK],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Origin]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "an allowed page",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://claude.ai\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "a page of the site itself",
            site: SiteKind::Open,
            request: "GET /sse\nOrigin: https://mcp.example.com",
            reply: "",
            then: Then::Becomes("GET /sse"),
        },
        Example {
            note: "a foreign page",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a preflight is about the origin",
            site: SiteKind::Open,
            request: "OPTIONS /mcp\nOrigin: https://claude.ai\nAccess-Control-Request-Method: POST",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.origin.is_some() && request.method != Method::OPTIONS && request.headers.contains_key(ORIGIN)
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    if !super::is_admitted(site, request) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.remove(ORIGIN);
    // A server may have a list of its own.
    Outcome::mended("an origin that this proxy has judged", edits).within_the_rules()
}
