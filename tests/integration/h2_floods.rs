//! Clients of HTTP/2 that want to wear the proxy out: each is cut off or costs little, and nobody else waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::kit::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, ask, frame, integer, preface,
};
use crate::kit::{Binary, Upstream, Wire, get, noise, ok, soon};

/// What an attack may cost while it lasts.
const MOST_MEMORY: u64 = 32 << 20;
/// How long the proxy may compute for the attack, in its own processor time, before it answers somebody else.
const BEFORE_OTHERS: Duration = Duration::from_millis(500);
/// Requests of others that are answered before the attack ends, and once all is sent: what the attack set going goes on.
const MEANWHILE: usize = 20;
const AFTERWARDS: usize = 50;
/// Requests of others after which a client that does not read may count on not being read either.
const UNREAD: usize = 200;
/// What the last PING of an attack carries.
const LAST: [u8; 8] = *b"the last";
const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;
/// Frames of an attack.
const MANY: u32 = 30_000;

/// An upstream of short and long answers.
async fn upstream() -> Upstream {
    let part = std::sync::Arc::new(noise(1 << 16));
    Upstream::script(move |mut conn| {
        let part = part.clone();
        async move {
            while let Some(request) = conn.next().await {
                match request.target() {
                    "/big" => {
                        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20)).await;
                        for _ in 0..1024 {
                            if tokio::io::AsyncWriteExt::write_all(&mut conn.stream, &part).await.is_err() {
                                return;
                            }
                        }
                    }
                    "/never" => {
                        conn.until_closed().await;
                    }
                    _ => {
                        conn.send(ok("hello")).await;
                    }
                }
            }
        }
    })
    .await
}

/// The program before an upstream, warm.
async fn start(upstream: &Upstream) -> Binary {
    let url = format!("http://{}", upstream.address);
    let proxy = Binary::start(&[&url, "--no-probe", "--threads", "1", "--log-format", "off"]).await;
    for _ in 0..20 {
        assert_eq!(asked(&proxy).await, 200);
    }
    proxy
}

async fn asked(proxy: &Binary) -> u16 {
    let mut client = proxy.connect().await;
    client.send(get("/x", &[])).await;
    client.reply().await.status()
}

/// How an attack ended.
struct Outcome {
    /// The GOAWAY that was said, if one was.
    goaway: Option<Frame>,
    grown: u64,
}

