//! Sixty secrets go through the built program in all the places that a login has, and some that it has not; then everything
//! that the program puts out is searched for each of them, in every form in which it could be written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::kit::{Binary, Message, Upstream, get, json, post, reply};

const SECRETS: usize = 60;

/// The secret of a number: its marks tell it from all others, and it looks otherwise in each coding.
fn secret(number: usize) -> String {
    format!("zq{number:02}/Xk+9=w{number:02}")
}

fn percent(number: usize) -> String {
    secret(number).replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")
}

fn basic(name: &str, number: usize) -> String {
    STANDARD.encode(format!("{name}:{}", percent(number)))
}

/// What of a secret is looked for: its beginning and its end, as they are and in each coding that keeps them apart.
fn traces(number: usize) -> Vec<String> {
    let secret = secret(number);
    let (begin, end) = (&secret[..4], &secret[5..]);
    let mut traces = vec![begin.to_owned(), end.to_owned(), end.replace('+', "%2B").replace('=', "%3D")];
    traces.push(end.replace('+', "%252B").replace('=', "%253D"));
    traces.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    for text in [secret.clone(), percent(number)] {
        // A text that is coded within another one begins at any of three places.
        for before in ["", "a", "ab"] {
            for engine in [STANDARD, URL_SAFE] {
                let coded = engine.encode(format!("{before}{text}"));
                traces.push(coded[4..coded.len() - 4].to_owned());
            }
        }
    }
    traces
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for number in 0..SECRETS {
        for trace in traces(number) {
            assert!(!text.contains(&trace), "secret {number} as {trace} in {what}:\n{text}");
        }
    }
}

