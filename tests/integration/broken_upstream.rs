//! A table of everything that an upstream can get wrong on the wire, each met by reads, posts, messages and event streams,
//! on a fresh connection and on one that was used before. What must hold for each: the right answer in time, no request
//! twice that may not be, and a next client that gets its own answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kit::{Conn, Message, PATIENCE, Proxy, Upstream, get, ok, post, soon};

/// What the upstream does once it has read the request.
#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    Reset,
    /// Says nothing more, and waits for the proxy to hang up.
    Hang,
    /// Serves the next request, if the connection is used again.
    GoOn,
    /// Goes on with this for as long as anybody takes it.
    Forever(&'static str),
}

/// What the client must be told.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// A refusal of the proxy's own.
    No(u16, &'static str),
    /// A refusal: whether there was too much or it took too long depends on the machine.
    Refused,
    /// This body, whole.
    Whole(&'static str),
    /// A refusal or a cut: which one depends on what arrived first.
    NoOrCut,
    /// The head, and then nothing: the upstream must hear of it when the client leaves.
    Waits,
}
use Then::{Close, Forever, GoOn, Hang, Reset};
use Told::{No, NoOrCut, Refused, Waits, Whole};

struct Fault {
    name: &'static str,
    said: &'static str,
    then: Then,
    told: Told,
}

const fn fault(name: &'static str, said: &'static str, then: Then, told: Told) -> Fault {
    Fault { name, said, then, told }
}

const CLOSED: Told = No(502, "upstream_closed");
const BAD: Told = No(502, "upstream_bad_answer");
const LATE: Told = No(504, "upstream_timeout");

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    fault("closes without a word", "", Close, CLOSED),
    fault("resets without a word", "", Reset, CLOSED),
    fault("never answers", "", Hang, LATE),
    fault("closes in the first line", "HTTP/1.1 20", Close, CLOSED),
    fault("resets in the first line", "HTTP/1.1 20", Reset, CLOSED),
    fault("stalls in the first line", "HTTP/1.1 20", Hang, LATE),
    fault("closes in the head", "HTTP/1.1 200 OK\r\nContent-Le", Close, CLOSED),
    fault("resets in the head", "HTTP/1.1 200 OK\r\nContent-Le", Reset, CLOSED),
    fault("stalls in the head", "HTTP/1.1 200 OK\r\nContent-Le", Hang, LATE),
    fault("closes before the blank line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", Close, CLOSED),
    fault("closes behind the head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Close, NoOrCut),
    fault("resets behind the head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Reset, NoOrCut),
    fault("stalls behind the head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Hang, Waits),
    fault("closes in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Close, NoOrCut),
    fault("resets in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Reset, NoOrCut),
    fault("stalls in the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Hang, Waits),
    fault("claims too long a length", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", Close, NoOrCut),
    fault("claims too short a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello world", GoOn, Whole("hello")),
    fault("sends two answers", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray", GoOn, Whole("hello")),
    fault("closes behind the answer", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Close, Whole("hello")),
    fault("two framings", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Hang, BAD),
    fault("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", Hang, BAD),
    fault("a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello", Hang, BAD),
    fault("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", Hang, BAD),
    fault("an endless length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello", Hang, BAD),
    fault("an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", Close, BAD),
    fault("the coding twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Hang, BAD),
    fault("half a chunk, closes", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Close, NoOrCut),
    fault("half a chunk, resets", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Reset, NoOrCut),
    fault("half a chunk, stalls", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Hang, Waits),
    fault("no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Close, NoOrCut),
    fault("half a last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", Close, NoOrCut),
    fault("a chunk longer than its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\n", Hang, NoOrCut),
    fault("a size that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n", Hang, NoOrCut),
    fault("a size beyond all numbers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", Hang, NoOrCut),
    fault("bytes behind the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", GoOn, Whole("hello")),
    fault("ends by closing", "HTTP/1.1 200 OK\r\n\r\nhello", Close, Whole("hello")),
    fault("ends by closing, in the old version", "HTTP/1.0 200 OK\r\n\r\nhello", Close, Whole("hello")),
    fault("should end by closing, resets", "HTTP/1.1 200 OK\r\n\r\nhello", Reset, NoOrCut),
    fault("says to wait, then closes", "HTTP/1.1 100 Continue\r\n\r\n", Close, CLOSED),
    fault("says to wait, then waits", "HTTP/1.1 100 Continue\r\n\r\n", Hang, LATE),
    fault("says to wait, then answers", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", GoOn, Whole("hello")),
    fault("hints, then answers", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", GoOn, Whole("hello")),
    fault("says to wait for ever", "", Forever("HTTP/1.1 100 Continue\r\n\r\n"), Refused),
    fault("hints for ever", "", Forever("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), Refused),
    fault("a head without an end", "HTTP/1.1 200 OK\r\n", Forever("A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"), BAD),
    fault("a field without an end", "HTTP/1.1 200 OK\r\nA: ", Forever("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), BAD),
    fault("a first line without an end", "HTTP/1.1 200 ", Forever("OKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOKOK"), BAD),
    fault("another protocol, unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw", Hang, BAD),
    fault("another version", "HTTP/3.0 200 OK\r\n\r\n", Hang, BAD),
    fault("a status that is none", "HTTP/1.1 abc OK\r\n\r\n", Hang, BAD),
    fault("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", Hang, BAD),
    fault("a page without a head", "<html>no</html>\r\n\r\n", Hang, BAD),
    fault("another language", "SSH-2.0-OpenSSH_9.9\r\n", Hang, BAD),
    fault("zeros", "\0\0\0\0\0\0\0\0", Hang, BAD),
    fault("a bare CR in the head", "HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 0\r\n\r\n", Hang, BAD),
    fault("a NUL in the head", "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n", Hang, BAD),
    fault("a blank before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", Hang, BAD),
    fault("events, then closes", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", Close, NoOrCut),
    fault("events, then resets", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", Reset, NoOrCut),
    fault("events, then nothing", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", Hang, Waits),
    fault("half an event, then closes", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n", Close, NoOrCut),
    fault("events with too long a length", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\ndata: 1\n\n", Close, NoOrCut),
];

/// What would make an answer of a silence, or of an empty one; the faults themselves are looked at here.
const AS_IT_IS: &str = "stream.silence=off,transport.stream-unanswered=off";

/// How a client meets the fault.
const MEETINGS: [(&str, &str, &str); 5] =
    [("GET", "/x", ""), ("POST", "/x", "hi"), ("POST", "/mcp", MESSAGE), ("GET", "/mcp", ""), ("POST", "/token", FORM)];
const MESSAGE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay"}}"#;
const FORM: &str = "grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fa.example&code_verifier=v";

fn meet(method: &str, path: &str, body: &str) -> Vec<u8> {
    let both = "Accept: application/json, text/event-stream";
    match (method, path) {
        ("GET", _) => get(path, &["Accept: text/event-stream", "X-Fault: 1"]),
        (_, "/token") => post(path, &["Content-Type: application/x-www-form-urlencoded", "X-Fault: 1"], body),
        _ => post(path, &["Content-Type: application/json", both, "X-Fault: 1"], body),
    }
}

async fn play(mut conn: Conn, fault: &'static Fault, left: tokio::sync::mpsc::UnboundedSender<()>) {
    while let Some(request) = conn.next().await {
        if request.get("x-fault").is_none() {
            conn.send(ok("right")).await;
            continue;
        }
        conn.send(fault.said).await;
        match fault.then {
            Close => return,
            Reset => return conn.reset(),
            GoOn => continue,
            Hang => drop(conn.until_closed().await),
            Forever(more) => while conn.send(more.repeat(50)).await {},
        }
        let _ = left.send(());
        return;
    }
}

fn check(told: Told, answer: &Message) -> Result<(), String> {
    let is_refusal = |status: u16| answer.status() == status && answer.whole;
    let right = match told {
        No(status, error) => is_refusal(status) && answer.json()["error"] == error,
        NoOrCut => (answer.status() == 200 && !answer.whole) || (answer.status() == 502 && answer.whole),
        Whole(body) => answer.status() == 200 && answer.whole && answer.text() == body,
        Refused => is_refusal(502) || is_refusal(504),
        Waits => true,
    };
    if right { Ok(()) } else { Err(format!("{told:?}, but was told {answer:?}")) }
}

/// One fault, one meeting, on a fresh connection or on one that was used.
async fn case(fault: &'static Fault, (method, path, body): (&str, &str, &str), used: bool) -> Result<(), String> {
    let (sender, mut left) = tokio::sync::mpsc::unbounded_channel();
    let upstream = Upstream::script(move |conn| play(conn, fault, sender.clone())).await;
    let proxy = Proxy::to(&upstream)
        .set("limits.first_byte_seconds", "0.5")
        .set("limits.mend_seconds", "0.5")
        .set("repairs", AS_IT_IS)
        .start();
    if used {
        proxy.ask(get("/warm", &[])).await;
    }
    let began = Instant::now();
    let mut client = proxy.connect().await;
    client.send(meet(method, path, body)).await;
    if matches!(fault.told, Waits) {
        // What has come is there, or it is not decided yet what it is; the rest is waited for until the client leaves.
        upstream.wait(|seen| seen.iter().any(|seen| seen.get("x-fault").is_some())).await;
        let head = tokio::time::timeout(Duration::from_millis(200), client.head()).await;
        drop(client);
        if tokio::time::timeout(Duration::from_secs(3), left.recv()).await.is_err() {
            return Err(format!("the upstream never heard that the client had left, after {head:?}"));
        }
    } else {
        check(fault.told, &client.reply().await)?;
        let most = if matches!(fault.told, No(504, _) | Refused) { 2500 } else { 1500 };
        if began.elapsed() > Duration::from_millis(most) {
            return Err(format!("it took {:?}", began.elapsed()));
        }
    }
    let asked = upstream.seen().iter().filter(|seen| seen.get("x-fault").is_some()).count();
    let most = if method == "GET" && used { 2 } else { 1 };
    if asked > most || asked == 0 {
        return Err(format!("it was asked {asked} times"));
    }
    for _ in 0..2 {
        let next = proxy.ask(get("/right", &[])).await;
        if next.text() != "right" || !next.whole {
            return Err(format!("the next client was told {next:?}"));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_answered_as_it_should_be() {
    let turns = Arc::new(tokio::sync::Semaphore::new(40));
    let mut cases = tokio::task::JoinSet::new();
    for fault in FAULTS {
        for meeting in MEETINGS {
            for used in [false, true] {
                let turns = turns.clone();
                cases.spawn(async move {
                    let _turn = turns.acquire_owned().await.unwrap();
                    let shown = || format!("{} | {} {} | used {used}", fault.name, meeting.0, meeting.1);
                    let done = tokio::time::timeout(PATIENCE, case(fault, meeting, used)).await;
                    done.unwrap_or(Err("never ended".into())).map_err(|why| format!("{}: {why}", shown()))
                });
            }
        }
    }
    let all = cases.join_all().await;
    let failed: Vec<String> = all.iter().filter_map(|done| done.clone().err()).collect();
    eprintln!("{} of {} cases of a broken upstream were answered otherwise", failed.len(), all.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), all.len(), failed.join("\n"));
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_pooled() {
    // It speaks first on every connection, as something that is no HTTP server would.
    let upstream = Upstream::script(|mut conn| async move {
        conn.send(ok("stray")).await;
        while let Some(request) = conn.next().await {
            conn.send(ok(request.target())).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    for number in 0..20 {
        let target = format!("/{number}");
        let answer = proxy.ask(post(&target, &[], "hi")).await;
        let is_sound = answer.status() == 502 || ["stray", target.as_str()].contains(&answer.text().as_str());
        assert!(is_sound, "{answer:?}");
        assert!(upstream.seen_at(&target).len() <= 1);
    }
    // What was asked on one connection is never answered on behalf of another's request.
    let mut clients = tokio::task::JoinSet::new();
    let proxy = Arc::new(proxy);
    for number in 0..20 {
        let proxy = proxy.clone();
        clients.spawn(async move {
            let target = format!("/own-{number}");
            let text = soon(proxy.ask(get(&target, &[]))).await.text();
            assert!(!text.starts_with("/own-") || text == target, "{target} was told {text}");
        });
    }
    clients.join_all().await;
}
