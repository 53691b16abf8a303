//! What the operator states about a site.

use crate::edit::origin::Origin;
use crate::seal::SealKeys;

/// What the operator states about a site. A reload makes new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The origin that clients use.
    pub public: Origin,
    /// The origin of the configured upstream.
    pub upstream: Origin,
    /// Path of the MCP endpoint, the same on both sides; begins with `/`.
    pub mcp_path: String,
    /// Browser origins that may call the MCP, registration, token and revocation endpoints.
    pub origins: Vec<Origin>,
    /// Whether every loopback origin may too: true when the proxy itself listens on loopback.
    pub loopback_origins: bool,
    /// Scopes that challenge and metadata name; empty: the upstream's own.
    pub scopes: Vec<String>,
    /// The keys that session ids are sealed with.
    pub seal: SealKeys,
}
