//! What must not get out: the upstream's own address to clients, secrets to logs.

use crate::kit::{Binary, Message, PUBLIC, Proxy, Upstream, get, json, ok, post, reply};

/// An upstream with its own address in everything that it says.
async fn talkative() -> Upstream {
    Upstream::answering(|request| {
        let own = format!("http://{}", request.get("host").unwrap_or_default());
        let path = request.target().split('?').next().unwrap_or_default();
        match path {
            "/.well-known/oauth-protected-resource/mcp" | "/.well-known/oauth-protected-resource" => {
                json("200 OK", &format!(r#"{{"resource":"{own}/mcp","authorization_servers":["{own}/"]}}"#))
            }
            "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => json(
                "200 OK",
                &format!(
                    r#"{{"issuer":"{own}/","authorization_endpoint":"{own}/authorize","token_endpoint":"{own}/token","registration_endpoint":"{own}/register","jwks_uri":"{own}/jwks"}}"#
                ),
            ),
            "/register" => json("201 Created", &format!(r#"{{"client_id":"c","registration_client_uri":"{own}/register/c"}}"#)),
            "/authorize" => reply("302 Found", &[&format!("Location: {own}/login?x=1"), &format!("Link: <{own}/a>; rel=x")], ""),
            "/callback" => reply(
                "302 Found",
                &[&format!("Location: https://claude.ai/api/mcp/auth_callback?code=c&iss=http%3A%2F%2F{}", &own[7..].replace(':', "%3A"))],
                "",
            ),
            "/mcp" => reply(
                "401 Unauthorized",
                &[&format!("WWW-Authenticate: Bearer resource_metadata=\"{own}/.well-known/oauth-protected-resource\"")],
                "",
            ),
            "/moved" => reply("307 Temporary Redirect", &[&format!("Location: {own}/mcp"), &format!("Content-Location: {own}/m")], ""),
            _ => ok("hello"),
        }
    })
    .await
}

#[tokio::test]
async fn no_answer_names_the_upstream() {
    let upstream = talkative().await;
    let port = upstream.address.port();
    for url in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")] {
        let proxy = Proxy::to_url(&url).set("public_url", PUBLIC).start();
        for request in [
            get("/mcp", &[]),
            post("/mcp", &["Origin: https://claude.ai"], "{}"),
            get("/.well-known/oauth-protected-resource/mcp", &[]),
            get("/.well-known/oauth-protected-resource", &[]),
            get("/mcp/.well-known/oauth-protected-resource", &[]),
            get("/.well-known/oauth-authorization-server", &[]),
            get("/.well-known/oauth-authorization-server/mcp", &[]),
            get("/.well-known/openid-configuration", &[]),
            post("/register", &["Content-Type: application/json"], r#"{"redirect_uris":["https://a.example/cb"]}"#),
            get("/authorize?client_id=c&response_type=code", &[]),
            get("/callback?code=c", &[]),
            get("/moved", &[]),
        ] {
            let answer = proxy.ask(&request).await;
            assert!(answer.status() != 0 && !answer.all_text().contains(&port.to_string()), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn no_refusal_names_the_upstream() {
    let silent = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.until_closed().await;
    })
    .await;
    let garbage = Upstream::always("rubbish\r\n\r\n").await;
    for address in [silent.address, garbage.address, Upstream::down().await] {
        let proxy = Proxy::to_url(&format!("http://{address}")).set("limits.first_byte_seconds", "0.2").start();
        let answer = proxy.ask(post("/mcp", &["Origin: https://claude.ai"], "{}")).await;
        let text = answer.all_text();
        assert!(matches!(answer.status(), 502 | 504), "{text}");
        assert!(!text.contains(&address.port().to_string()) && !text.contains("127.0.0.1"), "{text}");
    }
}

/// Every secret of a login, each recognisable.
const SECRETS: [&str; 10] = [
    "s3cret-code/1+x",
    "s3cret-verifier-2",
    "s3cret-client-3",
    "s3cret-refresh-4",
    "s3cret-access-5",
    "s3cret-state-6",
    "s3cret-cookie-7",
    "s3cret-bearer-8",
    "s3cret-session-9",
    "s3cret-registration-10",
];

fn login_answer(request: &Message) -> Vec<u8> {
    let path = request.target().split('?').next().unwrap_or_default();
    match path {
        "/register" => json(
            "201 Created",
            r#"{"client_id":"c","client_secret":"s3cret-client-3","registration_access_token":"s3cret-registration-10","client_id_issued_at":1.5}"#,
        ),
        "/authorize" => {
            reply("302 Found", &["Location: https://a.example/cb?code=s3cret-code%2F1%2Bx&state=s3cret-state-6"], "")
        }
        "/token" => json(
            "200 OK",
            r#"{"access_token":"s3cret-access-5","refresh_token":"s3cret-refresh-4","token_type":"bearer"}"#,
        ),
        "/mcp" => {
            reply("401 Unauthorized", &["Set-Cookie: a=s3cret-cookie-7", "Mcp-Session-Id: s3cret-session-9"], "no")
        }
        "/broken" => b"s3cret-access-5 is no HTTP\r\n\r\n".to_vec(),
        _ => reply("404 Not Found", &[], ""),
    }
}

#[tokio::test]
async fn no_secret_gets_into_a_log() {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let flow = [
        post(
            "/register",
            &["Content-Type: application/json", "Authorization: Bearer s3cret-registration-10"],
            r#"{"client_secret":"s3cret-client-3"}"#,
        ),
        post("/register", &["Content-Type: application/json"], r#"{"client_secret":"s3cret-client-3", broken"#),
        get(
            "/authorize?client_id=c&state=s3cret-state-6&login_hint=s3cret-code%2F1%2Bx",
            &["Cookie: a=s3cret-cookie-7"],
        ),
        post(
            "/token",
            &[form],
            "code=s3cret-code%2F1%2Bx&code_verifier=s3cret-verifier-2&client_secret=s3cret-client-3&resource=x",
        ),
        post("/token", &[form, "Authorization: Basic YzpzM2NyZXQtY2xpZW50LTM="], "refresh_token=s3cret-refresh-4"),
        post(
            "/mcp?access_token=s3cret-bearer-8",
            &["Authorization: Bearer s3cret-bearer-8", "Mcp-Session-Id: s3cret-session-9"],
            "{}",
        ),
        get("/broken?token=s3cret-bearer-8", &["Authorization: Bearer s3cret-bearer-8"]),
        b"GET /x HTTP/1.1\r\nHost: h\r\nHost: s3cret-bearer-8\r\n\r\n".to_vec(),
        b"GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: s3cret-bearer-8\x00\r\n\r\n".to_vec(),
        b"CONNECT s3cret-bearer-8:1 HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
    ];
    let upstream = Upstream::answering(login_answer).await;
    let url = format!("http://{}", upstream.address);
    for format in ["text", "json"] {
        let proxy = if format == "text" {
            Binary::start(&[&url, "--log-format", format, "--log-level", "trace", "--show-repairs"]).await
        } else {
            // Without a banner nobody says where it listens: a free port is picked beforehand.
            let address = Upstream::down().await;
            Binary::start_at(address, &[&url, "--log-format", format, "--log-level", "trace"]).await
        };
        for request in &flow {
            let mut client = proxy.connect().await;
            client.send(request).await;
            client.reply().await;
        }
        proxy.terminate();
        let (code, log, errors) = proxy.ended().await;
        assert_eq!(code, 0);
        assert!(log.contains("/authorize") && log.contains("/token"), "{log}");
        for secret in SECRETS.iter().copied().chain(["YzpzM2NyZXQ", "s3cret"]) {
            assert!(!log.contains(secret) && !errors.contains(secret), "{format} {secret}:\n{log}\n{errors}");
        }
    }
}

#[tokio::test]
async fn a_path_cannot_write_to_the_log_on_its_own() {
    let upstream = Upstream::sound().await;
    for format in ["text", "json"] {
        let proxy = Proxy::to(&upstream).set("log.format", format).start();
        let long = format!("/{}", "é".repeat(200));
        for path in ["/a\u{9b}31mred", "/a\u{85}b", "/a\u{2028}b", "/a\u{202e}b", "/a\u{7f}b", &long] {
            proxy.ask(get(path, &[])).await;
        }
        proxy.ask(get("/end", &[])).await;
        proxy.logged("/end").await;
        let log = proxy.log();
        let bad = |letter: char| letter != '\n' && (letter.is_control() || matches!(letter, '\u{2028}' | '\u{202e}'));
        assert!(!log.contains(bad), "{log:?}");
        assert!(log.lines().all(|line| line.len() < 900), "{log}");
    }
}
