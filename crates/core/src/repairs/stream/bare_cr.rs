//! F-21: lines that end in CR alone.

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.bare-cr",
    rows: &["F-21"],
    summary: "the lines of an event end in CR alone",
    why: "The format allows it, and the parser of the TypeScript SDK does not know it: it waits for the end of \
          the event for ever.",
    hits: "TypeScript SDK clients (a hang)",
    stops: who::TYPESCRIPT_MESSAGES,
    remedy: "Ends the lines in LF.",
    advice: "End lines in LF.",
    basis: &[basis::EVENT_STREAM],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "CR",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\rdata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\r",
            then: Then::Becomes("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "now so, now so",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\r",
            then: Then::Becomes("event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "CR LF",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n\r\n",
            then: Then::Sound,
        },
        Example {
            note: "CR LF, cut before the last LF",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n\r",
            then: Then::Sound,
        },
        Example {
            note: "no line at all",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "\r",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    let text = &event.text;
    let is_bare = |at: usize| text.get(at + 1).is_some_and(|next| *next != b'\n');
    // The last CR may be the half of a CR LF that was cut: it is taken for what another one before it is.
    if !memchr::memchr_iter(b'\r', text).any(is_bare) {
        return Outcome::Sound;
    }
    let is_pair = |at: usize| text.get(at + 1) == Some(&b'\n');
    let ended = |(at, byte): (usize, &u8)| if *byte == b'\r' && !is_pair(at) { b'\n' } else { *byte };
    let mended: Vec<u8> = text.iter().enumerate().map(ended).collect();
    Outcome::mended("lines that end in CR alone", Edits::to_text(mended))
}
