//! F-15: a session that a client ends, at a server that does not know of that.

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
    id: "transport.end-unanswered",
    rows: &["F-15"],
    summary: "a DELETE of the session is answered with neither a success nor 405",
    why: "Clients end their session when they close. They wait for the answer, or report a failure, if it is \
          neither done nor said not to be possible.",
    hits: "TypeScript SDK clients (an error at the end), everybody where it hangs",
    stops: who::NOBODY,
    remedy: "Answers 405. Token, rights, a session that is lost and a server that is down stay. No answer \
             within two seconds counts as refused.",
    advice: "Answer 405 to DELETE if sessions cannot be ended.",
    basis: &[basis::SESSIONS],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Delete]],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "no such route",
            site: SiteKind::Open,
            request: "DELETE /mcp\nMcp-Session-Id: s",
            reply: "404\nContent-Type: text/html\n\n<pre>Cannot DELETE /mcp</pre>",
            then: Then::Becomes("405\nAllow: POST, GET\n\n(empty)"),
        },
        Example {
            note: "a failure",
            site: SiteKind::Open,
            request: "DELETE /mcp\nMcp-Session-Id: s",
            reply: "500\nContent-Type: text/plain\n\nInternal Server Error",
            then: Then::Becomes("405\nAllow: POST, GET\n\n(empty)"),
        },
        Example {
            note: "no answer in time",
            site: SiteKind::Open,
            request: "DELETE /mcp\nMcp-Session-Id: s",
            reply: "504\nContent-Type: application/json\n\n{\"error\":\"upstream_timeout\"}",
            then: Then::Becomes("405\nAllow: POST, GET\n\n(empty)"),
        },
        Example {
            note: "done",
            site: SiteKind::Open,
            request: "DELETE /mcp\nMcp-Session-Id: s",
            reply: "204",
            then: Then::Sound,
        },
        Example {
            note: "lost already",
            site: SiteKind::Open,
            request: "DELETE /mcp\nMcp-Session-Id: s",
            reply: "404\nContent-Type: text/plain\n\nSession not found",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let is_meant = matches!(
        reply.status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
    );
    request.method == Method::DELETE && !reply.cut_off && !reply.status.is_success() && !is_meant
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if reply.status.is_client_error() && super::speaks_of_a_session(reply) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.say(StatusCode::METHOD_NOT_ALLOWED, None);
    edits.set(ALLOW, HeaderValue::from_static("POST, GET"));
    Outcome::mended("a session cannot be ended, and it is not said so", edits)
}
