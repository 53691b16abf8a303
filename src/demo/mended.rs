//! What a sound answer looks like, asked of bytes. Each check says what is wrong first.

pub(super) mod legacy;
pub(super) mod messages;

use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    VARY, WWW_AUTHENTICATE,
};
use serde_json::Value;

use super::checks::PAGE;
use super::client::Answer;
use super::visit::{CALLBACK, MCP, STATE, parameter};
use crate::endpoint::{OPENID_CONFIGURATION, resource_metadata_path};

/// Nothing, or what is wrong.
pub(super) type Verdict = Result<(), String>;
/// Whether an answer is as it has to be.
pub(super) type Check = fn(&Answer) -> Verdict;

fn right(right: bool, wrong: impl FnOnce() -> String) -> Verdict {
    if right { Ok(()) } else { Err(wrong()) }
}

/// The status, and the media type of JSON.
fn json(answer: &Answer, status: StatusCode) -> Result<Value, String> {
    right(answer.status == status, || format!("{} instead of {}", answer.status.as_u16(), status.as_u16()))?;
    let kind = answer.only(CONTENT_TYPE).unwrap_or("no Content-Type");
    let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    right(is_json, || format!("{kind} instead of application/json"))?;
    let document = answer.json()?;
    right(document.is_object(), || "not a JSON object".to_owned())?;
    Ok(document)
}

/// A 401 whose first challenge is Bearer, well written, and leads to the resource metadata here.
pub(super) fn challenged(answer: &Answer) -> Verdict {
    challenge(answer, StatusCode::UNAUTHORIZED).map(drop)
}

/// The same, and it says that the token is bad.
pub(super) fn token_refused(answer: &Answer) -> Verdict {
    let parameters = challenge(answer, StatusCode::UNAUTHORIZED)?;
    has(&parameters, "error", "invalid_token")
}

/// A 403 that says which scope to ask for.
pub(super) fn scope_asked(answer: &Answer) -> Verdict {
    let parameters = challenge(answer, StatusCode::FORBIDDEN)?;
    has(&parameters, "error", "insufficient_scope")?;
    let scope = parameters.iter().find(|(name, _)| name == "scope").map(|(_, value)| value.as_str());
    let names = scope.is_some_and(|scope| scope.split(' ').any(|scope| scope == "mcp:forget"));
    right(names, || "the challenge does not name the scope".to_owned())
}

/// A 401 with a challenge, and a body that is JSON.
pub(super) fn challenged_in_json(answer: &Answer) -> Verdict {
    challenged(answer)?;
    let body = json(answer, StatusCode::UNAUTHORIZED)?;
    right(body["error"].is_string(), || "the body names no error".to_owned())
}

fn has(parameters: &[(String, String)], name: &str, value: &str) -> Verdict {
    let found = parameters.iter().any(|(have, is)| have == name && is == value);
    right(found, || format!("the challenge has no {name}=\"{value}\""))
}

fn challenge(answer: &Answer, status: StatusCode) -> Result<Vec<(String, String)>, String> {
    right(answer.status == status, || format!("{} instead of {}", answer.status.as_u16(), status.as_u16()))?;
    let first = answer.headers.get(WWW_AUTHENTICATE).ok_or("no WWW-Authenticate")?;
    let first = first.to_str().map_err(|_| "WWW-Authenticate is no text")?;
    let rest = first.strip_prefix("Bearer ").ok_or_else(|| format!("the first challenge is: {first}"))?;
    let parameters = parameters(rest).ok_or_else(|| format!("not written as the grammar says: {first}"))?;
    let pointer = parameters.iter().find(|(name, _)| name == "resource_metadata").map(|(_, value)| value.as_str());
    let wanted = format!("{}{}", answer.origin, resource_metadata_path(MCP));
    match pointer {
        Some(pointer) if pointer == wanted => Ok(parameters),
        Some(pointer) => Err(format!("resource_metadata leads to {pointer}")),
        None => Err("Bearer without resource_metadata".to_owned()),
    }
}

/// The parameters of the first challenge: token, `=`, quoted string, with commas between (RFC 9110 section 11.2), up to
/// the next challenge. Quoted only: a parser that splits at commas must be able to read it.
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain(name) || value.is_empty() {
            return None;
        }
        found.push((name.to_owned(), value.to_owned()));
        if after.is_empty() {
            return Some(found);
        }
        rest = after.strip_prefix(',')?.trim_start();
        let next_challenge = rest.find(' ').is_some_and(|blank| rest.find('=').is_none_or(|sign| blank < sign));
        if next_challenge || !rest.contains('=') {
            return Some(found);
        }
    }
}

