//! F-14: a GET of the endpoint at a server that has no stream to offer.

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
    id: "transport.stream-unanswered",
    rows: &["F-14"],
    summary: "a GET that asks for an event stream is answered with neither a stream nor 405",
    why: "Clients open a stream after they have connected. 405 says that there is none; anything else is an \
          error that is shown, or tried again for ever.",
    hits: "Cursor (endless loop), Gemini CLI, Inspector, LibreChat, mcp-remote, Python SDK (a GET that hangs)",
    stops: who::CURSOR.and(who::GEMINI).and(who::MCP_REMOTE),
    remedy: "Answers 405. What is about the token, the rights, the session, too many requests or a second \
             stream stays. A GET that is not answered within five seconds counts as refused.",
    advice: "Answer 405 with `Allow: POST` to GET if you have no stream.",
    basis: &[basis::LISTENING],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Get]],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "not found",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "404\nContent-Type: text/html\n\n<h1>Not Found</h1>",
            then: Then::Becomes("405\nAllow: POST, DELETE\n\n(empty)"),
        },
        Example {
            note: "the page of an app",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: application/json, text/event-stream",
            reply: "200\nContent-Type: text/html\n\n<!doctype html>",
            then: Then::Becomes("405\nAllow: POST, DELETE\n\n(empty)"),
        },
        Example {
            note: "no answer in time",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "504\nContent-Type: application/json\n\n{\"error\":\"upstream_timeout\"}",
            then: Then::Becomes("405\nAllow: POST, DELETE\n\n(empty)"),
        },
        Example {
            note: "a stream",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Sound,
        },
        Example {
            note: "a lost session",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream\nMcp-Session-Id: s",
            reply: "404\nContent-Type: text/plain\n\nSession not found",
            then: Then::Sound,
        },
        Example {
            note: "a session is missing",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Bad Request: Mcp-Session-Id header is required\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a second stream",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "409\n\nno",
            then: Then::Sound,
        },
        Example {
            note: "somebody reads the page",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/html, */*",
            reply: "200\nContent-Type: text/html\n\n<!doctype html>",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    if request.method != Method::GET || request.wants_page || !super::asks_for_stream(request) || reply.cut_off {
        return false;
    }
    match reply.status {
        StatusCode::OK => !reply.is_of("text/event-stream"),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::CONFLICT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE => false,
        _ => true,
    }
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if reply.status.is_client_error() && super::speaks_of_a_session(reply) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.say(StatusCode::METHOD_NOT_ALLOWED, None);
    edits.set(ALLOW, HeaderValue::from_static("POST, DELETE"));
    Outcome::mended("a GET is answered with neither a stream nor 405", edits)
}
