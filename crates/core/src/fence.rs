//! What no repair may ever do. Checked after a list of repairs that has changed something (`plan/run.rs`): a change that breaks
//! a promise does not leave the proxy.

mod events;
mod messages;
mod request;
mod turned_away;

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, COOKIE, FORWARDED, HOST, HeaderMap,
    HeaderName, ORIGIN, REFERER, SET_COOKIE,
};
use serde_json::Value;

pub use self::events::{check_event, check_silence};
pub use self::messages::check_message;
use self::request::check_credentials;
pub use self::request::check_request;
pub use self::turned_away::{may_act_twice, was_turned_away};
use crate::edit::basic::Credentials;
use crate::edit::json::{List, Object};
use crate::endpoint::Class;
use crate::exchange::{Ask, Reply, Request, RequestBody, Site};

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
    if after.headers.contains_key(SET_COOKIE) && !has_same_lines(&before.headers, &after.headers, &SET_COOKIE) {
        return Err("Set-Cookie was touched");
    }
    check_origin(site, request, before, after)?;
    // What is refused, or is a public document, hands out no secret: it may be replaced as a whole.
    let hands_out = after.status.is_success() && !request.class.is_metadata() && request.class != Class::Keys;
    if let (true, Some(before), Some(after)) = (hands_out, before.json(), after.json()) {
        check_secrets(request.class, before, after)?;
    }
    Ok(())
}

/// As [`check_reply`], for an answer that the upstream was not asked for: it may refuse, and never let in.
///
/// # Errors
/// The promise that was broken.
pub fn check_answer(answer: &Reply) -> Result<(), &'static str> {
    if !answer.status.is_client_error() {
        return Err("a request was let in without asking the upstream");
    }
    if answer.headers.contains_key(SET_COOKIE) || answer.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return Err("an answer of our own sets a cookie or lets an origin in");
    }
    Ok(())
}

/// As [`check_request`], for a further ask after this answer.
///
/// # Errors
/// The promise that was broken.
pub fn check_ask(request: &Request, reply: &Reply, ask: &Ask) -> Result<(), &'static str> {
    if may_act_twice(request, reply, ask) {
        return Err("a request was sent twice that may have been carried out");
    }
    if ![&ask.target, &ask.bridge].into_iter().flatten().all(|to| to.starts_with('/')) {
        return Err("a further ask leaves the upstream");
    }
    if !ask.parts.is_empty() && !is_list_of(&request.body, &ask.parts) {
        return Err("messages were asked that did not come");
    }
    if ask.fields.iter().any(|(name, _)| is_of_the_way(name)) {
        return Err("a further ask says something else of where it came from");
    }
    let mut after = request.clone();
    match &ask.authorization {
        Some(Some(value)) => drop(after.headers.insert(AUTHORIZATION, value.clone())),
        Some(None) => drop(after.headers.remove(AUTHORIZATION)),
        None => {}
    }
    for (name, value) in &ask.fields {
        match value {
            Some(value) => drop(after.headers.insert(name.clone(), value.clone())),
            None => drop(after.headers.remove(name)),
        }
    }
    if let Some(body) = &ask.body {
        after.body.clone_from(body);
    }
    check_credentials(request, &after)?;
    ask.otherwise.as_deref().map_or(Ok(()), |next| check_ask(request, reply, next))
}

/// Whether these are the messages of a list, all of them and in their order.
fn is_list_of(body: &RequestBody, parts: &[Bytes]) -> bool {
    let RequestBody::Whole(text) = body else { return false };
    List::parse(text.clone()).is_some_and(|list| list.iter().eq(parts.iter().cloned()))
}

/// Whether a field says where a request came from or goes to: those are the proxy's to write.
fn is_of_the_way(name: &HeaderName) -> bool {
    [HOST, COOKIE, ORIGIN, REFERER, FORWARDED, AUTHORIZATION].contains(name)
        || name.as_str().starts_with("x-forwarded-")
        || name.as_str().starts_with("x-real-")
}

