//! An upstream that fails: what the client is told, and that a broken answer never looks finished.

use std::time::{Duration, Instant};

use crate::kit::{Message, Proxy, Upstream, get, ok, post, reply};

/// What the client gets from an upstream that says this and then closes or resets.
async fn answer_to(said: impl Into<Vec<u8>>, reset: bool) -> Message {
    let said = said.into();
    let upstream = Upstream::script(move |mut conn| {
        let said = said.clone();
        async move {
            conn.next().await;
            conn.send(&said).await;
            if reset {
                conn.reset();
            }
        }
    })
    .await;
    Proxy::to(&upstream).set("limits.first_byte_seconds", "2").start().ask(post("/x", &[], "hi")).await
}

/// The refusal is one of ours and says whose fault it is.
fn assert_refused(answer: &Message, status: u16, error: &str) {
    assert_eq!((answer.status(), answer.whole), (status, true), "{answer:?}");
    assert_eq!((&answer.json()["error"], &answer.json()["fault"]), (&error.into(), &"upstream".into()));
    assert_eq!(answer.get("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn nobody_listens() {
    let proxy = Proxy::to_url(&format!("http://{}", Upstream::down().await)).start();
    let began = Instant::now();
    assert_refused(&proxy.ask(get("/x", &[])).await, 502, "upstream_unreachable");
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn it_hangs_up_before_or_in_the_head() {
    for reset in [false, true] {
        for said in ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"] {
            assert_refused(&answer_to(said, reset).await, 502, "upstream_closed");
        }
    }
}

#[tokio::test]
async fn it_talks_something_else() {
    for said in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/3.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "<html>no</html>\r\n\r\n",
    ] {
        let answer = answer_to(said, false).await;
        assert_eq!((answer.status(), &answer.json()["fault"]), (502, &"upstream".into()), "{said:?}");
    }
    let huge = format!("HTTP/1.1 200 OK\r\nA: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(70_000));
    assert_refused(&answer_to(huge, false).await, 502, "upstream_bad_answer");
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "A: b\r\n".repeat(500));
    assert_refused(&answer_to(many, false).await, 502, "upstream_bad_answer");
}

#[tokio::test]
async fn two_framings_in_an_answer_are_502() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
    ] {
        let said = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\nb\r\nhello world\r\n0\r\n\r\n");
        let answer = answer_to(said, false).await;
        assert_eq!(answer.status(), 502, "{headers:?} {answer:?}");
    }
}

#[tokio::test]
async fn it_never_answers() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.until_closed().await;
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.first_byte_seconds", "0.2").start();
    let began = Instant::now();
    assert_refused(&proxy.ask(post("/x", &[], "hi")).await, 504, "upstream_timeout");
    assert!(began.elapsed() >= Duration::from_millis(200) && began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn it_never_reads() {
    let upstream = Upstream::script(|conn| async move {
        let _conn = conn;
        std::future::pending().await
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.first_byte_seconds", "0.3").start();
    let mut client = proxy.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n").await;
    let (mut reading, mut writing) = tokio::io::split(client.stream);
    let writer = tokio::spawn(async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut writing, &vec![0; 50_000_000]).await;
    });
    let mut head = [0; 12];
    crate::kit::soon(tokio::io::AsyncReadExt::read_exact(&mut reading, &mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 504");
    writer.abort();
}

#[tokio::test]
async fn a_slow_answer_is_still_an_answer() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        for byte in ok("hello") {
            conn.send([byte]).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = Proxy::to(&upstream).start().ask(get("/x", &[])).await;
    assert_eq!((answer.text(), answer.whole), ("hello".to_owned(), true));
}

#[tokio::test]
async fn a_cut_answer_never_looks_finished() {
    for reset in [false, true] {
        for said in [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\ndata: 1\n\n",
        ] {
            let answer = answer_to(said, reset).await;
            assert!(!answer.whole || answer.status() == 502, "{said:?} {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_cut_document_that_was_to_be_mended_is_502() {
    let document = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"issuer\":";
    let upstream = Upstream::script(move |mut conn| async move {
        conn.next().await;
        conn.send(document).await;
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let answer = proxy.ask(get("/.well-known/oauth-authorization-server", &[])).await;
    assert_refused(&answer, 502, "upstream_closed");
}

#[tokio::test]
async fn extra_bytes_never_reach_the_next_client() {
    let smuggled = reply("200 OK", &[], "smuggled");
    for first in
        [ok("hello"), b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()]
    {
        let said = [first, smuggled.clone()].concat();
        let upstream = Upstream::script(move |mut conn| {
            let said = said.clone();
            async move {
                while let Some(request) = conn.next().await {
                    let answer = if request.target() == "/first" { said.clone() } else { ok("right") };
                    conn.send(answer).await;
                }
            }
        })
        .await;
        let proxy = Proxy::to(&upstream).start();
        let mut client = proxy.connect().await;
        for _ in 0..20 {
            client.send(get("/first", &[])).await;
            let status = client.reply().await.status();
            assert!(matches!(status, 200 | 204 | 304), "{status}");
            client.send(get("/second", &[])).await;
            assert_eq!(client.reply().await.text(), "right");
        }
    }
}

#[tokio::test]
async fn a_body_behind_an_answer_to_head_never_reaches_the_next_client() {
    let upstream = Upstream::answering(|request| match request.method() {
        "HEAD" => reply("200 OK", &[], "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"),
        _ => ok("right"),
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    for _ in 0..20 {
        client.send(crate::kit::request("HEAD", "/x", &[], "")).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        client.send(get("/second", &[])).await;
        assert_eq!(client.reply().await.text(), "right");
    }
}

#[tokio::test]
async fn down_at_the_start_then_up() {
    let address = Upstream::down().await;
    let proxy = Proxy::to_url(&format!("http://{address}")).start();
    let mut client = proxy.connect().await;
    client.send(get("/mcp", &[])).await;
    assert_eq!(client.reply().await.status(), 502);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let _upstream = Upstream::script_on(listener, |mut conn| async move {
        while conn.next().await.is_some() {
            conn.send(ok("back")).await;
        }
    });
    client.send(get("/mcp", &[])).await;
    assert_eq!(client.reply().await.text(), "back");
}

/// Whoever started the proxy may never read its standard error: a pipe is full after 64 KiB.
#[tokio::test]
async fn nobody_has_to_read_what_is_said_of_failures() {
    let address = Upstream::down().await;
    let url = format!("http://{address}");
    let proxy = crate::kit::Binary::start(&[&url, "--no-probe", "--log-format", "off", "--log-level", "debug"]).await;
    let mut client = proxy.connect().await;
    for _ in 0..1500 {
        client.send(get("/", &[])).await;
        assert_eq!(client.reply().await.status(), 502);
    }
}
