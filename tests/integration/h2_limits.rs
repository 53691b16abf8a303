//! What the streams of HTTP/2 may hold: their heads, and answers that wait for a window.

use std::time::Duration;

use mcp_mend::config::budget;
use tokio::io::AsyncWriteExt;

use crate::kit::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, ask,
    block, frame, preface,
};
use crate::kit::{Binary, Proxy, Upstream, Wire, chunk, get, ok, soon};

const INITIAL_WINDOW: u16 = 4;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

fn asking(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &ask("GET", path, &[]))
}

/// A POST with a head of 60 KiB, whose body is still to come.
#[cfg(target_os = "linux")]
fn large_head(stream: u32) -> Vec<u8> {
    let names: Vec<String> = (0..76).map(|number| format!("x{number:02}")).collect();
    let value = "y".repeat(740);
    let more: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*value)).collect();
    let block = ask("POST", "/x", &more);
    let parts: Vec<&[u8]> = block.chunks(16_384).collect();
    let mut all = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let end = if number + 1 == parts.len() { END_HEADERS } else { 0 };
        all.extend(frame(if number == 0 { HEADERS } else { CONTINUATION }, end, stream, part));
    }
    all
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_refused_are_not_held() {
    let memory = 64 << 20;
    let upstream = Upstream::always(ok("hello")).await;
    let url = format!("http://{}", upstream.address);
    let memory_bytes = format!("{memory}");
    let arguments =
        [&url, "--no-probe", "--threads", "1", "--log-format", "off", "--limit-memory-bytes", &memory_bytes];
    // One request of a client takes all that may be under way.
    let proxy = Binary::start(&[&arguments[..], &["--limit-requests", "8"]].concat()).await;
    let before = proxy.memory();
    let heads: std::sync::Arc<Vec<u8>> =
        std::sync::Arc::new((0..100).flat_map(|index| large_head(2 * index + 1)).collect());
    let mut clients = Vec::new();
    for _ in 0..16 {
        let (mut wire, heads) = (proxy.connect().await, heads.clone());
        clients.push(tokio::spawn(async move {
            wire.send(preface(&[])).await;
            let (mut read, mut write) = tokio::io::split(wire.stream);
            let mut answers = tokio::io::sink();
            let send = async {
                let _ = tokio::time::timeout(Duration::from_secs(10), write.write_all(&heads)).await;
            };
            tokio::select! {
                () = send => {}
                _ = tokio::io::copy(&mut read, &mut answers) => {}
            }
        }));
    }
    let mut most = 0;
    for client in clients {
        while !client.is_finished() {
            most = most.max(proxy.memory());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let grown = most.saturating_sub(before);
    eprintln!("grown by {} KiB", grown >> 10);
    assert!(grown < memory / 2, "{grown}");
}

/// What the limits of the tests below follow from.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 64 << 20;

/// The program with so much memory before an upstream.
#[cfg(target_os = "linux")]
async fn with_little_memory(upstream: std::net::SocketAddr, more: &[&str]) -> Binary {
    let (url, memory) = (format!("http://{upstream}"), MEMORY.to_string());
    let arguments = [&url, "--no-probe", "--threads", "1", "--log-format", "off", "--limit-memory-bytes", &memory];
    Binary::start(&[&arguments, more].concat()).await
}

/// An upstream that says this and takes nothing of what it is sent.
#[cfg(target_os = "linux")]
fn taking_nothing(greeting: Vec<u8>) -> std::net::SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(&greeting).await.unwrap();
            taken.push(stream);
        }
    });
    address
}

/// h2 keeps an entry for each DATA frame that nobody has taken, however little is in it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_in_frames_of_one_byte_cost_no_more_than_others() {
    const FILLING: usize = 16_000;
    let proxy = with_little_memory(taking_nothing(Vec::new()), &[]).await;
    let before = proxy.memory();
    let body = [frame(DATA, 0, 1, &[b'x'; FILLING]).repeat(2), frame(DATA, 0, 1, b"y").repeat(2000)].concat();
    let head = frame(HEADERS, END_HEADERS, 1, &ask("POST", "/x", &[]));
    let upload = [preface(&[]), head, body].concat();
    let mut clients = Vec::new();
    for _ in 0..budget::Budget::of(Some(MEMORY)).connections / 2 {
        let mut wire = proxy.connect().await;
        wire.send(&upload).await;
        // The answer comes when all before it has been read, and GOAWAY when that was too much.
        wire.send(frame(PING, 0, 0, &[1; 8])).await;
        wire.frame_that(|frame| frame.kind == GOAWAY || (frame.kind == PING && frame.flags == ACK)).await;
        clients.push(wire);
    }
    let grown = proxy.memory().saturating_sub(before);
    assert!(grown < MEMORY / 4, "{} KiB", grown >> 10);
}

