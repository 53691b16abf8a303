//! The login of a check: the whole OAuth flow, as a client does it (MCP 2025-11-25, authorization; RFC 6749, 7636, 8707).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, ORIGIN};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Profile;
use super::discover::discover;
use super::probes;
use super::stand::{Answer, Probe};
use super::walk::{Returned, Walk};
use crate::edit::params;
use crate::endpoint::Paths;
use crate::secret;

/// How long somebody may take to log in.
const PATIENCE: Duration = Duration::from_secs(300);
/// Where the answer of the login is awaited.
const CALLBACK: &str = "/callback";
/// With what gets lost when it is not encoded.
const STATE_END: &str = "+/=";
/// What the browser shows when the login is over.
const DONE: &str = "<!doctype html><meta charset=utf-8><title>mcp-mend check</title><p>The login has come back. You can \
                    close this page; the check goes on in the terminal.";

/// What a login came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub token: Option<String>,
    /// Where it stopped, if it did.
    pub missing: Vec<String>,
}

/// A client as it registers.
pub struct Client {
    redirect_uris: Vec<String>,
    document: Value,
}

impl Client {
    /// A client like that of the profile; `own` is where this process listens.
    #[must_use]
    pub fn like(profile: &Profile, own: Option<&str>) -> Self {
        let mut redirect_uris: Vec<String> = profile
            .redirect_uris
            .iter()
            .map(|uri| uri.replace("{port}", "33418").replace("{id}", "mcp-mend"))
            .collect();
        if let Some(own) = own {
            redirect_uris.insert(0, own.to_owned());
        }
        let mut document = json!({
            "redirect_uris": redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        });
        if let Some(name) = profile.client_name {
            document["client_name"] = json!(name);
        }
        if let Some(method) = profile.auth_method {
            document["token_endpoint_auth_method"] = json!(method);
        }
        if let Some(application_type) = profile.application_type {
            document["application_type"] = json!(application_type);
        }
        Self { redirect_uris, document }
    }

    #[must_use]
    pub fn registration(&self, path: &str) -> Probe {
        Probe::new("a registration", Method::POST, path)
            .json(&self.document)
            .header(ACCEPT, "application/json")
            .header(ORIGIN, probes::PAGE)
    }
}

/// What a registered client goes on with.
struct Registered {
    id: String,
    secret: Option<String>,
    auth_method: String,
    redirect_uri: String,
    verifier: String,
    state: String,
}

/// Logs in as the profile's client. Everything goes through the stand.
pub async fn log_in(walk: &mut Walk<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    if !walk.known().has_own_authorization_server() {
        let foreign = walk.known().foreign.as_ref().map(|foreign| foreign.issuer.clone());
        outcome.missing.push(match foreign {
            Some(issuer) => format!(
                "no login: the authorization server is another host, {issuer}; get a token there and use --token"
            ),
            None => "no login: the server names no authorization server".into(),
        });
        return outcome;
    }
    if let Err(why) = go_through(walk, &mut outcome).await {
        outcome.missing.push(format!("the login stopped {why}"));
    }
    outcome
}

async fn go_through(walk: &mut Walk<'_>, outcome: &mut Outcome) -> Result<(), String> {
    let mut callback = Callback::listen(walk.wish().callback_port).await?;
    discover(walk, walk.wish().profile.client).await;
    let registered = register(walk, &callback).await?;
    look_around(walk, &registered).await;
    let response = authorize(walk, &registered, &mut callback).await?;
    check_response(&response, &registered.state)?;
    check_issuer(walk, &response)?;
    let code = params::get(&response, "code").ok_or("at the authorization: no code came back")?;
    refused_grants(walk, &registered).await;
    let tokens = exchange(walk, &registered, &code).await?;
    let text = |name: &str| tokens.get(name).and_then(Value::as_str).map(str::to_owned);
    outcome.token = Some(text("access_token").ok_or("at the token: no access_token")?);
    if let Some(refresh) = text("refresh_token") {
        match refreshed(walk, &registered, &refresh).await {
            Ok(token) => outcome.token = Some(token),
            Err(why) => outcome.missing.push(why),
        }
    }
    Ok(())
}

/// Whether a response is to our request, and no error. Without our `state` it may be anybody's, an error as well
/// (RFC 6749 section 10.12).
fn check_response(response: &str, state: &str) -> Result<(), String> {
    if params::get(response, "state").as_deref() != Some(state) {
        return Err("at the authorization: `state` came back changed".into());
    }
    match params::get(response, "error") {
        Some(error) => Err(format!("at the authorization: {error}")),
        None => Ok(()),
    }
}

