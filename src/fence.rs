//! What no repair may ever do. Checked after every repaired reply in tests and debug builds.

use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, HeaderMap, SET_COOKIE,
};
use serde_json::Value;

use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::{Reply, Request, RequestBody, Site};

/// Whether the changed reply breaks a promise, and which.
///
/// # Errors
/// The promise that was broken.
pub fn check_reply(site: &Site<'_>, request: &Request, before: &Reply, after: &Reply) -> Result<(), &'static str> {
    let refused = |status: StatusCode| status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
    if request.class == Class::Mcp && request.preflight.is_none() && refused(before.status) && after.status.is_success()
    {
        return Err("a refusal of the MCP endpoint became a success");
    }
    if all(&before.headers, SET_COOKIE.as_str()) != all(&after.headers, SET_COOKIE.as_str())
        && after.headers.contains_key(SET_COOKIE)
    {
        return Err("Set-Cookie was touched");
    }
    check_origin(site, request, before, after)?;
    if let (Some(before), Some(after)) = (before.json(), after.json()) {
        check_secrets(request.class, before, after)?;
    }
    Ok(())
}

/// As [`check_reply`], for an answer that the upstream was not asked for: it may refuse, and never let in.
///
/// # Errors
/// The promise that was broken.
pub fn check_answer(answer: &Reply) -> Result<(), &'static str> {
    if answer.status.is_client_error() { Ok(()) } else { Err("a request was let in without asking the upstream") }
}

/// As [`check_reply`], for a request.
///
/// # Errors
/// The promise that was broken.
pub fn check_request(before: &Request, after: &Request) -> Result<(), &'static str> {
    if all(&before.headers, AUTHORIZATION.as_str()) != all(&after.headers, AUTHORIZATION.as_str()) {
        return Err("Authorization was touched");
    }
    if before.method != after.method {
        return Err("the method was changed");
    }
    if let (RequestBody::Form(before), RequestBody::Form(after)) = (&before.body, &after.body) {
        for secret in ["client_secret", "code", "code_verifier", "refresh_token", "token"] {
            if crate::edit::params::get(before, secret) != crate::edit::params::get(after, secret) {
                return Err("a secret in a form was touched");
            }
        }
    }
    Ok(())
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect()
}

fn check_origin(site: &Site<'_>, request: &Request, before: &Reply, after: &Reply) -> Result<(), &'static str> {
    let allowed = after.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
    if allowed == before.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return Ok(());
    }
    let Some(allowed) = allowed else { return Ok(()) };
    if after.headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) {
        return Err("an origin was let in with credentials");
    }
    if !request.class.is_metadata() && !site.allows_origin(allowed) {
        return Err("an origin that is not listed was let in");
    }
    Ok(())
}

fn check_secrets(class: Class, before: &Object, after: &Object) -> Result<(), &'static str> {
    for name in ["access_token", "refresh_token", "id_token", "registration_access_token", "structuredContent"] {
        if !is_kept(name, before, after) {
            return Err("a token was touched");
        }
    }
    if class != Class::Register {
        return Ok(());
    }
    let public = after.text("token_endpoint_auth_method").as_deref() == Some("none");
    let dropped = public && after.get("client_secret").is_none();
    if !dropped && !is_kept("client_secret", before, after) {
        return Err("a client secret was touched");
    }
    let number = |object: &Object| object.get("client_secret_expires_at").as_ref().and_then(Value::as_f64);
    match (number(before), number(after)) {
        // 0 means never (RFC 7591 section 3.2.1).
        (Some(was), Some(is)) if was != 0.0 && (is == 0.0 || is > was) => Err("a secret's life was lengthened"),
        _ => Ok(()),
    }
}

/// Whether a secret is the one that came. One that is empty, null or of no use as a text may go; one that stood
/// deeper in the document may come out, as it is.
fn is_kept(name: &str, before: &Object, after: &Object) -> bool {
    let (was, is) = (before.get(name), after.get(name));
    if was == is {
        return true;
    }
    match (&was, &is) {
        (Some(Value::String(text)), None) => text.is_empty(),
        // No text, no token: nothing that a client could present.
        (Some(_), None) => true,
        (None, Some(is)) => before.names().iter().filter_map(|name| before.get(name)).any(|value| holds(&value, is)),
        _ => false,
    }
}

fn holds(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Array(list) => list.iter().any(|value| holds(value, wanted)),
            Value::Object(members) => members.values().any(|value| holds(value, wanted)),
            _ => false,
        }
}
