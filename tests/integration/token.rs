//! Token and revocation requests: what the upstream is asked, how often, and what the client is told.

use crate::kit::{Message, Proxy, Upstream, json, post, reply};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const CODE: &str = "grant_type=authorization_code&code=c%2f1&client_id=a";
const REFRESH: &str = "grant_type=refresh_token&refresh_token=r&client_id=a";
const TOKEN: &str = r#"{"access_token":"t","token_type":"Bearer"}"#;
/// `a:s3`, and `a%3Ab:p%25q`, which means `a:b` and `p%q`.
const BASIC: &str = "Authorization: Basic YTpzMw==";
const BASIC_ESCAPED: &str = "Authorization: Basic YSUzQWI6cCUyNXE=";

/// An upstream whose endpoints answer so, with these further members of its metadata (no metadata if empty).
async fn server(metadata: &str, answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    let metadata = metadata.to_owned();
    Upstream::answering(move |request| match request.target() {
        "/.well-known/oauth-authorization-server" if !metadata.is_empty() => {
            let issuer = format!("http://{}", request.get("host").unwrap_or_default());
            json("200 OK", &format!("{{\"issuer\":\"{issuer}\",{}}}", metadata.replace("ISSUER", &issuer)))
        }
        target if target == "/mcp" || target.starts_with("/.well-known/") => reply("404 Not Found", &[], ""),
        _ => answer(request),
    })
    .await
}

const AT_DEFAULTS: &str = r#""authorization_endpoint":"ISSUER/authorize","token_endpoint":"ISSUER/token""#;

/// What a client is answered, and what the upstream was asked, besides what the proxy wants to know of it.
async fn ask(upstream: &Upstream, target: &str, headers: &[&str], form: &str) -> (Message, Vec<Message>) {
    let mut all = vec![FORM];
    all.extend(headers);
    let answer = Proxy::to(upstream).start().ask(post(target, &all, form)).await;
    let is_learning = |request: &Message| request.get("user-agent").is_some_and(|agent| agent.starts_with("mcp-mend/"));
    (answer, upstream.seen().into_iter().filter(|request| !is_learning(request)).collect())
}

/// As the answer has it, whatever the order of members.
fn error(answer: &Message) -> (u16, String) {
    (answer.status(), answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn answers_leave_in_the_form_that_every_client_reads() {
    for (status, kind, body, expected) in [
        ("200 OK", "application/json", TOKEN, TOKEN),
        (
            "200 OK",
            "application/x-www-form-urlencoded",
            "access_token=t&scope=repo%2Cuser&expires_in=60",
            r#"{"access_token":"t","scope":"repo user","expires_in":60,"token_type":"Bearer"}"#,
        ),
        (
            "201 Created",
            "text/html",
            r#"{ "access_token":"t", "token_type":"bearer" }"#,
            r#"{ "access_token":"t", "token_type":"bearer" }"#,
        ),
        (
            "200 OK",
            "application/json",
            r#"{"access_token":"t", "expires_in": 3599.5, "refresh_token":null, "token_type":"JWT", "own": 1.50}"#,
            r#"{"access_token":"t", "expires_in": 3599, "token_type":"Bearer", "own": 1.50}"#,
        ),
    ] {
        let (status, kind) = (status.to_owned(), format!("Content-Type: {kind}"));
        let upstream = server("", move |_| reply(&status, &[&kind], body)).await;
        let (answer, asked) = ask(&upstream, "/token", &[], CODE).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, expected));
        assert_eq!(answer.get("content-type"), Some("application/json"));
        assert_eq!(answer.get("content-length"), Some(expected.len().to_string().as_str()));
        assert_eq!((asked.len(), asked[0].text().as_str()), (1, CODE));
    }
}

