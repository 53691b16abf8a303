//! Discovery documents: whatever the upstream answers, clients get the document or a clean 404, at every place.

use serde_json::{Value, json as value};

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, json, post, reply, request};

const RESOURCE: [&str; 3] = [
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource",
    "/mcp/.well-known/oauth-protected-resource",
];
const SERVER: [&str; 4] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/openid-configuration",
    "/mcp/.well-known/openid-configuration",
];

fn origin(request: &Message) -> String {
    format!("http://{}", request.get("host").unwrap_or_default())
}

fn server_document(request: &Message) -> Value {
    let here = origin(request);
    value!({
        "issuer": here, "authorization_endpoint": format!("{here}/authorize"),
        "token_endpoint": format!("{here}/token"), "registration_endpoint": format!("{here}/register"),
        "response_types_supported": ["code"], "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none"],
    })
}

fn resource_document(request: &Message) -> Value {
    value!({"resource": format!("{}/mcp", origin(request)), "authorization_servers": [origin(request)]})
}

/// A server of its own at the first place of each kind; anything that the function has an answer for is that.
async fn cohosted(special: impl Fn(&Message) -> Option<Vec<u8>> + Send + Sync + 'static) -> Upstream {
    Upstream::answering(move |request| {
        special(request).unwrap_or_else(|| match (request.method(), request.target()) {
            ("GET", target) if target == RESOURCE[0] => json("200 OK", &resource_document(request).to_string()),
            ("GET", target) if target == SERVER[0] => json("200 OK", &server_document(request).to_string()),
            (_, "/mcp") => reply("401 Unauthorized", &[], ""),
            ("POST", "/token") => json("400 Bad Request", r#"{"error":"invalid_client"}"#),
            _ => reply("404 Not Found", &[], ""),
        })
    })
    .await
}

fn before(upstream: &Upstream) -> Proxy {
    Proxy::to(upstream).set("public_url", PUBLIC).set("limits.first_byte_seconds", "1").start()
}

async fn document(proxy: &Proxy, place: &str) -> Value {
    let answer = proxy.ask(get(place, &["Origin: https://page.example"])).await;
    assert_eq!(answer.status(), 200, "{place}: {answer:?}");
    assert_eq!(answer.get("content-type"), Some("application/json"), "{place}");
    assert_eq!(answer.get("access-control-allow-origin"), Some("*"), "{place}");
    assert!(answer.get("cache-control").is_some_and(|value| value.contains("no-store")), "{place}");
    answer.json()
}

async fn assert_resource(proxy: &Proxy, what: &str) {
    for place in RESOURCE {
        let found = document(proxy, place).await;
        assert_eq!(found["resource"], value!(format!("{PUBLIC}/mcp")), "{what} {place}");
        assert_eq!(found["authorization_servers"], value!([PUBLIC]), "{what} {place}");
        assert!(found.as_object().unwrap().values().all(|member| !member.is_null()), "{what} {place}: {found}");
    }
}

async fn assert_server(proxy: &Proxy, what: &str) {
    for place in SERVER {
        let found = document(proxy, place).await;
        assert_eq!(found["issuer"], PUBLIC, "{what} {place}");
        for (name, path) in [
            ("authorization_endpoint", "authorize"),
            ("token_endpoint", "token"),
            ("registration_endpoint", "register"),
        ] {
            assert_eq!(found[name], value!(format!("{PUBLIC}/{path}")), "{what} {place}: {found}");
        }
        assert_eq!(found["response_types_supported"], value!(["code"]), "{what} {place}");
        assert!(found.as_object().unwrap().values().all(|member| !member.is_null()), "{what} {place}: {found}");
        if place.contains("openid") {
            assert!(found["jwks_uri"].is_string() && found["subject_types_supported"].is_array(), "{what} {place}");
        }
    }
}

async fn assert_not_found(proxy: &Proxy, place: &str, what: &str) {
    let answer = proxy.ask(get(place, &[])).await;
    assert_eq!((answer.status(), answer.json()), (404, value!({"error": "not_found"})), "{what} {place}");
    assert_eq!(answer.get("content-type"), Some("application/json"), "{what} {place}");
}

/// What places answer that have no document, in deployed servers.
fn wrong_answers() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a page", reply("200 OK", &["Content-Type: text/html"], "<!doctype html><title>App</title>")),
        ("a page as 404", reply("404 Not Found", &["Content-Type: text/html"], "<h1>Not found</h1>")),
        ("behind a login", reply("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], "")),
        ("forbidden", json("403 Forbidden", r#"{"message":"Missing Authentication Token"}"#)),
        ("a redirect to a login", reply("302 Found", &["Location: /login"], "")),
        ("a redirect elsewhere", reply("302 Found", &["Location: https://login.example.net/"], "")),
        ("an error", reply("500 Internal Server Error", &[], "oops")),
        ("too many", json("429 Too Many Requests", r#"{"error":"rate"}"#)),
        ("unavailable", reply("503 Service Unavailable", &["Retry-After: 5"], "")),
        ("other JSON", json("200 OK", r#"{"status":"ok"}"#)),
        ("an error with 200", json("200 OK", r#"{"error":"unauthorized"}"#)),
        ("a list", json("200 OK", "[]")),
        ("half a document", json("200 OK", r#"{"issuer":"#)),
        ("nothing", json("200 OK", "")),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("no method", reply("405 Method Not Allowed", &["Allow: POST"], "")),
    ]
}

#[tokio::test]
async fn a_server_without_oauth_stays_one() {
    for (what, wrong) in wrong_answers() {
        let upstream = Upstream::answering(move |request| match request.target() {
            "/mcp" => json("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            _ => wrong.clone(),
        })
        .await;
        let proxy = before(&upstream);
        for place in RESOURCE.iter().chain(&SERVER) {
            let answer = proxy.ask(get(place, &[])).await;
            assert_eq!(answer.status(), 404, "{what} {place}: {answer:?}");
            assert_ne!(answer.get("content-type"), Some("text/html"), "{what} {place}");
        }
        let called = proxy.ask(post("/mcp", &["Content-Type: application/json"], "{}")).await;
        assert_eq!((called.status(), called.get("www-authenticate")), (200, None), "{what}");
    }
}

#[tokio::test]
async fn a_document_at_one_place_is_served_at_all_whatever_the_others_answer() {
    for (what, wrong) in wrong_answers() {
        let upstream = cohosted(move |request| {
            let target = request.target();
            (target.contains(".well-known") && target != RESOURCE[0] && target != SERVER[0]).then(|| wrong.clone())
        })
        .await;
        let proxy = before(&upstream);
        assert_resource(&proxy, what).await;
        assert_server(&proxy, what).await;
    }
}

#[tokio::test]
async fn resource_metadata_are_derived_from_a_server_of_its_own() {
    for (what, wrong) in wrong_answers() {
        let upstream =
            cohosted(move |request| request.target().contains("oauth-protected").then(|| wrong.clone())).await;
        let proxy = before(&upstream);
        assert_resource(&proxy, what).await;
        let refused = proxy.ask(post("/mcp", &["Content-Type: application/json"], "{}")).await;
        assert!(refused.get("www-authenticate").unwrap().contains(RESOURCE[0]), "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn every_written_form_of_both_documents_comes_out_right() {
    type Edit = fn(&mut Value, &str);
    let resource: &[(&str, Edit)] = &[
        ("a slash", |d, here| d["resource"] = value!(format!("{here}/mcp/"))),
        ("the origin", |d, here| d["resource"] = value!(here)),
        ("null resource", |d, _| d["resource"] = Value::Null),
        ("a string", |d, here| d["authorization_servers"] = value!(here)),
        ("a slash at the issuer", |d, here| d["authorization_servers"] = value!([format!("{here}/")])),
        ("a metadata URL", |d, here| d["authorization_servers"] = value!([format!("{here}{}", SERVER[0])])),
        ("an empty list", |d, _| d["authorization_servers"] = value!([])),
        ("null servers", |d, _| d["authorization_servers"] = Value::Null),
        ("nulls", |d, _| {
            for name in ["scopes_supported", "resource_name", "jwks_uri", "resource_documentation"] {
                d[name] = Value::Null;
            }
        }),
        ("empty and relative addresses", |d, _| {
            d["resource_documentation"] = value!("/docs");
            d["resource_policy_uri"] = value!("");
        }),
    ];
    for (what, edit) in resource {
        let edit = *edit;
        let upstream = cohosted(move |request| {
            let mut changed = resource_document(request);
            edit(&mut changed, &origin(request));
            (request.target() == RESOURCE[0]).then(|| json("200 OK", &changed.to_string()))
        })
        .await;
        assert_resource(&before(&upstream), what).await;
    }
    let server: &[(&str, Edit)] = &[
        ("no issuer", |d, _| drop(d.as_object_mut().unwrap().remove("issuer"))),
        ("null issuer", |d, _| d["issuer"] = Value::Null),
        ("an issuer with a slash", |d, here| d["issuer"] = value!(format!("{here}/"))),
        ("the endpoint as issuer", |d, here| d["issuer"] = value!(format!("{here}/mcp"))),
        ("another issuer, own endpoints", |d, _| d["issuer"] = value!("https://wrong.example")),
        ("an internal host in all of it", |d, here| {
            *d = serde_json::from_str(&d.to_string().replace(here, "http://backend.internal:8080")).unwrap();
        }),
        ("null lists", |d, _| {
            for name in ["response_types_supported", "scopes_supported", "code_challenge_methods_supported"] {
                d[name] = Value::Null;
            }
        }),
        ("strings for lists", |d, _| {
            d["response_types_supported"] = value!("code");
            d["token_endpoint_auth_methods_supported"] = value!("none");
        }),
        ("relative endpoints", |d, _| {
            for (name, path) in [
                ("authorization_endpoint", "/authorize"),
                ("token_endpoint", "/token"),
                ("registration_endpoint", "/register"),
            ] {
                d[name] = value!(path);
            }
        }),
        ("a flag as text", |d, _| d["client_id_metadata_document_supported"] = value!("false")),
        ("empty addresses", |d, _| {
            d["revocation_endpoint"] = value!("");
            d["service_documentation"] = value!("docs");
        }),
        ("other names", |d, here| {
            *d = value!({"issuer": here, "authorize_url": format!("{here}/authorize"), "token_url": format!("{here}/token"),
                         "registration_url": format!("{here}/register")});
        }),
        ("wrapped", |d, _| *d = value!({ "data": d })),
    ];
    for (what, edit) in server {
        let edit = *edit;
        let upstream = cohosted(move |request| {
            let mut changed = server_document(request);
            edit(&mut changed, &origin(request));
            (request.target() == SERVER[0]).then(|| json("200 OK", &changed.to_string()))
        })
        .await;
        assert_server(&before(&upstream), what).await;
    }
}

#[tokio::test]
async fn documents_called_text_and_compressed_ones_are_read() {
    let gzip = |text: &str| {
        let mut coded = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut coded, text.as_bytes()).unwrap();
        coded.finish().unwrap()
    };
    for kind in ["text/plain", "application/octet-stream", "text/html"] {
        let upstream = cohosted(move |request| {
            let label = format!("Content-Type: {kind}");
            match request.target() {
                target if target == RESOURCE[0] => Some(reply("200 OK", &[&label], &resource_document(request).to_string())),
                target if target == SERVER[0] => {
                    let body = gzip(&server_document(request).to_string());
                    let mut all = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    )
                    .into_bytes();
                    all.extend(body);
                    Some(all)
                }
                _ => None,
            }
        })
        .await;
        let proxy = before(&upstream);
        assert_resource(&proxy, kind).await;
        assert_server(&proxy, kind).await;
    }
}

/// Endpoints at the default paths, and nothing that tells of them.
async fn bare(refusal: &'static str, registers: bool) -> Upstream {
    Upstream::answering(move |request| {
        let path = request.target().split('?').next().unwrap_or_default();
        match (request.method(), path) {
            (_, "/mcp") => reply("401 Unauthorized", &[], ""),
            ("GET", "/authorize") => json("400 Bad Request", r#"{"error":"invalid_request"}"#),
            ("POST", "/token") => json("400 Bad Request", refusal),
            ("POST", "/register") if registers => json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#),
            _ => reply("404 Not Found", &["Content-Type: text/html"], "<h1>Not found</h1>"),
        }
    })
    .await
}

#[tokio::test]
async fn endpoints_without_metadata_are_found_and_only_what_they_show_is_claimed() {
    let pkce = r#"{"error":"invalid_request","error_description":"code_verifier is required"}"#;
    let upstream = bare(pkce, true).await;
    let proxy = before(&upstream);
    assert_resource(&proxy, "bare").await;
    assert_server(&proxy, "bare").await;
    let found = document(&proxy, SERVER[0]).await;
    assert_eq!(found["code_challenge_methods_supported"], value!(["S256"]));

    let upstream = bare(r#"{"error":"invalid_client"}"#, false).await;
    let proxy = before(&upstream);
    let found = document(&proxy, SERVER[0]).await;
    assert_eq!(found["token_endpoint"], value!(format!("{PUBLIC}/token")));
    assert!(found.get("code_challenge_methods_supported").is_none() && found.get("registration_endpoint").is_none());
}

#[tokio::test]
async fn registration_and_refresh_are_named_once_they_are_seen() {
    let upstream = cohosted(|request| match (request.method(), request.target()) {
        ("GET", target) if target == SERVER[0] => {
            let mut document = server_document(request);
            document.as_object_mut().unwrap().remove("registration_endpoint");
            document["grant_types_supported"] = value!(["authorization_code"]);
            Some(json("200 OK", &document.to_string()))
        }
        ("POST", "/register") => Some(json("400 Bad Request", r#"{"error":"invalid_redirect_uri"}"#)),
        ("POST", "/token") => Some(json("400 Bad Request", r#"{"error":"invalid_grant"}"#)),
        _ => None,
    })
    .await;
    let proxy = before(&upstream);
    assert_server(&proxy, "registration").await;
    let grants = &document(&proxy, SERVER[0]).await["grant_types_supported"];
    assert_eq!(grants, &value!(["authorization_code", "refresh_token"]));
    let asked = upstream.seen_at("/register");
    assert!(asked.iter().all(|asked| asked.method() != "POST" || asked.text() == "mcp-mend"), "nothing to register");
}

#[tokio::test]
async fn the_last_good_copy_stands_in_for_one_that_hangs_or_fails() {
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicU8::new(0));
    let mode = failing.clone();
    let upstream = Upstream::script(move |mut conn| {
        let mode = mode.clone();
        async move {
            while let Some(request) = conn.next().await {
                let target = request.target().to_owned();
                let answer = match (mode.load(std::sync::atomic::Ordering::SeqCst), target.as_str()) {
                    (1, _) => reply("500 Internal Server Error", &[], ""),
                    (2, _) => continue,
                    (_, target) if target == RESOURCE[0] => json("200 OK", &resource_document(&request).to_string()),
                    (_, target) if target == SERVER[0] => json("200 OK", &server_document(&request).to_string()),
                    _ => reply("404 Not Found", &[], ""),
                };
                conn.send(answer).await;
            }
        }
    })
    .await;
    let proxy = before(&upstream);
    for state in [0, 1, 2] {
        failing.store(state, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(document(&proxy, RESOURCE[0]).await["authorization_servers"], value!([PUBLIC]), "{state}");
        assert_eq!(document(&proxy, SERVER[0]).await["issuer"], PUBLIC, "{state}");
    }
}

#[tokio::test]
async fn a_place_that_hangs_is_a_404_where_nothing_is_known() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if !request.target().contains(".well-known") {
                conn.send(reply("404 Not Found", &[], "")).await;
            }
        }
    })
    .await;
    assert_not_found(&before(&upstream), RESOURCE[0], "hangs").await;
}

#[tokio::test]
async fn an_upstream_that_is_down_is_told_as_such() {
    let proxy = Proxy::to_url(&format!("http://{}", Upstream::down().await)).start();
    let answer = proxy.ask(get(RESOURCE[0], &[])).await;
    assert_eq!((answer.status(), &answer.json()["error"]), (502, &value!("upstream_unreachable")));
}

#[tokio::test]
async fn another_resources_document_is_not_ours_to_show() {
    let upstream = cohosted(|request| match request.target() {
        "/.well-known/oauth-protected-resource/second" => {
            let document =
                value!({"resource": format!("{}/second", origin(request)), "authorization_servers": [origin(request)]});
            Some(json("200 OK", &document.to_string()))
        }
        "/.well-known/oauth-protected-resource/third" => Some(json("200 OK", &resource_document(request).to_string())),
        _ => None,
    })
    .await;
    let proxy = before(&upstream);
    let second = document(&proxy, "/.well-known/oauth-protected-resource/second").await;
    assert_eq!(second["resource"], value!(format!("{PUBLIC}/second")));
    assert_not_found(&proxy, "/.well-known/oauth-protected-resource/third", "third").await;
}

#[tokio::test]
async fn a_head_says_of_a_document_what_a_get_says() {
    let upstream =
        cohosted(|request| (request.method() == "HEAD").then(|| reply("405 Method Not Allowed", &["Allow: GET"], "")))
            .await;
    let proxy = before(&upstream);
    for place in RESOURCE.iter().chain(&SERVER) {
        let length = proxy.ask(get(place, &[])).await.body.len().to_string();
        let mut client = proxy.connect().await;
        client.send(request("HEAD", place, &[], "")).await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status(), head.get("content-length")), (200, Some(length.as_str())), "{place}");
        // The connection goes on where the head ended.
        client.send(get("/none", &[])).await;
        assert_eq!(client.reply().await.status(), 404, "{place}");
    }
}

#[tokio::test]
async fn another_hosts_issuer_is_listed_as_it_writes_itself_and_never_spoken_for() {
    let foreign = Upstream::answering(|request| match request.target() {
        "/.well-known/oauth-authorization-server/t" => {
            let issuer = format!("{}/t", origin(request));
            json(
                "200 OK",
                &value!({"issuer": issuer, "token_endpoint": format!("{issuer}/token"),
                                    "authorization_endpoint": format!("{issuer}/authorize")})
                .to_string(),
            )
        }
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let listed = format!("http://{}/t/", foreign.address);
    let issuer = listed.trim_end_matches('/').to_owned();
    let upstream = Upstream::answering(move |request| match request.target() {
        target if target == RESOURCE[0] => json(
            "200 OK",
            &value!({"resource": format!("{}/mcp", origin(request)), "authorization_servers": [listed]}).to_string(),
        ),
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let proxy = before(&upstream);
    assert_eq!(document(&proxy, RESOURCE[1]).await["authorization_servers"], value!([issuer]));
    for place in SERVER {
        assert_eq!(proxy.ask(get(place, &[])).await.status(), 404, "{place}");
    }
}

#[tokio::test]
async fn a_copy_of_another_hosts_document_names_that_host() {
    for lists_itself in [true, false] {
        let upstream = cohosted(move |request| match request.target() {
            target if target == RESOURCE[0] && !lists_itself => Some(reply("404 Not Found", &[], "")),
            target if target == SERVER[0] => {
                let issuer = "https://login.example.net/t";
                let copy = value!({"issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                                   "token_endpoint": format!("{issuer}/token"), "response_types_supported": ["code"]});
                Some(json("200 OK", &copy.to_string()))
            }
            _ => None,
        })
        .await;
        let proxy = before(&upstream);
        for place in RESOURCE {
            let found = document(&proxy, place).await;
            assert_eq!(
                found["authorization_servers"],
                value!(["https://login.example.net/t"]),
                "{lists_itself} {place}"
            );
        }
    }
}
