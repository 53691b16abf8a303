//! Every limit: one under, at it and one over; what is answered beyond, and under which name it is counted.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::kit::{
    BEFORE_DEFAULTS, Binary, Message, Proxy, Upstream, chunk, get, json, noise, ok, post, reply, request, soon,
};

/// How often something was counted under a name: refusals, bodies that passed untouched, connections hung up on.
fn counted(proxy: &Proxy, name: &str) -> u64 {
    let counters = proxy.running.as_ref().unwrap().common.ledger.sum();
    let mut all = counters.by_refusal().chain(counters.by_reason()).chain(counters.by_hanging_up());
    all.find(|(have, _)| *have == name).map_or(0, |(_, count)| count)
}

async fn until_counted(proxy: &Proxy, name: &str, count: u64) {
    soon(async {
        while counted(proxy, name) < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    assert_eq!(counted(proxy, name), count, "{name}");
}

/// A registration with a defect that is mended, of so many bytes.
fn registration(length: usize) -> String {
    let begin = r#"{"client_id":"a","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none","client_id_issued_at":1.5,"padding":""#;
    let end = r#""}"#;
    format!("{begin}{}{end}", "x".repeat(length - begin.len() - end.len()))
}

const ASKED: &str = r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}"#;
const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn register() -> Vec<u8> {
    post("/register", &[JSON], ASKED)
}

/// An upstream whose registration answers so, and that serves nothing else.
async fn registers(answer: Vec<u8>) -> Upstream {
    Upstream::answering(move |request| match request.target() {
        "/register" => answer.clone(),
        _ => reply("404 Not Found", &[], ""),
    })
    .await
}

/// A limit on what one request has.
struct Row {
    key: &'static str,
    limit: usize,
    /// The request that has so much of it.
    request: fn(usize) -> Vec<u8>,
    status: u16,
    name: &'static str,
}

fn head_of(length: usize) -> Vec<u8> {
    let (begin, end) = ("GET /x HTTP/1.1\r\nHost: mcp.test\r\nA: ", "\r\n\r\n");
    format!("{begin}{}{end}", "a".repeat(length - begin.len() - end.len())).into_bytes()
}

fn lines(count: usize) -> Vec<u8> {
    format!("GET /x HTTP/1.1\r\nHost: mcp.test\r\n{}\r\n", "A: b\r\n".repeat(count - 1)).into_bytes()
}

fn chunked(length: usize) -> Vec<u8> {
    let mut all = b"POST /x HTTP/1.1\r\nHost: mcp.test\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    all.extend(chunk(&"x".repeat(length - 1)));
    all.extend(chunk("x"));
    all.extend(b"0\r\n\r\n");
    all
}

const ROWS: &[Row] = &[
    Row {
        key: "limits.target_bytes",
        limit: 300,
        request: |length| get(&format!("/{}", "x".repeat(length - 1)), &[]),
        status: 414,
        name: "uri_too_long",
    },
    Row {
        key: "limits.request_bytes",
        limit: 1000,
        request: |length| post("/x", &[], &"x".repeat(length)),
        status: 413,
        name: "payload_too_large",
    },
    Row { key: "limits.request_bytes", limit: 1000, request: chunked, status: 413, name: "payload_too_large" },
    Row { key: "limits.head_bytes", limit: 8192, request: head_of, status: 431, name: "header_fields_too_large" },
    // Not a setting: 100 lines, Host included.
    Row { key: "", limit: 100, request: lines, status: 431, name: "header_fields_too_large" },
];

#[tokio::test]
async fn what_a_request_has_is_limited() {
    for row in ROWS {
        let upstream = Upstream::sound().await;
        let mut setup = Proxy::to(&upstream);
        if !row.key.is_empty() {
            setup = setup.set(row.key, row.limit);
        }
        let proxy = setup.start();
        for length in [row.limit - 1, row.limit] {
            assert_eq!(proxy.ask((row.request)(length)).await.status(), 200, "{} {length}", row.name);
        }
        assert_eq!(counted(&proxy, row.name), 0);
        assert_eq!(
            proxy.ask((row.request)(row.limit + 1)).await.status(),
            row.status,
            "{} {}",
            row.name,
            row.limit + 1
        );
        until_counted(&proxy, row.name, 1).await;
        assert_eq!(upstream.seen().len(), 2, "{}", row.name);
        // What is no head at all is told from one that is too long.
        proxy.ask("rubbish\r\n\r\n").await;
        until_counted(&proxy, "bad_head", 1).await;
    }
}

#[tokio::test]
async fn a_body_that_is_held_is_limited_alone_and_with_all_others() {
    let rows = [("limits.body_bytes", 2048, 0, "too-large"), ("limits.held_bytes", 1 << 20, ASKED.len(), "busy")];
    for (key, limit, beside, name) in rows {
        for (length, is_mended) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            let body = registration(length - beside);
            let upstream = registers(json("201 Created", &body)).await;
            let proxy = Proxy::to(&upstream).set("limits.body_bytes", 1 << 22).set(key, limit).start();
            let answer = proxy.ask(register()).await;
            let expected = if is_mended { body.replace("1.5", "1") } else { body };
            assert!(answer.text() == expected, "{name} {length}");
            until_counted(&proxy, name, u64::from(!is_mended)).await;
            let load = proxy.running.as_ref().unwrap().runtime.load;
            soon(async {
                while load.held_bytes() > 0 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_request_that_finds_no_room_streams_and_an_event_passes_raw() {
    let event = r#"data: {"jsonrpc":"2.0","id":1,"result":{}}"#;
    let (sender, mut sent) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            while let Some(request) = conn.next().await {
                if request.target() == "/register" {
                    // All the room there is, and not done yet.
                    let head =
                        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n";
                    conn.send(format!("{head}{}", "x".repeat((1 << 20) - ASKED.len()))).await;
                    let _ = sender.send(());
                    conn.until_closed().await;
                    return;
                }
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                conn.send(head).await;
                conn.send(chunk(event)).await;
                conn.send(chunk("\n\n")).await;
                conn.send("0\r\n\r\n").await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.body_bytes", 1 << 22).set("limits.held_bytes", 1 << 20).start();
    let mut full = proxy.connect().await;
    full.send(register()).await;
    soon(sent.recv()).await;
    let load = proxy.running.as_ref().unwrap().runtime.load;
    soon(async {
        while load.held_bytes() < 1 << 20 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
    let accept = "Accept: application/json, text/event-stream";
    let answer = proxy.ask(post("/mcp", &[JSON, accept], message)).await;
    assert_eq!((answer.status(), answer.text()), (200, format!("{event}\n\n")));
    assert!(upstream.seen_at("/mcp").iter().any(|seen| seen.text() == message));
    assert_eq!(counted(&proxy, "busy"), 2);
}

#[tokio::test]
async fn registrations_and_tokens_of_one_address_are_limited() {
    let rows = [
        ("limits.register_per_minute", "/register", JSON, ASKED),
        ("limits.token_per_minute", "/token", FORM, "grant_type=authorization_code&code=x"),
    ];
    for (key, path, kind, body) in rows {
        let upstream = Upstream::answering(|request| match request.method() {
            "POST" => json("200 OK", "{}"),
            _ => reply("404 Not Found", &[], ""),
        })
        .await;
        let proxy = Proxy::to(&upstream).set(key, 3).start();
        let mut client = proxy.connect().await;
        let ask = post(path, &[kind, "Origin: https://claude.ai"], body);
        for _ in 0..3 {
            client.send(&ask).await;
            assert_eq!(client.reply().await.status(), 200);
        }
        client.send(&ask).await;
        let answer = client.reply().await;
        assert_eq!(answer.status(), 429);
        let after: u64 = answer.get("retry-after").unwrap().parse().unwrap();
        assert!((19..=20).contains(&after), "{after}");
        assert_eq!(answer.json()["error"], "too_many_requests");
        assert!(answer.json()["error_description"].is_string());
        assert_eq!(answer.all("access-control-allow-origin"), ["https://claude.ai"]);
        assert!(answer.get("access-control-expose-headers").is_some_and(|names| names.contains("etry-")), "{answer:?}");
        assert_eq!((counted(&proxy, "too_many_requests"), upstream.seen_at(path).len()), (1, 3));
        // The connection goes on, other requests are not counted, and neither is a preflight.
        client.send(post("/x", &[], "x")).await;
        assert_eq!(client.reply().await.status(), 200);
        client
            .send(request("OPTIONS", path, &["Origin: https://claude.ai", "Access-Control-Request-Method: POST"], ""))
            .await;
        assert!(client.reply().await.status() < 300);
        assert_eq!(counted(&proxy, "too_many_requests"), 1);
        // A server may take another method for the same.
        client.send(request("PUT", path, &[kind], body)).await;
        assert_eq!(client.reply().await.status(), 429);
        let unlimited = Proxy::to(&upstream).set(key, 0).start();
        for _ in 0..10 {
            assert_eq!(unlimited.ask(&ask).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn a_client_is_who_the_trusted_proxy_says_and_an_endpoint_where_the_metadata_say() {
    let upstream = Upstream::answering(|request| {
        let own = format!("http://{}", request.get("host").unwrap_or_default());
        match request.target() {
            "/.well-known/oauth-authorization-server" => json(
                "200 OK",
                &format!(
                    r#"{{"issuer":"{own}","registration_endpoint":"{own}/oauth2/new","token_endpoint":"{own}/oauth2/t"}}"#
                ),
            ),
            "/oauth2/new" => json("201 Created", "{}"),
            _ => reply("404 Not Found", &[], ""),
        }
    })
    .await;
    let ask = |client: &str| post("/oauth2/new", &[JSON, &format!("X-Forwarded-For: {client}")], ASKED);
    let proxy = Proxy::to(&upstream).set("limits.register_per_minute", 1).set("trusted_proxies", "127.0.0.1").start();
    for (client, status) in [
        ("192.0.2.1", 201),
        ("192.0.2.1", 429),
        ("192.0.2.2", 201),
        ("2001:db8:0:1::1", 201),
        ("2001:db8:0:1::2", 429),
        ("2001:db8:0:2::2", 201),
    ] {
        assert_eq!(proxy.ask(ask(client)).await.status(), status, "{client}");
    }
    // Nobody is believed who is not trusted.
    let proxy = Proxy::to(&upstream).set("limits.register_per_minute", 1).start();
    assert_eq!(proxy.ask(ask("192.0.2.1")).await.status(), 201);
    assert_eq!(proxy.ask(ask("192.0.2.2")).await.status(), 429);
}

#[tokio::test]
async fn one_request_too_many_is_refused_before_its_body_and_others_go_on() {
    let (sender, held) = mpsc::unbounded_channel::<()>();
    let held = std::sync::Arc::new(tokio::sync::Mutex::new(held));
    let upstream = Upstream::script(move |mut conn| {
        let held = held.clone();
        async move {
            while let Some(request) = conn.next().await {
                if request.target() == "/slow" {
                    held.lock().await.recv().await;
                }
                conn.send(ok("done")).await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.requests", 2).start();
    let (mut first, mut second) = (proxy.connect().await, proxy.connect().await);
    for (client, seen) in [(&mut first, 1), (&mut second, 2)] {
        client.send(get("/slow", &[])).await;
        upstream.wait(|all| all.len() == seen).await;
    }
    // Nothing of this body will ever come.
    let mut third = proxy.connect().await;
    third.send("POST /mcp HTTP/1.1\r\nHost: mcp.test\r\nContent-Length: 100000\r\n\r\n").await;
    let answer = third.reply().await;
    assert_eq!((answer.status(), answer.get("retry-after"), answer.get("connection")), (503, Some("1"), Some("close")));
    assert_eq!((answer.json()["error"].as_str(), counted(&proxy, "overloaded")), (Some("overloaded"), 1));
    assert_eq!(upstream.begun().len(), 2);
    sender.send(()).unwrap();
    assert_eq!(soon(futures_either(&mut first, &mut second)).await.text(), "done");
    let load = proxy.running.as_ref().unwrap().runtime.load;
    soon(async {
        while load.requests() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(proxy.ask(get("/x", &[])).await.status(), 200);
    assert_eq!(counted(&proxy, "overloaded"), 1);
}

/// The answer of whoever gets one first.
async fn futures_either(first: &mut crate::kit::Wire, second: &mut crate::kit::Wire) -> Message {
    tokio::select! {
        answer = first.reply() => answer,
        answer = second.reply() => answer,
    }
}

#[tokio::test]
async fn a_connection_too_many_is_counted() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.connections", 1).start();
    let mut first = proxy.connect().await;
    first.send(get("/x", &[])).await;
    assert_eq!(first.reply().await.status(), 200);
    assert_eq!(counted(&proxy, "too_many_connections"), 0);
    assert_eq!(proxy.connect().await.reply().await.status(), 503);
    assert_eq!(counted(&proxy, "too_many_connections"), 1);
}

#[tokio::test]
async fn what_takes_too_long_is_counted_by_name() {
    let rows = [
        ("limits.head_seconds", "GET /x HTTP/1.1\r\nHost: h\r\n", 0, "head-slow"),
        ("limits.body_seconds", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", 408, "request_timeout"),
        (
            "limits.body_seconds",
            "POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
            408,
            "request_timeout",
        ),
        ("limits.idle_seconds", "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "idle"),
        (
            "limits.first_byte_seconds",
            "GET /never HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            504,
            "upstream_timeout",
        ),
    ];
    for (key, bytes, status, name) in rows {
        let upstream = Upstream::script(|mut conn| async move {
            while let Some(request) = conn.next().await {
                if request.target() != "/never" {
                    conn.send(ok("hello")).await;
                }
            }
        })
        .await;
        let proxy = Proxy::to(&upstream).set(key, "0.2").start();
        let mut client = proxy.connect().await;
        let began = Instant::now();
        client.send(bytes).await;
        assert_eq!(client.reply().await.status(), status, "{name}");
        client.until_closed().await;
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(190) && took < BEFORE_DEFAULTS, "{name} {took:?}");
        until_counted(&proxy, name, 1).await;
    }
}

#[tokio::test]
async fn a_body_that_is_to_be_mended_and_takes_too_long_passes() {
    for (pause, is_mended) in [(0, true), (400, false)] {
        let body = registration(300);
        let sent = body.clone();
        let upstream = Upstream::script(move |mut conn| {
            let (begin, end) = (sent[..100].to_owned(), sent[100..].to_owned());
            async move {
                while let Some(request) = conn.next().await {
                    if request.target() != "/register" {
                        conn.send(reply("404 Not Found", &[], "")).await;
                        continue;
                    }
                    conn.send(format!("HTTP/1.1 201 Created\r\n{JSON}\r\nContent-Length: 300\r\n\r\n{begin}")).await;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    conn.send(&end).await;
                }
            }
        })
        .await;
        let proxy = Proxy::to(&upstream).set("limits.mend_seconds", "0.2").start();
        let answer = proxy.ask(register()).await;
        assert_eq!(answer.text() != body, is_mended);
        until_counted(&proxy, "slow", u64::from(!is_mended)).await;
    }
}

/// An upstream with more to say than any buffer takes, that says when its connection has ended.
async fn endless(kind: &'static str) -> (Upstream, mpsc::UnboundedReceiver<()>) {
    let (sender, ended) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            conn.next().await;
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
            let part = chunk(&format!("data: {}\n\n", "x".repeat(1 << 16)));
            while tokio::io::AsyncWriteExt::write_all(&mut conn.stream, &part).await.is_ok() {}
            let _ = sender.send(());
        }
    })
    .await;
    (upstream, ended)
}

#[tokio::test]
async fn a_reader_that_is_stuck_is_ended_and_the_upstream_let_go() {
    for kind in ["text/plain", "text/event-stream"] {
        let (upstream, mut ended) = endless(kind).await;
        let proxy = Proxy::to(&upstream).set("limits.stalled_seconds", "0.3").start();
        let mut client = proxy.connect().await;
        client.send(get("/x", &[])).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        soon(ended.recv()).await.unwrap();
        until_counted(&proxy, "stalled", 1).await;
        assert!(proxy.logged("client-stalled").await.contains("\"path\":\"/x\""));
    }
}

#[tokio::test]
async fn a_reader_that_goes_on_slowly_is_not_ended() {
    let (upstream, mut ended) = endless("text/plain").await;
    let proxy = Proxy::to(&upstream).set("limits.stalled_seconds", "0.5").start();
    let mut client = proxy.connect().await;
    socket2::SockRef::from(&client.stream).set_recv_buffer_size(64 * 1024).unwrap();
    client.send(get("/x", &[])).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut space = vec![0; 1 << 20];
    for _ in 0..20 {
        ticks.tick().await;
        assert!(soon(client.stream.read(&mut space)).await.unwrap() > 0);
    }
    assert!(ended.try_recv().is_err());
    assert_eq!(counted(&proxy, "stalled"), 0);
}

#[tokio::test]
async fn a_stream_in_which_nothing_is_said_is_not_stuck() {
    let (sender, mut said) = mpsc::unbounded_channel::<&'static str>();
    let (orders, wanted) = mpsc::unbounded_channel::<&'static str>();
    let wanted = std::sync::Arc::new(tokio::sync::Mutex::new(wanted));
    let upstream = Upstream::script(move |mut conn| {
        let (sender, wanted) = (sender.clone(), wanted.clone());
        async move {
            conn.next().await;
            conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while let Some(text) = wanted.lock().await.recv().await {
                conn.send(chunk(text)).await;
                let _ = sender.send(text);
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.stalled_seconds", "0.1").start();
    let mut client = proxy.connect().await;
    client.send(get("/mcp", &["Accept: text/event-stream"])).await;
    for text in ["data: 1\n\n", "data: 2\n\n"] {
        orders.send(text).unwrap();
        soon(said.recv()).await;
        assert!(client.until(b"\n\n\r\n").await.is_some());
        // Five times the limit: the subject is time.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(counted(&proxy, "stalled"), 0);
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_read_if_it_is_short_and_else_ends_the_connection() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.register_per_minute", 1).start();
    assert_eq!(proxy.ask(register()).await.status(), 200);
    let head = format!("POST /register HTTP/1.1\r\nHost: mcp.test\r\n{JSON}\r\n");
    // In two pieces, so that it has not come when it is refused.
    for (length, goes_on) in [(65_535, true), (65_536, true), (65_537, false)] {
        for framing in ["length", "chunked"] {
            let mut client = proxy.connect().await;
            let body = "x".repeat(length);
            let (begin, rest) = match framing {
                "length" => (format!("{head}Content-Length: {length}\r\n\r\n"), body),
                _ => {
                    (format!("{head}Transfer-Encoding: chunked\r\n\r\n"), format!("{length:x}\r\n{body}\r\n0\r\n\r\n"))
                }
            };
            client.send(&begin).await;
            client.send(&rest[..100]).await;
            tokio::task::yield_now().await;
            client.send(&rest[100..]).await;
            let answer = client.reply().await;
            assert_eq!((answer.status(), answer.whole), (429, true), "{framing} {length}");
            assert_eq!(answer.get("connection").is_none(), goes_on, "{framing} {length}");
            client.send(get("/x", &[])).await;
            assert_eq!(client.reply().await.status(), if goes_on { 200 } else { 0 }, "{framing} {length}");
        }
    }
    // Who waits to be asked for a body is not asked, and the connection ends.
    let mut client = proxy.connect().await;
    client.send(format!("{head}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n")).await;
    let answer = client.reply().await;
    assert_eq!((answer.status(), answer.get("connection")), (429, Some("close")));
}

#[tokio::test]
async fn a_refusal_is_read_by_a_client_that_goes_on_sending() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.request_bytes", 1000).start();
    for _ in 0..20 {
        let mut client = proxy.connect().await;
        client.send("POST /x HTTP/1.1\r\nHost: mcp.test\r\nContent-Length: 2000000\r\n\r\n").await;
        // All of it, before a byte of the answer is read: a reset would take the answer with it.
        assert!(client.send(vec![b'x'; 2_000_000]).await);
        let answer = client.reply().await;
        assert_eq!((answer.status(), answer.whole), (413, true));
        assert!(client.until_closed().await.is_empty());
    }
}

/// Resident memory of a process in bytes.
#[cfg(target_os = "linux")]
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn fifty_stuck_readers_hold_little() {
    let body = std::sync::Arc::new(noise(8_000_000));
    let (sender, mut stuck) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let (body, sender) = (body.clone(), sender.clone());
        async move {
            conn.next().await;
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n").await;
            // As much as goes: what is left then waits for the client.
            for part in body.chunks(1 << 16) {
                let write = tokio::io::AsyncWriteExt::write_all(&mut conn.stream, part);
                if tokio::time::timeout(Duration::from_millis(400), write).await.is_err() {
                    break;
                }
            }
            let _ = sender.send(());
            std::future::pending().await
        }
    })
    .await;
    let proxy = Binary::start(&[&format!("http://{}", upstream.address), "--no-probe", "--log-format", "off"]).await;
    let before = resident(proxy.id());
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = proxy.connect().await;
        client.send(get("/x", &[])).await;
        clients.push(client);
    }
    for _ in 0..50 {
        soon(stuck.recv()).await;
    }
    let more = resident(proxy.id()).saturating_sub(before);
    assert!(more < 100 << 20, "{more} bytes for 50 readers");
}
