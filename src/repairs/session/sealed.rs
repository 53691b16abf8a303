//! F-18, F-38: a session id that holds what the upstream needs beside it.

use http::HeaderValue;
use http::header::COOKIE;

use crate::client::who;
use crate::endpoint::{Class, SESSION};
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "session.sealed",
    rows: &["F-18", "F-38"],
    summary: "a message names a session by an id of this proxy",
    why: "The id that the client got holds the upstream's own id, or a cookie beside it (session.id-illegal, \
          session.cookie-needed).",
    hits: "every client of a server that has one of these defects",
    stops: who::EVERYBODY,
    remedy: "Sends the upstream's own session id, and its cookie unless the client sends one of that name.",
    advice: "Mend session.id-illegal or session.cookie-needed.",
    basis: &[basis::SESSIONS, basis::COOKIES],
    default: Mode::Fix,
    on: &[Class::Mcp],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: true },
    examples: &[
        Example {
            note: "letters that can be sent",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: mend-id-YSBi\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes("POST /mcp\nMcp-Session-Id: a b\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "a cookie",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s1.mend-YT0x\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nCookie: a=1\nMcp-Session-Id: s1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "the client has it itself",
            site: SiteKind::Open,
            request: "POST /mcp\nCookie: a=2\nMcp-Session-Id: s1.mend-YT0x\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nCookie: a=2\nMcp-Session-Id: s1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "the upstream's own",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: s1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request) -> bool {
    request.session().is_some_and(super::is_sealed) && request.headers.get(SESSION).is_some_and(super::is_sealed)
}

fn run(_: &Site<'_>, request: &mut Request) -> Outcome {
    let Some(Some((id, cookies))) = request.headers.get(SESSION).map(super::unseal) else { return Outcome::Sound };
    request.headers.insert(SESSION, id);
    if let Some(cookies) = cookies.and_then(|cookies| missing(&cookies, request)) {
        request.headers.insert(COOKIE, cookies);
    }
    Outcome::mended("a session id that this proxy gave out")
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