/// Resource metadata that name this address and the authorization server here.
pub(super) fn resource_named(answer: &Answer) -> Verdict {
    let document = json(answer, StatusCode::OK)?;
    is(&document, "resource", &format!("{}{MCP}", answer.origin))?;
    let servers = list(&document, "authorization_servers")?;
    right(servers.contains(&answer.origin), || {
        format!("authorization_servers: {}", document["authorization_servers"])
    })?;
    tidy(&document)
}

/// The same, or an honest 404: what a client can go on from.
pub(super) fn resource_named_or_absent(answer: &Answer) -> Verdict {
    if answer.status == StatusCode::NOT_FOUND { absent(answer) } else { resource_named(answer) }
}

/// Server metadata that name this address, and with which every client goes on.
pub(super) fn server_named(answer: &Answer) -> Verdict {
    let document = json(answer, StatusCode::OK)?;
    is(&document, "issuer", &answer.origin)?;
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        let here = document[name].as_str().is_some_and(|url| url.starts_with(&format!("{}/", answer.origin)));
        right(here, || format!("{name}: {}", document[name]))?;
    }
    for (name, member) in [
        ("response_types_supported", "code"),
        ("code_challenge_methods_supported", "S256"),
        ("token_endpoint_auth_methods_supported", "none"),
    ] {
        let listed = list(&document, name)?.iter().any(|have| have == member);
        right(listed, || format!("{name} lacks {member}"))?;
    }
    if answer.line.ends_with(OPENID_CONFIGURATION) {
        list(&document, "subject_types_supported")?;
        list(&document, "id_token_signing_alg_values_supported")?;
        right(document["jwks_uri"].is_string(), || "no jwks_uri".to_owned())?;
    }
    tidy(&document)
}

/// The same, or an honest 404.
pub(super) fn server_named_or_absent(answer: &Answer) -> Verdict {
    if answer.status == StatusCode::NOT_FOUND { absent(answer) } else { server_named(answer) }
}

fn absent(answer: &Answer) -> Verdict {
    json(answer, StatusCode::NOT_FOUND).map(drop)
}

/// A document that no cache keeps.
pub(super) fn not_kept(answer: &Answer) -> Verdict {
    let have = || answer.only(CACHE_CONTROL).unwrap_or("no Cache-Control").to_owned();
    right(answer.lists(CACHE_CONTROL, "no-store"), have)
}

fn is(document: &Value, name: &str, wanted: &str) -> Verdict {
    right(document[name] == wanted, || format!("{name}: {}", document.get(name).unwrap_or(&Value::Null)))
}

/// A list of at least one text.
fn list(document: &Value, name: &str) -> Result<Vec<String>, String> {
    let texts = |list: &Vec<Value>| list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let found = document[name].as_array().and_then(texts).filter(|list| !list.is_empty());
    found.ok_or_else(|| format!("{name}: {}", document.get(name).map_or("missing".to_owned(), Value::to_string)))
}

/// No member that a strict parser rejects: nulls, empty texts, texts for lists or booleans, URLs that are none.
fn tidy(document: &Value) -> Verdict {
    const TRUTHS: [&str; 5] = [
        "authorization_response_iss_parameter_supported",
        "client_id_metadata_document_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "claims_parameter_supported",
    ];
    for (name, value) in document.as_object().into_iter().flatten() {
        let url = name.ends_with("_endpoint") || name.ends_with("_uri") || name == "resource_documentation";
        let well = if TRUTHS.contains(&name.as_str()) {
            value.is_boolean()
        } else if name.ends_with("_supported") || matches!(name.as_str(), "grant_types" | "response_types" | "contacts")
        {
            list(document, name).is_ok()
        } else if url {
            value.as_str().is_some_and(|url| url::Url::parse(url).is_ok())
        } else {
            !value.is_null() && value != ""
        };
        right(well, || format!("{name}: {value}"))?;
    }
    Ok(())
}

