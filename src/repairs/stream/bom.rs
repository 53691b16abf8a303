//! F-21: a byte order mark before an event.

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.bom",
    rows: &["F-21"],
    summary: "an event stream begins with a byte order mark",
    why: "The Python SDK takes the mark for a part of the first field and loses the event.",
    hits: "the Python SDK",
    stops: who::PYTHON,
    remedy: "Takes the mark off.",
    advice: "Write UTF-8 without a byte order mark.",
    basis: &[basis::EVENT_STREAM],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "before the first event",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "\u{feff}data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Becomes("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "within one",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\u{feff}\"}}\n\n",
            then: Then::Sound,
        },
    ],
};

/// U+FEFF in UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

fn run(_: &Site<'_>, _: &Request, event: &mut Event) -> Outcome {
    if !event.text.starts_with(MARK) {
        return Outcome::Sound;
    }
    // Each writer on the way may have put one there.
    while event.text.starts_with(MARK) {
        event.text = event.text.slice(MARK.len()..);
    }
    Outcome::mended("a byte order mark before an event")
}
