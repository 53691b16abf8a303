//! What is said about the connection stays on it; who the client is, is said by us.

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, ok, reply};

#[tokio::test]
async fn fields_of_the_connection_stay_behind_on_the_way_up() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    proxy
        .ask(get(
            "/x",
            &[
                "Connection: close, X-Own, Authorization, Host, Content-Length, X-Forwarded-For, Origin, Cookie",
                "Connection: x-other",
                "X-Own: 1",
                "X-Other: 1",
                "X-Kept: 1",
                "Keep-Alive: timeout=5",
                "Proxy-Connection: keep-alive",
                "Proxy-Authorization: Basic x",
                "TE: trailers, gzip",
                "Upgrade: h2c",
                "HTTP2-Settings: AAMA",
                "Authorization: Bearer t",
                "Cookie: a=b",
                "Origin: https://claude.ai",
            ],
        ))
        .await;
    let seen = &upstream.seen()[0];
    for gone in ["connection", "x-own", "x-other", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
        assert_eq!(seen.get(gone), None, "{gone}");
    }
    assert_eq!((seen.get("http2-settings"), seen.get("te")), (None, Some("trailers")));
    for (kept, value) in [("x-kept", "1"), ("authorization", "Bearer t"), ("cookie", "a=b")] {
        assert_eq!(seen.get(kept), Some(value));
    }
    assert_eq!(seen.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.get("host"), Some(upstream.address.to_string().as_str()));
}

#[tokio::test]
async fn fields_of_the_connection_stay_behind_on_the_way_down() {
    let upstream = Upstream::always(reply(
        "401 Unauthorized",
        &[
            "Connection: close, X-Own, WWW-Authenticate, Set-Cookie, Mcp-Session-Id",
            "X-Own: 1",
            "X-Kept: 1",
            "Keep-Alive: timeout=5",
            "Proxy-Authenticate: Basic",
            "Upgrade: h2c",
            "WWW-Authenticate: Bearer",
            "Set-Cookie: a=b",
            "Set-Cookie: c=d",
            "Mcp-Session-Id: s",
        ],
        "no",
    ))
    .await;
    let answer = Proxy::to(&upstream).start().ask(get("/x", &[])).await;
    for gone in ["x-own", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(answer.get(gone), None, "{gone}");
    }
    assert_eq!((answer.get("x-kept"), answer.get("mcp-session-id")), (Some("1"), Some("s")));
    assert_eq!((answer.all("set-cookie"), answer.get("www-authenticate")), (vec!["a=b", "c=d"], Some("Bearer")));
}

const FORGED: &[&str] = &[
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 666",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Anything: 6.6.6.6",
    "Forwarded: for=6.6.6.6;host=evil.example",
    "X-Real-IP: 6.6.6.6",
    "X-Client-IP: 6.6.6.6",
    "True-Client-IP: 6.6.6.6",
    "CF-Connecting-IP: 6.6.6.6",
    "x-FORWARDED-for: 6.6.6.6",
];

/// What the upstream sees of a request with these header lines.
async fn seen_with(trusted: &str, headers: &[&str]) -> Message {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("trusted_proxies", trusted).start();
    assert_eq!(proxy.ask(get("/x", headers)).await.status(), 200);
    upstream.seen()[0].clone()
}

#[tokio::test]
async fn a_strangers_word_about_itself_never_arrives() {
    for trusted in ["10.0.0.0/8", "::1/128", "127.0.0.2/32"] {
        for forged in FORGED.iter().map(std::slice::from_ref).chain([FORGED]) {
            let seen = seen_with(trusted, forged).await;
            let text = seen.all_text();
            assert!(!text.contains("6.6.6.6") && !text.contains("evil"), "{text}");
            assert_eq!(seen.get("x-forwarded-port"), None);
            assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
            assert_eq!(seen.all("x-forwarded-host"), ["mcp.example.com"]);
            assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
            assert_eq!(seen.all("forwarded"), ["for=127.0.0.1;host=\"mcp.example.com\";proto=https"]);
        }
    }
}

#[tokio::test]
async fn a_trusted_proxys_word_is_passed_on_with_ours_behind_it() {
    for trusted in ["127.0.0.1/32", "127.0.0.0/8", "0.0.0.0/0"] {
        let seen = seen_with(trusted, &["X-Forwarded-For: 9.9.9.9, 8.8.8.8", "X-Real-IP: 9.9.9.9"]).await;
        assert_eq!(seen.all("x-forwarded-for"), ["9.9.9.9, 8.8.8.8, 127.0.0.1"]);
        assert_eq!(seen.all("x-real-ip"), ["9.9.9.9"]);
        assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
    }
}

#[tokio::test]
async fn the_upstream_sees_its_own_host_unless_the_operator_says_otherwise() {
    let upstream = Upstream::sound().await;
    let own = upstream.address.to_string();
    for (preserve, host) in [("false", own.as_str()), ("true", "mcp.test")] {
        let proxy = Proxy::to(&upstream).set("upstream.preserve_host", preserve).start();
        proxy.ask(get("/x", &[])).await;
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((seen.all("host"), seen.get("x-forwarded-host")), (vec![host], Some("mcp.test")));
        proxy.ask("GET http://other.test:81/x HTTP/1.1\r\nHost: mcp.test\r\n\r\n").await;
        let seen = upstream.seen().pop().unwrap();
        let absolute = if preserve == "true" { "other.test:81" } else { host };
        assert_eq!((seen.all("host"), seen.get("x-forwarded-host")), (vec![absolute], Some("other.test:81")));
        assert_eq!(seen.target(), "/x");
    }
}

#[tokio::test]
async fn the_public_address_never_comes_from_a_request() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/mcp" => reply("401 Unauthorized", &[], ""),
        "/.well-known/oauth-protected-resource/mcp" => {
            crate::kit::json("200 OK", r#"{"resource":"http://x/mcp","authorization_servers":["http://x"]}"#)
        }
        _ => ok("no"),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    for headers in
        [&["X-Forwarded-Host: evil.example"][..], &["Forwarded: host=evil.example"], &["X-Original-Host: evil"]]
    {
        let raw = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n{}\r\n\r\n", headers.join("\r\n"));
        for path in ["/mcp", "/.well-known/oauth-protected-resource/mcp"] {
            let answer = proxy.ask(raw(path)).await;
            assert!(!answer.all_text().contains("evil"), "{answer:?}");
        }
    }
}
