//! E-12: a client that the server no longer knows, and that is not told so.

use http::StatusCode;

use super::words::is_about_unknown_client;
use super::{Said, is_refused, refuse};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::{ERROR, Feature};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.client-unknown",
    rows: &["E-12"],
    summary: "an unknown client is refused with something else than invalid_client",
    why: "Servers forget registrations. A client registers anew when it is told `401 invalid_client`; at a 404, a 500 \
          or a code of the server's own it fails for ever.",
    hits: "Claude, Claude Code, mcp-remote, every client that registers itself",
    stops: who::TYPESCRIPT_OAUTH.and(who::CLAUDE),
    remedy: "Becomes `401` with `invalid_client`, if a whole sentence says that the client is unknown, or the code does.",
    advice: "Answer `401` with `{\"error\": \"invalid_client\"}` for a client that is not registered.",
    basis: &[basis::TOKEN_ERROR],
    default: Mode::Fix,
    on: &[Class::Token, Class::Revoke],
    gate: &[&[Feature::Post], ERROR],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused, run },
    examples: &[
        Example {
            note: "404 and a message",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r&client_id=a",
            reply: "404\nContent-Type: application/json\n\n{\"message\":\"Unrecognized client_id\"}",
            then: Then::Becomes(
                "401\nContent-Type: application/json\n\n{\"message\":\"Unrecognized client_id\",\
                 \"error\":\"invalid_client\",\"error_description\":\"Unrecognized client_id\"}",
            ),
        },
        Example {
            note: "a code that means something else",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"unauthorized_client\",\"error_description\":\"Client with id a not found\"}",
            then: Then::Becomes(
                "401\nContent-Type: application/json\n\n\
                 {\"error\":\"invalid_client\",\"error_description\":\"Client with id a not found\"}",
            ),
        },
        Example {
            note: "an exception",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a",
            reply: "500\nContent-Type: text/plain\n\nError: unknown client",
            then: Then::Becomes(
                "401\nContent-Type: application/json\n\n\
                 {\"error\":\"invalid_client\",\"error_description\":\"Error: unknown client\"}",
            ),
        },
        Example {
            note: "said as it should be",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client\",\"error_description\":\"Unknown client\"}",
            then: Then::Sound,
        },
        Example {
            note: "a client of the server's own",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a",
            reply: "500\nContent-Type: application/json\n\n{\"message\":\"Redis client not found\"}",
            then: Then::Sound,
        },
        Example {
            note: "another thing of the client's",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c&client_id=a",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"The client's redirect_uri is not registered\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if reply.status == StatusCode::TOO_MANY_REQUESTS || reply.status == StatusCode::SERVICE_UNAVAILABLE {
        return Outcome::Sound;
    }
    let Some(said) = Said::by(reply) else { return Outcome::Sound };
    let in_order = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    let is_unknown = match said.meant.as_str() {
        "invalid_client" => !in_order || (!said.has_code() && said.any(is_about_unknown_client)),
        "invalid_grant" => false,
        _ => said.any(is_about_unknown_client),
    };
    if !is_unknown {
        return Outcome::Sound;
    }
    let edits = refuse(reply, StatusCode::UNAUTHORIZED, "invalid_client", &said);
    let outcome = Outcome::mended("an unknown client, said otherwise", edits);
    // Nobody waits for what becomes of a revocation.
    if request.class == Class::Revoke { outcome.stopping(who::NOBODY) } else { outcome }
}
