//! C-17: the metadata promise `iss` in authorization responses, and this one has none.

use http::header::LOCATION;

use super::{is_redirect, leads_back, location, set_location, with_promised_iss};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "authorize.iss-missing",
    rows: &["C-17"],
    summary: "`iss` in authorization responses is promised, and the redirect to the client has none",
    why: "A client that reads the promise refuses a response without `iss`: it could come from another server.",
    hits: "TypeScript SDK v2, Python SDK, rmcp, Claude Code",
    stops: who::TYPESCRIPT_2.and(who::PY2).and(who::RUST),
    remedy: "Adds `iss` with our issuer to the redirect of the upstream's own authorization server: the proxy itself \
             got it from there. One that is there already is left to `identity.location`.",
    advice: "Send `iss` in every authorization response, errors included, or do not promise it.",
    basis: &[basis::ISS_SENT, basis::ISS],
    default: Mode::Fix,
    on: &[Class::Authorize, Class::Other],
    gate: &[&[Feature::Location]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a code",
            site: SiteKind::Pathed,
            request: "POST /consent",
            reply: "302\nLocation: http://127.0.0.1:9/cb?code=a%2fb&state=x+y",
            then: Then::Becomes(
                "302\nLocation: http://127.0.0.1:9/cb?code=a%2fb&state=x+y&iss=https%3A%2F%2Fmcp.example.com",
            ),
        },
        Example {
            note: "a refusal, before a fragment",
            site: SiteKind::Pathed,
            request: "GET /auth/authorize",
            reply: "303\nLocation: cursor://a/cb?error=access_denied&state=s#_=_",
            then: Then::Becomes(
                "303\nLocation: cursor://a/cb?error=access_denied&state=s&iss=https%3A%2F%2Fmcp.example.com#_=_",
            ),
        },
        Example {
            note: "promised because it was seen",
            site: SiteKind::Taught,
            request: "GET /authorize?client_id=a&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&state=s",
            reply: "302\nLocation: http://127.0.0.1:9/cb?error=access_denied&state=s",
            then: Then::Becomes(
                "302\nLocation: http://127.0.0.1:9/cb?error=access_denied&state=s&iss=https%3A%2F%2Fmcp.example.com",
            ),
        },
        Example {
            note: "an error to a client that sent no state",
            site: SiteKind::Pathed,
            request: "GET /auth/authorize?client_id=a&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb",
            reply: "302\nLocation: http://127.0.0.1:9/cb?error=access_denied",
            then: Then::Becomes(
                "302\nLocation: http://127.0.0.1:9/cb?error=access_denied&iss=https%3A%2F%2Fmcp.example.com",
            ),
        },
        Example {
            note: "never promised",
            site: SiteKind::Cohosted,
            request: "POST /consent",
            reply: "302\nLocation: http://127.0.0.1:9/cb?code=c&state=s",
            then: Then::Sound,
        },
        Example {
            note: "there",
            site: SiteKind::Pathed,
            request: "POST /consent",
            reply: "302\nLocation: http://127.0.0.1:9/cb?code=c&state=s&iss=https%3A%2F%2Fmcp.example.com",
            then: Then::Sound,
        },
        Example {
            note: "a page of the upstream's own",
            site: SiteKind::Pathed,
            request: "POST /login",
            reply: "302\nLocation: /cb?code=c&state=s",
            then: Then::Sound,
        },
        Example {
            note: "no authorization response",
            site: SiteKind::Pathed,
            request: "GET /auth/authorize",
            reply: "302\nLocation: https://login.example.net/?client_id=a&state=s",
            then: Then::Sound,
        },
    ],
};

fn when(_: &Request, reply: &Reply) -> bool {
    is_redirect(reply) && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(location) = location(reply) else { return Outcome::Sound };
    let is_answer = request.class == Class::Authorize && leads_back(site, request, location);
    let edits = with_promised_iss(site, location, is_answer).and_then(|named| set_location(&named));
    edits.map_or(Outcome::Sound, |edits| Outcome::mended("the promised iss is missing", edits))
}
