//! What the upstream's own answers teach about it. Pure: documents in, knowledge out; fetching is `learn.rs`.

use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::documents;
use crate::edit::json::Object;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint::{self, Class, Endpoints, Paths};
use crate::facts::Facts;
use crate::lesson::Lesson;

/// What is known of an upstream. The default value is to know nothing, which is a sound state: identity still holds
/// for the configured origin, and no pointer is given out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// Path on the upstream where its resource metadata was found.
    pub resource_metadata_path: Option<String>,
    /// `resource`, byte for byte as the upstream advertises it.
    pub resource: Option<String>,
    /// `authorization_servers` of the resource metadata, as issuers.
    pub authorization_servers: Vec<String>,
    /// The resource metadata as they came: served again when the upstream fails for once.
    pub resource_document: Option<Object>,
    /// Path on the upstream where the metadata of its own authorization server was found.
    pub server_metadata_path: Option<String>,
    /// `issuer` of that document.
    pub issuer: Option<String>,
    /// That document as it came, or what is known instead of it: served again when the upstream fails for once.
    pub server_document: Option<Object>,
    /// An authorization server on another host, if the upstream names one that can be asked.
    pub foreign: Option<Foreign>,
    /// What a stranger's message to the MCP endpoint is answered with.
    pub anonymous_status: Option<StatusCode>,
    /// Whether a stranger's GET of the MCP endpoint is let in or left waiting, although a message is refused.
    pub open_get: bool,
    /// Whether registrations are taken at the registration endpoint's default path.
    pub registers: bool,
    /// Whether the endpoints are seen to check PKCE (RFC 7636), whatever the metadata say.
    pub checks_pkce: bool,
    /// Whether the token endpoint is seen to know refresh tokens.
    pub refreshes: bool,
    /// Whether the upstream's own metadata promise `iss` in authorization responses (RFC 9207 section 3).
    pub promises_iss: bool,
    /// Whether authorization responses carry `iss` (`Lesson::SendsIss`).
    pub sends_iss: bool,
    /// Whether a client whose id is a URL is refused (`Lesson::RefusesDocuments`).
    pub refuses_documents: bool,
    /// Whether a login comes back past the proxy (`Lesson::ReturnsDirectly`).
    pub returns_directly: bool,
    /// Origins that the upstream advertises as its own.
    pub advertised: Vec<Origin>,
    pub endpoints: Endpoints,
    /// `token_endpoint_auth_methods_supported`, if stated.
    pub auth_methods: Option<Vec<String>>,
    /// `code_challenge_methods_supported`, if stated.
    pub pkce_methods: Option<Vec<String>>,
    /// `scopes_supported` of the resource metadata, or else of the server metadata, if stated.
    pub scopes: Option<Vec<String>>,
}

/// An authorization server on another host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// As the upstream lists it.
    pub listed: String,
    /// As its own metadata name it, to the byte.
    pub issuer: String,
    pub authorization_endpoint: Option<String>,
}

impl Knowledge {
    /// Whether there is nothing to log in to, as far as the upstream has shown.
    #[must_use]
    pub fn is_without_oauth(&self) -> bool {
        self.resource_metadata_path.is_none() && self.issuer.is_none() && self.foreign.is_none()
    }

    /// Whether the URL is on the upstream's own origin: the configured one, one that the upstream advertises as its
    /// own, the public one, or a twin of these.
    #[must_use]
    pub fn owns(&self, facts: &Facts, url: &str) -> bool {
        after_origin(url).is_some() && Origin::of(url).is_ok_and(|origin| self.owns_origin(facts, &origin))
    }

    /// As [`Knowledge::owns`], for an origin.
    #[must_use]
    pub fn owns_origin(&self, facts: &Facts, origin: &Origin) -> bool {
        origin.is_twin_of(&facts.upstream)
            || origin.is_twin_of(&facts.public)
            || self.advertised.iter().any(|own| origin.is_twin_of(own))
    }

    /// Whether the authorization server is the upstream itself.
    #[must_use]
    pub fn has_own_authorization_server(&self) -> bool {
        self.issuer.is_some()
    }

