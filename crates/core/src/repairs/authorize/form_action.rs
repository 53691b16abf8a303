//! Field report 20: a consent page whose own policy stops the way back to the client.

use std::borrow::Cow;

use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};
use url::{Host, Url};

use crate::client::{CLIENTS, who};
use crate::edit::csp::{self, Place};
use crate::edit::origin::Origin;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::repairs::register::HOSTED_CALLBACKS;

/// From Claude's hosted callbacks the browser may go on into the desktop app.
const DESKTOP: &str = "claude";

/// Schemes that are nobody's private use (RFC 8252 section 7.1): those of the web and the mail, and those that make a
/// browser, or the system behind it, run or show something by itself. So do those of Windows (`ms-`, `search-ms`).
const NEVER: [&str; 19] = [
    "http",
    "https",
    "ws",
    "wss",
    "ftp",
    "mailto",
    "tel",
    "intent",
    "ssh",
    "search",
    "jar",
    "javascript",
    "data",
    "blob",
    "file",
    "vbscript",
    "about",
    "view-source",
    "filesystem",
];

pub static REPAIR: Repair = Repair {
    id: "authorize.form-action",
    rows: &["E-02"],
    summary: "the Content-Security-Policy of the consent page does not let its form lead back to the client",
    why: "Chromium applies `form-action` to every redirect that follows the form. With `form-action 'self'` the \
          browser stops before the client's callback: Approve does nothing, and the second click finds the request \
          expired.",
    hits: "every client, in Chrome, Edge and other Chromium browsers; ChatGPT, claude.ai and Claude Desktop most",
    stops: who::EVERYBODY,
    remedy: "Adds the origin of the request's redirect_uri to `form-action`, or its scheme if that is a private one; \
             for Claude's hosted callbacks also `claude:`. On later pages than the authorization endpoint only for \
             loopback and Claude's hosted callbacks. Nothing else of the policy changes.",
    advice: "Name the origin of the client's redirect_uri in `form-action` of the consent page, or leave the \
             directive out.",
    basis: &[basis::FORM_ACTION, basis::PRIVATE_USE_SCHEME, basis::AUTHORIZATION_ERROR],
    default: Mode::Fix,
    on: &[Class::Authorize, Class::Other],
    gate: &[&[Feature::Ok], &[Feature::Html]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "helmet's policy, at claude.ai",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: default-src 'self'; form-action 'self'",
            then: Then::Becomes(
                "200\nContent-Type: text/html\nContent-Security-Policy: default-src 'self'; \
                 form-action 'self' https://claude.ai claude:",
            ),
        },
        Example {
            note: "a loopback callback, on a later page, in the middle of two policies",
            site: SiteKind::Cohosted,
            request: "GET /consent?client_id=a&redirect_uri=http%3A%2F%2F127.0.0.1%3A33418%2Fcb",
            reply: "200\nContent-Type: text/html; charset=utf-8\n\
                    Content-Security-Policy: Form-Action  https: ;img-src *,form-action 'self';;form-action 'none'\n\
                    Content-Security-Policy: script-src 'none'",
            then: Then::Becomes(
                "200\nContent-Type: text/html; charset=utf-8\n\
                 Content-Security-Policy: Form-Action  https: http://127.0.0.1:33418 ;img-src *,\
                 form-action 'self' http://127.0.0.1:33418;;form-action 'none'\n\
                 Content-Security-Policy: script-src 'none'",
            ),
        },
        Example {
            note: "a client that nobody knows may not be registered",
            site: SiteKind::Cohosted,
            request: "GET /authorize?client_id=a&redirect_uri=https%3A%2F%2Fevil.example%2Fcb",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self'",
            then: Then::Sound,
        },
        Example {
            note: "a private-use scheme",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=cursor%3A%2F%2Fanysphere.cursor-retrieval%2Fcb",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action *",
            then: Then::Becomes("200\nContent-Type: text/html\nContent-Security-Policy: form-action * cursor:"),
        },
        Example {
            note: "the callback alone, and no further",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fclaude.com%2Fapi%2Fmcp%2Fauth_callback",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action https://claude.com",
            then: Then::Becomes(
                "200\nContent-Type: text/html\nContent-Security-Policy: form-action https://claude.com claude:",
            ),
        },
        Example {
            note: "let through already",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self' https://*.ai/x claude:",
            then: Then::Sound,
        },
        Example {
            note: "no form may lead anywhere",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'none'",
            then: Then::Sound,
        },
        Example {
            note: "a report only",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy-Report-Only: form-action 'self'",
            then: Then::Sound,
        },
        Example {
            note: "a later page shows itself to anybody: its query is no proof that the callback is known",
            site: SiteKind::Cohosted,
            request: "GET /consent?client_id=a&redirect_uri=https%3A%2F%2Fevil.example%2Fcb",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self'",
            then: Then::Sound,
        },
        Example {
            note: "nor for a scheme that may be any program's",
            site: SiteKind::Cohosted,
            request: "GET /consent?client_id=a&redirect_uri=cursor%3A%2F%2Fa%2Fcb",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self'",
            then: Then::Sound,
        },
        Example {
            note: "a scheme that the system itself acts on",
            site: SiteKind::Cohosted,
            request: "GET /authorize?redirect_uri=ms-msdt%3A%2Fid",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self'",
            then: Then::Sound,
        },
        Example {
            note: "a page of the application",
            site: SiteKind::Cohosted,
            request: "GET /settings?redirect_uri=https%3A%2F%2Fc.example%2Fcb",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self'",
            then: Then::Sound,
        },
        Example {
            note: "users log in elsewhere",
            site: SiteKind::Foreign,
            request: "GET /authorize?redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback",
            reply: "200\nContent-Type: text/html\nContent-Security-Policy: form-action 'self'",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let names = |name: &str| request.query().is_some_and(|query| params::has(query, name));
    reply.status == StatusCode::OK
        && reply.headers.contains_key(CONTENT_SECURITY_POLICY)
        && reply.is_of("text/html")
        && (request.class == Class::Authorize || (names("client_id") && names("redirect_uri")))
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !site.has_own_authorization_server() {
        return Outcome::Sound;
    }
    // Not every server refuses a redirect_uri that nobody registered (RFC 6749 section 4.1.2.1) before it shows a page. So a
    // page is opened to the places of known clients alone; at the authorization endpoint also to programs on the user's machine.
    let is_program = |uri: &str| Url::parse(uri).is_ok_and(|url| Origin::of_url(&url).is_err());
    let uri = redirect_uri(request)
        .filter(|uri| is_well_known(uri) || (request.class == Class::Authorize && is_program(uri)));
    let places = uri.and_then(|uri| places(&uri)).unwrap_or_default();
    let mut any = false;
    let lines = reply.headers.get_all(CONTENT_SECURITY_POLICY).iter().map(|line| {
        let wider = line.to_str().ok().and_then(|policies| csp::widened(policies, &places, &site.facts.public));
        let wider = wider.and_then(|wider| HeaderValue::from_str(&wider).ok());
        any |= wider.is_some();
        wider.unwrap_or_else(|| line.clone())
    });
    let lines: Vec<HeaderValue> = lines.collect();
    if !any {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.set_all(&CONTENT_SECURITY_POLICY, lines);
    Outcome::mended("form-action stops the way back to the client", edits)
}

/// The one redirect_uri of the request, in its query or its form.
fn redirect_uri(request: &Request) -> Option<Cow<'_, str>> {
    let texts = [request.query(), request.form()].into_iter().flatten();
    let mut named = texts.filter(|text| params::has(text, "redirect_uri"));
    let uri = params::only(named.next()?, "redirect_uri")?;
    named.all(|text| params::only(text, "redirect_uri").is_some_and(|other| other == uri)).then_some(uri)
}

/// Whether a callback is the user's own machine or a known client's: nobody else gets anything by being named.
fn is_well_known(redirect_uri: &str) -> bool {
    let is_loopback =
        |uri: &str| Url::parse(uri).is_ok_and(|url| Origin::of_url(&url).is_ok_and(|to| to.is_loopback()));
    let known = || CLIENTS.iter().flat_map(|client| client.registration.redirect_uris);
    HOSTED_CALLBACKS.contains(&redirect_uri) || is_loopback(redirect_uri) || known().any(|own| *own == redirect_uri)
}

/// The places on the way to a client's callback, if a source list can name them.
fn places(redirect_uri: &str) -> Option<Vec<Place>> {
    // Nothing that could end the directive or the policy.
    if redirect_uri.bytes().any(|byte| !byte.is_ascii_graphic() || b";,'\"\\".contains(&byte)) {
        return None;
    }
    let url = Url::parse(redirect_uri).ok()?;
    let Ok(origin) = Origin::of_url(&url) else {
        let scheme = url.scheme();
        let is_system = scheme.starts_with("ms-") || scheme.starts_with("search-");
        return (!is_system && !NEVER.contains(&scheme)).then(|| vec![Place::App(scheme.to_owned())]);
    };
    let is_named = match origin.host() {
        Host::Domain(name) => name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)),
        // The only address that a source list can name (CSP Level 3, host-part matching).
        Host::Ipv4(address) => address.octets() == [127, 0, 0, 1],
        Host::Ipv6(_) => false,
    };
    let is_safe = origin.is_secure() || origin.is_loopback();
    if !is_named || !is_safe || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let mut places = vec![Place::Web(origin)];
    if HOSTED_CALLBACKS.contains(&redirect_uri) {
        places.push(Place::App(DESKTOP.to_owned()));
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(redirect_uri: &str) -> Vec<String> {
        places(redirect_uri).unwrap_or_default().iter().map(Place::source).collect()
    }

    #[test]
    fn names_nothing_but_the_way_back() {
        for (redirect_uri, added) in [
            ("https://claude.ai/api/mcp/auth_callback", vec!["https://claude.ai", "claude:"]),
            ("https://claude.com/api/mcp/auth_callback", vec!["https://claude.com", "claude:"]),
            ("https://claude.ai/api/mcp/auth_callback?x", vec!["https://claude.ai"]),
            ("https://claude.ai/other", vec!["https://claude.ai"]),
            ("https://C.example:443/cb", vec!["https://c.example"]),
            ("https://c.example:8443/cb", vec!["https://c.example:8443"]),
            ("http://localhost:3118/callback", vec!["http://localhost:3118"]),
            ("http://127.0.0.1/cb", vec!["http://127.0.0.1"]),
            ("Cursor://a/cb", vec!["cursor:"]),
            ("com.example.app:/cb", vec!["com.example.app:"]),
            ("http://c.example/cb", vec![]),
            ("http://[::1]:9/cb", vec![]),
            ("https://u:p@c.example/cb", vec![]),
            ("https://*/cb", vec![]),
            ("https://%2A.example/cb", vec![]),
            ("https://c.example/cb;script-src *", vec![]),
            ("https://c.example/cb;x", vec![]),
            ("https://c.example/cb,x", vec![]),
            ("https://c.example/'self'", vec![]),
            ("https://c.example/ x", vec![]),
            ("https://c.exam\nple/", vec![]),
            ("javascript:alert(1)", vec![]),
            ("data:text/html,x", vec![]),
            ("data:text/html", vec![]),
            ("blob:https://c.example/x", vec![]),
            ("file:///etc/passwd", vec![]),
            ("vbscript:x", vec![]),
            ("about:blank", vec![]),
            ("view-source:x", vec![]),
            ("filesystem:x", vec![]),
            ("wss://c.example/", vec![]),
            ("ms-msdt:/id", vec![]),
            ("MS-Settings:x", vec![]),
            ("search-ms:query=x", vec![]),
            ("search:x", vec![]),
            ("ssh://c.example/", vec![]),
            ("intent://a#Intent;end", vec![]),
            ("intent:a", vec![]),
            ("jar:https://c.example/x", vec![]),
            ("/cb", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(sources(redirect_uri), added, "{redirect_uri}");
        }
    }
}
