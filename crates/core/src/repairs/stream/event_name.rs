//! F-21: a message under another name.

use bytes::Bytes;

use super::{is_heard, is_stream};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::repairs::message::batch::messages_in;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "stream.event-name",
    rows: &["F-21"],
    summary: "a message comes as an event of another name than `message`",
    why: "Clients listen for events without a name or of the name `message`. Under `response` or `data` the \
          answer is not heard.",
    hits: "TypeScript SDK clients (a hang), Python SDK, rmcp",
    stops: who::TYPESCRIPT_MESSAGES.and(who::PYTHON).and(who::RUST).and(who::VSCODE),
    remedy: "Names the event `message` if it carries a JSON-RPC message, or the answer to the request.",
    advice: "Send `event: message`, or no name.",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse],
    gate: &[],
    hook: Hook::Event { when: is_stream, run },
    examples: &[
        Example {
            note: "a field without a value",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Becomes("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "another name",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: response\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Becomes("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "the answer, without its version",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: response\ndata: {\"id\":1,\"result\":{}}\n\n",
            then: Then::Becomes("event: message\ndata: {\"id\":1,\"result\":{}}\n\n"),
        },
        Example {
            note: "a list of them",
            site: SiteKind::Open,
            request: "POST /mcp\n\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            reply: "event: response\ndata: [{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n\n",
            then: Then::Becomes("event: message\ndata: [{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]\n\n"),
        },
        Example {
            note: "something like a message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: log\ndata: {\"method\":\"GET\",\"error\":null}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no name",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no message",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "event: ping\ndata: {}\n\n",
            then: Then::Sound,
        },
        Example {
            note: "where to post",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: /messages\n\n",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, event: &Event) -> Outcome {
    // A field without a value is no name, and rmcp does not know that form of a field.
    let is_bare = event.name().as_deref() == Some("");
    if (is_heard(event) && !is_bare) || event.name().as_deref() == Some("endpoint") {
        return Outcome::Sound;
    }
    let is_meant = |data: Bytes| match Envelope::peek(&data) {
        Some(message) if message.is_batch => {
            let is_one = |text: &Bytes| Envelope::peek(text).is_some_and(|message| is_message(&message, request));
            messages_in(&data).is_some_and(|messages| !messages.is_empty() && messages.iter().all(is_one))
        }
        Some(message) => is_message(&message, request),
        None => false,
    };
    // Without a name it is a message, whatever it carries.
    if !event.data().is_some_and(|data| is_bare || is_meant(data)) {
        return Outcome::Sound;
    }
    let text = sse::with_field(&event.text, "event", "message");
    Outcome::mended("a message under another name", Edits::to_text(text))
}

/// Whether it says that it is JSON-RPC, or answers what was asked.
fn is_message(message: &Envelope, request: &Request) -> bool {
    let asked = request.message.as_ref().filter(|_| request.asks());
    (message.is_message() && message.is_versioned) || asked.is_some_and(|asked| message.answers(asked))
}
