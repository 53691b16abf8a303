//! Registrations that are sent a second time: when, with what, and never a third time.

use crate::kit::{Message, Proxy, Upstream, json, post, reply};

const CALLBACKS: [&str; 2] = ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"];

/// An upstream whose registration answers so, with these metadata (none if empty).
async fn registrar(metadata: &str, answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    let metadata = metadata.to_owned();
    Upstream::answering(move |request| match request.target() {
        "/register" => answer(request),
        "/.well-known/oauth-authorization-server" if !metadata.is_empty() => {
            let issuer = format!("http://{}", request.get("host").unwrap_or_default());
            json("200 OK", &format!("{{\"issuer\":\"{issuer}\",\"token_endpoint\":\"{issuer}/token\"{metadata}}}"))
        }
        _ => reply("404 Not Found", &[], ""),
    })
    .await
}

async fn register(upstream: &Upstream, headers: &[&str], body: &str) -> (Message, Vec<serde_json::Value>) {
    let mut all = vec!["Content-Type: application/json"];
    all.extend(headers);
    let answer = Proxy::to(upstream).start().ask(post("/register", &all, body)).await;
    (answer, upstream.seen_at("/register").iter().map(Message::json).collect())
}

fn method_of(request: &serde_json::Value) -> Option<&str> {
    request.get("token_endpoint_auth_method").and_then(serde_json::Value::as_str)
}

#[tokio::test]
async fn a_public_client_is_registered_instead_only_on_evidence() {
    let post_secret = r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_post"}"#;
    let basic = r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_basic"}"#;
    let silent = r#"{"redirect_uris":["https://a.example/cb"]}"#;
    let none = r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}"#;
    let public = r#","token_endpoint_auth_methods_supported":["none"],"code_challenge_methods_supported":["S256"]"#;
    let secrets_only = r#","token_endpoint_auth_methods_supported":["client_secret_post"]"#;
    let plain_pkce = r#","code_challenge_methods_supported":["plain"]"#;
    let stranger = ("401 Unauthorized", r#"{"error":"invalid_request"}"#);
    let named =
        ("400 Bad Request", r#"{"error":"invalid_client_metadata","error_description":"token_endpoint_auth_method"}"#);
    let other = ("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#);
    let broken = ("500 Internal Server Error", r#"{"error":"server_error"}"#);
    let authorized: &[&str] = &["Authorization: Bearer initial"];
    for (row, (metadata, headers, body, (status, refusal), again)) in [
        ("", &[][..], post_secret, stranger, true),
        ("", &[], basic, stranger, true),
        ("", &[], silent, stranger, true),
        (public, &[], post_secret, stranger, true),
        (public, &[], post_secret, named, true),
        ("", &[], none, stranger, false),
        ("", authorized, post_secret, stranger, false),
        (secrets_only, &[], post_secret, stranger, false),
        (plain_pkce, &[], post_secret, stranger, false),
        ("", &[], post_secret, other, false),
        ("", &[], post_secret, broken, false),
        ("", authorized, post_secret, named, false),
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = registrar(metadata, move |request| match request.text().contains("\"none\"") {
            true if again => json("201 Created", r#"{"client_id":"c","client_secret":"s3","client_secret_expires_at":0,"token_endpoint_auth_method":"none"}"#),
            _ => json(status, refusal),
        })
        .await;
        let (answer, asked) = register(&upstream, headers, body).await;
        assert_eq!(asked.len(), 1 + usize::from(again), "row {row}: {asked:?}");
        if again {
            assert_eq!((answer.status(), method_of(&asked[1])), (201, Some("none")), "row {row}");
            assert_eq!(method_of(&answer.json()), Some("none"), "row {row}");
            assert_eq!(answer.json().get("client_secret"), None, "row {row}");
        } else {
            assert_eq!(answer.start.split(' ').nth(1), status.split(' ').next(), "row {row}");
            assert!(answer.text().contains(&refusal[1..refusal.len() - 1]), "row {row}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_first_refusal_stands_if_the_second_ask_fails_too() {
    let upstream = registrar("", |request| match request.text().contains("\"none\"") {
        true => json("403 Forbidden", r#"{"error":"second"}"#),
        false => json("401 Unauthorized", r#"{"error":"first"}"#),
    })
    .await;
    let (answer, asked) = register(&upstream, &[], r#"{"redirect_uris":["https://a.example/cb"]}"#).await;
    assert_eq!((answer.status(), asked.len()), (401, 2));
    assert_eq!(answer.json()["error"], "first");
}

fn uris(list: &[&str]) -> String {
    serde_json::json!({ "redirect_uris": list, "token_endpoint_auth_method": "none" }).to_string()
}

#[tokio::test]
async fn the_other_hosted_callback_is_added_and_nothing_else() {
    let [ai, com] = CALLBACKS;
    for (asked, sent) in [
        (vec![ai], vec![ai, com]),
        (vec![com], vec![com, ai]),
        (vec![ai, com], vec![ai, com]),
        (vec!["http://localhost:1/cb", ai], vec!["http://localhost:1/cb", ai, com]),
        (vec!["https://a.example/cb"], vec!["https://a.example/cb"]),
        (vec!["https://claude.ai/api/mcp/auth_callback/"], vec!["https://claude.ai/api/mcp/auth_callback/"]),
        (
            vec!["https://claude.ai.evil.example/api/mcp/auth_callback"],
            vec!["https://claude.ai.evil.example/api/mcp/auth_callback"],
        ),
        (vec!["http://claude.ai/api/mcp/auth_callback"], vec!["http://claude.ai/api/mcp/auth_callback"]),
        (vec!["https://claude.ai/api/mcp/auth_callback?x"], vec!["https://claude.ai/api/mcp/auth_callback?x"]),
        (vec!["https://CLAUDE.ai/api/mcp/auth_callback"], vec!["https://CLAUDE.ai/api/mcp/auth_callback"]),
        (vec![], vec![]),
    ] {
        let upstream = registrar("", |request| json("201 Created", &request.text())).await;
        let (_, requests) = register(&upstream, &[], &uris(&asked)).await;
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0]["redirect_uris"], serde_json::json!(sent), "{asked:?}");
    }
}

#[tokio::test]
async fn a_refused_larger_set_is_followed_once_by_the_clients_own() {
    let [ai, com] = CALLBACKS;
    for (asked, accepted) in
        [(vec![ai], true), (vec![com], true), (vec!["http://localhost:1/cb", com], true), (vec![ai], false)]
    {
        let own = serde_json::json!(asked);
        let upstream = registrar("", move |request| match request.json()["redirect_uris"] == own && accepted {
            true => json("201 Created", r#"{"client_id":"c","token_endpoint_auth_method":"none"}"#),
            false => json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#),
        })
        .await;
        let (answer, requests) = register(&upstream, &[], &uris(&asked)).await;
        assert_eq!((answer.status(), requests.len()), (if accepted { 201 } else { 400 }, 2), "{asked:?}");
        assert_eq!(requests[1]["redirect_uris"], serde_json::json!(asked));
    }
}

#[tokio::test]
async fn a_client_that_wants_both_callbacks_never_gets_one_alone() {
    let upstream = registrar("", |_| json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#)).await;
    let (answer, requests) = register(&upstream, &[], &uris(&CALLBACKS)).await;
    assert_eq!((answer.status(), requests.len()), (400, 1), "{requests:?}");
}
