//! Which part of the protocol a path is. The only place where well-known paths are written.
//!
//! A class turns repairs on; it never grants access. The rules that keep somebody out look at every class that a lenient
//! server might take the path for ([`guard`]). A path that a server might read as another (`//`, `/../`, `%2e`, `;`) is
//! never metadata.

pub mod canonical;
pub mod guard;
mod named;

use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method};

use self::canonical::readings;
use self::guard::Classes;
pub use self::named::{Endpoints, Paths};

/// RFC 9728 section 3.
pub const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
/// RFC 8414 section 3.
pub const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
/// OpenID Connect Discovery section 4.
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// The three kinds of metadata.
const WELL_KNOWN: [&str; 3] = [RESOURCE_METADATA, SERVER_METADATA, OPENID_CONFIGURATION];
/// Where the proxy says that the keys of an OpenID document are, if the document names none.
pub const KEYS: &str = "/.well-known/jwks.json";
/// The first of the two requests of the HTTP+SSE transport (MCP 2024-11-05), where servers put it by convention.
pub const LEGACY_SSE: &str = "/sse";

/// Names the session of a message (MCP 2025-03-26 to 2025-11-25).
pub const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Names the version that a message is of.
pub const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The versions that are negotiated in `initialize`, oldest first.
pub const NEGOTIATED: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The first version without `initialize` and without sessions.
pub const FIRST_STATELESS: &str = "2026-07-28";

/// Whether a message names a version without sessions.
#[must_use]
pub fn is_stateless(headers: &HeaderMap) -> bool {
    headers.get(VERSION).is_some_and(|version| version.as_bytes() >= FIRST_STATELESS.as_bytes())
}

/// What a path is to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The MCP endpoint.
    Mcp,
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Authorization server metadata (RFC 8414) or OpenID configuration.
    ServerMetadata,
    /// A set of public keys (RFC 7517), at the place that is named for want of another.
    Keys,
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
    /// Where the messages of the HTTP+SSE transport are posted.
    LegacyPost,
    /// Everything else.
    Other,
}

impl Class {
    pub const ALL: [Self; 11] = [
        Self::Mcp,
        Self::ResourceMetadata,
        Self::ServerMetadata,
        Self::Keys,
        Self::Register,
        Self::Token,
        Self::Revoke,
        Self::Authorize,
        Self::LegacySse,
        Self::LegacyPost,
        Self::Other,
    ];

    /// Where messages are exchanged, over either transport.
    pub const OF_MESSAGES: &[Self] = &[Self::Mcp, Self::LegacySse, Self::LegacyPost];

    /// The name in logs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::ResourceMetadata => "resource-metadata",
            Self::ServerMetadata => "server-metadata",
            Self::Keys => "keys",
            Self::Register => "register",
            Self::Token => "token",
            Self::Revoke => "revoke",
            Self::Authorize => "authorize",
            Self::LegacySse => "legacy-sse",
            Self::LegacyPost => "legacy-post",
            Self::Other => "other",
        }
    }

    /// Public discovery documents: no credentials, the same for everybody.
    #[must_use]
    pub fn is_metadata(self) -> bool {
        matches!(self, Self::ResourceMetadata | Self::ServerMetadata)
    }

    /// Whether the upstream may be asked a second time with the same request or a changed one: reading a document or
    /// a page, a registration, token or revocation request that was refused, a message that was turned away at the
    /// door (`fence::check_ask`). A code, a token or a message is not sent twice unless the first answer says that it
    /// was not looked at.
    #[must_use]
    pub fn may_ask_again(self) -> bool {
        self.is_metadata() || self.is_oauth() || self.has_messages()
    }

    /// Where messages are exchanged.
    #[must_use]
    pub fn has_messages(self) -> bool {
        Self::OF_MESSAGES.contains(&self)
    }

    /// The endpoints of an authorization server.
    #[must_use]
    pub fn is_oauth(self) -> bool {
        matches!(self, Self::Register | Self::Token | Self::Revoke | Self::Authorize)
    }
}

/// The class that a path has by the defaults of MCP 2025-03-26, whatever the metadata name: clients that found no
/// metadata guess them.
fn default_class(path: &str) -> Option<Class> {
    match path {
        "/token" => Some(Class::Token),
        "/register" => Some(Class::Register),
        "/authorize" => Some(Class::Authorize),
        "/revoke" => Some(Class::Revoke),
        LEGACY_SSE => Some(Class::LegacySse),
        KEYS => Some(Class::Keys),
        _ => None,
    }
}

/// The session that a query names as the HTTP+SSE transport of the SDKs does.
#[must_use]
pub fn session_in(query: &str) -> Option<&str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let is_it = |name: &str| matches!(name, "sessionId" | "session_id" | "sessionid" | "session");
    pairs.find(|(name, _)| is_it(name)).map(|(_, value)| value)
}

/// Whether a lenient server finds the session of the HTTP+SSE transport in this target.
fn names_a_session_loosely(path: &str, query: &str) -> bool {
    canonical::may_have_parameter(&format!("{path}?{query}"), |name| {
        matches!(name, "session" | "sessionid" | "mcpsessionid")
    })
}

