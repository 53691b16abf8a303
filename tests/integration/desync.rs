//! An upstream that leaves a request's body unread takes the rest of it for the next request. Whoever caused that may only
//! hurt themselves: no other client gets that connection.

use std::process::Stdio;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::kit::{Message, Proxy, Upstream, Wire, get, json, ok, post, reply, request, soon};

/// A request without its end: the head of the next request becomes part of it, credentials included.
const SMUGGLED: &str = "GET /attacker HTTP/1.1\r\nHost: mcp.test\r\nX-Swallowed: ";
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const VICTIMS: usize = 5;

/// Answers as `X-Answer` and `X-Type` say, without reading the body, and takes what follows for the next request, but for
/// lines that are none. `X-Read` names how many bytes of the body it reads.
async fn careless() -> Upstream {
    Upstream::script(|mut conn| async move {
        while let Some(mut request) = conn.head().await {
            conn.note(&request);
            if let Some(read) = request.get("x-read") {
                request.body = conn.exactly(read.parse().unwrap()).await.unwrap_or_default();
                conn.note(&request);
            }
            if request.start.ends_with("HTTP/1.1") {
                conn.send(careless_answer(&request)).await;
            }
        }
    })
    .await
}

fn careless_answer(request: &Message) -> Vec<u8> {
    let Some(status) = request.get("x-answer") else { return ok(request.target()) };
    let kind = format!("Content-Type: {}", request.get("x-type").unwrap_or("application/json"));
    match request.method() {
        "HEAD" => reply(status, &[&kind], ""),
        _ => reply(status, &[&kind], "{}"),
    }
}

fn token(victim: usize) -> String {
    format!("Authorization: Bearer victim-{victim}")
}

/// No victim's credentials arrived with anything but the victim's own request.
fn assert_nothing_swallowed(upstream: &Upstream, case: &str) {
    for message in upstream.begun() {
        let text = message.all_text();
        if let Some(at) = text.find("victim-") {
            let own = format!("/victim/{}", &text[at + 7..at + 8]);
            assert_eq!((message.target(), message.get("x-swallowed")), (&*own, None), "{case}: {text}");
        }
    }
}

/// Victims on connections of their own get their own answers, and nobody else gets their credentials.
async fn assert_victims_are_safe(proxy: &Proxy, upstream: &Upstream, case: &str) {
    for victim in 0..VICTIMS {
        let path = format!("/victim/{victim}");
        let answer = proxy.ask(get(&path, &[&token(victim)])).await;
        assert_eq!((answer.status(), answer.text()), (200, path), "{case}");
    }
    assert_nothing_swallowed(upstream, case);
}

/// Every kind of request that a careless upstream may leave unread, and how it answers: status, media type.
const ATTACKS: &[(&str, &str, &str, &str)] = &[
    ("GET", "/x", "200 OK", "text/plain"),
    ("HEAD", "/x", "200 OK", "text/plain"),
    ("OPTIONS", "/x", "204 No Content", "text/plain"),
    ("DELETE", "/x", "200 OK", "application/json"),
    ("GET", "/mcp", "200 OK", "application/json"),
    ("DELETE", "/mcp", "200 OK", "application/json"),
    ("GET", "/.well-known/oauth-protected-resource", "200 OK", "application/json"),
    ("POST", "/mcp", "401 Unauthorized", "application/json"),
    ("POST", "/mcp", "400 Bad Request", "application/json"),
    ("POST", "/mcp", "503 Service Unavailable", "text/plain"),
    ("POST", "/mcp", "200 OK", "application/json"),
    ("POST", "/mcp", "202 Accepted", "application/json"),
    ("POST", "/mcp/", "200 OK", "text/html"),
    ("PUT", "/mcp", "200 OK", "application/json"),
    ("POST", "/x", "200 OK", "application/json"),
    ("POST", "/x", "302 Found", "text/html"),
    ("POST", "/x?session=1", "202 Accepted", "application/json"),
    ("POST", "/token", "400 Bad Request", "application/json"),
    ("POST", "/token", "200 OK", "application/json"),
    ("POST", "/TOKEN", "202 Accepted", "application/json"),
    ("POST", "/token", "200 OK", "text/html"),
    ("POST", "/register", "201 Created", "application/json"),
    ("POST", "/revoke", "200 OK", "application/json"),
    ("POST", "/authorize", "302 Found", "text/html"),
    ("PATCH", "/x", "204 No Content", "application/json"),
    ("PROPFIND", "/x", "207 Multi-Status", "application/xml"),
];