#[tokio::test]
async fn refusals_leave_in_the_form_of_the_rfc() {
    for (status, body, form, expected) in [
        ("500 Internal Server Error", "<h1>Oh</h1>", CODE, (500, "server_error")),
        ("503 Service Unavailable", "", REFRESH, (503, "temporarily_unavailable")),
        ("422 Unprocessable Content", r#"{"detail":"no"}"#, CODE, (400, "invalid_request")),
        ("200 OK", r#"{"error":"bad_verification_code"}"#, CODE, (400, "bad_verification_code")),
        ("200 OK", "<!doctype html><title>App</title>", CODE, (502, "server_error")),
        ("404 Not Found", r#"{"message":"Unrecognized client_id"}"#, CODE, (401, "invalid_client")),
        ("401 Unauthorized", r#"{"error":"token_expired"}"#, REFRESH, (400, "invalid_grant")),
        ("401 Unauthorized", r#"{"error":"token_expired"}"#, CODE, (401, "token_expired")),
        ("400 Bad Request", "Bad Request", REFRESH, (400, "invalid_grant")),
    ] {
        let upstream = server("", move |_| reply(status, &["Retry-After: 7"], body)).await;
        let (answer, asked) = ask(&upstream, "/token", &[], form).await;
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()), "{status} {body}");
        assert_eq!((answer.get("retry-after"), asked.len()), (Some("7"), 1), "{status} {body}");
    }
}

#[tokio::test]
async fn a_code_is_never_sent_twice_where_it_may_have_been_taken() {
    let with_all = format!("{CODE}&client_secret=s3&scope=x&resource=https://h/mcp");
    for (status, body) in [
        ("200 OK", r#"{"error":"invalid_target"}"#),
        ("500 Internal Server Error", r#"{"error":"invalid_client"}"#),
        ("500 Internal Server Error", r#"{"error":"invalid_target"}"#),
        ("502 Bad Gateway", "Content-Type must be application/json"),
        ("503 Service Unavailable", r#"{"error":"invalid_client"}"#),
        ("400 Bad Request", r#"{"error":"invalid_grant","error_description":"client_id, resource, JSON, scope"}"#),
        ("400 Bad Request", r#"{"error":"invalid_scope"}"#),
        ("400 Bad Request", "no"),
        ("429 Too Many Requests", r#"{"error":"invalid_client"}"#),
        ("302 Found", ""),
        ("400 Bad Request", r#"{"message":"could not parse the answer of the user store"}"#),
        ("400 Bad Request", r#"{"message":"resource server could not be reached after the code was redeemed"}"#),
        ("400 Bad Request", r#"{"message":"client credentials ok, but token could not be stored"}"#),
        (
            "400 Bad Request",
            r#"{"error":"invalid_request","error_description":"code consumed; it was not issued to this client id"}"#,
        ),
        ("400 Bad Request", r#"{"error":"invalid_target","error_description":"the code was redeemed"}"#),
    ] {
        let upstream =
            server("", move |_| reply(status, &["Location: /login", "Content-Type: application/json"], body)).await;
        let (_, asked) = ask(&upstream, "/token", &[], &with_all).await;
        assert_eq!(asked.len(), 1, "{status} {body}");
    }
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.method() == "POST" {
                return conn.reset();
            }
            conn.send(reply("404 Not Found", &[], "")).await;
        }
    })
    .await;
    let (answer, asked) = ask(&upstream, "/token", &[], &with_all).await;
    assert_eq!((answer.status(), asked.len()), (502, 1));
}

#[tokio::test]
async fn a_refresh_token_that_may_be_rotated_is_sent_once() {
    let form = format!("{REFRESH}&client_secret=s3&scope=x&resource=https://h/mcp");
    for body in [
        r#"{"message":"token rotated, but the resource server could not be notified"}"#,
        r#"{"error":"invalid_scope","error_description":"token rotated"}"#,
    ] {
        let upstream = server("", move |_| json("400 Bad Request", body)).await;
        let (answer, asked) = ask(&upstream, "/token", &[], &form).await;
        assert_eq!((answer.status(), asked.len()), (400, 1), "{body}");
    }
}

#[tokio::test]
async fn a_secret_that_is_no_text_is_never_moved() {
    let metadata = format!(r#"{AT_DEFAULTS},"token_endpoint_auth_methods_supported":["client_secret_basic"]"#);
    for (headers, form) in [
        (&[][..], format!("{CODE}&client_secret=%ff")),
        // `a:%ff`.
        (&["Authorization: Basic YTolZmY="], CODE.to_owned()),
    ] {
        let upstream = server(&metadata, |_| json("401 Unauthorized", r#"{"error":"invalid_client"}"#)).await;
        let (_, asked) = ask(&upstream, "/token", headers, &form).await;
        assert_eq!((asked.len(), asked[0].text()), (1, form));
        assert_eq!(
            asked[0].get("authorization"),
            headers.first().and_then(|line| line.strip_prefix("Authorization: "))
        );
    }
}

#[tokio::test]
async fn what_is_refused_is_left_out_once() {
    let all = format!("{REFRESH}&scope=mcp+offline_access&resource=https%3A%2F%2Fh%2Fmcp");
    for (parameter, code, left) in [
        ("resource", "invalid_target", format!("{REFRESH}&scope=mcp+offline_access")),
        ("scope", "invalid_scope", format!("{REFRESH}&resource=https%3A%2F%2Fh%2Fmcp")),
    ] {
        for accepts in [true, false] {
            let upstream = server("", move |request| {
                let named = request.text().contains(&format!("{parameter}="));
                if named || !accepts {
                    return json("400 Bad Request", &format!("{{\"error\":\"{code}\"}}"));
                }
                json("200 OK", TOKEN)
            })
            .await;
            let (answer, asked) = ask(&upstream, "/token", &[], &all).await;
            assert_eq!((answer.status(), asked.len()), (if accepts { 200 } else { 400 }, 2), "{parameter}");
            assert_eq!((asked[0].text(), asked[1].text()), (all.clone(), left.clone()));
            assert_eq!(asked[1].get("content-length"), Some(left.len().to_string().as_str()));
        }
    }
}

#[tokio::test]
async fn a_server_that_reads_json_alone_is_asked_with_json() {
    let upstream = server("", |request| match request.get("content-type") {
        Some("application/json") => json("200 OK", TOKEN),
        _ => json("400 Bad Request", r#"{"error":"invalid_request","error_description":"grant_type is required"}"#),
    })
    .await;
    let (answer, asked) = ask(&upstream, "/token", &[], CODE).await;
    assert_eq!((answer.status(), asked.len()), (200, 2));
    let expected = serde_json::json!({ "grant_type": "authorization_code", "code": "c/1", "client_id": "a" });
    assert_eq!(asked[1].json(), expected);
}

/// An upstream that finds the client only in the header, or only in the form.
async fn particular(metadata: &str, in_header: bool) -> Upstream {
    server(metadata, move |request| {
        let (header, form) = (request.get("authorization").is_some(), request.text().contains("client_secret="));
        match (in_header && header && !form) || (!in_header && form && !header) {
            true => json("200 OK", TOKEN),
            false => json("401 Unauthorized", r#"{"error":"invalid_client"}"#),
        }
    })
    .await
}

#[tokio::test]
async fn the_secret_goes_where_the_server_looks_for_it() {
    let basic = format!(r#"{AT_DEFAULTS},"token_endpoint_auth_methods_supported":["client_secret_basic","none"]"#);
    let posted = format!(r#"{AT_DEFAULTS},"token_endpoint_auth_methods_supported":["client_secret_post"]"#);
    let in_form = format!("{CODE}&client_secret=s3");
    for (metadata, in_header, headers, form, times) in [
        ("", true, &[][..], in_form.as_str(), 2),
        ("", false, &[BASIC], CODE, 2),
        (basic.as_str(), true, &[], in_form.as_str(), 1),
        (posted.as_str(), false, &[BASIC], CODE, 1),
        (posted.as_str(), false, &[BASIC], in_form.as_str(), 1),
        (basic.as_str(), true, &[BASIC], in_form.as_str(), 1),
        ("", false, &[BASIC], in_form.as_str(), 1),
        // Metadata that say what the server does not do.
        (basic.as_str(), false, &[], in_form.as_str(), 2),
        (posted.as_str(), true, &[BASIC], CODE, 2),
    ] {
        let upstream = particular(metadata, in_header).await;
        let (answer, asked) = ask(&upstream, "/token", headers, form).await;
        let name = format!("{metadata} {in_header} {headers:?} {form}");
        assert_eq!((answer.status(), asked.len()), (200, times), "{name}");
        let last = asked.last().unwrap();
        assert_eq!(last.get("authorization"), in_header.then_some("Basic YTpzMw=="), "{name}");
        assert_eq!(last.text().contains("client_secret=s3"), !in_header, "{name}");
        assert!(last.text().contains("code=c%2f1"), "{name}");
    }
}

#[tokio::test]
async fn both_ways_of_writing_basic_are_read() {
    let upstream = particular("", false).await;
    let (answer, asked) = ask(&upstream, "/token", &[BASIC_ESCAPED], "grant_type=authorization_code&code=c").await;
    assert_eq!((answer.status(), asked.len()), (200, 2));
    assert!(asked[1].text().ends_with("&client_id=a%3Ab&client_secret=p%25q"), "{}", asked[1].text());
}

#[tokio::test]
async fn what_is_said_behind_the_door_counts_for_more_than_at_it() {
    for (second, expected) in [("invalid_grant", "invalid_grant"), ("unauthorized_client", "invalid_client")] {
        let upstream = server("", move |request| match request.get("authorization") {
            Some(_) => json("401 Unauthorized", r#"{"error":"invalid_client"}"#),
            None => json("400 Bad Request", &format!("{{\"error\":\"{second}\"}}")),
        })
        .await;
        let (answer, asked) = ask(&upstream, "/token", &[BASIC], REFRESH).await;
        assert_eq!((error(&answer).1.as_str(), asked.len()), (expected, 2));
    }
}

#[tokio::test]
async fn credentials_that_are_none_or_differ_are_not_guessed_at() {
    for (headers, form, sent) in [
        (
            &["Authorization: Basic YTo="][..],
            "grant_type=authorization_code&code=c",
            Some("grant_type=authorization_code&code=c&client_id=a"),
        ),
        (
            &[],
            "grant_type=authorization_code&client_secret=&client_id=a",
            Some("grant_type=authorization_code&client_id=a"),
        ),
        (&[BASIC], "grant_type=authorization_code&client_id=a&client_secret=other", None),
        (&["Authorization: Bearer b"], "grant_type=authorization_code&client_id=a&client_secret=s3", None),
        (&[], CODE, None),
    ] {
        let upstream = server("", |_| json("401 Unauthorized", r#"{"error":"invalid_client"}"#)).await;
        let (answer, asked) = ask(&upstream, "/token", headers, form).await;
        assert_eq!(asked[0].text(), sent.unwrap_or(form));
        let authorization = headers.first().and_then(|line| line.strip_prefix("Authorization: "));
        assert_eq!(asked[0].get("authorization"), authorization.filter(|_| sent.is_none()));
        assert!(answer.status() == 401 && answer.text().contains("invalid_client"));
        assert_eq!(asked.len(), 1);
    }
}

#[tokio::test]
async fn secrets_are_in_no_log() {
    let upstream = particular("", false).await;
    let proxy = Proxy::to(&upstream).start();
    let answer = proxy.ask(post("/token", &[FORM, BASIC], CODE)).await;
    assert_eq!(answer.status(), 200);
    let line = proxy.logged("token.client-auth-refused").await;
    for secret in ["YTpzMw", "s3", "c%2f1", "c/1"] {
        assert!(!line.contains(secret), "{line}");
    }
}

#[tokio::test]
async fn a_moved_endpoint_is_asked_inside() {
    for (status, location, times) in [
        ("307 Temporary Redirect", "/token/", 2),
        ("308 Permanent Redirect", "/api/token?v=1", 2),
        ("301 Moved Permanently", "HOST/token/", 2),
        ("302 Found", "/login", 1),
        ("307 Temporary Redirect", "https://evil.example/token", 1),
        ("307 Temporary Redirect", "//evil.example/token", 1),
        ("307 Temporary Redirect", "/token", 1),
        ("307 Temporary Redirect", "/a/../token", 1),
    ] {
        let upstream = server("", move |request| {
            let host = format!("http://{}", request.get("host").unwrap_or_default());
            let to = format!("Location: {}", location.replace("HOST", &host));
            match request.target() {
                "/token" => reply(status, &[&to], ""),
                _ => json("200 OK", TOKEN),
            }
        })
        .await;
        let (answer, asked) = ask(&upstream, "/token", &[BASIC], CODE).await;
        assert_eq!(asked.len(), times, "{status} {location}");
        if times == 2 {
            assert_eq!((answer.status(), answer.text().as_str()), (200, TOKEN));
            assert_eq!(asked[1].target(), location.trim_start_matches("HOST"));
            assert_eq!((asked[1].method(), asked[1].text().as_str()), ("POST", CODE));
            assert_eq!(asked[1].get("authorization"), Some("Basic YTpzMw=="));
        } else {
            assert_eq!(Some(answer.status().to_string().as_str()), status.split(' ').next());
        }
    }
}

#[tokio::test]
async fn the_guessed_paths_lead_to_the_endpoints() {
    let metadata = r#""authorization_endpoint":"ISSUER/o/authorize","token_endpoint":"ISSUER/o/token","registration_endpoint":"ISSUER/o/register","revocation_endpoint":"ISSUER/o/revoke""#;
    let elsewhere = || {
        server(metadata, |request| match request.target().split('?').next() {
            Some("/o/token") if request.text().contains("refresh") => {
                json("400 Bad Request", r#"{"error":"invalid_grant"}"#)
            }
            Some("/o/token") => json("200 OK", TOKEN),
            Some("/o/register") => json("201 Created", r#"{"client_id":"a","token_endpoint_auth_method":"none"}"#),
            Some("/o/revoke") => reply("200 OK", &[], ""),
            Some("/o/authorize") => reply("302 Found", &["Location: /login"], ""),
            _ => reply("404 Not Found", &["Content-Type: text/html"], "<p>no"),
        })
    };
    for (target, form, status) in
        [("/token", CODE, 200), ("/token", REFRESH, 400), ("/revoke", "token=t", 200), ("/o/nothing", CODE, 404)]
    {
        let upstream = elsewhere().await;
        let (answer, asked) = ask(&upstream, target, &[], form).await;
        assert_eq!(answer.status(), status, "{target} {form}");
        if status != 404 {
            assert_eq!((asked.len(), asked[1].target()), (2, format!("/o{target}").as_str()));
            assert_eq!(asked[1].text(), form);
        }
        if form == REFRESH {
            // What the endpoint itself says counts for more than that there is none at the guessed path.
            assert_eq!(error(&answer).1, "invalid_grant");
        }
    }
    let upstream = elsewhere().await;
    let proxy = Proxy::to(&upstream).start();
    let registered = proxy.ask(post("/register", &["Content-Type: application/json"], r#"{"client_name":"c"}"#)).await;
    assert_eq!(registered.status(), 201);
    let visit = proxy.ask(crate::kit::get("/authorize?client_id=a&state=b%2fc", &[])).await;
    assert_eq!((visit.status(), visit.get("location")), (302, Some("/login")));
    assert_eq!(upstream.seen_at("/o/authorize?client_id=a&state=b%2fc").len(), 1);
}

#[tokio::test]
async fn a_token_that_is_not_valid_is_revoked_already() {
    for (status, body, expected) in [
        ("400 Bad Request", r#"{"error":"invalid_request","error_description":"Token not found"}"#, 200),
        ("400 Bad Request", r#"{"error":"invalid_token"}"#, 200),
        ("404 Not Found", r#"{"error":"invalid_token"}"#, 404),
        ("404 Not Found", r#"{"message":"Token not found"}"#, 404),
        ("404 Not Found", r#"{"message":"Not Found"}"#, 404),
        ("403 Forbidden", r#"{"message":"Invalid credentials for token revocation"}"#, 403),
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#, 401),
        ("200 OK", "", 200),
    ] {
        let metadata = format!(r#"{AT_DEFAULTS},"revocation_endpoint":"ISSUER/revoke""#);
        let upstream = server(&metadata, move |_| json(status, body)).await;
        let (answer, asked) = ask(&upstream, "/revoke", &[], "token=t&client_id=a").await;
        assert_eq!((answer.status(), asked.len()), (expected, 1), "{status} {body}");
        assert!(expected != 200 || answer.text().is_empty());
    }
}
