//! What the clients of a defect do: a few requests, and the answer that shows the defect.
//!
//! Paths are the server's own and not taken from its metadata, so that one broken document does not hide what comes
//! after it. Nothing here knows how the proxy mends.

use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, LOCATION, ORIGIN,
};
use serde_json::{Value, json};

use super::checks;
use super::client::{Answer, Ask, Base};
use crate::endpoint;
use crate::secret;

/// What came, or why nothing did.
pub(super) type Came = Result<Answer, String>;
/// A running visit.
pub(super) type Visiting<'a> = Pin<Box<dyn Future<Output = Came> + Send + 'a>>;
/// What a client does.
pub(super) type Visit = for<'a> fn(&'a Base) -> Visiting<'a>;

pub(super) const MCP: &str = "/mcp";
/// Where the answer of a login would go. Nobody listens there, and nobody follows.
pub(super) const CALLBACK: &str = "http://127.0.0.1:33418/callback";
/// With what gets lost when it is not encoded.
pub(super) const STATE: &str = "demo+state/1=";
/// Cursor's three (field report, section 7).
const CURSOR_URIS: [&str; 3] = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
];
/// A token that nobody issued.
const UNKNOWN_TOKEN: &str = "not-a-token-of-this-server";
/// A refresh token that expired long ago.
const DEAD_TOKEN: &str = "a-refresh-token-that-expired";

/// Names visits, so that a defect can hold one as a value.
macro_rules! visits {
    ($($name:ident = $visit:ident;)*) => {
        $(pub(in crate::demo) const $name: Visit = |base| Box::pin($visit(base));)*
    };
}

// Behind the macro, so that they know it.
pub(super) mod legacy;
pub(super) mod messages;
pub(super) mod session;

visits! {
    STRANGER = stranger;
    PAGE = page;
    STRANGER_LISTENS = stranger_listens;
    BAD_TOKEN = bad_token;
    EXPIRED_TOKEN = expired_token;
    STEP_UP = step_up;
    PREFLIGHT = preflight;
    PREFLIGHT_OF_THE_END = preflight_of_the_end;
    RESOURCE_METADATA = resource_metadata;
    RESOURCE_METADATA_AT_ROOT = resource_metadata_at_root;
    SERVER_METADATA = server_metadata;
    OPENID_CONFIGURATION = openid_configuration;
    OTHER_SERVER_METADATA = other_server_metadata;
    PUBLIC_CLIENT = public_client;
    CONFIDENTIAL_CLIENT = confidential_client;
    TALKATIVE_CLIENT = talkative_client;
    CURSOR = cursor;
    WRONG_CLIENT = wrong_client;
    CONSENT_PAGE = consent_page;
    OFFLINE_ACCESS = offline_access;
    APPROVED = approved;
    DENIED = denied;
    PROMISED_ISS = promised_iss;
    TOKEN = token;
    TOKEN_BY_POST = token_by_post;
    TOKEN_BY_BASIC = token_by_basic;
    WRONG_CODE = wrong_code;
    DEAD_REFRESH_TOKEN = dead_refresh_token;
    UNKNOWN_CLIENT = unknown_client;
}

fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "mcp-mend demo", "version": env!("CARGO_PKG_VERSION")},
        },
    })
}

fn mcp<'a>(base: &'a Base, message: &Value) -> Ask<'a> {
    base.ask(Method::POST, MCP).json(message).header(ACCEPT, "application/json, text/event-stream")
}

/// The MCP endpoint without a token.
async fn stranger(base: &Base) -> Came {
    mcp(base, &initialize()).send().await
}

/// The same, from a page.
async fn page(base: &Base) -> Came {
    mcp(base, &initialize()).header(ORIGIN, checks::PAGE).send().await
}

/// A stream without a token, after a POST was refused.
async fn stranger_listens(base: &Base) -> Came {
    stranger(base).await?;
    base.ask(Method::GET, MCP).header(ACCEPT, "text/event-stream").send().await
}

/// The MCP endpoint with a token that is none.
async fn bad_token(base: &Base) -> Came {
    mcp(base, &initialize()).header(AUTHORIZATION, &format!("Bearer {UNKNOWN_TOKEN}")).send().await
}

/// The MCP endpoint with a signed token (RFC 7519) whose time is over.
async fn expired_token(base: &Base) -> Came {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (head, claims) = (json!({"alg": "RS256", "typ": "JWT"}), json!({"sub": "demo", "exp": 1_000_000_000}));
    let token = format!("{}.{}.{}", part(&head), part(&claims), URL_SAFE_NO_PAD.encode("no signature"));
    mcp(base, &initialize()).header(AUTHORIZATION, &format!("Bearer {token}")).send().await
}

