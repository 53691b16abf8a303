//! A token that cannot be revoked because there is none (RFC 7009 section 2.2).

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::words::is_about_dead_token;
use super::{Said, is_refused};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.revoke-unknown",
    rows: &["E-12", "E-11"],
    summary: "the revocation endpoint refuses a token that it does not know",
    why: "The client wants the token to be of no use, and it is. Told of an error it keeps the token, tries again, or \
          does not finish logging out.",
    hits: "clients that log out",
    stops: who::NOBODY,
    remedy: "Becomes `200` where the upstream is the authorization server: at a 400 with `invalid_token` or \
             `invalid_grant`, or one that says in so many words that the token is unknown, expired or revoked. A 404 is a \
             router's and stays a refusal, as does every 401, 403 and 5xx.",
    advice: "Answer `200` to the revocation of a token that is not valid.",
    basis: &[basis::REVOKED],
    default: Mode::Fix,
    on: &[Class::Revoke],
    gate: &[&[Feature::Post], &[Feature::BadRequest, Feature::NotFound]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| {
            is_refused(request, reply) && matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)
        },
        run,
    },
    examples: &[
        Example {
            note: "its own code",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_token\"}",
            then: Then::Becomes("200\n\n(empty)"),
        },
        Example {
            note: "404, and a code",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "404\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_grant\"}",
            then: Then::Sound,
        },
        Example {
            note: "in words",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"Token not found\"}",
            then: Then::Becomes("200\n\n(empty)"),
        },
        Example {
            note: "something else is said of the token",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"The token was not revoked: unknown tenant\"}",
            then: Then::Sound,
        },
        Example {
            note: "the endpoint is not found",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "404\nContent-Type: application/json\n\n\
                    {\"message\":\"Route POST:/oauth/revoke-token not found\",\"error\":\"Not Found\",\"statusCode\":404}",
            then: Then::Sound,
        },
        Example {
            note: "404 without a code",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "404\nContent-Type: application/json\n\n\
                    {\"message\":\"Token not found\"}",
            then: Then::Sound,
        },
        Example {
            note: "refused",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "403\nContent-Type: application/json\n\n\
                    {\"error\":\"forbidden\",\"message\":\"Token revocation refused: invalid IP address\"}",
            then: Then::Sound,
        },
        Example {
            note: "another authorization server",
            site: SiteKind::Foreign,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_token\"}",
            then: Then::Sound,
        },
        Example {
            note: "no authorization server",
            site: SiteKind::Open,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"message\":\"invalid token for device\"}",
            then: Then::Sound,
        },
        Example {
            note: "a kind of token that is not revoked",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"unsupported_token_type\",\"error_description\":\"Unknown token\"}",
            then: Then::Sound,
        },
        Example {
            note: "it is about the client",
            site: SiteKind::Cohosted,
            request: "POST /revoke\n\ntoken=t",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client\",\"error_description\":\"Token not found\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    // A 404 is a router's as a rule: it knows of no endpoint, let alone of tokens.
    if !site.has_own_authorization_server() || reply.status != StatusCode::BAD_REQUEST {
        return Outcome::Sound;
    }
    let Some(said) = Said::by(reply) else { return Outcome::Sound };
    let is_dead = match said.meant.as_str() {
        "invalid_token" | "invalid_grant" => true,
        "invalid_request" => said.any(is_about_dead_token) && !said.mentions(&["client"]) && !said.lacks_something(),
        _ => false,
    };
    if !is_dead {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.status(StatusCode::OK);
    edits.remove(CONTENT_TYPE);
    edits.remove(CONTENT_LENGTH);
    edits.empty();
    Outcome::mended("a token that is not valid anyway", edits)
}
