//! C-17: an authorization response that a login page's script gets as JSON and goes to itself.

use http::{Method, StatusCode};
use serde_json::json;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::authorize::with_promised_iss;
use crate::repairs::basis;

/// Where login pages keep the address to go to.
const MEMBERS: [&str; 5] = ["url", "redirect_uri", "redirect_to", "redirectTo", "location"];

/// An answer that says where to go is short. Longer ones are not read at all.
const LONGEST: u64 = 16 * 1024;

pub static REPAIR: Repair = Repair {
    id: "identity.redirect-document",
    rows: &["C-17"],
    summary: "the login page's script gets a redirect with an `iss` that is not our issuer",
    why: "Some servers answer the login or consent form with JSON such as `{\"redirect\":true,\"url\":\"...\"}` and let \
          a script go there. The client then compares `iss` in that URL with the issuer of the metadata.",
    hits: "TypeScript SDK v2, Python SDK, rmcp, Claude Code, at better-auth and others with script-driven logins",
    stops: who::TYPESCRIPT_2.and(who::PY2).and(who::RUST).and(who::GO).and(who::AI_SDK),
    remedy: "`iss` in that URL changes as the issuer did, and is added where it is promised and missing. \
             Read only where a page's script gets a short JSON answer.",
    advice: "Build the issuer from the public base URL.",
    basis: &[basis::ISS],
    default: Mode::Fix,
    on: &[Class::Other, Class::Authorize],
    gate: &[&[Feature::Ok]],
    hook: Hook::Reply { needs: Needs::Json, when, run },
    examples: &[
        Example {
            note: "better-auth's consent",
            site: SiteKind::Pathed,
            request: "POST /auth/oauth2/consent\nOrigin: http://localhost:3000",
            reply: "200\nContent-Type: application/json\nContent-Length: 99\n\n\
                    {\"redirect\":true,\"url\":\"http://h:1/cb?code=c&state=s&iss=http%3A%2F%2Flocalhost%3A3000%2Fauth\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\nContent-Length: 99\n\n\
                 {\"redirect\":true,\"url\":\"http://h:1/cb?code=c&state=s&iss=https%3A%2F%2Fmcp.example.com\"}",
            ),
        },
        Example {
            note: "without the promised iss",
            site: SiteKind::Pathed,
            request: "POST /auth/oauth2/consent\nOrigin: http://localhost:3000",
            reply: "200\nContent-Type: application/json\nContent-Length: 99\n\n\
                    {\"redirect\":true,\"url\":\"http://h:1/cb?code=c&state=s\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\nContent-Length: 99\n\n\
                 {\"redirect\":true,\"url\":\"http://h:1/cb?code=c&state=s&iss=https%3A%2F%2Fmcp.example.com\"}",
            ),
        },
        Example {
            note: "the application's own data",
            site: SiteKind::Pathed,
            request: "POST /api/items\nOrigin: https://mcp.example.com",
            reply: "200\nContent-Type: application/json\nContent-Length: 30\n\n{\"url\":\"https://other.example/?code=1\"}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    // A script's POST carries an Origin, always (Fetch, append a request Origin header); a program's does not.
    let from_page = request.method == Method::POST && request.origin.is_some();
    (from_page || request.class == Class::Authorize)
        && reply.status == StatusCode::OK
        && reply.is_json()
        && reply.declared_length().is_none_or(|length| length <= LONGEST)
}

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    // Only an upstream that is its own authorization server sends authorization responses.
    if !site.has_own_authorization_server() {
        return Outcome::Sound;
    }
    let Some(mut document) = reply.json().cloned() else { return Outcome::Sound };
    let (mut any, mut blameless) = (false, true);
    for name in MEMBERS {
        let Some(url) = document.text(name) else { continue };
        let public = super::with_public_iss(site, &url).or_else(|| with_promised_iss(site, &url, false));
        if let Some(public) = public {
            document.set(name, json!(public));
            any = true;
            blameless &= super::iss_of(&url).is_some_and(|iss| super::is_its_own_issuer(site, &iss));
        }
    }
    if !any {
        return Outcome::Sound;
    }
    let edits = Edits::to_document(document);
    Outcome::mended("iss is not the public issuer, or missing", edits).blameless_if(blameless)
}
