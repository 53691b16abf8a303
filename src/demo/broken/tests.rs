//! The server as a client meets it: every defect is there, and the way around each leads to a tool's answer.

use http::HeaderMap;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, LOCATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::*;
use crate::demo::parts::{field, fields};
use crate::secret;

const ORIGIN: &str = "http://127.0.0.1:9";
const CALLBACK: &str = "http://localhost:7/cb";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Came {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Came {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap().to_owned()
    }

    fn location(&self) -> (String, Vec<(String, String)>) {
        let location = self.headers[LOCATION].to_str().unwrap();
        let (to, query) = location.split_once('?').unwrap();
        (to.to_owned(), fields(query.as_bytes()))
    }
}

async fn send(broken: &Broken, line: &str, headers: &[(&str, &str)], body: &str) -> Came {
    let came = ask(broken, line, headers, body).await;
    // Defect H-02 holds everywhere.
    assert!(!came.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{line}");
    came
}

async fn ask(broken: &Broken, line: &str, headers: &[(&str, &str)], body: &str) -> Came {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let (head, body) = broken.answer(&head, body.as_bytes()).into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Came { status: head.status.as_u16(), headers: head.headers, body }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn registration(method: &str) -> String {
    json!({"redirect_uris": [CALLBACK], "client_name": "T & <b>", "token_endpoint_auth_method": method}).to_string()
}

async fn public_client(broken: &Broken) -> String {
    send(broken, "POST /register", &[], &registration("none")).await.text("client_id")
}

/// Page, button, code.
async fn code(broken: &Broken, client: &str) -> String {
    let challenge = secret::s256(VERIFIER);
    let resource = broken.resource();
    let asked = form(&[
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", "a b&c"),
        ("resource", &resource),
    ]);
    let page = send(broken, &format!("GET /authorize?{asked}"), &[], "").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("T &amp; &lt;b&gt;") && page.body.contains("value=\"a b&amp;c\""));
    let answer = send(broken, "POST /approve", &[], &asked).await;
    let (to, query) = answer.location();
    assert_eq!((answer.status, to.as_str()), (302, CALLBACK));
    assert_eq!(field(&query, "state").as_deref(), Some("a b&c"));
    assert_eq!(field(&query, "iss").as_deref(), Some(ORIGIN));
    field(&query, "code").unwrap()
}

async fn spend(broken: &Broken, fields: &[(&str, &str)]) -> Came {
    send(broken, "POST /token", &[], &form(fields)).await
}

fn spend_code<'a>(client: &'a str, code: &'a str, resource: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("resource", resource),
    ]
}

async fn token(broken: &Broken) -> String {
    let client = public_client(broken).await;
    let code = code(broken, &client).await;
    spend(broken, &spend_code(&client, &code, &broken.resource())).await.text("access_token")
}

#[tokio::test]
async fn the_endpoint_refuses_without_a_word() {
    let broken = Broken::new(ORIGIN.into());
    for line in ["POST /mcp", "GET /mcp", "DELETE /mcp", "OPTIONS /mcp"] {
        let came = send(&broken, line, &[("authorization", "Bearer x")], "{}").await;
        assert_eq!(came.status, 401, "{line}");
        assert!(!came.headers.contains_key(WWW_AUTHENTICATE));
    }
    for path in [SERVER_METADATA, RESOURCE_METADATA, "/register", "/token", "/authorize"] {
        let came = send(&broken, &format!("OPTIONS {path}"), &[("origin", "https://claude.ai")], "").await;
        assert_eq!(came.status, 405, "{path}");
    }
}

#[tokio::test]
async fn the_documents_are_kept_and_name_the_inside() {
    let broken = Broken::new(format!("{ORIGIN}/"));
    let resource = send(&broken, &format!("GET {RESOURCE_METADATA}/mcp"), &[], "").await;
    let server = send(&broken, &format!("GET {SERVER_METADATA}"), &[], "").await;
    for document in [&resource, &server] {
        assert_eq!(
            (document.status, &document.headers[CACHE_CONTROL]),
            (200, &"public, max-age=3600".parse().unwrap())
        );
    }
    assert_eq!(resource.text("resource"), format!("{ORIGIN}/mcp"));
    assert_eq!(resource.json()["authorization_servers"], json!([ORIGIN]));
    assert_eq!(server.text("issuer"), ORIGIN);
    for name in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        assert!(server.text(name).starts_with(&format!("{ORIGIN}/")), "{name}");
    }
    assert_eq!(send(&broken, &format!("GET {RESOURCE_METADATA}/other"), &[], "").await.status, 404);
}

