//! H-02, H-04, H-06, A-15: `Access-Control-Allow-Origin` missing, doubled, contradictory or too wide.

use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap, VARY};

use super::{CALLED_BY_PAGES, allowed_origin};
use crate::client::who;
use crate::edit::list;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "cors.origin",
    rows: &["H-02", "H-04", "H-06", "A-15"],
    summary: "Access-Control-Allow-Origin is missing, given twice, or wider than it may be",
    why: "A browser hides an answer from a page unless exactly one value of this header names the page's origin, on \
          errors as well: the 401 that starts the login looks like a network failure.",
    hits: "MCP Inspector in direct mode, web clients, every page on another origin",
    stops: who::BROWSERS,
    remedy: "One value on answers of every status: `*` on discovery documents; on the MCP, registration, token and \
             revocation endpoints the page's own origin if it is listed, with `Vary: Origin`, and nothing otherwise. \
             A `*` or a reflected origin there is taken out.",
    advice: "List the origins that may call the endpoint; send the header on errors too (nginx: `always`), once.",
    basis: &[basis::FETCH_CHECK],
    default: Mode::Fix,
    on: CALLED_BY_PAGES,
    gate: &[&[Feature::Document, Feature::Origin, Feature::AllowsOrigin]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a listed origin, on an error",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://claude.ai",
            reply: "500\nVary: Accept",
            then: Then::Becomes("500\nAccess-Control-Allow-Origin: https://claude.ai\nVary: Accept, Origin"),
        },
        Example {
            note: "two values",
            site: SiteKind::Open,
            request: "POST /token\nOrigin: https://claude.com",
            reply: "200\nAccess-Control-Allow-Origin: *\nAccess-Control-Allow-Origin: https://claude.com\nVary: Origin",
            then: Then::Becomes("200\nAccess-Control-Allow-Origin: https://claude.com\nVary: Origin"),
        },
        Example {
            note: "never `*` on the MCP endpoint",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "200\nAccess-Control-Allow-Origin: *",
            then: Then::Becomes("200\nVary: Origin"),
        },
        Example {
            note: "never a reflected origin",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://evil.example",
            reply: "200\nAccess-Control-Allow-Origin: https://evil.example\nAccess-Control-Allow-Credentials: true",
            then: Then::Becomes("200\nVary: Origin"),
        },
        Example {
            note: "a public document",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-authorization-server\nOrigin: https://any.example",
            reply: "404\nAccess-Control-Allow-Origin: https://any.example\nAccess-Control-Allow-Credentials: true",
            then: Then::Becomes("404\nAccess-Control-Allow-Origin: *"),
        },
        Example {
            note: "a right answer",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://claude.ai",
            reply: "200\nAccess-Control-Allow-Origin: https://claude.ai\nVary: Origin",
            then: Then::Sound,
        },
        Example {
            note: "no page, nothing to say",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
        Example {
            note: "`null` is nobody's origin",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: null",
            reply: "200",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    super::concerns(request)
        && (request.is_document || request.origin.is_some() || reply.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN))
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let right = allowed_origin(site, request);
    let (headers, mut edits) = (&reply.headers, Edits::new());
    let mut have = headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter();
    let (first, second) = (have.next(), have.next());
    let what = match (&right, first) {
        (None, None) => return Outcome::Sound,
        (None, Some(_)) => "an origin that is not listed was allowed",
        (Some(_), None) => "the page's origin was not allowed",
        (Some(_), Some(_)) if second.is_some() => "several origins were allowed",
        (Some(right), Some(first)) if right != first => "another origin was allowed",
        (Some(_), Some(_)) if request.is_document => {
            if !headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) {
                return Outcome::Sound;
            }
            edits.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
            return Outcome::mended("credentials were allowed beside `*`", edits);
        }
        (Some(_), Some(_)) if list::contains(headers, VARY, "Origin") || list::contains(headers, VARY, "*") => {
            return Outcome::Sound;
        }
        (Some(_), Some(_)) => {
            vary_by_origin(headers, &mut edits);
            return Outcome::mended_if_any("Vary lacks Origin", edits).stopping(who::NOBODY);
        }
    };
    // A page that is let in by more than its name is let in.
    let is_open = second.is_none() && first.is_some_and(|first| first == "*" || right.is_none());
    match right {
        Some(origin) => edits.set(ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        None => edits.remove(ACCESS_CONTROL_ALLOW_ORIGIN),
    }
    // An origin that we let in is let in without cookies: the upstream did not say otherwise of that origin.
    edits.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    if !request.is_document && !list::contains(headers, VARY, "*") {
        vary_by_origin(headers, &mut edits);
    }
    let outcome = Outcome::mended(what, edits);
    if is_open { outcome.stopping(who::NOBODY) } else { outcome }
}

fn vary_by_origin(headers: &HeaderMap, edits: &mut Edits) {
    if let Some(line) = list::with(headers, &VARY, &["Origin"]) {
        edits.set(VARY, line);
    }
}
