//! F-04: a header that names a version without sessions, in a session.

use http::HeaderValue;

use super::newest;
use crate::client::who;
use crate::endpoint::{Class, FIRST_STATELESS, VERSION};
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.header-too-new",
    rows: &["F-04"],
    summary: "a message of a session names a version that has no sessions",
    why: "A client that was answered with its own version, or mixes two, sends `MCP-Protocol-Version: \
          2026-07-28` in a session. A server of that session refuses it.",
    hits: "rmcp, claude.ai",
    stops: who::RUST.and(who::CLAUDE),
    remedy: "Sends 2025-11-25, the newest version that has sessions.",
    advice: "Answer `initialize` with a version that you know.",
    basis: &[basis::VERSION_HEADER],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::SessionSent, Feature::Message]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "in a session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nMcp-Protocol-Version: 2025-11-25\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "initialize",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            ),
        },
        Example {
            note: "no session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "negotiated",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-06-18\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    let is_too_new = |version: &HeaderValue| version.as_bytes() >= FIRST_STATELESS.as_bytes();
    request.headers.get(VERSION).is_some_and(is_too_new)
        && (request.session().is_some()
            || (request.calls("initialize") && !request.says_so_itself())
            || request.calls("notifications/initialized"))
}

fn run(_: &Site<'_>, _: &Request) -> Outcome {
    let mut edits = Edits::new();
    edits.set(VERSION, HeaderValue::from_static(newest()));
    Outcome::mended("a version without sessions in a session", edits)
}
