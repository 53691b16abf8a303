//! The login in the browser: what the authorization endpoint is asked, how often, and where the browser ends.

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, json, post, reply, request};

const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
const CLAUDE: &str = "https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback";
const LOOPBACK: &str = "http%3A%2F%2F127.0.0.1%3A33418%2Fcb";

/// An upstream with an authorization server of its own, whose metadata say all that is asked, and `more`.
async fn own_server(more: &'static str, answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    Upstream::answering(move |request| {
        let issuer = format!("http://{}", request.get("host").unwrap_or_default());
        match request.target() {
            SERVER_METADATA => json(
                "200 OK",
                &format!(
                    "{{\"issuer\":\"{issuer}\",\"authorization_endpoint\":\"{issuer}/authorize\",\
                     \"token_endpoint\":\"{issuer}/token\",\"registration_endpoint\":\"{issuer}/register\",\
                     \"code_challenge_methods_supported\":[\"S256\"]{more}}}"
                ),
            ),
            target if target.starts_with("/authorize") || target.starts_with("/consent") => answer(request),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await
}

/// What the upstream was asked of the login, in order.
fn asked(upstream: &Upstream) -> Vec<String> {
    let targets = upstream.seen().into_iter().map(|message| message.target().to_owned());
    targets.filter(|target| target.starts_with("/authorize") || target.starts_with("/consent")).collect()
}

fn redirect(status: &str, location: &str) -> Vec<u8> {
    reply(status, &[&format!("Location: {location}")], "")
}

#[tokio::test]
async fn a_consent_page_lets_its_form_lead_back_and_nowhere_else() {
    let page = |policy: &str| {
        reply("200 OK", &["Content-Type: text/html; charset=utf-8", policy, "X-Other: form-action 'self'"], "<form>")
    };
    for (target, policy, after) in [
        (
            format!("/authorize?client_id=a&redirect_uri={CLAUDE}"),
            "default-src 'self';base-uri 'self';form-action 'self';frame-ancestors 'self';upgrade-insecure-requests",
            "default-src 'self';base-uri 'self';form-action 'self' https://claude.ai claude:;frame-ancestors 'self';upgrade-insecure-requests",
        ),
        (
            format!("/consent?redirect_uri={LOOPBACK}&client_id=a"),
            "form-action  'self'  ; img-src *",
            "form-action  'self' http://127.0.0.1:33418  ; img-src *",
        ),
        (format!("/consent?redirect_uri={CLAUDE}"), "form-action 'self'", "form-action 'self'"),
        ("/authorize?redirect_uri=javascript%3Aalert(1)".to_owned(), "form-action 'self'", "form-action 'self'"),
        (
            format!("/authorize?redirect_uri={LOOPBACK}&redirect_uri={CLAUDE}"),
            "form-action 'self'",
            "form-action 'self'",
        ),
        (format!("/authorize?redirect_uri={CLAUDE}%3Bscript-src+*"), "form-action 'self'", "form-action 'self'"),
        (format!("/authorize?redirect_uri={CLAUDE}"), "form-action 'none'", "form-action 'none'"),
    ] {
        let answer = page(&format!("Content-Security-Policy: {policy}"));
        let upstream = own_server("", move |_| answer.clone()).await;
        let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
        let page = proxy.ask(get(&target, &[])).await;
        assert_eq!(page.all("content-security-policy"), [after], "{target}");
        assert_eq!((page.status(), page.get("x-other")), (200, Some("form-action 'self'")));
        assert_eq!(page.text(), "<form>");
        assert_eq!(asked(&upstream), [target]);
    }
}

#[tokio::test]
async fn the_browser_comes_back_with_a_get() {
    // What becomes of the status after a later page, and after the authorization endpoint.
    for (status, location, later, after) in [
        ("307 Temporary Redirect", "https://claude.ai/api/mcp/auth_callback?code=a%2fb&state=x+y", 303, 303),
        ("308 Permanent Redirect", "cursor://anysphere.cursor-retrieval/cb?error=access_denied", 308, 303),
        ("308 Permanent Redirect", "cursor://anysphere.cursor-retrieval/cb?error=access_denied&state=s", 303, 303),
        ("307 Temporary Redirect", "/consent?code=123456", 307, 307),
        ("308 Permanent Redirect", "https://login.example.net/?response_type=code", 308, 308),
        ("302 Found", "https://claude.ai/api/mcp/auth_callback?code=a", 302, 302),
    ] {
        let upstream = own_server("", move |_| redirect(status, location)).await;
        let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
        for (ask, after) in [
            (post("/consent", &["Content-Type: application/x-www-form-urlencoded"], "accept=yes"), later),
            (get("/authorize?client_id=a", &[]), after),
        ] {
            let answer = proxy.ask(ask).await;
            assert_eq!((answer.status(), answer.get("location")), (after, Some(location)));
        }
        assert_eq!(asked(&upstream), ["/consent", "/authorize?client_id=a"]);
    }
}

#[tokio::test]
async fn a_promised_iss_is_there_and_is_ours() {
    let promise = ",\"authorization_response_iss_parameter_supported\":true";
    for (metadata, location, after) in [
        (promise, "http://127.0.0.1:1/cb?code=a%2fb&state=x+y", "&iss=https%3A%2F%2Fmcp.example.com"),
        (promise, "http://127.0.0.1:1/cb?error=access_denied&state=x", "&iss=https%3A%2F%2Fmcp.example.com"),
        (promise, "http://127.0.0.1:1/cb?code=a&state=x&iss=https%3A%2F%2Fother.example", ""),
        (promise, "/consent?code=1&state=x", ""),
        ("", "http://127.0.0.1:1/cb?code=a&state=x", ""),
    ] {
        let upstream = own_server(metadata, move |_| redirect("302 Found", location)).await;
        let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
        let answer =
            proxy.ask(post("/consent", &["Content-Type: application/x-www-form-urlencoded"], "accept=yes")).await;
        assert_eq!(answer.all("location"), [format!("{location}{after}")]);
    }
}

#[tokio::test]
async fn the_client_gets_its_state_back_in_the_query() {
    let back = "http://127.0.0.1:33418/cb";
    for (sent, location, after) in [
        ("a%2Bb%3D", "?code=c&state=a+b=", "?code=c&state=a%2Bb%3D"),
        ("a%2Bb%3D", "?error=access_denied", "?error=access_denied&state=a%2Bb%3D"),
        ("a%2Bb%3D", "#code=c&state=a%2Bb%3D", "?code=c&state=a%2Bb%3D"),
        ("a%2Bb%3D", "#error=access_denied", "?error=access_denied&state=a%2Bb%3D"),
        ("a%2Bb%3D", "?code=c&state=a%2bb=", "?code=c&state=a%2bb="),
        ("mine", "?code=c&state=theirs", "?code=c&state=theirs"),
        ("x%0D%0ASet-Cookie:+a%3Db", "?code=c", "?code=c&state=x%0D%0ASet-Cookie%3A%20a%3Db"),
    ] {
        let upstream = own_server("", move |_| redirect("302 Found", &format!("{back}{location}"))).await;
        let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
        let target = format!("/authorize?response_type=code&client_id=a&redirect_uri={LOOPBACK}&state={sent}");
        let answer = proxy.ask(get(&target, &[])).await;
        assert_eq!(answer.all("location"), [format!("{back}{after}")]);
        assert_eq!(answer.get("set-cookie"), None);
        // Another client's callback gets nothing.
        let other = format!("/authorize?response_type=code&client_id=a&redirect_uri={CLAUDE}&state={sent}");
        let answer = proxy.ask(get(&other, &[])).await;
        assert_eq!(answer.all("location"), [format!("{back}{location}")]);
    }
}

#[tokio::test]
async fn a_refused_request_is_put_once_more_without_what_was_refused() {
    let refused = |error: &str| redirect("302 Found", &format!("http://127.0.0.1:33418/cb?error={error}&state=s"));
    let base = format!("/authorize?response_type=code&client_id=a&redirect_uri={LOOPBACK}&state=s");
    let scopes = ",\"scopes_supported\":[\"read\",\"write\"]";
    for (metadata, extra, refusal, second) in [
        (scopes, "&scope=read+offline_access", refused("invalid_scope"), "&scope=read"),
        ("", "&scope=read+offline_access", refused("invalid_scope"), "&scope=read"),
        (scopes, "&scope=write+openid", json("400 Bad Request", r#"{"error":"invalid_scope"}"#), "&scope=write"),
        (scopes, "&resource=https%3A%2F%2Fa.example", refused("invalid_target"), ""),
        (
            "",
            "&resource=https%3A%2F%2Fa.example&scope=read",
            reply("400 Bad Request", &["Content-Type: text/html"], "<p>AADSTS9010010: The resource parameter</p>"),
            "&scope=read",
        ),
        (
            "",
            "&prompt=consent&nonce=n",
            refused("invalid_request&error_description=unknown+parameter+prompt"),
            "&nonce=n",
        ),
    ] {
        let first = format!("{base}{extra}");
        let (refuse, broken) = (refusal.clone(), first.clone());
        let upstream = own_server(metadata, move |request| match request.target() == broken {
            true => refuse.clone(),
            false => reply("200 OK", &["Content-Type: text/html"], "<form>"),
        })
        .await;
        let answer = Proxy::to(&upstream).start().ask(get(&first, &["Cookie: a=b"])).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "<form>"), "{extra}");
        assert_eq!(asked(&upstream), [first.clone(), format!("{base}{second}")], "{extra}");
        assert!(upstream.seen_at(&format!("{base}{second}")).iter().all(|again| again.get("cookie") == Some("a=b")));

        // Whoever refuses both is asked no third time, and the first refusal stands.
        let always = own_server(metadata, move |_| refusal.clone()).await;
        let answer = Proxy::to(&always).start().ask(get(&first, &[])).await;
        assert!(matches!(answer.status(), 302 | 400), "{extra}: {}", answer.start);
        assert_eq!(asked(&always).len(), 2, "{extra}");
    }
}

#[tokio::test]
async fn what_may_have_been_acted_on_or_is_another_refusal_is_never_put_again() {
    let refused = |error: &'static str| move |_: &Message| redirect("302 Found", &format!("http://h/cb?error={error}"));
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    for (error, ask) in [
        ("invalid_scope", post("/authorize?scope=openid", &form, "scope=openid")),
        ("invalid_scope", get("/consent?client_id=a&scope=openid", &[])),
        ("access_denied&error_description=invalid_scope", get("/authorize?scope=openid", &[])),
        ("invalid_request&error_description=bad+redirect_uri,+state", get("/authorize?redirect_uri=x&state=s", &[])),
        ("invalid_request&error_description=bad+dpop_jkt", get("/authorize?dpop_jkt=x", &[])),
        ("server_error&error_description=prompt", get("/authorize?prompt=none", &[])),
        ("invalid_request&error_description=prompt", get("/authorize?prompt=login", &[])),
        ("invalid_request&error_description=organization", get("/authorize?organization=o", &[])),
        // Without a scope the server would grant its default.
        ("invalid_scope", get("/authorize?scope=openid", &[])),
    ] {
        let upstream = own_server("", refused(error)).await;
        let answer = Proxy::to(&upstream).start().ask(ask).await;
        assert_eq!((answer.status(), asked(&upstream).len()), (302, 1), "{error}");
    }
}

#[tokio::test]
async fn a_badly_spaced_scope_goes_up_as_a_list() {
    for (sent, seen) in [
        ("/authorize?scope=+offline_access&state=a%2fb", "/authorize?scope=offline_access&state=a%2fb"),
        ("/authorize?scope=&state=a%2fb", "/authorize?state=a%2fb"),
        ("/authorize?scope=mcp:use+b&state=a%2fb", "/authorize?scope=mcp:use+b&state=a%2fb"),
    ] {
        let upstream = own_server("", |_| reply("200 OK", &["Content-Type: text/html"], "<form>")).await;
        Proxy::to(&upstream).start().ask(get(sent, &[])).await;
        assert_eq!(asked(&upstream), [seen]);
    }
}

/// An upstream whose authorization server is another host, and that server.
async fn foreign_server(endpoint: Option<&'static str>) -> (Upstream, Upstream) {
    let server = Upstream::answering(move |request| {
        let issuer = format!("http://{}", request.get("host").unwrap_or_default());
        let own = format!("{issuer}/oauth/authorize");
        let endpoint = endpoint.unwrap_or(&own);
        match request.target() {
            SERVER_METADATA => json(
                "200 OK",
                &serde_json::json!({ "issuer": issuer, "authorization_endpoint": endpoint,
                    "token_endpoint": format!("{issuer}/token"), "response_types_supported": ["code"] })
                .to_string(),
            ),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await;
    let listed = format!("http://{}", server.address);
    let upstream = Upstream::answering(move |request| {
        let resource = format!("http://{}/mcp", request.get("host").unwrap_or_default());
        match request.target() {
            RESOURCE_METADATA => json(
                "200 OK",
                &serde_json::json!({ "resource": resource, "authorization_servers": [listed] }).to_string(),
            ),
            _ => reply("404 Not Found", &["Set-Cookie: a=b"], "nothing here"),
        }
    })
    .await;
    (upstream, server)
}

#[tokio::test]
async fn a_guessed_endpoint_leads_to_the_named_server_and_nowhere_else() {
    let (upstream, server) = foreign_server(None).await;
    let proxy = Proxy::to(&upstream).set("hosts", "mcp.test,evil.example").start();
    let endpoint = format!("http://{}/oauth/authorize", server.address);
    for query in [
        "response_type=code&client_id=a&redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a%2fb+c",
        "response_type=code&client_id=a&redirect_uri=https%3A%2F%2Fevil.example",
        "response_type=code&client_id=a&redirect_uri=//evil.example/",
        "response_type=code&client_id=a&redirect_uri=javascript%3Aalert(1)",
        "client_id=https://evil.example/&response_type=@evil.example",
        "response_type=code&client_id=a&x=%0D%0ALocation:%20https://evil.example",
        "response_type&client_id&&&?//evil.example",
    ] {
        for headers in [
            &[][..],
            &["X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"],
            &["Origin: https://evil.example", "Referer: https://evil.example/"],
        ] {
            let answer = proxy.ask(get(&format!("/authorize?{query}"), headers)).await;
            assert_eq!((answer.status(), answer.all("location")), (302, vec![format!("{endpoint}?{query}").as_str()]));
            assert_eq!((answer.text().as_str(), answer.get("set-cookie")), ("", None));
        }
        let hosted = get(&format!("/authorize?{query}"), &[]);
        let hosted = String::from_utf8(hosted).unwrap().replace("Host: mcp.test", "Host: evil.example");
        let answer = proxy.ask(hosted).await;
        assert_eq!(answer.all("location"), [format!("{endpoint}?{query}")]);
    }
    for ask in [
        get("/authorize", &[]),
        get("/authorize?client_id=a&redirect_uri=https%3A%2F%2Fevil.example", &[]),
        get("/authorize/?response_type=code&client_id=a", &[]),
        get("//evil.example/authorize?response_type=code&client_id=a", &[]),
        post("/authorize?response_type=code&client_id=a", &[], ""),
        request("HEAD", "/token?response_type=code&client_id=a", &[], ""),
    ] {
        let mut client = proxy.connect().await;
        client.send(ask).await;
        let answer = client.head().await.unwrap();
        assert_eq!((answer.status(), answer.get("location")), (404, None), "{}", answer.start);
    }
}

#[tokio::test]
async fn an_endpoint_that_no_browser_should_be_sent_to_is_none() {
    for endpoint in [
        "http://evil.example/authorize",
        "https://login.example.net@evil.example/",
        "javascript:alert(1)",
        "//evil.example",
        "https://a.example/#x",
        "https://a.example/\r\nX-Evil: 1",
        "",
    ] {
        let (upstream, _server) = foreign_server(Some(endpoint)).await;
        let answer = Proxy::to(&upstream).start().ask(get("/authorize?response_type=code&client_id=a", &[])).await;
        assert_eq!((answer.status(), answer.get("location")), (404, None), "{endpoint}");
        assert_eq!((answer.get("x-evil"), answer.text().as_str()), (None, "nothing here"), "{endpoint}");
    }
}
