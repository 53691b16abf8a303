//! Messages of the MCP endpoint on the wire: what goes up, what comes down, and what is asked again.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::kit::{Message, PUBLIC, Proxy, Upstream, chunk, get, json, post, reply, request, soon};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":null}}}"#;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}]}}"#;
const BOTH: &str = "Accept: application/json, text/event-stream";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn message(headers: &[&str], body: &str) -> Vec<u8> {
    post("/mcp", &[&["Content-Type: application/json", "X-Test: 1"], headers].concat(), body)
}

/// What the client's messages came to, without what the proxy asks by itself.
fn asked(upstream: &Upstream) -> Vec<Message> {
    upstream.seen().into_iter().filter(|seen| seen.get("x-test").is_some()).collect()
}

fn events(text: &str) -> Vec<u8> {
    reply("200 OK", &["Content-Type: text/event-stream"], text)
}

/// Of strangers it is remembered: the proxy asks as they do. A caller with a token may be served elsewhere.
#[tokio::test]
async fn a_redirect_is_followed_inside_and_remembered_for_strangers() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/mcp" => {
            reply("307 Temporary Redirect", &[&format!("Location: http://{}/mcp/", request.get("host").unwrap())], "")
        }
        "/mcp/" => json("200 OK", RESULT),
        _ => reply("404 Not Found", &[], ""),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    for token in [&["Authorization: Bearer t"][..], &[], &[], &["Authorization: Bearer t"]] {
        let answer = proxy.ask(message(&[&[BOTH], token].concat(), CALL)).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, RESULT));
        // The proxy asks about it itself, and nobody waits for that.
        soon(async {
            while proxy.running.as_ref().unwrap().sites().first().learner.moved().is_none() {
                proxy.ask(get("/x", &[])).await;
            }
        })
        .await;
    }
    let seen = asked(&upstream);
    let places: Vec<&str> = seen.iter().map(Message::target).collect();
    assert_eq!(places, ["/mcp", "/mcp/", "/mcp/", "/mcp/", "/mcp", "/mcp/"]);
    for (seen, token) in seen.iter().zip([true, true, false, false, true, true]) {
        assert_eq!((seen.method(), seen.text().as_str()), ("POST", CALL));
        assert_eq!(seen.get("authorization"), token.then_some("Bearer t"));
    }
}

#[tokio::test]
async fn no_message_is_sent_to_another_host_or_in_circles() {
    for location in ["http://other.example/mcp", "//other.example/mcp", "/mcp", "https://127.0.0.1:1/mcp"] {
        let head = format!("Location: {location}");
        let upstream = Upstream::always(reply("307 Temporary Redirect", &[&head], "")).await;
        let answer = Proxy::to(&upstream).start().ask(message(&[BOTH], CALL)).await;
        assert_eq!((answer.status(), asked(&upstream).len()), (307, 1), "{location}");
    }
    // From one place to the other and back: an end is found all the same.
    let upstream = Upstream::answering(|request| {
        let to = if request.target() == "/mcp" { "Location: /mcp/" } else { "Location: /mcp" };
        reply("307 Temporary Redirect", &[to], "")
    })
    .await;
    assert_eq!(Proxy::to(&upstream).start().ask(message(&[BOTH], CALL)).await.status(), 307);
    assert!(asked(&upstream).len() <= 4);
}

#[tokio::test]
async fn a_message_that_may_have_been_acted_on_is_never_sent_twice() {
    for answer in [
        json(
            "500 Internal Server Error",
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"protocol version"}}"#,
        ),
        json("200 OK", r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Unsupported protocol version"}}"#),
        reply("503 Service Unavailable", &[], "protocol version"),
        reply("502 Bad Gateway", &["Location: /mcp/"], ""),
    ] {
        let upstream = Upstream::always(answer).await;
        Proxy::to(&upstream).start().ask(message(&[BOTH, "Mcp-Protocol-Version: 2025-11-25"], CALL)).await;
        assert_eq!(asked(&upstream).len(), 1);
    }
}

