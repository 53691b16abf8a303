//! H-03, A-15: headers that a page needs and the browser hides.

use http::header::{ACCESS_CONTROL_EXPOSE_HEADERS, HeaderMap, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};

use super::{LISTED, allowed_origin};
use crate::client::who;
use crate::edit::list;
use crate::endpoint::SESSION;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// The challenge, the session, the version, and how long to wait.
const NAMES: [&str; 4] = ["WWW-Authenticate", "Mcp-Session-Id", "MCP-Protocol-Version", "Retry-After"];

/// The same as a header line.
const LINE: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After";

pub static REPAIR: Repair = Repair {
    id: "cors.expose",
    rows: &["H-03", "A-15"],
    summary: "a page cannot read the challenge or the session id",
    why: "Browsers show a page only a few header fields of an answer. Without Access-Control-Expose-Headers a web \
          client sees neither where to log in nor its session.",
    hits: "MCP Inspector in direct mode, web clients",
    stops: who::BROWSERS,
    remedy: "Names WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version and Retry-After in \
             Access-Control-Expose-Headers, beside what the upstream exposes.",
    advice: "Send `Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id` with every answer of the endpoint.",
    basis: &[basis::FETCH_EXPOSE],
    default: Mode::Fix,
    on: LISTED,
    gate: &[&[Feature::Origin, Feature::Unauthorized]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "the challenge of a 401",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer\nAccess-Control-Expose-Headers: X-Request-Id",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer\nAccess-Control-Expose-Headers: X-Request-Id, WWW-Authenticate, \
                 Mcp-Session-Id, MCP-Protocol-Version, Retry-After",
            ),
        },
        Example {
            note: "the session of a success",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://claude.ai",
            reply: "200\nMcp-Session-Id: 1",
            then: Then::Becomes(
                "200\nMcp-Session-Id: 1\nAccess-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id, \
                 MCP-Protocol-Version, Retry-After",
            ),
        },
        Example {
            note: "all of them are there",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://claude.ai",
            reply: "200\nAccess-Control-Expose-Headers: mcp-session-id,www-authenticate\n\
                    Access-Control-Expose-Headers: MCP-Protocol-Version, Retry-After",
            then: Then::Sound,
        },
        Example {
            note: "no page reads this",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "200\nMcp-Session-Id: 1",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.preflight.is_none() && (request.origin.is_some() || reply.status == StatusCode::UNAUTHORIZED)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let read_by_page = reply.status == StatusCode::UNAUTHORIZED || allowed_origin(site, request).is_some();
    if !read_by_page || exposes_all(&reply.headers) {
        return Outcome::Sound;
    }
    // What is not there cannot be read either.
    let is_hidden = |name: HeaderName| {
        reply.headers.contains_key(&name)
            && !list::contains(&reply.headers, ACCESS_CONTROL_EXPOSE_HEADERS, name.as_str())
    };
    let hides_none = !is_hidden(WWW_AUTHENTICATE) && !is_hidden(SESSION);
    let line = match reply.headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS) {
        true => list::with(&reply.headers, &ACCESS_CONTROL_EXPOSE_HEADERS, &NAMES),
        false => Some(HeaderValue::from_static(LINE)),
    };
    let Some(line) = line else { return Outcome::Sound };
    let mut edits = Edits::new();
    edits.set(ACCESS_CONTROL_EXPOSE_HEADERS, line);
    Outcome::mended("the challenge or the session is hidden from pages", edits).blameless_if(hides_none)
}

/// `*` exposes everything but Authorization to a page that sends no cookies, as MCP clients do not.
fn exposes_all(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS)
        && (list::contains(headers, ACCESS_CONTROL_EXPOSE_HEADERS, "*") || all_named(headers))
}

fn all_named(headers: &HeaderMap) -> bool {
    NAMES.iter().all(|name| list::contains(headers, ACCESS_CONTROL_EXPOSE_HEADERS, name))
}
