//! F-40: a server that has only the older of the two transports.

use http::StatusCode;

use crate::client::who;
use crate::endpoint::{Class, LEGACY_SSE};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::jsonrpc::PROBE;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.older-alone",
    rows: &["F-40"],
    summary: "the server takes no messages here, and has the HTTP+SSE transport elsewhere",
    why: "Servers of MCP 2024-11-05 open a stream at `/sse` and take messages at another address. Newer clients \
          post to one address and know no other.",
    hits: "every client that speaks Streamable HTTP alone",
    stops: who::TS1.and(who::TS2).and(who::PYTHON).and(who::RUST).and(who::GO).and(who::AI_SDK),
    remedy: "Opens a stream there for the message, begins a session if the message does not, and hands the \
             answer on. Each message has a session of its own, so that nothing is kept and any replica can do \
             it; what the server remembers from one message to the next is lost.",
    advice: "Serve Streamable HTTP (MCP 2025-03-26), or give clients the address of the stream.",
    basis: &[basis::FALLBACK, basis::ENDPOINT_EVENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::NotFound, Feature::MethodNotAllowed]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "nothing is here",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "404",
            then: Then::Asks("POST /mcp\nX-Bridge: /sse\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"),
        },
        Example {
            note: "no POST is taken",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "405",
            then: Then::Asks(
                "POST /mcp\nX-Bridge: /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            ),
        },
        Example {
            note: "a lost session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "a client of the newest version",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "taken",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
        && request.asks()
        && request.session().is_none()
        && !request.is_modern()
        && !request.calls(PROBE)
        && !reply.is_error_inside()
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let below = format!("{}{LEGACY_SSE}", site.facts.mcp_path.trim_end_matches('/'));
    let mut places = vec![LEGACY_SSE.to_owned(), below];
    // Where a POST is not allowed a GET may be.
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        places.insert(0, request.path().to_owned());
    }
    places.dedup();
    let asks = places.into_iter().map(|place| Ask { bridge: Some(place), ..Ask::default() });
    let what = "the server has only the older transport";
    // That is right by the version that it speaks.
    Ask::one_of(asks).map_or(Outcome::Sound, |ask| Outcome::again(what, ask).within_the_rules())
}