async fn register(walk: &mut Walk<'_>, callback: &Callback) -> Result<Registered, String> {
    let client = Client::like(&walk.wish().profile(), Some(&callback.address));
    let path = walk.known().endpoints.paths().register.clone();
    let answer = walk.put(client.registration(&path)).await.ok_or("at the registration: no answer")?;
    let document = json_of(&answer, "at the registration")?;
    let text = |name: &str| document[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let random = || secret::random().map_err(|_| "without random numbers");
    Ok(Registered {
        id: text("client_id").ok_or("at the registration: no client_id")?,
        secret: text("client_secret"),
        auth_method: text("token_endpoint_auth_method").unwrap_or_else(|| "client_secret_basic".into()),
        redirect_uri: client.redirect_uris.first().cloned().unwrap_or_default(),
        verifier: random()?,
        state: format!("{}{STATE_END}", random()?),
    })
}

/// The authorization request of a client, with these parameters changed.
fn authorization(walk: &Walk<'_>, client: &Registered, path: &str, changed: &[(&str, &str)]) -> String {
    let site = walk.site();
    let (resource, challenge) = (site.resource(), secret::s256(&client.verifier));
    let scopes = site.known.scopes.clone().unwrap_or_default().join(" ");
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", &client.redirect_uri),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", &client.state),
        ("resource", &resource),
        ("scope", &scopes),
    ];
    for (name, value) in &mut query {
        if let Some((_, other)) = changed.iter().find(|(changed, _)| changed == name) {
            *value = other;
        }
    }
    query.retain(|(_, value)| !value.is_empty());
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// What other clients ask of the authorization endpoint: at the place that they guess, for a scope out of habit, with what
/// is refused. Nobody sees the pages, and nobody agrees to anything.
async fn look_around(walk: &mut Walk<'_>, client: &Registered) {
    let (named, guessed) = (walk.known().endpoints.paths().authorize.clone(), Paths::default().authorize);
    let scopes = walk.known().scopes.clone().unwrap_or_default().join(" ");
    let offline = format!("{scopes} offline_access");
    let mut asks = vec![
        (
            "an authorization request for offline_access",
            authorization(walk, client, &named, &[("scope", offline.trim())]),
        ),
        (
            "an authorization request with plain PKCE",
            authorization(walk, client, &named, &[("code_challenge_method", "plain")]),
        ),
    ];
    if guessed != named {
        asks.push((
            "an authorization request at the place that clients guess",
            authorization(walk, client, &guessed, &[]),
        ));
    }
    for (name, target) in asks {
        walk.put(Probe::new(name, Method::GET, target)).await;
    }
}

/// Grants that a client may not have: it is known, and what it shows is not.
async fn refused_grants(walk: &mut Walk<'_>, client: &Registered) {
    let code = [
        ("grant_type", "authorization_code"),
        ("code", probes::NOBODY),
        ("redirect_uri", &client.redirect_uri),
        ("code_verifier", &client.verifier),
    ];
    walk.put(token_request(walk, "a token request with a wrong code", client, &code)).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", probes::NOBODY)];
    walk.put(token_request(walk, "a refresh with a token that is dead", client, &refresh)).await;
}

/// The authorization request; its answer comes at once, or somebody gives it in a browser.
async fn authorize(walk: &mut Walk<'_>, client: &Registered, callback: &mut Callback) -> Result<String, String> {
    let path = walk.known().endpoints.paths().authorize.clone();
    let target = authorization(walk, client, &path, &[]);
    let answer = walk.put(Probe::new("an authorization request", Method::GET, target.as_str())).await;
    let to = answer.as_ref().and_then(|answer| answer.headers.get(LOCATION)?.to_str().ok());
    if let Some((_, response)) = to.filter(|to| to.starts_with(&client.redirect_uri)).and_then(|to| to.split_once('?'))
    {
        return Ok(response.to_owned());
    }
    if answer.is_some_and(|answer| answer.status.is_client_error() || answer.status.is_server_error()) {
        return Err("at the authorization: the server refuses the request".into());
    }
    // As the server takes it: the browser goes to the server itself.
    let taken = walk.last_target().unwrap_or(target);
    (walk.wish().show_page)(&format!("{}{taken}", walk.site().facts.public));
    let began = Instant::now();
    let returned = callback.response().await;
    walk.waited(began.elapsed());
    let returned = returned?;
    Ok(walk.came_back(&taken, &client.redirect_uri, &returned))
}

