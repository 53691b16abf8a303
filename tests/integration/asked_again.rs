//! A further ask: what may have been carried out is never asked once more, what came of it is told, and it goes nowhere where
//! the client may not ask.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::kit::{Binary, Conn, Message, Proxy, Upstream, chunk, json as answer, post, reply};

const BOTH: &str = "Accept: application/json, text/event-stream";
const JSON: &str = "Content-Type: application/json";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const RUN: &str = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"paid, but the receipt was lost"}}"#;

fn call(id: u32, name: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name } }).to_string()
}

fn list(names: &[&str]) -> String {
    let calls: Vec<String> = (1..).zip(names).map(|(id, name)| call(id, name)).collect();
    format!("[{}]", calls.join(","))
}

/// How often a call has gone up to this target. The proxy asks questions of its own beside it.
fn calls(upstream: &Upstream, target: &str) -> usize {
    upstream.seen_at(target).iter().filter(|seen| seen.text().contains("tools/call")).count()
}

fn id_of(message: &Message) -> Value {
    serde_json::from_str::<Value>(&message.text()).map(|message| message["id"].clone()).unwrap_or_default()
}

/// What the upstream does when it carries the call out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    WithAnError,
    With500,
    /// With an internal error in an event stream, under a status that is otherwise a refusal.
    WithEvents,
    /// With such a status and a body that nobody can decode.
    Coded,
    Cut,
}

const ENDS: [Ends; 5] = [Ends::WithAnError, Ends::With500, Ends::WithEvents, Ends::Coded, Ends::Cut];
const EVENTS: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32603,\"message\":\"paid\"}}\n\n";

/// Sends what comes of a call; `false` if the connection is to be cut.
async fn end(conn: &mut Conn, ends: Ends) -> bool {
    match ends {
        Ends::WithAnError => conn.send(answer("200 OK", RUN)).await,
        Ends::With500 => conn.send(answer("500 Internal Server Error", RUN)).await,
        Ends::WithEvents => conn.send(reply("400 Bad Request", &["Content-Type: text/event-stream"], EVENTS)).await,
        Ends::Coded => conn.send(reply("400 Bad Request", &[JSON, "Content-Encoding: gzip"], "half of it")).await,
        Ends::Cut => false,
    }
}

fn is_told(got: &Message, ends: Ends) {
    match ends {
        Ends::WithAnError => assert!(got.status() == 200 && got.text() == RUN, "{got:?}"),
        Ends::With500 => assert!(got.text().contains("receipt"), "{got:?}"),
        Ends::WithEvents => assert!(got.status() == 400 && got.text() == EVENTS, "{got:?}"),
        Ends::Coded => assert!(got.status() == 400 && got.text() == "half of it", "{got:?}"),
        Ends::Cut => assert_eq!(got.status(), 502, "{got:?}"),
    }
}

#[tokio::test]
async fn a_call_runs_once_when_a_version_is_refused() {
    for ends in ENDS {
        let upstream = Upstream::script(move |mut conn: Conn| async move {
            while let Some(request) = conn.next().await {
                let refusal = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Unsupported protocol version: 2025-11-25. Supported: 2025-03-26, 2025-06-18"}}"#;
                let goes_on = match request.get("mcp-protocol-version") {
                    Some("2025-11-25") => conn.send(answer("400 Bad Request", refusal)).await,
                    _ => end(&mut conn, ends).await,
                };
                if !goes_on {
                    return;
                }
            }
        })
        .await;
        let proxy = Proxy::to(&upstream).start();
        let got = proxy.ask(post("/mcp", &[BOTH, JSON, "MCP-Protocol-Version: 2025-11-25"], &call(7, "pay"))).await;
        assert_eq!(calls(&upstream, "/mcp"), 2, "{ends:?}");
        is_told(&got, ends);
    }
}

