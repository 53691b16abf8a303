//! E-13, E-11: a refresh token that is good for nothing, and a client that is not told so.

use http::StatusCode;

use super::words::{is_about_dead_refresh_token, is_about_dead_token};
use super::{Said, is_refresh, is_refused, refuse};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::{ERROR, Feature};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Codes of servers' own that mean it.
const CODES: &[&str] = &[
    "invalid_token",
    "token_invalid",
    "invalid_refresh_token",
    "refresh_token_invalid",
    "bad_refresh_token",
    "token_expired",
    "expired_token",
    "refresh_token_expired",
    "expired_refresh_token",
    "token_revoked",
    "refresh_token_revoked",
    "refresh_token_reused",
    "token_not_found",
    "refresh_token_not_found",
];

/// Of these, what a server in trouble does not say by mistake.
const EXACT: &[&str] = &["invalid_refresh_token", "expired_refresh_token", "token_expired"];

/// A 400 or 401 of these words, or without any, says nothing: at a refresh that is most likely a dead token's.
const NOTHING: &[&str] = &["bad request", "bad", "unauthorized", "400", "401", "error", "invalid request", METABASE];

/// Its words for a refresh token that expired, with invalid_request.
const METABASE: &str = "the token request is invalid";

pub static REPAIR: Repair = Repair {
    id: "token.grant-dead",
    rows: &["E-13", "E-11"],
    summary: "a dead refresh token is refused with something else than invalid_grant",
    why: "A client logs in again when it is told `400 invalid_grant`. At anything else it keeps the dead token, tries \
          it again, or gives up.",
    hits: "Claude, Claude Code, Cursor, TypeScript SDK v2",
    stops: who::TYPESCRIPT_2.and(who::CLAUDE).and(who::CURSOR),
    remedy: "On a refresh alone: becomes `400` with `invalid_grant` if the code or a whole sentence says that the token \
             is dead, or if a 400 or 401 says nothing at all. A 5xx must say it of the refresh token by name. Never \
             what is about the client, about something that is missing, or a gateway's.",
    advice: "Answer `400` with `{\"error\": \"invalid_grant\"}` for a refresh token that is expired, revoked or unknown.",
    basis: &[basis::TOKEN_ERROR],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], ERROR],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| is_refused(request, reply) && is_refresh(request),
        run,
    },
    examples: &[
        Example {
            note: "a code of the server's own",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"token_expired\"}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"error\":\"invalid_grant\"}"),
        },
        Example {
            note: "invalid_request",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"Refresh token expired\"}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n\
                 {\"error\":\"invalid_grant\",\"error_description\":\"Refresh token expired\"}",
            ),
        },
        Example {
            note: "an exception",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "500\nContent-Type: text/html\n\n<h1>Error: refresh_token not found</h1>",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n\
                 {\"error\":\"invalid_grant\",\"error_description\":\"Error: refresh_token not found\"}",
            ),
        },
        Example {
            note: "401, the right code",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"invalid_grant\"}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"error\":\"invalid_grant\"}"),
        },
        Example {
            note: "401 and nothing more",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"unauthorized\"}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"error\":\"invalid_grant\"}"),
        },
        Example {
            note: "FastAPI",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n{\"detail\":\"Bad Request\"}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"detail\":\"Bad Request\",\"error\":\"invalid_grant\",\
                 \"error_description\":\"Bad Request\"}",
            ),
        },
        Example {
            note: "it is about the client",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "401\nContent-Type: application/json\n\n\
                    {\"error\":\"unauthorized\",\"error_description\":\"Invalid client secret\"}",
            then: Then::Sound,
        },
        Example {
            note: "something is missing",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"refresh_token is required\"}",
            then: Then::Sound,
        },
        Example {
            note: "a server in trouble",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "500\nContent-Type: application/json\n\n\
                    {\"error\":\"server_error\",\"error_description\":\"Invalid token of the service account\"}",
            then: Then::Sound,
        },
        Example {
            note: "a gateway in trouble",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "502\nContent-Type: application/json\n\n{\"error\":\"Failed to refresh token: Bad Gateway\"}",
            then: Then::Sound,
        },
        Example {
            note: "another reason",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n{\"message\":\"Service is in maintenance\"}",
            then: Then::Sound,
        },
        Example {
            note: "another grant",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "401\nContent-Type: application/json\n\n{\"error\":\"token_expired\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if reply.status == StatusCode::TOO_MANY_REQUESTS || reply.status == StatusCode::SERVICE_UNAVAILABLE {
        return Outcome::Sound;
    }
    let Some(said) = Said::by(reply) else { return Outcome::Sound };
    if !is_dead(&said, reply.status) {
        return Outcome::Sound;
    }
    let is_coded = said.meant == "invalid_grant" && said.has_code();
    let edits = refuse(reply, StatusCode::BAD_REQUEST, "invalid_grant", &said);
    let outcome = Outcome::mended("a dead refresh token, said otherwise", edits);
    // Clients go by the code, whatever the status.
    if is_coded { outcome.stopping(who::NOBODY) } else { outcome }
}

fn is_dead(said: &Said, status: StatusCode) -> bool {
    let code = said.meant.as_str();
    if code == "invalid_grant" {
        return !said.has_code() || status != StatusCode::BAD_REQUEST;
    }
    if matches!(code, "invalid_client" | "unauthorized_client") || said.mentions(&["client"]) {
        return false;
    }
    if status.is_server_error() {
        return EXACT.contains(&code) || (said.any(is_about_dead_refresh_token) && !said.lacks_something());
    }
    if CODES.contains(&code) {
        return true;
    }
    let is_unclear = code == "invalid_request" || !said.has_registered_code();
    if !is_unclear || said.lacks_something() {
        return false;
    }
    let may_say_nothing = match status {
        StatusCode::UNAUTHORIZED => !said.has_registered_code(),
        StatusCode::BAD_REQUEST => !said.has_code(),
        _ => false,
    };
    (may_say_nothing && said.says_only(NOTHING))
        || said.any(is_about_dead_token)
        || (code == "invalid_request" && said.any(|sentence| sentence == METABASE))
}
