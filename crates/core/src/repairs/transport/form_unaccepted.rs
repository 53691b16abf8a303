//! F-02: an answer in the form that the client does not take.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Accepts, Form, Opening, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.form-unaccepted",
    rows: &["F-02"],
    summary: "the answer comes in a form that the client does not accept",
    why: "A client that takes only JSON cannot read a stream, and the other way round.",
    hits: "hosted clients, ElevenLabs, curl and validators",
    stops: who::CLAUDE,
    remedy: "To a client that accepts only JSON, the message of the stream that answers its request, and \
             nothing else of it; to one that accepts only streams, the message as the one event of a stream.",
    advice: "Answer in the form that `Accept` names.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::OneForm], &[Feature::Ok]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "a stream, and JSON is accepted",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Becomes("200\nContent-Type: application/json\nX-Form: message"),
        },
        Example {
            note: "JSON, and streams are accepted",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: text/event-stream\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            then: Then::Becomes(
                "200\nContent-Type: text/event-stream\nX-Form: event\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            ),
        },
        Example {
            note: "both are accepted",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: application/json, text/event-stream\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Sound,
        },
        Example {
            note: "nothing is said",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: text/event-stream",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks()
        && reply.status == StatusCode::OK
        && matches!(reply.form, Form::AsItCame | Form::Listened)
        && request.accepts.json != request.accepts.events
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let (is_stream, is_read) = (reply.is_of("text/event-stream"), reply.opening == Opening::Object);
    let (form, kind) = match request.accepts {
        Accepts { events: false, .. } if is_stream => (Form::Message, "application/json"),
        Accepts { json: false, .. } if !is_stream && is_read => (Form::Event, "text/event-stream"),
        _ => return Outcome::Sound,
    };
    let mut edits = Edits::new();
    edits.form(form);
    edits.set(CONTENT_TYPE, HeaderValue::from_static(kind));
    Outcome::mended("an answer in the form that the client does not accept", edits)
}
