//! `check` against servers that mean no good, are none, or are not there.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_mend::check::report::Report;
use mcp_mend::check::{self, Wish, show};
use mcp_mend::config::Config;
use mcp_mend::config::layers::{Layers, Value};
use mcp_mend::config::settings;
use serde_json::json;

use crate::kit::{Message, Upstream, json as answer, reply};

async fn checked(address: std::net::SocketAddr, wish: Wish) -> Report {
    let mut layers = Layers::default();
    let url = format!("http://{address}/mcp");
    let setting = settings::find("upstream.url").unwrap();
    layers.set(setting, vec![Value { text: url.clone(), place: "test".into() }]);
    let config = Config::check(&layers, Vec::new()).unwrap();
    check::check(&config, &url, &wish).await.unwrap()
}

/// Everything that is ever shown of a report.
fn shown(report: &Report) -> [String; 4] {
    let json = format!("{:#}", serde_json::to_value(report).unwrap());
    [show::text(report, true), json, show::markdown(report), show::config_file(report, None)]
}

/// A server that lets everybody in and begins a session with each `initialize`.
fn open_server(request: &Message, begin: impl Fn() -> String) -> Vec<u8> {
    let message: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match (request.method(), message["method"].as_str()) {
        ("POST", Some("initialize")) => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {},
                                "serverInfo": {"name": "open", "version": "1"}});
            let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
            reply("200 OK", &["Content-Type: application/json", &format!("Mcp-Session-Id: {}", begin())], &body)
        }
        ("POST", Some(_)) if message["id"].is_null() => reply("202 Accepted", &[], ""),
        ("POST", Some(_)) => {
            let error = json!({"code": -32601, "message": "unknown"});
            answer("200 OK", &json!({"jsonrpc": "2.0", "id": message["id"], "error": error}).to_string())
        }
        ("DELETE", _) => reply("204 No Content", &[], ""),
        _ if request.target() == "/mcp" => reply("405 Method Not Allowed", &["Allow: POST"], ""),
        _ => reply("404 Not Found", &[], ""),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_answers_nothing_is_said_of_the_server() {
    let report = checked(Upstream::down().await, Wish::default()).await;
    assert_eq!((report.exit, report.lines("fail").count(), report.lines("pass").count()), (2, 0, 0));
    assert!(report.summary.contains("does not answer"), "{}", report.summary);
    assert!(report.missing[0].contains("could not be reached"), "{:?}", report.missing);
    assert!(report.command.is_none() && report.clients.iter().all(|row| !row.connects));
    assert!(report.questions <= 3, "{}", report.questions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_mcp_server_is_called_so() {
    let page = reply("200 OK", &["Content-Type: text/html"], "<!doctype html><title>Welcome</title>");
    let api = answer("404 Not Found", r#"{"error":"not_found","detail":"Not Found"}"#);
    for (bytes, kind) in [(page, "200 (text/html)"), (api, "404 (application/json)")] {
        let upstream = Upstream::always(bytes).await;
        let report = checked(upstream.address, Wish::default()).await;
        let line = report.reach.iter().find(|line| line.id == "reach.endpoint").unwrap();
        assert!(line.verdict == "fail" && line.what.ends_with(kind), "{line:?}");
        assert!(report.summary.starts_with("no MCP server"), "{}", report.summary);
        assert!(report.command.is_none() && report.clients.iter().all(|row| !row.connects));
        assert_eq!(report.exit, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_changes_nothing_and_ends_every_session() {
    let sessions = Arc::new(AtomicUsize::new(0));
    let count = sessions.clone();
    let upstream = Upstream::answering(move |request| {
        open_server(request, || format!("session-{}", count.fetch_add(1, Ordering::SeqCst)))
    })
    .await;
    let report = checked(upstream.address, Wish::default()).await;
    assert!(report.reach.iter().any(|line| line.id == "reach.endpoint" && line.verdict == "pass"));
    let seen = upstream.seen();
    let of = |method: &str| -> Vec<&Message> { seen.iter().filter(|request| request.method() == method).collect() };
    let ended: HashSet<&str> = of("DELETE").iter().filter_map(|request| request.get("mcp-session-id")).collect();
    assert_eq!(ended.len(), sessions.load(Ordering::SeqCst), "{ended:?}");
    assert!(ended.len() > 3);
    for request in of("POST") {
        assert_ne!(request.target(), "/register", "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_a_server_that_hangs_comes_to_an_end() {
    let answered = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::script(move |mut conn| {
        let answered = answered.clone();
        async move {
            while let Some(request) = conn.next().await {
                let is_message = request.method() == "POST" && request.text().contains("initialize");
                if is_message && answered.fetch_add(1, Ordering::SeqCst) > 0 || request.text().contains("tools/list") {
                    return std::future::pending().await;
                }
                conn.send(open_server(&request, || "session".into())).await;
            }
        }
    })
    .await;
    let time = Duration::from_millis(1500);
    let report = checked(upstream.address, Wish { time, ..Wish::default() }).await;
    assert!(report.missing.iter().any(|missing| missing.contains("questions were not asked")), "{:?}", report.missing);
    assert!(report.seconds < 8.0, "{}", report.seconds);
}

/// A server whose login goes through at once, and that says its secrets wherever it can, with what moves a cursor.
fn telltale(request: &Message, given: &Mutex<Vec<&'static str>>) -> Vec<u8> {
    let give = |secret: &'static str| given.lock().unwrap().push(secret);
    let said = format!("\u{1b}[31m\u{202e}\u{7} {}", given.lock().unwrap().join(" "));
    let header = format!("Server: nginx {}", given.lock().unwrap().join(" "));
    let origin = format!("http://{}", request.get("host").unwrap_or_default());
    let path = request.target().split('?').next().unwrap_or_default();
    let with = |status: &str, body: serde_json::Value| {
        reply(status, &["Content-Type: application/json", &header], &body.to_string())
    };
    let text = request.text();
    match (request.method(), path) {
        ("GET", path) if path.contains("oauth-protected-resource") => {
            let resource = format!("{origin}/mcp");
            with("200 OK", json!({"resource": resource, "authorization_servers": [origin], "resource_name": said}))
        }
        ("GET", path) if path.contains("oauth-authorization-server") => with(
            "200 OK",
            json!({"issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
                   "token_endpoint": format!("{origin}/token"), "registration_endpoint": format!("{origin}/register"),
                   "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"]}),
        ),
        ("POST", "/register") if text.contains("client_name") => {
            give("summerholiday");
            with("201 Created", json!({"client_id": "badgerclient", "client_secret": "summerholiday"}))
        }
        ("GET", "/authorize") if request.target().contains("badgerclient") => {
            give("codeword-of-the-day");
            let query = request.target().split_once('?').map_or("", |(_, query)| query);
            let get = |name: &str| {
                let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                pairs.find(|(have, _)| have == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
            };
            let back = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("code", "codeword-of-the-day"), ("state", &get("state")), ("iss", &said)])
                .finish();
            let location = format!("Location: {}?{back}", get("redirect_uri"));
            reply("302 Found", &[&location, &header], "")
        }
        (_, "/mcp") => {
            let challenge = format!("WWW-Authenticate: Bearer realm=\"{}\"", said.replace(['\u{1b}', '\u{7}'], ""));
            reply("401 Unauthorized", &[&challenge, &header, "Content-Type: application/json"], "{}")
        }
        _ => with("400 Bad Request", json!({"error": said, "error_description": said})),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_and_nothing_unseen_is_shown() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let held = given.clone();
    let upstream = Upstream::answering(move |request| telltale(request, &held)).await;
    let wish = Wish { login: true, ..Wish::default() };
    let report = checked(upstream.address, wish).await;
    assert!(report.missing.iter().any(|missing| missing.contains("`iss` names")), "{:?}", report.missing);
    let given = given.lock().unwrap().clone();
    assert!(given.len() >= 2, "{given:?}");
    for text in shown(&report) {
        for secret in &given {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        // Our own colours are left out where there is no terminal.
        let text = anstream::adapter::strip_str(&text).to_string();
        let is_unseen = |c: char| ('\u{200b}'..='\u{200f}').contains(&c) || ('\u{2028}'..='\u{202e}').contains(&c);
        let odd = text.chars().find(|c| c.is_control() && *c != '\n' || is_unseen(*c));
        assert_eq!(odd, None, "{text}");
    }
}
