//! What can be left out of a registration that is refused, by what the refusal says.

use serde_json::{Value, json};
use url::Url;

use super::nulls::OPTIONAL;
use super::{HOSTED_CALLBACKS, refusal};
use crate::edit::json::Object;
use crate::knowledge::strings;

/// What a registration for the authorization code flow cannot do without, or every server knows.
const PLAIN: [&str; 6] =
    ["client_name", "redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method", "scope"];

/// Ways to say that a member is not known.
const UNKNOWN: [&str; 17] = [
    "unrecognized field",
    "unrecognized key",
    "unrecognized_key",
    "unrecognized propert",
    "unrecognised field",
    "unknown field",
    "unknown key",
    "unknown member",
    "unknown propert",
    "unknown parameter",
    "unexpected field",
    "unexpected propert",
    "additional propert",
    "additionalpropert",
    "extra field",
    "extra inputs",
    "extra_forbidden",
];

/// Words of which a refusal is made that says nothing.
const SAYING_NOTHING: [&str; 55] = [
    "a",
    "an",
    "bad",
    "be",
    "body",
    "client",
    "code",
    "content",
    "could",
    "data",
    "description",
    "detail",
    "details",
    "dynamic",
    "entity",
    "error",
    "errors",
    "failed",
    "failure",
    "false",
    "for",
    "format",
    "http",
    "in",
    "input",
    "internal",
    "invalid",
    "is",
    "json",
    "malformed",
    "message",
    "metadata",
    "not",
    "occurred",
    "of",
    "parameter",
    "parameters",
    "params",
    "path",
    "payload",
    "provided",
    "register",
    "registration",
    "request",
    "schema",
    "server",
    "something",
    "status",
    "the",
    "title",
    "type",
    "unprocessable",
    "valid",
    "validation",
    "wrong",
];

/// Takes out of a registration what the words refuse, and adds a name that they demand. Answers whether they do
/// either.
pub fn ease(body: &mut Object, words: &str) -> bool {
    // What is wanted instead is nothing that leaving something out would give.
    if refusal::has(words, &["access token", "access_token", "software statement", "software_statement"]) {
        return false;
    }
    let refused_scope = body.has("scope")
        && (refusal::has(words, &["invalid_scope"]) || ["scope", "scopes"].iter().any(|n| refusal::names(words, n)));
    let wants_name = !has_name(body) && refusal::names(words, "client_name");
    let refused_members = refusal::has(words, &UNKNOWN)
        || words.contains("should not exist")
        || body.names().iter().any(|name| !PLAIN.contains(&name.as_str()) && names_member(words, name))
        || refusal::has(words, &["grant_type", "grant type"]) && limited(body, "grant_types").is_some()
        || refusal::has(words, &["response_type", "response type"]) && limited(body, "response_types").is_some();
    if refused_scope {
        body.remove("scope");
    }
    if refused_members {
        reduce(body);
    }
    if wants_name {
        add_name(body);
    }
    refused_scope || wants_name || refused_members
}

/// Whether the words name this member. One of the client's own that is an everyday word must stand as a name.
fn names_member(words: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    let is_telling = name.contains('_') || OPTIONAL.contains(&name.as_str());
    if is_telling {
        return refusal::names(words, &name);
    }
    [format!("'{name}'"), format!("\"{name}\""), format!("`{name}`"), format!(".{name}: "), format!("property {name} ")]
        .iter()
        .any(|form| words.contains(form.as_str()))
}

/// Leaves what the code flow needs.
pub fn reduce(body: &mut Object) {
    for name in body.names() {
        if !PLAIN.contains(&name.as_str()) || body.is_null(&name) {
            body.remove(&name);
        }
    }
    for name in ["grant_types", "response_types"] {
        match limited(body, name) {
            Some(list) if list.is_empty() => body.remove(name),
            Some(list) => body.set(name, json!(list)),
            None => {}
        }
    }
    if body.text("scope").is_some_and(|scope| scope.trim().is_empty()) {
        body.remove("scope");
    }
}

