//! F-19: an answer that is called something else than it is.

use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Form, Opening, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.content-type",
    rows: &["F-19"],
    summary: "the answer to a message has the wrong media type",
    why: "Clients choose by the media type how to read an answer and take no third one: with text/plain, \
          application/json-rpc or none they stop, with the other of the two they fail to read it.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Looks at what the answer begins like, and calls JSON application/json and events \
             text/event-stream. JSON that is called an event stream is mended as it passes \
             (stream.json-as-events).",
    advice: "Send `Content-Type: application/json` with a message, `text/event-stream` with events.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacyPost],
    gate: &[&[Feature::Asks], SUCCESS],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "plain text",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/plain\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "none",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "another JSON",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json-rpc\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "events",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\ndata: {}\n\n",
            then: Then::Becomes("200\nContent-Type: text/event-stream\n\ndata: {}\n\n"),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json; charset=utf-8\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Sound,
        },
        Example {
            note: "neither",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/plain\n\nhello",
            then: Then::Sound,
        },
    ],
};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks()
        && reply.status.is_success()
        && reply.form == Form::AsItCame
        && right_type(reply).is_some_and(|kind| !reply.is_of(kind))
}

/// What it would have to be called, by what it begins like.
fn right_type(reply: &Reply) -> Option<&'static str> {
    match reply.opening {
        Opening::Object | Opening::List => Some(JSON),
        Opening::Events => Some(EVENTS),
        Opening::Unseen | Opening::Nothing | Opening::Other => None,
    }
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(kind) = right_type(reply) else { return Outcome::Sound };
    let mut edits = Edits::new();
    edits.set(CONTENT_TYPE, HeaderValue::from_static(kind));
    Outcome::mended(format!("{kind} that is called something else"), edits)
}
