//! Versions of the protocol: how they are negotiated, named and refused, and the probe of the newest one.

pub mod header_mismatch;
pub mod header_too_new;
pub mod initialize_too_new;
pub mod meta_refused;
pub mod probe_known;
pub mod probe_unanswered;
pub mod refused;

use bytes::Bytes;

use crate::edit::json::Object;
use crate::endpoint::NEGOTIATED;
use crate::exchange::{Request, RequestBody};
use crate::jsonrpc;

/// The newest version that is negotiated in `initialize`.
pub(in crate::repairs) fn newest() -> &'static str {
    NEGOTIATED[NEGOTIATED.len() - 1]
}

/// Whether a text has the form of a version, which is a date.
pub(in crate::repairs) fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// The message of a request, if it was held.
pub(in crate::repairs) fn message(request: &Request) -> Option<Object> {
    match &request.body {
        RequestBody::Json(object) => Some(object.clone()),
        RequestBody::Whole(bytes) => Object::parse_message(bytes.clone()).ok(),
        RequestBody::Unread | RequestBody::Form(_) => None,
    }
}

/// What a server says that does not know a method, in the one form that every client takes for that.
fn unknown(request: &Request) -> Bytes {
    jsonrpc::error(request.message.as_ref(), jsonrpc::METHOD_NOT_FOUND, "Method not found")
}
