//! Who may do what does not depend on how a path, a parameter, a host or a header is spelled.

use std::io::Write;
use std::time::Instant;

use tokio::net::TcpStream;

use crate::kit::{Binary, Message, PUBLIC, Proxy, Upstream, Wire, get, json, post, reply, request, soon};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"erase"}}"#;
const FOREIGN: &str = "Origin: https://evil.example";
const JSON: &str = "Content-Type: application/json";

/// An upstream whose handler takes every path, and opens its answers to every page.
async fn takes_everything() -> Upstream {
    Upstream::answering(|request| match request.method() {
        "OPTIONS" => reply("200 OK", &["Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: *"], ""),
        _ => reply(
            "200 OK",
            &[JSON, "Access-Control-Allow-Origin: *"],
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"erased"}]}}"#,
        ),
    })
    .await
}

fn calls(upstream: &Upstream) -> usize {
    upstream.seen().iter().filter(|seen| seen.text().contains("erase")).count()
}

/// Asks a proxy that listens on every address, by a connection of its own.
async fn ask_at(proxy: &Proxy, question: Vec<u8>) -> Message {
    let mut client = Wire::new(soon(TcpStream::connect(("127.0.0.1", proxy.address.port()))).await.unwrap());
    client.send(question).await;
    client.reply().await
}

fn with_host(question: &[u8], host: &str) -> Vec<u8> {
    String::from_utf8(question.to_vec()).unwrap().replace("Host: mcp.test", &format!("Host: {host}")).into_bytes()
}

const BELOW: [&str; 10] = [
    "/mcp/.well-known/oauth-protected-resource",
    "/mcp/.well-known/oauth-authorization-server",
    "/mcp/.well-known/openid-configuration",
    "/mcp/x/.well-known/oauth-protected-resource",
    "/mcp/.well-known/oauth-protected-resource/x",
    "/MCP/.well-known/oauth-protected-resource",
    "/mcp//.well-known/oauth-protected-resource",
    "/mcp/../x",
    "/mcp.json",
    "/mcp/x",
];

#[tokio::test]
async fn a_foreign_page_calls_no_tool_below_the_endpoint_or_at_a_document() {
    for path in BELOW {
        let upstream = takes_everything().await;
        let proxy = Proxy::to(&upstream).start();
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
            let headers = [FOREIGN, &format!("Content-Type: {kind}"), "Sec-Fetch-Mode: cors"];
            assert_eq!(proxy.ask(post(path, &headers, CALL)).await.status(), 403, "{path} {kind}");
        }
        let two = [JSON, "Origin: http://localhost:6274", FOREIGN];
        assert_eq!(proxy.ask(post(path, &two, CALL)).await.status(), 403, "{path}: two origins");
        assert_eq!(calls(&upstream), 0, "{path}");
        assert_eq!(proxy.ask(post(path, &[JSON], CALL)).await.status(), 200, "{path}: without a page it passes");
        assert_eq!((calls(&upstream), upstream.seen().pop().unwrap().target()), (1, path));
    }
}

#[tokio::test]
async fn a_foreign_page_calls_no_tool_at_the_endpoints_of_a_login() {
    let upstream = takes_everything().await;
    for mcp_path in ["/mcp", "/"] {
        let proxy = Proxy::to(&upstream).set("mcp_path", mcp_path).start();
        for path in ["/authorize", "/.well-known/jwks.json", "/token", "/register", "/revoke", "//token", "/x"] {
            for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
                let headers = [FOREIGN, &format!("Content-Type: {kind}"), "Sec-Fetch-Mode: no-cors"];
                for method in ["POST", "PUT", "DELETE"] {
                    let status = proxy.ask(request(method, path, &headers, CALL)).await.status();
                    assert_eq!(status, 403, "{method} {path} {kind}");
                }
            }
        }
        assert_eq!(calls(&upstream), 0);
        // Who may send messages may log in as well.
        for page in ["Origin: https://claude.ai", "Origin: http://localhost:6274"] {
            let form = [page, "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Mode: cors"];
            assert_eq!(proxy.ask(post("/token", &form, "grant_type=x")).await.status(), 200);
            assert_eq!(proxy.ask(post("/register", &[page, JSON, "Sec-Fetch-Mode: cors"], "{}")).await.status(), 200);
        }
    }
    let form = [FOREIGN, "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Mode: navigate"];
    let proxy = Proxy::to(&upstream).start();
    assert_eq!(proxy.ask(post("/authorize", &form, "client_id=c")).await.status(), 200);
}

