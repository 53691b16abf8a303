//! Answers that should have been a 401, between real sockets: what becomes one, what stays, and what never reaches the
//! upstream.

use std::io::Write;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::kit::{Message, PUBLIC, Proxy, Upstream, chunk, get, json, post, reply, request};

const PLACE: &str = "/.well-known/oauth-protected-resource/mcp";
const POINTER: &str = r#"resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp""#;
const TOKEN: &str = "Authorization: Bearer opaque";
/// JWTs that expired in 2001 and that are good until 2096.
const EXPIRED: &str = "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjEwMDAwMDAwMDB9.sig";
const LIVING: &str = "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjQwMDAwMDAwMDB9.sig";
const MESSAGE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// The documents of a site that people log in to.
fn document(request: &Message) -> Option<Vec<u8>> {
    let own = format!("http://{}", request.get("host").unwrap_or_default());
    match request.target() {
        PLACE => Some(json("200 OK", &format!(r#"{{"resource":"{own}/mcp","authorization_servers":["{own}"]}}"#))),
        "/.well-known/oauth-authorization-server" => Some(json(
            "200 OK",
            &format!(
                r#"{{"issuer":"{own}","authorization_endpoint":"{own}/authorize","token_endpoint":"{own}/token","response_types_supported":["code"]}}"#
            ),
        )),
        _ => None,
    }
}

/// An upstream that people log in to, whose MCP endpoint answers so. Who only looks at it gets 404 from it.
async fn guarded(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    Upstream::answering(move |request| match document(request) {
        Some(document) => document,
        None if request.get("x-test").is_some() => answer(request),
        None => reply("404 Not Found", &[], ""),
    })
    .await
}

/// A proxy before it that has learned what there is to know.
async fn knowing(upstream: &Upstream) -> Proxy {
    // What the upstream says to pages is the subject here and not what this proxy says on loopback.
    let proxy = Proxy::to(upstream)
        .set("public_url", PUBLIC)
        .set("repairs", "transport.origin-foreign=off,stream.silence=off")
        .start();
    proxy.ask(get(PLACE, &[])).await;
    proxy
}

fn message(headers: &[&str]) -> Vec<u8> {
    let mut all = vec!["Content-Type: application/json", "X-Test: 1"];
    all.extend(headers);
    post("/mcp", &all, MESSAGE)
}

/// The requests of the test itself that the upstream saw.
fn asked(upstream: &Upstream) -> usize {
    upstream.seen().iter().filter(|seen| seen.get("x-test").is_some()).count()
}

fn challenge(answer: &Message) -> &str {
    answer.get("www-authenticate").unwrap_or_default()
}

#[track_caller]
fn wants_login(answer: &Message) {
    assert_eq!(answer.status(), 401, "{}", answer.all_text());
    assert_eq!(challenge(answer), format!("Bearer {POINTER}"));
    assert_eq!(answer.get("cache-control"), Some("no-store"));
    assert_eq!(answer.text(), r#"{"error":"unauthorized","error_description":"Authentication required"}"#);
}

#[track_caller]
fn wants_another_token(answer: &Message) {
    assert_eq!(answer.status(), 401, "{}", answer.all_text());
    assert!(challenge(answer).starts_with(r#"Bearer error="invalid_token", error_description=""#), "{answer:?}");
    assert!(challenge(answer).ends_with(POINTER), "{answer:?}");
    assert_eq!((answer.get("cache-control"), &answer.json()["error"]), (Some("no-store"), &"invalid_token".into()));
}

/// What a server without OAuth and one with it make of the same answer.
async fn both(answer: Vec<u8>, ask: Vec<u8>) -> (Message, Message) {
    let upstream = {
        let answer = answer.clone();
        guarded(move |_| answer.clone()).await
    };
    let mended = knowing(&upstream).await.ask(&ask).await;
    assert_eq!(asked(&upstream), 1);
    let open = Upstream::answering(move |request| match request.get("x-test") {
        Some(_) => answer.clone(),
        None => reply("404 Not Found", &[], ""),
    })
    .await;
    let open = Proxy::to(&open)
        .set("public_url", PUBLIC)
        .set("repairs", "transport.origin-foreign=off,stream.silence=off")
        .start();
    (mended, open.ask(&ask).await)
}

/// Answers that mean a missing token.
fn meaning_login() -> Vec<Vec<u8>> {
    let html: &[&str] = &["Content-Type: text/html"];
    let text: &[&str] = &["Content-Type: text/plain"];
    vec![
        json("403 Forbidden", r#"{"detail":"Not authenticated"}"#),
        json("403 Forbidden", r#"{"status":403,"error":"Forbidden","path":"/mcp"}"#),
        reply("403 Forbidden", &[], ""),
        reply("403 Forbidden", text, "Forbidden"),
        reply("403 Forbidden", html, "<p>Please log in to go on.</p>"),
        json("400 Bad Request", r#"{"error":"Missing Authorization header"}"#),
        json("422 Unprocessable Entity", r#"{"detail":[{"loc":["header","authorization"],"msg":"Field required"}]}"#),
        reply("500 Internal Server Error", text, "Error: No token provided"),
        reply("302 Found", &["Location: /login"], ""),
        reply("303 See Other", &["Location: https://team.access.example.net/cdn-cgi/access/login/x"], ""),
        reply("307 Temporary Redirect", &["Location: /api/auth/signin?callbackUrl=%2Fmcp"], ""),
        reply("200 OK", html, "<form action=/login>"),
        json("200 OK", r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized"}}"#),
        json("200 OK", r#"{"error":"unauthorized"}"#),
    ]
}

#[tokio::test]
async fn whatever_means_a_missing_token_is_a_401_where_people_log_in_and_nowhere_else() {
    for answer in meaning_login() {
        let (mended, open) = both(answer.clone(), message(&[])).await;
        wants_login(&mended);
        let was = String::from_utf8(answer).unwrap();
        assert_eq!(Some(open.status()), was.split(' ').nth(1).and_then(|status| status.parse().ok()), "{was}");
        assert!(was.ends_with(&format!("\r\n\r\n{}", open.text())), "{was}\n{open:?}");
    }
}

#[tokio::test]
async fn nothing_that_means_a_missing_token_is_taken_for_it_when_one_was_sent() {
    for answer in meaning_login() {
        let is_redirect = answer.starts_with(b"HTTP/1.1 30");
        let (mended, _) = both(answer.clone(), message(&[TOKEN])).await;
        if is_redirect {
            wants_another_token(&mended);
        } else {
            let was = String::from_utf8(answer).unwrap();
            assert_eq!(Some(mended.status()), was.split(' ').nth(1).and_then(|status| status.parse().ok()), "{was}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_for_another_reason_stays() {
    let origin: &[&str] = &["Origin: https://evil.example"];
    let page: &[&str] = &["Content-Type: text/html"];
    for (headers, answer) in [
        (&[][..], reply("403 Forbidden", page, "<title>403 Forbidden</title>")),
        (&[], reply("403 Forbidden", page, "<h1>Sorry, you have been blocked</h1> Cloudflare: log in to")),
        (&[], reply("403 Forbidden", &["Content-Type: text/plain"], "RBAC: access denied")),
        (&[], json("403 Forbidden", r#"{"error":"Forbidden: Invalid Origin header"}"#)),
        (&[], json("403 Forbidden", r#"{"error":"CSRF token mismatch"}"#)),
        (&[], json("403 Forbidden", r#"{"error":"unauthorized: your IP is not on the list"}"#)),
        (origin, json("403 Forbidden", r#"{"error":"Forbidden"}"#)),
        (&[], json("404 Not Found", r#"{"error":"unauthorized"}"#)),
        (&[], json("429 Too Many Requests", r#"{"error":"unauthorized"}"#)),
        (&[], json("503 Service Unavailable", r#"{"error":"unauthorized"}"#)),
        (
            &[],
            json(
                "400 Bad Request",
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#,
            ),
        ),
        (&[], reply("302 Found", &["Location: https://team.access.example.net/x"], "")),
        (&[], reply("302 Found", &["Location: https://status.example/maintenance"], "")),
        (&[TOKEN], reply("302 Found", &["Location: https://waf.example/blocked?reason=login+rate"], "")),
        (&[], json("403 Forbidden", r#"{"message":"Access denied: geo restriction"}"#)),
        (&[], json("403 Forbidden", r#"{"error":"Slow down. Requests exceeded."}"#)),
        (
            &[],
            json("403 Forbidden", r#"{"error":"forbidden","message":"Your organisation does not allow this network"}"#),
        ),
        (&[], json("403 Forbidden", r#"{"code":1020,"msg":"Access denied"}"#)),
        (&[], reply("403 Forbidden", &["Content-Type: text/plain"], "Unauthorized user agent")),
        (origin, reply("403 Forbidden", &["Content-Type: text/plain"], "Unauthorized domain")),
        (
            &[],
            json(
                "200 OK",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params: token is required"}}"#,
            ),
        ),
        (
            &[],
            json(
                "400 Bad Request",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid arguments: login: Required"}}"#,
            ),
        ),
        (
            &[],
            json(
                "200 OK",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"GitHub API answered 401 Unauthorized"}}"#,
            ),
        ),
        (
            &[],
            json(
                "500 Internal Server Error",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Database login required (pool: unauthorized)"}}"#,
            ),
        ),
        (
            &[TOKEN],
            json(
                "200 OK",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Weather API: invalid token"}}"#,
            ),
        ),
        (&[TOKEN], json("500 Internal Server Error", r#"{"error":"Billing API rejected our token: token expired"}"#)),
        (
            &[],
            json(
                "200 OK",
                r#"{"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[{"type":"text","text":"unauthorized"}]}}"#,
            ),
        ),
        (&[TOKEN], json("403 Forbidden", r#"{"error":"Forbidden"}"#)),
        (&[TOKEN], json("403 Forbidden", r#"{"error":"The token is invalid here: missing role admin"}"#)),
        (&[TOKEN], json("404 Not Found", r#"{"error":"invalid_token"}"#)),
        (&[TOKEN], json("502 Bad Gateway", r#"{"error":"invalid_token"}"#)),
        (&[TOKEN], json("400 Bad Request", r#"{"error":"Invalid or expired session token"}"#)),
        (
            &[TOKEN],
            json(
                "200 OK",
                r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true,"message":"token expired"}}"#,
            ),
        ),
    ] {
        let was = String::from_utf8(answer.clone()).unwrap();
        let (guarded, open) = both(answer, message(headers)).await;
        for got in [guarded, open] {
            // A JSON-RPC error of the message itself is an answer, whatever status came with it.
            let is_message = got.text().contains("\"jsonrpc\"");
            let status = was.split(' ').nth(1).and_then(|status| status.parse().ok());
            assert_eq!(Some(got.status()), if is_message { Some(200) } else { status }, "{was}");
            assert!(is_message || was.ends_with(&format!("\r\n\r\n{}", got.text())), "{was}\n{got:?}");
            assert_eq!(got.get("www-authenticate"), None, "{was}");
        }
    }
}

#[tokio::test]
async fn a_bad_token_is_a_401_that_says_so() {
    for answer in [
        json("403 Forbidden", r#"{"error":"invalid_token"}"#),
        json("400 Bad Request", r#"{"message":"Invalid or expired token"}"#),
        json("422 Unprocessable Entity", r#"{"detail":"Token has been revoked"}"#),
        reply("500 Internal Server Error", &["Content-Type: text/html"], "<pre>TokenExpiredError: jwt expired</pre>"),
        reply("403 Forbidden", &["WWW-Authenticate: Bearer error=\"invalid_token\""], ""),
        json("200 OK", r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"The access token expired"}}"#),
        reply("307 Temporary Redirect", &["Location: /login"], ""),
    ] {
        let was = String::from_utf8(answer.clone()).unwrap();
        let (mended, open) = both(answer, message(&[TOKEN])).await;
        if was.contains("WWW-Authenticate") {
            assert_eq!(challenge(&mended), format!(r#"Bearer error="invalid_token", {POINTER}"#));
        } else {
            wants_another_token(&mended);
        }
        assert_ne!(open.status(), 401, "{was}");
    }
}

#[tokio::test]
async fn a_401_stays_one_and_a_page_in_it_becomes_json() {
    for headers in [&[][..], &[TOKEN], &["Origin: https://evil.example"]] {
        for body in ["", "Invalid Origin", "<b>IP blocked</b>", r#"{"result":1}"#] {
            let (mended, open) = both(reply("401 Unauthorized", &[], body), message(headers)).await;
            assert_eq!((mended.status(), open.status()), (401, 401));
            assert_eq!((mended.text().as_str(), open.text().as_str()), (body, body));
        }
    }
    let page = reply("401 Unauthorized", &["Content-Type: text/html", "Retry-After: 7"], "<h1>401</h1>");
    let (mended, open) = both(page.clone(), message(&[])).await;
    for got in [&mended, &open] {
        assert_eq!((got.status(), got.get("retry-after")), (401, Some("7")));
        assert_eq!(got.json()["error"], "unauthorized");
    }
    let (browser, _) = both(page, get("/mcp", &["X-Test: 1", "Accept: text/html"])).await;
    assert_eq!((browser.status(), browser.text().as_str()), (401, "<h1>401</h1>"));
}

#[tokio::test]
async fn an_expired_token_never_reaches_the_upstream_and_a_living_one_does() {
    let upstream = guarded(|_| json("200 OK", "{}")).await;
    let proxy = knowing(&upstream).await;
    let page = "Origin: https://claude.ai";
    for ask in [message(&[EXPIRED]), message(&[EXPIRED, page]), get("/sse", &[EXPIRED, "X-Test: 1"])] {
        let answer = proxy.ask(ask).await;
        wants_another_token(&answer);
        assert!(challenge(&answer).contains("The access token expired"));
        assert_eq!(answer.json()["error_description"], "The access token expired");
    }
    let answer = proxy.ask(message(&[EXPIRED, page])).await;
    assert_eq!(answer.get("access-control-allow-origin"), Some("https://claude.ai"));
    assert!(answer.get("access-control-expose-headers").unwrap().contains("WWW-Authenticate"));
    assert_eq!(asked(&upstream), 0);
    assert!(!proxy.log().contains("eyJ"), "{}", proxy.log());
    for (count, token) in [LIVING, TOKEN, "Authorization: Basic eyJ4"].into_iter().enumerate() {
        assert_eq!(proxy.ask(message(&[token])).await.status(), 200);
        assert_eq!(asked(&upstream), count + 1);
    }
    // A page that may not ask gets the upstream's own refusal.
    let upstream = guarded(|_| reply("403 Forbidden", &[], "Invalid Origin")).await;
    let answer = knowing(&upstream).await.ask(message(&[EXPIRED, "Origin: https://evil.example"])).await;
    assert_eq!((answer.status(), answer.text().as_str(), asked(&upstream)), (403, "Invalid Origin", 1));
    // A site without OAuth judges for itself.
    let open = Upstream::always(json("200 OK", "{}")).await;
    assert_eq!(Proxy::to(&open).start().ask(message(&[EXPIRED])).await.status(), 200);
}

#[tokio::test]
async fn a_get_that_is_open_where_messages_are_not_is_answered_here() {
    let upstream = Upstream::answering(move |request| match (request.target(), request.method()) {
        ("/mcp", "POST") if request.get("authorization").is_none() => reply("401 Unauthorized", &[], ""),
        ("/mcp", _) => reply("200 OK", &["Content-Type: text/plain"], "landing"),
        _ => document(request).unwrap_or_else(|| reply("404 Not Found", &[], "")),
    })
    .await;
    let proxy = knowing(&upstream).await;
    wants_login(&proxy.ask(get("/mcp", &["X-Test: 1", "Accept: text/event-stream"])).await);
    let mut client = proxy.connect().await;
    client.send(request("HEAD", "/mcp", &["X-Test: 1"], "")).await;
    assert_eq!(client.head().await.unwrap().status(), 401);
    assert_eq!(asked(&upstream), 0);
    for header in
        ["Accept: text/html", TOKEN, "X-Api-Key: k", "Cookie: a=b", "Mcp-Session-Id: s", "Origin: https://evil.example"]
    {
        assert_eq!(proxy.ask(get("/mcp", &["X-Test: 1", header])).await.text(), "landing", "{header}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_said_in_the_challenge_and_stays_a_403() {
    let body = r#"{"error":"insufficient_scope","required_scopes":["mcp:write"]}"#;
    let (mended, open) = both(json("403 Forbidden", body), message(&[TOKEN])).await;
    assert_eq!((mended.status(), mended.text().as_str()), (403, body));
    assert_eq!(challenge(&mended), format!(r#"Bearer error="insufficient_scope", scope="mcp:write", {POINTER}"#));
    assert_eq!((open.status(), open.get("www-authenticate")), (403, None));
}

#[tokio::test]
async fn a_challenge_under_another_name_gets_its_own_back() {
    let renamed: &[&str] = &["x-amzn-Remapped-WWW-Authenticate: Bearer realm=\"r\""];
    let (mended, open) = both(reply("401 Unauthorized", renamed, ""), message(&[])).await;
    assert_eq!(challenge(&mended), format!(r#"Bearer realm="r", {POINTER}"#));
    assert_eq!(challenge(&open), r#"Bearer realm="r""#);
    assert_eq!(mended.get("x-amzn-remapped-www-authenticate"), None);
}

#[tokio::test]
async fn an_answer_to_a_token_streams_by_unread() {
    for head in [
        "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked",
        "Content-Type: application/json\r\nTransfer-Encoding: chunked",
    ] {
        let (teller, told) = mpsc::unbounded_channel::<String>();
        let told = Arc::new(tokio::sync::Mutex::new(told));
        let upstream = Upstream::script(move |mut conn| {
            let told = told.clone();
            async move {
                while let Some(request) = conn.next().await {
                    if let Some(document) = document(&request) {
                        conn.send(document).await;
                    } else if request.get("x-test").is_none() {
                        conn.send(reply("404 Not Found", &[], "")).await;
                    } else {
                        conn.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n")).await;
                        while let Some(text) = told.lock().await.recv().await {
                            conn.send(chunk(&text)).await;
                        }
                    }
                }
            }
        })
        .await;
        let proxy = knowing(&upstream).await;
        let mut client = proxy.connect().await;
        client.send(message(&[TOKEN])).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        // Each piece is here before the next is sent.
        for number in 0..3 {
            let text = format!("data: {{\"error\":\"invalid_token {number}\"}}\n\n");
            teller.send(text.clone()).unwrap();
            assert_eq!(client.chunk().await.unwrap().unwrap(), text.as_bytes());
        }
    }
}

#[tokio::test]
async fn no_message_is_asked_for_in_a_content_coding() {
    let upstream = guarded(|_| json("200 OK", "{}")).await;
    let proxy = knowing(&upstream).await;
    for headers in [&["Accept-Encoding: gzip"][..], &["Accept-Encoding: gzip", TOKEN]] {
        proxy.ask(message(headers)).await;
        let seen = upstream.seen();
        assert_eq!(seen.last().unwrap().get("accept-encoding"), Some("identity"), "{headers:?}");
    }
}

#[tokio::test]
async fn a_compressed_refusal_is_read_all_the_same() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(br#"{"detail":"Not authenticated"}"#).unwrap();
    let gzipped = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzipped.len()
    );
    let upstream = guarded(move |_| [head.as_bytes(), &gzipped].concat()).await;
    let answer = knowing(&upstream).await.ask(message(&["Accept-Encoding: gzip"])).await;
    wants_login(&answer);
    assert_eq!(answer.get("content-encoding"), None);
}

/// The refusal is in a success, to a message that nobody answers or in a content coding.
#[tokio::test]
async fn a_refusal_inside_a_success_is_seen_whatever_it_answers() {
    const REFUSAL: &str = r#"{"error":"invalid_token","error_description":"The access token expired"}"#;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(REFUSAL.as_bytes()).unwrap();
    let gzipped = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        gzipped.len()
    );
    let upstream = guarded(move |request| match request.get("x-coded") {
        Some(_) => [head.as_bytes(), &gzipped].concat(),
        None => json("200 OK", REFUSAL),
    })
    .await;
    let proxy = knowing(&upstream).await;
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    for body in [MESSAGE, notification, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
        for coded in ["X-Plain: 1", "X-Coded: 1"] {
            let fields = ["Content-Type: application/json", "X-Test: 1", TOKEN, coded];
            wants_another_token(&proxy.ask(post("/mcp", &fields, body)).await);
        }
    }
}
