//! What fired in an exchange is the same in the metric, in the access log and in the `mcp-mend` header: each repair once.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::kit::{Conn, Message, Proxy, Upstream, chunk, json, post, reply, soon};

type Books = BTreeMap<String, u64>;

const BOTH: &str = "Accept: application/json, text/event-stream";
const JSON: &str = "Content-Type: application/json";
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
/// An answer whose id is a text, where a number was asked for.
const MISNAMED: &str = r#"{"jsonrpc":"2.0","id":"1","result":{"content":[{"type":"text","text":"a"}]}}"#;

/// Waits until every exchange has ended and is written down. Answers what the metric and what the log say of repairs, and
/// fails where they differ.
pub async fn books(proxy: &Proxy) -> Books {
    let counters = &proxy.running.as_ref().unwrap().runtime.counters;
    let lines = soon(async {
        loop {
            // In this order: what has ended by then is all there is.
            let is_idle = counters.in_flight.load(Ordering::SeqCst) == 0;
            let ended = counters.requests().map(|requests| requests.count).sum::<u64>();
            let log = proxy.log();
            if is_idle && log.lines().count() as u64 == ended {
                return log;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut logged = Books::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let mut ids: Vec<&str> = Vec::new();
        for id in ["mended", "observed"].iter().flat_map(|name| line[name].as_array().unwrap()) {
            assert!(!ids.contains(&id.as_str().unwrap()), "{id} is twice in {line}");
            ids.push(id.as_str().unwrap());
        }
        ids.into_iter().for_each(|id| *logged.entry(id.to_owned()).or_default() += 1);
    }
    let counted: Books = counters.by_repair().map(|(id, count)| (id.to_owned(), count)).collect();
    assert_eq!(counted, logged, "what is counted, and what is logged:\n{lines}");
    logged
}

fn start(upstream: &Upstream, repairs: &str) -> Proxy {
    Proxy::to(upstream).set("show_repairs", "true").set("repairs", repairs).start()
}

/// The repairs that the header of an answer names.
fn shown(answer: &Message) -> Vec<String> {
    answer.get("mcp-mend").map(|ids| ids.split(", ").map(str::to_owned).collect()).unwrap_or_default()
}

/// Asks once. Answers what fired; the header of a whole answer names the same, or as much of it as had fired when it left.
async fn fired(proxy: &Proxy, request: Vec<u8>, is_whole: bool) -> Vec<String> {
    let answer = proxy.ask(request).await;
    let books = books(proxy).await;
    assert!(books.values().all(|count| *count == 1), "{books:?}");
    let logged: Vec<String> = books.into_keys().collect();
    let mut header = shown(&answer);
    header.sort();
    assert!(header.iter().all(|id| logged.contains(id)), "{header:?} of {logged:?}");
    assert!(!is_whole || header == logged, "{header:?} is not {logged:?}");
    logged
}

fn message(body: &str) -> Vec<u8> {
    post("/mcp", &[BOTH, JSON], body)
}

const QUIET: &str = "stream.silence=off,stream.buffered=off";

fn token_request() -> Vec<u8> {
    let form = "grant_type=authorization_code&code=c&resource=https%3A%2F%2Fh%2Fmcp";
    post("/token", &["Content-Type: application/x-www-form-urlencoded"], form)
}

#[tokio::test]
async fn a_further_ask_counts_if_it_brings_a_better_answer() {
    for (is_taken, expected) in [(true, true), (false, false)] {
        let upstream = Upstream::answering(move |request| match request.text().contains("resource") || !is_taken {
            true => json("400 Bad Request", r#"{"error":"invalid_target"}"#),
            false => json("200 OK", r#"{"access_token":"t","token_type":"Bearer"}"#),
        })
        .await;
        let proxy = start(&upstream, QUIET);
        let ids = fired(&proxy, token_request(), true).await;
        assert_eq!(ids.contains(&"token.resource-refused".to_owned()), expected, "{ids:?}");
        assert_eq!(upstream.seen_at("/token").len(), 2, "it was asked again");
    }
}

#[tokio::test]
async fn of_two_further_asks_the_first_counts_when_the_second_fails() {
    for is_answered in [true, false] {
        let upstream = Upstream::script(move |mut conn: Conn| async move {
            while let Some(request) = conn.next().await {
                let redirect = |to: &str| reply("307 Temporary Redirect", &[&format!("Location: {to}")], "");
                match request.target() {
                    "/mcp" => conn.send(redirect("/a")).await,
                    "/a" => conn.send(redirect("/b")).await,
                    _ if is_answered => conn.send(json("200 OK", MISNAMED)).await,
                    _ => return,
                };
            }
        })
        .await;
        let proxy = start(&upstream, QUIET);
        let ids = fired(&proxy, message(CALL), true).await;
        assert!(ids.contains(&"transport.redirected".to_owned()), "{ids:?}");
        assert_eq!(ids.contains(&"message.id".to_owned()), is_answered, "{ids:?}");
    }
}

#[tokio::test]
async fn a_list_that_fails_in_one_part_counts_what_the_others_brought() {
    for fails in [false, true] {
        let upstream = Upstream::script(move |mut conn: Conn| async move {
            while let Some(request) = conn.next().await {
                match request.text() {
                    text if text.starts_with('[') => conn.send(json("400 Bad Request", "{}")).await,
                    text if text.contains(r#""id":2"#) && fails => return,
                    text if text.contains(r#""id":2"#) => {
                        conn.send(json("200 OK", &MISNAMED.replace("\"1\"", "2"))).await
                    }
                    _ => conn.send(json("200 OK", MISNAMED)).await,
                };
            }
        })
        .await;
        let proxy = start(&upstream, QUIET);
        let list = format!("[{CALL}, {CALL}, {}]", CALL.replace("\"id\":1", "\"id\":2"));
        let ids = fired(&proxy, message(&list), true).await;
        for id in ["message.batch-refused", "message.id"] {
            assert!(ids.contains(&id.to_owned()), "{id} in {ids:?}");
        }
        assert!(upstream.begun().len() >= 3, "the parts were asked");
    }
}

#[tokio::test]
async fn a_stream_counts_each_repair_once_and_at_once() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for _ in 0..3 {
            let event = r#"{"jsonrpc":"2.0","method":"notifications/message","params":null}"#;
            conn.send(chunk(&format!("event: log\ndata: {event}\n\n"))).await;
        }
        conn.until_closed().await;
    })
    .await;
    let proxy = start(&upstream, "stream.silence=off");
    let mut client = proxy.connect().await;
    client.send(message(CALL)).await;
    let head = client.head().await.unwrap();
    assert_eq!(shown(&head), ["stream.buffered"]);
    for _ in 0..3 {
        assert!(client.chunk().await.unwrap().is_some());
    }
    // The stream is still open.
    let counters = proxy.running.as_ref().unwrap().runtime.counters.clone();
    let counted: Books = counters.by_repair().map(|(id, count)| (id.to_owned(), count)).collect();
    let expected = ["message.envelope", "stream.buffered", "stream.event-name"].map(|id| (id.to_owned(), 1));
    assert_eq!(counted, Books::from(expected.clone()));
    drop(client);
    assert_eq!(books(&proxy).await, Books::from(expected));
}

#[tokio::test]
async fn what_only_observes_is_in_the_log_and_the_metric_and_not_in_the_header() {
    let upstream = Upstream::always(json("200 OK", MISNAMED)).await;
    let proxy = start(&upstream, "stream.silence=off,message.id=observe");
    let answer = proxy.ask(message(CALL)).await;
    assert_eq!((shown(&answer), answer.text()), (Vec::new(), MISNAMED.to_owned()));
    assert_eq!(books(&proxy).await, Books::from([("message.id".to_owned(), 1)]));
}

#[tokio::test]
async fn an_answer_of_our_own_counts_like_any() {
    let upstream = Upstream::sound().await;
    let proxy = start(&upstream, QUIET);
    let foreign = post("/mcp", &[BOTH, JSON, "Origin: https://evil.example"], CALL);
    let ids = fired(&proxy, foreign, true).await;
    assert!(ids.contains(&"transport.origin-foreign".to_owned()), "{ids:?}");
    assert!(upstream.seen().is_empty());
    let down = Proxy::to_url(&format!("http://{}", Upstream::down().await)).set("show_repairs", "true").start();
    let narrow = post("/mcp", &["Accept: application/json", JSON], CALL);
    let ids = fired(&down, narrow, true).await;
    assert!(ids.contains(&"transport.accept-narrow".to_owned()), "{ids:?}");
}

#[tokio::test]
async fn who_leaves_before_the_answer_leaves_the_same_in_all_books() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.until_closed().await;
    })
    .await;
    let proxy = start(&upstream, QUIET);
    let mut client = proxy.connect().await;
    client.send(post("/mcp", &["Accept: application/json", JSON], CALL)).await;
    upstream.wait(|seen| seen.len() == 1).await;
    drop(client);
    assert_eq!(books(&proxy).await, Books::from([("transport.accept-narrow".to_owned(), 1)]));
}
