//! Dynamic client registration (RFC 7591), with the defects of better-auth and others: D-01, D-05, D-07, D-14, D-18.

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use serde_json::{Value, json};

use super::authorize::is_redirect_uri;
use super::reply::{self, Reply};
use super::{Broken, INITIAL_ACCESS_TOKEN, bearer, secret};

/// How many redirect URIs a client may have.
const MOST_URIS: usize = 16;
/// A name longer than this is cut: it is shown on a page.
const LONGEST_NAME: usize = 80;
/// Secrets live for a year.
const SECRET_SECONDS: f64 = 31_536_000.0;

/// A registered client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) secret: Option<String>,
}

/// Answers a registration.
pub(super) fn register(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    let bad_request = |code, text| reply::error(StatusCode::BAD_REQUEST, code, text);
    let Ok(asked @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
        return bad_request("invalid_client_metadata", "The body is no JSON object");
    };
    let trusted = match bearer(head) {
        Some(INITIAL_ACCESS_TOKEN) => true,
        Some(_) => return reply::error(StatusCode::UNAUTHORIZED, "invalid_token", "Unknown initial access token"),
        None => false,
    };
    let public = asked["token_endpoint_auth_method"] == "none";
    if !public && !trusted {
        // Defect D-14: a client without credentials that does not say `none` is turned away instead of made public.
        return reply::error(
            StatusCode::UNAUTHORIZED,
            "invalid_request",
            "Authentication required for confidential client registration",
        );
    }
    let Some(redirect_uris) = redirect_uris(&asked) else {
        return bad_request("invalid_redirect_uri", "Up to 16 https, loopback or private-use URIs without fragment");
    };
    let name = asked["client_name"].as_str().unwrap_or("An MCP client").chars().take(LONGEST_NAME).collect();
    let Ok(id) = secret::random() else { return reply::failed() };
    let Ok(secret) = (!public).then(secret::random).transpose() else { return reply::failed() };
    let client = Client { name, redirect_uris, secret };
    let answer = document(&id, &client, now());
    broken.state().clients.put(id, client);
    // Defect D-18: not 201, and cacheable.
    reply::with(reply::json(StatusCode::OK, &answer), CACHE_CONTROL, "public, max-age=3600")
}

fn redirect_uris(asked: &Value) -> Option<Vec<String>> {
    let list = asked["redirect_uris"].as_array()?;
    let uris: Vec<_> = list.iter().filter_map(Value::as_str).filter(|uri| is_redirect_uri(uri)).collect();
    let all = !uris.is_empty() && uris.len() == list.len() && uris.len() <= MOST_URIS;
    all.then(|| uris.into_iter().map(str::to_owned).collect())
}

/// Defects D-01 (times with a fraction), D-05 (nulls) and D-07 (no `redirect_uris`).
fn document(id: &str, client: &Client, now: f64) -> Value {
    let mut answer = json!({
        "client_id": id,
        "client_id_issued_at": now,
        "client_name": client.name,
        "client_uri": null,
        "logo_uri": null,
        "contacts": null,
        "scope": null,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    if let Some(secret) = &client.secret {
        answer["token_endpoint_auth_method"] = json!("client_secret_post");
        answer["client_secret"] = json!(secret);
        answer["client_secret_expires_at"] = json!(now + SECRET_SECONDS);
    }
    answer
}

/// Seconds since the epoch, never a whole number.
fn now() -> f64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    seconds.floor() + 0.718
}