/// Whether a method asks for something and changes nothing.
#[must_use]
pub fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the body is said to be a form. Messages are not (MCP 2024-11-05, basic/transports).
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") || kind.eq_ignore_ascii_case("multipart/form-data")
}

/// The class of a request. Documents are read; any other method makes the same path something else.
#[must_use]
pub fn classify_request(
    method: &Method,
    target: &PathAndQuery,
    headers: &HeaderMap,
    mcp_path: &str,
    endpoints: &Endpoints,
) -> Class {
    match classify(target.path(), mcp_path, endpoints) {
        class if is_document(class) && !is_read_there(method, headers) => Class::Other,
        // OPTIONS asks whether a page may POST.
        Class::Other if matches!(*method, Method::POST | Method::OPTIONS) && !is_form(headers) => {
            let names_session = target.query().is_some_and(|query| session_in(query).is_some());
            if names_session { Class::LegacyPost } else { Class::Other }
        }
        class => class,
    }
}

/// Whether documents of this class are read and nothing else is done with them.
fn is_document(class: Class) -> bool {
    class.is_metadata() || class == Class::Keys
}

/// Whether a request at the place of a document reads it. A handler may take every path for messages: a preflight for a POST is
/// one for a message.
fn is_read_there(method: &Method, headers: &HeaderMap) -> bool {
    is_read(method) && is_read(&guard::method_asked_for(method, headers))
}

/// The class of a raw request path.
#[must_use]
pub fn classify(path: &str, mcp_path: &str, endpoints: &Endpoints) -> Class {
    if path == mcp_path || (path.strip_suffix('/') == Some(mcp_path)) {
        return Class::Mcp;
    }
    let endpoint = endpoints.class_of(path).or_else(|| default_class(path));
    let class = endpoint.or_else(|| metadata_class(path).filter(|_| !is_below_endpoint(path, mcp_path)));
    class.or_else(|| credentials_class(path, mcp_path, endpoints)).unwrap_or(Class::Other)
}

/// Whether a path is below the MCP endpoint and not exactly where its documents may be.
fn is_below_endpoint(path: &str, mcp_path: &str) -> bool {
    let below = path.strip_prefix(mcp_path).filter(|rest| mcp_path != "/" && rest.starts_with('/'));
    below.is_some_and(|rest| !WELL_KNOWN.contains(&rest))
}

/// The class of an endpoint that takes credentials, at a path that some servers read as its own: what pages of other
/// origins may see there must not depend on how it is spelled.
fn credentials_class(path: &str, mcp_path: &str, endpoints: &Endpoints) -> Option<Class> {
    let read = readings(path)?;
    if mcp_path != "/" && readings(mcp_path).is_some_and(|places| places.iter().any(|place| read.contains(place))) {
        return Some(Class::Mcp);
    }
    let mended = endpoints.places.iter().filter(|place| place.is_mended);
    let named = mended.filter(|place| read.contains(&place.reading)).map(|place| place.class);
    let guessed = read.iter().filter_map(|reading| default_class(reading));
    let all = named.chain(guessed).fold(Classes::default(), Classes::with);
    [Class::Token, Class::Register, Class::Revoke, Class::LegacySse].into_iter().find(|class| all.contains(*class))
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

/// The path that decides to which site a path belongs: of a discovery document, what was inserted into its place (RFC 9728
/// section 3.1, RFC 8414 section 3.1).
#[must_use]
pub fn site_path(path: &str) -> &str {
    let inserted = WELL_KNOWN
        .iter()
        .find_map(|place| path.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with('/')));
    match inserted {
        Some("") => "/",
        Some(rest) => rest,
        None => path,
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

/// Whether every server reads a path as the same one: it may have escapes, and none of what separates or ends paths.
#[must_use]
pub fn is_unambiguous(path: &str) -> bool {
    let has_own_meaning = |letter: char| letter.is_control() || "/\\?#%;".contains(letter);
    path.split('/').all(|segment| match percent_encoding::percent_decode_str(segment).decode_utf8() {
        Ok(text) => text != "." && text != ".." && !text.contains(has_own_meaning),
        Err(_) => false,
    })
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

/// Every path that a client asks for on its way to a message: the MCP endpoint, the documents at all places where clients
/// look for them, and the endpoints of an authorization server on the same host.
#[must_use]
pub fn places_of_a_login(mcp_path: &str, endpoints: &Endpoints) -> Vec<String> {
    let mut places = vec![mcp_path.to_owned()];
    if !mcp_path.ends_with('/') {
        places.push(format!("{mcp_path}/"));
    }
    places.extend(resource_metadata_places(mcp_path));
    places.extend(server_metadata_places(""));
    places.extend(server_metadata_places(mcp_path));
    let oauth = [Class::Authorize, Class::Token, Class::Register, Class::Revoke];
    places.extend(oauth.iter().filter_map(|class| endpoints.path_of(*class)).map(str::to_owned));
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|place| seen.insert(place.clone()));
    places
}

fn inserted(well_known: &str, path: &str) -> String {
    [well_known, path.trim_end_matches('/')].concat()
}

#[cfg(test)]
mod tests;
