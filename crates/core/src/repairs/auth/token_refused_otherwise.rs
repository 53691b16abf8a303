//! 403, 400, 500 or 200 where the token is invalid or has expired.

use http::{Method, StatusCode};

use super::{Lack, challenged_error, may_be_refused, refuse, said, words};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// The longest success that is looked at: what is longer is a result.
const LONGEST_SUCCESS: u64 = 1024;

pub static REPAIR: Repair = Repair {
    id: "auth.token-refused-otherwise",
    rows: &["A-10"],
    summary: "an invalid or expired token is refused with another status than 401",
    why: "Only a 401 makes a client refresh its token or log in again. After anything else its tools fail until somebody \
          connects anew by hand.",
    hits: "every client, once its first token has expired",
    stops: who::EVERYBODY,
    remedy: "Makes it 401 with `error=\"invalid_token\"`, where the answer says in words that the token is invalid, \
             expired or revoked: 400, 403, 422, 500, and a small JSON-RPC error in a 200. Not where it speaks of \
             scopes or permissions, of another token or of another server, and never a result.",
    advice: "Answer with 401 and `Bearer error=\"invalid_token\"` whenever a token does not check out.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[
        &[Feature::WithToken],
        &[Feature::Guarded],
        &[
            Feature::BadRequest,
            Feature::Forbidden,
            Feature::OtherClientError,
            Feature::InternalServerError,
            Feature::ErrorInside,
        ],
    ],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "403 that names the error",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"invalid_token\"}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token is invalid\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token is invalid\"}",
            ),
        },
        Example {
            note: "an error that nobody caught",
            site: SiteKind::Foreign,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "500\nContent-Type: text/plain\n\nTokenExpiredError: jwt expired",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token expired\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token expired\"}",
            ),
        },
        Example {
            note: "the challenge alone says it, with words that stay",
            site: SiteKind::Cohosted,
            request: "GET /mcp\nAuthorization: Bearer t",
            reply: "400\nWWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"gone\"",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"gone\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token is invalid\"}",
            ),
        },
        Example {
            note: "a JSON-RPC error in a success",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "200\nContent-Type: application/json\nContent-Length: 78\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32001,\"message\":\"Token has expired\"}}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token expired\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token expired\"}",
            ),
        },
        Example {
            note: "a JSON-RPC error in a success, of unknown length",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32001,\"message\":\"Token has expired\"}}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token expired\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token expired\"}",
            ),
        },
        Example {
            note: "a result, whatever it says",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "200\nContent-Type: application/json\nContent-Length: 78\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"result\":{\"isError\":true,\"message\":\"Token has expired\"}}",
            then: Then::Sound,
        },
        Example {
            note: "a parameter of a tool",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32602,\"message\":\"Invalid token: USDX\"}}",
            then: Then::Sound,
        },
        Example {
            note: "rights",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n\
                    {\"message\":\"The token is invalid for this: missing permission\"}",
            then: Then::Sound,
        },
        Example {
            note: "a real 403",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"Forbidden\"}",
            then: Then::Sound,
        },
        Example {
            note: "another token",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"Invalid or expired session token\"}",
            then: Then::Sound,
        },
        Example {
            note: "what a tool asked refused its token",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "200\nContent-Type: application/json\nContent-Length: 91\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32603,\"message\":\"Weather API: invalid token\"}}",
            then: Then::Sound,
        },
        Example {
            note: "the upstream's own token, elsewhere",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "500\nContent-Type: application/json\n\n\
                    {\"error\":\"Billing API rejected our token: token expired\"}",
            then: Then::Sound,
        },
        Example {
            note: "an internal error that says more than that",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "500\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32603,\"message\":\"Weather report: invalid token\"}}",
            then: Then::Sound,
        },
        Example {
            note: "an internal error that says nothing else",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "500\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\
                    \"error\":{\"code\":-32603,\"message\":\"Invalid token.\"}}",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token is invalid\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token is invalid\"}",
            ),
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "403\nContent-Type: application/json\n\n{\"error\":\"invalid_token\"}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    if !request.authorized || !may_be_refused(request) {
        return false;
    }
    match reply.status {
        // 404 says that the session is over (MCP 2025-11-25, Session Management).
        StatusCode::BAD_REQUEST
        | StatusCode::FORBIDDEN
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::INTERNAL_SERVER_ERROR => true,
        StatusCode::OK => {
            request.method == Method::POST
                && reply.is_error_inside()
                && reply.is_json()
                && reply.declared_length().is_none_or(|length| length <= LONGEST_SUCCESS)
        }
        _ => false,
    }
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let text = said::of(reply).unwrap_or_default();
    if !site.serves_resource_metadata() || words::speaks_of_rights(&text) || !means_a_bad_token(reply, &text) {
        return Outcome::Sound;
    }
    let what = format!("{} instead of 401 for a bad token", reply.status.as_u16());
    let lack = if words::speaks_of_expiry(&text) { Lack::FreshToken } else { Lack::ValidToken };
    Outcome::mended(what, refuse(site, request, reply, lack))
}

fn means_a_bad_token(reply: &Reply, text: &str) -> bool {
    let is_success = reply.status == StatusCode::OK;
    if !is_success && challenged_error(reply).as_deref() == Some("invalid_token") {
        return true;
    }
    let is_error = |object: &Object| object.has("error") && !object.has("result");
    words::speaks_of_bad_token(text)
        && !words::speaks_of_another_party(text)
        && !said::is_about_the_message(reply)
        && (!is_success || reply.json().is_some_and(is_error))
}
