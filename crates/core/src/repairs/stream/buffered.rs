//! F-22, G-05: what tells those between that a stream must not wait.

use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, StatusCode};

use super::is_stream;
use crate::client::who;
use crate::edit::list;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "stream.buffered",
    rows: &["F-22", "G-05"],
    summary: "an event stream does not say that it must not be held back",
    why: "nginx and others gather an answer before they hand it on, and may compress it: events come late, or \
          only when the stream ends.",
    hits: "everybody behind nginx, a CDN or a compressing proxy",
    stops: who::NOBODY,
    remedy: "Adds `X-Accel-Buffering: no` and `Cache-Control: no-cache, no-transform`.",
    advice: "Send both with every event stream.",
    basis: &[basis::STREAM_HYGIENE, basis::NO_TRANSFORM],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[&[Feature::Ok], &[Feature::Events]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "neither",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Becomes(
                "200\nCache-Control: no-cache, no-transform\nContent-Type: text/event-stream\nX-Accel-Buffering: no",
            ),
        },
        Example {
            note: "half of it",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "200\nCache-Control: no-store\nContent-Type: text/event-stream\nX-Accel-Buffering: yes",
            then: Then::Becomes(
                "200\nCache-Control: no-store, no-transform\nContent-Type: text/event-stream\nX-Accel-Buffering: no",
            ),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nCache-Control: no-cache, no-transform\nContent-Type: text/event-stream\nX-Accel-Buffering: no",
            then: Then::Sound,
        },
        Example {
            note: "a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json",
            then: Then::Sound,
        },
    ],
};

const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NO: HeaderValue = HeaderValue::from_static("no");
const UNCACHED: HeaderValue = HeaderValue::from_static("no-cache, no-transform");

fn when(request: &Request, reply: &Reply) -> bool {
    reply.status == StatusCode::OK && is_stream(request, reply) && !(is_unbuffered(reply) && is_untransformed(reply))
}

fn is_unbuffered(reply: &Reply) -> bool {
    reply.headers.get(BUFFERING).is_some_and(|value| *value == NO)
}

fn is_untransformed(reply: &Reply) -> bool {
    reply.headers.get(CACHE_CONTROL).is_some_and(|value| *value == UNCACHED)
        || (list::contains(&reply.headers, CACHE_CONTROL, "no-transform") && is_uncached(reply))
}

fn is_uncached(reply: &Reply) -> bool {
    ["no-cache", "no-store"].iter().any(|word| list::contains(&reply.headers, CACHE_CONTROL, word))
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let mut edits = Edits::new();
    edits.set(BUFFERING, NO);
    if !is_untransformed(reply) {
        let mut words: Vec<String> = list::members(&reply.headers, CACHE_CONTROL).map(str::to_owned).collect();
        if !is_uncached(reply) {
            words.push("no-cache".to_owned());
        }
        if !list::contains(&reply.headers, CACHE_CONTROL, "no-transform") {
            words.push("no-transform".to_owned());
        }
        let value = HeaderValue::from_str(&words.join(", ")).unwrap_or(UNCACHED);
        edits.set(CACHE_CONTROL, value);
    }
    Outcome::mended("an event stream that may be held back", edits)
}