/// A registration that every parser reads, and whose secret and method go together.
pub(super) fn registered(answer: &Answer) -> Verdict {
    let client = json(answer, StatusCode::CREATED)?;
    right(client["client_id"].is_string(), || format!("client_id: {}", client["client_id"]))?;
    list(&client, "redirect_uris")?;
    tidy(&client)?;
    for name in ["client_id_issued_at", "client_secret_expires_at"] {
        let Some(time) = client.get(name) else { continue };
        let well = time.as_u64().is_some_and(|time| time == 0 || (1_000_000_000..100_000_000_000).contains(&time));
        right(well, || format!("{name}: {time}"))?;
    }
    right(client.get("scope").is_none_or(Value::is_string), || format!("scope: {}", client["scope"]))?;
    let has_secret = client["client_secret"].is_string();
    match client["token_endpoint_auth_method"].as_str() {
        Some("none") => right(client.get("client_secret").is_none(), || "method none, and a secret".to_owned()),
        Some("client_secret_post" | "client_secret_basic") if !has_secret => Err("a method without secret".to_owned()),
        Some("client_secret_post" | "client_secret_basic") => {
            right(client.get("client_secret_expires_at").is_some(), || {
                "a secret without client_secret_expires_at".to_owned()
            })
        }
        other => Err(format!("token_endpoint_auth_method: {}", other.unwrap_or("missing"))),
    }
}

/// A registration that was refused in RFC 7591's words.
pub(super) fn registration_refused(answer: &Answer) -> Verdict {
    let body = json(answer, StatusCode::BAD_REQUEST)?;
    right(body["error"].is_string(), || format!("error: {}", body["error"]))
}

/// A token that every client understands.
pub(super) fn token_issued(answer: &Answer) -> Verdict {
    let body = json(answer, StatusCode::OK).map_err(|wrong| match answer.json().ok() {
        Some(body) if body["error"].is_string() => format!("{wrong}: {}", body["error"]),
        _ => wrong,
    })?;
    right(body["access_token"].is_string(), || "no access_token".to_owned())?;
    let kind = body["token_type"].as_str().unwrap_or("missing");
    right(kind.eq_ignore_ascii_case("Bearer"), || format!("token_type: {kind}"))?;
    tidy(&body)?;
    let seconds = body.get("expires_in").is_none_or(|seconds| seconds.as_u64().is_some());
    right(seconds, || format!("expires_in: {}", body["expires_in"]))?;
    right(body.get("scope").is_none_or(Value::is_string), || format!("scope: {}", body["scope"]))?;
    not_kept(answer)
}

/// A dead code or refresh token was refused in RFC 6749's words.
pub(super) fn grant_refused(answer: &Answer) -> Verdict {
    is(&json(answer, StatusCode::BAD_REQUEST)?, "error", "invalid_grant")
}

/// A token request was refused with a code that RFC 6749 section 5.2 has.
pub(super) fn token_refused_in_words(answer: &Answer) -> Verdict {
    const CODES: [&str; 3] = ["invalid_grant", "invalid_request", "invalid_client"];
    let body = json(answer, StatusCode::BAD_REQUEST)?;
    right(CODES.iter().any(|code| body["error"] == *code), || format!("error: {}", body["error"]))
}

/// An unknown client was told so: 401, or 400 where no header was used.
pub(super) fn client_refused(answer: &Answer) -> Verdict {
    let status = if answer.status == StatusCode::BAD_REQUEST { answer.status } else { StatusCode::UNAUTHORIZED };
    is(&json(answer, status)?, "error", "invalid_client")
}

/// The consent page, with a button that a browser lets lead to the client.
pub(super) fn consent_shown(answer: &Answer) -> Verdict {
    if let Some(error) = parameter(answer, "error") {
        return Err(format!("redirected with {error}"));
    }
    right(answer.status == StatusCode::OK, || format!("{} instead of 200", answer.status.as_u16()))?;
    let policy =
        answer.headers.get(CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok()).unwrap_or_default();
    let mut directives = policy.split(';').map(str::trim).filter(|one| one.starts_with("form-action"));
    let blocked = directives.find(|directive| !directive.contains("http://127.0.0.1"));
    right(blocked.is_none(), || format!("the redirect is blocked by: {}", blocked.unwrap_or_default()))
}

/// The consent page, or the way to where it is.
pub(super) fn consent_found(answer: &Answer) -> Verdict {
    let to = answer.only(LOCATION).unwrap_or_default();
    let onward = answer.status.is_redirection()
        && (to.starts_with('/') || to.starts_with(&answer.origin))
        && parameter(answer, "state").is_some();
    if onward { Ok(()) } else { consent_shown(answer) }
}

/// The redirect that a client takes: a method that turns POST into GET, code, state, and our `iss`.
pub(super) fn redirected(answer: &Answer) -> Verdict {
    let status = answer.status.as_u16();
    right(matches!(status, 302 | 303), || format!("{status}: the browser sends the form on to the client"))?;
    let to = answer.only(LOCATION).unwrap_or_default();
    right(to.starts_with(&format!("{CALLBACK}?")), || format!("redirected to {to}"))?;
    right(parameter(answer, "code").is_some(), || "no code".to_owned())?;
    let state = parameter(answer, "state");
    right(state.as_deref() == Some(STATE), || format!("state: {}", state.unwrap_or_else(|| "missing".to_owned())))?;
    let iss = parameter(answer, "iss");
    right(iss.as_ref() == Some(&answer.origin), || format!("iss: {}", iss.unwrap_or_else(|| "missing".to_owned())))
}

