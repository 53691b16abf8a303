//! F-12: a notification that is refused because the server does not know it.

use http::{Method, StatusCode};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{ERROR, Feature};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.notification-refused",
    rows: &["F-12"],
    summary: "a notification is refused",
    why: "Clients send `notifications/initialized` before anything else and stop when it fails. Servers that \
          know no notifications answer 400, 404, 500 or -32601.",
    hits: "TypeScript and Python 1.x SDK clients, rmcp, Codex",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PY1).and(who::RUST).and(who::VSCODE),
    remedy: "Answers 202, as the message wants no answer. A missing token, missing rights, a lost session, a \
             message that is too large, too many of them and a server that is down stay what they are.",
    advice: "Answer 202 to every message without an `id`, known or not.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Unanswered], ERROR],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "not known",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}",
            then: Then::Becomes("202\n\n(empty)"),
        },
        Example {
            note: "a page",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "500\nContent-Type: text/html\n\n<h1>Internal Server Error</h1>",
            then: Then::Becomes("202\n\n(empty)"),
        },
        Example {
            note: "not found, without a session",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "404\nContent-Type: text/plain\n\nNot Found",
            then: Then::Becomes("202\n\n(empty)"),
        },
        Example {
            note: "a lost session",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "404\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a missing token",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "401\n\nno",
            then: Then::Sound,
        },
        Example {
            note: "a server that is down",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            reply: "503\n\nno",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let is_meant = matches!(
        reply.status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    request.method == Method::POST
        && request.message.as_ref().is_some_and(Envelope::is_unanswered)
        && (reply.status.is_client_error() || reply.status.is_server_error())
        && !is_meant
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    // 404 is how a lost session is told; where it is not said, the next request will show.
    if request.session().is_some() && reply.status == StatusCode::NOT_FOUND && super::speaks_of_a_lost_session(reply) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.say(StatusCode::ACCEPTED, None);
    Outcome::mended("a notification that was refused", edits)
}
