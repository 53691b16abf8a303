//! Streamable HTTP (MCP 2025-03-26 to 2025-11-25): how messages are sent, taken, answered and refused.

pub mod accept_narrow;
pub mod answer_elsewhere;
pub mod answer_in_place;
pub mod content_type;
pub mod empty;
pub mod end_unanswered;
pub mod error_page;
pub mod error_status;
pub mod form_unaccepted;
pub mod head_unanswered;
pub mod media_type;
pub mod method_unknown;
pub mod moved;
pub mod notification_answered;
pub mod notification_refused;
pub mod older_alone;
pub mod origin_foreign;
pub mod origin_passed;
pub mod redirected;
pub mod stream_unanswered;

use http::header::ACCEPT;

use super::auth::said;
use crate::edit::list;
use crate::exchange::{Reply, Request, Site};
use crate::jsonrpc;

/// What is said of a session that is gone, in the words that servers use; letters and digits alone.
const LOST: [&str; 22] = [
    "session not found",
    "session id not found",
    "session does not exist",
    "session id does not exist",
    "session doesn t exist",
    "session expired",
    "session has expired",
    "session is expired",
    "session terminated",
    "session has been terminated",
    "session closed",
    "session is not valid",
    "session id is not valid",
    "session is invalid",
    "session id is invalid",
    "invalid session",
    "unknown session",
    "no such session",
    "no valid session",
    "no active session",
    "session not initialized",
    "server not initialized",
];

/// Whether the page that asks may: it is listed, or is the site itself.
fn is_admitted(site: &Site<'_>, request: &Request) -> bool {
    request
        .origin
        .as_ref()
        .is_some_and(|origin| site.allows_origin(origin) || origin.as_bytes() == site.facts.public.as_str().as_bytes())
}

/// Whether a GET asks for events by name.
fn asks_for_stream(request: &Request) -> bool {
    list::members(&request.headers, ACCEPT).any(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
}

/// What a refusal says, in lower case, anything but letters and digits as one blank.
fn words(reply: &Reply) -> String {
    let said = said::of(reply).unwrap_or_default().to_ascii_lowercase();
    said.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a refusal says that the session is not known any more.
pub(super) fn speaks_of_a_lost_session(reply: &Reply) -> bool {
    let words = words(reply);
    LOST.iter().any(|lost| words.contains(lost)) || code(reply) == Some(jsonrpc::SESSION_NOT_FOUND)
}

/// Whether a refusal has no words.
fn says_nothing(reply: &Reply) -> bool {
    said::of(reply).is_none_or(|said| said.trim().is_empty())
}

/// Whether a refusal is about the session at all.
fn speaks_of_a_session(reply: &Reply) -> bool {
    words(reply).contains("session") || speaks_of_a_lost_session(reply)
}

/// Whether a refusal is about the method, or is the page of a server that has no such path.
fn speaks_of_a_method(reply: &Reply) -> bool {
    let words = words(reply);
    is_about_a_method(code(reply))
        || words.contains("method")
        || words.contains("not implemented")
        || words.contains("not supported")
}

fn is_about_a_method(code: Option<i64>) -> bool {
    matches!(
        code,
        Some(jsonrpc::METHOD_NOT_FOUND | jsonrpc::INVALID_REQUEST | jsonrpc::INVALID_PARAMS | jsonrpc::INTERNAL_ERROR)
    )
}

fn code(reply: &Reply) -> Option<i64> {
    reply.json()?.child("error")?.get("code")?.as_i64()
}
