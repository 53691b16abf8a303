//! a login page, or the way to one, instead of 401.

use http::header::LOCATION;
use http::{Method, StatusCode};
use url::Url;

use super::{Lack, may_be_refused, refuse};
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What the path or the host of a login is called.
const LOGIN: &[&str] = &["logon", "sso", "saml", "cas", "oauth", "oauth2", "openid", "authorize", "authenticate"];
/// What other places may be called as well: enough only where no token was sent.
const PERHAPS: &[&str] = &["auth", "account", "accounts", "session", "sessions", "identity", "idp"];

pub static REPAIR: Repair = Repair {
    id: "auth.login-page",
    rows: &["A-08", "A-10"],
    summary: "the MCP endpoint sends whoever has no valid token to a login page instead of answering 401",
    why: "A program follows the redirect and gets a page for people. It starts no login of its own, and one that has an \
          expired token does not refresh it.",
    hits: "every client; servers behind the login of a web framework, an identity-aware proxy or a gateway",
    remedy: "Answers 401 with a challenge, where clients log in. Browsers that ask for a page get it as before, and a \
             redirect that only moves the endpoint stays.",
    advice: "Take the MCP endpoint out of the web login's middleware and answer 401 there.",
    basis: &[basis::TOKEN_HANDLING, basis::BEARER_ERRORS],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
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
            reply: "302\nLocation: https://team.access.example.net/start?to=x",
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

fn run(site: &Site<'_>, request: &Request, reply: &mut Reply) -> Outcome {
    if !site.serves_resource_metadata() {
        return Outcome::Sound;
    }
    let what = match reply.headers.get(LOCATION) {
        _ if reply.status == StatusCode::OK => "a page instead of 401",
        Some(location) if location.to_str().is_ok_and(|to| leads_to_login(site, request, reply.status, to)) => {
            "a redirect to a login instead of 401"
        }
        _ => return Outcome::Sound,
    };
    refuse(site, request, reply, if request.authorized { Lack::ValidToken } else { Lack::Token });
    Outcome::mended(what)
}

/// Whether a redirect takes people to where they log in.
fn leads_to_login(site: &Site<'_>, request: &Request, status: StatusCode, location: &str) -> bool {
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
    if names(LOGIN)
        || to.query().is_some_and(|query| names_one(query, &[]))
        || (is_own && to.path() == site.known.endpoints.authorize)
    {
        return true;
    }
    // What is elsewhere for good, or only for this once with method and body, is more likely the endpoint itself.
    let is_sent_away = !is_own && matches!(status, StatusCode::FOUND | StatusCode::SEE_OTHER);
    !request.authorized && (is_sent_away || names(PERHAPS))
}

/// Whether one of the words of a text is one of these, or speaks of logging in by itself.
fn names_one(text: &str, names: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_login = |word: &&str| word.contains("login") || word.contains("signin") || names.contains(word);
    words.iter().any(is_login) || words.windows(2).any(|pair| matches!(pair, ["sign" | "log", "in"]))
}
