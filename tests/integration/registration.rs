//! Registrations: what is sent a second time, when, with what, and never a third time; what is made of the answers.

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

/// Registers, and answers what came back and what the upstream was asked, where it accepts what `accepts` says.
async fn insist(
    metadata: &str,
    body: &str,
    refusal: Vec<u8>,
    accepts: impl Fn(&Message) -> bool + Send + Sync + 'static,
) -> (Message, Vec<Message>) {
    let upstream = registrar(metadata, move |request| match accepts(request) {
        true => json("201 Created", r#"{"client_id":"c"}"#),
        false => refusal.clone(),
    })
    .await;
    let answer = Proxy::to(&upstream).start().ask(post("/register", &["Content-Type: application/json"], body)).await;
    (answer, upstream.seen_at("/register"))
}

fn description(text: &str) -> Vec<u8> {
    let body = serde_json::json!({ "error": "invalid_client_metadata", "error_description": text });
    json("400 Bad Request", &body.to_string())
}

#[tokio::test]
async fn a_refused_registration_is_reduced_by_what_the_refusal_says() {
    let three = r#"{"client_name":"Cursor","redirect_uris":["cursor://a/cb","https://a.example/cb","http://localhost:8787/cb"]}"#;
    let inspector = r#"{"client_name":"I","redirect_uris":["http://localhost:6274/cb"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","client_uri":"https://i.example","application_type":"native","scope":""}"#;
    let reduced = r#"{"client_name":"I","redirect_uris":["http://localhost:6274/cb"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}"#;
    let nameless = r#"{"redirect_uris":["https://claude.ai/api/mcp/auth_callback","https://claude.com/api/mcp/auth_callback"],"scope":"claudeai"}"#;
    let named = r#"{"redirect_uris":["https://claude.ai/api/mcp/auth_callback","https://claude.com/api/mcp/auth_callback"],"scope":"claudeai","client_name":"Claude"}"#;
    let named_without_scope = r#"{"redirect_uris":["https://claude.ai/api/mcp/auth_callback","https://claude.com/api/mcp/auth_callback"],"client_name":"Claude"}"#;
    let without_scope =
        r#"{"redirect_uris":["https://claude.ai/api/mcp/auth_callback","https://claude.com/api/mcp/auth_callback"]}"#;
    let web_and_loopback =
        r#"{"client_name":"Cursor","redirect_uris":["https://a.example/cb","http://localhost:8787/cb"]}"#;
    let web = r#"{"client_name":"Cursor","redirect_uris":["https://a.example/cb"]}"#;
    let public = r#"{"redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"none"}"#;
    let confidential =
        r#"{"redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"client_secret_post"}"#;
    let secrets = r#","token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"]"#;
    let html = |status, body| reply(status, &["Content-Type: text/html"], body);
    for (row, (metadata, body, refusal, second)) in [
        ("", three, json("400 Bad Request", r#"{"message":"redirect_uris.0 is not a valid URL"}"#), web_and_loopback),
        ("", three, json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#), web_and_loopback),
        ("", three, html("400 Bad Request", "<h1>redirect_uri 'cursor://a/cb' not allowed</h1>"), web_and_loopback),
        ("", three, description("Redirect URIs must use https"), web),
        ("", inspector, description("Unrecognized field \"application_type\""), reduced),
        ("", inspector, json("422 Unprocessable Entity", r#"{"detail":[{"type":"extra_forbidden","loc":["body","application_type"],"msg":"Extra inputs are not permitted","input":"native"}]}"#), reduced),
        ("", inspector, html("400 Bad Request", "<pre>Error: unknown property application_type</pre>"), reduced),
        ("", inspector, json("400 Bad Request", r#"{"error":"invalid_client_metadata"}"#), reduced),
        ("", inspector, reply("400 Bad Request", &[], ""), reduced),
        ("", nameless, json("422 Unprocessable Content", r#"{"message":"The client name field is required.","errors":{"client_name":["The client name field is required."]}}"#), named),
        ("", nameless, json("400 Bad Request", r#"{"error":"invalid_scope"}"#), without_scope),
        ("", nameless, description("client_name is required, scope is not allowed"), named_without_scope),
        (secrets, public, description("token_endpoint_auth_method must not be none"), confidential),
    ]
    .into_iter()
    .enumerate()
    {
        let wanted: serde_json::Value = serde_json::from_str(second).unwrap();
        let (answer, asked) = insist(metadata, body, refusal, move |request| request.json() == wanted).await;
        let last = asked.last().unwrap().text();
        assert_eq!((asked.len(), answer.status()), (2, 201), "row {row}: {last}");
        assert_eq!(last, second, "row {row}");
        // What was registered, and not what was asked for.
        let registered: serde_json::Value = serde_json::from_str(second).unwrap();
        assert_eq!(answer.json()["redirect_uris"], registered["redirect_uris"], "row {row}");
    }
}

#[tokio::test]
async fn a_refusal_that_nothing_cures_is_not_followed_by_another_ask() {
    let body = r#"{"client_name":"I","redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"none","software_id":"i","scope":"a"}"#;
    let plain = r#"{"client_name":"I","redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"none"}"#;
    let unnamed = r#"{"error":"invalid_client_metadata"}"#;
    for (row, (body, refusal)) in [
        (body, json("401 Unauthorized", unnamed)),
        (
            body,
            json("403 Forbidden", r#"{"error":"invalid_scope","error_description":"Unrecognized field software_id"}"#),
        ),
        (body, json("429 Too Many Requests", unnamed)),
        (body, json("503 Service Unavailable", unnamed)),
        (body, json("500 Internal Server Error", r#"{"error":"server_error"}"#)),
        // A client may have been registered all the same.
        (body, json("500 Internal Server Error", r#"{"error":"Unrecognized field software_id"}"#)),
        (body, json("409 Conflict", r#"{"error":"Unrecognized field software_id"}"#)),
        (body, reply("404 Not Found", &[], "")),
        (body, json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#)),
        (body, json("400 Bad Request", r#"{"error":"invalid_software_statement"}"#)),
        (body, description("An initial access token is required")),
        (body, description("Dynamic client registration is disabled")),
        (body, description("token_endpoint_auth_method none is not allowed")),
        (plain, json("400 Bad Request", unnamed)),
        (plain, description("Content-Type must be application/json")),
    ]
    .into_iter()
    .enumerate()
    {
        let (answer, asked) = insist("", body, refusal, |_| false).await;
        assert_eq!(asked.len(), 1, "row {row}");
        assert!(answer.status() >= 400 && answer.json()["error"].is_string(), "row {row}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_second_refusal_leaves_the_first_answer_and_never_makes_a_third_ask() {
    let body = r#"{"client_name":"I","redirect_uris":["cursor://a/cb","http://localhost:1/cb"],"software_id":"i","scope":"a"}"#;
    for refusal in [
        json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#),
        description("Unrecognized field software_id"),
        description("scope"),
        reply("400 Bad Request", &["Content-Type: text/plain"], "expected x-www-form-urlencoded"),
    ] {
        let (answer, asked) = insist("", body, refusal, |_| false).await;
        assert_eq!((asked.len(), answer.status()), (2, 400));
    }
}

#[tokio::test]
async fn a_server_that_wants_a_form_gets_one() {
    let body = r#"{"client_name":"A b","redirect_uris":["http://localhost:1/a","http://localhost:1/b"],"token_endpoint_auth_method":"client_secret_post"}"#;
    for refusal in [
        reply("415 Unsupported Media Type", &[], ""),
        description("the body has to be application/x-www-form-urlencoded"),
    ] {
        let is_form = |request: &Message| request.get("content-type") == Some("application/x-www-form-urlencoded");
        let (answer, asked) = insist("", body, refusal, is_form).await;
        assert_eq!((asked.len(), answer.status()), (2, 201));
        assert_eq!(
            asked[1].text(),
            "client_name=A+b&redirect_uris=http%3A%2F%2Flocalhost%3A1%2Fa&redirect_uris=http%3A%2F%2Flocalhost%3A1%2Fb\
             &token_endpoint_auth_method=client_secret_post"
        );
        let uris = serde_json::json!(["http://localhost:1/a", "http://localhost:1/b"]);
        assert_eq!(answer.json()["redirect_uris"], uris);
        assert_eq!(method_of(&answer.json()), Some("none"), "no secret came");
    }
}

#[tokio::test]
async fn an_answer_in_any_form_becomes_one_that_every_client_reads() {
    let uris = serde_json::json!(["http://localhost:1/cb"]);
    let body = r#"{"redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"client_secret_post"}"#;
    for accepted in [
        reply("200 OK", &["Content-Type: text/plain"], r#"{"client_id":"c","client_secret":"s"}"#),
        reply("202 Accepted", &[], r#"{"client_id":"c","client_secret":"s","scope":null}"#),
        json("201 Created", r#"{"ok":true,"data":{"client_id":"c","client_secret":"s"}}"#),
        json("200 OK", r#"{"clientId":"c","clientSecret":"s","clientSecretExpiresAt":null}"#),
    ] {
        let upstream = registrar("", move |_| accepted.clone()).await;
        let (answer, asked) = register(&upstream, &[], body).await;
        let document = answer.json();
        assert_eq!((answer.status(), asked.len(), answer.get("content-type")), (201, 1, Some("application/json")));
        assert_eq!((&document["client_id"], &document["client_secret"]), (&"c".into(), &"s".into()));
        assert_eq!((&document["client_secret_expires_at"], &document["redirect_uris"]), (&0.into(), &uris));
        assert_eq!(method_of(&document), Some("client_secret_post"));
    }
}

#[tokio::test]
async fn a_refusal_in_any_form_becomes_one_that_every_client_reads() {
    let body = r#"{"client_name":"I","redirect_uris":["http://localhost:1/cb"],"token_endpoint_auth_method":"none"}"#;
    let own = ",\"scopes_supported\":[]";
    let html = |status, body| reply(status, &["Content-Type: text/html", "Retry-After: 7"], body);
    for (metadata, refusal, status, error, text) in [
        (
            own,
            html("500 Internal Server Error", "<title>Error</title>boom"),
            400,
            "invalid_client_metadata",
            "Error boom",
        ),
        (own, html("429 Too Many Requests", "<p>slow down"), 429, "temporarily_unavailable", "slow down"),
        (own, html("502 Bad Gateway", "<p>nginx"), 502, "server_error", "nginx"),
        (own, json("401 Unauthorized", r#"{"message":"who"}"#), 401, "invalid_token", "who"),
        (
            own,
            json("200 OK", r#"{"error":"invalid_redirect_uri","error_description":"d"}"#),
            400,
            "invalid_redirect_uri",
            "d",
        ),
        ("", html("200 OK", "<title>App</title>"), 404, "not_found", "No clients are registered here."),
        ("", html("405 Method Not Allowed", "<p>no"), 404, "not_found", "no"),
    ] {
        let (answer, asked) = insist(metadata, body, refusal, |_| false).await;
        let document = answer.json();
        assert_eq!((answer.status(), asked.len()), (status, 1), "{document}");
        assert_eq!((&document["error"], &document["error_description"]), (&error.into(), &text.into()));
        assert_eq!(
            (answer.get("content-type"), answer.get("cache-control")),
            (Some("application/json"), Some("no-store"))
        );
        assert_eq!(
            answer.get("retry-after").is_some(),
            document.get("message").is_none() && error != "invalid_redirect_uri"
        );
    }
}

#[tokio::test]
async fn a_sites_own_page_for_new_users_stays_as_it_is() {
    let answer = reply("422 Unprocessable Entity", &["Content-Type: text/html"], "<p>name is taken");
    let upstream = registrar("", move |_| answer.clone()).await;
    let proxy = Proxy::to(&upstream).start();
    for (kind, body) in [
        ("Content-Type: application/x-www-form-urlencoded", "name=a&password=b"),
        ("Content-Type: application/json", r#"{"name":"a","password":"b"}"#),
    ] {
        let answer = proxy.ask(post("/register", &[kind], body)).await;
        assert_eq!((answer.status(), answer.text().as_str()), (422, "<p>name is taken"));
    }
    assert_eq!(upstream.seen_at("/register").len(), 2);
}

#[tokio::test]
async fn the_answer_is_mended_by_the_request_whichever_repairs_of_requests_are_off() {
    let upstream = registrar("", |_| json("201 Created", r#"{"client_id":"c"}"#)).await;
    let proxy = Proxy::to(&upstream).set("repairs", "register.hosted-callback=off").start();
    let body = r#"{"redirect_uris":["https://a.example/cb"]}"#;
    let answer = proxy.ask(post("/register", &["Content-Type: application/json"], body)).await;
    assert_eq!(answer.json()["redirect_uris"], serde_json::json!(["https://a.example/cb"]));
}
