//! F-26: a list of messages that a server does not take.

use http::StatusCode;

use super::batch::messages_in;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, RequestBody, Site};
use crate::jsonrpc;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.batch-refused",
    rows: &["F-26"],
    summary: "a list of messages is refused",
    why: "MCP 2025-03-26 has lists of messages, and every later version forbids them. A client of the one fails \
          at a server of the others.",
    hits: "clients of MCP 2025-03-26",
    stops: who::NOBODY,
    remedy: "Asks each message of the list alone, in order, and answers with the list of their answers, if the \
             refusal shows that the list was not looked into.",
    advice: "Take lists from clients of 2025-03-26, or negotiate a later version.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Batch]],
    hook: Hook::Reply { needs: Needs::Body, when, run },
    examples: &[
        Example {
            note: "refused",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}]",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"}}",
            then: Then::Asks(
                "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} then {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
            ),
        },
        Example {
            note: "refused with a success",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}",
            then: Then::Asks("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        },
        Example {
            note: "answered",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "200\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Sound,
        },
        Example {
            note: "refused as a whole, because one of its messages is wrong",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\"}]",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"Unknown tool\"}}",
            then: Then::Sound,
        },
        Example {
            note: "answered with an error status",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "400\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"Not now\"}}]",
            then: Then::Sound,
        },
        Example {
            note: "answered in an event stream, where an id is written otherwise",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":\"\\u0061\",\"method\":\"ping\"}]",
            reply: "400\nContent-Type: text/event-stream\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32000,\"message\":\"No\"}}\n",
            then: Then::Sound,
        },
        Example {
            note: "answers that cannot be read",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "400\n\n[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000}}] and more",
            then: Then::Sound,
        },
        Example {
            note: "a missing token",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "401\n\nno",
            then: Then::Sound,
        },
        Example {
            note: "one message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "400\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"Invalid Request\"}}",
            then: Then::Sound,
        },
    ],
};

/// More messages than this are nobody's list.
const MOST: usize = 50;

fn when(request: &Request, reply: &Reply) -> bool {
    let is_refused = match reply.status {
        StatusCode::OK => reply.is_json(),
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => true,
        _ => false,
    };
    is_refused && !reply.cut_off && request.message.as_ref().is_some_and(|message| message.is_batch)
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let code = reply.json().and_then(|message| message.child("error")?.get("code")?.as_i64());
    let is_form = matches!(code, Some(jsonrpc::PARSE_ERROR | jsonrpc::INVALID_REQUEST));
    let RequestBody::Whole(text) = &request.body else { return Outcome::Sound };
    if reply.status == StatusCode::OK && !is_form {
        return Outcome::Sound;
    }
    let parts = messages_in(text).filter(|parts| !parts.is_empty() && parts.len() <= MOST);
    match parts {
        Some(parts) => Outcome::again("a list of messages is refused", Ask { parts, ..Ask::default() }),
        None => Outcome::Sound,
    }
}