/// Whatever the status says, a result is behind it, or may be.
#[tokio::test]
async fn a_call_runs_once_though_its_result_has_an_error_status() {
    let result = |text: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"text":"{text}"}}}}"#);
    let error = |code: i32| format!(r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":{code},"message":"paid"}}}}"#);
    for (status, kind, body) in [
        ("400 Bad Request", "application/json", result("paid")),
        ("400 Bad Request", "text/plain", result("paid")),
        ("400 Bad Request", "application/json", result(r"paid \ud800")),
        ("400 Bad Request", "application/json", format!("\u{feff}{}", result("paid"))),
        ("400 Bad Request", "application/json", format!("[{}]", result("paid"))),
        ("422 Unprocessable Content", "application/json", format!("{{\"responses\":[{}]}}", result("paid"))),
        ("400 Bad Request", "application/json", result(&"x".repeat(2_000_000))),
        ("400 Bad Request", "text/event-stream", format!("data: {}\n\n", result("paid"))),
        ("400 Bad Request", "application/json", error(-32603)),
        ("408 Request Timeout", "text/plain", "late".to_owned()),
    ] {
        let refusal = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Unsupported protocol version: 2025-11-25. Supported: 2025-03-26, 2025-06-18"}}"#;
        let second = reply(status, &[&format!("Content-Type: {kind}")], &body);
        let upstream = Upstream::answering(move |request| match request.get("mcp-protocol-version") {
            Some("2025-11-25") => answer("400 Bad Request", refusal),
            _ => second.clone(),
        })
        .await;
        let proxy = Proxy::to(&upstream).start();
        let got = proxy.ask(post("/mcp", &[BOTH, JSON, "MCP-Protocol-Version: 2025-11-25"], &call(7, "pay"))).await;
        assert_eq!(calls(&upstream, "/mcp"), 2, "{status} {kind} {:.80}", body);
        assert!(!got.text().contains("Unsupported"), "{status} {kind} {:.80}", body);
    }
}

