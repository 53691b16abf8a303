//! F-22, G-05: an event stream that is silent.

use super::is_stream;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{At, Event, Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.silence",
    rows: &["F-22", "G-05"],
    summary: "an event stream is silent",
    why: "Whatever stands between ends a connection on which nothing moves: after 60 seconds (AWS), 100 \
          (Cloudflare), 30 (CloudFront). Some hold the head of an answer back until something follows it.",
    hits: "everybody behind a load balancer or CDN: \"dies every 125 seconds\"",
    stops: who::NOBODY,
    remedy: "Sends a comment at once if nothing follows the head, and again after each limits.silence_seconds \
             of silence. Clients skip comments.",
    advice: "Send `: keep-alive` every 15 seconds.",
    basis: &[basis::STREAM_HYGIENE],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[],
    hook: Hook::Silence { when: is_stream, run },
    examples: &[
        Example {
            note: "nothing has come",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "(silence)",
            then: Then::Becomes(":\n\n"),
        },
        Example {
            note: "the older transport",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "(silence)",
            then: Then::Becomes(":\n\n"),
        },
        Example {
            note: "something comes",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
    ],
};

/// A comment without a text (WHATWG HTML, section 9.2.7).
const COMMENT: &[u8] = b":\n\n";

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    if !matches!(event.at, At::Silence { .. }) {
        return Outcome::Sound;
    }
    Outcome::mended("a silent event stream", Edits::to_text(COMMENT))
}
