//! The rules that repairs cite, each written once.

use crate::repair::{Basis, Level};

const fn rule(text: &'static str, url: &'static str, level: Level) -> Basis {
    Basis { text, url, level, is_of_browsers: false }
}

/// What browsers let pages do, by the standard that they follow.
const fn browsers(text: &'static str, url: &'static str) -> Basis {
    Basis { text, url, level: Level::Interop, is_of_browsers: true }
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
pub const TOKEN_ANSWER: Basis =
    rule("RFC 6749 section 5.1", "https://www.rfc-editor.org/rfc/rfc6749#section-5.1", Level::Must);
pub const FETCH_PREFLIGHT: Basis =
    browsers("Fetch, CORS-preflight fetch", "https://fetch.spec.whatwg.org/#cors-preflight-fetch");
pub const FETCH_CHECK: Basis = browsers("Fetch, CORS check", "https://fetch.spec.whatwg.org/#concept-cors-check");
pub const FETCH_EXPOSE: Basis = browsers(
    "Fetch, Access-Control-Expose-Headers",
    "https://fetch.spec.whatwg.org/#http-access-control-expose-headers",
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
// metadata
pub const RESOURCE_RESPONSE: Basis =
    rule("RFC 9728 section 3.2", "https://www.rfc-editor.org/rfc/rfc9728#section-3.2", Level::Must);
pub const RESOURCE_MEMBERS: Basis =
    rule("RFC 9728 section 2", "https://www.rfc-editor.org/rfc/rfc9728#section-2", Level::Must);
pub const SERVER_RESPONSE: Basis =
    rule("RFC 8414 section 3.2", "https://www.rfc-editor.org/rfc/rfc8414#section-3.2", Level::Must);
pub const SERVER_MEMBERS: Basis =
    rule("RFC 8414 section 2", "https://www.rfc-editor.org/rfc/rfc8414#section-2", Level::Must);
pub const SERVER_DEFAULTS: Basis = rule(
    "MCP 2025-03-26, Fallbacks for Servers without Metadata Discovery",
    "https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization",
    Level::Interop,
);
pub const METADATA_FALLBACK: Basis =
    rule("MCP 2025-11-25, Authorization Server Metadata Discovery", MCP_AUTH, Level::Interop);
pub const OPENID_MEMBERS: Basis = rule(
    "OpenID Connect Discovery section 3",
    "https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata",
    Level::Must,
);
pub const PKCE: Basis = rule("MCP 2025-11-25, Authorization Code Protection", MCP_AUTH, Level::Must);
pub const CLIENT_DOCUMENTS: Basis = rule("MCP 2025-11-25, Client ID Metadata Documents", MCP_AUTH, Level::Should);

// authorize
pub const AUTHORIZATION_REQUEST: Basis =
    rule("RFC 6749 section 3.1", "https://www.rfc-editor.org/rfc/rfc6749#section-3.1", Level::Must);
pub const SCOPE: Basis =
    rule("RFC 6749 section 3.3", "https://www.rfc-editor.org/rfc/rfc6749#section-3.3", Level::Must);
pub const AUTHORIZATION_RESPONSE: Basis =
    rule("RFC 6749 section 4.1.2", "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2", Level::Must);
pub const AUTHORIZATION_ERROR: Basis =
    rule("RFC 6749 section 4.1.2.1", "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1", Level::Must);
pub const RESPONSE_MODE: Basis = rule(
    "OAuth 2.0 Multiple Response Types, section 2.1",
    "https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html#ResponseModes",
    Level::Must,
);
pub const REDIRECT_METHOD: Basis =
    rule("RFC 9700 section 4.12", "https://www.rfc-editor.org/rfc/rfc9700#section-4.12", Level::Must);
pub const ISS_SENT: Basis = rule("RFC 9207 section 2", "https://www.rfc-editor.org/rfc/rfc9207#section-2", Level::Must);
pub const FORM_ACTION: Basis =
    rule("CSP Level 3, form-action", "https://www.w3.org/TR/CSP3/#directive-form-action", Level::Interop);
pub const PRIVATE_USE_SCHEME: Basis =
    rule("RFC 8252 section 7.1", "https://www.rfc-editor.org/rfc/rfc8252#section-7.1", Level::Interop);
// token, oauth
pub const CLIENT_SECRET: Basis =
    rule("RFC 6749 section 2.3.1", "https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1", Level::Must);
pub const ONE_METHOD: Basis =
    rule("RFC 6749 section 2.3", "https://www.rfc-editor.org/rfc/rfc6749#section-2.3", Level::Must);
pub const TOKEN_REQUEST: Basis =
    rule("RFC 6749 section 4.1.3", "https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3", Level::Must);
pub const EMPTY_PARAMETER: Basis =
    rule("RFC 6749 section 3.2", "https://www.rfc-editor.org/rfc/rfc6749#section-3.2", Level::Must);
pub const TOKEN_ERROR: Basis =
    rule("RFC 6749 section 5.2", "https://www.rfc-editor.org/rfc/rfc6749#section-5.2", Level::Must);
pub const REFRESH: Basis =
    rule("RFC 6749 section 6", "https://www.rfc-editor.org/rfc/rfc6749#section-6", Level::Interop);
pub const TOKEN_TYPE: Basis =
    rule("RFC 6749 section 7.1", "https://www.rfc-editor.org/rfc/rfc6749#section-7.1", Level::Must);
pub const REVOKED: Basis =
    rule("RFC 7009 section 2.2", "https://www.rfc-editor.org/rfc/rfc7009#section-2.2", Level::Must);
pub const REDIRECT: Basis =
    rule("RFC 9110 section 15.4", "https://www.rfc-editor.org/rfc/rfc9110#section-15.4", Level::Interop);

// auth
pub const TOKEN_HANDLING: Basis = rule("MCP 2025-11-25, Token Handling", MCP_AUTH, Level::Must);
pub const TOKEN_USAGE: Basis = rule("MCP 2025-11-25, Access Token Usage", MCP_AUTH, Level::Must);
pub const STEP_UP: Basis = rule("MCP 2025-11-25, Runtime Insufficient Scope Errors", MCP_AUTH, Level::Should);
pub const BEARER_ERRORS: Basis =
    rule("RFC 6750 section 3.1", "https://www.rfc-editor.org/rfc/rfc6750#section-3.1", Level::Should);
pub const JWT_EXPIRY: Basis =
    rule("RFC 7519 section 4.1.4", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1.4", Level::Must);
// register
pub const REGISTRATION_ERROR: Basis =
    rule("RFC 7591 section 3.2.2", "https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2", Level::Must);
pub const REGISTRATION_JSON: Basis =
    rule("RFC 7591 section 3.1", "https://www.rfc-editor.org/rfc/rfc7591#section-3.1", Level::Must);
pub const NATIVE_REDIRECTS: Basis =
    rule("RFC 8252 section 7", "https://www.rfc-editor.org/rfc/rfc8252#section-7", Level::Must);

const MCP_TRANSPORT: &str = "https://modelcontextprotocol.io/specification/2025-11-25/basic/transports";
const MCP_LIFECYCLE: &str = "https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle";
const MCP_STATELESS: &str = "https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http";

pub const MESSAGE_SENT: Basis = rule("MCP 2025-11-25, Sending Messages to the Server", MCP_TRANSPORT, Level::Must);
pub const LISTENING: Basis = rule("MCP 2025-11-25, Listening for Messages from the Server", MCP_TRANSPORT, Level::Must);
pub const SESSIONS: Basis = rule("MCP 2025-11-25, Session Management", MCP_TRANSPORT, Level::Must);
pub const VERSION_HEADER: Basis = rule("MCP 2025-11-25, Protocol Version Header", MCP_TRANSPORT, Level::Must);
pub const VERSION_NEGOTIATION: Basis = rule("MCP 2025-11-25, Version Negotiation", MCP_LIFECYCLE, Level::Must);
pub const ORIGIN_CHECK: Basis = rule("MCP 2025-11-25, Streamable HTTP, Security Warning", MCP_TRANSPORT, Level::Must);
pub const FALLBACK: Basis = rule("MCP 2026-07-28, Backward Compatibility", MCP_STATELESS, Level::Interop);
pub const STANDARD_HEADERS: Basis = rule("MCP 2026-07-28, Standard Request Headers", MCP_STATELESS, Level::Must);
pub const JSONRPC_ANSWER: Basis =
    rule("JSON-RPC 2.0, Response object", "https://www.jsonrpc.org/specification#response_object", Level::Must);
pub const MCP_REDIRECT: Basis = rule(
    "Fetch, HTTP-redirect fetch: 301 and 302 turn POST into GET",
    "https://fetch.spec.whatwg.org/#http-redirect-fetch",
    Level::Interop,
);
pub const COOKIES: Basis =
    rule("RFC 6265 section 5.4", "https://www.rfc-editor.org/rfc/rfc6265#section-5.4", Level::Interop);
pub const HEAD_METHOD: Basis =
    rule("RFC 9110 section 9.3.2", "https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2", Level::Should);
pub const SCHEMA: Basis =
    rule("MCP 2025-11-25, schema", "https://modelcontextprotocol.io/specification/2025-11-25/schema", Level::Must);
pub const EVENT_STREAM: Basis = rule(
    "WHATWG HTML section 9.2.6",
    "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
    Level::Must,
);
pub const STREAM_HYGIENE: Basis = rule("MCP 2026-07-28, Streamable HTTP", MCP_STATELESS, Level::Should);
pub const NO_TRANSFORM: Basis =
    rule("RFC 9111 section 5.2.2.6", "https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.6", Level::Interop);
