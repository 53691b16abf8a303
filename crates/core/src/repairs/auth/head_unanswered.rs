//! F-36: a HEAD of an endpoint that wants a token.

use http::{Method, StatusCode};

use super::{Lack, brings_credentials, is_of_a_foreign_page, may_be_refused, refuse};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.head-unanswered",
    rows: &["F-36"],
    summary: "a HEAD of the endpoint without a token is not refused as a message would be",
    why: "Hosted clients look with HEAD whether there is a server and whether it wants a login. Servers that \
          know no HEAD say 404, 405 or 500.",
    hits: "claude.ai when a connector is saved",
    stops: who::CLAUDE,
    remedy: "Answers 401 with a challenge if no credentials came and a stranger's message is known to be refused.",
    advice: "Check the token before the method is looked at.",
    basis: &[basis::CHALLENGE_MCP, basis::HEAD_METHOD],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[
        &[Feature::Head],
        &[Feature::WithoutToken],
        &[Feature::NotFound, Feature::BadRequest, Feature::MethodNotAllowed, Feature::InternalServerError],
    ],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "not allowed",
            site: SiteKind::HalfOpen,
            request: "HEAD /mcp",
            reply: "405\nAllow: POST",
            then: Then::Becomes(
                "401\nAllow: POST\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n(empty)",
            ),
        },
        Example {
            note: "with a token",
            site: SiteKind::HalfOpen,
            request: "HEAD /mcp\nAuthorization: Bearer t",
            reply: "405",
            then: Then::Sound,
        },
        Example {
            note: "strangers are let in",
            site: SiteKind::LetsIn,
            request: "HEAD /mcp",
            reply: "405",
            then: Then::Sound,
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "HEAD /mcp",
            reply: "404",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.method == Method::HEAD
        && !request.authorized
        && may_be_refused(request)
        && !reply.cut_off
        && !brings_credentials(request)
        && matches!(
            reply.status,
            StatusCode::NOT_FOUND
                | StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::INTERNAL_SERVER_ERROR
        )
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let refuses = site.known.anonymous_status.is_some_and(|status| status.is_client_error());
    if !refuses || is_of_a_foreign_page(site, request) || !site.serves_resource_metadata() {
        return Outcome::Sound;
    }
    Outcome::mended("a HEAD that needs a token without one", refuse(site, request, reply, Lack::Token))
}
