//! F-04, F-05, F-06: a version that the server refuses, or misses.

use http::{HeaderValue, StatusCode};

use crate::client::who;
use crate::endpoint::{Class, NEGOTIATED, VERSION};
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::auth::said;
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "version.refused",
    rows: &["F-04", "F-05", "F-06"],
    summary: "a message is refused for the version that it names, or for naming none",
    why: "New clients meet old servers. A server that does not know a version shall say one that it knows; many \
          answer 400 instead, and some want the header that older clients do not send.",
    hits: "every client that is newer than the server; claude.ai (no header)",
    stops: who::EVERYBODY,
    remedy: "Asks again: with the newest version that the refusal names and the client asked for at most, or \
             else without the header; `initialize` with the next older versions; without a header, with one.",
    advice: "Answer `initialize` with a version that you know; take a missing header for 2025-03-26.",
    basis: &[basis::VERSION_NEGOTIATION, basis::VERSION_HEADER],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[
        Feature::ErrorInside,
        Feature::BadRequest,
        Feature::OtherClientError,
        Feature::InternalServerError,
        Feature::OtherServerError,
    ]],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "a header",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"Bad Request: Unsupported protocol version (supported versions: 2025-06-18, 2025-03-26)\"}}",
            then: Then::Asks(
                "POST /mcp\nMcp-Protocol-Version: 2025-06-18\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "a header, and nothing is named",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: text/plain\n\nUnsupported MCP-Protocol-Version",
            then: Then::Asks("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "no header",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: text/plain\n\nMCP-Protocol-Version header is required",
            then: Then::Asks(
                "POST /mcp\nMcp-Protocol-Version: 2025-03-26\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "initialize",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32602,\"message\":\"Unsupported protocol version\",\"data\":{\"supported\":[\"2024-11-05\",\"2025-03-26\"],\"requested\":\"2025-11-25\"}}}",
            then: Then::Asks(
                "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}",
            ),
        },
        Example {
            note: "an answer",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Sound,
        },
        Example {
            note: "another refusal",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: text/plain\n\nNo valid session ID provided",
            then: Then::Sound,
        },
        Example {
            note: "a server that broke down may have acted",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2025-11-25\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}",
            reply: "500\nContent-Type: text/plain\n\nCannot read protocolVersion of undefined",
            then: Then::Sound,
        },
        Example {
            note: "a client of the newest version goes on by itself",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"Unsupported protocol version\",\"data\":{\"supported\":[\"2025-11-25\"]}}}",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    if reply.cut_off || request.preflight.is_some() || request.is_modern() {
        return false;
    }
    match reply.status {
        StatusCode::OK => request.calls("initialize") && reply.is_error_inside(),
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::UPGRADE_REQUIRED
        | StatusCode::NOT_IMPLEMENTED
        | StatusCode::INTERNAL_SERVER_ERROR => true,
        _ => false,
    }
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if reply.json().is_some_and(|message| message.has("result")) {
        return Outcome::Sound;
    }
    let Some(said) = said::of(reply).filter(|said| speaks_of_a_version(said)) else { return Outcome::Sound };
    // The list of what is supported may stand beside what is said.
    let whole = reply.json().map(|message| message.to_bytes()).unwrap_or_default();
    let named = versions_in(&format!("{said} {}", String::from_utf8_lossy(&whole)));
    if request.calls("initialize") {
        return initialize(request, &named, &said);
    }
    // A server that broke down may have done what was asked, whatever it says: only what was refused is sent again.
    let code = reply.json().and_then(|message| message.child("error")?.get("code")?.as_i64());
    let is_form = |code: i64| {
        jsonrpc::MODERN.contains(&code) || (jsonrpc::INVALID_PARAMS..=jsonrpc::INVALID_REQUEST).contains(&code)
    };
    if !reply.status.is_client_error() && !code.is_some_and(is_form) {
        return Outcome::Sound;
    }
    let sent = request.headers.get(VERSION).map(|version| String::from_utf8_lossy(version.as_bytes()).into_owned());
    let older = |version: &&&str| sent.as_deref().is_none_or(|sent| **version < sent);
    let best = named.iter().filter(older).max().copied();
    let (what, versions) = match (sent.is_none(), best) {
        // What a missing header stands for, and the first version that has one.
        (true, None) => ("a message is refused for naming no version", vec![Some("2025-03-26"), Some("2025-06-18")]),
        (true, best) => ("a message is refused for naming no version", vec![best]),
        (false, None) => ("a version that the server refuses", vec![None]),
        (false, best) => ("a version that the server refuses", vec![best, None]),
    };
    let asks = versions.into_iter().map(|version| Ask::with_field(VERSION, version.map(HeaderValue::from_static)));
    Ask::one_of(asks).map_or(Outcome::Sound, |ask| Outcome::again(what, ask))
}

/// `initialize` with the versions that the server may know, the newest first.
fn initialize(request: &Request, named: &[&'static str], said: &str) -> Outcome {
    let Some(message) = request.json() else { return Outcome::Sound };
    let Some(params) = message.child("params") else { return Outcome::Sound };
    let asked = params.text("protocolVersion").unwrap_or_default();
    let is_older = |version: &&&'static str| ***version < *asked;
    let mut older: Vec<&'static str> = named.iter().filter(is_older).copied().collect();
    if older.is_empty() {
        older = NEGOTIATED.iter().filter(is_older).copied().collect();
    }
    older.sort_unstable();
    let with = |version: &&str| {
        let (mut message, mut params) = (message.clone(), params.clone());
        params.set("protocolVersion", (*version).into());
        message.splice("params", params.to_bytes());
        let header = request.headers.get(VERSION).map(|_| (VERSION, HeaderValue::from_str(version).ok()));
        Ask { fields: header.into_iter().collect(), ..Ask::with_json(message) }
    };
    // Some want the header with this message too, which comes before anything is negotiated.
    let is_missed = !request.headers.contains_key(VERSION) && said.to_ascii_lowercase().contains("header");
    let header = is_missed.then(|| Ask::with_field(VERSION, HeaderValue::from_str(&asked).ok()));
    match Ask::one_of(header.into_iter().chain(older.iter().rev().map(with))) {
        Some(ask) => Outcome::again("initialize is refused for its version", ask),
        None => Outcome::Sound,
    }
}

/// Whether a refusal is about the version of the protocol.
fn speaks_of_a_version(said: &str) -> bool {
    let said: String = said.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    said.contains("protocolversion") || said.contains("mcpversion")
}

/// The versions that are negotiated and named in a text.
fn versions_in(text: &str) -> Vec<&'static str> {
    NEGOTIATED.into_iter().filter(|version| text.contains(version)).collect()
}
