//! What the upstream's own answers teach about it. Pure: documents in, knowledge out; fetching is `learn.rs`.

use serde_json::Value;
use url::Url;

use crate::edit::json::Object;
use crate::edit::origin::Origin;
use crate::endpoint::Endpoints;
use crate::exchange::{Facts, Site};

/// What is known of an upstream. The default value is to know nothing, which is a sound state: identity still holds
/// for the configured origin, and no pointer is given out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Path on the upstream where its resource metadata was found.
    pub resource_metadata_path: Option<String>,
    /// `resource`, byte for byte as the upstream advertises it.
    pub resource: Option<String>,
    /// `authorization_servers` of the resource metadata.
    pub authorization_servers: Vec<String>,
    /// Path on the upstream where the metadata of its own authorization server was found.
    pub server_metadata_path: Option<String>,
    /// `issuer` of that document.
    pub issuer: Option<String>,
    /// Origins that the upstream advertises as its own.
    pub advertised: Vec<Origin>,
    pub endpoints: Endpoints,
    /// `token_endpoint_auth_methods_supported`, if stated.
    pub auth_methods: Option<Vec<String>>,
    /// `code_challenge_methods_supported`, if stated.
    pub pkce_methods: Option<Vec<String>>,
}

impl Knowledge {
    /// Takes in a resource metadata document found at `path`. Answers whether it was one.
    pub fn take_resource_metadata(&mut self, path: &str, document: &Object) -> bool {
        let Some(resource) = document.text("resource") else { return false };
        if let Ok(origin) = Origin::of(&resource) {
            self.advertise(origin);
        }
        self.resource_metadata_path = Some(path.to_owned());
        self.resource = Some(resource);
        self.authorization_servers = strings(document.get("authorization_servers")).unwrap_or_default();
        true
    }

    /// Takes in the metadata of the upstream's own authorization server, found at `path`.
    pub fn take_server_metadata(&mut self, facts: &Facts, path: &str, document: &Object) {
        self.server_metadata_path = Some(path.to_owned());
        self.issuer = document.text("issuer");
        if let Some(origin) = self.issuer.as_deref().and_then(|issuer| Origin::of(issuer).ok()) {
            self.advertise(origin);
        }
        self.auth_methods = strings(document.get("token_endpoint_auth_methods_supported"));
        self.pkce_methods = strings(document.get("code_challenge_methods_supported"));
        let own_path = |name: &str| {
            let url = document.text(name)?;
            let site = Site { facts, known: self };
            site.owns(&url).then(|| Url::parse(&url).ok()).flatten().map(|url| url.path().to_owned())
        };
        let defaults = Endpoints::default();
        self.endpoints = Endpoints {
            authorize: own_path("authorization_endpoint").unwrap_or(defaults.authorize),
            token: own_path("token_endpoint").unwrap_or(defaults.token),
            register: own_path("registration_endpoint").unwrap_or(defaults.register),
            revoke: own_path("revocation_endpoint").unwrap_or(defaults.revoke),
        };
    }

    /// Paths of the issuers among the listed authorization servers that are the upstream itself.
    #[must_use]
    pub fn own_issuer_paths(&self, facts: &Facts) -> Vec<String> {
        let site = Site { facts, known: self };
        self.authorization_servers
            .iter()
            .filter(|listed| site.owns(listed))
            .filter_map(|listed| Url::parse(listed).ok())
            .map(|url| url.path().trim_end_matches('/').to_owned())
            .collect()
    }

    /// Whether the metadata speak against public clients with PKCE: reason enough not to register one unasked
    /// (reliability 26). Metadata that say nothing speak against nothing.
    #[must_use]
    pub fn contradicts_public_clients(&self) -> bool {
        let lacks = |list: &Option<Vec<String>>, member: &str| {
            list.as_ref().is_some_and(|list| !list.iter().any(|have| have == member))
        };
        lacks(&self.auth_methods, "none") || lacks(&self.pkce_methods, "S256")
    }

    fn advertise(&mut self, origin: Origin) {
        if !self.advertised.contains(&origin) {
            self.advertised.push(origin);
        }
    }
}

/// The strings of an array, or a lone string as an array of one; `None` for anything else.
#[must_use]
pub fn strings(value: Option<Value>) -> Option<Vec<String>> {
    match value? {
        Value::Array(list) => Some(list.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()),
        Value::String(text) => Some(vec![text]),
        _ => None,
    }
}
