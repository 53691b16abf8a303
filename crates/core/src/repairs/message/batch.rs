//! F-25: a list of messages in answer to one.

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::client::who;
use crate::edit::json::List;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Opening, Outcome, Reply, ReplyBody, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "message.batch",
    rows: &["F-25"],
    summary: "a single message is answered with a list of messages",
    why: "Lists of messages were dropped from the protocol after a few months. The Python SDK and rmcp cannot \
          read them.",
    hits: "Python SDK, rmcp",
    stops: who::PYTHON.and(who::RUST),
    remedy: "Takes the one message out of its list; several become an event each, or the answer alone where the \
             client takes no events.",
    advice: "Answer a message with a message.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp],
    gate: &[&[Feature::Asks], &[Feature::OpensList]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "one",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "several",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Becomes(
                "200\nContent-Type: text/event-stream\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            ),
        },
        Example {
            note: "several, and no events are taken",
            site: SiteKind::Open,
            request: "POST /mcp\nAccept: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"),
        },
        Example {
            note: "a list was asked for",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "200\nContent-Type: application/json\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]",
            then: Then::Sound,
        },
        Example {
            note: "no messages",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "200\nContent-Type: application/json\n\n[1]",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.asks() && reply.status.is_success() && reply.opening == Opening::List
}

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let ReplyBody::Text(text) = &reply.body else { return Outcome::Sound };
    let Some(messages) = messages_in(text) else { return Outcome::Sound };
    let is_answer = |text: &&Bytes| {
        Envelope::peek(text).zip(request.message.as_ref()).is_some_and(|(message, asked)| message.answers(asked))
    };
    let (kind, body) = match messages.as_slice() {
        [] => return Outcome::Sound,
        [one] => ("application/json", one.clone()),
        _ if request.accepts.events => (
            "text/event-stream",
            messages.iter().map(|message| sse::event_of(message)).collect::<Vec<_>>().concat().into(),
        ),
        _ => match messages.iter().find(is_answer) {
            Some(answer) => ("application/json", answer.clone()),
            None => return Outcome::Sound,
        },
    };
    let mut edits = Edits::new();
    edits.opening(if kind == "application/json" { Opening::Object } else { Opening::Events });
    edits.text(body);
    edits.set(CONTENT_TYPE, HeaderValue::from_static(kind));
    Outcome::mended("a list of messages in answer to one", edits)
}

/// The messages of a list, if it has nothing else.
pub(in crate::repairs) fn messages_in(text: &Bytes) -> Option<Vec<Bytes>> {
    let messages: Vec<Bytes> = List::parse(text.clone())?.iter().collect();
    let is_message =
        |text: &Bytes| Envelope::peek(text).is_some_and(|message| message.is_message() && !message.is_batch);
    messages.iter().all(is_message).then_some(messages)
}
