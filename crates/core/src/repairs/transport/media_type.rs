//! F-03: a message whose `Content-Type` a server refuses.

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "transport.media-type",
    rows: &["F-03"],
    summary: "a JSON message is sent without `application/json`, or with parameters beside it",
    why: "Servers compare the header with `application/json` to the letter and answer 415 (or 400) to `; \
          charset=utf-8` and to none at all.",
    hits: "hand-written clients, proxies between client and server, the Python SDK server on the other side",
    stops: who::NOBODY,
    remedy: "Sends `application/json` if the body is a JSON message. Not for a page of another origin: a \
             browser asks before it sends JSON, and that must stay so.",
    advice: "Ignore parameters of the media type; JSON has no charset (RFC 8259 section 11).",
    basis: &[basis::MESSAGE_SENT],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacyPost],
    gate: &[&[Feature::Message]],
    hook: Hook::Request { needs: Needs::Head, when, run, goes_on: false },
    examples: &[
        Example {
            note: "a charset",
            site: SiteKind::Open,
            request: "POST /mcp\nContent-Type: application/json; charset=utf-8\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "none",
            site: SiteKind::Open,
            request: "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Becomes(
                "POST /mcp\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            ),
        },
        Example {
            note: "a page of another origin",
            site: SiteKind::Open,
            request: "POST /mcp\nContent-Type: text/plain\nOrigin: https://evil.example\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "right",
            site: SiteKind::Open,
            request: "POST /mcp\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            reply: "",
            then: Then::Sound,
        },
        Example {
            note: "no message",
            site: SiteKind::Open,
            request: "POST /mcp\nContent-Type: text/plain",
            reply: "",
            then: Then::Sound,
        },
    ],
};

/// The one media type of a message.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn when(request: &Request) -> bool {
    request.method == Method::POST
        && request.message.as_ref().is_some_and(Envelope::is_message)
        && request.headers.get(CONTENT_TYPE).is_none_or(|kind| kind != JSON)
}

fn run(site: &Site<'_>, request: &Request) -> Outcome {
    // What needs a preflight must not get through without one (Fetch, CORS-safelisted request-header).
    if request.origin.as_ref().is_some_and(|origin| !site.allows_origin(origin)) {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.set(CONTENT_TYPE, JSON);
    // The client is the one who breaks a rule, if anybody.
    Outcome::mended("a message that is not called application/json, and nothing more", edits).within_the_rules()
}