/// RFC 9207: who promises `iss` sends it, and it names the issuer.
fn check_issuer(walk: &Walk<'_>, response: &str) -> Result<(), String> {
    match params::get(response, "iss") {
        Some(iss) if iss != walk.site().issuer() => {
            Err(format!("at the authorization: `iss` names {iss}, which is not the issuer"))
        }
        _ => Ok(()),
    }
}

async fn exchange(walk: &mut Walk<'_>, client: &Registered, code: &str) -> Result<Value, String> {
    let resource = walk.site().resource();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &client.redirect_uri),
        ("code_verifier", &client.verifier),
        ("resource", &resource),
    ];
    let answer = walk.put(token_request(walk, "a token request with a code", client, &form)).await;
    json_of(&answer.ok_or("at the token: no answer")?, "at the token")
}

async fn refreshed(walk: &mut Walk<'_>, client: &Registered, token: &str) -> Result<String, String> {
    // RFC 8707 section 2.2: for the same resource, or it may come out for none.
    let resource = walk.site().resource();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", &resource)];
    let answer = walk.put(token_request(walk, "a refresh", client, &form)).await;
    let document = json_of(&answer.ok_or("no refresh: no answer")?, "at the refresh")?;
    document["access_token"].as_str().map(str::to_owned).ok_or_else(|| "the refresh brought no access_token".into())
}

/// A token request, the client shown as it registered (RFC 6749 section 2.3.1).
fn token_request(walk: &Walk<'_>, name: &'static str, client: &Registered, form: &[(&str, &str)]) -> Probe {
    let path = walk.known().endpoints.paths().token.clone();
    let probe = Probe::new(name, Method::POST, path);
    let mut form = form.to_vec();
    let probe = match (&client.secret, client.auth_method.as_str()) {
        (Some(secret), "client_secret_basic") => {
            let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let credentials = STANDARD.encode(format!("{}:{}", encoded(&client.id), encoded(secret)));
            probe.header(AUTHORIZATION, &format!("Basic {credentials}"))
        }
        (Some(secret), "client_secret_post") => {
            form.extend([("client_id", client.id.as_str()), ("client_secret", secret.as_str())]);
            probe
        }
        _ => {
            form.push(("client_id", &client.id));
            probe
        }
    };
    probe.form(&form).header(ACCEPT, "application/json").header(ORIGIN, probes::PAGE)
}

fn json_of(answer: &Answer, place: &str) -> Result<Value, String> {
    let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if !answer.status.is_success() {
        let error = document.as_ref().and_then(|document| document["error"].as_str()).unwrap_or("no OAuth error");
        return Err(format!("{place}: {} ({error})", answer.status.as_u16()));
    }
    document.filter(Value::is_object).ok_or_else(|| format!("{place}: no JSON object"))
}

/// Waits on loopback for the browser to come back.
struct Callback {
    address: String,
    responses: mpsc::Receiver<Returned>,
    _serving: AbortOnDropHandle<()>,
}

impl Callback {
    async fn listen(port: u16) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("before it began: no callback on 127.0.0.1:{port}: {error}");
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(cannot)?;
        let address = format!("http://{}{CALLBACK}", listener.local_addr().map_err(cannot)?);
        let (sender, responses) = mpsc::channel(1);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request| answer_browser(request, sender.clone()));
                let serving =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move { drop(serving.await) });
            }
        });
        Ok(Self { address, responses, _serving: AbortOnDropHandle::new(serving) })
    }

    async fn response(&mut self) -> Result<Returned, String> {
        match tokio::time::timeout(PATIENCE, self.responses.recv()).await {
            Ok(Some(response)) => Ok(response),
            _ => Err("at the authorization: nobody came back from the browser within five minutes".into()),
        }
    }
}

async fn answer_browser(
    request: http::Request<hyper::body::Incoming>,
    sender: mpsc::Sender<Returned>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let is_ours = request.uri().path() == CALLBACK && (params::has(query, "code") || params::has(query, "error"));
    let mut response = Response::new(Full::new(Bytes::from_static(DONE.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/html; charset=utf-8"));
    if is_ours {
        let _ = sender.try_send(Returned { query: query.to_owned(), by_post: request.method() == Method::POST });
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        *response.body_mut() = Full::default();
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::check_response;

    #[test]
    fn an_error_counts_only_with_our_state() {
        let said = |response: &str| check_response(response, "abc").unwrap_err();
        assert!(said("error=access_denied").contains("`state`"));
        assert!(said("error=access_denied&state=abd").contains("`state`"));
        assert!(said("error=access_denied&state=abc").ends_with("access_denied"));
        assert!(said("code=x").contains("`state`"));
        assert_eq!(check_response("code=x&state=abc", "abc"), Ok(()));
    }
}
