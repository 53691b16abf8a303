//! F-01, G-04: a redirect in answer to a message.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use crate::client::who;
use crate::edit::origin::Origin;
use crate::endpoint::{self, Class};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::auth::login_page::leads_to_login;
use crate::repairs::basis;
use crate::repairs::oauth::moved::own_target;

pub static REPAIR: Repair = Repair {
    id: "transport.redirected",
    rows: &["F-01", "G-04"],
    summary: "the endpoint redirects messages",
    why: "A 301 or 302 turns POST into GET, a redirect to another scheme or host loses the token, and SDKs \
          follow only within one origin.",
    hits: "claude.ai and Desktop (\"couldn't connect\"), VS Code, agent gateways, Python SDK from 2.2 on",
    stops: who::EVERYBODY,
    remedy: "Asks again inside where a redirect leads, with method, body and token kept, if that is on the \
             upstream itself, on the same site, no login and nothing that this client may not ask, for this message \
             alone. A slash at the end is remembered (transport.moved).",
    advice: "Serve the endpoint with and without the slash (`redirect_slashes=False`, \
             `streamable_http_path=\"/mcp/\"`), and know the scheme that clients use.",
    basis: &[basis::MCP_REDIRECT],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Location]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a slash",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "307\nLocation: http://localhost:3000/mcp/",
            then: Then::Asks("POST /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "POST would become GET",
            site: SiteKind::Open,
            request: "POST /mcp/\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "301\nLocation: /mcp",
            then: Then::Asks("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "messages of the older transport",
            site: SiteKind::Open,
            request: "POST /messages?sessionId=a\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "307\nLocation: /messages/?sessionId=a",
            then: Then::Asks("POST /messages/?sessionId=a\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "another host",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "307\nLocation: https://other.example/mcp",
            then: Then::Sound,
        },
        Example {
            note: "the login",
            site: SiteKind::Cohosted,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "302\nLocation: /login",
            then: Then::Sound,
        },
        Example {
            note: "to read something else",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "303\nLocation: /result",
            then: Then::Sound,
        },
        Example {
            note: "to itself",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "307\nLocation: /mcp",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.preflight.is_none() && reply.status.is_redirection() && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(location) = reply.headers.get(LOCATION).map(HeaderValue::to_str).and_then(Result::ok) else {
        return Outcome::Sound;
    };
    let Some(target) = own_target(site, request.path(), location) else { return Outcome::Sound };
    let path = target.split('?').next().unwrap_or(&target);
    let is_slash = path.trim_end_matches('/') == request.path().trim_end_matches('/');
    // Who says 303 means something else that is to be read.
    let is_elsewhere = reply.status == StatusCode::SEE_OTHER && !is_slash;
    if target == request.target.as_str() || is_elsewhere || !endpoint::is_plain(path) {
        return Outcome::Sound;
    }
    if !is_slash && leads_to_login(site, request, location) {
        return Outcome::Sound;
    }
    let is_kept = matches!(reply.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
        && (location.starts_with('/') || Origin::of(location).is_ok_and(|to| to == site.facts.public));
    let outcome = Outcome::again("the endpoint redirects; asking there", Ask::at(target));
    // The SDKs follow one that keeps the method and stays within one origin.
    if is_kept { outcome.stopping(who::HOSTED.and(who::VSCODE)) } else { outcome }
}
