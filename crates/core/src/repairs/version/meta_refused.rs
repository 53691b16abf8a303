//! F-10: members of a newer version in `_meta` that a strict server refuses.

use http::StatusCode;

use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::auth::said;
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.meta-refused",
    rows: &["F-10"],
    summary: "a message is refused for what a newer version writes into `_meta`",
    why: "A client that believes to speak 2026-07-28 sends its version and capabilities in `_meta` with each \
          message. Strict servers of older versions refuse what they do not know.",
    hits: "rmcp after a server repeated its version, claude.ai",
    stops: who::RUST.and(who::CLAUDE),
    remedy: "Asks again without the members of `_meta` that begin with `io.modelcontextprotocol/`.",
    advice: "Ignore members of `_meta` that you do not know.",
    basis: &[basis::VERSION_NEGOTIATION],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[
        &[Feature::Asks],
        &[Feature::ErrorInside, Feature::BadRequest, Feature::OtherClientError, Feature::InternalServerError],
    ],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "refused",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"a\":1}}}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Unrecognized key in _meta: io.modelcontextprotocol/protocolVersion\"}}",
            then: Then::Asks(
                "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"a\":1}}}",
            ),
        },
        Example {
            note: "for something else",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"a\":1}}}",
            reply: "400\nContent-Type: text/plain\n\nno such tool",
            then: Then::Sound,
        },
        Example {
            note: "nothing of that is in it",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"a\":1}}}",
            reply: "400\nContent-Type: text/plain\n\nbad _meta",
            then: Then::Sound,
        },
    ],
};

/// What the members of MCP 2026-07-28 begin with.
const OF_THE_PROTOCOL: &str = "io.modelcontextprotocol/";

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks()
        && !request.is_modern()
        && !reply.cut_off
        && ((reply.status == StatusCode::OK && reply.is_error_inside())
            || matches!(
                reply.status,
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::INTERNAL_SERVER_ERROR
            ))
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if reply.json().is_some_and(|message| message.has("result")) {
        return Outcome::Sound;
    }
    let error = reply.json().and_then(|message| message.child("error")?.get("code")?.as_i64());
    let is_form = error.is_some_and(|code| (jsonrpc::INVALID_PARAMS..=jsonrpc::INVALID_REQUEST).contains(&code));
    if reply.status != StatusCode::BAD_REQUEST && reply.status != StatusCode::UNPROCESSABLE_ENTITY && !is_form {
        return Outcome::Sound;
    }
    let is_about_it = said::of(reply).is_some_and(|said| said.contains("_meta") || said.contains(OF_THE_PROTOCOL));
    if !is_about_it {
        return Outcome::Sound;
    }
    match without(request) {
        Some(message) => Outcome::again("_meta of a newer version is refused", Ask::with_json(message)),
        None => Outcome::Sound,
    }
}

/// The message without them; `None` if it has none.
fn without(request: &Request) -> Option<Object> {
    let mut message = super::message(request)?;
    let mut params = message.child("params")?;
    let mut meta = params.child("_meta")?;
    let names = meta.names();
    names.iter().filter(|name| name.starts_with(OF_THE_PROTOCOL)).for_each(|name| meta.remove(name));
    if !meta.is_changed() {
        return None;
    }
    if meta.names().is_empty() {
        params.remove("_meta")
    } else {
        params.splice("_meta", meta.to_bytes())
    }
    message.splice("params", params.to_bytes());
    Some(message)
}
