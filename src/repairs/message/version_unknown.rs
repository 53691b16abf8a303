//! F-06: the version that the answer to `initialize` names.

use crate::edit::json::Object;
use crate::endpoint::{Class, NEGOTIATED};
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::repairs::version::is_date;

pub static REPAIR: Repair = Repair {
    id: "message.version-unknown",
    rows: &["F-06"],
    summary: "the answer to `initialize` names a version that is not negotiated, or newer than was asked for",
    why: "A client stops at a version that it does not know. Servers write a version of their own there, repeat \
          whatever came, or leave it out.",
    hits: "TypeScript and Python SDK clients",
    remedy: "Names the newest version that is negotiated and not newer than either what the server wrote or \
             what the client asked for.",
    advice: "Answer with the version that was asked for if you know it, else with the newest that you know.",
    basis: &[basis::VERSION_NEGOTIATION],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
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

fn run(_: &Site<'_>, request: &Request, message: &mut Object) -> Outcome {
    let Some(mut result) = message.child("result") else { return Outcome::Sound };
    let answered = result.text("protocolVersion");
    if answered.as_deref().is_some_and(|version| NEGOTIATED.contains(&version)) {
        return Outcome::Sound;
    }
    let asked = request.json().and_then(|asked| asked.child("params")?.text("protocolVersion"));
    let is_not_newer = |version: &str, than: &Option<String>| {
        than.as_deref().filter(|than| is_date(than)).is_none_or(|than| version <= than)
    };
    let fits = |version: &&&str| is_not_newer(version, &answered) && is_not_newer(version, &asked);
    let version = NEGOTIATED.iter().filter(fits).max().copied().unwrap_or(NEGOTIATED[0]);
    result.set("protocolVersion", version.into());
    message.splice("result", result.to_bytes());
    Outcome::mended("a version that nobody negotiates")
}
