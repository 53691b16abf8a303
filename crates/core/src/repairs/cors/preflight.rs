//! H-01, H-05, H-10, B-13: a preflight that the upstream does not answer, or not so that a browser goes on.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::{CALLED_BY_PAGES, allowed_origin};
use crate::client::{Clients, who};
use crate::edit::list;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Preflight, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What clients send to an MCP endpoint and to its discovery documents.
const HEADERS: &str = "Content-Type, Authorization, Accept, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID, \
                       Mcp-Method, Mcp-Name, DPoP";

pub static REPAIR: Repair = Repair {
    id: "cors.preflight",
    rows: &["H-01", "H-05", "H-10", "B-13"],
    summary: "a preflight is refused, or its answer does not cover what was asked",
    why: "Before a page may send `Authorization` or `MCP-Protocol-Version`, the browser asks with OPTIONS and without \
          credentials. A 401, 404, 405 or redirect there, or a `*` where a name is needed, ends the attempt.",
    hits: "MCP Inspector in direct mode, web clients, every page on another origin",
    stops: who::BROWSERS,
    remedy: "Asks the upstream first. If its answer would not let the page go on, answers 204 with origin, methods and \
             headers: the known ones and those asked for by name. `*` for reads of discovery documents alone; elsewhere only for \
             listed origins.",
    advice: "Answer OPTIONS before authentication, with 204, naming methods and headers; `*` in \
             Access-Control-Allow-Headers never covers Authorization.",
    basis: &[basis::FETCH_PREFLIGHT],
    default: Mode::Fix,
    on: CALLED_BY_PAGES,
    gate: &[&[Feature::Options]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "the MCP endpoint wants a token for OPTIONS",
            site: SiteKind::Open,
            request: "OPTIONS /mcp\nOrigin: https://claude.ai\nAccess-Control-Request-Method: POST\n\
                      Access-Control-Request-Headers: authorization,mcp-param-city",
            reply: "401\nContent-Type: text/html",
            then: Then::Becomes(
                "204\nAccess-Control-Allow-Headers: Content-Type, Authorization, Accept, MCP-Protocol-Version, \
                 Mcp-Session-Id, Last-Event-ID, Mcp-Method, Mcp-Name, DPoP, mcp-param-city\n\
                 Access-Control-Allow-Methods: GET, HEAD, POST, DELETE, OPTIONS\n\
                 Access-Control-Allow-Origin: https://claude.ai\nAccess-Control-Max-Age: 86400\n\
                 Vary: Origin, Access-Control-Request-Headers\n\n(empty)",
            ),
        },
        Example {
            note: "plain OPTIONS on a discovery document",
            site: SiteKind::Open,
            request: "OPTIONS /.well-known/oauth-authorization-server",
            reply: "405\nAllow: GET",
            then: Then::Becomes(
                "204\nAccess-Control-Allow-Headers: Content-Type, Authorization, Accept, MCP-Protocol-Version, \
                 Mcp-Session-Id, Last-Event-ID, Mcp-Method, Mcp-Name, DPoP\n\
                 Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\n\
                 Access-Control-Allow-Origin: *\nAccess-Control-Max-Age: 0\n\
                 Vary: Access-Control-Request-Headers\n\n(empty)",
            ),
        },
        Example {
            note: "a discovery document is read, and nothing else",
            site: SiteKind::Open,
            request: "OPTIONS /.well-known/oauth-authorization-server\nOrigin: https://evil.example\n\
                      Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: content-type",
            reply: "405\nAllow: GET",
            then: Then::Sound,
        },
        Example {
            note: "`*` does not cover Authorization",
            site: SiteKind::Open,
            request: "OPTIONS /register\nOrigin: https://claude.com\nAccess-Control-Request-Method: POST\n\
                      Access-Control-Request-Headers: authorization",
            reply: "200\nAccess-Control-Allow-Origin: https://claude.com\nAccess-Control-Allow-Headers: *",
            then: Then::Becomes(
                "204\nAccess-Control-Allow-Headers: Content-Type, Authorization, Accept, MCP-Protocol-Version, \
                 Mcp-Session-Id, Last-Event-ID, Mcp-Method, Mcp-Name, DPoP\n\
                 Access-Control-Allow-Methods: GET, HEAD, POST, DELETE, OPTIONS\n\
                 Access-Control-Allow-Origin: https://claude.com\nAccess-Control-Max-Age: 86400\n\
                 Vary: Origin, Access-Control-Request-Headers\n\n(empty)",
            ),
        },
        Example {
            note: "a sound answer of the upstream",
            site: SiteKind::Open,
            request: "OPTIONS /mcp\nOrigin: https://claude.ai\nAccess-Control-Request-Method: DELETE\n\
                      Access-Control-Request-Headers: authorization, mcp-session-id",
            reply: "200\nAccess-Control-Allow-Origin: https://claude.ai\nAccess-Control-Allow-Methods: POST, DELETE\n\
                    Access-Control-Allow-Headers: Authorization, Mcp-Session-Id\nVary: Origin",
            then: Then::Sound,
        },
        Example {
            note: "an origin that is not listed is the upstream's business",
            site: SiteKind::Open,
            request: "OPTIONS /mcp\nOrigin: https://claude.ai.evil.example\nAccess-Control-Request-Method: POST",
            reply: "401",
            then: Then::Sound,
        },
        Example {
            note: "a plain OPTIONS of the MCP endpoint passes",
            site: SiteKind::Open,
            request: "OPTIONS /mcp",
            reply: "405",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, _: &Reply) -> bool {
    let is_asked = request.preflight.is_some() || request.is_document;
    request.method == Method::OPTIONS && is_asked && super::concerns(request)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(origin) = allowed_origin(site, request) else { return Outcome::Sound };
    // Checklists of clients ask for POST beside a document. No browser looks for it there: it is a safelisted method (Fetch
    // section 2.2.1), and a preflight for a POST is none for a document.
    let methods = if request.is_document { "GET, HEAD, POST, OPTIONS" } else { "GET, HEAD, POST, DELETE, OPTIONS" };
    let unasked = Preflight { method: "OPTIONS".to_owned(), headers: Vec::new() };
    let asked = request.preflight.as_ref().unwrap_or(&unasked);
    // A method that nobody uses here: an answer of ours would let the page go no further.
    if !methods.split(", ").any(|method| method == asked.method) {
        return Outcome::Sound;
    }
    let Some((wrong, clients)) = defect(reply, &origin, asked) else { return Outcome::Sound };
    let mut edits = Edits::new();
    edits.status(StatusCode::NO_CONTENT);
    edits.set_head(&reply.headers, answer(request, origin, methods, asked));
    edits.empty();
    Outcome::mended(wrong, edits).stopping(clients)
}

/// What is wrong with the answer, and who would not go on.
fn defect(reply: &Reply, origin: &HeaderValue, asked: &Preflight) -> Option<(&'static str, Clients)> {
    let origins: Vec<_> = reply.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect();
    let is_open = origins == ["*"];
    if let Some(wrong) = refusal(reply, if is_open { origins[0] } else { origin }, &origins, asked) {
        return Some((wrong, who::BROWSERS));
    }
    // A page that sends no cookies goes on at `*` as well.
    (is_open && origin != "*").then_some(("the preflight's answer allows every origin", who::NOBODY))
}

/// Why a browser would not go on, if it would not.
fn refusal(reply: &Reply, origin: &HeaderValue, origins: &[&HeaderValue], asked: &Preflight) -> Option<&'static str> {
    let headers = &reply.headers;
    if !reply.status.is_success() {
        return Some("the preflight was refused");
    }
    if origins != [origin] {
        return Some("the preflight's answer allows no or another origin");
    }
    if origin == "*" && headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) {
        return Some("the preflight's answer allows credentials beside `*`");
    }
    let safelisted = ["GET", "HEAD", "POST"].contains(&asked.method.as_str());
    let method_named = list::members(headers, ACCESS_CONTROL_ALLOW_METHODS).any(|m| m == asked.method || m == "*");
    if !safelisted && !method_named {
        return Some("the preflight's answer lacks the method");
    }
    let covers = |name: &str| {
        list::contains(headers, ACCESS_CONTROL_ALLOW_HEADERS, name)
            || (!name.eq_ignore_ascii_case("authorization")
                && list::contains(headers, ACCESS_CONTROL_ALLOW_HEADERS, "*"))
    };
    (!asked.headers.iter().all(|name| covers(name))).then_some("the preflight's answer lacks a header")
}

fn answer(request: &Request, origin: HeaderValue, methods: &'static str, asked: &Preflight) -> HeaderMap {
    let mut allowed = HEADERS.to_owned();
    let known = |name: &str| HEADERS.split(", ").any(|have| have.eq_ignore_ascii_case(name));
    // Names are echoed only if they are header names: nothing else may get into a header of ours.
    for name in asked.headers.iter().filter(|name| list::is_token(name) && *name != "*" && !known(name)).take(32) {
        allowed.push_str(", ");
        allowed.push_str(name);
    }
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    // What a browser keeps of this it also goes by at a POST (Fetch section 4.9, CORS-preflight cache): POST needs no leave of its
    // own, and the leave for its Content-Type would be there already.
    let seconds = if request.is_document { "0" } else { "86400" };
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(seconds));
    let vary =
        if request.is_document { "Access-Control-Request-Headers" } else { "Origin, Access-Control-Request-Headers" };
    headers.insert(VARY, HeaderValue::from_static(vary));
    headers
}
