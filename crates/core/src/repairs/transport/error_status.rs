//! F-31: a JSON-RPC error that comes with an HTTP error.

use http::StatusCode;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{ERROR, Feature};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc::{self, Envelope, PROBE};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.error-status",
    rows: &["F-31"],
    summary: "a JSON-RPC error comes with an HTTP status of an error",
    why: "The TypeScript SDK shows the HTTP error with its raw text instead of the message in it, and some \
          hosts take the server for broken.",
    hits: "Claude Code, Inspector, VS Code and other TypeScript SDK clients",
    stops: who::VSCODE,
    remedy: "Answers 200. Not a missing token or right, a lost session, too many requests, nor to clients of \
             MCP 2026-07-28, where the statuses are meant so.",
    advice: "Answer 200 with the JSON-RPC error if the request was read.",
    basis: &[basis::JSONRPC_ANSWER],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], ERROR],
    hook: Hook::Reply { needs: Needs::Json, when, run },
    examples: &[
        Example {
            note: "a wrong parameter",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid params\"}}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid params\"}}",
            ),
        },
        Example {
            note: "a failure",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "500\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"x\"}}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"x\"}}",
            ),
        },
        Example {
            note: "a lost session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a lost session, under another code",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"Session not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "the newest version",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"x\"}}",
            then: Then::Sound,
        },
        Example {
            note: "another request's",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":\"x\"}}",
            then: Then::Sound,
        },
        Example {
            note: "no JSON-RPC",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"bad_request\"}",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid params\"}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let is_meant =
        matches!(reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    request.asks()
        && !request.is_modern()
        && !request.calls(PROBE)
        && (reply.status.is_client_error() || reply.status.is_server_error())
        && !is_meant
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(message) = reply.json() else { return Outcome::Sound };
    let Some(error) = message.child("error").filter(|error| error.has("code")) else { return Outcome::Sound };
    let code = error.get("code").and_then(|code| code.as_i64());
    // An error that names its HTTP status means it.
    if error.child("data").and_then(|data| data.get("status")?.as_u64()) == Some(reply.status.as_u16().into()) {
        return Outcome::Sound;
    }
    let is_lost = reply.status == StatusCode::NOT_FOUND
        && request.session().is_some()
        && (super::speaks_of_a_lost_session(reply) || !super::is_about_a_method(code));
    let is_own = Envelope::peek(&message.to_bytes())
        .zip(request.message.as_ref())
        .is_some_and(|(answer, asked)| !answer.has_id() || answer.answers(asked));
    if is_lost || !is_own || code.is_some_and(|code| jsonrpc::MODERN.contains(&code)) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.status(StatusCode::OK);
    // A server that cannot take a message may refuse it so (MCP 2025-11-25, Sending Messages to the Server).
    Outcome::mended("a JSON-RPC error with the HTTP status of an error", edits).within_the_rules()
}