#[tokio::test]
async fn each_client_gets_the_form_that_it_accepts() {
    let stream = format!("event: message\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"a\"}}\n\ndata: {RESULT}\n\n");
    let upstream = Upstream::always(events(&stream)).await;
    let answer = Proxy::to(&upstream).start().ask(message(&["Accept: application/json"], CALL)).await;
    assert_eq!((answer.get("content-type"), answer.text().as_str()), (Some("application/json"), RESULT));
    assert!(answer.whole);
    assert_eq!(asked(&upstream)[0].get("accept"), Some("application/json, text/event-stream"));

    let upstream = Upstream::always(json("200 OK", RESULT)).await;
    let answer = Proxy::to(&upstream).start().ask(message(&["Accept: text/event-stream"], CALL)).await;
    assert_eq!(answer.get("content-type"), Some("text/event-stream"));
    assert_eq!(answer.text(), format!("event: message\ndata: {RESULT}\n\n"));
    // A stream that ends without an answer says so.
    let upstream = Upstream::always(events("data: {\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n\n")).await;
    let answer = Proxy::to(&upstream).start().ask(message(&["Accept: application/json"], CALL)).await;
    assert_eq!((answer.json()["id"].as_u64(), answer.json()["error"]["code"].as_i64()), (Some(1), Some(-32603)));
}

#[tokio::test]
async fn a_stream_that_is_mended_has_no_length() {
    let stream = format!("event: response\ndata: {RESULT}\n\n");
    let upstream = Upstream::always(events(&stream)).await;
    let answer = Proxy::to(&upstream).start().ask(message(&[BOTH], CALL)).await;
    assert_eq!((answer.get("content-length"), answer.whole), (None, true));
    assert_eq!(answer.text(), format!("event: message\ndata: {RESULT}\n\n"));
    assert_eq!(answer.get("x-accel-buffering"), Some("no"));
    assert_eq!(answer.get("cache-control"), Some("no-cache, no-transform"));
}

#[tokio::test]
async fn a_notification_is_accepted_without_a_word() {
    for answer in [
        json("200 OK", r#"{"jsonrpc":"2.0","id":null,"result":{}}"#),
        reply("204 No Content", &[], ""),
        json("400 Bad Request", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Method not found"}}"#),
        reply("404 Not Found", &["Content-Type: text/html"], "<h1>no</h1>"),
    ] {
        let upstream = Upstream::always(answer).await;
        let got = Proxy::to(&upstream).start().ask(message(&[BOTH], NOTE)).await;
        assert_eq!((got.status(), got.get("content-length"), got.text().as_str()), (202, Some("0"), ""));
        assert_eq!(got.get("content-type"), None);
    }
    for status in ["401 Unauthorized", "403 Forbidden", "429 Too Many Requests", "503 Service Unavailable"] {
        let upstream = Upstream::always(reply(status, &[], "")).await;
        let got = Proxy::to(&upstream).start().ask(message(&[BOTH], NOTE)).await;
        assert!(status.starts_with(&got.status().to_string()), "{status}");
    }
}

#[tokio::test]
async fn a_large_result_passes_unread_and_a_list_is_mended_whole() {
    let padding = "x".repeat(100_000);
    let large = format!(
        r#"{{"id":1,"result":{{"content":[{{"type":"text","text":"{padding}","_meta":null}}]}},"error":null}}"#
    );
    let upstream = Upstream::always(json("200 OK", &large)).await;
    let proxy = Proxy::to(&upstream).start();
    assert_eq!(proxy.ask(message(&[BOTH], CALL)).await.text(), large);
    let list = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"a","description":"{padding}"}}]}}}}"#);
    let upstream = Upstream::always(json("200 OK", &list)).await;
    let answer = Proxy::to(&upstream).start().ask(message(&[BOTH], LIST)).await;
    assert_eq!(answer.json()["result"]["tools"][0]["inputSchema"]["type"], "object");
    assert!(answer.text().contains(&padding));
}

#[tokio::test]
async fn a_long_message_streams_up_and_is_known_all_the_same() {
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":"long","method":"tools/call","params":{{"name":"t","arguments":{{"text":"{}"}}}}}}"#,
        "y".repeat(200_000)
    );
    let upstream =
        Upstream::always(json("200 OK", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"x"}}"#)).await;
    let answer = Proxy::to(&upstream).start().ask(message(&[BOTH], &long)).await;
    assert_eq!(answer.json()["id"], "long");
    assert_eq!(asked(&upstream)[0].text(), long);
}