fn attack(method: &str, path: &str, status: &str, kind: &str, body: &str) -> Vec<u8> {
    request(method, path, &[&format!("X-Answer: {status}"), &format!("X-Type: {kind}")], body)
}

#[tokio::test]
async fn what_a_careless_upstream_leaves_unread_reaches_nobody_else() {
    for (method, path, status, kind) in ATTACKS {
        let upstream = careless().await;
        let proxy = Proxy::to(&upstream).start();
        let case = format!("{method} {path} -> {status}");
        let mut attacker = proxy.connect().await;
        attacker.send(attack(method, path, status, kind, SMUGGLED)).await;
        assert!(attacker.head().await.is_some(), "{case}");
        assert_victims_are_safe(&proxy, &upstream, &case).await;
        drop(attacker);
        assert_victims_are_safe(&proxy, &upstream, &case).await;
    }
}

#[tokio::test]
async fn the_same_holds_for_chunked_bodies() {
    // The upstream does not know chunks: the size of the first one begins its next request. The one after that wants more
    // than is left of the attacker's.
    let body = "x\r\n\r\nPOST /attacker HTTP/1.1\r\nX-Read: 60\r\n\r\n";
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (method, path, status, kind) in ATTACKS {
        let upstream = careless().await;
        let proxy = Proxy::to(&upstream).start();
        let case = format!("{method} {path} -> {status}");
        let mut attacker = proxy.connect().await;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: mcp.test\r\nTransfer-Encoding: chunked\r\nX-Answer: {status}\r\nX-Type: {kind}\r\n\r\n"
        );
        attacker.send(format!("{head}{chunked}")).await;
        assert!(attacker.head().await.is_some(), "{case}");
        assert_victims_are_safe(&proxy, &upstream, &case).await;
    }
}

#[tokio::test]
async fn the_same_holds_for_clients_of_http_2() {
    for (method, path, status, kind) in ATTACKS {
        let upstream = careless().await;
        let proxy = Proxy::to(&upstream).start();
        let case = format!("{method} {path} -> {status}");
        let mut attacker = Http2::to(&proxy).await;
        let fields = [("x-answer", *status), ("x-type", *kind)];
        attacker.ask(method, path, &fields, SMUGGLED).await;
        for victim in 0..VICTIMS {
            let path = format!("/victim/{victim}");
            let mut client = Http2::to(&proxy).await;
            let bearer = format!("Bearer victim-{victim}");
            assert_eq!(client.ask("GET", &path, &[("authorization", &bearer)], "").await, (200, path), "{case}");
        }
        assert_nothing_swallowed(&upstream, &case);
    }
}

#[tokio::test]
async fn a_message_with_something_behind_it_proves_nothing() {
    // The upstream reads one JSON value and no further.
    let upstream = careless().await;
    let proxy = Proxy::to(&upstream).start();
    let read = format!("X-Read: {}", PING.len());
    let fields = ["X-Answer: 200 OK", "X-Type: application/json", &*read];
    assert_eq!(proxy.ask(post("/mcp", &fields, &format!("{PING}{SMUGGLED}"))).await.status(), 200);
    assert_victims_are_safe(&proxy, &upstream, "behind a message").await;
}

