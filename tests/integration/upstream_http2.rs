//! HTTP/2 to the upstream: legal requests, shared connections, streams and cancellation both ways, and what may be sent
//! again (RFC 9113 section 8.7).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use crate::kit::{Proxy, get, noise, post, soon};

/// A request on a stream, and where its answer goes.
struct Asked {
    /// Which connection this is, from 0.
    connection: usize,
    request: Request<RecvStream>,
    answer: SendResponse<Bytes>,
}

impl Asked {
    /// Reads the body whole.
    async fn body(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(Ok(data)) = self.request.body_mut().data().await {
            let _ = self.request.body_mut().flow_control().release_capacity(data.len());
            all.extend_from_slice(&data);
        }
        all
    }

    fn say(&mut self, text: &str) {
        let mut body = self.answer.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::copy_from_slice(text.as_bytes()), true).unwrap();
    }
}

/// An upstream that speaks HTTP/2 at once, as many streams at a time as stated.
struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    async fn script<F, Fut>(most: u32, script: F) -> Self
    where
        F: Fn(Asked) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, script) = (Arc::new(AtomicUsize::new(0)), Arc::new(script));
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = count.fetch_add(1, Ordering::SeqCst);
                let script = script.clone();
                tokio::spawn(async move {
                    let mut builder = h2::server::Builder::new();
                    builder.max_concurrent_streams(most);
                    let Ok(mut http2) = builder.handshake(stream).await else { return };
                    while let Some(Ok((request, answer))) = http2.accept().await {
                        tokio::spawn(script(Asked { connection, request, answer }));
                    }
                });
            }
        });
        Self { address, connections }
    }

    fn proxy(&self) -> Proxy {
        before(self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn before(address: SocketAddr) -> Proxy {
    Proxy::to_url(&format!("http://{address}")).set("upstream.http2", "prior-knowledge").start()
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn message() -> Vec<u8> {
    post("/mcp", &["Content-Type: application/json"], INITIALIZE)
}

#[tokio::test]
async fn a_request_is_legal_and_an_answer_comes_whole() {
    let upstream = Upstream::script(100, |mut asked| async move {
        let body = asked.body().await.len();
        let head = format!("{:?} {:?} {body}", asked.request.uri(), asked.request.headers());
        asked.say(&head);
    })
    .await;
    let proxy = upstream.proxy();
    let answer = proxy.ask(post("/x?y=1", &["Connection: X-Own", "X-Own: 1", "TE: trailers, gzip"], "hello")).await;
    let text = answer.text();
    assert!(text.starts_with(&format!("http://{}/x?y=1 ", upstream.address)), "{text}");
    assert!(text.ends_with(" 5") && text.contains("\"te\": \"trailers\""), "{text}");
    for name in ["\"host\"", "\"connection\"", "x-own", "transfer-encoding", "keep-alive"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    let large = String::from_utf8(vec![b'a'; 3_000_000]).unwrap();
    assert!(proxy.ask(post("/x", &[], &large)).await.text().ends_with(" 3000000"));
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn one_connection_carries_as_many_streams_as_it_may() {
    for (most, connections) in [(100, 1), (4, 3)] {
        let all_there = Arc::new(tokio::sync::Barrier::new(12));
        let upstream = Upstream::script(most, move |mut asked| {
            let all_there = all_there.clone();
            async move {
                all_there.wait().await;
                asked.say("hello");
            }
        })
        .await;
        let proxy = Arc::new(upstream.proxy());
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let proxy = proxy.clone();
            clients.spawn(async move { proxy.ask(get("/x", &[])).await.status() });
        }
        assert!(soon(clients.join_all()).await.iter().all(|status| *status == 200));
        assert_eq!(upstream.connections(), connections);
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_stream_and_no_other() {
    for begins in [false, true] {
        let (sender, mut ended) = mpsc::unbounded_channel();
        let begun = Arc::new(Notify::new());
        let there = begun.clone();
        let upstream = Upstream::script(100, move |mut asked| {
            let (sender, there) = (sender.clone(), there.clone());
            async move {
                if asked.request.uri().path() != "/long" {
                    return asked.say("hello");
                }
                let reset = if begins {
                    let mut body = asked.answer.send_response(Response::new(()), false).unwrap();
                    body.send_data(Bytes::from_static(b"begun"), false).unwrap();
                    there.notify_one();
                    std::future::poll_fn(|cx| body.poll_reset(cx)).await
                } else {
                    there.notify_one();
                    std::future::poll_fn(|cx| asked.answer.poll_reset(cx)).await
                };
                let _ = sender.send(reset.unwrap());
            }
        })
        .await;
        let proxy = upstream.proxy();
        let mut client = proxy.connect().await;
        client.send(get("/long", &[])).await;
        soon(begun.notified()).await;
        if begins {
            assert_eq!(client.head().await.unwrap().status(), 200);
        }
        drop(client);
        assert_eq!(soon(ended.recv()).await, Some(Reason::CANCEL));
        assert_eq!(proxy.ask(get("/x", &[])).await.text(), "hello");
        assert_eq!(upstream.connections(), 1);
    }
}

#[tokio::test]
async fn an_upstream_that_gives_a_stream_up_is_502_or_cut() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let upstream = Upstream::script(100, move |mut asked| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            if asked.request.uri().path() == "/half" {
                let mut body = asked.answer.send_response(Response::new(()), false).unwrap();
                body.send_data(Bytes::from_static(b"half"), false).unwrap();
                // What was sent goes out before the reset.
                body.reserve_capacity(1);
                let _ = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                tokio::task::yield_now().await;
                body.send_reset(Reason::INTERNAL_ERROR);
            } else {
                asked.answer.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    })
    .await;
    let proxy = upstream.proxy();
    for request in [message(), get("/x", &[])] {
        let answer = proxy.ask(request).await;
        assert_eq!((answer.status(), &answer.json()["error"]), (502, &"upstream_closed".into()));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "nothing was asked twice");
    let answer = proxy.ask(get("/half", &[])).await;
    assert!(answer.status() == 502 || !answer.whole, "{answer:?}");
}

#[tokio::test]
async fn a_refused_stream_goes_out_again() {
    let upstream = Upstream::script(100, |mut asked| async move {
        if asked.connection == 0 {
            asked.answer.send_reset(Reason::REFUSED_STREAM);
        } else {
            let body = asked.body().await.len();
            asked.say(&body.to_string());
        }
    })
    .await;
    let answer = upstream.proxy().ask(message()).await;
    assert_eq!((answer.status(), answer.text()), (200, INITIALIZE.len().to_string()));
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn who_refuses_always_is_502() {
    let upstream =
        Upstream::script(100, |mut asked| async move { asked.answer.send_reset(Reason::REFUSED_STREAM) }).await;
    assert_eq!(upstream.proxy().ask(message()).await.status(), 502);
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The type of the next frame.
async fn next_frame(stream: &mut TcpStream) -> Option<u8> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some(head[3])
}

const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const HEADERS: u8 = 1;

/// An upstream that goes away at the first request, having looked at streams up to this one, and hangs up. Counts requests.
async fn goes_away(last: u32, reason: u32) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut is_first = true;
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = count.clone();
            let goes = std::mem::take(&mut is_first);
            tokio::spawn(async move {
                if !goes {
                    let Ok(mut http2) = h2::server::handshake(stream).await else { return };
                    while let Some(Ok((_, mut answer))) = http2.accept().await {
                        count.fetch_add(1, Ordering::SeqCst);
                        let mut body = answer.send_response(Response::new(()), false).unwrap();
                        body.send_data(Bytes::from_static(b"hello"), true).unwrap();
                    }
                    return;
                }
                let mut preface = [0; 24];
                stream.read_exact(&mut preface).await.unwrap();
                stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
                while let Some(kind) = next_frame(&mut stream).await {
                    if kind == HEADERS {
                        count.fetch_add(1, Ordering::SeqCst);
                        let said = [last.to_be_bytes(), reason.to_be_bytes()].concat();
                        stream.write_all(&frame(GOAWAY, 0, 0, &said)).await.unwrap();
                        let _ = stream.shutdown().await;
                        while next_frame(&mut stream).await.is_some() {}
                        return;
                    }
                }
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn what_who_goes_away_has_not_looked_at_goes_out_again() {
    for reason in [0, 2] {
        let (address, asked) = goes_away(0, reason).await;
        assert_eq!(before(address).ask(message()).await.text(), "hello", "reason {reason}");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn what_it_may_have_looked_at_does_not() {
    for reason in [0, 2] {
        let (address, asked) = goes_away(1, reason).await;
        assert_eq!(before(address).ask(message()).await.status(), 502, "reason {reason}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn who_speaks_no_http2_is_502() {
    let upstream = crate::kit::Upstream::script(|mut conn| async move {
        conn.until(b"\r\n\r\n").await;
        conn.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    })
    .await;
    let answer = before(upstream.address).ask(message()).await;
    assert_eq!((answer.status(), &answer.json()["error"]), (502, &"upstream_bad_answer".into()));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_502() {
    let upstream = Upstream::script(100, |mut asked| async move {
        let mut head = Response::builder();
        for index in 0..20 {
            head = head.header(format!("x-{index}"), "a".repeat(5000));
        }
        let _ = asked.answer.send_response(head.body(()).unwrap(), true);
    })
    .await;
    assert_eq!(upstream.proxy().ask(get("/x", &[])).await.status(), 502);
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_little_and_nobody_else() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let upstream = Upstream::script(100, move |mut asked| {
        let count = count.clone();
        async move {
            if asked.request.uri().path() != "/long" {
                return asked.say("hello");
            }
            let piece = Bytes::from(noise(16 * 1024));
            let mut body = asked.answer.send_response(Response::new(()), false).unwrap();
            loop {
                body.reserve_capacity(piece.len());
                let Some(Ok(room)) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else { return };
                let room = room.min(piece.len());
                count.fetch_add(room, Ordering::SeqCst);
                if body.send_data(piece.slice(..room), false).is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let proxy = upstream.proxy();
    let mut stuck = Vec::new();
    for _ in 0..30 {
        let mut client = proxy.connect().await;
        socket2::SockRef::from(&client.stream).set_recv_buffer_size(4096).unwrap();
        client.send(get("/long", &[])).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        stuck.push(client);
    }
    for _ in 0..20 {
        assert_eq!(proxy.ask(get("/x", &[])).await.text(), "hello");
    }
    let each = sent.load(Ordering::SeqCst) / stuck.len();
    assert!(each < 8 << 20, "{each} bytes each");
}
