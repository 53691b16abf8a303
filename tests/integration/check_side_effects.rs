//! What a check leaves behind at a server when nothing else was asked for: nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_mend::check::{self, Wish};
use serde_json::json;

use crate::check::config;
use crate::kit::{Message, Upstream, reply};

/// A server with sessions that lets everybody in, or (with a login of its own) nobody; and how many have begun.
async fn server(has_login: bool) -> (Upstream, Arc<AtomicUsize>) {
    let sessions = Arc::new(AtomicUsize::new(0));
    let begun = sessions.clone();
    (Upstream::answering(move |request| answer(request, has_login, &sessions)).await, begun)
}

fn answer(request: &Message, has_login: bool, sessions: &AtomicUsize) -> Vec<u8> {
    let kind = "Content-Type: application/json";
    let origin = format!("http://{}", request.get("host").unwrap_or_default());
    let document = |document: serde_json::Value| reply("200 OK", &[kind], &document.to_string());
    match (request.method(), request.target()) {
        ("GET", target) if has_login && target.starts_with("/.well-known/oauth-protected-resource") => {
            document(json!({"resource": format!("{origin}/mcp"), "authorization_servers": [origin]}))
        }
        ("GET", "/.well-known/oauth-authorization-server") if has_login => document(json!({
            "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"), "registration_endpoint": format!("{origin}/register"),
            "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
        })),
        ("POST", "/token") if has_login => reply("400 Bad Request", &[kind], r#"{"error":"invalid_client"}"#),
        (_, "/mcp") if has_login => {
            let challenge = format!(
                "WWW-Authenticate: Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\""
            );
            reply("401 Unauthorized", &[&challenge], "")
        }
        ("DELETE", "/mcp") => reply("200 OK", &[], ""),
        ("POST", "/mcp") => message(request, sessions),
        ("GET", "/mcp") => reply("405 Method Not Allowed", &[], ""),
        _ => reply("404 Not Found", &[], ""),
    }
}

fn message(request: &Message, sessions: &AtomicUsize) -> Vec<u8> {
    let kind = "Content-Type: application/json";
    let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let answered =
        |result: serde_json::Value| json!({"jsonrpc": "2.0", "id": asked["id"], "result": result}).to_string();
    match asked["method"].as_str() {
        Some("initialize") => {
            let session = format!("Mcp-Session-Id: s{}", sessions.fetch_add(1, Ordering::SeqCst));
            let result = json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "counting", "version": "1"},
            });
            reply("200 OK", &[kind, &session], &answered(result))
        }
        Some("tools/list") => reply("200 OK", &[kind], &answered(json!({"tools": []}))),
        _ if asked["id"].is_null() => reply("202 Accepted", &[], ""),
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            let text = json!({"jsonrpc": "2.0", "id": asked["id"], "error": error}).to_string();
            reply("200 OK", &[kind], &text)
        }
    }
}

async fn checked(server: &Upstream) -> Vec<Message> {
    let url = format!("http://{}/mcp", server.address);
    check::check(&config(&url), &url, &Wish::default()).await.unwrap();
    server.seen()
}

fn calls_of(seen: &[Message]) -> Vec<String> {
    let name = |message: &Message| {
        let asked: serde_json::Value = serde_json::from_slice(&message.body).ok()?;
        (asked["method"] == "tools/call").then(|| asked["params"]["name"].to_string())
    };
    seen.iter().filter_map(name).collect()
}

#[tokio::test]
async fn each_session_that_a_check_begins_is_ended() {
    let (server, begun) = server(false).await;
    let seen = checked(&server).await;
    let ended: Vec<&str> = seen
        .iter()
        .filter(|message| message.method() == "DELETE")
        .filter_map(|message| message.get("mcp-session-id"))
        .collect();
    let begun = begun.load(Ordering::SeqCst);
    assert!(begun > 5, "only {begun} sessions");
    for session in (0..begun).map(|number| format!("s{number}")) {
        assert!(ended.contains(&session.as_str()), "{session} of {begun} goes on");
    }
    assert_eq!(calls_of(&seen), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_registered_and_nothing_is_granted_unasked() {
    let (server, _) = server(true).await;
    let seen = checked(&server).await;
    let at = |method: &str, path: &str| {
        let is_it = |message: &&Message| message.method() == method && message.target().starts_with(path);
        seen.iter().filter(is_it).count()
    };
    assert!(at("GET", "/.well-known/") > 2 && at("POST", "/token") > 0, "the login was not looked at");
    assert_eq!(at("POST", "/register"), 0, "a registration was asked for");
    assert_eq!(calls_of(&seen), Vec::<String>::new());
    // Only what nobody has issued is shown there.
    let forms = seen.iter().filter(|message| message.method() == "POST" && message.target() == "/token");
    for form in forms.map(Message::text) {
        assert!(form.contains("code=mcp-mend") || form.contains("refresh_token=mcp-mend"), "{form}");
    }
}
