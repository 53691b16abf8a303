//! E-11: an error that is not in the form of RFC 6749.

use http::StatusCode;
use serde_json::Value;

use super::{Said, is_refused, refuse};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::{ERROR, Feature};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.error-shape",
    rows: &["E-11"],
    summary: "an error of the token or revocation endpoint is a page, a framework's own document, or empty",
    why: "Clients read `error` to know what to do next: log in again, register again, wait. From anything else they \
          learn nothing, and the user sees a parser's message.",
    hits: "claude.ai, TypeScript SDK clients, every client",
    stops: who::CLAUDE,
    remedy: "Becomes JSON with `error`, in the upstream's words. At the token endpoint other 4xx than 401 and 429 become \
             400, else the status stays: invalid_request, server_error or temporarily_unavailable, unless the answer \
             names a code.",
    advice: "Refuse with `400` and `{\"error\": \"...\", \"error_description\": \"...\"}`.",
    basis: &[basis::TOKEN_ERROR],
    default: Mode::Fix,
    on: &[Class::Token, Class::Revoke],
    gate: &[&[Feature::Post], ERROR],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused, run },
    examples: &[
        Example {
            note: "FastAPI",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "422\nContent-Type: application/json\n\n\
                    {\"detail\":[{\"loc\":[\"body\",\"code_verifier\"],\"msg\":\"Field \\\"x\\\" required\"}]}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n\
                 {\"detail\":[{\"loc\":[\"body\",\"code_verifier\"],\"msg\":\"Field \\\"x\\\" required\"}],\
                 \"error\":\"invalid_request\",\"error_description\":\"Field 'x' required\"}",
            ),
        },
        Example {
            note: "an error that is an object",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "401\nContent-Type: application/json\n\n{\"error\":{\"code\":\"E7\",\"message\":\"No\"}}",
            then: Then::Becomes(
                "401\nContent-Type: application/json\n\n{\"error\":\"invalid_request\",\"error_description\":\"No\"}",
            ),
        },
        Example {
            note: "a list, with a code in it",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "403\nContent-Type: application/json\n\n{\"errors\":[{\"code\":\"invalid_grant\"}]}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"errors\":[{\"code\":\"invalid_grant\"}],\
                 \"error\":\"invalid_grant\",\"error_description\":\"invalid_grant\"}",
            ),
        },
        Example {
            note: "a gateway's page",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "503\nContent-Type: text/html\nRetry-After: 5\n\n<html><head><title>Busy</title></head></html>",
            then: Then::Becomes(
                "503\nContent-Type: application/json\nRetry-After: 5\n\n\
                 {\"error\":\"temporarily_unavailable\",\"error_description\":\"Busy\"}",
            ),
        },
        Example {
            note: "a router that knows of no revocation",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "404\nContent-Type: text/html\n\n<pre>Cannot POST /revoke</pre>",
            then: Then::Becomes(
                "404\nContent-Type: application/json\n\n\
                 {\"error\":\"invalid_request\",\"error_description\":\"Cannot POST /revoke\"}",
            ),
        },
        Example {
            note: "empty",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "500\nContent-Length: 0",
            then: Then::Becomes(
                "500\nContent-Length: 0\nContent-Type: application/json\n\n{\"error\":\"server_error\",\
                 \"error_description\":\"The server answered 500 without a reason\"}",
            ),
        },
        Example {
            note: "a description that is null",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_grant\",\"error_description\":null,\"error_uri\":null}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"error\":\"invalid_grant\"}"),
        },
        Example {
            note: "as it should be",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"own\",\"own\":null}",
            then: Then::Sound,
        },
        Example {
            note: "too long to be read",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "500\nContent-Type: text/html\nContent-Length: 9999999",
            then: Then::Sound,
        },
        Example {
            note: "no token request",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "400\nContent-Type: text/plain\n\nno",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(said) = Said::by(reply) else { return Outcome::Sound };
    let is_text =
        |name: &str| reply.json().is_none_or(|document| matches!(document.get(name), None | Some(Value::String(_))));
    if said.has_code() && is_text("error_description") && is_text("error_uri") {
        return Outcome::Sound;
    }
    let status = match reply.status {
        status if said.has_code() => status,
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => reply.status,
        // A 400 of the revocation endpoint speaks of the token; a router's 404 or a firewall's 403 must not seem to.
        status if request.class == Class::Revoke => status,
        status if status.is_client_error() => StatusCode::BAD_REQUEST,
        status => status,
    };
    let edits = refuse(reply, status, &said.meant, &said);
    Outcome::mended("an error that is not in the form of RFC 6749", edits)
}