#[tokio::test]
async fn a_registration_is_refused_or_malformed() {
    let broken = Broken::new(ORIGIN.into());
    for body in [registration("client_secret_post"), registration("client_secret_basic"), "{}".to_owned()] {
        let came = send(&broken, "POST /register", &[], &body).await;
        assert_eq!((came.status, came.text("error").as_str()), (401, "invalid_request"));
        assert_eq!(came.text("error_description"), "Authentication required for confidential client registration");
    }
    let public = send(&broken, "POST /register", &[], &registration("none")).await;
    let trusted = [("authorization", "Bearer demo-initial-access-token")];
    let confidential = send(&broken, "POST /register", &trusted, &registration("client_secret_post")).await;
    for came in [&public, &confidential] {
        assert_eq!((came.status, &came.headers[CACHE_CONTROL]), (200, &"public, max-age=3600".parse().unwrap()));
        let client = came.json();
        assert!(client["client_id_issued_at"].to_string().contains(".718"));
        assert!(client.as_object().unwrap()["client_uri"].is_null() && client.get("redirect_uris").is_none());
    }
    assert_eq!(public.json().get("client_secret"), None);
    assert!(confidential.json()["client_secret_expires_at"].to_string().contains(".718"));
    let untrusted = [("authorization", "Bearer other")];
    let came = send(&broken, "POST /register", &untrusted, &registration("none")).await;
    assert_eq!((came.status, came.text("error").as_str()), (401, "invalid_token"));
    let script = json!({"redirect_uris": ["javascript:x"], "token_endpoint_auth_method": "none"}).to_string();
    assert_eq!(send(&broken, "POST /register", &[], &script).await.text("error"), "invalid_redirect_uri");
    assert_eq!(send(&broken, "POST /register", &[], "[]").await.status, 400);
}

#[tokio::test]
async fn an_authorization_is_checked_before_anybody_is_redirected() {
    let broken = Broken::new(ORIGIN.into());
    let client = public_client(&broken).await;
    let asked = |change: (&str, &str)| {
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", client.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(name, _)| *name != change.0);
        fields.push((change.0, change.1));
        format!("GET /authorize?{}", form(&fields))
    };
    for change in [("client_id", "x"), ("client_id", ""), ("redirect_uri", "https://h/"), ("redirect_uri", "")] {
        let came = send(&broken, &asked(change), &[], "").await;
        assert_eq!((came.status, came.headers.get(LOCATION)), (400, None), "{change:?}");
    }
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("resource", "http://public.example/mcp"), "invalid_target"),
    ] {
        let (to, query) = send(&broken, &asked(change), &[], "").await.location();
        assert_eq!((to.as_str(), field(&query, "error").as_deref()), (CALLBACK, Some(error)), "{change:?}");
        assert_eq!(field(&query, "iss").as_deref(), Some(ORIGIN));
    }
    assert_eq!(send(&broken, &asked(("redirect_uri", "http://localhost:8/cb")), &[], "").await.status, 200);
}

