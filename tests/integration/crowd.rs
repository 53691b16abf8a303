//! Many at once: every client gets its own answer, whichever way connections reach the workers.

use std::sync::Arc;

use crate::kit::{Message, Proxy, Upstream, Wire, chunk, noise, ok, post};

const CLIENTS: usize = 40;
const EACH: usize = 50;

/// Answers in a way that depends on the request: with a length, in chunks, as events, on a connection that closes.
async fn echo(mut conn: crate::kit::Conn) {
    while let Some(request) = conn.next().await {
        let (mark, body) = (request.get("x-mark").unwrap_or_default().to_owned(), request.text());
        let kind = request.target().to_owned();
        let head = |framing: &str| format!("HTTP/1.1 200 OK\r\nX-Mark: {mark}\r\n{framing}\r\n\r\n").into_bytes();
        let chunked = [chunk(&format!("{mark} ")), chunk(&format!("{body} ")), b"0\r\n\r\n".to_vec()].concat();
        let both = format!("{mark} {body} ");
        match kind.as_str() {
            "/chunks" => conn.send([head("Transfer-Encoding: chunked"), chunked].concat()).await,
            "/mcp" => {
                let head = head("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked");
                conn.send([head, chunked].concat()).await
            }
            "/close" => {
                conn.send([head("Connection: close"), both.into_bytes()].concat()).await;
                return;
            }
            "/cut" => {
                conn.send([head(&format!("Content-Length: {}", both.len() + 1)), both.into_bytes()].concat()).await;
                return;
            }
            _ => conn.send([head(&format!("Content-Length: {}", both.len())), both.into_bytes()].concat()).await,
        };
    }
}

fn check(answer: &Message, path: &str, mark: &str, body: &str) {
    assert_eq!((answer.status(), answer.get("x-mark")), (200, Some(mark)), "{path}");
    assert_eq!(answer.text(), format!("{mark} {body} "));
    assert_eq!(answer.whole, path != "/cut");
}

async fn nobody_gets_anothers_answer(proxy: Proxy) {
    let proxy = Arc::new(proxy);
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let proxy = proxy.clone();
        clients.spawn(async move {
            let paths = ["/x", "/chunks", "/mcp", "/close", "/cut", "/leave"];
            let mut wire: Option<Wire> = None;
            for number in 0..EACH {
                let path = paths[(client * 7 + number) % paths.len()];
                let (mark, body) = (format!("{client}-{number}"), "b".repeat((client * number) % 3000));
                let mut own = match wire.take() {
                    Some(wire) => wire,
                    None => proxy.connect().await,
                };
                own.send(post(path, &[&format!("X-Mark: {mark}")], &body)).await;
                if path == "/leave" {
                    continue;
                }
                check(&own.reply().await, path, &mark, &body);
                if path != "/cut" {
                    wire = Some(own);
                }
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_exchanges_are_not_mixed_up() {
    let upstream = Upstream::script(echo).await;
    nobody_gets_anothers_answer(Proxy::to(&upstream).set("threads", "2").start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_where_connections_are_handed_over() {
    let upstream = Upstream::script(echo).await;
    nobody_gets_anothers_answer(Proxy::to(&upstream).set("threads", "3").handing_over().start()).await;
}

#[tokio::test]
async fn a_proxy_that_hands_over_streams_and_stops_as_the_other() {
    let body = noise(1 << 20);
    let copy = body.clone();
    let upstream = Upstream::answering(move |request| {
        assert!(request.body == copy);
        ok("hello")
    })
    .await;
    let mut proxy = Proxy::to(&upstream).set("threads", "2").handing_over().start();
    for _ in 0..4 {
        let mut client = proxy.connect().await;
        client.send(format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len())).await;
        client.send(&body).await;
        assert_eq!(client.reply().await.text(), "hello");
    }
    let address = proxy.address;
    proxy.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