    /// Whether the MCP endpoint takes a stranger's message.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // 400 and 500 are refusals as well; who redirects sends people to log in.
        self.anonymous_status.is_some_and(|status| status.is_success())
    }

    /// Takes over which lessons about the authorization server hold.
    pub fn take_lessons(&mut self, holds: impl Fn(Lesson) -> bool) {
        self.sends_iss = holds(Lesson::SendsIss);
        self.refuses_documents = holds(Lesson::RefusesDocuments);
        self.returns_directly = holds(Lesson::ReturnsDirectly);
    }

    /// Whether another visit found the same authorization server: then what was learned of it holds.
    #[must_use]
    pub fn has_same_server(&self, before: &Self) -> bool {
        self.issuer.is_some() && self.issuer == before.issuer && self.server_document == before.server_document
    }

    /// Whether clients read that authorization responses carry `iss`: in the upstream's own metadata, or because of a lesson.
    #[must_use]
    pub fn has_iss_promised(&self) -> bool {
        self.promises_iss || self.sends_iss
    }

    /// Takes in a resource metadata document found at `path`. Answers whether it was one.
    pub fn take_resource_metadata(&mut self, path: &str, document: &Object) -> bool {
        if !documents::is_resource_metadata(document) {
            return false;
        }
        self.resource_metadata_path = Some(path.to_owned());
        self.resource = document.text("resource").filter(|resource| !resource.is_empty());
        if let Some(Ok(origin)) = self.resource.as_deref().map(Origin::of) {
            self.advertise(origin);
        }
        self.authorization_servers = documents::authorization_servers(document);
        self.scopes = scopes(document);
        self.resource_document = Some(document.clone());
        true
    }

    /// Takes in the metadata of the upstream's own authorization server, found at `path`.
    pub fn take_server_metadata(&mut self, facts: &Facts, path: &str, document: &Object) {
        let straight = documents::straightened(document);
        let said = straight.as_ref().unwrap_or(document);
        self.server_metadata_path = Some(path.to_owned());
        self.issuer = said.text("issuer").filter(|issuer| !issuer.is_empty());
        if let Some(origin) = self.issuer.as_deref().and_then(|issuer| Origin::of(issuer).ok()) {
            self.advertise(origin);
        }
        // A document that names no issuer speaks for the server that it came from.
        self.issuer.get_or_insert_with(|| facts.upstream.as_str().to_owned());
        self.auth_methods = strings(said.get("token_endpoint_auth_methods_supported"));
        self.pkce_methods = strings(said.get("code_challenge_methods_supported"));
        self.scopes = self.scopes.take().or_else(|| scopes(said));
        self.promises_iss = is_true(said.get("authorization_response_iss_parameter_supported"));
        let own_path = |name: &str| self.own_path(facts, said, name);
        let defaults = Paths::default();
        let paths = Paths {
            authorize: own_path("authorization_endpoint").unwrap_or(defaults.authorize),
            token: own_path("token_endpoint").unwrap_or(defaults.token),
            register: own_path("registration_endpoint").unwrap_or(defaults.register),
            revoke: own_path("revocation_endpoint").unwrap_or(defaults.revoke),
        };
        self.endpoints = paths.into();
        self.server_document = Some(said.clone());
    }

    /// The path of an endpoint that a document names, if that is on the upstream itself.
    fn own_path(&self, facts: &Facts, document: &Object, name: &str) -> Option<String> {
        let url = document.text(name)?;
        let is_own = is_path(&url) || self.owns(facts, &url);
        is_own.then(|| path_of(&url)).flatten()
    }

    /// Takes in every endpoint that a document of the upstream's own names, for clients with a certificate too: whoever is kept
    /// out of the first endpoints is kept out of these. Which host the document puts them on does not matter. The upstream may
    /// have a name that is not known here, and a rule that guards too much does less harm.
    pub fn take_further_endpoints(&mut self, document: &Object) {
        const NAMES: [(&str, Class); 7] = [
            ("authorization_endpoint", Class::Authorize),
            ("token_endpoint", Class::Token),
            ("registration_endpoint", Class::Register),
            ("revocation_endpoint", Class::Revoke),
            // Credentials of clients go there as well (RFC 9126, RFC 8628, RFC 7662).
            ("pushed_authorization_request_endpoint", Class::Token),
            ("device_authorization_endpoint", Class::Token),
            ("introspection_endpoint", Class::Token),
        ];
        let aliases = document.child("mtls_endpoint_aliases");
        for document in std::iter::once(document).chain(aliases.as_ref()) {
            for (name, class) in NAMES {
                if let Some(path) = document.text(name).as_deref().and_then(path_anywhere) {
                    self.endpoints.add_further(class, &path);
                }
            }
        }
    }

    /// Takes in that there are no metadata, but endpoints at the default paths (MCP 2025-03-26).
    pub fn take_defaults(&mut self, facts: &Facts) {
        let origin = facts.upstream.as_str();
        let at = |path: &str| json!(format!("{origin}{path}"));
        let paths = Paths::default();
        let mut document = Object::new([
            ("issuer", json!(origin)),
            ("authorization_endpoint", at(&paths.authorize)),
            ("token_endpoint", at(&paths.token)),
            ("response_types_supported", json!(["code"])),
        ]);
        if self.registers {
            document.set("registration_endpoint", at(&paths.register));
        }
        self.issuer = Some(origin.to_owned());
        self.advertise(facts.upstream.clone());
        self.endpoints = paths.into();
        self.server_document = Some(document);
    }

    /// Paths of the issuers among the listed authorization servers that are the upstream itself.
    #[must_use]
    pub fn own_issuer_paths(&self, facts: &Facts) -> Vec<String> {
        self.authorization_servers
            .iter()
            .filter(|listed| self.owns(facts, listed))
            .filter_map(|listed| Url::parse(listed).ok())
            .map(|url| url.path().trim_end_matches('/').to_owned())
            .filter(|path| endpoint::is_unambiguous(path))
            .collect()
    }

    /// Whether the metadata speak against public clients with PKCE: reason enough not to register one
    /// unasked. Metadata that say nothing speak against nothing.
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