/// A list without what the code flow does not need; `None` if it has nothing else.
fn limited(body: &Object, name: &str) -> Option<Vec<String>> {
    let needed: &[&str] = if name == "grant_types" { &["authorization_code", "refresh_token"] } else { &["code"] };
    let Some(Value::Array(have)) = body.get(name) else { return None };
    let kept: Vec<String> = strings(Some(Value::Array(have.clone())))?
        .into_iter()
        .filter(|member| needed.contains(&member.as_str()))
        .collect();
    (kept.len() != have.len()).then_some(kept)
}

fn has_name(body: &Object) -> bool {
    body.text("client_name").is_some_and(|name| !name.trim().is_empty())
}

/// Names the client after the host that the user comes back to.
pub fn add_name(body: &mut Object) {
    if has_name(body) {
        return;
    }
    let first = strings(body.get("redirect_uris")).and_then(|uris| uris.into_iter().next()).unwrap_or_default();
    let host = Url::parse(&first).ok().and_then(|uri| uri.host_str().map(str::to_owned));
    let name = match host {
        _ if HOSTED_CALLBACKS.contains(&first.as_str()) => "Claude".to_owned(),
        Some(host) if !host.is_empty() => host,
        _ => "MCP client".to_owned(),
    };
    body.set("client_name", name.into());
}

/// Whether the words are only those with which servers say nothing.
pub fn says_nothing(words: &str) -> bool {
    words
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .all(|word| SAYING_NOTHING.binary_search(&word).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_a_reason_is_recognised() {
        assert!(SAYING_NOTHING.is_sorted());
        for (words, nothing) in [
            ("", true),
            ("error: invalid_client_metadata", true),
            ("statuscode: 400", false),
            ("message: validation failed", true),
            ("error: bad request\npath: /register", true),
            ("error: invalid_redirect_uri", false),
            ("message: dynamic client registration is disabled", false),
            ("error: invalid_client_metadata\nerror_description: token_endpoint_auth_method", false),
        ] {
            assert_eq!(says_nothing(words), nothing, "{words}");
        }
    }

    #[test]
    fn what_is_refused_is_left_out() {
        let body = json!({
            "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback"],
            "scope": "openid",
            "software_id": "i",
            "type": "web",
            "grant_types": ["authorization_code", "device_code"],
            "response_types": ["code"],
        });
        let body = Object::parse(bytes::Bytes::from(body.to_string())).unwrap();
        let all = ["redirect_uris", "scope", "software_id", "type", "grant_types", "response_types"];
        for (words, left) in [
            (
                "message: property software_id should not exist",
                &["redirect_uris", "scope", "grant_types", "response_types"][..],
            ),
            (
                "detail.loc: body.type\ndetail.msg: extra inputs are not permitted",
                &["redirect_uris", "scope", "grant_types", "response_types"],
            ),
            ("unsupported grant_type device_code", &["redirect_uris", "scope", "grant_types", "response_types"]),
            ("error: invalid_scope", &["redirect_uris", "software_id", "type", "grant_types", "response_types"]),
            (
                "message: client_name must be a string\nmessage: property software_id should not exist\nscope: unknown",
                &["redirect_uris", "grant_types", "response_types", "client_name"],
            ),
            ("unknown type of error", &all),
            ("redirect_uris.0 is not a valid url", &all),
            ("software_statement is required, as is software_id", &all),
        ] {
            let mut eased = body.clone();
            assert_eq!(ease(&mut eased, words), left != all, "{words}");
            assert_eq!(eased.names(), left, "{words}");
        }
    }

    #[test]
    fn a_client_is_named_after_its_callback() {
        for (uris, name) in [
            (json!(["https://claude.com/api/mcp/auth_callback"]), "Claude"),
            (json!(["https://www.cursor.com/agents"]), "www.cursor.com"),
            (json!(["cursor://anysphere.cursor-mcp/oauth/callback"]), "anysphere.cursor-mcp"),
            (json!(["com.example.app:/cb"]), "MCP client"),
            (json!(null), "MCP client"),
        ] {
            let mut body = Object::new([("redirect_uris", uris)]);
            add_name(&mut body);
            assert_eq!(body.text("client_name").as_deref(), Some(name));
        }
    }
}
