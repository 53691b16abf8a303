//! F-32: a method that a server does not have, told in HTTP.

use http::StatusCode;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Opening, Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.method-unknown",
    rows: &["F-32"],
    summary: "a method that the server does not have is answered with an HTTP error or a page",
    why: "Clients ask for resources, prompts and a sign of life whether or not the server has them. -32601 says \
          that it has not; 404, 405, 501 or a page looks like a broken server.",
    hits: "claude.ai and Desktop (\"server is broken\"), TypeScript SDK clients",
    stops: who::CLAUDE.and(who::VSCODE),
    remedy: "Answers 200 with -32601, and to `ping` with an empty result. Only for the methods that a server \
             may do without, and not where a lost session may be meant.",
    advice: "Answer an unknown method with a JSON-RPC error -32601; answer `ping` with `{}`.",
    basis: &[basis::JSONRPC_ANSWER],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[
        &[Feature::Asks],
        &[
            Feature::Html,
            Feature::BadRequest,
            Feature::NotFound,
            Feature::MethodNotAllowed,
            Feature::InternalServerError,
            Feature::OtherServerError,
            Feature::OtherClientError,
        ],
    ],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "a page",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
            reply: "404\nContent-Type: text/html\n\n<h1>Not Found</h1>",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "a sign of life",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "501\nContent-Type: text/plain\n\nNot Implemented",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "in a session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
            reply: "404\nContent-Type: application/json\n\n{\"error\":\"Unknown method: resources/list\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "the page of an app",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
            reply: "200\nContent-Type: text/html\n\n<!doctype html>",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            ),
        },
        Example {
            note: "a lost session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
            reply: "404\nContent-Type: text/plain\n\nSession not found",
            then: Then::Sound,
        },
        Example {
            note: "perhaps a lost session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
            reply: "404\nContent-Length: 0",
            then: Then::Sound,
        },
        Example {
            note: "a method that every server has",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "404\nContent-Type: text/html\n\n<h1>Not Found</h1>",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            then: Then::Sound,
        },
    ],
};

/// What a server may do without.
const OPTIONAL: [&str; 10] = [
    "ping",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "tasks/list",
];

fn when(request: &Request, reply: &Reply) -> bool {
    let is_page = reply.status == StatusCode::OK && reply.message.is_none() && reply.is_of("text/html");
    let is_refusal = matches!(
        reply.status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::NOT_IMPLEMENTED
    );
    (is_page || is_refusal)
        && request.asks()
        && !request.is_modern()
        && OPTIONAL.iter().any(|method| request.calls(method))
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if reply.json().is_some_and(|message| message.child("error").is_some_and(|error| error.has("code"))) {
        return Outcome::Sound;
    }
    // Events or a message under a wrong name are no page.
    if reply.status == StatusCode::OK && reply.opening != Opening::Other {
        return Outcome::Sound;
    }
    // A lost session is told by 404, in words or without any. If one is meant after all, the next request shows it.
    let may_be_lost = reply.status == StatusCode::NOT_FOUND
        && request.session().is_some()
        && (super::says_nothing(reply) || super::speaks_of_a_lost_session(reply));
    let is_vague = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR);
    if may_be_lost || (is_vague && !super::speaks_of_a_method(reply)) {
        return Outcome::Sound;
    }
    let message = if request.calls("ping") {
        jsonrpc::empty_result(request.message.as_ref())
    } else {
        jsonrpc::error(request.message.as_ref(), jsonrpc::METHOD_NOT_FOUND, "Method not found")
    };
    let mut edits = Edits::new();
    edits.say(StatusCode::OK, Some(message));
    Outcome::mended("a method that the server does not have, told in HTTP", edits)
}
