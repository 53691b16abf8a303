//! What a discovery document says, however it is written: the readings that knowledge and repairs share.

use serde_json::Value;
use url::Url;

use crate::edit::json::Object;
use crate::edit::origin::after_origin;
use crate::endpoint::{OPENID_CONFIGURATION, SERVER_METADATA};

/// Names that servers give the endpoints instead of the registered ones (RFC 8414 section 2), each with its right one.
pub const OTHER_NAMES: &[(&str, &str)] = &[
    ("authorization_url", "authorization_endpoint"),
    ("authorize_url", "authorization_endpoint"),
    ("authorize_endpoint", "authorization_endpoint"),
    ("authorization_uri", "authorization_endpoint"),
    ("authorizationEndpoint", "authorization_endpoint"),
    ("authorizationUrl", "authorization_endpoint"),
    ("auth_endpoint", "authorization_endpoint"),
    ("auth_url", "authorization_endpoint"),
    ("token_url", "token_endpoint"),
    ("token_uri", "token_endpoint"),
    ("tokenEndpoint", "token_endpoint"),
    ("tokenUrl", "token_endpoint"),
    ("registration_url", "registration_endpoint"),
    ("register_url", "registration_endpoint"),
    ("register_endpoint", "registration_endpoint"),
    ("registrationEndpoint", "registration_endpoint"),
    ("registrationUrl", "registration_endpoint"),
    ("revocation_url", "revocation_endpoint"),
    ("revoke_url", "revocation_endpoint"),
    ("revoke_endpoint", "revocation_endpoint"),
    ("revocationEndpoint", "revocation_endpoint"),
    ("issuer_url", "issuer"),
    ("issuerUrl", "issuer"),
    ("scopesSupported", "scopes_supported"),
    ("responseTypesSupported", "response_types_supported"),
    ("grantTypesSupported", "grant_types_supported"),
    ("codeChallengeMethodsSupported", "code_challenge_methods_supported"),
    ("tokenEndpointAuthMethodsSupported", "token_endpoint_auth_methods_supported"),
];

/// Members under which servers put the whole document.
const WRAPPERS: &[&str] =
    &["data", "result", "metadata", "oauth", "oauth2", "authorization_server", "server", "openid", "configuration"];

/// Whether an object is protected resource metadata (RFC 9728 section 2), complete or not.
#[must_use]
pub fn is_resource_metadata(document: &Object) -> bool {
    !document.has("error")
        && (document.text("resource").is_some_and(|resource| !resource.is_empty())
            || !authorization_servers(document).is_empty())
}

/// Whether an object is authorization server metadata (RFC 8414 section 2), complete or not.
#[must_use]
pub fn is_server_metadata(document: &Object) -> bool {
    let filled = |name: &str| document.text(name).is_some_and(|text| !text.is_empty());
    !document.has("error")
        && (filled("issuer")
            && (filled("token_endpoint") || filled("authorization_endpoint") || !document.has("resource"))
            || filled("authorization_endpoint") && filled("token_endpoint"))
}

/// Authorization server metadata with the names and the place that they ought to have; `None` when nothing is to be
/// changed.
#[must_use]
pub fn straightened(document: &Object) -> Option<Object> {
    if is_server_metadata(document) && document.has("authorization_endpoint") && document.has("token_endpoint") {
        return None;
    }
    let mut straight = unwrapped(document).unwrap_or_else(|| document.clone());
    for (other, right) in OTHER_NAMES {
        if straight.has(right) {
            continue;
        }
        if let Some(value) = straight.get(other) {
            straight.remove(other);
            straight.set(right, value);
        }
    }
    (is_server_metadata(&straight) && straight != *document).then_some(straight)
}

/// The document in a member of another, with the members beside it left behind.
fn unwrapped(document: &Object) -> Option<Object> {
    let inner = WRAPPERS.iter().find_map(|name| match document.get(name) {
        Some(Value::Object(members)) => Some(members),
        _ => None,
    })?;
    let names = |wanted: &str| {
        inner.contains_key(wanted) || OTHER_NAMES.iter().any(|(o, r)| *r == wanted && inner.contains_key(*o))
    };
    if !names("authorization_endpoint") || !names("token_endpoint") {
        return None;
    }
    let mut object = Object::new([]);
    for (name, value) in inner {
        object.set(&name, value);
    }
    Some(object)
}