#[tokio::test]
async fn a_token_request_that_is_no_form_proves_nothing() {
    for (path, kind, start, read) in [
        ("/token", "application/json", "{}", "X-Read: 2"),
        ("/token", "application/x-www-form-urlencoded", "", "X-Read: 0"),
        ("/TOKEN", "application/x-www-form-urlencoded", "grant_type=x&code=", "X-Read: 18"),
    ] {
        for answer in ["200 OK", "202 Accepted", "204 No Content"] {
            let upstream = careless().await;
            let proxy = Proxy::to(&upstream).start();
            let fields = [&*format!("Content-Type: {kind}"), &*format!("X-Answer: {answer}"), read];
            let mut attacker = proxy.connect().await;
            attacker.send(post(path, &fields, &format!("{start}{SMUGGLED}"))).await;
            assert!(attacker.head().await.is_some());
            assert_victims_are_safe(&proxy, &upstream, &format!("{path} {kind} {answer}")).await;
        }
    }
}

#[tokio::test]
async fn a_form_that_got_no_token_proves_nothing() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).start();
    let form = "Content-Type: application/x-www-form-urlencoded";
    let mut client = proxy.connect().await;
    // It is answered like a message, with 200 and an object that is no token.
    let way = way_of(&mut client, post("/token", &[form], "grant_type=ping")).await;
    ended(&upstream, way).await;
}

#[tokio::test]
async fn a_long_message_that_was_answered_early_proves_nothing() {
    let upstream = careless().await;
    let proxy = Proxy::to(&upstream).start();
    let rest = format!("\r\n\r\n{SMUGGLED}");
    let start = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"a":"{}"#, "a".repeat(100));
    let length = format!("Content-Length: {}", start.len() + 100_000 + rest.len());
    let head = ["POST /mcp HTTP/1.1", "Host: mcp.test", "X-Answer: 200 OK", &length].join("\r\n");
    let mut attacker = proxy.connect().await;
    attacker.send(format!("{head}\r\n\r\n{start}")).await;
    assert_eq!(attacker.head().await.unwrap().status(), 200);
    attacker.send(format!("{}{rest}", "a".repeat(100_000))).await;
    upstream.wait(|seen| seen.len() > 1).await;
    assert_victims_are_safe(&proxy, &upstream, "early").await;
}

#[tokio::test]
async fn interim_answers_prove_nothing() {
    // Early hints come when the head was read; the final answer is a refusal.
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.head().await {
            conn.note(&request);
            conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
            conn.send(careless_answer(&request)).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut attacker = proxy.connect().await;
    attacker.send(attack("POST", "/mcp", "403 Forbidden", "text/plain", SMUGGLED)).await;
    assert_eq!(attacker.reply().await.status(), 403);
    assert_victims_are_safe(&proxy, &upstream, "103").await;
}

#[tokio::test]
async fn pythons_server_harms_nobody_but_who_misuses_it() {
    let python = Python::start().await;
    let proxy = Proxy::to_url(&python.url).start();
    let attacks =
        [("POST", "/mcp"), ("POST", "/x"), ("GET", "/x"), ("DELETE", "/x"), ("OPTIONS", "/x"), ("GET", "/mcp")];
    for (method, path) in attacks {
        let mut attacker = proxy.connect().await;
        attacker.send(request(method, path, &[], SMUGGLED)).await;
        assert!(attacker.head().await.is_some());
        for victim in 0..VICTIMS {
            let path = format!("/victim/{victim}");
            let answer = proxy.ask(get(&path, &[&token(victim)])).await;
            assert_eq!(answer.text(), format!("{path} Bearer victim-{victim}"), "{method} {path}");
            let mut client = Http2::to(&proxy).await;
            let bearer = format!("Bearer victim-{victim}");
            let answer = client.ask("GET", &path, &[("authorization", &bearer)], "").await;
            assert_eq!(answer, (200, format!("{path} {bearer}")), "{method} {path}");
        }
    }
}

/// An upstream that reads bodies, and answers with the number of its connection: refusals but for messages of `ping`.
async fn careful() -> Upstream {
    Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            let mut answer = match request.text().contains("ping") {
                true => json("200 OK", PONG),
                false if request.method() == "POST" => json("401 Unauthorized", "{}"),
                false => ok(""),
            };
            let at = answer.windows(2).position(|pair| pair == b"\r\n").unwrap();
            answer.splice(at..at, format!("\r\nX-Connection: {}", conn.index).into_bytes());
            conn.send(answer).await;
        }
        conn.note(&Message { start: format!("END {}", conn.index), whole: true, ..Message::default() });
    })
    .await
}