/// A client may write a body token by token.
#[tokio::test]
async fn a_body_in_many_small_frames_comes_whole_where_there_is_no_room() {
    const FRAMES: usize = 400;
    let upstream = Upstream::always(ok("hello")).await;
    let memory: u64 = 64 << 20;
    let proxy = Proxy::to(&upstream).set("limits.memory_bytes", memory).start();
    let mut others = Vec::new();
    for _ in 0..budget::Budget::of(Some(memory)).roomy {
        others.push(proxy.connect().await);
    }
    let mut wire = proxy.connect().await;
    let head = frame(HEADERS, END_HEADERS, 1, &ask("POST", "/x", &[]));
    let body = [frame(DATA, 0, 1, b"abc").repeat(FRAMES), frame(DATA, END_STREAM, 1, b"")].concat();
    wire.send([preface(&[]), head, body].concat()).await;
    let answer = wire.frame_that(|frame| frame.kind == HEADERS || frame.kind == GOAWAY).await.unwrap();
    assert_eq!(answer.kind, HEADERS, "{}", answer.code());
    assert_eq!(upstream.seen().pop().unwrap().text(), "abc".repeat(FRAMES));
}

/// The same on the way to an upstream over HTTP/2 that is slow to read.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_in_chunks_of_one_byte_cost_no_more_than_others() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let settings = [(MAX_CONCURRENT_STREAMS, 100u32), (INITIAL_WINDOW, 1 << 22)];
    let settings: Vec<u8> =
        settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    let window = frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes());
    let greeting = [frame(SETTINGS, 0, 0, &settings), window, frame(SETTINGS, ACK, 0, &[])].concat();
    let proxy = with_little_memory(taking_nothing(greeting), &["--upstream-http2", "prior-knowledge"]).await;
    let before = proxy.memory();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut wire = proxy.connect().await;
        wire.send("POST /x HTTP/1.1\r\nHost: mcp.test\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let part = "1\r\ny\r\n".repeat(1000);
        // Until the proxy takes no more.
        let pushed = async { while wire.stream.write_all(part.as_bytes()).await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_millis(300), pushed).await;
        clients.push(wire);
    }
    let grown = proxy.memory().saturating_sub(before);
    assert!(grown < MEMORY / 4, "{} KiB", grown >> 10);
}

/// And of answers in small pieces to clients that give a window and do not read.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_in_small_pieces_cost_no_more_than_others() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let part = "1\r\nx\r\n".repeat(5000);
        while conn.stream.write_all(part.as_bytes()).await.is_ok() {}
    })
    .await;
    let proxy = with_little_memory(upstream.address, &[]).await;
    let before = proxy.memory();
    let window = frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes());
    let asks: Vec<u8> = (0..4).flat_map(|index| asking(2 * index + 1, "/x")).collect();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        let mut wire = Wire::new(soon(socket.connect(proxy.address)).await.unwrap());
        wire.send([&preface(&[(INITIAL_WINDOW, 1 << 24)]), &window, &asks].map(|part| &part[..]).concat()).await;
        clients.push(wire);
    }
    // Nobody reads, so that nothing tells when all has come that will come.
    let mut most = 0;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        most = most.max(proxy.memory().saturating_sub(before));
    }
    assert!(most < MEMORY / 4, "{} KiB", most >> 10);
}

#[tokio::test]
async fn a_refusal_waits_for_no_body() {
    let upstream = Upstream::always(ok("hello")).await;
    let proxy = Proxy::to(&upstream).start();
    let mut wire = proxy.connect().await;
    wire.send(preface(&[])).await;
    let began = std::time::Instant::now();
    let head = [(":method", "POST"), (":scheme", "http"), (":authority", "unknown.example"), (":path", "/x")];
    wire.send(frame(HEADERS, END_HEADERS, 1, &block(&head))).await;
    assert!(wire.frame_that(|frame| frame.kind == HEADERS).await.is_some());
    // It would have had a second for its body.
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn who_comes_when_there_is_no_room_has_fewer_streams() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.until_closed().await;
    })
    .await;
    let memory: u64 = 64 << 20;
    let proxy = Proxy::to(&upstream).set("limits.memory_bytes", memory).start();
    let budget = budget::Budget::of(Some(memory));
    let few = budget::streams(Some(memory), budget.connections);
    let mut first = Vec::new();
    for _ in 0..budget.roomy {
        first.push(proxy.connect().await);
    }
    for (mut wire, most) in [(first.remove(0), budget::MOST_STREAMS), (proxy.connect().await, few)] {
        wire.send(preface(&[])).await;
        for index in 0..=most {
            wire.send(asking(2 * index + 1, "/never")).await;
        }
        let reset = wire.frame_that(|frame| frame.kind == RST_STREAM).await.unwrap();
        assert_eq!((reset.stream, reset.code()), (2 * most + 1, REFUSED_STREAM));
    }
}