/// Whether the client authenticates as the same one as before, at the token or revocation endpoint, be it in the
/// other of the two places (RFC 6749 section 2.3.1).
fn is_same_client(before: &Request, after: &Request) -> bool {
    if !matches!(before.class, Class::Token | Class::Revoke) {
        return false;
    }
    let in_form = |request: &Request| request.form().map(|form| Credentials::of_form(form).ok_or(())).transpose();
    let in_header = |request: &Request| match all(&request.headers, &AUTHORIZATION).as_slice() {
        [] => Ok(None),
        [_] => request.headers.get(AUTHORIZATION).and_then(Credentials::read).map(Some).ok_or(()),
        _ => Err(()),
    };
    let (Ok(was), Ok(is)) = (in_header(before), in_header(after)) else { return false };
    let (Ok(form_was), Ok(form_is)) = (in_form(before), in_form(after)) else { return false };
    match (was, is, form_was, form_is) {
        // From the header into the form, or out of the header because the form says the same or the header nothing.
        (Some(was), None, form, Some(now)) => {
            let says_nothing =
                was.secret.is_empty() && now.secret.is_empty() && [&was.id, &was.meant().id].contains(&&now.id);
            (was.are(&now) || says_nothing) && form.is_none_or(|form| is_empty_or(&form.secret, &now.secret))
        }
        // From the form into the header, or out of the form because the header says the same or the form nothing.
        (was, Some(is), Some(form), Some(now)) => {
            let says_nothing = form.secret.is_empty() && was.as_ref() == Some(&is);
            let says_no_id = form.id.is_empty() && [&is.secret, &is.meant().secret].contains(&&form.secret);
            now.secret.is_empty() && (is.are(&form) || says_no_id || says_nothing)
        }
        // An empty secret is none.
        (None, None, Some(form), Some(now)) => form.secret.is_empty() && now.secret.is_empty(),
        _ => false,
    }
}

fn is_empty_or(secret: &str, other: &str) -> bool {
    secret.is_empty() || secret == other
}

fn has_same_lines(headers: &HeaderMap, others: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().eq(others.get_all(name))
}

fn all<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
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
    if !request.is_document && !site.allows_origin(allowed) {
        return Err("an origin that is not listed was let in");
    }
    Ok(())
}

fn check_secrets(class: Class, before: &Object, after: &Object) -> Result<(), &'static str> {
    const TOKENS: &[&str] =
        &["access_token", "refresh_token", "id_token", "registration_access_token", "structuredContent"];
    if before.may_differ_in(after, TOKENS).iter().any(|name| !is_kept(name, before, after)) {
        return Err("a token was touched");
    }
    if class == Class::Register { check_client_secret(before, after) } else { Ok(()) }
}

