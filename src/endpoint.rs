//! Which part of the protocol a path is. The only place where well-known paths are written.
//!
//! A class turns repairs on; it never grants access. Paths are compared as they came, undecoded: one that a server
//! might read as another (`//`, `/../`, `%2e`, `;`) is never metadata (reliability 16).

/// RFC 9728 section 3.
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
/// RFC 8414 section 3.
pub const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
/// OpenID Connect Discovery section 4.
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// The first of the two requests of the HTTP+SSE transport (MCP 2024-11-05), where servers put it by convention.
pub const LEGACY_SSE: &str = "/sse";

/// What a path is to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The MCP endpoint.
    Mcp,
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Authorization server metadata (RFC 8414) or OpenID configuration.
    ServerMetadata,
    /// Dynamic client registration (RFC 7591).
    Register,
    /// The token endpoint.
    Token,
    /// Token revocation (RFC 7009).
    Revoke,
    /// The authorization endpoint.
    Authorize,
    /// The stream of the HTTP+SSE transport.
    LegacySse,
    /// Everything else.
    Other,
}

impl Class {
    pub const ALL: [Self; 9] = [
        Self::Mcp,
        Self::ResourceMetadata,
        Self::ServerMetadata,
        Self::Register,
        Self::Token,
        Self::Revoke,
        Self::Authorize,
        Self::LegacySse,
        Self::Other,
    ];

    /// The name in logs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::ResourceMetadata => "resource-metadata",
            Self::ServerMetadata => "server-metadata",
            Self::Register => "register",
            Self::Token => "token",
            Self::Revoke => "revoke",
            Self::Authorize => "authorize",
            Self::LegacySse => "legacy-sse",
            Self::Other => "other",
        }
    }

    /// Public discovery documents: no credentials, the same for everybody.
    #[must_use]
    pub fn is_metadata(self) -> bool {
        matches!(self, Self::ResourceMetadata | Self::ServerMetadata)
    }

    /// Whether the upstream may be asked a second time with the same request or a changed one: reading a document,
    /// or a registration that was refused. Never a message, a code or a token.
    #[must_use]
    pub fn may_ask_again(self) -> bool {
        self.is_metadata() || self == Self::Register
    }
}

/// Paths of the OAuth endpoints, as the upstream's metadata name them or by the defaults of MCP 2025-03-26.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    pub authorize: String,
    pub token: String,
    pub register: String,
    pub revoke: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            authorize: "/authorize".into(),
            token: "/token".into(),
            register: "/register".into(),
            revoke: "/revoke".into(),
        }
    }
}

/// The class of a raw request path.
#[must_use]
pub fn classify(path: &str, mcp_path: &str, endpoints: &Endpoints) -> Class {
    if path == mcp_path || (path.strip_suffix('/') == Some(mcp_path)) {
        return Class::Mcp;
    }
    if path == endpoints.token {
        Class::Token
    } else if path == endpoints.register {
        Class::Register
    } else if path == endpoints.authorize {
        Class::Authorize
    } else if path == endpoints.revoke {
        Class::Revoke
    } else if path == LEGACY_SSE {
        Class::LegacySse
    } else {
        metadata_class(path).unwrap_or(Class::Other)
    }
}

fn metadata_class(path: &str) -> Option<Class> {
    if !path.contains("/.well-known/") || !is_plain(path) {
        return None;
    }
    let named = |well_known: &str| {
        path == well_known
            || path.ends_with(well_known)
            || path.strip_prefix(well_known).is_some_and(|rest| rest.starts_with('/'))
    };
    if named(RESOURCE_METADATA) {
        Some(Class::ResourceMetadata)
    } else if named(SERVER_METADATA) || named(OPENID_CONFIGURATION) {
        Some(Class::ServerMetadata)
    } else {
        None
    }
}

/// Whether every server reads the path the same way: no empty or dot segments, no escapes, no parameters.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b))
        && !path.contains("//")
        && path.split('/').all(|segment| segment != "." && segment != "..")
}

/// Where the resource metadata of an endpoint is (RFC 9728 section 3.1: inserted before the path).
#[must_use]
pub fn resource_metadata_path(mcp_path: &str) -> String {
    inserted(RESOURCE_METADATA, mcp_path)
}

/// All places where clients look for the resource metadata of an endpoint: inserted, root, appended.
#[must_use]
pub fn resource_metadata_places(mcp_path: &str) -> Vec<String> {
    let mut places = vec![
        resource_metadata_path(mcp_path),
        RESOURCE_METADATA.to_owned(),
        format!("{}{RESOURCE_METADATA}", mcp_path.trim_end_matches('/')),
    ];
    places.dedup();
    places
}

/// The places of the metadata of an issuer with this path, in the order of MCP 2025-11-25.
#[must_use]
pub fn server_metadata_places(issuer_path: &str) -> Vec<String> {
    let path = issuer_path.trim_end_matches('/');
    let mut places = vec![
        inserted(SERVER_METADATA, path),
        inserted(OPENID_CONFIGURATION, path),
        format!("{path}{OPENID_CONFIGURATION}"),
        format!("{path}{SERVER_METADATA}"),
    ];
    let mut seen = Vec::new();
    places.retain(|place| {
        !seen.contains(place) && {
            seen.push(place.clone());
            true
        }
    });
    places
}

fn inserted(well_known: &str, path: &str) -> String {
    format!("{well_known}{}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(path: &str) -> Class {
        classify(path, "/mcp", &Endpoints::default())
    }

    #[test]
    fn names_every_place() {
        for (path, expected) in [
            ("/mcp", Class::Mcp),
            ("/mcp/", Class::Mcp),
            ("/mcp/x", Class::Other),
            ("/token", Class::Token),
            ("/sse", Class::LegacySse),
            ("/.well-known/oauth-protected-resource", Class::ResourceMetadata),
            ("/.well-known/oauth-protected-resource/mcp", Class::ResourceMetadata),
            ("/mcp/.well-known/oauth-protected-resource", Class::ResourceMetadata),
            ("/.well-known/oauth-authorization-server/t/u", Class::ServerMetadata),
            ("/t/.well-known/openid-configuration", Class::ServerMetadata),
            ("/.well-known/oauth-protected-resources", Class::Other),
        ] {
            assert_eq!(class(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_may_be_read_two_ways_is_no_metadata() {
        for path in [
            "//.well-known/oauth-protected-resource",
            "/.well-known//oauth-protected-resource",
            "/x/../.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/%2e%2e/mcp",
            "/.well-known/oauth-protected-resource;x",
            "/.well-known/oauth-protected-resource/..;/mcp",
            "/.Well-Known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/./x",
            "/.well-known%2foauth-protected-resource",
            "/.well-known/oauth-protected-resource%00",
        ] {
            assert_eq!(class(path), Class::Other, "{path}");
        }
    }

    #[test]
    fn knows_where_documents_live() {
        assert_eq!(
            resource_metadata_places("/mcp"),
            [
                "/.well-known/oauth-protected-resource/mcp",
                "/.well-known/oauth-protected-resource",
                "/mcp/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(resource_metadata_places("/"), ["/.well-known/oauth-protected-resource"]);
        assert_eq!(server_metadata_places(""), [SERVER_METADATA, OPENID_CONFIGURATION]);
        assert_eq!(server_metadata_places("/t/").len(), 4);
    }
}
