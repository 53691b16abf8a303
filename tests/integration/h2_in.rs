//! HTTP/2 from clients: what arrives at an HTTP/1.1 upstream, streams both ways, and how each ends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{Method, Request};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::kit::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, ask, block, frame, preface,
};
use crate::kit::{BEFORE_DEFAULTS, Proxy, Upstream, Wire, chunk, noise, ok, reply, soon};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const PROTOCOL_ERROR: u32 = 1;

/// A client of HTTP/2 by prior knowledge, and how its connection ends.
async fn client(proxy: &Proxy) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = soon(tokio::net::TcpStream::connect(proxy.address)).await.unwrap();
    let (sender, connection) = soon(h2::client::handshake(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(format!("http://mcp.test{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Asks without a body; answers the status, the head and the whole body.
async fn asked(client: &mut SendRequest<Bytes>, request: Request<()>) -> (http::response::Parts, Bytes) {
    let (answer, _) = client.send_request(request, true).unwrap();
    let (head, mut body) = soon(answer).await.unwrap().into_parts();
    (head, whole(&mut body).await.unwrap())
}

async fn whole(body: &mut RecvStream) -> Result<Bytes, h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = soon(body.data()).await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.into())
}

/// The next piece of an answer.
async fn piece(body: &mut RecvStream) -> Bytes {
    let data = soon(body.data()).await.unwrap().unwrap();
    body.flow_control().release_capacity(data.len()).unwrap();
    data
}

/// A raw connection that has said its preface.
async fn raw(proxy: &Proxy) -> Wire {
    let mut wire = proxy.connect().await;
    wire.send(preface(&[])).await;
    let settings = wire.frame().await.unwrap();
    assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
    wire
}

/// A reset takes back what is queued for a stream, so the event has to be on its way before.
#[tokio::test]
async fn an_event_arrives_though_the_stream_breaks_right_behind_it() {
    const EVENT: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n";
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send([STREAM.as_bytes(), &chunk(EVENT), b"zz\r\n"].concat()).await;
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _connection) = client(&proxy).await;
    for _ in 0..20 {
        let fields = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
        let (answer, mut upload) = client.send_request(request("POST", "/mcp", &fields), false).unwrap();
        upload.send_data(Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#), true).unwrap();
        let (head, mut body) = soon(answer).await.unwrap().into_parts();
        assert_eq!((head.status.as_u16(), piece(&mut body).await), (200, Bytes::from_static(EVENT.as_bytes())));
    }
}

#[tokio::test]
async fn a_request_arrives_as_one_of_http_1() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    let fields = [("cookie", "a=1"), ("x-own", "é"), ("cookie", "b=2"), ("te", "trailers")];
    let (head, body) = asked(&mut client, request("GET", "/x?y=%20z", &fields)).await;
    assert_eq!((head.status.as_u16(), &body[..]), (200, &b"hello"[..]));
    assert_eq!(head.headers["content-length"], "5");
    assert!(!head.headers.contains_key("connection"));
    let seen = &upstream.seen()[0];
    assert_eq!(seen.start, "GET /x?y=%20z HTTP/1.1");
    assert_eq!(seen.get("host"), Some(upstream.address.to_string().as_str()));
    assert_eq!(seen.all("cookie"), ["a=1; b=2"]);
    assert_eq!(seen.get("x-forwarded-host"), Some("mcp.test"));
    assert_eq!(seen.get("forwarded"), Some("for=127.0.0.1;host=\"mcp.test\";proto=http"));
    assert!(seen.get("transfer-encoding").is_none() && seen.get("content-length").is_none());
}

#[tokio::test]
async fn http_1_goes_on_beside_it() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    // However the first bytes are cut, and also where they look alike.
    for method in ["GET", "POST", "PUT", "PRI", "PROPFIND"] {
        let mut wire = proxy.connect().await;
        let text = crate::kit::request(method, "/x", &["Content-Length: 0"], "");
        for byte in &text[..3] {
            wire.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        wire.send(&text[3..]).await;
        assert_eq!(wire.reply().await.status(), 200, "{method}");
    }
    // An Upgrade to h2c is no way in (RFC 9113 section 3.1 has taken it out).
    let fields = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    assert_eq!(proxy.ask(crate::kit::get("/h2c", &fields)).await.status(), 200);
    let seen = &upstream.seen_at("/h2c")[0];
    assert!(seen.get("upgrade").is_none() && seen.get("http2-settings").is_none());
}

#[tokio::test]
async fn authority_and_host_must_agree() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    for (host, expected) in [
        ("mcp.test", 200),
        ("MCP.test", 200),
        ("mcp.test:80", 200),
        ("evil.test", 400),
        ("mcp.test:81", 400),
        ("", 400),
    ] {
        let (head, _) = asked(&mut client, request("GET", "/x", &[("host", host)])).await;
        assert_eq!(head.status.as_u16(), expected, "{host}");
    }
    assert_eq!(upstream.seen().len(), 3);
    // Without :authority Host names the host; with neither nobody does.
    for (fields, expected) in
        [(&[("host", "only.test")][..], "200"), (&[], "400"), (&[("host", "a"), ("host", "b")], "400")]
    {
        let mut wire = raw(&proxy).await;
        let start = [(":method", "GET"), (":scheme", "http"), (":path", "/y")];
        let block = block(&[&start[..], fields].concat());
        wire.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
        assert_eq!(status(&mut wire, 1).await, expected);
    }
    assert_eq!(upstream.seen_at("/y")[0].get("x-forwarded-host"), Some("only.test"));
}

