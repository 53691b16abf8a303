//! What a request is at a site: which repairs it gets, and which rules it has to keep.

use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use super::Site;
use crate::edit::params;
use crate::endpoint::guard::{Asked, Classes, method_asked_for};
use crate::endpoint::{self, Class, LEGACY_SSE};

/// What a request is, by its method, target and media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Which repairs run.
    pub class: Class,
    /// Every class whose rules the request has to keep, so that no spelling gets round one.
    pub rules: Classes,
    /// Whether it reads a public document at an exact known place: nothing else may be open to every origin.
    pub is_document: bool,
}

impl Site<'_> {
    /// What a request is at this site.
    #[must_use]
    pub fn place(&self, method: &Method, target: &PathAndQuery, headers: &HeaderMap) -> Placement {
        let (mcp_path, endpoints) = (&self.facts.mcp_path, &self.known.endpoints);
        let class = endpoint::classify_request(method, target, headers, mcp_path, endpoints);
        let rules = self.rules(class, &method_asked_for(method, headers), target);
        let is_document = class.is_metadata() && self.is_document_place(target.path());
        // With more parameters than any login has it is nobody's login, and keeps the rules of one.
        let is_flooded = || params::are_too_many(target.query().unwrap_or_default().as_bytes());
        let class = if class == Class::Authorize && is_flooded() { Class::Other } else { class };
        Placement { class, rules, is_document }
    }

    /// Every class whose rules a request of this class has to keep.
    #[must_use]
    pub fn rules(&self, class: Class, method: &Method, target: &PathAndQuery) -> Classes {
        let (path, query) = (target.path(), target.query().unwrap_or_default());
        let asked = Asked { class, method, path, query };
        asked.classes(&self.facts.mcp_path, &self.known.endpoints)
    }

    /// Whether metadata are at this path: at a well-known place of the host (RFC 8615 section 3), unless the MCP endpoint takes
    /// every path; where clients look for those of this site (RFC 9728 section 3.1, RFC 8414 section 3.1); or where the
    /// upstream says that they are.
    fn is_document_place(&self, path: &str) -> bool {
        let known = self.known;
        let mcp_path = self.facts.mcp_path.as_str();
        let takes_all = mcp_path == "/" || mcp_path.starts_with("/.well-known");
        if path.starts_with("/.well-known/") && !takes_all {
            return true;
        }
        let pointed = [&known.resource_metadata_path, &known.server_metadata_path];
        if pointed.into_iter().flatten().any(|place| place == path) {
            return true;
        }
        let endpoints = [mcp_path, LEGACY_SSE];
        let issuers = known.own_issuer_paths(self.facts);
        endpoints.iter().any(|at| endpoint::resource_metadata_places(at).iter().any(|place| place == path))
            || endpoints
                .into_iter()
                .chain(std::iter::once(""))
                .chain(issuers.iter().map(String::as_str))
                .any(|at| endpoint::server_metadata_places(at).iter().any(|place| place == path))
    }
}
