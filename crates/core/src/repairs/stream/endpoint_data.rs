//! G-02: the address in the first event of the older transport.

use serde_json::Value;

use super::is_opened;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Event, Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};
use crate::repairs::basis;
use crate::sse;

pub static REPAIR: Repair = Repair {
    id: "stream.endpoint-data",
    rows: &["G-02"],
    summary: "the `endpoint` event carries more than an address",
    why: "The data is the address itself. In quotes, in an object or between blanks it is taken for a path of \
          that name.",
    hits: "every client that speaks HTTP+SSE",
    stops: who::OLDER_TRANSPORT,
    remedy: "Takes the address out of quotes, out of an object (`uri`, `url`, `endpoint`), and the blanks off.",
    advice: "Send `event: endpoint` and `data: /messages?sessionId=...`.",
    basis: &[basis::ENDPOINT_EVENT],
    default: Mode::Fix,
    on: &[Class::LegacySse, Class::Mcp, Class::Other],
    gate: &[],
    hook: Hook::Event { when: is_opened, run },
    examples: &[
        Example {
            note: "in quotes",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: \"/messages?sessionId=a\"\n\n",
            then: Then::Becomes("event: endpoint\ndata: /messages?sessionId=a\n\n"),
        },
        Example {
            note: "in an object",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: {\"uri\":\"/messages?sessionId=a\"}\n\n",
            then: Then::Becomes("event: endpoint\ndata: /messages?sessionId=a\n\n"),
        },
        Example {
            note: "a blank behind it",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: /messages?sessionId=a \n\n",
            then: Then::Becomes("event: endpoint\ndata: /messages?sessionId=a\n\n"),
        },
        Example {
            note: "in all of them",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: {\"endpoint\":\" /messages?sessionId=a\"}\n\n",
            then: Then::Becomes("event: endpoint\ndata: /messages?sessionId=a\n\n"),
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata: /messages?sessionId=a\n\n",
            then: Then::Sound,
        },
        Example {
            note: "no address at all",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: endpoint\ndata:\ndata: [{\"uri\":\"https://x.example/\\u00e9\"}]\n\n",
            then: Then::Sound,
        },
        Example {
            note: "a message",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "event: message\ndata: {\"uri\":\"/x\"}\n\n",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, event: &Event) -> Outcome {
    if event.name().as_deref() != Some("endpoint") {
        return Outcome::Sound;
    }
    let Some(data) = event.data() else { return Outcome::Sound };
    let said = String::from_utf8_lossy(&data);
    let bare = bare(&said);
    // No reference has these characters (RFC 3986 section 2): what is left is no address.
    let is_address = !bare.is_empty() && !bare.contains(['\r', '\n', '"', '\\', '{', '}', '<', '>']);
    if !is_address || bare == said {
        return Outcome::Sound;
    }
    let text = sse::with_field(&event.text, "data", &bare);
    Outcome::mended("an endpoint event with more than an address", Edits::to_text(text))
}

/// The address itself; empty if there is none. What is taken out of something may be wrapped in turn, and is shorter.
fn bare(said: &str) -> String {
    match serde_json::from_str::<Value>(said) {
        Ok(Value::String(address)) => bare(&address),
        Ok(Value::Object(members)) => {
            let named = ["uri", "url", "endpoint"].iter().find_map(|name| members.get(*name)?.as_str());
            named.map(bare).unwrap_or_default()
        }
        _ => {
            let inner = said.trim_matches(|c: char| c.is_whitespace() || c == '\'');
            if inner.len() < said.len() { bare(inner) } else { inner.to_owned() }
        }
    }
}
