//! Who may ask at all: decided by address, before anything is asked of the upstream.

use std::io::Write;

use crate::kit::{PUBLIC, Proxy, Upstream, get, json, ok, post, reply, request, run};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// An upstream that logs everybody in, its token endpoint where only the metadata name it.
async fn upstream() -> Upstream {
    Upstream::answering(|request| match request.target() {
        "/.well-known/oauth-protected-resource" | "/.well-known/oauth-protected-resource/mcp" => {
            json("200 OK", &format!(r#"{{"resource":"{PUBLIC}/mcp","authorization_servers":["{PUBLIC}"]}}"#))
        }
        "/.well-known/oauth-authorization-server" => json(
            "200 OK",
            &format!(
                r#"{{"issuer":"{PUBLIC}","authorization_endpoint":"{PUBLIC}/authorize","token_endpoint":"{PUBLIC}/o/issue",
                "registration_endpoint":"{PUBLIC}/register","response_types_supported":["code"],
                "code_challenge_methods_supported":["S256"]}}"#
            ),
        ),
        "/mcp" => json("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#),
        "/o/issue" => json("200 OK", r#"{"access_token":"secret","token_type":"Bearer"}"#),
        "/register" => json("201 Created", r#"{"client_id":"c","redirect_uris":["https://a.example/cb"]}"#),
        "/authorize?x" | "/login" => reply("200 OK", &["Content-Type: text/html"], "<p>log in"),
        _ => ok("fine"),
    })
    .await
}

/// The status of a call with these header lines, and whether the upstream has seen it.
async fn call(allow: &str, trusted: &str, headers: &[&str]) -> (u16, bool) {
    let upstream = upstream().await;
    let mut setup = Proxy::to(&upstream).set("public_url", PUBLIC);
    if !allow.is_empty() {
        setup = setup.set("access.allow", allow);
    }
    if !trusted.is_empty() {
        setup = setup.set("trusted_proxies", trusted);
    }
    let all = [&["Content-Type: application/json", "Accept: application/json, text/event-stream"], headers].concat();
    let answer = setup.start().ask(post("/mcp", &all, CALL)).await;
    (answer.status(), upstream.seen().iter().any(|seen| seen.target() == "/mcp"))
}

#[tokio::test]
async fn who_is_let_in_is_decided_by_an_address_that_can_be_believed() {
    let claude = "User-Agent: Mozilla/5.0 (compatible; Claude-User/1.0; +Claude-User@anthropic.com)";
    let from = |address: &str| format!("X-Forwarded-For: {address}");
    let (anthropic, foreign) = (from("160.79.106.38"), from("203.0.113.9"));
    let near = "127.0.0.1/32";
    for (allow, trusted, headers, is_in) in [
        // Nothing stated: everybody.
        ("", "", &[][..], true),
        ("", "", &[claude], true),
        // The peer.
        ("127.0.0.1", "", &[], true),
        ("127.0.0.0/8,10.0.0.0/8", "", &[], true),
        ("::ffff:127.0.0.0/104", "", &[], true),
        ("0.0.0.0/0", "", &[], true),
        ("10.0.0.0/8", "", &[], false),
        ("::1", "", &[], false),
        ("anthropic", "", &[], false),
        ("10.0.0.0/8,anthropic,127.0.0.1", "", &[], true),
        // What anybody can send.
        ("anthropic", "", &[claude], false),
        ("anthropic", "", &[&anthropic], false),
        ("anthropic", "", &[&anthropic, claude, "X-Real-IP: 160.79.106.38"], false),
        ("anthropic", "", &["Forwarded: for=160.79.106.38", "CF-Connecting-IP: 160.79.106.38"], false),
        ("anthropic", "10.0.0.0/8", &[&anthropic], false),
        // What a trusted proxy says.
        ("anthropic", near, &[&anthropic], true),
        ("anthropic", near, &[&from("::ffff:160.79.106.38")], true),
        ("anthropic", near, &["Forwarded: for=\"160.79.106.38:4711\";proto=https"], true),
        ("anthropic", near, &[&foreign, claude], false),
        ("anthropic", near, &[&from("160.79.106.38, 203.0.113.9")], false),
        ("anthropic", near, &[&from("203.0.113.9, 160.79.106.38")], true),
        ("anthropic", near, &[&from("160.79.106.38, 127.0.0.1")], true),
        ("anthropic", near, &["X-Real-IP: 160.79.106.38", "True-Client-IP: 160.79.106.38"], false),
        ("anthropic", near, &[&foreign, "Forwarded: for=160.79.106.38"], false),
        // The proxy alone is not its clients: neither for those it names, nor for those it cannot name.
        ("127.0.0.1", near, &[&foreign], false),
        ("127.0.0.1", near, &[&from("unknown")], false),
        ("127.0.0.1", near, &[&foreign, "Forwarded: for=127.0.0.1"], false),
        ("127.0.0.1", near, &[], true),
        // Addresses that are no longer a vendor's, and those where it is asked.
        ("anthropic", near, &[&from("34.162.46.92")], false),
        ("anthropic", near, &[&from("2607:6bc0::1")], false),
    ] {
        let expected = if is_in { (200, true) } else { (403, false) };
        assert_eq!(call(allow, trusted, headers).await, expected, "allow {allow}, trusted {trusted}, {headers:?}");
    }
}

#[tokio::test]
async fn a_refusal_says_so_to_programs_pages_and_the_log() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("access.allow", "anthropic").start();
    let headers = ["Content-Type: application/json", "Origin: https://claude.ai"];
    let answer = proxy.ask(post("/mcp", &headers, CALL)).await;
    assert_eq!((answer.status(), answer.get("connection")), (403, Some("close")));
    assert_eq!(answer.get("access-control-allow-origin"), Some("https://claude.ai"));
    assert_eq!(answer.get("www-authenticate"), None);
    let body: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!((&body["error"], &body["fault"]), (&"not-allowed-address".into(), &"client".into()));
    assert!(!answer.all_text().contains("160.79"), "who is let in is nobody's business");
    let line = proxy.logged("not-allowed-address").await;
    assert!(line.contains("\"refused\":\"not-allowed-address\"") && line.contains("\"fault\":\"client\""), "{line}");
    let counters = &proxy.running.as_ref().unwrap().runtime.counters;
    assert_eq!(counters.by_refusal().collect::<Vec<_>>(), [("not-allowed-address", 1)]);
    assert!(upstream.seen().is_empty(), "nothing is asked for a stranger's message");
}

#[tokio::test]
async fn the_way_to_log_in_stays_open_to_the_users_own_browser() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("access.allow", "anthropic").start();
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/authorize?x",
        "/login",
        "/",
    ] {
        assert_eq!(proxy.ask(get(path, &[])).await.status(), 200, "{path}");
    }
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    for path in
        ["/o/issue", "/O/Issue", "//o/issue", "/token", "/register", "/mcp/more", "/MCP", "/sse", "/m?sessionId=1"]
    {
        let answer = proxy.ask(post(path, &form, "grant_type=refresh_token&refresh_token=r")).await;
        assert_eq!(answer.status(), 403, "{path}");
    }
    let arrived = upstream.seen().iter().any(|seen| seen.text().contains("refresh_token=r"));
    assert!(!arrived, "a stranger's message went up");
}

