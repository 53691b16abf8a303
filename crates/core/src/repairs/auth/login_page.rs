//! a login page, or the way to one, instead of 401.

use http::header::LOCATION;
use http::{Method, StatusCode};
use url::Url;

use super::{Lack, may_be_refused, refuse};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What the path or the host of a login is called.
const LOGIN: &[&str] = &["logon", "sso", "saml", "cas", "oauth", "oauth2", "openid", "authorize", "authenticate"];
/// What other places may be called as well: enough only where no token was sent and the way back is named.
const PERHAPS: &[&str] = &["auth", "account", "accounts", "session", "sessions", "identity", "idp"];
/// Parameters that nothing but a login has (RFC 6749 section 4.1.1, SAML 2.0 Bindings section 3.4.3).
const OF_A_LOGIN: &[&str] = &["response_type", "redirect_uri", "samlrequest"];
/// Parameters that say where to go on after a login. Their values say nothing of the place itself.
const WAY_BACK: &[&str] = &[
    "next",
    "return_to",
    "returnto",
    "return_url",
    "returnurl",
    "redirect",
    "redirect_to",
    "redirect_url",
    "redirect_uri",
    "callbackurl",
    "continue",
    "service",
    "relaystate",
    "state",
];
/// Words of places where people are told why they may not go on.
const DEAD_ENDS: &[&str] = &[
    "blocked",
    "block",
    "denied",
    "forbidden",
    "maintenance",
    "unavailable",
    "status",
    "captcha",
    "recaptcha",
    "hcaptcha",
    "rate",
    "ratelimit",
    "ratelimited",
    "waf",
    "error",
    "errors",
];

pub static REPAIR: Repair = Repair {
    id: "auth.login-page",
    rows: &["A-08", "A-10", "G-07"],
    summary: "the MCP endpoint sends whoever has no valid token to a login page instead of answering 401",
    why: "A program follows the redirect and gets a page for people. It starts no login of its own, and one that has an \
          expired token does not refresh it.",
    hits: "every client; servers behind the login of a web framework, an identity-aware proxy or a gateway",
    stops: who::EVERYBODY,
    remedy: "Answers 401 with a challenge, where clients log in. A redirect counts if its address is one of a login, \
             and none that speaks of a block, an error or maintenance; a page only where strangers are not let in. \
             Browsers that ask for a page get it as before.",
    advice: "Take the MCP endpoint out of the web login's middleware and answer 401 there.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Guarded], &[Feature::Html, Feature::Redirect]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a redirect to the login of the web application",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "302\nLocation: /users/sign_in?next=%2Fmcp\nContent-Type: text/html\nSet-Cookie: a=b",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nSet-Cookie: a=b\n\
                 WWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "a redirect to another host",
            site: SiteKind::Foreign,
            request: "GET /mcp",
            reply: "302\nLocation: https://team.access.example.net/cdn-cgi/access/login/a?kid=x",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "a token that has expired leads to the login",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "307\nLocation: http://localhost:3000/login",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 error=\"invalid_token\", error_description=\"The access token is invalid\", \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"invalid_token\",\"error_description\":\"The access token is invalid\"}",
            ),
        },
        Example {
            note: "the page itself",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "200\nContent-Type: text/html; charset=utf-8",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\n\
                 {\"error\":\"unauthorized\",\"error_description\":\"Authentication required\"}",
            ),
        },
        Example {
            note: "a browser gets its page",
            site: SiteKind::Cohosted,
            request: "GET /mcp\nAccept: text/html",
            reply: "200\nContent-Type: text/html",
            then: Then::Sound,
        },
        Example {
            note: "the endpoint is moved by a slash",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "307\nLocation: https://mcp.example.com/mcp/",
            then: Then::Sound,
        },
        Example {
            note: "the endpoint has moved to another host for good",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "308\nLocation: https://eu.example.com/v2",
            then: Then::Sound,
        },
        Example {
            note: "with a token, another place is no login",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "307\nLocation: https://eu.example.com/account/1",
            then: Then::Sound,
        },
        Example {
            note: "another host is no login by that alone",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "302\nLocation: https://team.access.example.net/start?to=x",
            then: Then::Sound,
        },
        Example {
            note: "out of order",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "302\nLocation: https://status.example/maintenance",
            then: Then::Sound,
        },
        Example {
            note: "blocked, with a good token",
            site: SiteKind::Cohosted,
            request: "POST /mcp\nAuthorization: Bearer t",
            reply: "302\nLocation: https://waf.example/blocked?reason=login+rate",
            then: Then::Sound,
        },
        Example {
            note: "strangers are let in: a page is what it is",
            site: SiteKind::LetsIn,
            request: "POST /mcp",
            reply: "200\nContent-Type: text/html; charset=utf-8",
            then: Then::Sound,
        },
        Example {
            note: "nothing to log in to",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "302\nLocation: /login",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    let wants_page = request.wants_page && request.method != Method::POST;
    if !may_be_refused(request) || wants_page {
        return false;
    }
    if reply.status == StatusCode::OK {
        return !request.authorized && reply.is_of("text/html");
    }
    reply.status.is_redirection() && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if !site.serves_resource_metadata() {
        return Outcome::Sound;
    }
    let what = match reply.headers.get(LOCATION) {
        // What a stranger's message is let in to is no login.
        _ if reply.status == StatusCode::OK && site.known.is_open() => return Outcome::Sound,
        _ if reply.status == StatusCode::OK => "a page instead of 401",
        Some(location) if location.to_str().is_ok_and(|to| leads_to_login(site, request, to)) => {
            "a redirect to a login instead of 401"
        }
        _ => return Outcome::Sound,
    };
    let lack = if request.authorized { Lack::ValidToken } else { Lack::Token };
    Outcome::mended(what, refuse(site, request, reply, lack))
}