/// Asks on this connection and answers which connection of the upstream it went over.
async fn way_of(client: &mut Wire, request: Vec<u8>) -> usize {
    client.send(request).await;
    client.reply().await.get("x-connection").unwrap().parse().unwrap()
}

const MINE: &str = "Authorization: Bearer mine";

fn refused() -> Vec<u8> {
    post("/mcp", &[MINE], r#"{"jsonrpc":"2.0","id":1,"method":"other"}"#)
}

#[tokio::test]
async fn messages_that_were_answered_go_over_one_connection() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).start();
    for _ in 0..VICTIMS {
        let mut client = proxy.connect().await;
        assert_eq!(way_of(&mut client, post("/mcp", &["Content-Type: application/json"], PING)).await, 0);
        assert_eq!(way_of(&mut client, get("/x", &[])).await, 0);
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_client_that_is_refused_again_and_again_costs_one_connection() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, mut other) = (proxy.connect().await, proxy.connect().await);
    // The first refusal has the upstream asked about itself, over connections of the proxy's own.
    let own = way_of(&mut client, refused()).await;
    let others = way_of(&mut other, refused()).await;
    assert_ne!(own, others);
    for _ in 0..VICTIMS {
        assert_eq!(way_of(&mut client, refused()).await, own);
        assert_eq!(way_of(&mut other, refused()).await, others);
        assert_eq!(way_of(&mut client, get("/x", &[MINE])).await, own);
        // What was private once stays private.
        assert_eq!(way_of(&mut client, post("/mcp", &[MINE], PING)).await, own);
    }
    let mut third = proxy.connect().await;
    let thirds = way_of(&mut third, post("/mcp", &[], PING)).await;
    assert!(thirds != own && thirds != others);
}

/// Something in front that says nothing of itself sends the requests of many clients over one connection.
#[tokio::test]
async fn a_private_connection_is_for_one_caller() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).set("limits.pool_idle_seconds", "60").start();
    let mut front = proxy.connect().await;
    let own = way_of(&mut front, refused()).await;
    for other in [&["Authorization: Bearer other"][..], &[], &["Cookie: a=b", MINE], &["X-User-Id: u", MINE]] {
        assert_ne!(way_of(&mut front, get("/x", other)).await, own, "{other:?}");
    }
    assert_eq!(way_of(&mut front, get("/x", &[MINE])).await, own);
    // Whoever has no credentials gets none.
    let way = way_of(&mut front, post("/mcp", &[], "{}")).await;
    ended(&upstream, way).await;
}

/// The front has a key of its own. A repair moves what else there is into the form, and the upstream sees the key alone.
#[tokio::test]
async fn callers_whose_credentials_were_moved_share_no_connection() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).set("limits.pool_idle_seconds", "60").start();
    let mut front = proxy.connect().await;
    let mut ways = Vec::new();
    for (id, basic) in [("a", "YTpzMw=="), ("b", "YjpzMw=="), ("a", "YTpzMw==")] {
        let fields = [
            "Content-Type: application/x-www-form-urlencoded",
            "X-Api-Key: of-the-gateway",
            &format!("Authorization: Basic {basic}"),
        ];
        let form = format!("grant_type=refresh_token&refresh_token=r&client_id={id}&client_secret=s3");
        ways.push(way_of(&mut front, post("/token", &fields, &form)).await);
        let seen = upstream.seen().into_iter().rfind(|seen| seen.text().contains("client_secret=s3"));
        assert_eq!(seen.unwrap().get("authorization"), None, "it was moved");
    }
    assert!(ways[0] != ways[1] && ways[1] != ways[2] && ways[0] != ways[2], "{ways:?}");
}