#[tokio::test]
async fn a_preflight_for_a_post_at_a_document_is_none_for_the_document() {
    let refusing = Upstream::always(reply("403 Forbidden", &[], "no")).await;
    for upstream in [takes_everything().await, refusing] {
        let proxy = Proxy::to(&upstream).set("listen", "0.0.0.0:0").set("public_url", PUBLIC).start();
        let places = ["/.well-known/oauth-protected-resource", "/.well-known/x/.well-known/openid-configuration"];
        for path in places.into_iter().chain([BELOW[0], "/.well-known/jwks.json"]) {
            for (method, expected) in [("GET", Some("*")), ("POST", None), ("PUT", None), ("DELETE", None)] {
                let asked = format!("Access-Control-Request-Method: {method}");
                let ask = [FOREIGN, &asked, "Access-Control-Request-Headers: content-type"];
                let answer = ask_at(&proxy, request("OPTIONS", path, &ask, "")).await;
                let is_for_keys = path.ends_with("jwks.json") && method == "GET";
                assert!(
                    is_for_keys || answer.get("access-control-allow-origin") == expected,
                    "{method} {path} {answer:?}"
                );
                if answer.status() == 204 {
                    assert_eq!(answer.get("access-control-max-age"), Some("0"), "no page keeps it for a POST");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_method_in_small_letters_gets_round_no_rule() {
    let upstream = takes_everything().await;
    let closed = Proxy::to(&upstream).set("access.allow", "192.0.2.1").start();
    let open = Proxy::to(&upstream).start();
    for method in ["post", "Post", "get", "delete", "options"] {
        for (proxy, path) in [(&closed, "/messages?session_id=1"), (&open, "/register"), (&open, "/mcp")] {
            let answer = proxy.ask(request(method, path, &[JSON], CALL)).await;
            assert_eq!((answer.status(), answer.text().contains("bad_method")), (400, true), "{method} {path}");
        }
    }
    assert!(upstream.seen().is_empty());
    assert_eq!(open.ask(request("search", "/x", &[JSON], CALL)).await.status(), 200, "a method of its own");
}

#[tokio::test]
async fn nothing_but_a_document_is_open_to_every_page() {
    let upstream = takes_everything().await;
    let proxy = Proxy::to(&upstream).set("listen", "0.0.0.0:0").set("public_url", PUBLIC).start();
    let asks = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"];
    for path in BELOW {
        for question in [request("OPTIONS", path, &[FOREIGN, asks[0], asks[1]], ""), post(path, &[FOREIGN], CALL)] {
            let answer = ask_at(&proxy, question).await;
            assert_eq!(answer.get("access-control-allow-origin"), None, "{path} {answer:?}");
        }
    }
    for path in ["/.well-known/oauth-protected-resource", BELOW[0]] {
        let answer = ask_at(&proxy, get(path, &[FOREIGN])).await;
        assert_eq!(answer.get("access-control-allow-origin"), Some("*"), "{path}");
    }
}

#[tokio::test]
async fn the_older_transport_is_guarded_in_every_spelling() {
    let upstream = takes_everything().await;
    let proxy = Proxy::to(&upstream).start();
    for path in ["/sse", "/sse/", "/SSE", "/%73se", "//sse", "//h/sse", "/sse;x", "/sse/x"] {
        assert_eq!(proxy.ask(get(path, &[FOREIGN])).await.status(), 403, "GET {path}");
    }
    for target in [
        "/messages?sessionId=1",
        "/messages?%73essionId=1",
        "/messages?SESSION_ID=1",
        "/messages?x=1&session%5Fid=1",
        "/m?session=1",
        "/messages/1",
        "/anything",
    ] {
        assert_eq!(
            proxy.ask(post(target, &[FOREIGN, "Content-Type: text/plain"], CALL)).await.status(),
            403,
            "{target}"
        );
    }
    assert!(calls(&upstream) == 0 && !upstream.seen().iter().any(|seen| seen.target().contains("ss")));
    // A login that comes back with a form leaves its own page.
    let form = [FOREIGN, "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Mode: navigate"];
    assert_eq!(proxy.ask(post("/callback", &form, "code=1&state=2")).await.status(), 200);
    // Where the query names a session it may be a message of the older transport.
    assert_eq!(proxy.ask(post("/login?session=1", &form, "name=a")).await.status(), 403);
}

#[tokio::test]
async fn a_page_that_points_its_own_name_here_gets_nothing() {
    let upstream = takes_everything().await;
    let local = Proxy::to(&upstream).set("hosts", "tunnel.example").start();
    let composed = Proxy::to(&upstream).set("listen", "0.0.0.0:0").set("hosts", "tunnel.example");
    let composed = composed.set("public_url", "http://localhost:8808").start();
    for proxy in [&local, &composed] {
        for question in
            [get("/mcp", &[]), get("/sse", &[]), post("/mcp", &[JSON, "Origin: http://evil.test:8808"], CALL)]
        {
            let answer = ask_at(proxy, with_host(&question, "evil.test:8808")).await;
            assert_eq!(answer.status(), 421);
            assert!(answer.text().contains("--public-url") && answer.text().contains("unknown_host"), "{answer:?}");
        }
        assert_eq!(calls(&upstream), 0);
        let document = get("/.well-known/oauth-protected-resource", &[]);
        assert_ne!(ask_at(proxy, with_host(&document, "evil.test")).await.status(), 421);
        for host in ["localhost:8808", "127.0.0.1:1", "[::1]", "tunnel.example", "TUNNEL.example:443"] {
            assert_eq!(ask_at(proxy, with_host(&post("/x", &[JSON], "{}"), host)).await.status(), 200, "{host}");
        }
    }
    // The page is of the foreign name's origin, even where Host is another.
    let rebound = with_host(&post("/mcp", &[JSON, "Origin: http://evil.test:8808"], CALL), "localhost");
    assert_eq!(ask_at(&composed, rebound).await.status(), 403);
    let tunnel = Proxy::to(&upstream).set("hosts", "h").set("public_url", PUBLIC).start();
    assert_eq!(ask_at(&tunnel, with_host(&post("/x", &[], ""), "mcp.example.com")).await.status(), 200);
    assert_eq!(ask_at(&tunnel, with_host(&post("/x", &[], ""), "other.example")).await.status(), 421);
    let open = Proxy::to(&upstream).set("listen", "0.0.0.0:0").set("public_url", PUBLIC).start();
    assert_eq!(ask_at(&open, with_host(&post("/x", &[], ""), "other.example")).await.status(), 200);
}

/// Two sites on one host, the second for addresses that nobody has.
async fn two_sites(open: &Upstream, closed: &Upstream, more: &str) -> (Binary, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "no_probe = true\n{more}[[site]]\npublic_url = \"https://b.test\"\nupstream = \"http://{}\"\n\
         [[site]]\npublic_url = \"https://b.test/admin\"\nupstream = \"http://{}\"\naccess.allow = [\"192.0.2.1\"]\n\
         [[site]]\npublic_url = \"https://c.test\"\nupstream = \"http://{}\"\naccess.allow = [\"192.0.2.1\"]\n",
        open.address, closed.address, closed.address,
    );
    file.write_all(text.as_bytes()).unwrap();
    (Binary::start(&["--config", file.path().to_str().unwrap()]).await, file)
}

#[tokio::test]
async fn a_closed_site_is_not_reached_past_its_open_sibling() {
    // Both upstreams are the same server: what is told apart is which rules hold.
    let upstream = takes_everything().await;
    let (proxy, _file) = two_sites(&upstream, &upstream, "").await;
    for path in [
        "/admin/mcp",
        "/Admin/mcp",
        "//admin/mcp",
        "//h/admin/mcp",
        "/%61dmin/mcp",
        "/admin//mcp",
        "/x/../admin/mcp",
        "/x/..;/admin/mcp",
        "/admin;x/mcp",
        "/x%2f..%2fadmin/mcp",
        "/%2561dmin/mcp",
        "/x/%2e%2e/admin/%252e%252e/x",
    ] {
        let mut client = proxy.connect().await;
        client.send(with_host(&post(path, &[JSON], CALL), "b.test")).await;
        let status = client.reply().await.status();
        assert!(matches!(status, 403 | 404), "{path}: {status}");
    }
    assert!(upstream.seen().is_empty());
    let mut client = proxy.connect().await;
    client.send(with_host(&post("/mcp/%61;v", &[JSON], CALL), "b.test")).await;
    assert_eq!(client.reply().await.status(), 200);
}

/// An upstream that redirects where a parameter says, and answers what it serves.
async fn redirecting() -> Upstream {
    Upstream::answering(|request| match request.target().split_once("?next=") {
        Some((_, to)) => reply("307 Temporary Redirect", &[&format!("Location: {to}")], ""),
        None => json("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
    })
    .await
}

#[tokio::test]
async fn a_redirect_inside_leads_nowhere_where_the_client_may_not_ask() {
    let upstream = redirecting().await;
    let both = "Accept: application/json, text/event-stream";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let (sites, _file) = two_sites(&upstream, &upstream, "").await;
    let closed = Proxy::to(&upstream).set("access.allow", "192.0.2.1").set("access.classes", "mcp,token").start();
    for (target, status) in [("/mcp?next=/mcp/", 200), ("/mcp?next=/admin/mcp", 307), ("/mcp?next=/Admin/mcp", 307)] {
        let mut client = sites.connect().await;
        client.send(with_host(&post(target, &[JSON, both], CALL), "b.test")).await;
        assert_eq!(client.reply().await.status(), status, "{target}");
    }
    for (target, status) in
        [("/register?next=/register/", 200), ("/register?next=/mcp", 307), ("/register?next=/token", 307)]
    {
        assert_eq!(closed.ask(post(target, &[JSON], "{}")).await.status(), status, "{target}");
    }
    let open = Proxy::to(&upstream).start();
    for (target, kind, status) in [
        ("/register?next=/api/register", JSON, 200),
        ("/register?next=/mcp", JSON, 307),
        ("/token?next=/api/token", form, 200),
        ("/token?next=/mcp/x", form, 307),
        ("/token?next=/register", form, 307),
        ("/revoke?next=/messages?sessionId=1", JSON, 307),
        ("/mcp?next=/api/mcp", JSON, 200),
    ] {
        assert_eq!(open.ask(post(target, &[kind, both], CALL)).await.status(), status, "{target}");
    }
    let page = [FOREIGN, form, "Sec-Fetch-Mode: navigate"];
    assert_eq!(open.ask(post("/token?next=/mcp", &page, CALL)).await.status(), 307);
}

#[tokio::test]
async fn another_hosts_name_in_a_forwarding_header_opens_no_other_site() {
    let upstream = takes_everything().await;
    let (proxy, _file) = two_sites(&upstream, &upstream, "trusted_proxies = [\"127.0.0.1\"]\n").await;
    let ask = async |host: &str, header: &str| {
        let mut client = proxy.connect().await;
        client.send(with_host(&post("/mcp", &[JSON, header], CALL), host)).await;
        client.reply().await.status()
    };
    assert_eq!(ask("c.test", "X-Forwarded-Host: b.test").await, 403, "Host names a site");
    assert_eq!(ask("h", "X-Forwarded-Host: b.test, c.test").await, 403, "the last one is the proxy's");
    assert_eq!(ask("h", "X-Forwarded-Host: b.test").await, 200);
    assert_eq!(ask("h", "X-Forwarded-Host: d.test").await, 421);
}

/// A front replaces what it says itself, in its own spelling.
#[tokio::test]
async fn no_other_spelling_of_what_a_trusted_front_says_passes() {
    let upstream = takes_everything().await;
    let proxy = Proxy::to(&upstream).set("trusted_proxies", "127.0.0.1").start();
    let told = ["X-Forwarded-Preferred_Username: admin", "X-Forwarded-Client_Cert: c", "X-Forwarded-User: u"];
    ask_at(&proxy, post("/mcp", &told, CALL)).await;
    let seen = upstream.seen().pop().unwrap();
    let passed = told.map(|line| seen.get(line.split(':').next().unwrap()).is_some());
    assert_eq!(passed, [false, false, true]);
}

#[tokio::test]
async fn no_other_spelling_of_a_header_passes_and_none_names_another_path() {
    let upstream = takes_everything().await;
    let told = [
        "X_Real_IP: 6.6.6.6",
        "X_Forwarded_For: 6.6.6.6",
        "X-Forwarded_Proto: https",
        "X.Forwarded.For: 6.6.6.6",
        "Client-IP: 6.6.6.6",
        "Mcp_Session_Id: s",
        "Content_Length: 7",
        "X-Original-URL: /admin",
        "X-HTTP-Method-Override: DELETE",
        "X_Original_URL: /admin",
        "Proxy: http://evil.example",
        "Fly-Client-IP: 6.6.6.6",
        "api_key: k",
    ];
    let open = Proxy::to(&upstream).set("listen", "0.0.0.0:0").set("public_url", PUBLIC).start();
    for question in [post("/mcp", &told, CALL), get("/.well-known/oauth-protected-resource", &told)] {
        ask_at(&open, question).await;
        let seen = upstream.seen().pop().unwrap();
        for name in told.iter().filter_map(|line| line.split(':').next()) {
            assert_eq!(seen.get(name).is_some(), name == "api_key", "{name}");
        }
    }
}

#[tokio::test]
async fn a_client_that_a_proxy_does_not_name_clearly_is_counted() {
    let upstream = Upstream::always(json("201 Created", r#"{"client_id":"c"}"#)).await;
    let proxy = Proxy::to(&upstream).set("trusted_proxies", "127.0.0.1").start();
    for header in ["Forwarded: for=unknown", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: junk"] {
        let mut client = proxy.connect().await;
        let (began, mut asked, mut last) = (Instant::now(), 0, 201);
        while last == 201 {
            let path = ["/register", "/register/", "//register", "/REGISTER"][asked % 4];
            client.send(post(path, &[JSON, header], "{}")).await;
            (asked, last) = (asked + 1, client.reply().await.status());
            // The limit is 300 in a minute, and allows 5 more with each second that this takes.
            let most = 330 + 5 * began.elapsed().as_secs() as usize;
            assert!(asked <= most, "{header}: {asked} were let through");
        }
        assert_eq!(last, 429, "{header}");
    }
}

#[tokio::test]
async fn figures_and_readiness_are_not_told_to_a_name_that_points_to_loopback() {
    let binary = Binary::start(&["http://127.0.0.1:9", "--admin", "127.0.0.1:0", "--no-probe"]);
    let mut binary = binary.await;
    let address = binary.said("admin page   http://").await;
    let ask = async |target: &str, host: &str| {
        let mut wire = Wire::new(soon(TcpStream::connect(&address)).await.unwrap());
        wire.send(with_host(&get(target, &["Connection: close"]), host)).await;
        wire.reply().await.status()
    };
    for target in ["/metrics", "/readyz"] {
        assert_eq!((ask(target, "evil.test:8809").await, ask(target, "localhost").await), (421, 200), "{target}");
    }
    assert_eq!(ask("/healthz", "evil.test").await, 200);
}
