//! The discovery documents. A server that does not know its public address names the one it was started with.

use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use serde_json::{Value, json};

use super::Broken;
use crate::demo::parts::MCP;
use crate::demo::parts::reply::{self, Reply};
use crate::endpoint::LEGACY_SSE;

/// What a login asks for.
pub(super) const SCOPE: &str = "mcp";
/// What one tool needs beyond that.
pub(super) const MORE_SCOPE: &str = "mcp:forget";

/// Protected resource metadata (RFC 9728 section 2).
pub(super) fn resource(broken: &Broken, head: &Parts, _: &[u8]) -> Reply {
    let at = if head.uri.path().ends_with(LEGACY_SSE) { LEGACY_SSE } else { MCP };
    not_kept(&json!({
        "resource": broken.resource_at(at),
        "authorization_servers": [broken.origin],
        "scopes_supported": [SCOPE],
        "bearer_methods_supported": ["header"],
        "resource_name": "mcp-mend demo",
    }))
}

/// Authorization server metadata (RFC 8414 section 2, RFC 9207 section 3).
pub(super) fn server(broken: &Broken, _: &Parts, _: &[u8]) -> Reply {
    not_kept(&server_document(broken))
}

/// The same with what OpenID Connect Discovery section 3 demands. No ID token is ever issued.
pub(super) fn openid(broken: &Broken, _: &Parts, _: &[u8]) -> Reply {
    let mut document = server_document(broken);
    document["jwks_uri"] = json!(format!("{}/jwks", broken.origin));
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    not_kept(&document)
}

/// A set without keys (RFC 7517 section 5): nothing here is signed.
pub(super) fn keys(_: &Broken, _: &Parts, _: &[u8]) -> Reply {
    reply::json(StatusCode::OK, &json!({"keys": []}))
}

fn server_document(broken: &Broken) -> Value {
    let origin = &broken.origin;
    json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
        "scopes_supported": [SCOPE, MORE_SCOPE],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn not_kept(document: &Value) -> Reply {
    reply::with(reply::json(StatusCode::OK, document), CACHE_CONTROL, "no-store")
}
