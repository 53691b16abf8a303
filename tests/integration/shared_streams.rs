//! Answers in place and whose stream they go to (HTTP+SSE transport): to that of the same caller beyond doubt, or nowhere.

use bytes::Bytes;
use http::Request;
use tokio::sync::watch;

use crate::kit::{Message, Proxy, Upstream, Wire, chunk, get, json, post, reply, soon};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const ENDPOINT: &str = "event: endpoint\ndata: /messages?sessionId=a\n\n";
const TARGET: &str = "/messages?sessionId=a";
const TOKEN: &str = "Authorization: Bearer one";
const OTHER: &str = "Authorization: Bearer other";

/// An upstream of the older transport that names every session alike and answers where it is asked; and how many of its
/// streams have ended.
async fn counted() -> (Upstream, watch::Receiver<usize>) {
    let (ended, count) = watch::channel(0);
    let upstream = Upstream::script(move |mut conn| {
        let ended = ended.clone();
        async move {
            while let Some(request) = conn.next().await {
                match (request.method(), request.target()) {
                    ("GET", "/sse") => {
                        conn.send(STREAM).await;
                        conn.send(chunk(ENDPOINT)).await;
                        conn.until_closed().await;
                        ended.send_modify(|count| *count += 1);
                        return;
                    }
                    ("POST", TARGET) => drop(conn.send(json("200 OK", RESULT)).await),
                    _ => drop(conn.send(reply("404 Not Found", &[], "Not Found")).await),
                }
            }
        }
    })
    .await;
    (upstream, count)
}

async fn upstream() -> Upstream {
    counted().await.0
}

/// A proxy whose clients come through another one that is trusted.
async fn proxy(upstream: &Upstream) -> Proxy {
    Proxy::to(upstream).set("trusted_proxies", "127.0.0.1").start()
}

/// Opens a stream, and waits until it has a name.
async fn opened(proxy: &Proxy, headers: &[&str]) -> Wire {
    let mut stream = proxy.connect().await;
    stream.send(get("/sse", &[&["Accept: text/event-stream"], headers].concat())).await;
    stream.head().await.unwrap();
    assert_eq!(soon(stream.chunk()).await.unwrap().unwrap(), ENDPOINT.as_bytes());
    stream
}

async fn asked(proxy: &Proxy, headers: &[&str]) -> Message {
    proxy.ask(post(TARGET, &[&["Content-Type: application/json"], headers].concat(), CALL)).await
}

/// Whether the answer came where it was asked.
fn is_in_place(answer: &Message) -> bool {
    match answer.status() {
        200 => answer.text() == RESULT,
        202 => false,
        status => panic!("{status}"),
    }
}

async fn comes(stream: &mut Wire) {
    let event = String::from_utf8(soon(stream.chunk()).await.unwrap().unwrap()).unwrap();
    assert!(event.starts_with("event: message\n") && event.contains(RESULT), "{event}");
}

#[tokio::test]
async fn an_answer_goes_to_the_stream_of_the_same_credentials_alone() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    let mut stream = opened(&proxy, &[TOKEN, "Cookie: a=1", "X-Forwarded-For: 192.0.2.1"]).await;
    for others in [
        &[OTHER, "Cookie: a=1"][..],
        &[TOKEN],
        &[TOKEN, "Cookie: a=2"],
        &[TOKEN, "Cookie: a=1", "X-Api-Key: k"],
        &[TOKEN, "Cookie: a=1", "X-User-Id: u"],
        &[TOKEN, "Cookie: a=1", "X-Forwarded-User: u"],
        &["Cookie: a=1"],
        &[],
        &["X-Forwarded-For: 192.0.2.1"],
    ] {
        assert!(is_in_place(&asked(&proxy, others).await), "{others:?}");
    }
    // Credentials say who it is, wherever it comes from.
    assert!(!is_in_place(&asked(&proxy, &["Cookie: a=1", TOKEN, "X-Forwarded-For: 192.0.2.2"]).await));
    comes(&mut stream).await;
}