#[tokio::test]
async fn a_code_that_may_be_spent_is_told_so() {
    let upstream = Upstream::script(|mut conn: Conn| async move {
        while let Some(request) = conn.next().await {
            if !request.text().contains("resource") {
                return;
            }
            conn.send(answer("400 Bad Request", r#"{"error":"invalid_target"}"#)).await;
        }
    })
    .await;
    let form = "grant_type=authorization_code&code=c&resource=https%3A%2F%2Fh%2Fmcp";
    let ask = post("/token", &["Content-Type: application/x-www-form-urlencoded"], form);
    assert_eq!(Proxy::to(&upstream).start().ask(ask).await.status(), 502);
    assert_eq!(upstream.seen_at("/token").len(), 2);
}

#[tokio::test]
async fn a_call_runs_once_behind_a_redirect() {
    for ends in ENDS {
        let upstream = Upstream::script(move |mut conn: Conn| async move {
            while let Some(request) = conn.next().await {
                let goes_on = match request.target() {
                    "/mcp" => conn.send(reply("307 Temporary Redirect", &["Location: /api/mcp"], "")).await,
                    _ => end(&mut conn, ends).await,
                };
                if !goes_on {
                    return;
                }
            }
        })
        .await;
        let proxy = Proxy::to(&upstream).start();
        is_told(&proxy.ask(post("/mcp", &[BOTH, JSON], &call(7, "pay"))).await, ends);
        assert_eq!(calls(&upstream, "/api/mcp"), 1, "{ends:?}");
    }
}

/// A server of the older transport alone, at `/sse` and at the endpoint. What it does with a call is said.
async fn older(ends: Option<Ends>, ran: Arc<AtomicUsize>) -> Upstream {
    let streams = Arc::new(tokio::sync::Mutex::new(Vec::<tokio::sync::mpsc::UnboundedSender<String>>::new()));
    Upstream::script(move |mut conn: Conn| {
        let (streams, ran) = (streams.clone(), ran.clone());
        async move {
            while let Some(request) = conn.next().await {
                let is_stream = request.method() == "GET" && request.get("accept") == Some("text/event-stream");
                if is_stream && ["/sse", "/mcp", "/mcp/sse"].contains(&request.target()) {
                    conn.send(
                        [STREAM.as_bytes(), &chunk("event: endpoint\ndata: /messages?session_id=1\n\n")].concat(),
                    )
                    .await;
                    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
                    streams.lock().await.push(sender);
                    while let Some(event) = events.recv().await {
                        conn.send(chunk(&event)).await;
                    }
                    return;
                }
                if !request.target().starts_with("/messages") {
                    conn.send(reply("405 Method Not Allowed", &[], "no")).await;
                    continue;
                }
                let is_call = request.text().contains("tools/call");
                ran.fetch_add(usize::from(is_call), Ordering::SeqCst);
                match ends.filter(|_| is_call) {
                    Some(ends) if !end(&mut conn, ends).await => return,
                    Some(_) => true,
                    None => conn.send(reply("202 Accepted", &[], "")).await,
                };
                let said = json!({ "jsonrpc": "2.0", "id": id_of(&request), "result": { "content": [] } });
                if let Some(last) = streams.lock().await.last().filter(|_| ends.is_none() || !is_call) {
                    let _ = last.send(format!("event: message\ndata: {said}\n\n"));
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_call_runs_once_over_the_older_transport() {
    for ends in ENDS.map(Some).into_iter().filter(|ends| *ends != Some(Ends::WithAnError)).chain([None]) {
        let ran = Arc::new(AtomicUsize::new(0));
        let upstream = older(ends, ran.clone()).await;
        let proxy = Proxy::to(&upstream).start();
        let got = proxy.ask(post("/mcp", &[BOTH, JSON], &call(7, "pay"))).await;
        assert_eq!(ran.load(Ordering::SeqCst), 1, "{ends:?}");
        match ends {
            None => assert!(got.status() == 200 && got.all_text().contains("\"id\":7"), "{got:?}"),
            Some(ends) => is_told(&got, ends),
        }
    }
}

/// For addresses that nobody has.
const CLOSED: &str = "access.allow = [\"192.0.2.1\"]\n";

/// A site, and one inside it at `/inner`, at one upstream.
async fn two_sites(upstream: &Upstream, outer: &str, inner: &str) -> (Binary, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "no_probe = true\n[[site]]\npublic_url = \"https://b.test\"\nupstream = \"http://{0}\"\n{outer}\
         [[site]]\npublic_url = \"https://b.test/inner\"\nupstream = \"http://{0}\"\nmcp_path = \"/inner/mcp\"\n{inner}",
        upstream.address,
    );
    file.write_all(text.as_bytes()).unwrap();
    (Binary::start(&["--config", file.path().to_str().unwrap()]).await, file)
}

async fn ask_at(proxy: &Binary, host: &str, question: Vec<u8>) -> Message {
    let question = String::from_utf8(question).unwrap().replace("Host: mcp.test", &format!("Host: {host}"));
    let mut client = proxy.connect().await;
    client.send(question).await;
    client.reply().await
}

#[tokio::test]
async fn the_older_transport_is_not_used_where_the_client_may_not_ask() {
    let ran = Arc::new(AtomicUsize::new(0));
    let upstream = older(None, ran.clone()).await;
    let (sites, _file) = two_sites(&upstream, CLOSED, "").await;
    let closed = ask_at(&sites, "b.test", post("/messages?session_id=1", &[JSON], &call(1, "a"))).await;
    assert_eq!(closed.status(), 403);
    let open = ask_at(&sites, "b.test", post("/inner/mcp", &[BOTH, JSON], &call(7, "a"))).await;
    assert_eq!((open.status(), ran.load(Ordering::SeqCst)), (405, 0), "{open:?}");
    let classes = "legacy-sse,legacy-post";
    let proxy = Proxy::to(&upstream).set("access.allow", "192.0.2.1").set("access.classes", classes).start();
    let stranger = proxy.ask(post("/mcp", &[BOTH, JSON], &call(7, "a"))).await;
    assert_eq!((stranger.status(), ran.load(Ordering::SeqCst)), (405, 0), "{stranger:?}");
}

#[tokio::test]
async fn an_endpoint_elsewhere_is_not_asked_where_the_client_may_not_ask() {
    let upstream = Upstream::answering(|request| {
        let host = format!("http://{}", request.get("host").unwrap_or_default());
        match request.target() {
            target if target.contains("/.well-known/oauth-authorization-server") => {
                let document = json!({
                    "issuer": host, "authorization_endpoint": format!("{host}/authorize"),
                    "token_endpoint": format!("{host}/inner/token"), "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                });
                answer("200 OK", &document.to_string())
            }
            "/inner/token" => answer("200 OK", r#"{"access_token":"t","token_type":"Bearer"}"#),
            _ => reply("404 Not Found", &[], "no"),
        }
    })
    .await;
    let form = "Content-Type: application/x-www-form-urlencoded";
    let ask = post("/token", &[form], "grant_type=authorization_code&code=c&client_id=c");
    let (sites, _file) = two_sites(&upstream, "", CLOSED).await;
    assert_eq!(ask_at(&sites, "b.test", ask.clone()).await.status(), 400);
    assert!(upstream.seen_at("/inner/token").is_empty());
    assert_eq!(Proxy::to(&upstream).start().ask(ask).await.status(), 200);
}

/// An upstream that refuses lists, and answers each message as `part` does.
async fn without_lists(part: impl Fn(&str, Value) -> Option<Vec<u8>> + Send + Sync + 'static) -> Upstream {
    let part = Arc::new(part);
    Upstream::script(move |mut conn: Conn| {
        let part = part.clone();
        async move {
            while let Some(request) = conn.next().await {
                let text = request.text();
                let refusal = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no lists"}}"#;
                let said = match text.starts_with('[') {
                    true => Some(answer("400 Bad Request", refusal)),
                    false => part(&text, id_of(&request)),
                };
                let Some(said) = said else { return };
                conn.send(&said).await;
                // A stream that stays open.
                if said.starts_with(STREAM.as_bytes()) && !said.ends_with(b"0\r\n\r\n") {
                    conn.next().await;
                    return;
                }
            }
        }
    })
    .await
}

fn result(id: &Value, text: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [{ "type": "text", "text": text }] } }).to_string()
}

/// For each answer of a list, its id and whether it is a result.
fn outcomes(got: &Message) -> Vec<(u64, bool)> {
    assert_eq!(got.status(), 200, "{got:?}");
    // A client that takes events alone gets the list in one.
    let text = got.text();
    let text = text.split_once("data: ").map_or(&*text, |(_, data)| data);
    let list: Vec<Value> = serde_json::Deserializer::from_str(text).into_iter().next().unwrap().unwrap();
    list.iter().map(|one| (one["id"].as_u64().unwrap(), one.get("result").is_some())).collect()
}

#[tokio::test]
async fn what_ran_of_a_list_is_told_though_another_message_fails() {
    let upstream = without_lists(|text, id| (!text.contains("cut")).then(|| answer("200 OK", &result(&id, "a")))).await;
    let proxy = Proxy::to(&upstream).start();
    let got = proxy.ask(post("/mcp", &[BOTH, JSON], &list(&["pay", "cut", "mail"]))).await;
    assert_eq!(outcomes(&got), [(1, true), (2, false), (3, false)]);
    assert!(!upstream.seen().iter().any(|seen| !seen.text().starts_with('[') && seen.text().contains("mail")));
}

#[tokio::test]
async fn each_answer_of_a_list_is_told_whatever_its_form() {
    let long = "x".repeat(20_000);
    let upstream = without_lists(move |text, id| {
        let message = result(&id, &long);
        let event = chunk(&format!("event: message\ndata: {message}\n\n"));
        Some(match text {
            text if text.contains("open") => [STREAM.as_bytes(), &event].concat(),
            text if text.contains("stream") => [STREAM.as_bytes(), &event, b"0\r\n\r\n"].concat(),
            _ => answer("200 OK", &message),
        })
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    for accept in [BOTH, "Accept: text/event-stream", "Accept: application/json"] {
        let got = proxy.ask(post("/mcp", &[accept, JSON], &list(&["whole", "stream", "open", "whole"]))).await;
        assert_eq!(outcomes(&got), [(1, true), (2, true), (3, true), (4, true)], "{accept}");
    }
}

#[tokio::test]
async fn the_answers_of_a_list_are_held_within_the_budget() {
    let long = "x".repeat(300_000);
    let upstream = without_lists(move |text, id| {
        let message = result(&id, &long);
        Some(match text.contains("stream") {
            true => [STREAM.as_bytes(), &chunk(&format!("data: {message}\n\n")), b"0\r\n\r\n"].concat(),
            false => answer("200 OK", &message),
        })
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.held_bytes", 1_048_576).start();
    for name in ["stream", "whole"] {
        let got = proxy.ask(post("/mcp", &[BOTH, JSON], &list(&[name; 10]))).await;
        let told = outcomes(&got).into_iter().filter(|(_, is_result)| *is_result).count();
        assert!((1..=3).contains(&told), "{name}: {told} of ten");
    }
}

#[tokio::test]
async fn a_list_that_was_looked_into_is_not_asked_again() {
    for body in [
        r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such tool"}}]"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such tool"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no \ud800"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32600,"message":"no such tool"}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":{"text":"\ud800"}},{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":""}}]"#,
        r#"{"responses":[{"jsonrpc":"2.0","id":1,"result":{}}]}"#,
    ] {
        let upstream = Upstream::always(answer("400 Bad Request", body)).await;
        let proxy = Proxy::to(&upstream).start();
        let got = proxy.ask(post("/mcp", &[BOTH, JSON], &list(&["pay", "bad"]))).await;
        assert_eq!((got.status(), calls(&upstream, "/mcp")), (400, 1));
    }
}

#[tokio::test]
async fn a_list_whose_first_message_wants_a_login_wants_one() {
    let challenge = "WWW-Authenticate: Bearer error=\"invalid_token\"";
    let upstream = without_lists(move |text, id| {
        Some(match text.contains("open") {
            true => answer("200 OK", &result(&id, "a")),
            false => reply("401 Unauthorized", &[challenge], "no"),
        })
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let got = proxy.ask(post("/mcp", &[BOTH, JSON], &list(&["guarded", "open"]))).await;
    assert!(got.status() == 401 && got.get("www-authenticate").is_some(), "{got:?}");
    let got = proxy.ask(post("/mcp", &[BOTH, JSON], &list(&["open", "guarded"]))).await;
    assert_eq!(outcomes(&got), [(1, true), (2, false)]);
    assert!(got.text().contains("\"status\":401"), "{got:?}");
}