#[tokio::test]
async fn an_endpoint_is_closed_before_the_first_login_has_named_it() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("access.allow", "anthropic").start();
    // Not even a form: nothing else makes the proxy look the endpoint up.
    let answer = proxy.ask(post("/o/issue", &[], "grant_type=refresh_token&refresh_token=r")).await;
    assert_eq!(answer.status(), 403);
    assert!(!answer.all_text().contains("secret"));
}

#[tokio::test]
async fn endpoints_that_further_documents_name_are_closed_too() {
    let upstream = Upstream::answering(|request| {
        let own = format!("http://{}", request.get("host").unwrap_or_default());
        let of = |base: &str, issuer: &str, at: &str, more: &str| {
            let text = format!(
                r#"{{"issuer":"{base}{issuer}","authorization_endpoint":"{base}{at}/auth","token_endpoint":"{base}{at}/new",
                "registration_endpoint":"{base}{at}/client","response_types_supported":["code"]{more}}}"#
            );
            json("200 OK", &text)
        };
        let document = |issuer: &str, at: &str, more: &str| of(&own, issuer, at, more);
        match request.target() {
            "/.well-known/oauth-protected-resource/mcp" => json(
                "200 OK",
                &format!(r#"{{"resource":"{own}/mcp","authorization_servers":["{own}/a","{own}/b","{own}/c"]}}"#),
            ),
            "/.well-known/oauth-authorization-server/a" => {
                document("/a", "/a", r#","introspection_endpoint":"/a/look","mtls_endpoint_aliases":{"token_endpoint":"/mtls/new"}"#)
            }
            "/.well-known/openid-configuration/a" => document("/a", "/openid", ""),
            "/.well-known/oauth-authorization-server/b" => {
                document("/b", "/b", r#","device_authorization_endpoint":"http://mcp.internal:8080/b/device""#)
            }
            // Under the name that the server itself has in public.
            "/.well-known/oauth-authorization-server/c" => of("https://public.example", "/c", "/c", ""),
            path if path.ends_with("/new") || path.ends_with("/client") => json("200 OK", r#"{"access_token":"secret"}"#),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("access.allow", "anthropic").start();
    for path in [
        "/a/new",
        "/openid/new",
        "/openid/client",
        "/b/new",
        "/b/client",
        "/b/device",
        "/c/new",
        "/a/look",
        "/mtls/new",
        "/B//New",
    ] {
        let answer = proxy.ask(post(path, &[], "grant_type=refresh_token&refresh_token=r")).await;
        assert_eq!(answer.status(), 403, "{path}");
    }
    let answer = proxy.ask(post("/c/other", &[], "a=b")).await;
    assert_eq!(answer.status(), 404, "what no document names stays open");
}

/// Where nobody can say which paths are endpoints, a stranger posts to none.
#[tokio::test]
async fn an_endpoint_is_closed_while_the_metadata_cannot_be_had() {
    let upstream = Upstream::answering(|request| match request.target() {
        path if path.starts_with("/.well-known/") => reply("503 Service Unavailable", &[], ""),
        "/o/issue" => json("200 OK", r#"{"access_token":"secret","token_type":"Bearer"}"#),
        _ => ok("fine"),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("access.allow", "anthropic").start();
    for _ in 0..2 {
        let answer = proxy.ask(post("/o/issue", &[], "grant_type=refresh_token&refresh_token=r")).await;
        assert_eq!(answer.status(), 403, "{}", answer.text());
    }
    let answer = proxy.ask(get("/page", &[])).await;
    assert_eq!(answer.status(), 200, "what is only read stays open");
}

#[tokio::test]
async fn whatever_is_closed_is_refused_as_that_and_as_nothing_else() {
    let upstream = upstream().await;
    let classes =
        "mcp,resource-metadata,server-metadata,keys,register,token,revoke,authorize,legacy-sse,legacy-post,other";
    let proxy = Proxy::to(&upstream)
        .set("public_url", PUBLIC)
        .set("access.allow", "anthropic")
        .set("access.classes", classes)
        .start();
    let paths = [
        "/mcp",
        "/sse",
        "/messages?sessionId=1",
        "/.well-known/oauth-protected-resource",
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/authorize?client_id=x",
        "/token",
        "/register",
        "/revoke",
        "/x",
    ];
    let kinds = ["application/json", "application/x-www-form-urlencoded"];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
            for kind in kinds {
                let kind = format!("Content-Type: {kind}");
                for more in [
                    &["Authorization: Bearer t"][..],
                    &["Accept: text/html", "Origin: https://claude.ai"],
                    &["Accept: text/event-stream", "Mcp-Session-Id: s", "MCP-Protocol-Version: 2025-06-18"],
                ] {
                    let headers = [&[kind.as_str()], more].concat();
                    let body = if method == "POST" { CALL } else { "" };
                    let mut client = proxy.connect().await;
                    client.send(request(method, path, &headers, body)).await;
                    let answer = client.head().await.unwrap();
                    // Whether a page may ask is answered as ever: then it can read the refusal.
                    let is_preflight = method == "OPTIONS" && answer.status() == 204;
                    assert!(answer.status() == 403 || is_preflight, "{method} {path} {headers:?} {answer:?}");
                    assert_eq!(answer.get("www-authenticate"), None, "{method} {path} {headers:?}");
                }
            }
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_wrong_list_is_told_before_anything_starts() {
    let mut list = tempfile::NamedTempFile::new().unwrap();
    list.write_all(b"{\"creationTime\": \"2026-11-20T00:00:00\", \"prefixes\": [{\"ipv4Prefix\": \"127.0.0.1/33\"}]}")
        .unwrap();
    let name = list.path().to_str().unwrap();
    let arguments = [
        "http://127.0.0.1:1",
        "--allow",
        "openai",
        "--allow",
        "claude",
        "--allow",
        "10.0.0.0/99",
        "--access-class",
        "mpc",
        "--ranges",
        name,
    ];
    let (code, _, errors) = run(&arguments).await;
    assert_eq!(code, 2);
    for part in [
        "`access.allow` cannot have `openai`: no addresses are known of it; get https://openai.com/chatgpt-connectors.json",
        "`access.allow` cannot have `claude`: write an address or a network, such as 10.0.0.0/8, or one of anthropic",
        "`access.allow` cannot have `10.0.0.0/99`",
        "`access.classes` cannot have `mpc`: write one of mcp, ",
        &format!("{name}:1: `ipv4Prefix` cannot have `127.0.0.1/33`"),
    ] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
}

#[tokio::test]
async fn a_list_from_a_file_counts() {
    let upstream = upstream().await;
    let mut list = tempfile::NamedTempFile::new().unwrap();
    list.write_all(b"{\"creationTime\": \"2026-11-20T00:00:00\", \"prefixes\": [{\"ipv4Prefix\": \"127.0.0.0/28\"}]}")
        .unwrap();
    let url = format!("http://{}", upstream.address);
    let arguments = [url.as_str(), "--allow", "openai", "--ranges", list.path().to_str().unwrap(), "--no-probe"];
    let proxy = crate::kit::Binary::start(&arguments).await;
    let mut client = proxy.connect().await;
    client.send(post("/mcp", &["Content-Type: application/json"], CALL)).await;
    assert_eq!(client.reply().await.status(), 200);
}
