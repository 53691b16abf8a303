//! What no repair may do to a request.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, ORIGIN, REFERER};

use super::{all, has_same_lines, is_same_client};
use crate::edit::json::Object;
use crate::edit::origin::Origin;
use crate::edit::params;
use crate::endpoint::{Class, SESSION, VERSION};
use crate::exchange::{Request, RequestBody, Site};

/// As [`super::check_reply`], for a request.
///
/// # Errors
/// The promise that was broken.
pub fn check_request(site: &Site<'_>, before: &Request, after: &Request) -> Result<(), &'static str> {
    check_credentials(before, after)?;
    // Credentials may have moved between the header and the form.
    let is_authorized = before.authorized == after.authorized
        || after.authorized == after.headers.contains_key(AUTHORIZATION) && is_same_client(before, after);
    if before.class != after.class || before.origin != after.origin || !is_authorized {
        return Err("what was seen of the request was rewritten");
    }
    check_target(before, after)?;
    // Most repairs of requests change no field.
    if !before.headers.iter().eq(after.headers.iter()) {
        for name in before.headers.keys().chain(after.headers.keys()) {
            if !has_same_lines(&before.headers, &after.headers, name) {
                check_field(site, before, after, name)?;
            }
        }
    }
    check_body(before, after)
}

/// Whether method, credentials and secrets are the client's own.
pub(super) fn check_credentials(before: &Request, after: &Request) -> Result<(), &'static str> {
    let moved = is_same_client(before, after);
    if !moved && !has_same_lines(&before.headers, &after.headers, &AUTHORIZATION) {
        return Err("Authorization was touched");
    }
    if before.method != after.method {
        return Err("the method was changed");
    }
    if let (RequestBody::Form(before), RequestBody::Form(after)) = (&before.body, &after.body) {
        for secret in ["client_secret", "code", "code_verifier", "refresh_token", "token"] {
            if params::get(before, secret) != params::get(after, secret) && !(moved && secret == "client_secret") {
                return Err("a secret in a form was touched");
            }
        }
    }
    Ok(())
}

/// The target changes to where messages are redirected, or in the parameters that name the resource and the scope.
fn check_target(before: &Request, after: &Request) -> Result<(), &'static str> {
    if before.target == after.target || before.moved.as_deref() == Some(after.target.as_str()) {
        return Ok(());
    }
    if before.path() != after.path() {
        return Err("the path was changed");
    }
    let query = |request: &Request| request.query().unwrap_or_default().to_owned();
    match is_same_but(&query(before), &query(after), &["resource", "scope"]) {
        true => Ok(()),
        false => Err("a parameter of the query was touched"),
    }
}

/// Whether a field may be what it has become.
fn check_field(site: &Site<'_>, before: &Request, after: &Request, name: &HeaderName) -> Result<(), &'static str> {
    // A page that is not let in must not get further by what a repair does.
    let is_let_in = || before.origin.as_ref().is_none_or(|origin| is_admitted(site, origin));
    let value = |request: &Request| request.headers.get(name).cloned();
    match name {
        &AUTHORIZATION | &ACCEPT => Ok(()),
        name if *name == VERSION && after.headers.contains_key(name) => Ok(()),
        &CONTENT_TYPE if is_let_in() => Ok(()),
        &CONTENT_TYPE => Err("the media type of a page that is not let in was changed"),
        &ORIGIN if is_let_in() => Ok(()),
        &ORIGIN => Err("the origin of a page that is not let in was changed"),
        &REFERER if value(before).is_some_and(|from| is_public(site, &from)) && value(after).is_some() => Ok(()),
        name if *name == SESSION && value(before).is_some() && value(after).is_some() => Ok(()),
        &COOKIE if is_from_session(before, after) => Ok(()),
        &COOKIE => Err("a cookie was touched that no session holds"),
        _ => Err("a header field was touched that no repair needs"),
    }
}

fn is_public(site: &Site<'_>, url: &HeaderValue) -> bool {
    url.to_str().is_ok_and(|url| Origin::of(url).is_ok_and(|origin| origin == site.facts.public))
}

fn is_admitted(site: &Site<'_>, origin: &HeaderValue) -> bool {
    site.allows_origin(origin) || is_public(site, origin)
}

/// Whether cookies came out of the session id, behind those that the client sent.
fn is_from_session(before: &Request, after: &Request) -> bool {
    let sent = all(&before.headers, &COOKIE).join(&b"; "[..]);
    let now = all(&after.headers, &COOKIE);
    let is_kept = matches!(now.as_slice(), [line] if line.starts_with(&sent));
    is_kept && before.headers.get(SESSION) != after.headers.get(SESSION)
}

fn check_body(before: &Request, after: &Request) -> Result<(), &'static str> {
    let is_kept = match (&before.body, &after.body) {
        (RequestBody::Form(was), RequestBody::Form(is)) => {
            is_same_but(was, is, &["client_id", "client_secret", "resource", "scope"])
        }
        (RequestBody::Json(was), RequestBody::Json(is)) => check_members(before, was, is),
        (was, is) => was == is,
    };
    if is_kept { Ok(()) } else { Err("a part of the body was touched that no repair needs") }
}

/// A registration gains redirect URIs; `initialize` names another version; nothing else changes.
fn check_members(request: &Request, was: &Object, is: &Object) -> bool {
    match request.class {
        Class::Register => was.is_same_but(is, "redirect_uris") && has_all_uris(was, is),
        _ if request.calls("initialize") => was.is_same_but(is, "params") && is_same_call(was, is),
        _ => was == is,
    }
}

