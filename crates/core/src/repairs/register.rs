//! Dynamic client registration (RFC 7591).

pub mod auth_method;
pub mod auth_method_refused;
pub mod client_id;
pub mod content_type;
pub mod error_form;
pub mod hosted_callback;
pub mod lists;
pub mod media_type_refused;
pub mod member_types;
pub mod members_misplaced;
pub mod members_refused;
pub mod nulls;
pub mod redirect_uri_refused;
pub mod redirect_uris;
pub mod redirects_refused;
mod reduce;
mod refusal;
pub mod secret_expiry;
pub mod status;
pub mod timestamps;
pub mod uris;

use crate::edit::json::Object;
use crate::exchange::{Reply, Request, RequestBody};
use http::{Method, StatusCode};

/// The callbacks of Claude's hosted clients; a server that accepts one should know the other.
pub(super) const HOSTED_CALLBACKS: [&str; 2] =
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"];

/// Members of a registration, and redirect URIs: known clients send 12 and 3.
const MOST_NAMED: usize = 64;

/// A registration that the upstream accepted.
fn is_accepted(request: &Request, reply: &Reply) -> bool {
    request.method == Method::POST && reply.status.is_success() && reply.is_json()
}

/// A registration that the upstream refused, so that no client came of it. A 409 says that there is one.
fn is_refused(request: &Request, reply: &Reply) -> bool {
    request.method == Method::POST && reply.status.is_client_error() && reply.status != StatusCode::CONFLICT
}

/// A registration that the upstream refused for what it says. A stranger turned away, a limit or a place where nothing
/// is are no reasons to say it otherwise. After a 500 or a 409 nobody knows whether a client was registered already.
fn is_refused_for_content(request: &Request, reply: &Reply) -> bool {
    request.method == Method::POST
        && !is_crowded(request)
        && matches!(
            reply.status,
            StatusCode::BAD_REQUEST
                | StatusCode::NOT_ACCEPTABLE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::UNPROCESSABLE_ENTITY
        )
}

/// Whether a registration has more members or redirect URIs than any client's: each would be looked for in the refusal.
fn is_crowded(request: &Request) -> bool {
    let Some(asked) = request.json() else { return false };
    let uris = asked.raw("redirect_uris").map_or(0, |uris| memchr::memchr_iter(b',', &uris).count());
    asked.names().len() > MOST_NAMED || uris > MOST_NAMED
}

/// Whether the request is a registration, and not a form of a web site that has its page for new users here.
fn asks_for_client(request: &Request) -> bool {
    let members = ["redirect_uris", "client_name", "grant_types", "token_endpoint_auth_method"];
    request.method == Method::POST && request.json().is_some_and(|asked| members.iter().any(|member| asked.has(member)))
}

/// Whether a document names a client: without a usable id there is nothing to mend.
fn names_client(document: &Object) -> bool {
    // By its text: every repair of a registration asks this.
    document.raw("client_id").is_some_and(|id| match id.first() {
        Some(b'"') => id.len() > 2,
        Some(first) => *first == b'-' || first.is_ascii_digit(),
        None => false,
    })
}

/// A copy of the document of an accepted registration, to be changed.
fn registration(reply: &Reply) -> Option<Object> {
    reply.json().filter(|document| names_client(document)).cloned()
}

/// The values that the request, as it was last sent, has for a member that is a text or a list of them.
fn asked_for(request: &Request, member: &str) -> Vec<String> {
    match &request.body {
        RequestBody::Json(asked) => crate::knowledge::strings(asked.get(member)).unwrap_or_default(),
        RequestBody::Form(form) => url::form_urlencoded::parse(form.as_bytes())
            .filter(|(name, _)| name == member)
            .map(|(_, value)| value.into_owned())
            .collect(),
        RequestBody::Unread | RequestBody::Whole(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
