//! The rules that repairs cite, each written once.

use crate::repair::{Basis, Level};

const fn rule(text: &'static str, url: &'static str, level: Level) -> Basis {
    Basis { text, url, level }
}

const MCP_AUTH: &str = "https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization";

pub const CHALLENGE: Basis =
    rule("RFC 9728 section 5.1", "https://www.rfc-editor.org/rfc/rfc9728#section-5.1", Level::Must);
pub const CHALLENGE_MCP: Basis =
    rule("MCP 2025-11-25, Protected Resource Metadata Discovery Requirements", MCP_AUTH, Level::Must);
pub const CHALLENGE_GRAMMAR: Basis =
    rule("RFC 9110 section 11.6.1", "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1", Level::Must);
pub const CHALLENGE_SCOPE: Basis = rule("MCP 2025-11-25, Scope Selection Strategy", MCP_AUTH, Level::Should);
pub const RESOURCE_IDENTICAL: Basis =
    rule("RFC 9728 section 3.3", "https://www.rfc-editor.org/rfc/rfc9728#section-3.3", Level::Must);
pub const RESOURCE_PLACE: Basis =
    rule("RFC 9728 section 3.1", "https://www.rfc-editor.org/rfc/rfc9728#section-3.1", Level::Must);
pub const RESOURCE_MUST: Basis = rule("MCP 2025-06-18, Authorization Server Location", MCP_AUTH, Level::Must);
pub const RESOURCE_PARAMETER: Basis =
    rule("RFC 8707 section 2", "https://www.rfc-editor.org/rfc/rfc8707#section-2", Level::Must);
pub const SCOPES: Basis = rule("RFC 9728 section 2", "https://www.rfc-editor.org/rfc/rfc9728#section-2", Level::Should);
pub const ISSUER: Basis =
    rule("RFC 8414 section 3.3", "https://www.rfc-editor.org/rfc/rfc8414#section-3.3", Level::Must);
pub const ISSUER_PLACE: Basis =
    rule("RFC 8414 section 3.1", "https://www.rfc-editor.org/rfc/rfc8414#section-3.1", Level::Must);
pub const ISS: Basis = rule("RFC 9207 section 2.4", "https://www.rfc-editor.org/rfc/rfc9207#section-2.4", Level::Must);
pub const LOCATION: Basis =
    rule("RFC 9110 section 10.2.2", "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.2", Level::Interop);
pub const REGISTRATION: Basis =
    rule("RFC 7591 section 3.2.1", "https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1", Level::Must);
pub const REGISTRATION_REQUEST: Basis =
    rule("RFC 7591 section 2", "https://www.rfc-editor.org/rfc/rfc7591#section-2", Level::Interop);
pub const REGISTRATION_MANAGEMENT: Basis =
    rule("RFC 7592 section 3", "https://www.rfc-editor.org/rfc/rfc7592#section-3", Level::Must);
pub const TOKEN_NO_STORE: Basis =
    rule("RFC 6749 section 5.1", "https://www.rfc-editor.org/rfc/rfc6749#section-5.1", Level::Must);
pub const FETCH_PREFLIGHT: Basis =
    rule("Fetch, CORS-preflight fetch", "https://fetch.spec.whatwg.org/#cors-preflight-fetch", Level::Interop);
pub const FETCH_CHECK: Basis =
    rule("Fetch, CORS check", "https://fetch.spec.whatwg.org/#concept-cors-check", Level::Interop);
pub const FETCH_EXPOSE: Basis = rule(
    "Fetch, Access-Control-Expose-Headers",
    "https://fetch.spec.whatwg.org/#http-access-control-expose-headers",
    Level::Interop,
);
pub const CACHE: Basis =
    rule("RFC 9111 section 5.2.2.5", "https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.5", Level::Interop);
pub const HOSTED_CALLBACKS: Basis = rule(
    "Claude connectors, building a connector",
    "https://claude.com/docs/connectors/building/authentication",
    Level::Interop,
);
pub const ENDPOINT_EVENT: Basis = rule(
    "MCP 2024-11-05, HTTP with SSE",
    "https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse",
    Level::Must,
);
pub const ACCEPT_ENCODING: Basis =
    rule("RFC 9110 section 12.5.3", "https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3", Level::Should);
// register
pub const REGISTRATION_ERROR: Basis =
    rule("RFC 7591 section 3.2.2", "https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2", Level::Must);
pub const REGISTRATION_JSON: Basis =
    rule("RFC 7591 section 3.1", "https://www.rfc-editor.org/rfc/rfc7591#section-3.1", Level::Must);
pub const NATIVE_REDIRECTS: Basis =
    rule("RFC 8252 section 7", "https://www.rfc-editor.org/rfc/rfc8252#section-7", Level::Must);
