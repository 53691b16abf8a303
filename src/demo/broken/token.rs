//! The token endpoint (RFC 6749 section 5, RFC 7636 section 4.6, RFC 8707 section 2). Sound, but for `resource`, which
//! is compared with the internal address (defect E-07), and for answers that a cache may keep (defect E-14).

use std::time::{Duration, Instant};

use http::StatusCode;
use http::request::Parts;
use serde_json::json;

use super::metadata::SCOPE;
use super::reply::{self, Reply};
use super::{Broken, field, fields, secret};

/// Codes live ten minutes (RFC 6749 section 4.1.2: at most that), access tokens an hour.
const CODE_LIFE: Duration = Duration::from_secs(600);
const ACCESS_LIFE: Duration = Duration::from_secs(3600);

/// An access token.
#[derive(Clone, Debug)]
pub(super) struct Access {
    at: Instant,
}

impl Access {
    /// Whether it still opens anything.
    pub(super) fn is_alive(&self) -> bool {
        self.at.elapsed() < ACCESS_LIFE
    }
}

/// A refresh token, good for one use (OAuth 2.1 section 4.3.1).
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    client_id: String,
}

/// Status, error code and description (RFC 6749 section 5.2).
type Refusal = (StatusCode, &'static str, &'static str);

/// Answers a token request.
pub(super) fn token(broken: &Broken, _: &Parts, body: &[u8]) -> Reply {
    let form = fields(body);
    grant(broken, &form).unwrap_or_else(|(status, code, text)| reply::error(status, code, text))
}

fn grant(broken: &Broken, form: &[(String, String)]) -> Result<Reply, Refusal> {
    let client_id = authenticate(broken, form)?;
    // Before the code is spent: a client may correct itself. A request without `resource` means the only one there is.
    if field(form, "resource").is_some_and(|resource| resource != broken.resource()) {
        return Err(bad_request("invalid_target", "Unknown resource"));
    }
    match field(form, "grant_type").as_deref() {
        Some("authorization_code") => spend_code(broken, form, &client_id)?,
        Some("refresh_token") => spend_refresh_token(broken, form, &client_id)?,
        _ => return Err(bad_request("unsupported_grant_type", "authorization_code or refresh_token")),
    }
    issue(broken, client_id)
}

/// The client is known by `client_id` in the form, and by its secret there if it has one.
fn authenticate(broken: &Broken, form: &[(String, String)]) -> Result<String, Refusal> {
    let unknown = |text| (StatusCode::UNAUTHORIZED, "invalid_client", text);
    let id = field(form, "client_id").ok_or_else(|| unknown("client_id is missing"))?;
    let state = broken.state();
    let client = state.clients.get(&id).ok_or_else(|| unknown("Unknown client"))?;
    if client.secret.is_some() && client.secret != field(form, "client_secret") {
        return Err(unknown("Wrong or missing client_secret"));
    }
    Ok(id)
}

fn spend_code(broken: &Broken, form: &[(String, String)], client_id: &str) -> Result<(), Refusal> {
    let dead = |text| bad_request("invalid_grant", text);
    let code = field(form, "code").ok_or_else(|| bad_request("invalid_request", "code is missing"))?;
    let grant = broken.state().codes.take(&code).ok_or_else(|| dead("Unknown code, or used before"))?;
    if grant.at.elapsed() > CODE_LIFE {
        return Err(dead("The code expired"));
    }
    if grant.client_id != client_id || field(form, "redirect_uri").as_ref() != Some(&grant.redirect_uri) {
        return Err(dead("The code is for another client or redirect_uri"));
    }
    match field(form, "code_verifier") {
        Some(verifier) if secret::s256(&verifier) == grant.challenge => Ok(()),
        _ => Err(dead("code_verifier does not match code_challenge")),
    }
}

fn spend_refresh_token(broken: &Broken, form: &[(String, String)], client_id: &str) -> Result<(), Refusal> {
    let token =
        field(form, "refresh_token").ok_or_else(|| bad_request("invalid_request", "refresh_token is missing"))?;
    let spent = broken.state().refresh_tokens.take(&token);
    if spent.is_some_and(|refresh| refresh.client_id == client_id) {
        Ok(())
    } else {
        Err(bad_request("invalid_grant", "Unknown refresh token, or used before"))
    }
}

fn issue(broken: &Broken, client_id: String) -> Result<Reply, Refusal> {
    let random =
        || secret::random().map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "No random numbers"));
    let (access, refresh) = (random()?, random()?);
    let answer = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": ACCESS_LIFE.as_secs(),
        "refresh_token": refresh,
        "scope": SCOPE,
    });
    let mut state = broken.state();
    state.access_tokens.put(access, Access { at: Instant::now() });
    state.refresh_tokens.put(refresh, Refresh { client_id });
    Ok(reply::json(StatusCode::OK, &answer))
}

fn bad_request(code: &'static str, text: &'static str) -> Refusal {
    (StatusCode::BAD_REQUEST, code, text)
}