fn has_all_uris(was: &Object, is: &Object) -> bool {
    if was.may_differ_in(is, &["redirect_uris"]).is_empty() {
        return true;
    }
    let list = |object: &Object| object.list("redirect_uris").map(|list| list.iter().collect::<Vec<_>>());
    match (list(was), list(is)) {
        (Some(was), Some(is)) => was.iter().all(|uri| is.contains(uri)),
        (was, is) => was == is,
    }
}

/// Whether the parameters are those that came, but for the version.
fn is_same_call(was: &Object, is: &Object) -> bool {
    if was.is_same_in(is, "params") {
        return true;
    }
    match (was.child("params"), is.child("params")) {
        (Some(was), Some(is)) => {
            was.has("protocolVersion") == is.has("protocolVersion") && was.is_same_but(&is, "protocolVersion")
        }
        (was, is) => was == is,
    }
}

/// Whether two forms say the same, in the same order, but for these parameters.
fn is_same_but(was: &str, is: &str, but: &[&str]) -> bool {
    let rest = |text| params::all(text).filter(|(name, _)| !but.contains(&&**name));
    rest(was).eq(rest(is))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    const SENT: &str = "POST /mcp?a=1&scope=x\nHost: h\nCookie: c=1\nMcp-Session-Id: s\nContent-Type: text/plain\n\n\
                        {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}";

    fn request(text: &str) -> Request {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        example::request(text, &facts, &known).unwrap()
    }

    fn verdict(before: &str, after: &str) -> Result<(), &'static str> {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        let before = request(before);
        let after = request(after);
        // What is seen of a request is written once, when it comes; here both are read anew.
        let after = Request { origin: before.origin.clone(), authorized: before.authorized, ..after };
        check_request(&Site { facts: &facts, known: &known }, &before, &after)
    }

    #[test]
    fn a_repair_may_touch_of_a_request_what_some_repair_needs_and_nothing_else() {
        let with = |what: &str, instead: &str| {
            assert!(SENT.contains(what), "{what}");
            SENT.replacen(what, instead, 1)
        };
        for (after, allowed) in [
            (SENT.to_owned(), true),
            (with("scope=x", "scope=y"), true),
            (with("text/plain", "application/json"), true),
            (with("Session-Id: s", "Session-Id: t"), true),
            (with("Cookie: c=1\nMcp-Session-Id: s", "Cookie: c=1; d=2\nMcp-Session-Id: t"), true),
            (with("Host: h", "Host: h\nMcp-Protocol-Version: 2025-06-18"), true),
            (with("Cookie: c=1", "Cookie: c=1; d=2"), false),
            (with("Cookie: c=1\nMcp-Session-Id: s", "Cookie: c=2\nMcp-Session-Id: t"), false),
            (with("Mcp-Session-Id: s\n", ""), false),
            (with("Host: h", "Host: i"), false),
            (with("Host: h", "Host: h\nX-Forwarded-For: 127.0.0.1"), false),
            (with("Host: h\n", ""), false),
            (with("a=1", "a=2"), false),
            (with("a=1&", ""), false),
            (with("/mcp", "/mcp/other"), false),
            (with("POST", "PUT"), false),
            (with("\"name\":\"t\"", "\"name\":\"u\""), false),
            (with("tools/call", "tools/list"), false),
        ] {
            assert_eq!(verdict(SENT, &after).is_ok(), allowed, "{after}");
        }
    }

    #[test]
    fn a_page_that_is_not_let_in_stays_one() {
        for (origin, allowed) in [("https://mcp.example.com", true), ("https://evil.example", false)] {
            let sent = format!("POST /mcp\nContent-Type: text/plain\nOrigin: {origin}\n\n{{\"method\":\"a\"}}");
            for after in
                [sent.replace("text/plain", "application/json"), sent.replace(&format!("\nOrigin: {origin}"), "")]
            {
                assert_eq!(verdict(&sent, &after).is_ok(), allowed, "{after}");
            }
        }
    }

    #[test]
    fn a_message_goes_where_messages_are_redirected_and_nowhere_else() {
        let before = request("POST /mcp\nX-Moved: /mcp/\n\n{\"method\":\"a\"}");
        for (to, allowed) in [("/mcp/", true), ("/other", false)] {
            let after = Request { target: to.parse().unwrap(), ..before.clone() };
            assert_eq!(check_target(&before, &after).is_ok(), allowed, "{to}");
        }
    }

    #[test]
    fn a_registration_gains_redirect_uris_and_loses_nothing() {
        for (after, allowed) in [
            (r#"{"a":1,"redirect_uris":["x","y"]}"#, true),
            (r#"{"a":1,"redirect_uris":["y"]}"#, false),
            (r#"{"a":1}"#, false),
            (r#"{"a":2,"redirect_uris":["x"]}"#, false),
            (r#"{"a":1,"b":1,"redirect_uris":["x"]}"#, false),
        ] {
            let [before, after] =
                [r#"{"a":1,"redirect_uris":["x"]}"#, after].map(|body| format!("POST /register\n\n{body}"));
            assert_eq!(verdict(&before, &after).is_ok(), allowed, "{after}");
        }
    }

    #[test]
    fn initialize_names_another_version_and_says_the_same_otherwise() {
        let call = |params: &str| {
            format!("POST /mcp\n\n{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{params}}}")
        };
        let before = call(r#"{"protocolVersion":"2027-01-01","capabilities":{}}"#);
        assert_eq!(verdict(&before, &call(r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#)), Ok(()));
        assert!(verdict(&before, &call(r#"{"protocolVersion":"2025-11-25","capabilities":{"roots":{}}}"#)).is_err());
    }
}