/// Whether a redirect takes people to where they log in.
pub(in crate::repairs) fn leads_to_login(site: &Site<'_>, request: &Request, location: &str) -> bool {
    let base = Url::parse(&format!("{}{}", site.facts.upstream, request.target));
    let Ok(to) = base.and_then(|base| base.join(location)) else { return false };
    // The same path with a slash, another scheme or host: the endpoint, moved.
    if to.path().trim_end_matches('/') == request.path().trim_end_matches('/') {
        return false;
    }
    let is_own = site.owns(to.as_str());
    let names = |names: &[&str]| {
        names_one(to.path(), names) || (!is_own && names_one(to.host_str().unwrap_or_default(), names))
    };
    let has = |names: &[&str]| to.query_pairs().any(|(name, _)| is_one(&name, names));
    if is_dead_end(&to, is_own) {
        return false;
    }
    names(LOGIN)
        || has(OF_A_LOGIN)
        || (is_own && to.path() == site.known.endpoints.paths().authorize)
        || (!request.authorized && names(PERHAPS) && has(WAY_BACK))
}

/// Whether people are told there why they may not go on: by a word of the host, the path or the query.
fn is_dead_end(to: &Url, is_own: bool) -> bool {
    let host = to.host_str().filter(|_| !is_own).unwrap_or_default();
    let says = |text: &str| words(text).iter().any(|word| DEAD_ENDS.contains(&word.as_str()));
    let mut told = to.query_pairs().filter(|(name, _)| !is_one(name, WAY_BACK) && !is_one(name, OF_A_LOGIN));
    says(host) || says(to.path()) || told.any(|(name, value)| says(&name) || says(&value))
}

fn is_one(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// The words of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect()
}

/// Whether one of the words of a text is one of these, or speaks of logging in by itself.
fn names_one(text: &str, names: &[&str]) -> bool {
    let words = words(text);
    let is_login = |word: &String| word.contains("login") || word.contains("signin") || names.contains(&word.as_str());
    let is_in_two = |pair: &[String]| matches!(pair[0].as_str(), "sign" | "log") && pair[1] == "in";
    words.iter().any(is_login) || words.windows(2).any(is_in_two)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn a_login_is_known_by_its_address_and_nothing_else_is() {
        let (facts, known) = (example::facts(SiteKind::Cohosted), example::knowledge(SiteKind::Cohosted));
        let site = Site { facts: &facts, known: &known };
        for (location, without, with) in [
            ("/login", true, true),
            ("/users/sign_in?next=%2Fstatus", true, true),
            ("https://sso.example.net/start", true, true),
            ("https://a.example/cdn-cgi/access/login/x?redirect_url=%2Fmcp", true, true),
            ("https://id.example.net/x?response_type=code&redirect_uri=https%3A%2F%2Fa%2Ferror", true, true),
            ("https://id.example.net/x?SAMLRequest=a", true, true),
            ("/authorize", true, true),
            ("/accounts/x?return_to=%2Fmcp", true, false),
            ("/accounts/x", false, false),
            ("https://team.access.example.net/start?to=x", false, false),
            ("https://eu.example.net/x?next=%2Fmcp", false, false),
            ("https://eu.example.net/x?from=login", false, false),
            ("https://status.example/maintenance", false, false),
            ("https://status.example/login", false, false),
            ("https://waf.example/blocked?reason=login+rate", false, false),
            ("https://login.example.net/captcha", false, false),
            ("/login/error", false, false),
            ("/login?error=banned", false, false),
            ("/login?reason=blocked", false, false),
            ("https://login.example.net/?rate=1", false, false),
        ] {
            for (headers, leads) in [("", without), ("\nAuthorization: Bearer t", with)] {
                let request = example::request(&format!("POST /mcp{headers}"), &facts, &known).unwrap();
                assert_eq!(leads_to_login(&site, &request, location), leads, "{location}{headers}");
            }
        }
    }
}
