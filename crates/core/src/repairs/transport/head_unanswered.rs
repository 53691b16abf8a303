//! F-36: a HEAD of the endpoint, by which some clients look whether it is there.

use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.head-unanswered",
    rows: &["F-36"],
    summary: "a HEAD of the endpoint is answered as if nothing were there",
    why: "Hosted clients look with HEAD whether there is a server. 404 and 500 say that there is none.",
    hits: "claude.ai when a connector is saved",
    stops: who::CLAUDE,
    remedy: "Answers 405. Where a login is needed and no token came, auth.head-unanswered answers 401.",
    advice: "Answer HEAD as you answer GET, without the body.",
    basis: &[basis::HEAD_METHOD],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Head], &[Feature::NotFound, Feature::BadRequest, Feature::InternalServerError]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "not found",
            site: SiteKind::Open,
            request: "HEAD /mcp",
            reply: "404",
            then: Then::Becomes("405\nAllow: POST, GET, DELETE\n\n(empty)"),
        },
        Example {
            note: "a login is needed",
            site: SiteKind::HalfOpen,
            request: "HEAD /mcp\nX-Api-Key: k",
            reply: "500",
            then: Then::Becomes("405\nAllow: POST, GET, DELETE\n\n(empty)"),
        },
        Example { note: "there", site: SiteKind::Open, request: "HEAD /mcp", reply: "200", then: Then::Sound },
        Example {
            note: "not allowed",
            site: SiteKind::Open,
            request: "HEAD /mcp",
            reply: "405\nAllow: POST",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.method == Method::HEAD
        && !reply.cut_off
        && matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR)
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    // A request without a session may be refused so, whatever its method (MCP 2025-11-25, Session Management).
    let is_told = reply.status == StatusCode::BAD_REQUEST;
    let mut edits = Edits::new();
    edits.say(StatusCode::METHOD_NOT_ALLOWED, None);
    edits.set(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    Outcome::mended("a HEAD is answered as if nothing were there", edits).blameless_if(is_told)
}
