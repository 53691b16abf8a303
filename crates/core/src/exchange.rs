//! What a repair sees of an exchange: the site, the request, the reply. Pure values, no I/O.

pub mod content;
pub mod edits;
mod event;
pub mod features;
mod outcome;
mod place;
mod reply;
mod request;
mod site;

use http::HeaderValue;

pub use event::{At, Event};
pub use outcome::{Ask, Finding, Level, Outcome};
pub use place::Placement;
pub use reply::{Form, OF_THE_ANSWER, Opening, Reply, ReplyBody};
pub use request::{Accepts, BOTH_FORMS, Head, Preflight, Request, RequestBody, detached, is_credential};
pub use site::Site;

pub use crate::facts::Facts;

/// `application/json` or a `+json` type, with any parameters.
#[must_use]
pub fn is_json(content_type: &HeaderValue) -> bool {
    // What nearly everybody writes.
    match content_type.as_bytes() {
        b"application/json" => return true,
        b"text/event-stream" => return false,
        _ => {}
    }
    media_type(content_type).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
    })
}

/// Whether a header value names this media type, with any parameters.
#[must_use]
pub fn is_media_type(content_type: &HeaderValue, wanted: &str) -> bool {
    let text = content_type.as_bytes();
    if text == wanted.as_bytes() {
        return true;
    }
    // Most are told apart by their length, or by the first letter.
    let starts_alike = || text.trim_ascii_start().first().map(u8::to_ascii_lowercase) == wanted.bytes().next();
    if text.len() < wanted.len() || !starts_alike() {
        return false;
    }
    media_type(content_type).is_some_and(|kind| kind.eq_ignore_ascii_case(wanted))
}

fn media_type(content_type: &HeaderValue) -> Option<&str> {
    let text = content_type.to_str().ok()?;
    Some(text.split(';').next().unwrap_or(text).trim())
}