/// An upstream of answers without an end, of one event and then silence, and of short ones.
async fn upstream() -> Upstream {
    Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            let head =
                |kind: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
            match request.target() {
                "/endless" => {
                    conn.send(head("text/plain")).await;
                    let part = chunk(&"x".repeat(1 << 16));
                    while conn.stream.write_all(&part).await.is_ok() {}
                    return;
                }
                "/silent" => {
                    conn.send([head("text/event-stream").as_bytes(), &chunk("data: 1\n\n")].concat()).await;
                    conn.until_closed().await;
                    return;
                }
                _ => drop(conn.send(ok("hello")).await),
            }
        }
    })
    .await
}

fn stalled(proxy: &Proxy) -> u64 {
    let counters = proxy.running.as_ref().unwrap().common.ledger.sum();
    counters.by_hanging_up().find(|(name, _)| *name == "stalled").map_or(0, |(_, count)| count)
}

/// Waits for the end of a stream. No other is ended meanwhile, and PING is answered.
async fn is_reset(wire: &mut Wire, stream: u32) {
    loop {
        let frame = wire.frame().await.unwrap();
        if frame.kind == PING && frame.flags & ACK == 0 {
            wire.send(self::frame(PING, ACK, 0, &frame.payload)).await;
        }
        if frame.kind == RST_STREAM {
            assert_eq!((frame.stream, frame.code()), (stream, CANCEL));
            return;
        }
    }
}

#[tokio::test]
async fn an_answer_that_gets_no_window_ends_and_makes_room() {
    for (window, path) in [(0, "/endless"), (1, "/endless"), (0, "/short")] {
        let upstream = upstream().await;
        let proxy = Proxy::to(&upstream).set("limits.stalled_seconds", 1).set("limits.requests", 3).start();
        let mut wire = proxy.connect().await;
        wire.send(preface(&[(INITIAL_WINDOW, window)])).await;
        // One that is silent, and takes what comes.
        wire.send(asking(1, "/silent")).await;
        wire.send(frame(WINDOW_UPDATE, 0, 1, &1000u32.to_be_bytes())).await;
        for (count, stream) in [(1, 3), (2, 5)] {
            wire.send(asking(stream, path)).await;
            soon(is_reset(&mut wire, stream)).await;
            assert_eq!(stalled(&proxy), count, "{window} {path}");
        }
        let load = proxy.running.as_ref().unwrap().runtime.load;
        soon(async {
            while load.requests() > 1 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        assert_eq!(load.requests(), 1, "the silent one goes on");
        assert_eq!(proxy.ask(get("/x", &[])).await.status(), 200);
    }
}

#[tokio::test]
async fn in_a_crowd_such_an_answer_ends_long_before_its_time() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("limits.stalled_seconds", 600).set("limits.requests", 4).start();
    let mut wire = proxy.connect().await;
    wire.send(preface(&[(INITIAL_WINDOW, 0)])).await;
    for stream in [1, 3, 5, 7] {
        wire.send(asking(stream, "/endless")).await;
    }
    soon(wire.frame_that(|frame| frame.kind == RST_STREAM)).await.unwrap();
    assert_eq!(proxy.ask(get("/x", &[])).await.status(), 200);
}

#[tokio::test]
async fn a_long_answer_comes_whole_to_who_opens_the_window_bit_by_bit() {
    let body = crate::kit::noise(100_000);
    let answer = [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    let upstream = Upstream::always(answer).await;
    let proxy = Proxy::to(&upstream).start();
    let mut wire = proxy.connect().await;
    wire.send(preface(&[(INITIAL_WINDOW, 700)])).await;
    wire.send(asking(1, "/x")).await;
    let mut read = Vec::new();
    soon(async {
        loop {
            let frame = wire.frame().await.unwrap();
            if frame.kind != crate::kit::frames::DATA {
                continue;
            }
            read.extend_from_slice(&frame.payload);
            if frame.flags & END_STREAM != 0 {
                return;
            }
            if let Some(length) = u32::try_from(frame.payload.len()).ok().filter(|length| *length > 0) {
                for stream in [0, 1] {
                    wire.send(self::frame(WINDOW_UPDATE, 0, stream, &length.to_be_bytes())).await;
                }
            }
        }
    })
    .await;
    assert!(read == body);
}