#[tokio::test]
async fn what_one_client_of_a_front_leaves_unread_reaches_no_other() {
    for (method, path, status, kind) in ATTACKS {
        let upstream = careless().await;
        let proxy = Proxy::to(&upstream).start();
        let case = format!("{method} {path} -> {status}");
        let mut front = proxy.connect().await;
        let own = [&*format!("X-Answer: {status}"), &*format!("X-Type: {kind}"), MINE];
        front.send(request(method, path, &own, SMUGGLED)).await;
        let answer = if *method == "HEAD" { front.head().await.unwrap() } else { front.reply().await };
        if answer.get("connection") == Some("close") {
            continue;
        }
        for victim in 0..VICTIMS {
            let path = format!("/victim/{victim}");
            front.send(get(&path, &[&token(victim)])).await;
            assert_eq!(front.reply().await.text(), path, "{case}");
        }
        assert_nothing_swallowed(&upstream, &case);
    }
}

#[tokio::test]
async fn a_client_connection_has_one_private_connection() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).set("limits.pool_idle_seconds", "60").start();
    let mut client = Http2::to(&proxy).await;
    let one = client.way().await;
    // Two at a time: one of them keeps its connection.
    let (mut a, mut b) = (client.clone_of(), client.clone_of());
    let (first, second) = tokio::join!(a.way(), b.way());
    let ways = [one, first, second];
    let last = client.way().await;
    assert!(ways.contains(&last), "{ways:?} {last}");
    for way in ways.into_iter().filter(|way| *way != last) {
        ended(&upstream, way).await;
    }
}

#[tokio::test]
async fn a_client_of_http_2_keeps_its_connection_as_well() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, mut other) = (Http2::to(&proxy).await, Http2::to(&proxy).await);
    let (own, others) = (client.way().await, other.way().await);
    assert_ne!(own, others);
    for _ in 0..VICTIMS {
        assert_eq!((client.way().await, other.way().await), (own, others));
    }
}

#[tokio::test]
async fn a_token_that_was_granted_leaves_the_connection_to_all() {
    let upstream = Upstream::always(json("200 OK", r#"{"access_token":"a","token_type":"Bearer"}"#)).await;
    let proxy = Proxy::to(&upstream).start();
    proxy.ask(post("/token", &["Content-Type: application/x-www-form-urlencoded"], "grant_type=x&code=a")).await;
    // What is known of the upstream by now is not asked again.
    let before = upstream.connections();
    for _ in 0..VICTIMS {
        proxy.ask(post("/token", &["Content-Type: application/x-www-form-urlencoded"], "grant_type=x&code=a")).await;
    }
    assert_eq!(upstream.connections(), before);
}

/// Waits until the upstream has seen the end of a connection.
async fn ended(upstream: &Upstream, way: usize) {
    upstream.wait(|seen| seen.iter().any(|message| message.start == format!("END {way}"))).await;
}

#[tokio::test]
async fn a_private_connection_ends_with_the_clients() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).set("limits.pool_idle_seconds", "60").start();
    let mut client = proxy.connect().await;
    let way = way_of(&mut client, refused()).await;
    drop(client);
    ended(&upstream, way).await;
    let mut client = Http2::to(&proxy).await;
    let way = client.way().await;
    drop(client);
    ended(&upstream, way).await;
}