#[tokio::test]
async fn a_list_of_messages_is_asked_one_by_one() {
    let upstream = Upstream::answering(|request| match request.text().as_str() {
        text if text.starts_with('[') => {
            json("400 Bad Request", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"x"}}"#)
        }
        text if text == NOTE => reply("202 Accepted", &[], ""),
        _ => events(&format!("data: {RESULT}\n\n")),
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let answer = proxy.ask(message(&[BOTH], &format!("[{NOTE}, {CALL}]"))).await;
    assert_eq!((answer.status(), answer.text()), (200, format!("[{RESULT}]")));
    assert_eq!(asked(&upstream).len(), 3);
    assert_eq!(proxy.ask(message(&[BOTH], &format!("[{NOTE}]"))).await.status(), 202);
}

#[tokio::test]
async fn an_answer_on_the_stream_of_the_session_is_fetched_there() {
    let posted = Arc::new(Notify::new());
    let upstream = Upstream::script(move |mut conn| {
        let posted = posted.clone();
        async move {
            while let Some(request) = conn.next().await {
                if request.method() == "POST" {
                    conn.send(reply("202 Accepted", &[], "")).await;
                    posted.notify_one();
                } else {
                    posted.notified().await;
                    conn.send(STREAM).await;
                    conn.send(chunk(": hi\n\n")).await;
                    conn.send(chunk(&format!("data: {RESULT}\n\n"))).await;
                    conn.until_closed().await;
                }
            }
        }
    })
    .await;
    let answer = Proxy::to(&upstream).start().ask(message(&[BOTH, "Mcp-Session-Id: s"], CALL)).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, format!(": hi\n\ndata: {RESULT}\n\n").as_str()));
    let listened = upstream.seen().into_iter().find(|seen| seen.method() == "GET").unwrap();
    assert_eq!((listened.get("mcp-session-id"), listened.get("accept")), (Some("s"), Some("text/event-stream")));
    assert_eq!(listened.get("content-type"), None);
}

#[tokio::test]
async fn a_silent_probe_is_answered_and_the_next_at_once() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.text().contains("server/discover") {
                conn.until_closed().await;
                return;
            }
            conn.send(json("200 OK", RESULT)).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let probe = r#"{"jsonrpc":"2.0","id":"p","method":"server/discover"}"#;
    let ask = || async {
        let answer = proxy.ask(message(&[BOTH, "Mcp-Protocol-Version: 2026-07-28"], probe)).await;
        assert_eq!((answer.status(), answer.json()["id"].as_str()), (400, Some("p")));
        assert_eq!(answer.json()["error"]["code"], -32601);
    };
    ask().await;
    // The proxy's own probe is left unanswered as well, while its ping is answered.
    let learner = proxy.running.as_ref().unwrap().sites().first().learner.clone();
    soon(async {
        while !learner.is_legacy() {
            proxy.ask(message(&[BOTH], CALL)).await;
        }
    })
    .await;
    let before = asked(&upstream).len();
    ask().await;
    assert_eq!(asked(&upstream).len(), before, "the second is answered here");
}

#[tokio::test]
async fn an_error_that_only_a_newer_server_has_makes_none_older() {
    let upstream = Upstream::always(json(
        "400 Bad Request",
        r#"{"jsonrpc":"2.0","id":"p","error":{"code":-32602,"message":"Invalid params: missing _meta"}}"#,
    ))
    .await;
    let proxy = Proxy::to(&upstream).start();
    let probe = r#"{"jsonrpc":"2.0","id":"p","method":"server/discover"}"#;
    for _ in 0..2 {
        let answer = proxy.ask(message(&[BOTH, "Mcp-Protocol-Version: 2026-07-28"], probe)).await;
        assert_eq!(answer.json()["error"]["code"], -32602);
    }
    assert_eq!(asked(&upstream).len(), 2);
}

#[tokio::test]
async fn silence_is_broken_by_comments_and_a_stream_behind_its_answer_is_ended() {
    let upstream = Upstream::script(|mut conn| async move {
        let request = conn.next().await;
        conn.send(STREAM).await;
        if request.is_some_and(|request| request.method() == "POST") {
            conn.send(chunk(&format!("data: {RESULT}\n\n"))).await;
        }
        conn.until_closed().await;
    })
    .await;
    let setup = Proxy::to(&upstream).set("limits.silence_seconds", "0.05");
    let proxy = setup.set("repairs", "stream.silence=fix").start();
    let mut client = proxy.connect().await;
    client.send(get("/mcp", &["Accept: text/event-stream"])).await;
    client.head().await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.chunk().await, Some(Some(b":\n\n".to_vec())));
    }
    let answer = soon(proxy.ask(message(&[BOTH], CALL))).await;
    assert!(answer.whole && answer.text().starts_with(&format!("data: {RESULT}\n\n")), "{}", answer.text());
    assert!(proxy.logged("stream.open-after-answer").await.contains("\"POST\""));
}