/// The status of the answer on a stream, or how the stream or connection ended.
async fn status(wire: &mut Wire, stream: u32) -> String {
    let Some(frame) = wire.frame_that(|frame| frame.stream == stream || frame.kind == GOAWAY).await else {
        return "closed".into();
    };
    match frame.kind {
        // h2 indexes these statuses (RFC 7541 appendix A); others are literals that have their digits in them.
        HEADERS => match frame.payload[0] {
            0x88 => "200".into(),
            0x8c => "400".into(),
            0x8d => "404".into(),
            _ => format!("other {:?}", &frame.payload[..8]),
        },
        RST_STREAM => format!("reset {}", frame.code()),
        _ => format!("goaway {}", frame.code()),
    }
}

/// A proxy in front brings many clients on one connection. What one of them does wrong must not end it.
#[tokio::test]
async fn a_bad_request_ends_its_own_stream_alone_on_the_connection_of_a_trusted_proxy() {
    const MORE_THAN_ONE_CLIENT_MAY: u32 = 1100;
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("trusted_proxies", "127.0.0.1").start();
    let mut wire = raw(&proxy).await;
    // A WebSocket (RFC 8441), and paths that no URI has.
    let tunnel = [(":method", "CONNECT"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "/x")];
    let tunnel = block(&[&tunnel[..], &[(":protocol", "websocket")]].concat());
    wire.send(frame(HEADERS, END_HEADERS, 1, &tunnel)).await;
    let refused = status(&mut wire, 1).await;
    assert!(!refused.starts_with("goaway") && refused != "200", "{refused}");
    for stream in 1..=MORE_THAN_ONE_CLIENT_MAY {
        wire.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &ask("GET", "/a<b", &[]))).await;
        assert_eq!(status(&mut wire, 2 * stream + 1).await, format!("reset {PROTOCOL_ERROR}"));
    }
    let last = 2 * MORE_THAN_ONE_CLIENT_MAY + 3;
    wire.send(frame(HEADERS, END_HEADERS | END_STREAM, last, &ask("GET", "/x", &[]))).await;
    assert_eq!(status(&mut wire, last).await, "200");
}

