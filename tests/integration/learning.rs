//! What the proxy learns of its upstream: when it asks, what it asks, how long it believes the answers, and that no
//! message waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json as value};
use tokio::task::JoinSet;

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, json, post, reply, soon};

const RESOURCE: &str = "/.well-known/oauth-protected-resource/mcp";
const SERVER: &str = "/.well-known/oauth-authorization-server";

fn server_document(request: &Message, prefix: &str) -> Vec<u8> {
    let here = format!("http://{}", request.get("host").unwrap_or_default());
    let document = value!({
        "issuer": here, "authorization_endpoint": format!("{here}{prefix}/authorize"),
        "token_endpoint": format!("{here}{prefix}/token"), "registration_endpoint": format!("{here}{prefix}/register"),
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    });
    json("200 OK", &document.to_string())
}

/// A server of its own whose endpoints stand below the prefix that the counter chooses.
async fn moving(prefixes: &'static [&'static str], which: Arc<AtomicUsize>) -> Upstream {
    Upstream::answering(move |request| match request.target() {
        SERVER => server_document(request, prefixes[which.load(Ordering::SeqCst)]),
        "/mcp" => reply("401 Unauthorized", &[], ""),
        _ => reply("404 Not Found", &[], ""),
    })
    .await
}

#[tokio::test]
async fn the_upstream_is_asked_at_the_start_if_nobody_forbids_it() {
    let upstream = moving(&[""], Arc::default()).await;
    let proxy = Proxy::to(&upstream).set("no_probe", "false").set("public_url", PUBLIC).start();
    upstream.wait(|seen| seen.iter().any(|asked| asked.whole && asked.target() == SERVER)).await;
    assert!(upstream.seen().iter().all(|asked| asked.method() == "GET" && asked.get("authorization").is_none()));
    assert_eq!(proxy.log(), "", "nobody has asked the proxy yet");

    let upstream = moving(&[""], Arc::default()).await;
    let proxy = Proxy::to(&upstream).start();
    proxy.ask(get("/x", &[])).await;
    assert_eq!(upstream.seen().iter().map(Message::target).collect::<Vec<_>>(), ["/x"]);
}

