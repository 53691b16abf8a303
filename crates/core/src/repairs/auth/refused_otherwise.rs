//! 403, 400 or 500 where a token is missing.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::{Lack, brings_credentials, may_be_refused, refuse, said, words};
use crate::client::who;
use crate::edit::challenge::{Challenge, Challenges};
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, ReplyBody, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Members nested deeper than this are not looked through.
const DEEPEST: usize = 6;

pub static REPAIR: Repair = Repair {
    id: "auth.refused-otherwise",
    rows: &["A-07"],
    summary: "a request without a token is refused with another status than 401",
    why: "Only a 401 makes a client log in. After a 403, 400 or 500 it reports that the server is broken.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Makes it the 401 that it means, with a challenge, where clients log in: a 403 that says so or \
             gives no reason at all, and not one that speaks of something else (an Origin, a host, an address, a limit, \
             another server, a firewall's page); 400, 422 and 500 only if the body says \
             that a login is missing. Other refusals stay what they are.",
    advice: "Answer a missing token with 401; 403 is for those who are known and may not.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[
        &[Feature::WithoutToken],
        &[Feature::Guarded],
        &[Feature::Forbidden, Feature::BadRequest, Feature::OtherClientError, Feature::InternalServerError],
    ],
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
            note: "Spring, with the time; a stranger's message is refused so as well",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"timestamp\":\"2025-06-11T00:00:00.000+00:00\",\
                    \"status\":403,\"error\":\"Forbidden\",\"message\":\"\",\"path\":\"/mcp\"}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "a page of an allowed origin, and a sentence about the token",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nOrigin: https://claude.ai",
            reply: "403\nContent-Type: application/json\n\n{\"detail\":\"Not authenticated\"}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "where the sender is",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"message\":\"Access denied: geo restriction\"}",
            then: Then::Sound,
        },
        Example {
            note: "a limit",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Slow down. Requests exceeded.\"}",
            then: Then::Sound,
        },
        Example {
            note: "a network",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"forbidden\",\"message\":\"Your organisation does not allow this network\"}",
            then: Then::Sound,
        },
        Example {
            note: "a number of Cloudflare's",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"code\":1020,\"msg\":\"Access denied\"}",
            then: Then::Sound,
        },
        Example {
            note: "a number alone",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"code\":1020,\"error\":\"Forbidden\"}",
            then: Then::Sound,
        },
        Example {
            note: "some reason that nobody knows",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Forbidden\",\"hint\":\"ask Bob\"}",
            then: Then::Sound,
        },
        Example {
            note: "a program",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "403\nContent-Type: text/plain\n\nUnauthorized user agent",
            then: Then::Sound,
        },
        Example {
            note: "a page's own domain",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "403\nContent-Type: text/plain\n\nUnauthorized domain",
            then: Then::Sound,
        },
        Example {
            note: "a page that is called unauthorized",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "403\nContent-Type: text/plain\n\nUnauthorized",
            then: Then::Sound,
        },
        Example {
            note: "a page that is challenged",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "403\nWWW-Authenticate: Bearer\nContent-Length: 0",
            then: Then::Sound,
        },
        Example {
            note: "a tool's parameter",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"Invalid arguments: login: Required\"}}",
            then: Then::Sound,
        },
        Example {
            note: "the upstream's own login",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "500\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"Database login required (pool: unauthorized)\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a batch",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "400\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"token is required\"}}]",
            then: Then::Sound,
        },
        Example {
            note: "strangers are let in: this is about something else",
            site: SiteKind::LetsIn,
            request: "POST /mcp",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"unauthorized\"}",
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

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !site.serves_resource_metadata() || site.known.is_open() || !wants_login(site, request, reply) {
        return Outcome::Sound;
    }
    let what = format!("{} instead of 401 for a missing token", reply.status.as_u16());
    Outcome::mended(what, refuse(site, request, reply, Lack::Token))
}

/// Whether the answer means that a token is missing.
fn wants_login(site: &Site<'_>, request: &Request, reply: &Reply) -> bool {
    let text = said::of(reply);
    let is_elsewhere = |text: &str| words::speaks_of_a_block(text) || words::speaks_of_another_party(text);
    if text.as_deref().is_some_and(is_elsewhere) || said::is_about_the_message(reply) {
        return false;
    }
    // An Origin that is not allowed has to get 403 (MCP 2025-11-25, Streamable HTTP), and `unauthorized` may be said
    // of one.
    let is_of_a_page = request.origin.is_some();
    let says_so = if is_of_a_page { words::demands_login } else { words::speaks_of_missing_login };
    if text.as_deref().is_some_and(says_so) {
        return true;
    }
    if reply.status != StatusCode::FORBIDDEN || is_of_a_page {
        return false;
    }
    if Challenges::read(&reply.headers).list.iter().any(Challenge::is_bearer) {
        return true;
    }
    // A server that answers strangers with 401 means something else by 403; and a key may be one that lacks a right.
    let is_about_more = site.known.anonymous_status == Some(StatusCode::UNAUTHORIZED) || brings_credentials(request);
    !is_about_more && text.is_some_and(|text| says_nothing_else(reply, &text))
}

/// Whether a refusal is one of a program and names no other reason.
fn says_nothing_else(reply: &Reply, text: &str) -> bool {
    if let ReplyBody::Json(object) = &reply.body {
        let members = object.names();
        return members.iter().all(|name| object.get(name).is_none_or(|value| is_no_reason(name, &value, DEEPEST)));
    }
    is_bare(text) && (text.trim().is_empty() || !reply.headers.contains_key(CONTENT_TYPE) || reply.is_of("text/plain"))
}

/// Whether a text says no more than the status does.
fn is_bare(text: &str) -> bool {
    const BARE: [&str; 7] =
        ["", "forbidden", "403", "403 forbidden", "unauthorized", "401 unauthorized", "about:blank"];
    BARE.iter().any(|bare| text.trim().eq_ignore_ascii_case(bare))
}

/// Whether the member of a refusal gives no reason: the status in numbers or words, the time, or where it was.
fn is_no_reason(name: &str, value: &Value, deepest: usize) -> bool {
    let is_called = |names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
    match value {
        _ if is_called(&["timestamp"]) => !value.is_object() && !value.is_array(),
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => matches!(number.as_u64(), Some(401 | 403)),
        Value::String(text) => is_bare(text) || (is_called(&["path", "instance"]) && text.starts_with('/')),
        Value::Array(list) => deepest > 0 && list.iter().all(|value| is_no_reason(name, value, deepest - 1)),
        Value::Object(members) => {
            deepest > 0 && members.iter().all(|(name, value)| is_no_reason(name, value, deepest - 1))
        }
    }
}