#[tokio::test]
async fn what_is_malformed_never_goes_up() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let usual = [(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "/x")];
    let with = |more: &[(&'static str, &'static str)]| [&usual[..], more].concat();
    let cases: Vec<Vec<(&str, &str)>> = vec![
        // RFC 9113 section 8.2.1: characters in names and values.
        with(&[("X-Upper", "1")]),
        with(&[("x a", "1")]),
        with(&[("", "1")]),
        with(&[("x:", "1")]),
        with(&[("x", "a\r\nEvil: 1")]),
        with(&[("x", "a\nb")]),
        with(&[("x", "a\rb")]),
        with(&[("x", "a\0b")]),
        // Section 8.2.2: fields of a connection.
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("upgrade", "h2c")]),
        with(&[("keep-alive", "1")]),
        with(&[("proxy-connection", "keep-alive")]),
        with(&[("te", "gzip")]),
        with(&[("te", "trailers, gzip")]),
        // Section 8.3: pseudo-header fields.
        with(&[(":path", "/y")]),
        with(&[(":unknown", "1")]),
        with(&[(":status", "200")]),
        with(&[("x", "1"), (":method", "GET")]),
        with(&[(":protocol", "websocket")]),
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test")],
        vec![(":method", "GET"), (":authority", "mcp.test"), (":path", "/x")],
        vec![(":scheme", "http"), (":authority", "mcp.test"), (":path", "/x")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "x")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "/x y")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "/x\r\nEvil: 1")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "http://other/x")],
        vec![(":method", "G T"), (":scheme", "http"), (":authority", "mcp.test"), (":path", "/x")],
        vec![(":method", "GET"), (":scheme", "ftp"), (":authority", "mcp.test"), (":path", "/x")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "a@mcp.test"), (":path", "/x")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test/y"), (":path", "/x")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "a b"), (":path", "/x")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "mcp.test:99999"), (":path", "/x")],
        // Section 8.1.1: a length that is not that of the body.
        with(&[("content-length", "5")]),
        with(&[("content-length", "0"), ("content-length", "5")]),
        with(&[("content-length", "0"), ("content-length", "0")]),
        with(&[("content-length", "+0")]),
        // Section 8.5 and RFC 8441: no tunnels here.
        vec![(":method", "CONNECT"), (":authority", "mcp.test:443")],
        vec![
            (":method", "CONNECT"),
            (":scheme", "http"),
            (":authority", "mcp.test"),
            (":path", "/x"),
            (":protocol", "a"),
        ],
    ];
    for fields in cases {
        let mut wire = raw(&proxy).await;
        wire.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&fields))).await;
        let ended = status(&mut wire, 1).await;
        assert!(ended != "200", "{fields:?}");
        assert!(!ended.starts_with("reset 2"), "{ended} {fields:?}");
    }
    // A body longer or shorter than it says.
    for (length, body) in [("3", "hello"), ("9", "hello")] {
        let mut wire = raw(&proxy).await;
        let fields = ask("POST", "/x", &[("content-length", length), ("content-type", "application/json")]);
        wire.send(frame(HEADERS, END_HEADERS, 1, &fields)).await;
        wire.send(frame(DATA, END_STREAM, 1, body.as_bytes())).await;
        let ended = status(&mut wire, 1).await;
        assert!(ended == format!("reset {PROTOCOL_ERROR}") || ended == "400", "{length}: {ended}");
    }
    // What the proxy asks for itself is not meant.
    let mut came = upstream.begun();
    came.retain(|message| !message.get("user-agent").is_some_and(|agent| agent.starts_with("mcp-mend/")));
    assert!(came.is_empty(), "{came:#?}");
    assert_eq!(proxy.ask(crate::kit::get("/x", &[])).await.status(), 200, "and the proxy goes on");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.head_bytes", "16384").start();
    let (mut client, _) = client(&proxy).await;
    let names: Vec<String> = (0..110).map(|n| format!("x-{n}")).collect();
    for (count, expected) in [(90, 200), (110, 431)] {
        let fields: Vec<(&str, &str)> = names[..count].iter().map(|name| (name.as_str(), "1")).collect();
        let (head, _) = asked(&mut client, request("GET", "/x", &fields)).await;
        assert_eq!(head.status.as_u16(), expected, "{count} fields");
    }
    for (length, expected) in [(15_000, 200), (17_000, 431)] {
        let value = "v".repeat(length);
        let (head, _) = asked(&mut client, request("GET", "/x", &[("x-long", &value)])).await;
        assert_eq!(head.status.as_u16(), expected, "{length} bytes");
    }
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let upstream = Upstream::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec()).await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    let (head, body) = asked(&mut client, request("HEAD", "/x", &[])).await;
    assert_eq!((head.headers["content-length"].to_str().unwrap(), body.len()), ("9", 0));
    // Nor has one of the proxy's own.
    let (head, body) = asked(&mut client, request("HEAD", "/x", &[("host", "evil.test")])).await;
    assert_eq!((head.status.as_u16(), body.len()), (400, 0));
}

#[tokio::test]
async fn streams_do_not_wait_for_each_other() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.target() != "/sse" {
                conn.send(ok(request.target())).await;
                continue;
            }
            conn.send(STREAM).await;
            conn.send(chunk("data: 1\n\n")).await;
            conn.until_closed().await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    let (answer, _) = client.send_request(request("GET", "/sse", &[]), true).unwrap();
    let mut stream = soon(answer).await.unwrap().into_body();
    assert_eq!(piece(&mut stream).await, "data: 1\n\n");
    let answers: Vec<_> =
        (0..50).map(|n| client.send_request(request("GET", &format!("/{n}"), &[]), true).unwrap().0).collect();
    for (n, answer) in answers.into_iter().enumerate() {
        let mut body = soon(answer).await.unwrap().into_body();
        assert_eq!(whole(&mut body).await.unwrap(), format!("/{n}"));
    }
}

