//! The whole way of a client: challenge, metadata, registration, consent, token, session, tool (MCP 2025-11-25, Authorization Flow Steps).
//!
//! As strict as the strictest client: it follows the challenge, takes every URL from the metadata, compares `iss`.

use http::header::{AUTHORIZATION, HeaderName, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Answer, Base};
use super::{MCP, challenge, registration};
use crate::secret;

/// Where the answer of the login would go. Nobody listens there, and nobody follows.
const CALLBACK: &str = "http://127.0.0.1:33418/callback";
const VERSION: &str = "2025-11-25";
const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// What `echo` has to say.
const WORD: &str = "mended";

/// Walks the whole way.
pub(super) async fn works(base: &Base) -> Result<String, String> {
    let site = discover(base).await?;
    let client = register(base, &site).await?;
    let verifier = secret::random().map_err(|_| "no random numbers")?;
    let code = authorize(base, &site, &client, &verifier).await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("client_id", &client),
        ("code_verifier", &verifier),
        ("resource", &site.resource),
    ];
    let answer = base.ask(Method::POST, &site.token).form(&form).send().await?;
    answer.expect(StatusCode::OK).map_err(|came| format!("token: {came}"))?;
    let token = text(&answer.json()?, "access_token").ok_or("token: no access_token")?;
    call_echo(base, &token).await?;
    Ok("iss matches, echo answered".to_owned())
}

/// What the metadata say. The endpoints as paths: all of them are here.
struct Site {
    issuer: String,
    resource: String,
    authorize: String,
    token: String,
    register: String,
}

async fn discover(base: &Base) -> Result<Site, String> {
    let refused = base.ask(Method::POST, MCP).json(&initialize()).send().await?;
    refused.expect(StatusCode::UNAUTHORIZED)?;
    let resource = document(base, challenge::pointer(&refused.headers)?).await?;
    let issuer = resource["authorization_servers"][0].as_str().ok_or("no authorization server")?.to_owned();
    // An issuer without a path, as everything here has it (RFC 8414 section 2).
    let server = document(base, &format!("{issuer}{}", super::documents::SERVER)).await?;
    if server["issuer"] != issuer.as_str() {
        return Err("issuer is not the one that was listed".to_owned());
    }
    let endpoint = |name: &str| {
        let url = text(&server, name).ok_or_else(|| format!("no {name}"))?;
        base.target(&url).map(str::to_owned).ok_or_else(|| format!("leads to {url}"))
    };
    Ok(Site {
        resource: text(&resource, "resource").ok_or("no resource")?,
        authorize: endpoint("authorization_endpoint")?,
        token: endpoint("token_endpoint")?,
        register: endpoint("registration_endpoint")?,
        issuer,
    })
}

async fn document(base: &Base, url: &str) -> Result<Value, String> {
    let target = base.target(url).ok_or_else(|| format!("leads to {url}"))?;
    let answer = base.ask(Method::GET, target).header(VERSION_HEADER, VERSION).send().await?;
    answer.expect(StatusCode::OK).map_err(|came| format!("metadata: {came}"))?;
    answer.json()
}

/// Asks for a secret, as Claude does, and has to be told that none is needed.
async fn register(base: &Base, site: &Site) -> Result<String, String> {
    let asked = registration::of_claude(&[CALLBACK]);
    let answer = base.ask(Method::POST, &site.register).json(&asked).send().await?;
    answer.expect(StatusCode::CREATED).map_err(|came| format!("register: {came}"))?;
    let client = answer.json()?;
    if client["token_endpoint_auth_method"] != "none" || client["redirect_uris"][0] != CALLBACK {
        return Err("register: not what was asked for".to_owned());
    }
    text(&client, "client_id").ok_or_else(|| "register: no client_id".to_owned())
}

/// Opens the page, presses its button, and reads the redirect.
async fn authorize(base: &Base, site: &Site, client: &str, verifier: &str) -> Result<String, String> {
    let state = secret::random().map_err(|_| "no random numbers")?;
    let query = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code_challenge", &secret::s256(verifier)),
        ("code_challenge_method", "S256"),
        ("state", &state),
        ("resource", &site.resource),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let joint = if site.authorize.contains('?') { '&' } else { '?' };
    let page = base.ask(Method::GET, &format!("{}{joint}{query}", site.authorize)).send().await?;
    if let Some(error) = parameter(&page, "error") {
        return Err(format!("authorize: {error}"));
    }
    page.expect(StatusCode::OK).map_err(|came| format!("authorize: {came}"))?;
    let page = String::from_utf8_lossy(&page.body);
    let Form { action, fields } = form(&page).ok_or("authorize: no form")?;
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = base.ask(Method::POST, &action).form(&fields).send().await?;
    answer.expect(StatusCode::FOUND).map_err(|came| format!("approve: {came}"))?;
    if parameter(&answer, "state").as_deref() != Some(&state) {
        return Err("approve: another state".to_owned());
    }
    match parameter(&answer, "iss") {
        Some(iss) if iss == site.issuer => {}
        Some(iss) => return Err(format!("iss {iss}")),
        None => return Err("approve: no iss".to_owned()),
    }
    parameter(&answer, "code").ok_or_else(|| "approve: no code".to_owned())
}

