//! F-06: the version that the answer to `initialize` names.

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::{Class, NEGOTIATED};
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::repairs::version::{is_date, message as asked_message, newest};

pub static REPAIR: Repair = Repair {
    id: "message.version-unknown",
    rows: &["F-06"],
    summary: "the answer to `initialize` names no version, or one that is not negotiated",
    why: "A client stops at a version that it does not know. Servers write a version of their own there, repeat \
          whatever came, or leave it out.",
    hits: "TypeScript and Python SDK clients",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Names the newest version that is negotiated and not newer than either what the server wrote or \
             what the client asked for. What the client itself asked for stays.",
    advice: "Answer with the version that was asked for if you know it, else with the newest that you know.",
    basis: &[basis::VERSION_NEGOTIATION],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Initialize, Feature::Get], &[Feature::HasResult]],
    hook: Hook::Message { when, run },
    examples: &[
        Example {
            note: "repeated",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2026-07-28\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            ),
        },
        Example {
            note: "its own",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"1.0\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            ),
        },
        Example {
            note: "an older date",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-04-01\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            ),
        },
        Example {
            note: "one from before the first, asked for",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2024-10-07\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2024-10-07\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Sound,
        },
        Example {
            note: "nothing, to a client from before the first",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2024-10-07\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Becomes(
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"},\"protocolVersion\":\"2024-10-07\"}}",
            ),
        },
        Example {
            note: "older than asked for",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2024-11-05\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, message: &Envelope) -> bool {
    super::is_answer_to(request, message, "initialize")
}

fn run(_: &Site<'_>, request: &Request, message: &Object) -> Outcome {
    let Some(mut result) = message.child("result") else { return Outcome::Sound };
    let answered = result.text("protocolVersion");
    if answered.as_deref().is_some_and(|version| NEGOTIATED.contains(&version)) {
        return Outcome::Sound;
    }
    let asked = asked_message(request).and_then(|asked| asked.child("params")?.text("protocolVersion"));
    // A client knows what it asks for, even if nobody else does; only versions without `initialize` are none.
    if answered.is_some() && answered == asked && !asked.as_deref().is_some_and(is_too_new) {
        return Outcome::Sound;
    }
    let is_not_newer = |version: &str, than: &Option<String>| {
        than.as_deref().filter(|than| is_date(than)).is_none_or(|than| version <= than)
    };
    let fits = |version: &&&str| is_not_newer(version, &answered) && is_not_newer(version, &asked);
    // Never newer than what was asked for, even if that is older than all of them.
    let oldest = asked.as_deref().filter(|asked| is_date(asked) && *asked < NEGOTIATED[0]).unwrap_or(NEGOTIATED[0]);
    let version = NEGOTIATED.iter().filter(fits).max().copied().unwrap_or(oldest);
    result.set("protocolVersion", version.into());
    Outcome::mended("a version that nobody negotiates", super::with(message, "result", result.to_bytes()))
}

fn is_too_new(version: &str) -> bool {
    is_date(version) && version > newest()
}
