//! F-25: a list of messages in one event.

use super::{is_heard, is_stream};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::repairs::message::batch::messages_in;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "stream.batch",
    rows: &["F-21", "F-25"],
    summary: "an event carries a list of messages",
    why: "Lists of messages were dropped from the protocol after a few months. TypeScript SDK clients hang, \
          others fail.",
    hits: "every client",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST),
    remedy: "Writes an event for each message, in order; the id of the event stays on the last one.",
    advice: "Send an event for each message.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "two",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\nid: 7\ndata: [{\"jsonrpc\":\"2.0\",\"method\":\"a\"}, {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n\n",
            then: Then::Becomes(
                "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n\nevent: message\nid: 7\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            ),
        },
        Example {
            note: "a list was asked for",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "data: [{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n\n",
            then: Then::Sound,
        },
        Example {
            note: "one message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "without its end",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)data: [{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Sound,
        },
        Example {
            note: "for somebody else",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: log\ndata: [{\"method\":\"GET\"}]\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no messages",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: [1]\n\n",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, event: &Event) -> Outcome {
    let is_asked_for = request.message.as_ref().is_some_and(|asked| asked.is_batch);
    // One that has no end (F-20) would run into the next.
    if is_asked_for || !is_heard(event) || !sse::is_between_events(&event.text) {
        return Outcome::Sound;
    }
    let data = event.data().filter(|data| data.trim_ascii_start().first() == Some(&b'['));
    let Some(messages) = data.as_ref().and_then(messages_in).filter(|messages| !messages.is_empty()) else {
        return Outcome::Sound;
    };
    let without_id = sse::without_field(&event.text, "id");
    let last = messages.len() - 1;
    let events = messages.iter().enumerate().map(|(number, message)| {
        let frame = if number == last { &event.text[..] } else { &without_id };
        sse::with_field(frame, "data", &String::from_utf8_lossy(message))
    });
    Outcome::mended("a list of messages in one event", Edits::to_text(events.collect::<Vec<_>>().concat()))
}
