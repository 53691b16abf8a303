//! E-01: a client guesses the authorization endpoint at the MCP server, and it is on another host.

use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use url::Url;

use super::is_get;
use crate::client::who;
use crate::edit::origin::Origin;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "authorize.elsewhere-foreign",
    rows: &["E-01"],
    summary: "a client looks for the authorization endpoint here, and it is at the authorization server's host",
    why: "Clients that found no metadata go to `/authorize` at the MCP server's own origin (MCP 2025-03-26), and end \
          at a 404.",
    hits: "claude.ai, Cursor, clients of MCP 2025-03-26",
    stops: who::CLAUDE.and(who::CURSOR),
    remedy: "Redirects to the authorization endpoint that the metadata of the upstream's authorization server name, \
             with the query as it is. The browser is never sent anywhere else.",
    advice: "Serve RFC 9728 metadata, and redirect `/authorize` to the authorization server for old clients.",
    basis: &[basis::SERVER_DEFAULTS],
    default: Mode::Fix,
    on: &[Class::Authorize],
    gate: &[&[Feature::NotFound, Feature::MethodNotAllowed]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "guessed",
            site: SiteKind::Foreign,
            request: "GET /authorize?response_type=code&client_id=a&redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a+b",
            reply: "404\nContent-Type: text/html\n\n<h1>Not Found</h1>",
            then: Then::Becomes(
                "302\nCache-Control: no-store\nLocation: https://login.example.net/t/authorize?response_type=code\
                 &client_id=a&redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a+b\n\n(empty)",
            ),
        },
        Example {
            note: "no authorization request",
            site: SiteKind::Foreign,
            request: "GET /authorize?client_id=a",
            reply: "404",
            then: Then::Sound,
        },
        Example {
            note: "the upstream has something there",
            site: SiteKind::Foreign,
            request: "GET /authorize?response_type=code&client_id=a",
            reply: "400",
            then: Then::Sound,
        },
        Example {
            note: "the upstream's own authorization server",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_type=code&client_id=a",
            reply: "404",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    is_get(request)
        && matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
        && request.query().is_some_and(|query| params::has(query, "response_type") && params::has(query, "client_id"))
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let endpoint = site.known.foreign.as_ref().and_then(|foreign| foreign.authorization_endpoint.as_deref());
    let (Some(endpoint), Some(query)) = (endpoint, request.query()) else { return Outcome::Sound };
    if site.has_own_authorization_server() || !is_usable(site, endpoint) {
        return Outcome::Sound;
    }
    // An endpoint may have a query of its own, which is to be kept (RFC 6749 section 3.1).
    let separator = if endpoint.contains('?') { '&' } else { '?' };
    let Ok(location) = HeaderValue::from_str(&format!("{endpoint}{separator}{query}")) else { return Outcome::Sound };
    let mut edits = Edits::new();
    edits.status(StatusCode::FOUND);
    // The upstream's header fields go: they described its page.
    let head = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    edits.set_head(&reply.headers, head.into_iter().collect());
    edits.empty();
    edits.new_body();
    Outcome::mended("the authorization endpoint is on another host", edits)
}

/// Whether a browser may be sent there: to another host, as the document names it, by https; by http to this machine
/// alone. What a browser would read otherwise than we do is none.
fn is_usable(site: &Site<'_>, endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else { return false };
    let Ok(origin) = Origin::of_url(&url) else { return false };
    let plain = endpoint.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte));
    plain
        && (origin.is_secure() || origin.is_loopback())
        && url.username().is_empty()
        && url.password().is_none()
        && !site.owns_origin(&origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn sends_nobody_to_what_is_no_endpoint() {
        let (facts, known) = (example::facts(SiteKind::Foreign), example::knowledge(SiteKind::Foreign));
        let site = Site { facts: &facts, known: &known };
        for (endpoint, usable) in [
            ("https://login.example.net/authorize", true),
            ("https://login.example.net/authorize?tenant=a", true),
            ("http://localhost:9000/authorize", true),
            ("http://login.example.net/authorize", false),
            ("https://login.example.net/authorize#a", false),
            ("https://login.example.net@evil.example/authorize", false),
            ("https:\\\\evil.example/authorize", false),
            ("https://a b.example/", false),
            ("https://a.example/\r\nX: y", false),
            ("/authorize", false),
            ("//login.example.net/authorize", false),
            ("javascript:alert(1)", false),
            ("https://mcp.example.com/authorize", false),
            ("http://127.0.0.1:3000/authorize", false),
            ("", false),
        ] {
            assert_eq!(is_usable(&site, endpoint), usable, "{endpoint}");
        }
    }
}
