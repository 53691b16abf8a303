//! G-01: the first event of an HTTP+SSE stream that sends the client to the upstream's own address.

use http::Method;
use http::header::CONTENT_TYPE;

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Event, Outcome, Reply, Request, Site, is_media_type};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "identity.endpoint-event",
    rows: &["G-01"],
    summary: "the `endpoint` event names the upstream's own address",
    why: "SDKs refuse to post to another origin than the one they connected to; an internal host cannot be reached \
          at all.",
    hits: "every client that speaks HTTP+SSE: TypeScript and Python SDK, rmcp, VS Code",
    stops: who::OLDER_TRANSPORT,
    remedy: "The URL becomes the public one, path and query kept; relative ones and all other events pass.",
    advice: "Send a relative reference: `data: /messages?sessionId=...`.",
    basis: &[basis::ENDPOINT_EVENT],
    default: Mode::Fix,
    on: &[Class::LegacySse, Class::Mcp, Class::Other],
    gate: &[&[Feature::Get], &[Feature::Events]],
    hook: Hook::Event { when, run },
    examples: &[
        Example {
            note: "the internal host",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\r\ndata: http://127.0.0.1:3000/messages/?session_id=ab\r\n\r\n",
            then: Then::Becomes("event: endpoint\r\ndata: https://mcp.example.com/messages/?session_id=ab\r\n\r\n"),
        },
        Example {
            note: "relative",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: /messages?sessionId=ab\n\n",
            then: Then::Sound,
        },
        Example {
            note: "a message is none of its business",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: message\ndata: http://localhost:3000/x\n\n",
            then: Then::Sound,
        },
    ],
};

fn when(request: &Request, reply: &Reply) -> bool {
    request.method == Method::GET
        && reply.headers.get(CONTENT_TYPE).is_some_and(|kind| is_media_type(kind, "text/event-stream"))
}

fn run(site: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    if sse::field(&event.text, "event").as_deref() != Some("endpoint") {
        return Outcome::Sound;
    }
    let Some(public) = sse::field(&event.text, "data").and_then(|url| site.to_public(url.trim())) else {
        return Outcome::Sound;
    };
    let edits = Edits::to_text(sse::with_field(&event.text, "data", &public));
    Outcome::mended("the endpoint event names another address", edits)
}
