//! a 401 that is a page.

use http::Method;

use super::{Lack, explain, is_unauthorized};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.page-as-refusal",
    rows: &["A-14"],
    summary: "the body of a 401 is a page for people",
    why: "Clients show the body of a 401 as the reason. A page becomes a screenful of tags, in a terminal or a log.",
    hits: "Claude, Claude Code, MCP Inspector: the error text",
    stops: who::NOBODY,
    remedy: "Puts a JSON error in its place (`unauthorized`, or `invalid_token` if a token was sent). Challenge, \
             Retry-After and cookies stay; browsers that ask for a page get it.",
    advice: "Answer the MCP endpoint's 401 with `application/json` and `{\"error\": ..., \"error_description\": ...}`.",
    basis: &[basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Unauthorized], &[Feature::Html, Feature::OtherType]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "nginx",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "401\nContent-Type: text/html\nContent-Length: 172\nContent-Encoding: gzip\nRetry-After: 1\n\
                    WWW-Authenticate: Bearer realm=\"r\"",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nRetry-After: 1\n\
                 WWW-Authenticate: Bearer realm=\"r\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "with a token",
            site: SiteKind::Open,
            request: "GET /mcp\nAuthorization: Bearer t",
            reply: "401\nContent-Type: text/html; charset=utf-8",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token is invalid\"}",
            ),
        },
        Example {
            note: "a browser gets its page",
            site: SiteKind::Open,
            request: "GET /mcp\nAccept: text/html",
            reply: "401\nContent-Type: text/html",
            then: Then::Sound,
        },
        Example {
            note: "text is short",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nContent-Type: text/plain",
            then: Then::Sound,
        },
        Example {
            note: "there is no body",
            site: SiteKind::Open,
            request: "HEAD /mcp",
            reply: "401\nContent-Type: text/html",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    is_unauthorized(request, reply)
        && request.preflight.is_none()
        && !matches!(request.method, Method::HEAD | Method::OPTIONS)
        && (request.method == Method::POST || !request.wants_page)
        && (reply.is_of("text/html") || reply.is_of("application/xhtml+xml"))
}

fn run(_: &Site<'_>, request: &Request, _: &Reply) -> Outcome {
    let lack = if request.authorized { Lack::ValidToken } else { Lack::Token };
    // The rule is about the challenge; what the body has to be is nowhere said.
    Outcome::mended("a 401 with a page", explain(request, lack)).within_the_rules()
}
