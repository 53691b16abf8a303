//! F-38: a cookie that ties a session to one instance of a server, for clients that keep no cookies.

use http::header::SET_COOKIE;

use crate::client::who;
use crate::endpoint::{Class, SESSION};
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "session.cookie-needed",
    rows: &["F-38"],
    summary: "a session begins with a cookie, which most clients do not send back",
    why: "Load balancers tell by a cookie which instance knows a session. MCP clients keep none, so that the \
          next message ends at another instance.",
    hits: "TypeScript SDK clients, rmcp, hosted clients (the Python SDK keeps cookies)",
    stops: who::TYPESCRIPT_MESSAGES.and(who::RUST).and(who::HOSTED),
    remedy: "Puts the cookie into the session id that the client gets, encrypted and authenticated, from where it \
             goes up again (session.sealed). Nobody can read it there or put another in. Each session has its own, \
             nothing is kept here, and any replica with the same seal.key_files can open it.",
    advice: "Choose the instance by `Mcp-Session-Id`.",
    basis: &[basis::COOKIES],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::SessionGiven], &[Feature::SessionSent, Feature::Initialize]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "an affinity cookie",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "200\nMcp-Session-Id: s1\nSet-Cookie: a=1; Path=/; HttpOnly",
            then: Then::Becomes(
                "200\nMcp-Session-Id: mend-QQzs8OP9nEGHCaHe734fjc9Cdyq6cQ\nSet-Cookie: a=1; Path=/; HttpOnly",
            ),
        },
        Example {
            note: "later answers name the session too",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: mend-QQzs8OP9nEGHCaHe734fjc9Cdyq6cQ\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: s1",
            then: Then::Becomes("200\nMcp-Session-Id: mend-QQzs8OP9nEGHCaHe734fjc9Cdyq6cQ"),
        },
        Example {
            note: "an id that session.id-illegal has sealed",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "200\nMcp-Session-Id: mend-RK8g2TFVdPHg6XczyefLd12SXw\nSet-Cookie: a=1",
            then: Then::Becomes("200\nMcp-Session-Id: mend-i8fEsAyw4WFzKUFOBYfuVafcpMVq2qE\nSet-Cookie: a=1"),
        },
        Example {
            note: "no session",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "200\nSet-Cookie: a=1; Path=/",
            then: Then::Sound,
        },
        Example {
            note: "no cookie",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "200\nMcp-Session-Id: s1",
            then: Then::Sound,
        },
        Example {
            note: "a cookie that is taken back",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "200\nMcp-Session-Id: s1\nSet-Cookie: a=; Max-Age=0",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    reply.headers.contains_key(SESSION)
        && (request.session().is_some_and(super::is_marked)
            || (request.calls("initialize") && reply.headers.contains_key(SET_COOKIE)))
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(id) = reply.headers.get(SESSION) else { return Outcome::Sound };
    let mut edits = Edits::new();
    // The client goes on with the id that it has.
    if request.session().is_some() {
        let Some(sent) = super::name_sent(site.facts, request, id) else { return Outcome::Sound };
        edits.set(SESSION, sent);
        return Outcome::mended("an answer names the session by the upstream's own id", edits);
    }
    let cookies: Vec<&str> =
        reply.headers.get_all(SET_COOKIE).iter().filter_map(|line| pair(line.to_str().ok()?)).collect();
    let own = match super::open(site.facts, id) {
        Some(opened) if opened.cookies.is_some() => return Outcome::Sound,
        Some(opened) => opened.id,
        None => id.clone(),
    };
    if cookies.is_empty() {
        return Outcome::Sound;
    }
    let sealed = super::seal(site.facts, &own, Some(&cookies.join("; ")));
    let Some(sealed) = sealed.filter(|sealed| sealed.len() <= super::LONGEST) else { return Outcome::Sound };
    // Another mcp-mend stands before the server, and most likely holds the cookie in the id.
    let is_mended = super::is_marked(&own);
    edits.set(SESSION, sealed);
    Outcome::mended("a session that begins with a cookie", edits).blameless_if(is_mended)
}

/// Name and value of a cookie that is set, not one that is taken back.
fn pair(line: &str) -> Option<&str> {
    let mut parts = line.split(';').map(str::trim);
    let pair = parts.next()?;
    let is_taken_back = parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
    let has_value = pair.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    (has_value && !is_taken_back).then_some(pair)
}
