//! The site: what the operator states of it, and what its own answers taught.

use http::HeaderValue;

use crate::edit::origin::{Origin, after_origin};
use crate::endpoint;
use crate::facts::Facts;
use crate::knowledge::Knowledge;

/// The site as a repair sees it: stated facts and what the upstream's own answers taught.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    pub facts: &'a Facts,
    pub known: &'a Knowledge,
}

impl Site<'_> {
    /// Whether the URL is on the upstream's own origin: the configured one, one that the upstream advertises as its
    /// own, the public one, or a twin of these.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        self.known.owns(self.facts, url)
    }

    /// As [`Site::owns`], for an origin.
    #[must_use]
    pub fn owns_origin(&self, origin: &Origin) -> bool {
        self.known.owns_origin(self.facts, origin)
    }

    /// The public form of a URL on the upstream's own origin; `None` when it is another's or already right.
    #[must_use]
    pub fn to_public(&self, url: &str) -> Option<String> {
        if !self.owns(url) {
            return None;
        }
        let public = format!("{}{}", self.facts.public, after_origin(url)?);
        (public != url).then_some(public)
    }

    /// The one form of our issuer: the public origin without path and without slash (RFC 8414 section 2).
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.facts.public.as_str()
    }

    /// The client-facing URL of the MCP endpoint: the only `resource` that satisfies every client (RFC 9728 section 3.3).
    #[must_use]
    pub fn resource(&self) -> String {
        match self.facts.mcp_path.as_str() {
            "/" => self.facts.public.as_str().to_owned(),
            path => format!("{}{path}", self.facts.public),
        }
    }

    /// Where clients find the resource metadata, if anything is served there: a pointer to nothing is worse than none.
    #[must_use]
    pub fn resource_metadata_url(&self) -> Option<String> {
        let path = || endpoint::resource_metadata_path(&self.facts.mcp_path);
        self.serves_resource_metadata().then(|| [self.facts.public.as_str(), &path()].concat())
    }

    /// Whether a request for the resource metadata gets a document: the upstream's, or one derived from the
    /// authorization server that is known.
    #[must_use]
    pub fn serves_resource_metadata(&self) -> bool {
        self.known.resource_metadata_path.is_some()
            || self.has_own_authorization_server()
            || self.known.foreign.is_some()
    }

    /// Whether the authorization server is the upstream itself.
    #[must_use]
    pub fn has_own_authorization_server(&self) -> bool {
        self.known.has_own_authorization_server()
    }

    /// Whether pages of this origin may call the endpoints that carry credentials (house rule: never reflected).
    #[must_use]
    pub fn allows_origin(&self, origin: &HeaderValue) -> bool {
        // Browsers send the serialised form (RFC 6454 section 6.2): equal texts are equal origins.
        if self.facts.origins.iter().any(|listed| listed.as_str().as_bytes() == origin.as_bytes()) {
            return true;
        }
        self.facts.loopback_origins
            && origin.to_str().is_ok_and(|text| {
                Origin::exactly(text).is_ok_and(|origin| origin.is_loopback() && origin.as_str() == text)
            })
    }
}
