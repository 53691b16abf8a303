//! E-01, D-25: an endpoint that is not at the path that clients guess.

use http::{Method, StatusCode};

use super::is_repeatable;
use crate::client::who;
use crate::edit::origin::after_origin;
use crate::endpoint::{self, Class};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "oauth.elsewhere",
    rows: &["E-01", "D-25"],
    summary: "`/authorize`, `/token`, `/register` or `/revoke` is not found, and the endpoint is at another path",
    why: "Clients that find no metadata, or do not look, use these paths at the origin of the MCP endpoint.",
    hits: "claude.ai, Cursor, clients of MCP 2025-03-26",
    stops: who::CLAUDE.and(who::CURSOR),
    remedy: "Asks the upstream at the path that its own metadata name, with method, query and body kept.",
    advice: "Serve the endpoints at these paths too.",
    basis: &[basis::SERVER_DEFAULTS],
    default: Mode::Fix,
    on: &[Class::Authorize, Class::Register, Class::Token, Class::Revoke],
    gate: &[&[Feature::NotFound, Feature::MethodNotAllowed]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a guessed token endpoint",
            site: SiteKind::Pathed,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "404\nContent-Type: text/html",
            then: Then::Asks("POST /auth/token\n\ngrant_type=authorization_code&code=c"),
        },
        Example {
            note: "a guessed authorization endpoint",
            site: SiteKind::Pathed,
            request: "GET /authorize?client_id=a&state=b%2fc",
            reply: "404",
            then: Then::Asks("GET /auth/authorize?client_id=a&state=b%2fc"),
        },
        Example {
            note: "a guessed registration endpoint",
            site: SiteKind::Pathed,
            request: "POST /register\n\n{\"client_name\":\"c\"}",
            reply: "405",
            then: Then::Asks("POST /auth/register\n\n{\"client_name\":\"c\"}"),
        },
        Example {
            note: "the endpoint itself",
            site: SiteKind::Pathed,
            request: "POST /auth/token\n\ngrant_type=authorization_code&code=c",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "something is at the guessed path",
            site: SiteKind::Pathed,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "400",
            then: Then::Sound,
        },
        Example {
            note: "another host's authorization server",
            site: SiteKind::Foreign,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "404",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let is_absent = matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    let is_visit = request.class == Class::Authorize && request.method == Method::GET;
    is_absent && (is_visit || is_repeatable(request))
}

fn run(site: &Site<'_>, request: &Request, _: &Reply) -> Outcome {
    let Some(place) = site.known.endpoints.path_of(request.class) else { return Outcome::Sound };
    if !site.has_own_authorization_server() || place == request.path() || !endpoint::is_plain(place) {
        return Outcome::Sound;
    }
    let target = match request.query() {
        Some(query) => format!("{place}?{query}"),
        None => place.to_owned(),
    };
    let outcome = Outcome::again("the endpoint is at another path", Ask::at(target));
    // Who finds the metadata where they have to be does not guess.
    let path = site.known.issuer.as_deref().and_then(after_origin).unwrap_or_default();
    let found = site.known.server_metadata_path.as_ref();
    if found.is_some_and(|found| endpoint::server_metadata_places(path).contains(found)) {
        return outcome.stopping(who::NOBODY);
    }
    outcome
}