/// An upstream of the older transport: a stream at `/sse`, messages at `/messages`, answered on the stream or in place.
async fn older(in_place: bool) -> Upstream {
    let (sender, _) = tokio::sync::broadcast::channel::<String>(16);
    Upstream::script(move |mut conn| {
        let sender = sender.clone();
        async move {
            while let Some(request) = conn.next().await {
                match (request.method(), request.target()) {
                    ("GET", "/sse") => {
                        let mut told = sender.subscribe();
                        conn.send(STREAM).await;
                        conn.send(chunk("event: endpoint\ndata: /messages?sessionId=a\n\n")).await;
                        while let Ok(text) = told.recv().await {
                            conn.send(chunk(&format!("event: message\ndata: {text}\n\n"))).await;
                        }
                        return;
                    }
                    ("POST", "/messages?sessionId=a") => {
                        let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                        let id = &asked["id"];
                        let answer = serde_json::json!({"jsonrpc": "2.0", "id": id, "result": {"content": [], "was": asked["method"]}});
                        if in_place && !id.is_null() {
                            conn.send(json("200 OK", &answer.to_string())).await;
                            continue;
                        }
                        conn.send(reply("202 Accepted", &[], "Accepted")).await;
                        if !id.is_null() {
                            let _ = sender.send(answer.to_string());
                        }
                    }
                    _ => drop(conn.send(reply("404 Not Found", &[], "Not Found")).await),
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_server_of_the_older_transport_is_reached_message_by_message() {
    let upstream = older(false).await;
    let proxy = Proxy::to(&upstream).start();
    for (body, was) in [(INITIALIZE, "initialize"), (CALL, "tools/call")] {
        let answer = proxy.ask(message(&[BOTH, "Authorization: Bearer t"], body)).await;
        assert_eq!((answer.status(), answer.get("content-type")), (200, Some("text/event-stream")));
        assert!(answer.whole && answer.text().contains(&format!("\"was\":\"{was}\"")), "{}", answer.text());
    }
    let answer = proxy.ask(message(&["Accept: application/json", "Authorization: Bearer t"], CALL)).await;
    assert_eq!(answer.json()["result"]["was"], "tools/call");
    assert_eq!(proxy.ask(message(&[BOTH], NOTE)).await.status(), 202);
    assert!(upstream.seen_at("/sse").iter().all(|seen| seen.get("authorization") == Some("Bearer t")));
}

#[tokio::test]
async fn an_answer_in_place_comes_on_the_stream() {
    let upstream = older(true).await;
    let proxy = Proxy::to(&upstream).start();
    let mut stream = proxy.connect().await;
    stream.send(get("/sse", &["Accept: text/event-stream"])).await;
    stream.head().await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), b"event: endpoint\ndata: /messages?sessionId=a\n\n");
    let answer = proxy.ask(post("/messages?sessionId=a", &["Content-Type: application/json"], CALL)).await;
    assert_eq!((answer.status(), answer.text().as_str()), (202, ""));
    let event = String::from_utf8(stream.chunk().await.unwrap().unwrap()).unwrap();
    assert!(event.starts_with("event: message\ndata: {") && event.contains("\"was\":\"tools/call\""), "{event}");
    // Without its stream the answer stays where it came.
    let alone = Proxy::to(&upstream).start();
    assert_eq!(alone.ask(post("/messages?sessionId=a", &["Content-Type: application/json"], CALL)).await.status(), 200);
}

#[tokio::test]
async fn what_a_client_asks_of_the_endpoint_beside_messages_has_a_right_answer() {
    let upstream = Upstream::always(reply("404 Not Found", &["Content-Type: text/html"], "<h1>no</h1>")).await;
    let proxy = Proxy::to(&upstream).start();
    for (method, allow) in [("GET", "POST, DELETE"), ("DELETE", "POST, GET"), ("HEAD", "POST, GET, DELETE")] {
        let mut client = proxy.connect().await;
        client.send(request(method, "/mcp", &["Accept: text/event-stream"], "")).await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status(), head.get("allow")), (405, Some(allow)), "{method}");
    }
    let lost = Upstream::always(json("400 Bad Request", r#"{"error":"Invalid session ID"}"#)).await;
    let answer = Proxy::to(&lost).start().ask(message(&[BOTH, "Mcp-Session-Id: s"], CALL)).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.text(), r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Session not found"}}"#);
}
