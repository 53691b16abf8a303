//! The token endpoint (RFC 6749) and the revocation endpoint (RFC 7009).

pub mod cacheable;
pub mod client_auth;
pub mod client_auth_refused;
pub mod client_unknown;
pub mod encoding;
pub mod error_as_success;
pub mod error_shape;
pub mod expires_in;
pub mod form_refused;
pub mod grant_dead;
pub mod members;
pub mod resource_refused;
pub mod revoke_unknown;
mod said;
pub mod scope_empty;
pub mod scope_refused;
pub mod status;
pub mod type_wrong;
mod words;
pub mod wrapped;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;

use self::said::Said;
use crate::edit::json::Object;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Reply, Request, RequestBody};

/// The value of a parameter of the request, if its body was read.
fn parameter(request: &Request, name: &str) -> Option<String> {
    match &request.body {
        RequestBody::Form(form) => params::get(form, name).map(std::borrow::Cow::into_owned),
        RequestBody::Json(object) => object.text(name),
        RequestBody::Unread | RequestBody::Whole(_) => None,
    }
}

/// Whether the request is what this endpoint is for: at a path that is merely called `/token` it need not be.
fn is_for_endpoint(request: &Request) -> bool {
    let needed = if request.class == Class::Revoke { "token" } else { "grant_type" };
    request.method == Method::POST && parameter(request, needed).is_some_and(|value| !value.is_empty())
}

/// Whether a refresh token was sent to be renewed.
fn is_refresh(request: &Request) -> bool {
    request.class == Class::Token && parameter(request, "grant_type").as_deref() == Some("refresh_token")
}

/// A token request that was answered as a success.
fn is_granted(request: &Request, reply: &Reply) -> bool {
    request.method == Method::POST && reply.status.is_success()
}

/// A request that this endpoint is for and that was answered as an error.
fn is_refused(request: &Request, reply: &Reply) -> bool {
    is_for_endpoint(request) && (reply.status.is_client_error() || reply.status.is_server_error())
}

/// A copy of the document of a token that was granted, to be changed.
fn tokens(reply: &Reply) -> Option<Object> {
    reply.json().filter(|document| holds_token(document)).cloned()
}

fn holds_token(document: &Object) -> bool {
    document.text("access_token").is_some_and(|token| !token.is_empty())
}

/// Answers with a document of ours in the upstream's place. Its other header fields stay: `Retry-After` among them.
fn put(document: Object) -> Edits {
    let mut edits = Edits::to_document(document);
    edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    edits
}

/// Answers with an error in the form of RFC 6749 section 5.2, in the upstream's words. What else its document says
/// stays.
fn refuse(reply: &Reply, status: StatusCode, code: &str, said: &Said) -> Edits {
    let mut edits = Edits::new();
    edits.status(status);
    let Some(mut document) = reply.json().cloned() else {
        let members = [("error", code.into()), ("error_description", said.description.as_str().into())];
        edits.extend(put(Object::new(members)));
        return edits;
    };
    if document.text("error").as_deref() != Some(code) {
        document.set("error", code.into());
    }
    match document.get("error_description") {
        Some(Value::String(_)) => {}
        _ if said.is_described => document.set("error_description", said.description.as_str().into()),
        Some(_) => document.remove("error_description"),
        None => {}
    }
    if !matches!(document.get("error_uri"), None | Some(Value::String(_))) {
        document.remove("error_uri");
    }
    edits.document(document);
    if !reply.is_json() {
        edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    edits
}

#[cfg(test)]
mod tests;
