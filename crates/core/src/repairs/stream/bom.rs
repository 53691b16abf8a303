//! F-21: a byte order mark before an event.

use bytes::Bytes;

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
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
    gate: &[],
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

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    if !event.text.starts_with(MARK) {
        return Outcome::Sound;
    }
    Outcome::mended("a byte order mark before an event", Edits::to_text(without_marks(&event.text)))
}

/// A text without the marks that it begins with: each writer on the way may have put one there. A line end that stands between
/// two of them, or behind the last, goes as well: it would belong to the event before.
pub(crate) fn without_marks(text: &Bytes) -> Bytes {
    let mut rest = &text[..];
    if rest.starts_with(MARK) {
        while let Some(after) = [MARK, b"\n", b"\r"].into_iter().find_map(|start| rest.strip_prefix(start)) {
            rest = after;
        }
    }
    text.slice_ref(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_with_the_line_ends_between_them() {
        for (text, without) in [
            ("\u{feff}data: 1\n\n", "data: 1\n\n"),
            ("\u{feff}\u{feff}\n\u{feff}data: 1\n\n", "data: 1\n\n"),
            ("\u{feff}\r\n\u{feff}", ""),
            ("\ndata: \u{feff}\n\n", "\ndata: \u{feff}\n\n"),
        ] {
            assert_eq!(without_marks(&Bytes::from_static(text.as_bytes())), without, "{text:?}");
        }
    }
}
