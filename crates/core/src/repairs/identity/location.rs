//! C-16, C-17: header fields that lead to the upstream's own address, and `iss` in a redirect that passes through.

use http::HeaderValue;
use http::header::{CONTENT_LOCATION, LINK, LOCATION};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "identity.location",
    rows: &["C-16", "C-17"],
    summary: "Location or Link leads to the upstream's own address, or `iss` in a redirect is not our issuer",
    why: "A browser that is sent to an internal host ends the login there. A client compares `iss` with the issuer of \
          the metadata, to the byte, and throws the code away at a difference.",
    hits: "every client in the login; TypeScript SDK v2, Python SDK, rmcp, Claude Code for `iss`",
    stops: who::EVERYBODY,
    remedy: "URLs on the upstream's own origin become public ones; `iss` changes as the issuer did. All other bytes of \
             the redirect stay; one to another host is only corrected in `iss`.",
    advice: "Build redirects from the public base URL, or send relative ones.",
    basis: &[basis::ISS, basis::LOCATION],
    default: Mode::Fix,
    on: &Class::ALL,
    gate: &[&[Feature::Location, Feature::Link]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a login page",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a",
            reply: "302\nLocation: http://localhost:3000/login?next=%2Fauthorize",
            then: Then::Becomes("302\nLocation: https://mcp.example.com/login?next=%2Fauthorize"),
        },
        Example {
            note: "iss, and nothing else",
            site: SiteKind::Pathed,
            request: "POST /consent",
            reply: "303\nLocation: http://localhost:9999/cb?code=a%2Fb&iss=http%3A%2F%2Flocalhost%3A3000%2Fauth&state=x+y",
            then: Then::Becomes(
                "303\nLocation: http://localhost:9999/cb?code=a%2Fb&iss=https%3A%2F%2Fmcp.example.com&state=x+y",
            ),
        },
        Example {
            note: "a link",
            site: SiteKind::Open,
            request: "GET /docs",
            reply: "200\nLink: <http://127.0.0.1:3000/a>; rel=\"next\", <https://other.example/b>; rel=\"alternate\"",
            then: Then::Becomes(
                "200\nLink: <https://mcp.example.com/a>; rel=\"next\", <https://other.example/b>; rel=\"alternate\"",
            ),
        },
        Example {
            note: "the client's callback on another port of this machine",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a",
            reply: "302\nLocation: http://localhost:3001/cb?code=c&state=s&iss=https%3A%2F%2Fmcp.example.com",
            then: Then::Sound,
        },
        Example {
            note: "another host's issuer",
            site: SiteKind::Foreign,
            request: "GET /callback",
            reply: "302\nLocation: https://claude.ai/api/mcp/auth_callback?code=c&iss=https%3A%2F%2Flogin.example.net%2Ft",
            then: Then::Sound,
        },
        Example {
            note: "a relative one",
            site: SiteKind::Cohosted,
            request: "GET /authorize",
            reply: "302\nLocation: /login",
            then: Then::Sound,
        },
    ],
};

fn when(_: &Request, reply: &Reply) -> bool {
    let headers = &reply.headers;
    headers.contains_key(LOCATION) || headers.contains_key(LINK) || headers.contains_key(CONTENT_LOCATION)
}

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let headers = &reply.headers;
    let said = headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(super::iss_of);
    let [location, content_location] =
        [LOCATION, CONTENT_LOCATION].map(|name| changed(headers.get_all(name).iter(), |text| site.to_public(text)));
    let with_iss = |text: &str| super::with_public_iss(site, text);
    let named = match &location {
        Some(moved) => changed(moved.iter(), with_iss),
        None => changed(headers.get_all(LOCATION).iter(), with_iss),
    };
    let linked = changed(headers.get_all(LINK).iter(), |text| links(site, text));
    let is_moved = location.is_some() || content_location.is_some() || linked.is_some();
    let is_named = named.is_some();
    let mut edits = Edits::new();
    for (name, lines) in [(LOCATION, location), (CONTENT_LOCATION, content_location), (LOCATION, named), (LINK, linked)]
    {
        if let Some(lines) = lines {
            edits.set_all(&name, lines);
        }
    }
    match (is_moved, is_named) {
        (false, false) => Outcome::Sound,
        (true, _) => Outcome::mended("a header leads to the upstream's own address", edits),
        (false, true) => {
            let is_right = said.is_some_and(|iss| super::is_its_own_issuer(site, &iss));
            Outcome::mended("iss is not the public issuer", edits).blameless_if(is_right)
        }
    }
}

/// All lines of a field as they shall be; `None` if none of them changes.
fn changed<'a>(
    lines: impl Iterator<Item = &'a HeaderValue>,
    new: impl Fn(&str) -> Option<String>,
) -> Option<Vec<HeaderValue>> {
    let mut any = false;
    let lines = lines.map(|line| {
        let other = line.to_str().ok().and_then(&new).and_then(|text| HeaderValue::from_str(&text).ok());
        any |= other.is_some();
        other.unwrap_or_else(|| line.clone())
    });
    let lines = lines.collect();
    any.then_some(lines)
}

/// The targets of links (RFC 8288 section 3): what stands in angle brackets.
fn links(site: &Site<'_>, text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut changed) = (text, false);
    while let Some((before, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else { break };
        let public = site.to_public(target);
        changed |= public.is_some();
        out.push_str(before);
        out.push('<');
        out.push_str(public.as_deref().unwrap_or(target));
        out.push('>');
        rest = after;
    }
    out.push_str(rest);
    changed.then_some(out)
}
