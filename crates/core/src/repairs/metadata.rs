//! Discovery documents: found where clients look, whole, readable by every parser, never cached.

pub mod auth_methods;
pub mod cacheable;
pub mod client_documents;
pub mod content_type;
pub mod grant_types;
pub mod iss_unsaid;
pub mod keys_missing;
pub mod not_found;
pub mod openid_incomplete;
pub mod pkce_unsaid;
pub mod registration_unsaid;
pub mod resource_elsewhere;
pub mod resource_missing;
pub mod resource_shape;
pub mod scopes;
pub mod server_elsewhere;
pub mod server_missing;
pub mod server_names;
pub mod server_shape;
mod shape;

use http::{Method, StatusCode};

use crate::documents;
use crate::edit::json::Object;
use crate::endpoint::{self, Class};
use crate::exchange::{Reply, Request, Site};

/// A request that reads a document.
fn is_read(request: &Request) -> bool {
    request.method == Method::GET || request.method == Method::HEAD
}

/// An answer to such a request that says whether there is a document: a part and "not modified" say nothing of it, and
/// are never rewritten.
fn tells(request: &Request, reply: &Reply) -> bool {
    is_read(request) && !matches!(reply.status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether the reply could be a document: a success that claims to be JSON.
fn may_be_document(reply: &Reply) -> bool {
    reply.status == StatusCode::OK && reply.is_json()
}

/// Whether the reply is the document that its place promises, complete or not.
fn is_document(request: &Request, reply: &Reply) -> bool {
    if !may_be_document(reply) {
        return false;
    }
    match (request.class, reply.json()) {
        (Class::ResourceMetadata, Some(document)) => documents::is_resource_metadata(document),
        (Class::ServerMetadata, Some(document)) => documents::is_server_metadata(document),
        (Class::Keys, Some(document)) => document.has("keys"),
        // One that nobody could read is nobody's to judge.
        (_, None) => !matches!(reply.body, crate::exchange::ReplyBody::Text(_)),
        _ => false,
    }
}

/// Whether the place is one where clients look for the metadata of our endpoint.
fn is_our_resource(site: &Site<'_>, request: &Request) -> bool {
    endpoint::resource_metadata_places(&site.facts.mcp_path).iter().any(|place| place == request.path())
}

/// Whether the place is one where clients look for the metadata of our own issuer: it is told to them without a path,
/// and known to others by the path of the endpoint or the one that the upstream gives it.
fn is_our_server(site: &Site<'_>, request: &Request) -> bool {
    let issuer_path = site.known.issuer.as_deref().and_then(crate::edit::origin::after_origin).unwrap_or_default();
    ["", site.facts.mcp_path.as_str(), issuer_path]
        .iter()
        .any(|path| endpoint::server_metadata_places(path).iter().any(|place| place == request.path()))
}

/// A copy of our own issuer's metadata, to change: after `identity.server-metadata` they name it as clients know it.
fn own_server(site: &Site<'_>, reply: &Reply) -> Option<Object> {
    let is_own = |document: &&Object| {
        site.has_own_authorization_server()
            && documents::is_server_metadata(document)
            && document.text("issuer").as_deref() == Some(site.issuer())
    };
    reply.json().filter(is_own).cloned()
}
