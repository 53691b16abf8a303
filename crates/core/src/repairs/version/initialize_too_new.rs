//! F-06: `initialize` for a version that has no `initialize`.

use super::{is_date, newest};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.initialize-too-new",
    rows: &["F-06"],
    summary: "`initialize` asks for a version that is not negotiated by it",
    why: "rmcp asks for 2026-07-28. Servers refuse it instead of naming one that they know, or repeat it \
          without knowing it: then the client speaks a version over a session that has none.",
    hits: "rmcp, Codex, Goose",
    stops: who::RUST,
    remedy: "Asks for 2025-11-25, the newest version with `initialize`.",
    advice: "Answer with a version that you know, whatever is asked for.",
    basis: &[basis::VERSION_NEGOTIATION],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacyPost],
    gate: &[&[Feature::Initialize]],
    hook: Hook::Request { needs: Needs::Json, when, run, goes_on: false },
    examples: &[
        Example {
            note: "the newest of all",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2026-07-28\"}}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            ),
        },
        Example {
            note: "one that is negotiated",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "another message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.calls("initialize") && !request.says_so_itself()
}

fn run(_: &Site<'_>, request: &Request) -> Outcome {
    let Some(mut message) = request.json().cloned() else { return Outcome::Sound };
    let Some(mut params) = message.child("params") else { return Outcome::Sound };
    let is_too_new = params.text("protocolVersion").is_some_and(|asked| is_date(&asked) && asked.as_str() > newest());
    if !is_too_new {
        return Outcome::Sound;
    }
    params.set("protocolVersion", newest().into());
    message.splice("params", params.to_bytes());
    Outcome::mended("initialize for a version that has none", Edits::to_document(message))
}
