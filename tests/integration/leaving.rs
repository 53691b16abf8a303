//! Clients that leave, stall or never read: the upstream hears of it soon, and nobody else does.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::kit::{BEFORE_DEFAULTS, Proxy, Upstream, chunk, get, ok, soon};

/// Whether something happened, and when it did not, that it does not.
type Ended = mpsc::UnboundedReceiver<bool>;

/// An upstream that answers with `said` and then says when its connection has ended.
async fn answers_and_waits(said: &'static str) -> (Upstream, Ended) {
    let (sender, ended) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            let asked = conn.next().await.is_some();
            conn.send(said).await;
            conn.until_closed().await;
            let _ = sender.send(asked);
        }
    })
    .await;
    (upstream, ended)
}

#[tokio::test]
async fn a_client_that_leaves_mid_answer_ends_the_upstream() {
    for head in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
    ] {
        for reset in [false, true] {
            let (upstream, mut ended) = answers_and_waits(head).await;
            let proxy = Proxy::to(&upstream).start();
            let mut client = proxy.connect().await;
            client.send(get("/x", &[])).await;
            assert_eq!(client.head().await.unwrap().status(), 200);
            if reset {
                client.reset();
            } else {
                drop(client);
            }
            let began = Instant::now();
            assert_eq!(soon(ended.recv()).await, Some(true));
            assert!(began.elapsed() < BEFORE_DEFAULTS);
            assert!(proxy.logged("client-left").await.contains("\"path\":\"/x\""));
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_ends_the_upstream() {
    let (upstream, mut ended) = answers_and_waits("").await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(get("/x", &[])).await;
    upstream.wait(|seen| seen.len() == 1).await;
    drop(client);
    let began = Instant::now();
    assert_eq!(soon(ended.recv()).await, Some(true));
    assert!(began.elapsed() < BEFORE_DEFAULTS);
}

#[tokio::test]
async fn an_upload_that_breaks_off_never_arrives_whole() {
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        for kind in ["text/plain", "application/json"] {
            for path in ["/x", "/mcp", "/register", "/token"] {
                let upstream = Upstream::always(crate::kit::reply("404 Not Found", &[], "")).await;
                let proxy = Proxy::to(&upstream).start();
                let mut client = proxy.connect().await;
                let part = if framing.starts_with('T') { "5\r\nhello\r\n" } else { "hello" };
                client
                    .send(format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n{part}"))
                    .await;
                client.finish().await;
                client.until_closed().await;
                proxy.logged(path).await;
                assert!(upstream.seen().iter().all(|seen| seen.method() != "POST"), "{framing} {kind} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_reader_that_is_stuck_stalls_the_upstream() {
    let (sender, mut progress) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            conn.next().await;
            conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let part = chunk(&"x".repeat(1 << 16));
            // As much as goes without waiting long: what is left in buffers then is all that anybody holds.
            for _ in 0..4096 {
                let sent = tokio::time::timeout(Duration::from_millis(400), async {
                    tokio::io::AsyncWriteExt::write_all(&mut conn.stream, &part).await
                });
                if sent.await.is_err() {
                    let _ = sender.send(true);
                    std::future::pending().await
                }
            }
            let _ = sender.send(false);
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(get("/x", &[])).await;
    assert_eq!(soon(progress.recv()).await, Some(true), "256 MiB went to a client that does not read");
    // Others are served meanwhile.
    let other = Upstream::sound().await;
    assert_eq!(Proxy::to(&other).start().ask(get("/x", &[])).await.status(), 200);
}

/// How long the proxy keeps a connection on which this was sent, and what it says at the end.
async fn lasts(bytes: &str) -> (Duration, String) {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream)
        .set("limits.head_seconds", "0.3")
        .set("limits.body_seconds", "0.3")
        .set("limits.idle_seconds", "0.3")
        .start();
    let began = Instant::now();
    let mut client = proxy.connect().await;
    client.send(bytes).await;
    let said = String::from_utf8(client.until_closed().await).unwrap();
    (began.elapsed(), said)
}

#[tokio::test]
async fn clients_that_stall_are_ended_at_their_limit() {
    let rows = [
        ("", ""),
        ("G", ""),
        ("GET /x HTTP/1.1\r\nHost: h\r\n", ""),
        ("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK"),
        ("GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HT", "200 OK"),
        ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf", "408"),
        ("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "408"),
        ("POST /register HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", "408"),
    ];
    let mut checks = tokio::task::JoinSet::new();
    for (bytes, says) in rows {
        checks.spawn(async move {
            let (time, said) = lasts(bytes).await;
            assert!(time >= Duration::from_millis(280) && time < BEFORE_DEFAULTS, "{bytes:?} {time:?}");
            assert!(said.contains(says) && (says.is_empty() == said.is_empty()), "{bytes:?} {said:?}");
        });
    }
    checks.join_all().await;
}

#[tokio::test]
async fn a_head_that_drips_is_ended_at_its_limit() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.head_seconds", "0.3").start();
    let began = Instant::now();
    let mut client = proxy.connect().await;
    client.send("GET /x HTTP/1.1\r\nHost: h\r\nA: ").await;
    let dripped = soon(async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while client.send("a").await {
            ticks.tick().await;
        }
    });
    dripped.await;
    assert!(began.elapsed() < BEFORE_DEFAULTS);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn an_upload_that_goes_on_slowly_is_not_ended() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.body_seconds", "0.3").set("limits.head_seconds", "0.3").start();
    let mut client = proxy.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(40));
    for _ in 0..20 {
        ticks.tick().await;
        client.send("a").await;
    }
    assert_eq!(client.reply().await.status(), 200);
    assert_eq!(upstream.seen()[0].text(), "a".repeat(20));
}

#[tokio::test]
async fn an_answer_may_take_longer_than_any_client_limit() {
    let upstream = Upstream::script(|mut conn| async move {
        while conn.next().await.is_some() {
            tokio::time::sleep(Duration::from_millis(400)).await;
            conn.send(ok("late")).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream)
        .set("limits.head_seconds", "0.1")
        .set("limits.body_seconds", "0.1")
        .set("limits.idle_seconds", "0.1")
        .start();
    assert_eq!(proxy.ask(crate::kit::post("/x", &[], "hi")).await.text(), "late");
    assert_eq!(proxy.ask(get("/x", &[])).await.text(), "late");
}

#[tokio::test]
async fn an_idle_connection_is_ended_after_an_answer_that_came_before_the_upload() {
    let upstream = Upstream::script(|mut conn| async move {
        let mut asked = conn.head().await.unwrap();
        asked.whole = false;
        conn.note(&asked);
        conn.send(ok("early")).await;
        conn.until_closed().await;
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.idle_seconds", "0.2").set("limits.body_seconds", "0.2").start();
    let mut client = proxy.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello").await;
    assert_eq!(client.reply().await.text(), "early");
    client.send("world").await;
    let began = Instant::now();
    client.until_closed().await;
    assert!(began.elapsed() < BEFORE_DEFAULTS);
}

#[tokio::test]
async fn one_connection_too_many_gets_503() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.connections", "2").start();
    let mut first = proxy.connect().await;
    let mut second = proxy.connect().await;
    for client in [&mut first, &mut second] {
        client.send(get("/x", &[])).await;
        assert_eq!(client.reply().await.status(), 200);
    }
    let answer = proxy.connect().await.reply().await;
    assert_eq!((answer.status(), answer.get("retry-after")), (503, Some("1")));
    drop(first);
    soon(async {
        while proxy.ask(get("/x", &[])).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Sends a head and so much of a body without looking, as clients do, and then reads.
async fn told_after(proxy: &Proxy, head: &str, length: usize) -> u16 {
    let mut client = proxy.connect().await;
    client.send(format!("{head}Content-Length: {length}\r\n\r\n")).await;
    client.send(vec![b'a'; length]).await;
    client.reply().await.status()
}

#[tokio::test]
async fn a_refusal_is_heard_by_a_client_that_sends_everything_first() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.request_bytes", "1000").start();
    for (head, length, status) in [
        ("POST /x HTTP/1.1\r\nHost: h\r\n", 200_000, 413),
        ("POST /x HTTP/1.1\r\nHost: h\r\n", 20_000_000, 413),
        ("POST /x HTTP/1.1\r\nHost: h\r\nHost: h\r\n", 200_000, 400),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n", 200_000, 405),
    ] {
        for _ in 0..5 {
            assert_eq!(told_after(&proxy, head, length).await, status, "{head} {length}");
        }
    }
}

#[tokio::test]
async fn a_client_too_many_hears_so_although_it_has_asked_already() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.connections", "1").start();
    let mut first = proxy.connect().await;
    first.send(get("/x", &[])).await;
    assert_eq!(first.reply().await.status(), 200);
    for _ in 0..20 {
        assert_eq!(proxy.ask(get("/x", &[])).await.status(), 503);
    }
}
