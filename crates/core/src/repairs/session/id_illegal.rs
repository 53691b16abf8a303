//! F-18: a session id that clients cannot send back.

use crate::client::who;
use crate::endpoint::{Class, SESSION};
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "session.id-illegal",
    rows: &["F-18"],
    summary: "a session id is no visible ASCII text, or is the word for none",
    why: "A client sends the id in a header. `null` and `undefined` are what a program prints for none; blanks \
          and other letters break the header or the client.",
    hits: "every client: every message after the first is refused or fails to be sent",
    stops: who::EVERYBODY,
    remedy: "Takes `null`, `undefined` and an empty id out; gives out any other illegal one in a sealed form that can \
             be sent, and sends the original upstream (session.sealed). Nothing is kept: the id holds what it \
             stands for, encrypted. An id that begins with `mend-`, as sealed ones do, is sealed too.",
    advice: "Use a UUID or another text of visible ASCII.",
    basis: &[basis::SESSIONS],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::SessionGiven]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "the word for none",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: null",
            then: Then::Becomes("200"),
        },
        Example {
            note: "with a blank",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: a b",
            then: Then::Becomes("200\nMcp-Session-Id: mend-RK8g2TFVdPHg6XczyefLd12SXw"),
        },
        Example {
            note: "later answers name the session as the client does",
            site: SiteKind::Open,
            request: "POST /mcp\nMcp-Session-Id: mend-i8fEsAyw4WFzKUFOBYfuVafcpMVq2qE\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: a b",
            then: Then::Becomes("200\nMcp-Session-Id: mend-i8fEsAyw4WFzKUFOBYfuVafcpMVq2qE"),
        },
        Example {
            note: "an id that looks like a sealed one",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: mend-7",
            then: Then::Becomes("200\nMcp-Session-Id: mend-LtYSlXP0omotF6dSQhR-V5MZEMUUhg"),
        },
        Example {
            note: "a sealed one",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: mend-RK8g2TFVdPHg6XczyefLd12SXw",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nMcp-Session-Id: 6f1c9b0e",
            then: Then::Sound,
        },
    ],
};

fn when(_: &Request, reply: &Reply) -> bool {
    reply.headers.get(SESSION).is_some_and(|id| super::is_none(id) || !super::is_legal(id) || super::is_marked(id))
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(id) = reply.headers.get(SESSION) else { return Outcome::Sound };
    let mut edits = Edits::new();
    if super::is_none(id) {
        edits.remove(SESSION);
        return Outcome::mended("a session id that is the word for none", edits);
    }
    if super::open(site.facts, id).is_some() {
        return Outcome::Sound;
    }
    let is_legal = super::is_legal(id);
    let sent = super::name_sent(site.facts, request, id);
    let Some(sealed) = sent.or_else(|| super::seal(site.facts, id, None)) else { return Outcome::Sound };
    edits.set(SESSION, sealed);
    if is_legal {
        return Outcome::mended("a session id that begins as those of this proxy do", edits).blameless_if(true);
    }
    Outcome::mended("a session id that clients cannot send back", edits)
}
