//! What HTTP/1.1 has beside plain requests and answers: interim answers, trailers, answers without bodies.

use crate::kit::{Message, Proxy, Upstream, get, noise, ok, post, reply, request};

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap().status(), 100);
    client.send("hello").await;
    assert_eq!(client.reply().await.status(), 200);
    let seen = upstream.seen();
    assert_eq!((seen[0].text(), seen[0].get("expect")), ("hello".to_owned(), None));
}

#[tokio::test]
async fn expect_100_continue_may_be_refused_without_the_body() {
    let proxy = Proxy::to_url(&format!("http://{}", Upstream::down().await)).start();
    let mut client = proxy.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap().status(), 502);
}

#[tokio::test]
async fn interim_answers_never_pass_for_the_answer() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n";
    let upstream = Upstream::always([early.as_bytes(), &ok("hello")].concat()).await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client.send(get("/x", &[])).await;
        let mut reply = client.reply().await;
        while reply.status() / 100 == 1 {
            reply = client.reply().await;
        }
        assert_eq!((reply.status(), reply.text()), (200, "hello".to_owned()));
    }
}

#[tokio::test]
async fn an_upgrade_is_not_passed_on_and_101_unasked_is_502() {
    let upstream = Upstream::always(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x01\x02raw",
    )
    .await;
    let proxy = Proxy::to(&upstream).start();
    for asked in ["websocket", "h2c", "TLS/1.0"] {
        let headers = [&format!("Upgrade: {asked}"), "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA"];
        let mut client = proxy.connect().await;
        client.send(get("/x", &headers)).await;
        let answer = client.reply().await;
        assert_eq!((answer.status(), answer.all_text().contains("raw")), (502, false));
    }
    for seen in upstream.seen() {
        assert_eq!((seen.get("upgrade"), seen.get("http2-settings"), seen.get("connection")), (None, None, None));
    }
}

#[tokio::test]
async fn bytes_behind_an_upgrade_are_a_request_of_their_own() {
    let upstream = Upstream::answering(|request| ok(request.target())).await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(get("/ws", &["Upgrade: websocket", "Connection: Upgrade"])).await;
    client.send(get("/admin", &[])).await;
    assert_eq!(client.reply().await.text(), "/ws");
    assert_eq!(client.reply().await.text(), "/admin");
    assert_eq!(upstream.seen().len(), 2);
}

#[tokio::test]
async fn trailers_pass_as_trailers_and_never_as_headers() {
    let upstream = Upstream::always(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: down\r\n\
         Authorization: x\r\n\r\n",
    )
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client
        .send(
            "POST /x HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Sum\r\n\
             Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: up\r\nContent-Length: 9\r\nHost: evil\r\n\r\n",
        )
        .await;
    let answer = client.reply().await;
    assert_eq!((answer.text(), answer.get("x-sum"), answer.whole), ("hello".into(), None, true));
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "down".to_owned())]);
    let seen = &upstream.seen()[0];
    assert_eq!((seen.text(), seen.get("x-sum"), seen.all("host").len()), ("hi".into(), None, 1));
    assert_eq!(seen.trailers.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(), [("x-sum", "up")]);
}

#[tokio::test]
async fn answers_without_a_body_keep_their_headers() {
    let answer = |request: &Message| match (request.method(), request.target()) {
        ("HEAD", _) => b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n".to_vec(),
        (_, "/204") => b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n".to_vec(),
        (_, "/304") => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 77\r\n\r\n".to_vec(),
        _ => ok("next"),
    };
    let upstream = Upstream::answering(answer).await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(request("HEAD", "/x", &[], "")).await;
    let head = client.head().await.unwrap();
    assert_eq!((head.status(), head.get("content-length"), head.get("etag")), (200, Some("1234"), Some("\"a\"")));
    client.send(get("/204", &[])).await;
    let none = client.head().await.unwrap();
    assert_eq!((none.status(), none.get("x-a"), none.get("content-length")), (204, Some("b"), None));
    client.send(get("/304", &["If-None-Match: \"a\""])).await;
    let same = client.head().await.unwrap();
    assert_eq!((same.status(), same.get("etag")), (304, Some("\"a\"")));
    client.send(get("/x", &[])).await;
    assert_eq!(client.reply().await.text(), "next");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_old_client_gets_an_answer_that_it_can_read() {
    let upstream =
        Upstream::always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").await;
    let proxy = Proxy::to(&upstream).start();
    let answer = proxy.ask("GET /x HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.text(), answer.get("transfer-encoding")), ("hello".to_owned(), None));
    assert_eq!(upstream.seen()[0].start, "GET /x HTTP/1.1");
}

#[tokio::test]
async fn a_close_delimited_answer_is_delimited_anew() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello").await;
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    for _ in 0..3 {
        client.send(get("/x", &[])).await;
        let answer = client.reply().await;
        assert_eq!((answer.text(), answer.get("transfer-encoding")), ("hello".to_owned(), Some("chunked")));
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn many_exchanges_share_one_connection_each_way() {
    let upstream = Upstream::answering(|request| ok(&request.text())).await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    for number in 0..50 {
        // Whether a body was read is not known here: the same caller goes on with the same connection.
        client.send(post("/x", &["Authorization: Bearer a"], &number.to_string())).await;
        assert_eq!(client.reply().await.text(), number.to_string());
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_large_body_arrives_byte_for_byte_both_ways() {
    let body = noise(8 << 20);
    let copy = body.clone();
    let upstream = Upstream::answering(move |request| {
        assert!(request.body == copy);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        [head.as_bytes(), &request.body].concat()
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    client.send(&body).await;
    assert!(client.reply().await.body == body);
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for part in body.chunks(100_000) {
        client.send([format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat()).await;
    }
    client.send("0\r\n\r\n").await;
    assert!(client.reply().await.body == body);
}

#[tokio::test]
async fn a_body_larger_than_the_limit_gets_413() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).set("limits.request_bytes", "1000").start();
    let long = "a".repeat(1001);
    assert_eq!(proxy.ask(post("/x", &[], &long)).await.status(), 413);
    let chunked =
        format!("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{long}\r\n0\r\n\r\n");
    assert_eq!(proxy.ask(chunked).await.status(), 413);
    assert!(upstream.seen().is_empty());
    assert_eq!(proxy.ask(post("/x", &[], &long[..1000])).await.status(), 200);
}

#[tokio::test]
async fn an_answer_may_come_before_the_upload_ends() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.head().await;
        conn.send(reply("401 Unauthorized", &["Connection: close"], "no")).await;
        conn.until_closed().await;
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf").await;
    let answer = client.reply().await;
    assert_eq!((answer.status(), answer.text()), (401, "no".to_owned()));
}