/// Whether a reference is a path on the same host (RFC 3986 section 4.2).
fn is_path(url: &str) -> bool {
    url.starts_with('/') && !url.starts_with("//")
}

/// The path of a URL, or of a reference to any host.
fn path_anywhere(reference: &str) -> Option<String> {
    let base = Url::parse("http://localhost/").ok()?;
    base.join(reference).ok().map(|url| url.path().to_owned())
}

/// The path of a URL or of a reference to the same host.
fn path_of(url: &str) -> Option<String> {
    let rest = if is_path(url) { url } else { after_origin(url)? };
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    path.starts_with('/').then(|| path.to_owned())
}

/// The scopes that a document lists, each a scope token (RFC 6749 section 3.3); `None` if it lists none.
fn scopes(document: &Object) -> Option<Vec<String>> {
    let listed = strings(document.get("scopes_supported"))?;
    let scopes: Vec<String> = listed.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
    (!scopes.is_empty()).then_some(scopes)
}

/// Whether a flag is set, in any spelling of true.
#[must_use]
pub fn is_true(value: Option<Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => flag,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    #[test]
    fn only_a_result_lets_a_stranger_in() {
        for (answer, status, open) in [
            ("200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", Some(200), true),
            ("200\nContent-Type: text/event-stream", Some(200), true),
            ("202", Some(202), true),
            ("200\nContent-Type: application/json\n\n{\"error\":\"unauthorized\"}", None, false),
            ("200\nContent-Type: text/html; charset=utf-8\n\n<form>", None, false),
            ("401\nContent-Type: text/html", Some(401), false),
            ("403", Some(403), false),
            ("400\nContent-Type: application/json\n\n{\"error\":\"unauthorized\"}", Some(400), false),
            ("302\nLocation: /login", Some(302), false),
        ] {
            let reply = example::reply(answer).unwrap();
            let stranger = reply.reception(reply.json());
            assert_eq!(stranger.map(|status| status.as_u16()), status, "{answer}");
            assert_eq!(Knowledge { anonymous_status: stranger, ..Knowledge::default() }.is_open(), open, "{answer}");
        }
    }

    /// A path that servers read in several ways names no place that the proxy may ask or answer for.
    #[test]
    fn an_issuer_with_an_ambiguous_path_is_none_of_the_upstreams_own() {
        let facts = example::facts(SiteKind::Cohosted);
        let listed = ["/realms/a/", "/realms/b%20c", "/x/..%2fadmin", "/x;y", "/%2561"];
        let authorization_servers = listed.iter().map(|path| format!("{}{path}", facts.upstream)).collect();
        let known = Knowledge { authorization_servers, ..Knowledge::default() };
        assert_eq!(known.own_issuer_paths(&facts), ["/realms/a", "/realms/b%20c"]);
    }

    #[test]
    fn scopes_are_the_resources_or_else_the_servers() {
        let object = |text: &str| Object::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        let facts = example::facts(SiteKind::Cohosted);
        let server = object(r#"{"issuer":"http://localhost:3000","scopes_supported":["a","b"]}"#);
        for (resource, scopes) in [
            (r#"{"resource":"http://localhost:3000/mcp","scopes_supported":"x  y"}"#, vec!["x", "y"]),
            (r#"{"resource":"http://localhost:3000/mcp","scopes_supported":[]}"#, vec!["a", "b"]),
            (r#"{"resource":"http://localhost:3000/mcp","scopes_supported":null}"#, vec!["a", "b"]),
        ] {
            let mut known = Knowledge::default();
            assert!(known.take_resource_metadata("/p", &object(resource)));
            known.take_server_metadata(&facts, "/s", &server);
            assert_eq!(known.scopes.unwrap(), scopes, "{resource}");
        }
    }
}
