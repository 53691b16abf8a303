//! a bearer token that says itself that its time is over (field report 31).

use super::{Lack, is_of_a_foreign_page, may_be_refused, refusal};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.token-expired",
    rows: &["A-10"],
    summary: "a request carries a token that has expired, which many servers do not answer with 401",
    why: "Servers answer an expired token with 403, 500, a redirect or an error in a tool's result. Clients refresh a \
          token after a 401 and nothing else.",
    hits: "every client, once its first token has expired",
    stops: who::EVERYBODY,
    remedy: "Answers 401 with `error=\"invalid_token\"` without asking the upstream, where clients log in and the bearer \
             token is a JWT whose `exp` passed a minute ago or earlier. Such a request is never let in.",
    advice: "Check `exp` before the message is looked at, and answer 401 with `Bearer error=\"invalid_token\"`.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS, basis::JWT_EXPIRY],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::WithToken], &[Feature::Guarded]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "expired in 2001",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.sig",
            reply: "",
            then: Then::Answers(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token expired\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token expired\"}",
            ),
        },
        Example {
            note: "a HEAD is answered without a body",
            site: SiteKind::Cohosted,
            request: "HEAD /sse\nAuthorization: bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.sig",
            reply: "",
            then: Then::Answers(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token expired\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n(empty)",
            ),
        },
        Example {
            note: "good until 2096",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQwMDAwMDAwMDB9.sig",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a token that says nothing of itself",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer opaque",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a page that may not ask is refused for that",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nOrigin: https://evil.example\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.sig",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "POST /mcp\nAuthorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.sig",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.expired && may_be_refused(request)
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    if is_of_a_foreign_page(site, request) || !site.serves_resource_metadata() {
        return Outcome::Sound;
    }
    let Some(reply) = refusal(site, request, Lack::FreshToken) else { return Outcome::Sound };
    Outcome::answer("the token has expired", reply)
}
