//! What holds for every endpoint of an authorization server: where it is.

pub mod elsewhere;
pub mod moved;

use http::Method;

use crate::exchange::{Request, RequestBody};

/// Whether the request can be put a second time: its body was read.
fn is_repeatable(request: &Request) -> bool {
    request.method == Method::POST && request.body != RequestBody::Unread
}