#[tokio::test]
async fn without_credentials_the_address_decides_and_an_ambiguous_one_never() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    let mut stream = opened(&proxy, &["X-Forwarded-For: 192.0.2.1"]).await;
    let strangers = ["X-Forwarded-For: 192.0.2.2", "X-Forwarded-For: unknown", "Forwarded: for=unknown", TOKEN];
    for others in strangers {
        assert!(is_in_place(&asked(&proxy, &[others]).await), "{others}");
    }
    assert!(!is_in_place(&asked(&proxy, &["X-Forwarded-For: 192.0.2.1"]).await));
    comes(&mut stream).await;
    drop(stream);
    let upstream = self::upstream().await;
    let proxy = self::proxy(&upstream).await;
    let _stream = opened(&proxy, &["Forwarded: for=unknown"]).await;
    for anybody in ["Forwarded: for=unknown", "X-Forwarded-For: 127.0.0.1", "X-Test: 1"] {
        assert!(is_in_place(&asked(&proxy, &[anybody]).await), "{anybody}");
    }
}

#[tokio::test]
async fn a_session_that_two_streams_name_gets_nothing() {
    for second in [TOKEN, OTHER, "X-Forwarded-For: 192.0.2.1"] {
        let (upstream, mut ended) = counted().await;
        let proxy = proxy(&upstream).await;
        let first = opened(&proxy, &[TOKEN]).await;
        let other = opened(&proxy, &[second]).await;
        assert!(is_in_place(&asked(&proxy, &[TOKEN]).await), "{second}");
        assert!(is_in_place(&asked(&proxy, &[second]).await), "{second}");
        // The one that is left is no surer.
        drop(other);
        soon(ended.wait_for(|count| *count == 1)).await.unwrap();
        assert!(is_in_place(&asked(&proxy, &[TOKEN]).await), "{second}");
        drop(first);
        soon(ended.wait_for(|count| *count == 2)).await.unwrap();
        let mut third = opened(&proxy, &[TOKEN]).await;
        assert!(!is_in_place(&asked(&proxy, &[TOKEN]).await), "{second}");
        comes(&mut third).await;
    }
}

#[tokio::test]
async fn over_http_2_the_same_holds() {
    let upstream = upstream().await;
    let proxy = proxy(&upstream).await;
    let tcp = soon(tokio::net::TcpStream::connect(proxy.address)).await.unwrap();
    let (mut client, connection) = soon(h2::client::handshake(tcp)).await.unwrap();
    let _driving = tokio::spawn(connection);
    // Each crumb of a cookie has a field of its own (RFC 9113 section 8.2.3).
    let request = |method: &str, path: &str, token: &str| {
        let request = Request::builder().method(method).uri(format!("http://mcp.test{path}"));
        let request = request.header("content-type", "application/json").header("accept", "text/event-stream");
        request.header("authorization", token).header("cookie", "a=1").header("cookie", "b=2").body(()).unwrap()
    };
    let (answer, _) = client.send_request(request("GET", "/sse", "Bearer one"), true).unwrap();
    let mut stream = soon(answer).await.unwrap().into_body();
    assert_eq!(soon(stream.data()).await.unwrap().unwrap(), ENDPOINT);
    for (token, status) in [("Bearer other", 200), ("Bearer one", 202)] {
        let (answer, mut body) = client.send_request(request("POST", TARGET, token), false).unwrap();
        body.send_data(Bytes::from_static(CALL.as_bytes()), true).unwrap();
        assert_eq!(soon(answer).await.unwrap().status(), status, "{token}");
    }
    let event = soon(stream.data()).await.unwrap().unwrap();
    assert!(event.starts_with(b"event: message\n"), "{event:?}");
    // The same caller over HTTP/1.1, and another one.
    assert!(!is_in_place(&asked(&proxy, &[TOKEN, "Cookie: a=1; b=2"]).await));
    assert!(soon(stream.data()).await.unwrap().unwrap().starts_with(b"event: message\n"));
    assert!(is_in_place(&asked(&proxy, &[OTHER, "Cookie: a=1; b=2"]).await));
}
