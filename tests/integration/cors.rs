//! What pages may read: listed origins exactly, `*` on public documents alone.

use crate::kit::{Message, Proxy, Upstream, reply, request};

const ALLOW: &str = "access-control-allow-origin";

const LISTED: [&str; 5] = ["/mcp", "/token", "/register", "/revoke", "/sse"];
const PUBLIC_DOCUMENTS: [&str; 3] = [
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];
const FOREIGN: [&str; 12] = [
    "null",
    "https://evil.example",
    "https://claude.ai.evil.example",
    "https://evilclaude.ai",
    "https://sub.claude.ai",
    "http://claude.ai",
    "https://claude.ai:444",
    "https://claude.ai/",
    "https://CLAUDE.ai",
    "https://claude.ai@evil.example",
    "http://localhost.evil.example",
    "*",
];

/// Upstreams that say nothing, too much, or what the page wants to hear.
async fn upstreams() -> Vec<Upstream> {
    vec![
        Upstream::always(reply("200 OK", &[], "hello")).await,
        Upstream::always(reply("401 Unauthorized", &["Access-Control-Allow-Origin: *"], "no")).await,
        Upstream::answering(|request| {
            let origin = request.get("origin").unwrap_or_default();
            let allow = format!("Access-Control-Allow-Origin: {origin}");
            reply("200 OK", &[&allow, "Access-Control-Allow-Credentials: true"], "hello")
        })
        .await,
    ]
}

async fn ask(proxy: &Proxy, method: &str, path: &str, origin: &str) -> Message {
    let origin = format!("Origin: {origin}");
    let mut headers = vec![origin.as_str()];
    if method == "OPTIONS" {
        let asked = match path.starts_with("/.well-known/") {
            true => "Access-Control-Request-Method: GET",
            false => "Access-Control-Request-Method: POST",
        };
        headers.extend([asked, "Access-Control-Request-Headers: authorization"]);
    }
    proxy.ask(request(method, path, &headers, "")).await
}

#[tokio::test]
async fn a_foreign_origin_is_never_let_in() {
    for upstream in upstreams().await {
        let proxy = Proxy::to(&upstream).start();
        for path in LISTED {
            for origin in FOREIGN {
                for method in ["GET", "POST", "DELETE", "OPTIONS"] {
                    let answer = ask(&proxy, method, path, origin).await;
                    assert_eq!(answer.get(ALLOW), None, "{method} {path} {origin}");
                    assert_eq!(answer.get("access-control-allow-credentials"), None, "{method} {path} {origin}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_listed_origin_gets_itself_and_vary() {
    for upstream in upstreams().await {
        let proxy = Proxy::to(&upstream).start();
        for path in LISTED {
            for origin in ["https://claude.ai", "https://claude.com", "http://localhost:6274", "http://127.0.0.1:80"] {
                for method in ["GET", "POST", "OPTIONS"] {
                    let answer = ask(&proxy, method, path, origin).await;
                    let origin = if origin.ends_with(":80") { None } else { Some(origin) };
                    assert_eq!(answer.all(ALLOW).first().copied(), origin, "{method} {path}");
                    if origin.is_some() {
                        assert!(answer.get("vary").is_some_and(|vary| vary.contains("Origin")), "{method} {path}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn loopback_pages_are_foreign_where_they_are_not_listed() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream)
        .set("origins", "https://only.example")
        .set("listen", "0.0.0.0:0")
        .set("public_url", crate::kit::PUBLIC)
        .start();
    let port = proxy.address.port();
    let mut client = crate::kit::Wire::new(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    for (origin, allowed) in [
        ("http://localhost:6274", None),
        ("https://claude.ai", None),
        ("https://only.example", Some("https://only.example")),
    ] {
        client.send(request("POST", "/mcp", &[&format!("Origin: {origin}")], "{}")).await;
        assert_eq!(client.reply().await.get(ALLOW), allowed);
    }
}

#[tokio::test]
async fn public_documents_are_for_everybody_without_credentials() {
    for upstream in upstreams().await {
        let proxy = Proxy::to(&upstream).start();
        for path in PUBLIC_DOCUMENTS {
            for origin in ["https://evil.example", "null", "https://claude.ai"] {
                for method in ["GET", "OPTIONS"] {
                    let answer = ask(&proxy, method, path, origin).await;
                    assert_eq!(answer.all(ALLOW), ["*"], "{method} {path}");
                    assert_eq!(answer.get("access-control-allow-credentials"), None);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_preflight_that_the_upstream_refuses_lets_a_listed_page_go_on() {
    let upstream = Upstream::always(reply("401 Unauthorized", &[], "no")).await;
    let answer = ask(&Proxy::to(&upstream).start(), "OPTIONS", "/mcp", "https://claude.ai").await;
    assert_eq!((answer.status(), answer.get(ALLOW)), (204, Some("https://claude.ai")));
    assert!(answer.get("access-control-allow-headers").unwrap().contains("Authorization"));
}

#[tokio::test]
async fn pages_can_read_a_refusal_of_ours() {
    let proxy = Proxy::to_url(&format!("http://{}", Upstream::down().await)).start();
    for (path, origin, status, allowed) in [
        ("/mcp", "https://claude.ai", 502, Some("https://claude.ai")),
        ("/token", "https://claude.com", 502, Some("https://claude.com")),
        ("/mcp", "https://evil.example", 403, None),
        ("/.well-known/oauth-authorization-server", "https://evil.example", 502, Some("*")),
    ] {
        let answer = ask(&proxy, "GET", path, origin).await;
        assert_eq!((answer.status(), answer.get(ALLOW)), (status, allowed), "{path} {origin}");
    }
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.request_bytes", "10").start();
    let answer = proxy.ask(request("POST", "/mcp", &["Origin: https://claude.ai"], "more than ten bytes")).await;
    assert_eq!((answer.status(), answer.get(ALLOW)), (413, Some("https://claude.ai")));
}