async fn call_echo(base: &Base, token: &str) -> Result<(), String> {
    let mut headers = vec![(AUTHORIZATION, format!("Bearer {token}"))];
    let answer = post(base, &headers, &initialize()).await?;
    answer.expect(StatusCode::OK).map_err(|came| format!("initialize: {came}"))?;
    let version = answer.json()?["result"]["protocolVersion"].as_str().map(str::to_owned);
    headers.push((VERSION_HEADER, version.ok_or("initialize: no protocolVersion")?));
    headers.push((SESSION, answer.only(SESSION).ok_or("initialize: no session")?.to_owned()));
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    post(base, &headers, &ready).await?.expect(StatusCode::ACCEPTED).map_err(|came| format!("initialized: {came}"))?;
    let call = json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "echo", "arguments": {"text": WORD}},
    });
    let answer = post(base, &headers, &call).await?;
    answer.expect(StatusCode::OK).map_err(|came| format!("tools/call: {came}"))?;
    let said = &answer.json()?["result"]["content"][0]["text"];
    super::verdict(said == WORD, WORD, || "tools/call: another answer".into()).map(drop)
}

async fn post(base: &Base, headers: &[(HeaderName, String)], message: &Value) -> Result<Answer, String> {
    let ask = base.ask(Method::POST, MCP).json(message);
    let ask = ask.header(http::header::ACCEPT, "application/json, text/event-stream");
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name.clone(), value)).send().await
}

fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": VERSION, "capabilities": {},
            "clientInfo": {"name": "mcp-mend demo", "version": env!("CARGO_PKG_VERSION")},
        },
    })
}

fn text(object: &Value, name: &str) -> Option<String> {
    object[name].as_str().map(str::to_owned)
}

/// A parameter of the redirect to the callback; `None` if the redirect goes elsewhere.
fn parameter(answer: &Answer, name: &str) -> Option<String> {
    redirect_parameter(&answer.headers, name)
}

fn redirect_parameter(headers: &HeaderMap, name: &str) -> Option<String> {
    let query = headers.get(LOCATION)?.to_str().ok()?.strip_prefix(CALLBACK)?.strip_prefix('?')?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
}

/// The consent page's form.
pub(in crate::demo) struct Form {
    pub(in crate::demo) action: String,
    pub(in crate::demo) fields: Vec<(String, String)>,
}

/// The form of the page, as our own page writes it.
pub(in crate::demo) fn form(page: &str) -> Option<Form> {
    let action = page.split("<form ").nth(1).and_then(|tag| attribute(tag, "action"))?;
    Some(Form { action, fields: inputs(page) })
}

/// Names and values of the form's inputs.
fn inputs(page: &str) -> Vec<(String, String)> {
    let tags = page.split("<input ").skip(1);
    tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?))).collect()
}

/// An attribute of the tag that the text begins with, as our own page writes it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (tag, _) = tag.split_once('>')?;
    let (_, value) = tag.split_once(&format!("{name}=\""))?;
    let (value, _) = value.split_once('"')?;
    let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    Some(plain.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reads_the_form() {
        let page = "<form method=\"post\" action=\"/approve\">\n<input type=\"hidden\" name=\"a\" value=\"&amp;lt;&quot;\">\n\
                    <input type=\"hidden\" name=\"b\" value=\"\"><button>";
        assert_eq!(inputs(page), [("a".to_owned(), "&lt;\"".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(attribute("method=\"post\" action=\"/x\">", "action").as_deref(), Some("/x"));
    }

    #[test]
    fn reads_the_redirect_to_the_callback_alone() {
        let mut headers = HeaderMap::new();
        let location = format!("{CALLBACK}?code=a%2Bb&iss=http%3A%2F%2Fh");
        headers.insert(LOCATION, HeaderValue::try_from(location).unwrap());
        assert_eq!(redirect_parameter(&headers, "code").as_deref(), Some("a+b"));
        assert_eq!(redirect_parameter(&headers, "iss").as_deref(), Some("http://h"));
        headers.insert(LOCATION, HeaderValue::from_static("http://127.0.0.1:33418/callbackx?code=a"));
        assert_eq!(redirect_parameter(&headers, "code"), None);
    }
}