/// The issuers that resource metadata list, whatever form the list has: a string, a metadata URL, a bare host, or the
/// singular member. Each once.
#[must_use]
pub fn authorization_servers(document: &Object) -> Vec<String> {
    let listed = [document.get("authorization_servers"), document.get("authorization_server")];
    let mut issuers: Vec<String> = Vec::new();
    for value in listed.into_iter().flatten() {
        for issuer in members(&value).iter().filter_map(|text| issuer_of(text)) {
            if !issuers.contains(&issuer) {
                issuers.push(issuer);
            }
        }
        if !issuers.is_empty() {
            break;
        }
    }
    issuers
}

fn members(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(members).collect(),
        // As `{"issuer": ...}`, which some write for each server.
        Value::Object(members) => members.get("issuer").and_then(Value::as_str).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The issuer that a listed text means: without the well-known part of a metadata URL, with a scheme.
#[must_use]
pub fn issuer_of(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
        return None;
    }
    let url = if after_origin(text).is_some() {
        text.to_owned()
    } else if text.starts_with('/') || text.contains("://") || !text.contains('.') {
        return None;
    } else {
        format!("https://{text}")
    };
    Url::parse(&url).ok()?;
    let rest = after_origin(&url)?;
    let origin = &url[..url.len() - rest.len()];
    for place in [SERVER_METADATA, OPENID_CONFIGURATION] {
        // Inserted before the issuer's path (RFC 8414 section 3.1) or put behind it.
        if let Some(path) = rest.strip_prefix(place) {
            return Some(format!("{origin}{path}"));
        }
        if let Some(path) = rest.strip_suffix(place) {
            return Some(format!("{origin}{path}"));
        }
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    #[test]
    fn a_listed_server_is_its_issuer() {
        for (text, issuer) in [
            ("https://a.example", Some("https://a.example")),
            ("https://a.example/", Some("https://a.example/")),
            ("https://a.example/t", Some("https://a.example/t")),
            ("https://a.example/.well-known/oauth-authorization-server", Some("https://a.example")),
            ("https://a.example/.well-known/oauth-authorization-server/t", Some("https://a.example/t")),
            ("https://a.example/t/.well-known/openid-configuration", Some("https://a.example/t")),
            ("a.example/t", Some("https://a.example/t")),
            ("", None),
            ("/auth", None),
            ("none", None),
            ("a b.c", None),
        ] {
            assert_eq!(issuer_of(text).as_deref(), issuer, "{text}");
        }
    }

    #[test]
    fn every_form_of_the_list_is_read() {
        for text in [
            r#"{"authorization_servers":["https://a.example"]}"#,
            r#"{"authorization_servers":"https://a.example"}"#,
            r#"{"authorization_servers":[],"authorization_server":"https://a.example"}"#,
            r#"{"authorization_servers":null,"authorization_server":["https://a.example","https://a.example"]}"#,
            r#"{"authorization_servers":[{"issuer":"https://a.example"},null,""]}"#,
        ] {
            assert_eq!(authorization_servers(&object(text)), ["https://a.example"], "{text}");
        }
        assert!(authorization_servers(&object(r#"{"resource":"x"}"#)).is_empty());
    }

    #[test]
    fn a_wrapped_document_is_straightened() {
        let wrapped =
            object(r#"{"data":{"issuer":"https://a","authorize_url":"https://a/a","token_url":"https://a/t"}}"#);
        let straight = straightened(&wrapped).unwrap();
        assert_eq!(straight.text("authorization_endpoint").as_deref(), Some("https://a/a"));
        assert_eq!(straightened(&straight), None);
        assert_eq!(straightened(&object(r#"{"data":{"a":1}}"#)), None);
        assert_eq!(straightened(&object(r#"{"issuer":"https://a"}"#)), None);
    }
}
