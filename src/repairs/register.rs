//! Dynamic client registration (RFC 7591).

pub mod auth_method;
pub mod auth_method_refused;
pub mod client_id;
pub mod hosted_callback;
pub mod lists;
pub mod nulls;
pub mod redirect_uris;
pub mod redirects_refused;
pub mod secret_expiry;
pub mod status;
pub mod timestamps;
pub mod uris;

use http::Method;
use serde_json::Value;

use crate::edit::json::Object;
use crate::exchange::{Reply, Request};

/// The callbacks of Claude's hosted clients; a server that accepts one should know the other.
pub(super) const HOSTED_CALLBACKS: [&str; 2] =
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"];

/// A registration that the upstream accepted.
fn is_accepted(request: &Request, reply: &Reply) -> bool {
    request.method == Method::POST && reply.status.is_success() && reply.is_json()
}

/// A registration that the upstream refused.
fn is_refused(request: &Request, reply: &Reply) -> bool {
    request.method == Method::POST && reply.status.is_client_error()
}

/// The document of an accepted registration, to be changed.
fn registration(reply: &mut Reply) -> Option<&mut Object> {
    reply.json_mut().filter(|document| document.has("client_id"))
}

/// Whether the reasons that a refusal gives, in any of its members, name one of these words.
fn refusal_names(refusal: &Object, words: &[&str]) -> bool {
    refusal.names().iter().filter_map(|name| refusal.get(name)).any(|value| mentions(&value, words))
}

fn mentions(value: &Value, words: &[&str]) -> bool {
    match value {
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        }
        Value::Array(list) => list.iter().any(|value| mentions(value, words)),
        Value::Object(members) => members.iter().any(|(name, value)| {
            words.iter().any(|word| name.to_ascii_lowercase().contains(word)) || mentions(value, words)
        }),
        _ => false,
    }
}
