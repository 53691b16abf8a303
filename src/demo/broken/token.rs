//! The token endpoint (RFC 6749 section 5, RFC 7636 section 4.6, RFC 8707 section 2). `resource` is compared literally
//! with those that there are.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, PRAGMA, WWW_AUTHENTICATE};
use http::request::Parts;
use serde_json::json;

use super::Broken;
use crate::demo::parts::reply::{self, Reply};
use crate::demo::parts::{credentials, field, fields};
use crate::endpoint::LEGACY_SSE;
use crate::secret;

/// Codes live ten minutes (RFC 6749 section 4.1.2: at most that), access tokens an hour.
const CODE_LIFE: Duration = Duration::from_secs(600);
const ACCESS_LIFE: Duration = Duration::from_secs(3600);

/// An access token.
#[derive(Clone, Debug)]
pub(super) struct Access {
    at: Instant,
    scope: String,
}

impl Access {
    /// Whether it still opens anything.
    pub(super) fn is_alive(&self) -> bool {
        self.at.elapsed() < ACCESS_LIFE
    }

    /// Whether it was granted this scope.
    pub(super) fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|have| have == scope)
    }
}

/// A refresh token, good for one use (OAuth 2.1 section 4.3.1).
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    client_id: String,
    scope: String,
}

/// Status, error code and description (RFC 6749 section 5.2).
type Refusal = (StatusCode, &'static str, &'static str);

/// Answers a token request.
pub(super) fn token(broken: &Broken, head: &Parts, body: &[u8]) -> Reply {
    let mut form = fields(body);
    let basic = basic(head);
    let by_header = basic.is_some();
    // A client shows who it is in one way (RFC 6749 section 2.3).
    if let Some((id, secret)) = basic {
        form.retain(|(name, _)| name != "client_id" && name != "client_secret");
        form.extend([("client_id".to_owned(), id), ("client_secret".to_owned(), secret)]);
    }
    let answer = grant(broken, &form).unwrap_or_else(|(status, code, text)| {
        let refusal = reply::error(status, code, text);
        let ask_again = by_header && status == StatusCode::UNAUTHORIZED;
        if ask_again { reply::with(refusal, WWW_AUTHENTICATE, "Basic realm=\"token\"") } else { refusal }
    });
    reply::with(reply::with(answer, CACHE_CONTROL, "no-store"), PRAGMA, "no-cache")
}

/// Id and secret of HTTP Basic (RFC 6749 section 2.3.1: each form-encoded).
fn basic(head: &Parts) -> Option<(String, String)> {
    let decoded = STANDARD.decode(credentials(head, "basic")?).ok()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let plain = |text: &str| fields(format!("x={text}").as_bytes()).into_iter().next().map(|(_, value)| value);
    Some((plain(id)?, plain(secret)?))
}

fn grant(broken: &Broken, form: &[(String, String)]) -> Result<Reply, Refusal> {
    let client_id = authenticate(broken, form)?;
    // Before the code is spent: a client may correct itself. A request without `resource` means the MCP endpoint.
    if field(form, "resource").is_some_and(|resource| !is_here(broken, &resource)) {
        return Err(bad_request("invalid_target", "Unknown resource"));
    }
    let scope = match field(form, "grant_type").as_deref() {
        Some("authorization_code") => spend_code(broken, form, &client_id)?,
        Some("refresh_token") => spend_refresh_token(broken, form, &client_id)?,
        _ => return Err(bad_request("unsupported_grant_type", "authorization_code or refresh_token")),
    };
    issue(broken, client_id, scope)
}

/// Whether a `resource` is one of the two transports'.
pub(super) fn is_here(broken: &Broken, resource: &str) -> bool {
    [broken.resource(), broken.resource_at(LEGACY_SSE)].iter().any(|have| have == resource)
}

/// The client is known by its id, and by its secret if it has one.
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

/// The scope that the code stands for.
fn spend_code(broken: &Broken, form: &[(String, String)], client_id: &str) -> Result<String, Refusal> {
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
        Some(verifier) if secret::s256(&verifier) == grant.challenge => Ok(grant.scope),
        _ => Err(dead("code_verifier does not match code_challenge")),
    }
}

/// The scope that the refresh token stands for.
fn spend_refresh_token(broken: &Broken, form: &[(String, String)], client_id: &str) -> Result<String, Refusal> {
    let token =
        field(form, "refresh_token").ok_or_else(|| bad_request("invalid_request", "refresh_token is missing"))?;
    let spent = broken.state().refresh_tokens.take(&token).filter(|refresh| refresh.client_id == client_id);
    let refresh = spent.ok_or_else(|| bad_request("invalid_grant", "Unknown refresh token, or used before"))?;
    Ok(refresh.scope)
}

fn issue(broken: &Broken, client_id: String, scope: String) -> Result<Reply, Refusal> {
    let random =
        || secret::random().map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "No random numbers"));
    let (access, refresh) = (random()?, random()?);
    let answer = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": ACCESS_LIFE.as_secs(),
        "refresh_token": refresh,
        "scope": scope,
    });
    let mut state = broken.state();
    state.access_tokens.put(access, Access { at: Instant::now(), scope: scope.clone() });
    state.refresh_tokens.put(refresh, Refresh { client_id, scope });
    Ok(reply::json(StatusCode::OK, &answer))
}

fn bad_request(code: &'static str, text: &'static str) -> Refusal {
    (StatusCode::BAD_REQUEST, code, text)
}
