//! F-16: a session that the server does not know any more, told otherwise than by 404.

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "session.lost",
    rows: &["F-16"],
    summary: "a session that is gone is told by another status than 404",
    why: "Clients begin a new session after a 404 and after nothing else. With 400, 500 or a 200 every call \
          fails until somebody connects anew by hand.",
    hits: "every client, after a restart of the server",
    stops: who::EVERYBODY,
    remedy: "Answers 404 with the JSON-RPC error -32001, if the request named a session and the refusal says \
             that it is not known.",
    advice: "Answer 404 to a session id that you do not know.",
    basis: &[basis::SESSIONS],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[
        &[Feature::SessionSent],
        &[
            Feature::ErrorInside,
            Feature::BadRequest,
            Feature::Unauthorized,
            Feature::NotFound,
            Feature::OtherClientError,
            Feature::InternalServerError,
            Feature::OtherServerError,
        ],
    ],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "400",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Bad Request: No valid session ID provided\"}}",
            then: Then::Becomes(
                "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
            ),
        },
        Example {
            note: "a success",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"Session expired\"}}",
            then: Then::Becomes(
                "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
            ),
        },
        Example {
            note: "404 in words",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "404\nContent-Type: text/plain\n\nInvalid session ID",
            then: Then::Becomes(
                "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
            ),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "no session was named",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: text/plain\n\nNo valid session ID provided",
            then: Then::Sound,
        },
        Example {
            note: "a tool's own session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Session not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "another refusal",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: text/plain\n\nUnsupported protocol version",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    if request.session().is_none() || request.calls("initialize") || reply.cut_off {
        return false;
    }
    match reply.status {
        StatusCode::OK => request.asks() && reply.is_error_inside(),
        // Where clients log in, 401 without a token is about that, and one with a challenge always.
        StatusCode::UNAUTHORIZED => {
            (request.authorized || !request.requires_auth) && !reply.headers.contains_key(WWW_AUTHENTICATE)
        }
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_FOUND
        | StatusCode::GONE
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::SERVICE_UNAVAILABLE => true,
        _ => false,
    }
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let error = reply.json().and_then(|message| message.child("error"));
    let code = error.as_ref().and_then(|error| error.get("code")?.as_i64());
    let is_told = reply.status == StatusCode::NOT_FOUND && code.is_some() && reply.is_json();
    // A tool may have sessions too: inside a success only the codes count that servers use for this.
    let is_meant = match reply.status {
        StatusCode::OK => {
            matches!(code, Some(jsonrpc::SESSION_NOT_FOUND | jsonrpc::SERVER_ERROR | jsonrpc::INVALID_REQUEST))
        }
        _ => true,
    };
    if is_told || !is_meant || !super::transport::speaks_of_a_lost_session(reply) {
        return Outcome::Sound;
    }
    let message = jsonrpc::error(request.message.as_ref(), jsonrpc::SESSION_NOT_FOUND, "Session not found");
    let is_right = reply.status == StatusCode::NOT_FOUND;
    let mut edits = Edits::new();
    edits.say(StatusCode::NOT_FOUND, Some(message));
    // The status alone is what clients go by.
    Outcome::mended("a lost session that is not told by 404", edits).blameless_if(is_right)
}