#[tokio::test]
async fn a_body_streams_up_as_it_comes() {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            let Some(head) = conn.head().await else { return };
            assert_eq!(head.get("transfer-encoding"), Some("chunked"));
            while let Some(Some(data)) = conn.chunk().await {
                let _ = sender.send(data);
            }
            conn.until(b"\r\n").await;
            conn.send(ok("done")).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    let (answer, mut body) = client.send_request(request("PUT", "/up", &[]), false).unwrap();
    for part in ["one", "two", "three"] {
        body.send_data(part.into(), false).unwrap();
        assert_eq!(soon(heard.recv()).await.unwrap(), part.as_bytes());
    }
    body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(whole(&mut soon(answer).await.unwrap().into_body()).await.unwrap(), "done");
}

/// An upstream that says when its connection has ended, and whether a whole request had come.
async fn waiting(said: &'static str) -> (Upstream, mpsc::UnboundedReceiver<bool>) {
    let (sender, ended) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            let is_whole = conn.next().await.is_some();
            if is_whole {
                conn.send(said).await;
                conn.until_closed().await;
            }
            let _ = sender.send(is_whole);
        }
    })
    .await;
    (upstream, ended)
}

#[tokio::test]
async fn a_stream_that_is_reset_ends_the_upstream() {
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", STREAM] {
        let (upstream, mut ended) = waiting(said).await;
        let proxy = Proxy::to(&upstream).start();
        let (mut client, _) = client(&proxy).await;
        let (answer, mut stream) = client.send_request(request("GET", "/x", &[]), true).unwrap();
        upstream.wait(|seen| seen.len() == 1).await;
        let held = if said.is_empty() { None } else { Some(soon(answer).await.unwrap()) };
        let began = Instant::now();
        stream.send_reset(Reason::CANCEL);
        assert_eq!(soon(ended.recv()).await, Some(true));
        assert!(began.elapsed() < BEFORE_DEFAULTS);
        drop(held);
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_never_arrives_whole() {
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        for kind in ["application/json", "text/plain"] {
            for path in ["/mcp", "/up"] {
                let (upstream, mut ended) = waiting("").await;
                let proxy = Proxy::to(&upstream).start();
                let (mut client, _) = client(&proxy).await;
                let (answer, mut body) =
                    client.send_request(request("POST", path, &[("content-type", kind)]), false).unwrap();
                body.send_data("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}".into(), false).unwrap();
                // What is read whole before it goes up never goes up; what streams has begun to.
                let streams = path == "/up" && kind == "text/plain";
                if streams {
                    soon(async {
                        while upstream.connections() == 0 {
                            tokio::task::yield_now().await
                        }
                    })
                    .await;
                }
                body.send_reset(reason);
                drop(answer);
                if streams {
                    assert_eq!(soon(ended.recv()).await, Some(false), "{reason} {kind}");
                }
                let (head, _) = asked(&mut client, request("GET", "/sound", &[("host", "evil.test")])).await;
                assert_eq!(head.status.as_u16(), 400, "the connection goes on");
                let came = upstream.seen();
                assert!(came.iter().all(|message| message.method() != "POST"), "{reason} {kind} {path} {came:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_upload_that_stalls_is_408_and_no_other_stream_feels_it() {
    let upstream = Upstream::script(|mut conn| async move {
        while conn.next().await.is_some() {
            conn.send(ok("hello")).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.body_seconds", "0.4").set("limits.mend_seconds", "0.2").start();
    let (mut client, _) = client(&proxy).await;
    for (path, kind) in [("/up", "text/plain"), ("/mcp", "application/json")] {
        let (answer, mut body) = client.send_request(request("POST", path, &[("content-type", kind)]), false).unwrap();
        body.send_data("{\"half".into(), false).unwrap();
        let began = Instant::now();
        let (head, text) = asked(&mut client, request("GET", "/x", &[])).await;
        assert_eq!((head.status.as_u16(), &text[..]), (200, &b"hello"[..]));
        assert_eq!(soon(answer).await.unwrap().status().as_u16(), 408, "{path}");
        assert!(began.elapsed() < BEFORE_DEFAULTS);
    }
    assert!(upstream.seen().iter().all(|message| message.target() == "/x"));
}

#[tokio::test]
async fn an_idle_connection_is_told_to_go_and_an_open_stream_is_not() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.target() == "/x" {
                conn.send(ok("hello")).await;
            } else {
                conn.send(STREAM).await;
                conn.until_closed().await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.idle_seconds", "0.3").set("limits.head_seconds", "0.3").start();
    let mut busy = raw(&proxy).await;
    busy.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &ask("GET", "/sse", &[]))).await;
    assert_eq!(status(&mut busy, 1).await, "200");
    for asks in [true, false] {
        let began = Instant::now();
        let mut idle = raw(&proxy).await;
        if asks {
            idle.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &ask("GET", "/x", &[]))).await;
            assert_eq!(status(&mut idle, 1).await, "200");
        }
        let goaway = idle.frame_that(|frame| frame.kind == GOAWAY).await.unwrap();
        assert_eq!(goaway.code(), 0, "NO_ERROR");
        idle.until_closed().await;
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    // More than three times as long as an idle one may be.
    busy.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, &ask("GET", "/x", &[]))).await;
    assert_eq!(status(&mut busy, 3).await, "200");
}

#[tokio::test]
async fn at_the_stop_streams_end_between_two_events_and_requests_finish() {
    let (sender, mut begun) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            match conn.next().await.map(|request| request.target().to_owned()).as_deref() {
                Some("/sse") => {
                    conn.send(STREAM).await;
                    conn.send(chunk("data: 1\n\n")).await;
                    conn.until_closed().await;
                }
                Some(_) => {
                    let (told, wait) = tokio::sync::oneshot::channel::<()>();
                    let _ = sender.send(told);
                    let _ = wait.await;
                    conn.send(ok("finished")).await;
                }
                None => {}
            }
        }
    })
    .await;
    let mut proxy = Proxy::to(&upstream).set("limits.drain_seconds", "0.6").start();
    let (mut sse, connection) = client(&proxy).await;
    let (answer, _) = sse.send_request(request("GET", "/sse", &[]), true).unwrap();
    let mut events = soon(answer).await.unwrap().into_body();
    assert_eq!(piece(&mut events).await, "data: 1\n\n");
    let (slow, _) = sse.send_request(request("GET", "/slow", &[]), true).unwrap();
    let finish = soon(begun.recv()).await.unwrap();
    let (mut idle, idle_connection) = client(&proxy).await;
    let (head, _) = asked(&mut idle, request("GET", "/x", &[("host", "evil.test")])).await;
    assert_eq!(head.status.as_u16(), 400);
    let began = Instant::now();
    let stopping = async {
        proxy.stop().await;
        began.elapsed()
    };
    let finishing = async {
        // An idle connection ends at once, and the slow request is answered after that.
        soon(idle_connection).await.unwrap().unwrap();
        finish.send(()).unwrap();
        let answer = whole(&mut soon(slow).await.unwrap().into_body()).await.unwrap();
        (answer, whole(&mut events).await)
    };
    let (took, (answer, rest)) = tokio::join!(stopping, finishing);
    assert_eq!(answer, "finished");
    assert_eq!(rest.unwrap(), "", "END_STREAM, and nothing of an event before it");
    assert!(took < Duration::from_millis(1600), "{took:?}");
    drop(sse);
    assert!(soon(connection).await.unwrap().is_ok(), "GOAWAY said NO_ERROR");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_upstream_back() {
    let (sender, mut written) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            conn.next().await;
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20)).await;
            let part = noise(1 << 20);
            for _ in 0..64 {
                tokio::io::AsyncWriteExt::write_all(&mut conn.stream, &part).await.unwrap();
                let _ = sender.send(part.len());
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    let (answer, _) = client.send_request(request("GET", "/x", &[]), true).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    // Until nothing more is taken: the systems' own socket buffers and one window.
    let mut taken = 0;
    while let Ok(Some(part)) = tokio::time::timeout(Duration::from_millis(500), written.recv()).await {
        taken += part;
    }
    assert!(taken <= 16 << 20, "{taken}");
    assert_eq!(whole(&mut body).await.unwrap().len(), 64 << 20);
}

#[tokio::test]
async fn trailers_and_refusals_come_through() {
    let upstream = Upstream::answering(|request| match request.method() {
        "GET" => {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"
                .to_vec()
        }
        _ => reply("409 Conflict", &["Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5"], "no"),
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let (mut client, _) = client(&proxy).await;
    let (answer, _) = client.send_request(request("GET", "/x", &[("te", "trailers")]), true).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    assert_eq!(whole(&mut body).await.unwrap(), "hi");
    assert_eq!(soon(body.trailers()).await.unwrap().unwrap()["x-sum"], "7");
    let (head, text) = asked(&mut client, request(Method::DELETE.as_str(), "/x", &[])).await;
    assert_eq!((head.status.as_u16(), &text[..]), (409, &b"no"[..]));
    for name in ["connection", "x-hop", "keep-alive", "transfer-encoding"] {
        assert!(!head.headers.contains_key(name), "{name}");
    }
}