#[tokio::test]
async fn a_private_connection_that_nobody_uses_is_closed() {
    let upstream = careful().await;
    let proxy = Proxy::to(&upstream).set("limits.pool_idle_seconds", "0.01").start();
    let mut client = proxy.connect().await;
    let way = way_of(&mut client, refused()).await;
    ended(&upstream, way).await;
    assert_ne!(way_of(&mut client, refused()).await, way);
}

#[tokio::test]
async fn a_connection_of_several_clients_gets_no_private_one() {
    for (trusted, fields) in [
        ("127.0.0.1", &[][..]),
        ("192.0.2.1", &["X-Forwarded-For: 192.0.2.7"]),
        ("192.0.2.1", &["Via: 1.1 cache.example"]),
        ("192.0.2.1", &["Via: 1.1 cache.example", "Connection: via"]),
    ] {
        let upstream = careful().await;
        let proxy = Proxy::to(&upstream).set("trusted_proxies", trusted).set("limits.pool_idle_seconds", "60").start();
        let mut client = proxy.connect().await;
        for _ in 0..3 {
            let way = way_of(&mut client, post("/mcp", &[fields, &[MINE]].concat(), "{}")).await;
            ended(&upstream, way).await;
        }
        let mut client = Http2::to(&proxy).await;
        for _ in 0..3 {
            let fields =
                fields.iter().filter_map(|field| field.split_once(": ")).filter(|(name, _)| *name != "Connection");
            let way = client.way_with(&fields.collect::<Vec<_>>()).await;
            ended(&upstream, way).await;
        }
        // What is answered is pooled all the same.
        let mut client = proxy.connect().await;
        let way = way_of(&mut client, post("/mcp", fields, PING)).await;
        assert_eq!(way_of(&mut client, post("/mcp", fields, PING)).await, way);
    }
}

/// What the upstream saw of a request whose body has no meaning.
fn assert_came_bare(seen: &Message, case: &str) {
    for name in ["content-length", "transfer-encoding", "content-encoding", "expect"] {
        assert_eq!(seen.get(name), None, "{case}");
    }
    assert_eq!(seen.text(), "", "{case}");
}

#[tokio::test]
async fn a_body_without_a_meaning_stays_here() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    let cases = [
        ("GET", "/mcp"),
        ("HEAD", "/mcp"),
        ("OPTIONS", "/mcp"),
        ("DELETE", "/mcp"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("DELETE", "/token"),
    ];
    for (method, path) in cases {
        let chunked = format!(
            "{method} {path} HTTP/1.1\r\nHost: mcp.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        for request in [request(method, path, &["Content-Encoding: identity"], "hello"), chunked.into_bytes()] {
            client.send(request).await;
            let answer = if method == "HEAD" { client.head().await.unwrap() } else { client.reply().await };
            assert!(answer.status() < 500 && answer.get("connection").is_none(), "{method} {path}: {}", answer.start);
        }
        let asked = if path.contains("well-known") { "GET" } else { method };
        let seen: Vec<Message> = upstream.seen_at(path).into_iter().filter(|seen| seen.method() == asked).collect();
        assert!(seen.len() >= 2, "{method} {path}");
        seen.iter().for_each(|message| assert_came_bare(message, &format!("{method} {path}")));
    }
    // An API that is none of MCP may read it (RFC 9110 section 9.3.5).
    for method in ["DELETE", "GET"] {
        client.send(request(method, "/x", &[], "hello")).await;
        assert_eq!(client.reply().await.status(), 200);
        assert_eq!(upstream.seen_at("/x").last().unwrap().text(), "hello", "{method}");
    }
    let mut http2 = Http2::to(&proxy).await;
    assert_eq!(http2.ask("GET", "/mcp/", &[], "hello").await.0, 200);
    assert_came_bare(&upstream.seen_at("/mcp/")[0], "HTTP/2");
}

