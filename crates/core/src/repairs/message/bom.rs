//! F-19: a byte order mark before a message.

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Opening, Outcome, Reply, ReplyBody, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "message.bom",
    rows: &["F-21"],
    summary: "a message begins with a byte order mark",
    why: "JSON has no byte order mark (RFC 8259 section 8.1). Parsers take it for a character that does not \
          belong there.",
    hits: "the Python SDK",
    stops: who::PYTHON,
    remedy: "Takes the mark off.",
    advice: "Write UTF-8 without a byte order mark.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::ReadAsText]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "before a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "none",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Sound,
        },
    ],
};

/// U+FEFF in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

fn when(request: &Request, reply: &Reply) -> bool {
    let is_marked = matches!(&reply.body, ReplyBody::Text(text) if text.starts_with(MARK));
    is_marked && request.asks() && reply.opening == Opening::Object
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let ReplyBody::Text(text) = &reply.body else { return Outcome::Sound };
    Outcome::mended("a byte order mark before a message", Edits::to_text(text.slice(MARK.len()..)))
}
