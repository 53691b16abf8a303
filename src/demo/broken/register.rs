//! Dynamic client registration (RFC 7591), open to everybody.

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use http::header::{CACHE_CONTROL, PRAGMA};
use http::request::Parts;
use serde_json::{Value, json};

use super::Broken;
use super::authorize::is_redirect_uri;
use crate::demo::parts::reply::{self, Reply};
use crate::demo::parts::{INITIAL_ACCESS_TOKEN, bearer};
use crate::secret;

/// How many redirect URIs a client may have.
const MOST_URIS: usize = 16;
/// A name longer than this is cut: it is shown on a page.
const LONGEST_NAME: usize = 80;
/// Secrets live for a year.
const SECRET_SECONDS: u64 = 31_536_000;
/// How a client may show who it is; the first is for those that cannot.
const METHODS: [&str; 3] = ["none", "client_secret_post", "client_secret_basic"];

/// A registered client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) redirect_uris: Vec<String>,
    pub(super) secret: Option<String>,
    method: &'static str,
}

/// Answers a registration.
pub(super) fn register(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    let bad_request = |code, text| reply::error(StatusCode::BAD_REQUEST, code, text);
    let Ok(asked @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
        return bad_request("invalid_client_metadata", "The body is no JSON object");
    };
    if bearer(head).is_some_and(|token| token != INITIAL_ACCESS_TOKEN) {
        return reply::error(StatusCode::UNAUTHORIZED, "invalid_token", "Unknown initial access token");
    }
    // RFC 7591 section 2: the default is client_secret_basic.
    let method = asked["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic");
    let Some(method) = METHODS.into_iter().find(|known| *known == method) else {
        return bad_request("invalid_client_metadata", "none, client_secret_post or client_secret_basic");
    };
    let Some(redirect_uris) = redirect_uris(&asked) else {
        return bad_request("invalid_redirect_uri", "Up to 16 https, loopback or private-use URIs without fragment");
    };
    let name = asked["client_name"].as_str().unwrap_or("An MCP client").chars().take(LONGEST_NAME).collect();
    let Ok(id) = secret::number() else { return reply::failed() };
    let Ok(secret) = (method != "none").then(secret::random).transpose() else { return reply::failed() };
    let client = Client { name, redirect_uris, secret, method };
    let answer = document(&id, &client, now());
    broken.state().clients.put(id, client);
    let answer = reply::with(reply::json(StatusCode::CREATED, &answer), CACHE_CONTROL, "no-store");
    reply::with(answer, PRAGMA, "no-cache")
}

fn redirect_uris(asked: &Value) -> Option<Vec<String>> {
    let list = asked["redirect_uris"].as_array()?;
    let uris: Vec<_> = list.iter().filter_map(Value::as_str).filter(|uri| is_redirect_uri(uri)).collect();
    let all = !uris.is_empty() && uris.len() == list.len() && uris.len() <= MOST_URIS;
    all.then(|| uris.into_iter().map(str::to_owned).collect())
}

fn document(id: &str, client: &Client, now: u64) -> Value {
    let mut answer = json!({
        "client_id": id,
        "client_id_issued_at": now,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": client.method,
    });
    if let Some(secret) = &client.secret {
        answer["client_secret"] = json!(secret);
        answer["client_secret_expires_at"] = json!(now + SECRET_SECONDS);
    }
    answer
}

/// Seconds since the epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
