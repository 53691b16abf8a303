//! 403, 400 or 500 where a token is missing.

use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::{Lack, brings_credentials, may_be_refused, refuse, said, words};
use crate::edit::challenge::{Challenge, Challenges};
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, ReplyBody, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.refused-otherwise",
    rows: &["A-07"],
    summary: "a request without a token is refused with another status than 401",
    why: "Only a 401 makes a client log in. After a 403, 400 or 500 it reports that the server is broken.",
    hits: "every client",
    remedy: "Makes it the 401 that it means, with a challenge, where clients log in: a 403 unless it speaks of something \
             else (an Origin, a host, an address, a limit, a firewall's page); 400, 422 and 500 only if the body says \
             that a login is missing. Other refusals stay what they are.",
    advice: "Answer a missing token with 401; 403 is for those who are known and may not.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "FastAPI: 403 without a token",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\nX-Request-Id: 1\n\n{\"detail\":\"Not authenticated\"}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nX-Request-Id: 1\n\
                 WWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "Spring: nothing but Forbidden",
            site: SiteKind::Foreign,
            request: "GET /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"status\":403,\"error\":\"Forbidden\",\"path\":\"/mcp\"}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "400 that says so; the challenge loses its error and keeps its scope",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "400\nContent-Type: text/plain\n\
                    WWW-Authenticate: Bearer error=\"invalid_request\", scope=\"mcp:read\"\n\nMissing bearer token",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 scope=\"mcp:read\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "nothing said, nothing else to be refused for",
            site: SiteKind::Cohosted,
            request: "DELETE /mcp",
            reply: "403\nContent-Length: 0",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "a page that refuses an Origin gets the 403 that it has to get",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Forbidden\"}",
            then: Then::Sound,
        },
        Example {
            note: "a firewall's page",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: text/html\n\n<title>403 Forbidden</title>",
            then: Then::Sound,
        },
        Example {
            note: "strangers get 401 here: this is about something else",
            site: SiteKind::HalfOpen,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Forbidden\"}",
            then: Then::Sound,
        },
        Example {
            note: "a key in the query may lack a right",
            site: SiteKind::Cohosted,
            request: "POST /mcp?api_key=k",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Forbidden\"}",
            then: Then::Sound,
        },
        Example {
            note: "the session of the transport is no login",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\
                    \"message\":\"Bad Request: No valid session ID provided\"},\"id\":null}",
            then: Then::Sound,
        },
        Example {
            note: "who sent a token is known and may not",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Forbidden\"}",
            then: Then::Sound,
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"detail\":\"Not authenticated\"}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    !request.authorized
        && may_be_refused(request)
        && matches!(
            reply.status,
            StatusCode::FORBIDDEN
                | StatusCode::BAD_REQUEST
                | StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::INTERNAL_SERVER_ERROR
        )
}

fn run(site: &Site<'_>, request: &Request, reply: &mut Reply) -> Outcome {
    if !site.serves_resource_metadata() || !wants_login(site, request, reply) {
        return Outcome::Sound;
    }
    let what = format!("{} instead of 401 for a missing token", reply.status.as_u16());
    refuse(site, request, reply, Lack::Token);
    Outcome::mended(what)
}

/// Whether the answer means that a token is missing.
fn wants_login(site: &Site<'_>, request: &Request, reply: &Reply) -> bool {
    let text = said::of(reply);
    if text.as_deref().is_some_and(words::speaks_of_a_block) {
        return false;
    }
    if text.as_deref().is_some_and(words::speaks_of_missing_login) {
        return true;
    }
    if reply.status != StatusCode::FORBIDDEN {
        return false;
    }
    if Challenges::read(&reply.headers).list.iter().any(Challenge::is_bearer) {
        return true;
    }
    // An Origin that is not allowed has to get 403 (MCP 2025-11-25, Streamable HTTP); a server that answers strangers
    // with 401 means something else by 403; and a key in the query may be one that lacks a right.
    let is_about_more = request.origin.is_some()
        || site.known.stranger == Some(StatusCode::UNAUTHORIZED)
        || brings_credentials(request);
    !is_about_more && text.is_some_and(|text| says_nothing_else(reply, &text))
}

/// Whether a refusal is one of a program and names no other reason.
fn says_nothing_else(reply: &Reply, text: &str) -> bool {
    if matches!(reply.body, ReplyBody::Json(_)) {
        return true;
    }
    let text = text.trim();
    let is_bare = text.is_empty() || ["forbidden", "403 forbidden"].iter().any(|bare| text.eq_ignore_ascii_case(bare));
    is_bare && (text.is_empty() || !reply.headers.contains_key(CONTENT_TYPE) || reply.is_of("text/plain"))
}
