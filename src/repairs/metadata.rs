//! Discovery documents: found where clients look, whole, never cached.

pub mod cacheable;
pub mod resource_elsewhere;
pub mod resource_missing;
pub mod scopes;
pub mod server_elsewhere;

use http::{Method, StatusCode};

use crate::exchange::{Reply, Request};

/// A request that reads a document.
fn is_read(request: &Request) -> bool {
    request.method == Method::GET || request.method == Method::HEAD
}

/// Whether the reply could be a document: a success that claims to be JSON.
fn may_be_document(reply: &Reply) -> bool {
    reply.status == StatusCode::OK && reply.is_json()
}