/// Sends what the attack says, in parts, until it has none or the proxy hangs up; the proxy's frames are read if `reads`.
/// Meanwhile others ask.
async fn attack(settings: &[(u16, u32)], reads: bool, mut parts: impl FnMut(u32) -> Option<Vec<u8>>) -> Outcome {
    let upstream = upstream().await;
    let proxy = start(&upstream).await;
    let before = proxy.memory();
    let mut wire = proxy.connect().await;
    wire.send(preface(settings)).await;
    let (read, mut write) = tokio::io::split(wire.stream);
    let over = AtomicBool::new(false);
    let answered = watch::Sender::new(0);
    let answered_more = async |more: usize| {
        let mut answered = answered.subscribe();
        let wanted = *answered.borrow() + more;
        answered.wait_for(|answered| *answered >= wanted).await.unwrap();
    };
    let pump = async {
        for index in 0.. {
            // The answer to the last PING shows that all before it has been read (RFC 9113 section 6.7).
            let part = parts(index);
            let is_last = part.is_none();
            let bytes = part.unwrap_or_else(|| frame(PING, 0, 0, &LAST));
            if is_last {
                answered_more(MEANWHILE).await;
            }
            let is_sent = tokio::select! {
                sent = tokio::io::AsyncWriteExt::write_all(&mut write, &bytes) => sent.is_ok(),
                // The proxy stops reading from a client that does not read.
                () = answered_more(UNREAD), if !reads => false,
            };
            if !is_sent || is_last {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    };
    let hear = async {
        let mut wire = Wire::new(tokio::io::join(read, tokio::io::sink()));
        let is_end = |frame: &Frame| frame.kind == GOAWAY || (frame.kind == PING && frame.payload == LAST);
        let end = if reads { wire.frame_that(is_end).await } else { None };
        end.filter(|frame| frame.kind == GOAWAY)
    };
    let others = async {
        let (mut most, mut left) = (0, AFTERWARDS);
        while left > 0 {
            left -= usize::from(over.load(Ordering::Relaxed));
            let computed = proxy.cpu();
            assert_eq!(asked(&proxy).await, 200);
            answered.send_modify(|answered| *answered += 1);
            let spent = proxy.cpu() - computed;
            assert!(spent < BEFORE_OTHERS, "{spent:?}");
            most = most.max(proxy.memory());
        }
        most
    };
    let ((), goaway, most) = soon(async { tokio::join!(pump, hear, others) }).await;
    let grown = most.max(proxy.memory()).saturating_sub(before);
    assert!(grown < MOST_MEMORY, "{grown}");
    Outcome { goaway, grown }
}

/// The odd numbers of streams that a client opens.
fn stream(index: u32) -> u32 {
    2 * index + 1
}

fn asking(index: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream(index), &ask("GET", path, &[]))
}

#[tokio::test]
async fn rapid_reset_is_told_to_calm_down() {
    let cancel = |index| frame(RST_STREAM, 0, stream(index), &8u32.to_be_bytes());
    let outcome = attack(&[], true, |part| {
        let pairs = (part * 100..part * 100 + 100).map(|index| [asking(index, "/x"), cancel(index)].concat());
        (part < MANY / 100).then(|| pairs.collect::<Vec<_>>().concat())
    })
    .await;
    assert_eq!(outcome.goaway.unwrap().code(), ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn resets_one_at_a_time_cost_little() {
    let cancel = |index| frame(RST_STREAM, 0, stream(index), &8u32.to_be_bytes());
    attack(&[], true, |part| {
        (part < 3000).then(|| if part % 2 == 0 { asking(part / 2, "/never") } else { cancel(part / 2) })
    })
    .await;
}

#[tokio::test]
async fn a_proxy_made_to_reset_is_told_to_calm_down() {
    // A window that grows too large is an error of the stream (RFC 9113 section 6.9.1). One that grows by nothing may be
    // taken for one of the connection (section 6.9).
    for (grows, expected) in [(0x7fff_ffffu32, ENHANCE_YOUR_CALM), (0, PROTOCOL_ERROR)] {
        let update = |index| frame(WINDOW_UPDATE, 0, stream(index), &grows.to_be_bytes());
        let outcome = attack(&[], true, |part| {
            let pairs = (part * 50..part * 50 + 50).map(|index| [asking(index, "/never"), update(index)].concat());
            (part < MANY / 50).then(|| pairs.collect::<Vec<_>>().concat())
        })
        .await;
        assert_eq!(outcome.goaway.unwrap().code(), expected);
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    for length in [0, 16_000] {
        let filler = vec![0; length];
        let outcome = attack(&[], true, |part| match part {
            0 => Some(frame(HEADERS, 0, 1, &ask("GET", "/x", &[]))),
            part => (part < MANY).then(|| frame(CONTINUATION, 0, 1, &filler)),
        })
        .await;
        assert!(outcome.goaway.is_some(), "{length}");
    }
}

#[tokio::test]
async fn settings_and_pings_wait_for_who_reads() {
    let setting = [&3u16.to_be_bytes()[..], &100u32.to_be_bytes()].concat();
    for one in [frame(SETTINGS, 0, 0, &setting), frame(PING, 0, 0, &[1; 8])] {
        for reads in [false, true] {
            let hundred = one.repeat(100);
            attack(&[], reads, |part| (part < MANY / 10).then(|| hundred.clone())).await;
        }
    }
}

#[tokio::test]
async fn frames_that_say_nothing_cost_nothing() {
    let priority = frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]);
    let update = frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes());
    let (ack, pong) = (frame(SETTINGS, ACK, 0, &[]), frame(PING, ACK, 0, &[9; 8]));
    let unknown = frame(0xbe, 0, 0, &[0; 100]);
    for one in [priority, update, ack, pong, unknown] {
        let hundred = one.repeat(100);
        attack(&[], true, |part| (part < MANY / 10).then(|| hundred.clone())).await;
    }
}

#[tokio::test]
async fn small_data_frames_cost_little() {
    let upload = ask("POST", "/never", &[("content-type", "text/plain")]);
    let padded = [&[200][..], &[0; 200]].concat();
    for one in [frame(DATA, 0, 1, &[]), frame(DATA, 0, 1, b"x"), frame(DATA, 8, 1, &padded)] {
        let hundred = one.repeat(100);
        attack(&[], true, |part| match part {
            0 => Some(frame(HEADERS, END_HEADERS, 1, &upload)),
            part => (part < MANY / 10).then(|| hundred.clone()),
        })
        .await;
    }
}

#[tokio::test]
async fn a_block_that_swells_is_not_unpacked() {
    // One long field put into the table, and then named again and again (RFC 7541 section 6.1).
    let mut long = vec![0x40];
    integer(&mut long, 7, 0, 1);
    long.push(b'x');
    integer(&mut long, 7, 0, 4000);
    long.extend(vec![b'v'; 4000]);
    let again = vec![0xbe; 15_000];
    attack(&[], true, |part| match part {
        0 => Some(frame(HEADERS, END_HEADERS | END_STREAM, 1, &[ask("GET", "/x", &[]), long.clone()].concat())),
        part => (part < 2000).then(|| {
            let block = [ask("GET", "/x", &[]), again.clone()].concat();
            frame(HEADERS, END_HEADERS | END_STREAM, stream(part), &block)
        }),
    })
    .await;
}

#[tokio::test]
async fn a_window_of_nothing_holds_little() {
    const INITIAL_WINDOW: u16 = 4;
    let outcome = attack(&[(INITIAL_WINDOW, 0)], true, |part| match part {
        0..100 => Some(asking(part, "/big")),
        // So much time that what comes from the upstream has come.
        part => (part < 300).then(|| frame(PING, 0, 0, &[2; 8])),
    })
    .await;
    assert!(outcome.grown < MOST_MEMORY);
}

#[tokio::test]
async fn the_hundred_and_first_stream_is_refused() {
    const REFUSED_STREAM: u32 = 7;
    let upstream = upstream().await;
    let proxy = start(&upstream).await;
    let mut wire = proxy.connect().await;
    wire.send(preface(&[])).await;
    for index in 0..101 {
        wire.send(asking(index, "/never")).await;
    }
    let reset = wire.frame_that(|frame| frame.kind == RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (stream(100), REFUSED_STREAM));
}