#[tokio::test]
async fn a_body_that_is_too_long_to_be_left_ends_the_connection() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let long = "a".repeat(200_000);
    let cases = [
        ("/mcp?long", request("GET", "/mcp?long", &[], &long)),
        // It never comes.
        ("/mcp?slow", request("GET", "/mcp?slow", &["Content-Length: 5"], "")),
        // It is not asked for.
        ("/mcp?expect", request("GET", "/mcp?expect", &["Content-Length: 5", "Expect: 100-continue"], "")),
    ];
    for (path, request) in cases {
        let mut client = proxy.connect().await;
        client.send(request).await;
        let answer = client.reply().await;
        assert_eq!(
            (answer.status(), answer.text(), answer.get("connection")),
            (200, "hello".into(), Some("close")),
            "{path}"
        );
        assert_eq!(client.until_closed().await, b"", "{path}");
        assert_came_bare(&upstream.seen_at(path)[0], path);
    }
    let mut client = proxy.connect().await;
    client.send("GET /mcp?bad HTTP/1.1\r\nHost: mcp.test\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").await;
    assert_eq!(client.reply().await.status(), 400);
    assert_eq!(upstream.seen_at("/mcp?bad").len(), 0);
}

/// A client of HTTP/2.
struct Http2 {
    sender: h2::client::SendRequest<Bytes>,
    driver: Option<tokio::task::JoinHandle<()>>,
}

impl Http2 {
    async fn to(proxy: &Proxy) -> Self {
        let stream = soon(tokio::net::TcpStream::connect(proxy.address)).await.unwrap();
        let (sender, connection) = soon(h2::client::handshake(stream)).await.unwrap();
        Self { sender, driver: Some(tokio::spawn(async move { drop(connection.await) })) }
    }

    /// The same connection once more.
    fn clone_of(&self) -> Self {
        Self { sender: self.sender.clone(), driver: None }
    }

    /// Asks; answers status and body.
    async fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &'static str) -> (u16, String) {
        let (head, text) = self.exchange(method, path, fields, body).await;
        (head.status.as_u16(), text)
    }

    /// Is refused; answers over which connection of the upstream.
    async fn way(&mut self) -> usize {
        self.way_with(&[]).await
    }

    /// As [`Self::way`], with further fields.
    async fn way_with(&mut self, fields: &[(&str, &str)]) -> usize {
        let fields = [&[("authorization", "Bearer mine")], fields].concat();
        let (head, _) = self.exchange("POST", "/mcp", &fields, "{}").await;
        assert_eq!(head.status, 401);
        head.headers["x-connection"].to_str().unwrap().parse().unwrap()
    }

    async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &'static str,
    ) -> (http::response::Parts, String) {
        let mut request = Request::builder().method(method).uri(format!("http://mcp.test{path}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (answer, mut upload) = self.sender.send_request(request.body(()).unwrap(), body.is_empty()).unwrap();
        if !body.is_empty() {
            upload.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
        }
        let (head, mut body) = soon(answer).await.unwrap().into_parts();
        let mut text = Vec::new();
        while let Some(data) = soon(body.data()).await {
            text.extend_from_slice(&data.unwrap());
        }
        (head, String::from_utf8(text).unwrap())
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

/// Python's `http.server`, as quick services are written with it: a refusal does not read the body.
struct Python {
    url: String,
    _child: Child,
}

impl Python {
    async fn start() -> Self {
        const SCRIPT: &str = r#"
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        self.say(200, f"{self.path} {self.headers['Authorization']}")

    def do_POST(self):
        self.say(401, "no")

    do_DELETE = do_OPTIONS = do_POST

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;
        let mut command = Command::new("python3");
        command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("python3 is needed");
        // Dropped at the end of the statement: Python runs what it has read when its input has ended.
        child.stdin.take().unwrap().write_all(SCRIPT.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = soon(lines.next_line()).await.unwrap().unwrap();
        Self { url: format!("http://127.0.0.1:{port}"), _child: child }
    }
}
