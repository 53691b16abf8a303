//! F-20: the last event of a stream without its end.

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{At, Event, Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.event-unended",
    rows: &["F-20"],
    summary: "the last event of a stream has no blank line behind it",
    why: "An event counts only once its blank line has come. The answer is there, and nobody gets it.",
    hits: "TypeScript SDK clients (a hang), Python SDK, rmcp",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST).and(who::VSCODE),
    remedy: "Adds the line ends that lack, if the data of the event is a whole message. Half a message stays half.",
    advice: "End every event with a blank line, the last one too.",
    basis: &[basis::EVENT_STREAM],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "no line end",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes("(end)data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "one line end",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n",
            then: Then::Becomes("(end)event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n\r\n"),
        },
        Example {
            note: "cut within its line end",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r",
            then: Then::Becomes("(end)event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n\r\n"),
        },
        Example {
            note: "a long one that has passed",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end, open)",
            then: Then::Becomes("(end, open)\n\n"),
        },
        Example {
            note: "half a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)data: {\"jsonrpc\":\"2.0\",\"id\":1,\"res",
            then: Then::Sound,
        },
        Example {
            note: "a comment",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end): bye\n",
            then: Then::Sound,
        },
        Example {
            note: "nothing",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(end)",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    let At::End { open } = event.at else { return Outcome::Sound };
    let is_ended = crate::sse::is_between_events(&event.text) && !event.text.is_empty();
    let is_whole = if event.text.is_empty() {
        open
    } else {
        event.data().is_some_and(|data| Envelope::peek(&data).is_some_and(|message| message.is_message()))
    };
    if is_ended || !is_whole {
        return Outcome::Sound;
    }
    let line_end: &[u8] = if memchr::memmem::find(&event.text, b"\r\n").is_some() { b"\r\n" } else { b"\n" };
    let end_of_line: &[u8] = match event.text.last() {
        Some(b'\n') => b"",
        // The other half of it was cut off.
        Some(b'\r') => b"\n",
        _ => line_end,
    };
    let text = [&event.text[..], end_of_line, line_end].concat();
    Outcome::mended("the last event of a stream has no end", Edits::to_text(text))
}