/// A tool that needs more scope than the token has.
async fn step_up(base: &Base) -> Came {
    let token = access_token(base).await?;
    let call =
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "forget", "arguments": {}}});
    mcp(base, &call).header(AUTHORIZATION, &format!("Bearer {token}")).send().await
}

/// A browser asks before a page's POST.
async fn preflight(base: &Base) -> Came {
    preflight_for(base, "POST").await
}

/// A browser asks before a page ends its session.
async fn preflight_of_the_end(base: &Base) -> Came {
    preflight_for(base, "DELETE").await
}

async fn preflight_for(base: &Base, method: &str) -> Came {
    let asked = "authorization,content-type,mcp-protocol-version,mcp-session-id";
    let ask = base.ask(Method::OPTIONS, MCP).header(ORIGIN, checks::PAGE).header(ACCESS_CONTROL_REQUEST_METHOD, method);
    ask.header(ACCESS_CONTROL_REQUEST_HEADERS, asked).send().await
}

async fn document(base: &Base, path: &str) -> Came {
    base.ask(Method::GET, path).header(ACCEPT, "application/json").send().await
}

/// The resource metadata, with the endpoint's path inserted.
async fn resource_metadata(base: &Base) -> Came {
    document(base, &endpoint::resource_metadata_path(MCP)).await
}

/// The resource metadata at the root.
async fn resource_metadata_at_root(base: &Base) -> Came {
    document(base, endpoint::RESOURCE_METADATA).await
}

/// The authorization server's metadata.
async fn server_metadata(base: &Base) -> Came {
    document(base, endpoint::SERVER_METADATA).await
}

/// Its OpenID configuration.
async fn openid_configuration(base: &Base) -> Came {
    document(base, endpoint::OPENID_CONFIGURATION).await
}

/// A place where clients look for metadata, and where a server without an issuer of that path has none.
async fn other_server_metadata(base: &Base) -> Came {
    document(base, &format!("{}{MCP}", endpoint::SERVER_METADATA)).await
}

fn registration(redirect_uris: &[&str], method: &str) -> Value {
    json!({
        "client_name": "mcp-mend demo",
        "redirect_uris": redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    })
}

async fn register(base: &Base, asked: &Value) -> Came {
    base.ask(Method::POST, "/register").json(asked).send().await
}

/// A client without a secret registers.
async fn public_client(base: &Base) -> Came {
    register(base, &registration(&[CALLBACK], "none")).await
}

/// A client that asks for a secret registers.
async fn confidential_client(base: &Base) -> Came {
    register(base, &registration(&[CALLBACK], "client_secret_post")).await
}

/// A client registers, and says more of itself than RFC 7591 has names for.
async fn talkative_client(base: &Base) -> Came {
    let mut asked = registration(&[CALLBACK], "none");
    asked["application_type"] = json!("native");
    asked["software_id"] = json!("mcp-mend-demo");
    asked["client_uri"] = json!("https://client.example");
    register(base, &asked).await
}

/// A client registers with an address of its own scheme among its redirect URIs.
async fn cursor(base: &Base) -> Came {
    register(base, &registration(&CURSOR_URIS, "none")).await
}

/// A client registers with an address to which nobody may be redirected.
async fn wrong_client(base: &Base) -> Came {
    register(base, &registration(&["http://plain.example/callback"], "none")).await
}

/// A registered client, and what it needs to go on.
struct Client {
    id: String,
    secret: Option<String>,
    verifier: String,
}

async fn client(base: &Base, method: &str) -> Result<Client, String> {
    let document = register(base, &registration(&[CALLBACK], method)).await?.json()?;
    let text = |name: &str| document[name].as_str().map(str::to_owned);
    let id = text("client_id").ok_or("register: no client_id")?;
    let verifier = secret::random().map_err(|_| "no random numbers")?;
    Ok(Client { id, secret: text("client_secret"), verifier })
}

/// The authorization request of a client, with this scope and the resource that is here.
async fn authorize(base: &Base, path: &str, client: &Client, scope: &str) -> Came {
    authorize_with(base, path, client, scope, "S256").await
}