fn check_client_secret(before: &Object, after: &Object) -> Result<(), &'static str> {
    let changed = before.may_differ_in(after, &["client_secret", "client_secret_expires_at"]);
    let is_public = || after.text("token_endpoint_auth_method").as_deref() == Some("none");
    let is_dropped = || is_public() && after.get("client_secret").is_none();
    if changed.contains(&"client_secret") && !is_kept("client_secret", before, after) && !is_dropped() {
        return Err("a client secret was touched");
    }
    if !changed.contains(&"client_secret_expires_at") {
        return Ok(());
    }
    let number = |object: &Object| object.get("client_secret_expires_at").as_ref().and_then(Value::as_f64);
    match (number(before), number(after)) {
        // 0 means never (RFC 7591 section 3.2.1); the first second of 1970 is as far gone as any part of it.
        (Some(was), Some(is)) if was != 0.0 && (is == 0.0 || (is > was && is > 1.0)) => {
            Err("a secret's life was lengthened")
        }
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
    let is_token = |value: &&Value| value.as_str().is_some_and(|text| !text.is_empty());
    match (was.as_ref().filter(is_token), &is) {
        // No text, no token: nothing that a client could present.
        (None, None) => true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    /// `a:s`, `a%3Ab:p%25q` (which means `a:b` and `p%q`) and `a:`.
    const AUTHORIZATIONS: [&str; 4] = ["", "Basic YTpz", "Basic YSUzQWI6cCUyNXE=", "Basic YTo="];

    #[test]
    fn a_client_may_only_move_its_own_credentials() {
        for (was, form, is, now, allowed) in [
            (1, "code=c", 0, "code=c&client_id=a&client_secret=s", true),
            (1, "code=c&client_id=a", 0, "code=c&client_id=a&client_secret=s", true),
            (1, "client_id=a&client_secret=s", 0, "client_id=a&client_secret=s", true),
            (1, "client_id=a&client_secret=s", 1, "client_id=a", true),
            (0, "client_id=a&client_secret=s", 1, "client_id=a", true),
            (2, "code=c", 0, "code=c&client_id=a%3Ab&client_secret=p%25q", true),
            (2, "code=c", 0, "code=c&client_id=a%253Ab&client_secret=p%2525q", true),
            (0, "client_id=a%3Ab&client_secret=p%25q", 2, "client_id=a%3Ab", true),
            (0, "client_id=a&client_secret=", 0, "client_id=a", true),
            (3, "code=c", 0, "code=c&client_id=a", true),
            (1, "client_id=a&client_secret=", 1, "client_id=a", true),
            (3, "client_id=a&client_secret=s", 0, "client_id=a&client_secret=s", false),
            (3, "client_id=a", 0, "client_id=b", false),
            (1, "code=c&client_secret=s", 1, "code=c", true),
            (1, "code=c&client_secret=t", 1, "code=c", false),
            (1, "code=c", 0, "code=c&client_id=a&client_secret=t", false),
            (1, "code=c", 0, "code=c&client_id=b&client_secret=s", false),
            (1, "code=c", 0, "code=c", false),
            (1, "code=c", 0, "code=d&client_id=a&client_secret=s", false),
            (1, "code=c", 2, "code=c", false),
            (0, "client_id=a&client_secret=t", 1, "client_id=a", false),
            (0, "code=c", 1, "code=c", false),
            (1, "client_id=a&client_secret=t", 0, "client_id=a&client_secret=s", false),
            (1, "client_id=a&client_secret=t", 1, "client_id=a", false),
            (0, "client_id=a&client_secret=t", 0, "client_id=a", false),
            (0, "client_id=a", 0, "client_id=a&client_secret=t", false),
        ] {
            let request = |place: usize, form: &str, path: &str| {
                let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
                let line = AUTHORIZATIONS[place];
                let head = if line.is_empty() { String::new() } else { format!("\nAuthorization: {line}") };
                example::request(&format!("POST {path}{head}\n\n{form}"), &facts, &known).unwrap()
            };
            let name = format!("{was} {form} -> {is} {now}");
            for path in ["/token", "/revoke"] {
                let verdict = check_credentials(&request(was, form, path), &request(is, now, path));
                assert_eq!(verdict.is_ok(), allowed, "{name}");
            }
            let elsewhere = check_credentials(&request(was, form, "/consent"), &request(is, now, "/consent"));
            assert!(elsewhere.is_err() || (was, form) == (is, now), "{name}");
        }
    }

    #[test]
    fn a_token_may_come_out_of_the_document_and_change_in_no_way() {
        let object = |text: &str| Object::parse(bytes::Bytes::copy_from_slice(text.as_bytes())).unwrap();
        for (before, after, allowed) in [
            (r#"{"data":{"access_token":"t"}}"#, r#"{"access_token":"t"}"#, true),
            (r#"{"access_token":"","data":{"access_token":"t"}}"#, r#"{"access_token":"t"}"#, true),
            (r#"{"accessToken":"t"}"#, r#"{"access_token":"t"}"#, true),
            (r#"{"refresh_token":false}"#, "{}", true),
            (r#"{"access_token":"t","data":{"access_token":"u"}}"#, r#"{"access_token":"u"}"#, false),
            (r#"{"access_token":"t"}"#, "{}", false),
            ("{}", r#"{"access_token":"t"}"#, false),
            (r#"{"access_token":null}"#, r#"{"access_token":"t"}"#, false),
        ] {
            assert_eq!(check_secrets(Class::Token, &object(before), &object(after)).is_ok(), allowed, "{before}");
        }
    }
}
