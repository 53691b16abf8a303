//! F-34: a page of anybody that calls a server on this machine (DNS rebinding).

use http::header::{HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use crate::client::who;
use crate::endpoint::{Class, is_form};
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.origin-foreign",
    rows: &["F-34"],
    summary: "a page of an origin that is not listed calls a proxy that listens on loopback",
    why: "A page that is open in a browser can call servers on the same machine. Many servers do not check \
          `Origin`, as they must.",
    hits: "everybody who runs a server on his own machine",
    stops: who::NOBODY,
    remedy: "Answers 403 to messages, and to whatever else may be one, while this proxy listens on a loopback address, unless the origin is listed, is \
             loopback itself or is the public one. Elsewhere the upstream decides.",
    advice: "Check `Origin` against a list and answer 403.",
    basis: &[basis::ORIGIN_CHECK],
    default: Mode::Fix,
    on: &Class::ALL,
    gate: &[&[Feature::Origin]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "a foreign page",
            site: SiteKind::Loopback,
            request: "POST /mcp\nOrigin: https://evil.example\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Answers(
                "403\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"Origin not allowed\"}}",
            ),
        },
        Example {
            note: "a message at an endpoint that takes none",
            site: SiteKind::Loopback,
            request: "POST /token\nOrigin: https://evil.example\nContent-Type: text/plain\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Answers(
                "403\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Origin not allowed\"}}",
            ),
        },
        Example {
            note: "a login that comes from another page",
            site: SiteKind::Loopback,
            request: "POST /authorize\nOrigin: https://login.example.net\nSec-Fetch-Mode: navigate\nContent-Type: application/x-www-form-urlencoded\n\nclient_id=c",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a page on this machine",
            site: SiteKind::Loopback,
            request: "POST /mcp\nOrigin: http://localhost:6274\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "a listed page",
            site: SiteKind::Loopback,
            request: "POST /mcp\nOrigin: https://claude.ai\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "no page",
            site: SiteKind::Loopback,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "not on loopback",
            site: SiteKind::Open,
            request: "POST /mcp\nOrigin: https://evil.example\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.origin.is_some() && request.method != Method::OPTIONS && may_be_message(request)
}

/// Whether some server may take the request for a message. Where a handler is mounted is not known, and neither are the paths
/// of the older transport: whatever changes something and is no form of a login may be one, at every path. Registrations and
/// tokens are no exception: they are of no use to a page that may send no message.
fn may_be_message(request: &Request) -> bool {
    let is_read = matches!(request.method, Method::GET | Method::HEAD);
    request.rules.has_messages() || !(is_read || is_login(&request.headers))
}

/// Whether a page leaves for this one with a form, as logins do. A script can give any body the type of a form, but does not
/// leave its page (Fetch Metadata, section 2.2).
fn is_login(headers: &HeaderMap) -> bool {
    let mode = headers.get("sec-fetch-mode").map_or(&b"navigate"[..], HeaderValue::as_bytes);
    is_form(headers) && mode == b"navigate"
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    if !site.facts.loopback_origins || super::is_admitted(site, request) {
        return Outcome::Sound;
    }
    let mut reply = Reply::new(StatusCode::FORBIDDEN, HeaderMap::new());
    let message = jsonrpc::error(request.message.as_ref(), jsonrpc::SERVER_ERROR, "Origin not allowed");
    reply.say(StatusCode::FORBIDDEN, Some(message));
    Outcome::answer("a page of an origin that is not listed", reply)
}