async fn authorize_with(base: &Base, path: &str, client: &Client, scope: &str, pkce: &str) -> Came {
    let resource = format!("{}{MCP}", base.origin());
    let query = [
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", CALLBACK),
        ("code_challenge", &secret::s256(&client.verifier)),
        ("code_challenge_method", pkce),
        ("state", STATE),
        ("scope", scope),
        ("resource", &resource),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    base.ask(Method::GET, &format!("{path}?{query}")).send().await
}

/// A login begins.
async fn consent_page(base: &Base) -> Came {
    authorize(base, "/authorize", &client(base, "none").await?, "mcp").await
}

/// A login begins, and asks for a refresh token in OpenID Connect's way.
async fn offline_access(base: &Base) -> Came {
    authorize(base, "/authorize", &client(base, "none").await?, "mcp offline_access").await
}

/// The button of the consent page is pressed.
async fn approve(base: &Base, client: &Client) -> Came {
    let page = authorize(base, "/authorize", client, "mcp").await?;
    let html = String::from_utf8_lossy(&page.body);
    let form = super::checks::login::form(&html).ok_or("authorize: no form")?;
    let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    base.ask(Method::POST, &form.action).form(&fields).send().await
}

/// A login is answered.
async fn approved(base: &Base) -> Came {
    approve(base, &client(base, "none").await?).await
}

/// A login is refused before anybody saw a page: PKCE has to be S256.
async fn denied(base: &Base) -> Came {
    authorize_with(base, "/authorize", &client(base, "none").await?, "mcp", "plain").await
}

/// What the metadata say of `iss`; if they promise it, the answer of a login.
async fn promised_iss(base: &Base) -> Came {
    let metadata = server_metadata(base).await?;
    let promised = metadata.json()?["authorization_response_iss_parameter_supported"] == true;
    if promised { approved(base).await } else { Ok(metadata) }
}

/// How a client shows who it is.
#[derive(Clone, Copy)]
enum Shows {
    Nothing,
    SecretInBody,
    SecretInHeader,
}

/// The whole login up to the answer of the token endpoint.
async fn login(base: &Base, path: &str, shows: Shows) -> Came {
    let method = if matches!(shows, Shows::Nothing) { "none" } else { "client_secret_post" };
    let client = client(base, method).await?;
    let code = parameter(&approve(base, &client).await?, "code").ok_or("approve: no code")?;
    let resource = format!("{}{MCP}", base.origin());
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", &client.verifier),
        ("resource", &resource),
    ];
    let secret = client.secret.as_deref().unwrap_or_default();
    let ask = base.ask(Method::POST, path);
    if matches!(shows, Shows::SecretInHeader) {
        let credentials = STANDARD.encode(format!("{}:{secret}", client.id));
        return ask.form(&form).header(AUTHORIZATION, &format!("Basic {credentials}")).send().await;
    }
    form.push(("client_id", &client.id));
    if matches!(shows, Shows::SecretInBody) {
        form.push(("client_secret", secret));
    }
    ask.form(&form).send().await
}

/// A client without a secret gets its token.
async fn token(base: &Base) -> Came {
    login(base, "/token", Shows::Nothing).await
}

/// A client with a secret in the form gets its token.
async fn token_by_post(base: &Base) -> Came {
    login(base, "/token", Shows::SecretInBody).await
}

/// A client with its secret in the header gets its token.
async fn token_by_basic(base: &Base) -> Came {
    login(base, "/token", Shows::SecretInHeader).await
}

async fn access_token(base: &Base) -> Result<String, String> {
    let answer = token(base).await?.json()?;
    answer["access_token"].as_str().map(str::to_owned).ok_or_else(|| "token: no access_token".to_owned())
}

async fn refused_token(base: &Base, form: &[(&str, &str)]) -> Came {
    base.ask(Method::POST, "/token").form(form).send().await
}

/// A code that nobody issued.
async fn wrong_code(base: &Base) -> Came {
    let client = client(base, "none").await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "never-issued"),
        ("redirect_uri", CALLBACK),
        ("client_id", &client.id),
        ("code_verifier", &client.verifier),
    ];
    refused_token(base, &form).await
}

/// A refresh token that is good no more.
async fn dead_refresh_token(base: &Base) -> Came {
    let client = client(base, "none").await?;
    let form = [("grant_type", "refresh_token"), ("refresh_token", DEAD_TOKEN), ("client_id", &client.id)];
    refused_token(base, &form).await
}

/// A client that the server has forgotten.
async fn unknown_client(base: &Base) -> Came {
    let form = [("grant_type", "refresh_token"), ("refresh_token", DEAD_TOKEN), ("client_id", "forgotten")];
    refused_token(base, &form).await
}

/// A parameter of a redirect.
pub(super) fn parameter(answer: &Answer, name: &str) -> Option<String> {
    let (_, query) = answer.headers.get(LOCATION)?.to_str().ok()?.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
}