/// The redirect that tells a client why there is no code: it knows its request again by the state.
pub(super) fn denied(answer: &Answer) -> Verdict {
    let to = answer.only(LOCATION).unwrap_or_default();
    right(to.starts_with(&format!("{CALLBACK}?")), || format!("{}, redirected to {to}", answer.status.as_u16()))?;
    right(parameter(answer, "error").is_some(), || "no error".to_owned())?;
    let state = parameter(answer, "state");
    right(state.as_deref() == Some(STATE), || format!("state: {}", state.unwrap_or_else(|| "missing".to_owned())))
}

/// `iss` comes, or nobody promises it.
pub(super) fn iss_kept(answer: &Answer) -> Verdict {
    if answer.status.is_redirection() { redirected(answer) } else { json(answer, StatusCode::OK).map(drop) }
}

/// A page may send its POST.
pub(super) fn preflight_granted(answer: &Answer) -> Verdict {
    right(answer.status.is_success(), || format!("{} for a preflight", answer.status.as_u16()))?;
    let methods =
        answer.lists(ACCESS_CONTROL_ALLOW_METHODS, "POST") && answer.lists(ACCESS_CONTROL_ALLOW_METHODS, "DELETE");
    right(methods, || "Access-Control-Allow-Methods lacks POST or DELETE".to_owned())?;
    // `*` does not stand for Authorization (Fetch, section 3.2.5).
    for name in ["Authorization", "Content-Type", "MCP-Protocol-Version", "Mcp-Session-Id"] {
        right(answer.lists(ACCESS_CONTROL_ALLOW_HEADERS, name), || {
            format!("Access-Control-Allow-Headers lacks {name}")
        })?;
    }
    origin_named(answer)
}

/// A page may read the answer and the challenge in it.
pub(super) fn readable_by_the_page(answer: &Answer) -> Verdict {
    origin_named(answer)?;
    right(answer.lists(VARY, "Origin"), || "no Vary: Origin".to_owned())?;
    let exposed = answer.lists(ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate");
    right(exposed, || "Access-Control-Expose-Headers lacks WWW-Authenticate".to_owned())
}

fn origin_named(answer: &Answer) -> Verdict {
    let lines: Vec<_> = answer.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect();
    match lines.as_slice() {
        [] => Err("no Access-Control-Allow-Origin".to_owned()),
        [one] if *one == PAGE => Ok(()),
        [one] => Err(format!("Access-Control-Allow-Origin: {}", one.to_str().unwrap_or("?"))),
        _ => Err("two Access-Control-Allow-Origin".to_owned()),
    }
}

/// A client that asked for no encoding can read it.
pub(super) fn not_encoded(answer: &Answer) -> Verdict {
    let encoding = answer.headers.get(CONTENT_ENCODING).and_then(|encoding| encoding.to_str().ok());
    right(encoding.is_none_or(|encoding| encoding == "identity"), || {
        format!("Content-Encoding: {}", encoding.unwrap_or_default())
    })?;
    answer.json().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_strictly() {
        let names = |text| parameters(text).map(|found| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
        assert_eq!(names("a=\"1\", b=\"2\"").unwrap(), ["a", "b"]);
        assert_eq!(names("a=\"1\",b=\"x, y\", Basic realm=\"z\"").unwrap(), ["a", "b"]);
        assert_eq!(names("a=\"1\", Negotiate").unwrap(), ["a"]);
        for wrong in ["a=1", "a=\"\"", "a=\"1\" b=\"2\"", "a=\"1", "a b=\"1\"", "", "realm=\"\", a=\"1\""] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_member_that_a_parser_rejects_is_untidy() {
        let tidy = |text: &str| tidy(&serde_json::from_str(text).unwrap());
        assert_eq!(tidy(r#"{"issuer":"x","scopes_supported":["a"],"jwks_uri":"http://h/","expires_in":1}"#), Ok(()));
        for wrong in [
            r#"{"issuer":null}"#,
            r#"{"issuer":""}"#,
            r#"{"scopes_supported":"a"}"#,
            r#"{"jwks_uri":"/keys"}"#,
            r#"{"client_id_metadata_document_supported":"true"}"#,
        ] {
            assert!(tidy(wrong).is_err(), "{wrong}");
        }
    }
}
