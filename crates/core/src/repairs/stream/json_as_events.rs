//! F-19: a message that is called an event stream.

use bytes::Bytes;

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::repairs::message::batch::messages_in;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "stream.json-as-events",
    rows: &["F-19"],
    summary: "a JSON message is called an event stream",
    why: "A parser of events finds no field in it and drops it line by line.",
    hits: "every client (TypeScript SDK clients hang)",
    stops: who::EVERYBODY,
    remedy: "Writes the message, or each of a list of them, as an event.",
    advice: "Send `Content-Type: application/json` with a message.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end){\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes("(end)event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "over several lines",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end){\n \"jsonrpc\":\"2.0\",\n \"id\":1,\"result\":{}}\n",
            then: Then::Becomes(
                "(end)event: message\ndata: {\ndata:  \"jsonrpc\":\"2.0\",\ndata:  \"id\":1,\"result\":{}}\n\n",
            ),
        },
        Example {
            note: "a list",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Becomes("(end)event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "no message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end){\"jsonrpc\":\"2.0\",\"id\":1,\"res",
            then: Then::Sound,
        },
        Example {
            note: "an event",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    let text = event.text.trim_ascii();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return Outcome::Sound;
    }
    let text = event.text.slice_ref(text);
    let messages = match Envelope::peek(&text) {
        Some(message) if message.is_batch => messages_in(&text).unwrap_or_default(),
        Some(message) if message.is_message() => vec![text],
        _ => return Outcome::Sound,
    };
    if messages.is_empty() {
        return Outcome::Sound;
    }
    let events = messages.iter().map(|message| sse::event_of(message)).collect::<Vec<Bytes>>().concat();
    Outcome::mended("a message that is called an event stream", Edits::to_text(events))
}
