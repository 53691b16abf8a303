//! F-21: an event that is no message.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::bom::MARK;
use super::{is_heard, is_stream};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{At, Event, Outcome, Reply, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.junk-data",
    rows: &["F-21"],
    summary: "an event that clients read as a message is none",
    why: "The Python SDK ends the stream at data that is no JSON; others report an error.",
    hits: "the Python SDK 2, rmcp",
    stops: who::PY2.and(who::RUST),
    remedy: "Takes events out whose data is no message at all, such as `[DONE]`, `ping` or `null`. What may be \
             half a message stays, and so does what comes on the stream of a GET.",
    advice: "Send comments (`: ping`) to keep a stream alive, and end it by closing it.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks]],
    hook: Hook::Event { when, run },
    examples: &[
        Example {
            note: "a mark of the end",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: [DONE]\n\n",
            then: Then::Becomes(""),
        },
        Example {
            note: "a sign of life",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\ndata: ping\n\n",
            then: Then::Becomes(""),
        },
        Example {
            note: "an object that says nothing",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"status\":\"ok\"}\n\n",
            then: Then::Becomes(""),
        },
        Example {
            note: "half a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\n\n",
            then: Then::Sound,
        },
        Example {
            note: "a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "a sign of life under its name",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: ping\ndata: now\n\n",
            then: Then::Sound,
        },
        Example {
            note: "the stream of a GET",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "data: ping\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no data",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "id: 1\ndata:\n\n",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks() && is_stream(request, reply)
}

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    let is_junk = |data: Bytes| {
        let text = data.trim_ascii();
        let is_cut = text.first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(text).is_err();
        !text.is_empty()
            && !is_cut
            && Envelope::peek(&data).is_none_or(|message| !message.is_message() && !message.is_versioned)
    };
    // Behind a byte order mark the first line is not known for what it is: the rest of it is no message (stream.bom).
    let is_marked = event.text.starts_with(MARK);
    if event.at != At::Arrival || is_marked || !is_heard(event) || !event.data().is_some_and(is_junk) {
        return Outcome::Sound;
    }
    Outcome::mended("an event that is no message", Edits::to_text(Bytes::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn half_of_a_message_behind_a_byte_order_mark_is_no_junk() {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        let request = example::request("POST /mcp\n\n{\"id\":1,\"method\":\"ping\"}", &facts, &known).unwrap();
        let site = Site { facts: &facts, known: &known };
        let rest = "data: \"result\":{}}\n\n";
        let event = Event::arrived(format!("\u{feff}data: {{\"jsonrpc\":\"2.0\",\"id\":1,\n{rest}").into());
        assert_eq!(run(&site, &request, &event), Outcome::Sound);
        assert_ne!(run(&site, &request, &Event::arrived(rest.into())), Outcome::Sound, "without the mark it is junk");
    }
}
