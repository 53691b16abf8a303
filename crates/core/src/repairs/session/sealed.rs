//! F-18, F-38: a session id that this proxy has sealed, and one that only looks like it.

use http::header::{CACHE_CONTROL, COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::client::who;
use crate::endpoint::{Class, SESSION};
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "session.sealed",
    rows: &["F-18", "F-38"],
    summary: "a message names a session by an id of this proxy",
    why: "The id that the client got holds the upstream's own id, and perhaps a cookie beside it, encrypted \
          (session.id-illegal, session.cookie-needed).",
    hits: "every client of a server that has one of these defects",
    stops: who::EVERYBODY,
    remedy: "Opens the id. Sends the upstream's own session id, and its cookie unless the client sends one of that \
             name. An id that does not open (forged, of another site, sealed with a key that is gone) gets 404 and \
             the JSON-RPC error -32001, upon which clients begin a new session; the upstream is not asked.",
    advice: "Mend session.id-illegal or session.cookie-needed.",
    basis: &[basis::SESSIONS, basis::COOKIES],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::SessionSent]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: true },
    examples: EXAMPLES,
};

const EXAMPLES: &[Example] = &[
    Example {
        note: "an id that could not be sent",
        site: SiteKind::Open,
        request: "POST /mcp\nMcp-Session-Id: mend-RK8g2TFVdPHg6XczyefLd12SXw\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        reply: "",
        then: Then::Becomes("POST /mcp\nMcp-Session-Id: a b\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
    },
    Example {
        note: "a cookie",
        site: SiteKind::Open,
        request: "POST /mcp\nMcp-Session-Id: mend-QQzs8OP9nEGHCaHe734fjc9Cdyq6cQ\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        reply: "",
        then: Then::Becomes(
            "POST /mcp\nCookie: a=1\nMcp-Session-Id: s1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        ),
    },
    Example {
        note: "the client has it itself",
        site: SiteKind::Open,
        request: "POST /mcp\nCookie: a=2\nMcp-Session-Id: mend-QQzs8OP9nEGHCaHe734fjc9Cdyq6cQ\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        reply: "",
        then: Then::Becomes(
            "POST /mcp\nCookie: a=2\nMcp-Session-Id: s1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        ),
    },
    Example {
        note: "one letter is another",
        site: SiteKind::Open,
        request: "POST /mcp\nMcp-Session-Id: mend-QQzs8OP9nEGHCaHe734fjc9Cdyq6cA\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        reply: "",
        then: Then::Answers(
            "404\nCache-Control: no-store\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
        ),
    },
    Example {
        note: "the stream of a forged session",
        site: SiteKind::Open,
        request: "GET /mcp\nAccept: text/event-stream\nMcp-Session-Id: mend-id-YSBi",
        reply: "",
        then: Then::Answers(
            "404\nCache-Control: no-store\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"Session not found\"}}",
        ),
    },
    Example {
        note: "the upstream's own",
        site: SiteKind::Open,
        request: "POST /mcp\nMcp-Session-Id: s1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        reply: "",
        then: Then::Sound,
    },
];

fn when(request: &Request) -> bool {
    request.session().is_some_and(super::is_marked) && request.headers.get(SESSION).is_some_and(super::is_marked)
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    let Some(sent) = request.headers.get(SESSION) else { return Outcome::Sound };
    let Some(opened) = super::open(site.facts, sent) else { return unknown(request) };
    let mut edits = Edits::new();
    edits.set(SESSION, opened.id);
    if let Some(cookies) = opened.cookies.and_then(|cookies| missing(&cookies, request)) {
        edits.set(COOKIE, cookies);
    }
    Outcome::mended("a session id that this proxy gave out", edits)
}

/// What a client is told whose session nobody knows (MCP 2025-11-25, Session Management).
fn unknown(request: &Request) -> Outcome {
    let message = jsonrpc::error(request.message.as_ref(), jsonrpc::SESSION_NOT_FOUND, "Session not found");
    let mut reply = Reply::new(StatusCode::NOT_FOUND, HeaderMap::new());
    reply.say(StatusCode::NOT_FOUND, Some(message));
    // A cache may keep a 404 that does not say otherwise (RFC 9110 section 15.1).
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Outcome::answer("a session id that was not sealed for this site with a key that it has", reply)
}

/// The client's own cookies and those that it does not send.
fn missing(cookies: &str, request: &Request) -> Option<HeaderValue> {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().trim().to_owned();
    let sent: Vec<&str> = request
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split("; "))
        .collect();
    let lacking = cookies.split("; ").filter(|pair| !sent.iter().any(|have| name(have) == name(pair)));
    HeaderValue::from_str(&sent.iter().copied().chain(lacking).collect::<Vec<_>>().join("; ")).ok()
}
