//! F-23: a stream that stays open behind the answer.

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{At, Event, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.open-after-answer",
    rows: &["F-23"],
    summary: "the stream of an answer stays open when the answer has passed",
    why: "The stream of a POST ends behind the answer. One that stays open costs a connection at each hop, and \
          some clients wait for its end.",
    hits: "clients that read an answer to its end; whoever counts connections",
    stops: who::NOBODY,
    remedy: "Ends the stream of a POST once the answer has passed and nothing has followed for \
             limits.silence_seconds. The streams that a GET opens are not meant, nor those of MCP 2026-07-28, where \
             the end of a stream means something else.",
    advice: "Close the stream behind the answer.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks]],
    hook: Hook::Silence { when, run },
    examples: &[
        Example {
            note: "behind the answer",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(silence, answered)",
            then: Then::Becomes("(the stream ends)"),
        },
        Example {
            note: "before it",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(silence)",
            then: Then::Sound,
        },
        Example {
            note: "the stream of a GET",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "(silence, answered)",
            then: Then::Sound,
        },
        Example {
            note: "the newest version",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "(silence, answered)",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks() && !request.is_modern() && is_stream(request, reply)
}

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    if event.at != (At::Silence { answered: true }) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.end();
    Outcome::mended("a stream that stays open behind the answer", edits)
}
