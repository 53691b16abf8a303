//! F-21: a message under another name.

use bytes::Bytes;

use super::is_stream;
use crate::endpoint::Class;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "stream.event-name",
    rows: &["F-21"],
    summary: "a message comes as an event of another name than `message`",
    why: "Clients listen for events without a name or of the name `message`. Under `response` or `data` the \
          answer is not heard.",
    hits: "TypeScript SDK clients (a hang), Python SDK, rmcp",
    remedy: "Names the event `message` if it carries a JSON-RPC message.",
    advice: "Send `event: message`, or no name.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "another name",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: response\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Becomes("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no name",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: ping\ndata: {}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "where to post",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: /messages\n\n",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, event: &mut Event) -> Outcome {
    if event.name().is_none_or(|name| name.is_empty() || name == "message" || name == "endpoint") {
        return Outcome::Sound;
    }
    let is_message =
        |data: Bytes| Envelope::peek(&data).is_some_and(|message| message.is_message() && message.is_versioned);
    if !event.data().is_some_and(is_message) {
        return Outcome::Sound;
    }
    event.text = sse::with_field(&event.text, "event", "message").into();
    Outcome::mended("a message under another name")
}
