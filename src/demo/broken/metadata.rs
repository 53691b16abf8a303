//! The two discovery documents. Sound in content but for the address: it is the internal one (defects B-03, C-16).

use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use serde_json::{Value, json};

use super::Broken;
use super::reply::{self, Reply};

/// The only scope there is.
pub(super) const SCOPE: &str = "mcp";

/// Protected resource metadata (RFC 9728 section 2).
pub(super) fn resource(broken: &Broken, _: &Parts, _: &[u8]) -> Reply {
    cacheable(&json!({
        "resource": broken.resource(),
        "authorization_servers": [broken.origin],
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
        "resource_name": "mcp-mend demo",
    }))
}

/// Authorization server metadata (RFC 8414 section 2, RFC 9207 section 3).
pub(super) fn server(broken: &Broken, _: &Parts, _: &[u8]) -> Reply {
    let origin = &broken.origin;
    cacheable(&json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        "scopes_supported": [SCOPE],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// Defect H-07: a cache may keep the document for an hour.
fn cacheable(document: &Value) -> Reply {
    reply::with(reply::json(StatusCode::OK, document), CACHE_CONTROL, "public, max-age=3600")
}