/// An upstream that gives secrets away, and repeats those that it was told.
fn telltale(request: &Message) -> Vec<u8> {
    let own = format!("http://{}", request.get("host").unwrap_or_default());
    let path = request.target().split('?').next().unwrap_or_default();
    match path {
        "/.well-known/oauth-protected-resource/mcp" => {
            json("200 OK", &format!(r#"{{"resource":"{own}/mcp","authorization_servers":["{own}"]}}"#))
        }
        "/.well-known/oauth-authorization-server" => json(
            "200 OK",
            &format!(
                r#"{{"issuer":"{own}","authorization_endpoint":"{own}/authorize","token_endpoint":"{own}/token","registration_endpoint":"{own}/register","revocation_endpoint":"{own}/revoke","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}}"#
            ),
        ),
        "/register" => json(
            "201 Created",
            &format!(
                r#"{{"client_id":"c","client_secret":"{}","client_secret_expires_at":1900000000.5,"registration_access_token":"{}"}}"#,
                secret(13),
                secret(14)
            ),
        ),
        "/authorize" => reply(
            "302 Found",
            &[
                &format!(
                    "Location: https://a.example/cb?code={}&state={}&session_state={}",
                    percent(22),
                    percent(15),
                    percent(23)
                ),
                &format!("Set-Cookie: s={}; HttpOnly", secret(24)),
            ],
            "",
        ),
        "/token" if request.text().contains("code_verifier") => json(
            "200 OK",
            &format!(
                r#"{{"access_token":"{}","refresh_token":"{}","id_token":"{}","token_type":"bearer","expires_in":"3600"}}"#,
                secret(29),
                secret(30),
                secret(31)
            ),
        ),
        "/token" => json(
            "400 Bad Request",
            &format!(
                r#"{{"error":"invalid_grant","error_description":"{} ({}) was used"}}"#,
                secret(30),
                basic("a", 30)
            ),
        ),
        "/mcp" if request.get("authorization").is_none() => reply("401 Unauthorized", &[], &secret(45)),
        "/mcp" if request.target().contains('?') => reply(
            "200 OK",
            &["Content-Type: text/event-stream", &format!("Mcp-Session-Id: {}", secret(47))],
            &format!(
                "id: {}\ndata: {{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{{\"a\":\"{}\"}}}}\n\n",
                secret(45),
                secret(46)
            ),
        ),
        "/mcp" => {
            json("200 OK", &format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":"-1","message":"{}"}}}}"#, secret(46)))
        }
        "/broken" => format!("{} is no HTTP\r\n\r\n", secret(29)).into_bytes(),
        _ => reply("404 Not Found", &[], &format!("nothing for {}", request.text())),
    }
}

fn line(name: &str, number: usize) -> String {
    format!("{name}: {}", secret(number))
}

/// Every request, and whether its answer is one of the proxy's own, which repeats nothing.
fn flow() -> Vec<(Vec<u8>, bool)> {
    let (form, is_json) = ("Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json");
    let bearer = format!("Authorization: Bearer {}", secret(0));
    let message = |arguments: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"n","arguments":{arguments}}}}}"#)
    };
    let tool = message(&format!(r#"{{"password":"{}","any":"{}"}}"#, secret(6), secret(7)));
    let registration = format!(
        r#"{{"redirect_uris":["https://a.example/cb"],"client_secret":"{}","software_statement":"{}","jwks":{{"keys":[{{"k":"{}"}}]}},"initial_access_token":"{}"}}"#,
        secret(9),
        secret(10),
        secret(11),
        secret(12)
    );
    let authorize = format!(
        "/authorize?response_type=code&client_id=c&state={}&nonce={}&login_hint={}&id_token_hint={}&request={}&code_challenge={}",
        percent(15),
        percent(16),
        percent(17),
        percent(18),
        percent(19),
        percent(20)
    );
    let fields = |names: &[(&str, usize)]| {
        names.iter().map(|(name, number)| format!("{name}={}", percent(*number))).collect::<Vec<_>>().join("&")
    };
    let others = [
        ("client_assertion", 33),
        ("device_code", 34),
        ("subject_token", 35),
        ("actor_token", 36),
        ("assertion", 37),
        ("password", 38),
    ];
    let query = fields(&[("access_token", 40), ("api_key", 41), ("token", 42), ("sig", 43), ("key", 44)]);
    let long = "a".repeat(70_000);
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;
    vec![
        (post("/mcp", &[is_json], initialize), false),
        (
            post(
                "/mcp",
                &[
                    is_json,
                    &bearer,
                    &line("X-Api-Key", 1),
                    &format!("Cookie: a={}", secret(2)),
                    &line("Mcp-Session-Id", 3),
                    &line("X-Amz-Security-Token", 4),
                    &format!("Proxy-Authorization: Basic {}", basic("a", 5)),
                ],
                &tool,
            ),
            false,
        ),
        (post("/register", &[is_json, &format!("Authorization: Bearer {}", secret(8))], &registration), false),
        (post("/register", &[is_json], &format!(r#"{{"client_secret":"{}", broken"#, secret(57))), false),
        (get(&authorize, &[&format!("Cookie: s={}", secret(21))]), false),
        (post("/login", &[form], &fields(&[("password", 25), ("csrf_token", 26)])), false),
        (
            post(
                "/token",
                &[form],
                &format!(
                    "grant_type=authorization_code&client_id=c&{}",
                    fields(&[("code", 22), ("code_verifier", 27), ("client_secret", 28)])
                ),
            ),
            false,
        ),
        (
            post(
                "/token",
                &[form, &format!("Authorization: Basic {}", basic("c", 32))],
                &format!("grant_type=refresh_token&{}", fields(&[("refresh_token", 30)])),
            ),
            false,
        ),
        (post("/token", &[form], &format!("grant_type=x&{}", fields(&others))), false),
        (post("/token", &[is_json], &format!(r#"{{"grant_type":"x","refresh_token":"{}"}}"#, secret(30))), false),
        (post("/revoke", &[form], &fields(&[("token", 39)])), false),
        (post(&format!("/mcp?{query}"), &[is_json, &bearer], &message("{}")), false),
        (
            get(
                "/x",
                &[
                    &line("DPoP", 48),
                    &format!("Authorization: Digest response=\"{}\"", secret(49)),
                    &format!("Referer: https://u:{}@a.example/?code={}", percent(50), percent(51)),
                    &line("X-Auth-Token", 52),
                    &line("X-Csrf-Token", 53),
                ],
            ),
            false,
        ),
        (get(&format!("/broken?{query}"), &[&bearer]), true),
        (format!("GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\nX-Api-Key: {}\r\n\r\n", secret(54)).into_bytes(), true),
        (format!("CONNECT {}:1 HTTP/1.1\r\nHost: h\r\n\r\n", secret(55)).into_bytes(), true),
        (format!("GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: {}\0\r\n\r\n", secret(56)).into_bytes(), true),
        (format!("GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: {}{long}\r\n\r\n", secret(58)).into_bytes(), true),
        (format!("GET /x?token={}{} HTTP/1.1\r\nHost: h\r\n\r\n", percent(59), &long[..20_000]).into_bytes(), true),
    ]
}

/// Everything in a folder, as one text.
fn everything_in(folder: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        text.push_str(&path.to_string_lossy());
        match path.is_dir() {
            true => text.push_str(&everything_in(&path)),
            false => text.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap())),
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_sixty_secrets_is_in_anything_that_is_put_out() {
    let upstream = Upstream::answering(telltale).await;
    let url = format!("http://{}", upstream.address);
    for (format, level) in [("text", "debug"), ("combined", "debug"), ("text", "trace")] {
        let folder = tempfile::tempdir().unwrap();
        let captures = folder.path().join("captures");
        let mut proxy = Binary::start(&[
            &url,
            "--public-url",
            "https://mcp.example.com",
            "--admin",
            "127.0.0.1:0",
            "--capture",
            captures.to_str().unwrap(),
            "--log-format",
            format,
            "--log-level",
            level,
            "--show-repairs",
        ])
        .await;
        let admin: std::net::SocketAddr = proxy.said("admin page   http://").await.parse().unwrap();
        for (request, is_own) in flow() {
            let mut client = proxy.connect().await;
            client.send(request).await;
            let answer = client.reply().await;
            assert!(answer.status() >= 200, "{answer:?}");
            if is_own {
                assert!(answer.status() >= 400, "{answer:?}");
                assert_clean("an answer of the proxy's own", &answer.all_text());
            }
        }
        for path in ["/", "/api/state", "/api/check", "/healthz", "/readyz", "/metrics", "/none"] {
            let mut client = crate::kit::Wire::new(tokio::net::TcpStream::connect(admin).await.unwrap());
            client.send(format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")).await;
            let answer = client.reply().await;
            assert!(
                matches!(answer.status(), 200 | 503) || ["/none", "/api/check"].contains(&path),
                "{path} {answer:?}"
            );
            assert_clean(path, &answer.all_text());
        }
        proxy.terminate();
        let (code, log, errors) = proxy.ended().await;
        assert_eq!(code, 0);
        assert!(log.contains("/authorize") && log.contains("/token") && errors.contains("DEBUG"), "{log}{errors}");
        assert_clean("standard output", &log);
        assert_clean("standard error", &errors);
        let captured = everything_in(&captures);
        assert!(captured.contains("invalid_grant"), "{captured}");
        assert_clean("the captures", &captured);
    }
}

#[test]
fn a_secret_is_found_in_every_form() {
    for text in [
        secret(7),
        percent(7),
        percent(7).replace('%', "%25"),
        serde_json::Value::from(secret(7)).to_string(),
        secret(7).replace('/', "\\/"),
        format!("Basic {}", STANDARD.encode(format!("c:{}", secret(7)))),
        format!("Basic {}", basic("client", 7)),
        URL_SAFE.encode(format!("{{\"t\":\"{}\"}}", secret(7))),
        secret(7)[5..].to_owned(),
    ] {
        let is_found = traces(7).iter().any(|trace| text.contains(trace));
        assert!(is_found, "{text}");
    }
}
