//! Dynamic client registration as the page tests it (RFC 7591).

use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Answer, Base};
use super::{CALLBACKS, verdict};
use crate::demo::parts::INITIAL_ACCESS_TOKEN;

const REGISTER: &str = "/register";

/// What Claude sends, with these redirect URIs.
pub(super) fn of_claude(redirect_uris: &[&str]) -> Value {
    json!({
        "client_name": "Claude",
        "redirect_uris": redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    })
}

/// A client that asks for a secret and is nobody's becomes a public one, and is told so in full.
pub(super) async fn of_a_public_client(base: &Base) -> Result<String, String> {
    let answer = base.ask(Method::POST, REGISTER).json(&of_claude(&CALLBACKS[..1])).send().await?;
    answer.expect(StatusCode::CREATED)?;
    let client = answer.json()?;
    public_client_defect(&client).map_or(Ok(()), |defect| Err(defect.to_owned()))?;
    verdict(is_not_kept(&answer), "201, none, both callbacks", || "201 that a cache may keep".into())
}

/// A trusted client gets a secret whose end every parser can read.
pub(super) async fn of_a_confidential_client(base: &Base) -> Result<String, String> {
    let ask = base.ask(Method::POST, REGISTER).json(&of_claude(&CALLBACKS[..1]));
    let answer = ask.header(AUTHORIZATION, &format!("Bearer {INITIAL_ACCESS_TOKEN}")).send().await?;
    if !answer.status.is_success() {
        answer.expect(StatusCode::CREATED)?;
    }
    let client = answer.json()?;
    if !client["client_secret"].is_string() {
        return Err("no client_secret".to_owned());
    }
    let (kind, value) = match &client["client_secret_expires_at"] {
        value @ Value::Number(number) if number.is_u64() || number.is_i64() => ("int", value),
        value @ Value::Number(_) => ("float", value),
        value => ("no number:", value),
    };
    let seen = format!("{kind} {value}");
    verdict(kind == "int", &seen, || seen.clone())
}

fn public_client_defect(client: &Value) -> Option<&'static str> {
    let Value::Object(members) = client else { return Some("201 without a client") };
    let lists = |uri: &str| client["redirect_uris"].as_array().is_some_and(|list| list.iter().any(|have| have == uri));
    if !client["client_id"].is_string() {
        Some("201 without client_id")
    } else if client["token_endpoint_auth_method"] != "none" {
        Some("201, method is not none")
    } else if members.contains_key("client_secret") || members.contains_key("client_secret_expires_at") {
        Some("201, none and a secret")
    } else if members.values().any(Value::is_null) {
        Some("201 with nulls")
    } else if !CALLBACKS.iter().all(|uri| lists(uri)) {
        Some("201 without both callbacks")
    } else {
        None
    }
}

fn is_not_kept(answer: &Answer) -> bool {
    answer.lists(CACHE_CONTROL, "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_wrong_with_a_public_client() {
        let right = json!({"client_id": "c", "token_endpoint_auth_method": "none", "redirect_uris": CALLBACKS});
        assert_eq!(public_client_defect(&right), None);
        for (member, value) in [
            ("client_id", json!(1)),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("client_secret", json!("s")),
            ("client_uri", Value::Null),
            ("redirect_uris", json!([CALLBACKS[0]])),
        ] {
            let mut wrong = right.clone();
            wrong[member] = value;
            assert!(public_client_defect(&wrong).is_some(), "{member}");
        }
        assert!(public_client_defect(&json!([])).is_some());
    }
}