#[tokio::test]
async fn codes_and_refresh_tokens_are_spent_once() {
    let broken = Broken::new(ORIGIN.into());
    let client = public_client(&broken).await;
    let other = public_client(&broken).await;
    let resource = broken.resource();
    let granted = code(&broken, &client).await;

    let elsewhere = spend(&broken, &spend_code(&client, &granted, "http://public.example/mcp")).await;
    assert_eq!((elsewhere.status, elsewhere.text("error").as_str()), (400, "invalid_target"));
    let came = spend(&broken, &spend_code(&client, &granted, &resource)).await;
    assert_eq!((came.status, came.headers.get(CACHE_CONTROL)), (200, None));
    assert_eq!(came.json()["expires_in"], json!(3600));
    assert_eq!(spend(&broken, &spend_code(&client, &granted, &resource)).await.text("error"), "invalid_grant");

    let stolen = code(&broken, &client).await;
    assert_eq!(spend(&broken, &spend_code(&other, &stolen, &resource)).await.text("error"), "invalid_grant");
    let unproven = code(&broken, &client).await;
    let mut without = spend_code(&client, &unproven, &resource);
    without.retain(|(name, _)| *name != "code_verifier");
    assert_eq!(spend(&broken, &without).await.text("error"), "invalid_grant");

    let refresh = came.text("refresh_token");
    let again = [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", &refresh)];
    let next = spend(&broken, &again).await;
    assert_eq!(next.status, 200);
    assert_ne!(next.text("refresh_token"), refresh);
    assert_eq!(spend(&broken, &again).await.text("error"), "invalid_grant");
    let unknown = spend(&broken, &[("grant_type", "refresh_token"), ("client_id", "x")]).await;
    assert_eq!((unknown.status, unknown.text("error").as_str()), (401, "invalid_client"));
}

#[tokio::test]
async fn a_confidential_client_needs_its_secret() {
    let broken = Broken::new(ORIGIN.into());
    let trusted = [("authorization", "Bearer demo-initial-access-token")];
    let client = send(&broken, "POST /register", &trusted, &registration("client_secret_post")).await;
    let (id, secret) = (client.text("client_id"), client.text("client_secret"));
    let code = code(&broken, &id).await;
    let resource = broken.resource();
    let mut form = spend_code(&id, &code, &resource);
    assert_eq!(spend(&broken, &form).await.text("error"), "invalid_client");
    form.push(("client_secret", &secret));
    assert_eq!(spend(&broken, &form).await.status, 200);
}

#[tokio::test]
async fn a_token_opens_the_endpoint() {
    let broken = Broken::new(ORIGIN.into());
    let bearer = format!("Bearer {}", token(&broken).await);
    let key = (AUTHORIZATION.as_str(), bearer.as_str());
    let message = |id: u8, method: &str, params: Value| {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
    };
    for (asked, agreed) in [("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2026-07-28", "2025-11-25")] {
        let hello = message(0, "initialize", json!({"protocolVersion": asked}));
        let came = send(&broken, "POST /mcp", &[key], &hello).await;
        assert_eq!(came.json()["result"]["protocolVersion"], agreed);
    }
    let came = send(&broken, "POST /mcp", &[key], &message(0, "initialize", json!({}))).await;
    let session = ("mcp-session-id", came.headers["mcp-session-id"].to_str().unwrap());
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let came = send(&broken, "POST /mcp", &[key, session], &ready).await;
    assert_eq!((came.status, came.body.as_str()), (202, ""));
    let list = send(&broken, "POST /mcp", &[key, session], &message(1, "tools/list", json!({}))).await.json();
    let tools = list["result"]["tools"].as_array().unwrap();
    assert!(tools.len() == 3 && tools.iter().all(|tool| tool["inputSchema"]["type"] == "object"));
    let call = message(2, "tools/call", json!({"name": "add", "arguments": {"a": 1, "b": 2}}));
    let came = send(&broken, "POST /mcp", &[key, session, ("mcp-protocol-version", "2025-11-25")], &call).await;
    assert_eq!((came.status, &came.json()["result"]["content"][0]["text"]), (200, &json!("3")));

    let unknown = send(&broken, "POST /mcp", &[key], &message(3, "x/y", json!({}))).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (200, &json!(-32601)));
    let probe = message(4, "server/discover", json!({}));
    let came = send(&broken, "POST /mcp", &[key, ("mcp-protocol-version", "2026-07-28")], &probe).await;
    assert_eq!((came.status, &came.json()["id"]), (400, &json!(4)));
    for body in ["{}", "[]", "", "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}"] {
        assert_eq!(send(&broken, "POST /mcp", &[key], body).await.status, 400, "{body}");
    }
    let get = send(&broken, "GET /mcp", &[key, session], "").await;
    assert_eq!((get.status, &get.headers[ALLOW]), (405, &"POST, DELETE".parse().unwrap()));
    assert_eq!(send(&broken, "DELETE /mcp", &[key, session], "").await.status, 200);
    let ended = send(&broken, "POST /mcp", &[key, session], &message(5, "ping", json!({}))).await;
    assert_eq!((ended.status, &ended.json()["id"]), (404, &json!(5)));
}

#[tokio::test]
async fn a_sound_server_steps_up() {
    let sound = Broken::with(ORIGIN.into(), &[]);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "forget"}}).to_string();
    let client = ask(&sound, "POST /register", &[], &registration("none")).await.json();
    let client = client["client_id"].as_str().unwrap().to_owned();
    for (scope, expected) in [("mcp offline_access", 403), ("mcp mcp:forget", 200)] {
        let challenge = secret::s256(VERIFIER);
        let asked = form(&[
            ("response_type", "code"),
            ("client_id", &client),
            ("redirect_uri", CALLBACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("scope", scope),
        ]);
        let (_, query) = ask(&sound, "POST /approve", &[], &asked).await.location();
        let code = field(&query, "code").unwrap();
        let token = ask(&sound, "POST /token", &[], &form(&spend_code(&client, &code, &sound.resource()))).await.json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let came = ask(&sound, "POST /mcp", &[("authorization", &bearer)], &call).await;
        assert_eq!(came.status, expected, "{scope}: {}", came.body);
    }
}
