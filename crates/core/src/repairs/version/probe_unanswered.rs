//! F-08: the probe of a newer version at a server that does not know it.

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc::{self, Envelope};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.probe-unanswered",
    rows: &["F-08"],
    summary: "`server/discover` is answered in a way that newer clients do not take for \"an older server\"",
    why: "Newer clients begin with this probe and go on with `initialize` only if it fails in the right way. A \
          403, a 5xx, a page, a 202, silence or an error without the id ends the connection.",
    hits: "Claude Code and every TypeScript SDK 2 host, C#, Go and Copilot CLI clients",
    stops: who::CLAUDE_CODE.and(who::GO),
    remedy: "Answers 400 with -32601 and the id of the request, the one answer that every client takes for \
             that. A result, an error of the newer version, a proper JSON-RPC error and a missing token stay. \
             Silence counts after two and a half seconds.",
    advice: "Answer an unknown method with a JSON-RPC error -32601 that carries the id.",
    basis: &[basis::FALLBACK],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Probe]],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "a failure",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "500\nContent-Type: text/plain\n\nInternal Server Error",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "no answer in time",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "504\nContent-Type: application/json\n\n{\"error\":\"upstream_timeout\"}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "a page",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "200\nContent-Type: text/html\n\n<!doctype html>",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "without the id",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"x\"}}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "a block",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "403\nContent-Type: text/html\n\n<h1>Forbidden</h1>",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "an older server, as it should",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a newer server",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{\"resultType\":\"complete\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a newer server that knows other versions",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"error\":{\"code\":-32022,\"message\":\"x\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a missing token",
            site: SiteKind::Cohosted,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"server/discover\"}",
            reply: "401\nWWW-Authenticate: Bearer\n\nno",
            then: Then::Sound,
        },
        Example {
            note: "not the probe",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "500\n\nno",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.calls(crate::jsonrpc::PROBE)
        && request.asks()
        && !reply.cut_off
        && reply.status != StatusCode::UNAUTHORIZED
        && !reply.status.is_redirection()
        && !(reply.status.is_success() && reply.is_of("text/event-stream"))
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let asks_for_rights = reply.status == StatusCode::FORBIDDEN && reply.headers.contains_key(WWW_AUTHENTICATE);
    if asks_for_rights || is_understood(request, reply) {
        return Outcome::Sound;
    }
    // Any 400 leads newer clients to the older versions (MCP 2026-07-28, Backward Compatibility).
    let is_right = reply.status == StatusCode::BAD_REQUEST;
    // So do these, with the clients that were tried.
    let is_taken =
        matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::TOO_MANY_REQUESTS);
    let mut edits = Edits::new();
    edits.say(StatusCode::BAD_REQUEST, Some(super::unknown(request)));
    let outcome = Outcome::mended("an answer to server/discover that is not understood", edits).blameless_if(is_right);
    if is_taken { outcome.stopping(who::NOBODY) } else { outcome }
}

/// Whether every client knows by this answer what server it talks to.
fn is_understood(request: &Request, reply: &Reply) -> bool {
    let message = reply.json().and_then(|object| Envelope::peek(&object.to_bytes()));
    let (Some(answer), Some(asked)) = (message, &request.message) else { return false };
    let is_known = match answer.error_code() {
        None => answer.result.is_some() && reply.status == StatusCode::OK,
        Some(code) if jsonrpc::MODERN.contains(&code) => true,
        Some(_) => matches!(reply.status, StatusCode::OK | StatusCode::BAD_REQUEST),
    };
    is_known && answer.answers(asked)
}