/// A server hands on the document of the identity provider where its users log in, and asks for a login at every unknown path.
/// So the provider's token endpoint seems to be here.
#[tokio::test]
async fn a_copy_of_another_servers_document_does_not_make_that_server_the_upstream() {
    for unknown in [
        reply("401 Unauthorized", &[], ""),
        json("401 Unauthorized", r#"{"detail":"Not authenticated"}"#),
        json("401 Unauthorized", r#"{"error":"invalid_token"}"#),
        reply("200 OK", &["Content-Type: text/html"], "<p>"),
    ] {
        leads_to_the_provider(unknown).await;
    }
}

/// A login at a server that answers so at unknown paths.
async fn leads_to_the_provider(unknown: Vec<u8>) {
    const PROVIDER: &str = "https://tenant.example";
    let upstream = Upstream::answering(move |request| match request.target().split('?').next() {
        Some(SERVER) => server_document(request, ""),
        Some("/.well-known/openid-configuration") => {
            let document = value!({
                "issuer": PROVIDER, "authorization_endpoint": format!("{PROVIDER}/authorize"),
                "token_endpoint": format!("{PROVIDER}/oauth/token"), "response_types_supported": ["code"],
                "jwks_uri": format!("{PROVIDER}/jwks"), "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            });
            json("200 OK", &document.to_string())
        }
        Some("/authorize") => {
            reply("302 Found", &[&format!("Location: {PROVIDER}/authorize?client_id=up&state=s")], "")
        }
        Some("/token") => json("400 Bad Request", r#"{"error":"invalid_grant"}"#),
        Some(path) if path.starts_with("/.well-known/") => reply("404 Not Found", &[], ""),
        _ => unknown.clone(),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    let query = "response_type=code&client_id=a&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&state=z";
    let answer = proxy.ask(get(&format!("/authorize?{query}"), &[])).await;
    assert_eq!(answer.get("location"), Some(&*format!("{PROVIDER}/authorize?client_id=up&state=s")));
}

#[tokio::test]
async fn a_document_whose_answer_was_lost_is_not_made_up() {
    assert_not_made_up(None).await;
}

#[tokio::test]
async fn a_document_that_is_refused_for_the_moment_is_not_made_up() {
    let statuses = ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"];
    let cases: JoinSet<()> =
        statuses.into_iter().map(|status| assert_not_made_up(Some(reply(status, &[], "")))).collect();
    cases.join_all().await;
}

#[tokio::test]
async fn a_document_that_was_cut_is_not_made_up() {
    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"issuer\":";
    assert_not_made_up(Some(half.into())).await;
}

/// The first question for a document gets this answer, or none, and the connection ends. The document is there; the endpoints
/// at the default paths are no sign that it is not.
async fn assert_not_made_up(first: Option<Vec<u8>>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::script(move |mut conn| {
        let (asked, first) = (asked.clone(), first.clone());
        async move {
            while let Some(request) = conn.next().await {
                let answer = match request.target().split('?').next() {
                    Some(SERVER) if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
                        if let Some(first) = first {
                            conn.send(first).await;
                        }
                        return;
                    }
                    Some(SERVER) => server_document(&request, "/oauth"),
                    Some("/authorize") => json("400 Bad Request", r#"{"error":"invalid_client"}"#),
                    Some("/token") => json("400 Bad Request", r#"{"error":"invalid_grant"}"#),
                    Some("/mcp") => reply("401 Unauthorized", &[], ""),
                    _ => reply("404 Not Found", &[], ""),
                };
                conn.send(answer).await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    let openid = async || proxy.ask(get("/.well-known/openid-configuration", &[])).await;
    assert_eq!(openid().await.status(), 404, "nothing is known");
    // The upstream is asked again soon.
    let found = soon(async {
        loop {
            let answer = openid().await;
            if answer.status() == 200 {
                return answer.json();
            }
        }
    })
    .await;
    assert_eq!(found["token_endpoint"], format!("{PUBLIC}/oauth/token"));
}

#[tokio::test]
async fn a_message_never_waits_for_what_is_being_learned() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.method() == "POST" {
                conn.send(json("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)).await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("no_probe", "false").start();
    upstream.wait(|seen| !seen.is_empty()).await;
    let began = Instant::now();
    assert_eq!(proxy.ask(post("/mcp", &["Content-Type: application/json"], "{}")).await.status(), 200);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn what_was_learned_is_learned_anew_after_its_time() {
    let which = Arc::new(AtomicUsize::new(0));
    let upstream = moving(&["", "/v2"], which.clone()).await;
    let proxy = Proxy::to(&upstream).set("limits.learned_seconds", "0.05").set("public_url", PUBLIC).start();
    let location = |prefix: &str| format!("{PUBLIC}{prefix}/token");
    let document = proxy.ask(get(SERVER, &[])).await.json();
    assert_eq!(document["token_endpoint"], location(""));
    which.store(1, Ordering::SeqCst);
    // The class of a path follows: only answers of the token endpoint are never kept.
    soon(async {
        loop {
            let answer =
                proxy.ask(post("/v2/token", &["Content-Type: application/x-www-form-urlencoded"], "a=b")).await;
            if answer.get("cache-control") == Some("no-store") {
                return;
            }
        }
    })
    .await;
    assert_eq!(proxy.ask(get(SERVER, &[])).await.json()["token_endpoint"], location("/v2"));
}

#[tokio::test]
async fn a_replica_that_has_served_nobody_says_the_same() {
    let upstream = moving(&["/oauth"], Arc::default()).await;
    let start = || Proxy::to(&upstream).set("public_url", PUBLIC).start();
    let old = start();
    for path in [RESOURCE, SERVER, "/mcp", "/oauth/token", "/authorize?client_id=a&response_type=code"] {
        old.ask(get(path, &[])).await;
    }
    for path in [
        RESOURCE,
        "/.well-known/oauth-protected-resource",
        SERVER,
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/mcp",
        "/oauth/token",
    ] {
        let fresh = start();
        let (one, other) = (old.ask(get(path, &[])).await, fresh.ask(get(path, &[])).await);
        assert_eq!((one.status(), one.text()), (other.status(), other.text()), "{path}");
        assert_eq!(one.all("www-authenticate"), other.all("www-authenticate"), "{path}");
    }
}

#[tokio::test]
async fn a_response_with_an_unannounced_issuer_teaches_to_announce_it() {
    let upstream = Upstream::answering(|request| match request.target().split('?').next().unwrap_or_default() {
        SERVER => server_document(request, ""),
        "/authorize" => {
            let here = format!("http%3A%2F%2F{}", request.get("host").unwrap_or_default().replace(':', "%3A"));
            let to = format!("Location: https://client.example/cb?code=c&state=s&iss={here}");
            reply("302 Found", &[&to], "")
        }
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    let flag = "authorization_response_iss_parameter_supported";
    assert_eq!(proxy.ask(get(SERVER, &[])).await.json()[flag], Value::Null);
    let login = "/authorize?response_type=code&client_id=a&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&state=s";
    let answer = proxy.ask(get(login, &[])).await;
    assert!(answer.get("location").unwrap().contains("iss=https%3A%2F%2Fmcp.example.com"), "{answer:?}");
    assert_eq!(proxy.ask(get(SERVER, &[])).await.json()[flag], true);
}

#[tokio::test]
async fn a_refused_client_document_is_no_longer_claimed() {
    let upstream = Upstream::answering(|request| match request.target().split('?').next().unwrap_or_default() {
        SERVER => {
            let here = format!("http://{}", request.get("host").unwrap_or_default());
            let document = value!({
                "issuer": here, "authorization_endpoint": format!("{here}/authorize"),
                "token_endpoint": format!("{here}/token"), "registration_endpoint": format!("{here}/register"),
                "client_id_metadata_document_supported": true,
            });
            json("200 OK", &document.to_string())
        }
        "/authorize" => json("400 Bad Request", r#"{"error":"invalid_client"}"#),
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let flag = "client_id_metadata_document_supported";
    assert_eq!(proxy.ask(get(SERVER, &[])).await.json()[flag], true);
    proxy.ask(get("/authorize?response_type=code&client_id=https%3A%2F%2Fclient.example%2Fid.json", &[])).await;
    // The proxy asks for itself before it believes that.
    soon(async { while proxy.ask(get(SERVER, &[])).await.json()[flag] != false {} }).await;
}

/// A server whose registration endpoint the metadata do not name, with what it answers to a POST there.
async fn unnamed(registered: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    Upstream::answering(move |request| match (request.method(), request.target()) {
        (_, SERVER) => {
            let here = format!("http://{}", request.get("host").unwrap_or_default());
            let document = value!({
                "issuer": here, "authorization_endpoint": format!("{here}/authorize"),
                "token_endpoint": format!("{here}/token"), "response_types_supported": ["code"],
            });
            json("200 OK", &document.to_string())
        }
        ("POST", "/register") => registered(request),
        ("DELETE", "/clients/1") => reply("204 No Content", &[], ""),
        _ => reply("404 Not Found", &[], ""),
    })
    .await
}

#[tokio::test]
async fn a_server_that_registers_whatever_it_can_read_is_left_with_nothing() {
    let registered = Arc::new(AtomicUsize::new(0));
    let count = registered.clone();
    let upstream = unnamed(move |request| match serde_json::from_slice::<Value>(&request.body) {
        Ok(_) => {
            count.fetch_add(1, Ordering::SeqCst);
            json("201 Created", r#"{"client_id":"1"}"#)
        }
        Err(_) => json("400 Bad Request", r#"{"error":"invalid_client_metadata"}"#),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    let found = proxy.ask(get(SERVER, &[])).await.json();
    assert_eq!(found["registration_endpoint"], format!("{PUBLIC}/register"), "it is found all the same");
    assert_eq!(registered.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_was_registered_all_the_same_is_taken_back() {
    let upstream = unnamed(|request| {
        let here = format!("http://{}", request.get("host").unwrap_or_default());
        let client = value!({
            "client_id": "1", "registration_client_uri": format!("{here}/clients/1"), "registration_access_token": "rat",
        });
        json("201 Created", &client.to_string())
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    proxy.ask(get(SERVER, &[])).await;
    let deleted = upstream.seen_at("/clients/1");
    assert_eq!(
        deleted.len(),
        upstream.seen().iter().filter(|seen| seen.method() == "POST" && seen.target() == "/register").count()
    );
    assert!(!deleted.is_empty() && deleted.iter().all(|seen| seen.get("authorization") == Some("Bearer rat")));
}
