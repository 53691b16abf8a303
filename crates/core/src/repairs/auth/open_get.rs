//! a GET without a token that is let in or left waiting, although a message is refused.

use http::Method;

use super::{Lack, brings_credentials, is_of_a_foreign_page, may_be_refused, refusal};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.open-get",
    rows: &["A-12"],
    summary: "a GET of the MCP endpoint without a token is let in or left waiting, although messages need one",
    why: "Clients that look with GET whether a login is needed see an open server, or wait for an answer that does not \
          come: rmcp for thirty seconds.",
    hits: "rmcp clients, older mcp-remote, hosted clients that look with HEAD",
    stops: who::RUST,
    remedy: "Answers GET and HEAD without credentials with 401 and a challenge, once a stranger's message was seen to be \
             refused and a GET was not. Browsers that ask for a page get it as before.",
    advice: "Check the token on every method of the MCP endpoint.",
    basis: &[basis::TOKEN_HANDLING, basis::TOKEN_USAGE],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Get, Feature::Head], &[Feature::WithoutToken], &[Feature::Guarded]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "a stream for anybody",
            site: SiteKind::HalfOpen,
            request: "GET /mcp\nAccept: text/event-stream",
            reply: "",
            then: Then::Answers(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "HEAD",
            site: SiteKind::HalfOpen,
            request: "HEAD /mcp",
            reply: "",
            then: Then::Answers(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n(empty)",
            ),
        },
        Example {
            note: "a browser gets its page",
            site: SiteKind::HalfOpen,
            request: "GET /mcp\nAccept: text/html,*/*",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "whoever brings something else is no stranger",
            site: SiteKind::HalfOpen,
            request: "GET /mcp\nX-Api-Key: k",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a page that may not ask is refused for that",
            site: SiteKind::HalfOpen,
            request: "GET /mcp\nOrigin: https://evil.example",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a session that is under way",
            site: SiteKind::HalfOpen,
            request: "GET /mcp\nMcp-Session-Id: s",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "with a token",
            site: SiteKind::HalfOpen,
            request: "GET /mcp\nAuthorization: Bearer t",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a GET is refused here, or nothing is known",
            site: SiteKind::Cohosted,
            request: "GET /mcp",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    !request.authorized
        && may_be_refused(request)
        && matches!(request.method, Method::GET | Method::HEAD)
        && !request.wants_page
        // Only of a stranger is it known that a message of his is refused.
        && request.query().is_none_or(str::is_empty)
        && !brings_credentials(request)
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    if !site.known.open_get || is_of_a_foreign_page(site, request) || !site.serves_resource_metadata() {
        return Outcome::Sound;
    }
    let Some(reply) = refusal(site, request, Lack::Token) else { return Outcome::Sound };
    Outcome::answer("a GET that needs a token without one", reply)
}
