//! The second listener: what it answers to whom, in which order events come, and that nobody can hold it up.

use std::sync::{Arc, Mutex};

use mcp_mend::admin::source::Source;
use mcp_mend::admin::{self, Admin, MOST_LISTENERS};
use mcp_mend::runtime::Common;
use mcp_mend::telemetry::access::{AccessLog, Format};
use mcp_mend::vitals::Vitals;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use crate::kit::{Binary, Message, PATIENCE, Proxy, Upstream, Wire, get, ok, soon};

/// Flows that a test makes up.
struct Made {
    changes: Mutex<Option<broadcast::Sender<Arc<str>>>>,
    counters: Mutex<Value>,
    check: Mutex<Option<Arc<Value>>>,
}

impl Source for Made {
    fn snapshot(&self) -> Value {
        json!({ "upstream": "http://up.test", "flows": [{ "id": 1 }] })
    }

    fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        self.changes.lock().unwrap().as_ref().unwrap().subscribe()
    }

    fn counters(&self) -> Value {
        self.counters.lock().unwrap().clone()
    }

    fn check(&self) -> Option<Arc<Value>> {
        self.check.lock().unwrap().clone()
    }
}

struct Page {
    admin: Option<Admin>,
    made: Arc<Made>,
}

impl Page {
    fn start() -> Self {
        let made = Arc::new(Made {
            changes: Mutex::new(Some(broadcast::channel(4).0)),
            counters: Mutex::new(json!({ "exchanges": 0 })),
            check: Mutex::new(None),
        });
        let listener = admin::bind(Some("127.0.0.1:0".parse().unwrap())).unwrap().unwrap();
        let access = AccessLog::start(Format::Off, std::io::sink());
        let vitals = Arc::new(Vitals::new(Common::new(access), None));
        Self { admin: Some(admin::start(listener, vitals, Some(made.clone())).unwrap()), made }
    }

    async fn connect(&self) -> Wire {
        Wire::new(soon(TcpStream::connect(self.admin.as_ref().unwrap().address)).await.unwrap())
    }

    async fn ask(&self, method: &str, target: &str, headers: &[&str]) -> Message {
        let mut wire = self.connect().await;
        wire.send(request(method, target, headers)).await;
        if method == "HEAD" { wire.head().await.unwrap() } else { wire.reply().await }
    }

    /// A reader of the events, after the state.
    async fn listen(&self) -> Wire {
        let mut wire = self.connect().await;
        wire.send(request("GET", "/api/events", &["Host: localhost"])).await;
        assert_eq!(wire.head().await.unwrap().status(), 200);
        assert_eq!(event(&mut wire).await.0, "state");
        wire
    }

    fn change(&self, text: &str) {
        // Nobody may be listening (any more).
        let _ = self.made.changes.lock().unwrap().as_ref().unwrap().send(text.into());
    }

    async fn stop(mut self) {
        let admin = self.admin.take().unwrap();
        soon(tokio::task::spawn_blocking(move || admin.stop())).await.unwrap();
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(admin) = self.admin.take() {
            std::thread::spawn(move || admin.stop());
        }
    }
}

fn request(method: &str, target: &str, headers: &[&str]) -> String {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\n{lines}\r\n")
}

/// The next event: its name and data. Each is sent in one piece.
async fn event(wire: &mut Wire) -> (String, Value) {
    loop {
        let chunk = wire.chunk().await.expect("the stream broke").expect("the stream ended");
        let text = String::from_utf8(chunk).unwrap();
        assert!(text.ends_with("\n\n"), "{text:?}");
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if let Some(name) = field("event: ") {
            return (name, serde_json::from_str(&field("data: ").unwrap()).unwrap());
        }
        assert!(text.starts_with("retry: ") || text.starts_with(':'), "{text:?}");
    }
}

#[tokio::test]
async fn every_path_answers_what_it_is_for_and_nothing_else() {
    let page = Page::start();
    for (method, target, status, kind) in [
        ("GET", "/", 200, "text/html; charset=utf-8"),
        ("HEAD", "/", 200, "text/html; charset=utf-8"),
        ("GET", "/?x=1", 200, "text/html; charset=utf-8"),
        ("GET", "/healthz", 200, "text/plain; charset=utf-8"),
        ("GET", "/api/state", 200, "application/json"),
        ("HEAD", "/api/state", 200, "application/json"),
        ("HEAD", "/api/events", 200, "text/event-stream"),
        ("GET", "/api/check", 404, "application/json"),
        ("GET", "/api", 404, "text/plain; charset=utf-8"),
        ("GET", "/mcp", 404, "text/plain; charset=utf-8"),
        ("POST", "/mcp", 404, "text/plain; charset=utf-8"),
        ("POST", "/api/state", 405, "text/plain; charset=utf-8"),
        ("OPTIONS", "/", 405, "text/plain; charset=utf-8"),
    ] {
        let answer = page.ask(method, target, &["Host: 127.0.0.1", "Connection: close", "Content-Length: 0"]).await;
        assert_eq!((answer.status(), answer.get("content-type")), (status, Some(kind)), "{method} {target}");
        assert_eq!(answer.get("allow").is_some(), status == 405);
        assert_eq!(answer.all("cache-control"), ["no-store"]);
        assert_eq!(answer.all("x-content-type-options"), ["nosniff"]);
        assert_eq!(answer.all("referrer-policy"), ["no-referrer"]);
        assert!(answer.get("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{method} {target}");
    }
    let html = page.ask("GET", "/", &["Host: localhost"]).await;
    let policy = html.get("content-security-policy").unwrap();
    for part in [
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self'",
        "img-src data:",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.ask("HEAD", "/", &["Host: [::1]"]).await.get("content-length"), html.get("content-length"));
    let state = page.ask("GET", "/api/state", &["Host: localhost"]).await.json();
    assert_eq!(state, json!({ "upstream": "http://up.test", "flows": [{ "id": 1 }], "counters": { "exchanges": 0 } }));
    assert_eq!(page.ask("GET", "/api/check", &["Host: localhost"]).await.json(), json!({}));
    *page.made.check.lock().unwrap() = Some(Arc::new(json!({ "summary": "sound" })));
    let check = page.ask("GET", "/api/check", &["Host: localhost"]).await;
    assert_eq!((check.status(), check.json()), (200, json!({ "summary": "sound" })));
}

#[tokio::test]
async fn names_that_others_can_hold_and_pages_of_others_are_turned_away() {
    let page = Page::start();
    for target in ["/", "/api/state", "/api/events", "/api/check"] {
        for headers in [&["Host: evil.test:8809"][..], &["Host: localhost.evil.test"], &["Host: 192.0.2.1"]] {
            let answer = page.ask("GET", target, headers).await;
            assert_eq!(answer.status(), 421, "{target} {headers:?}");
            assert!(!answer.text().contains("up.test"));
        }
        for header in ["Origin: http://evil.test", "Origin: null", "Sec-Fetch-Site: cross-site"] {
            let answer = page.ask("GET", target, &["Host: localhost", header]).await;
            assert_eq!(answer.status(), 403, "{target} {header}");
        }
    }
    let led = ["Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    assert_eq!(page.ask("GET", "/", &led).await.status(), 200);
    assert_eq!(page.ask("GET", "/api/state", &led).await.status(), 403);
    let own = ["Host: localhost", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"];
    assert_eq!(page.ask("GET", "/api/state", &own).await.status(), 200);
}

#[tokio::test]
async fn the_state_comes_first_and_then_every_change_in_order() {
    let page = Page::start();
    let mut reader = page.listen().await;
    assert_eq!(event(&mut reader).await, ("counters".to_owned(), json!({ "exchanges": 0 })));
    for number in 0..3 {
        page.change(&json!({ "flow": { "id": number } }).to_string());
        assert_eq!(event(&mut reader).await, ("flow".to_owned(), json!({ "flow": { "id": number } })));
    }
    *page.made.counters.lock().unwrap() = json!({ "exchanges": 7 });
    assert_eq!(event(&mut reader).await, ("counters".to_owned(), json!({ "exchanges": 7 })));
    *page.made.check.lock().unwrap() = Some(Arc::new(json!({ "summary": "sound" })));
    assert_eq!(event(&mut reader).await, ("check".to_owned(), json!({ "summary": "sound" })));
    // The flows end; the counters go on.
    page.made.changes.lock().unwrap().take();
    *page.made.counters.lock().unwrap() = json!({ "exchanges": 8 });
    assert_eq!(event(&mut reader).await, ("counters".to_owned(), json!({ "exchanges": 8 })));
    // The order to stop ends the stream as its framing says.
    page.stop().await;
    assert_eq!(reader.chunk().await, Some(None));
}

#[tokio::test]
async fn listeners_are_counted_and_give_their_place_back() {
    let page = Page::start();
    let mut readers = Vec::new();
    for _ in 0..MOST_LISTENERS {
        readers.push(page.listen().await);
    }
    let refused = page.ask("GET", "/api/events", &["Host: localhost"]).await;
    assert_eq!((refused.status(), refused.get("retry-after")), (503, Some("5")));
    assert_eq!(page.ask("GET", "/healthz", &["Host: localhost"]).await.status(), 200);
    drop(readers.pop());
    let mut wire = page.connect().await;
    soon(async {
        loop {
            wire.send(request("GET", "/api/events", &["Host: localhost"])).await;
            if wire.head().await.unwrap().status() == 200 {
                return;
            }
            // Its end has not been noticed yet.
            wire = page.connect().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_does_not_keep_up_is_let_go_and_holds_nobody_up() {
    let page = Page::start();
    let mut slow = page.listen().await;
    // Far more than the watch, the queue and the sockets hold, all at once.
    let long = json!({ "text": "x".repeat(256 * 1024) }).to_string();
    for _ in 0..256 {
        page.change(&long);
    }
    let mut other = page.listen().await;
    page.change("{}");
    while event(&mut other).await != ("flow".to_owned(), json!({})) {}
    let mut seen = 0;
    while let Some(Some(_)) = slow.chunk().await {
        seen += 1;
    }
    assert!(seen < 200, "it was told {seen} changes, and should have been let go");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let page = Page::start();
    let mut idle = page.connect().await;
    idle.send(request("GET", "/healthz", &["Host: localhost"])).await;
    assert_eq!(idle.reply().await.status(), 200);
    let mut half = page.connect().await;
    half.send("GET / HT").await;
    tokio::time::timeout(PATIENCE, page.stop()).await.unwrap();
    assert!(idle.until_closed().await.is_empty());
}

#[tokio::test]
async fn the_public_port_knows_nothing_of_it() {
    let upstream = Upstream::always(ok("the upstream's own")).await;
    let proxy = Proxy::to(&upstream).set("admin", "127.0.0.1:0").start();
    for target in ["/", "/api/state", "/api/events", "/api/check", "/healthz"] {
        let answer = proxy.ask(get(target, &[])).await;
        assert_eq!(answer.text(), "the upstream's own", "{target}");
        assert_eq!(answer.get("content-security-policy"), None);
    }
}

#[tokio::test]
async fn the_program_says_where_the_page_is_and_ends_it_last() {
    let upstream = Upstream::sound().await;
    let url = format!("http://{}", upstream.address);
    let mut binary = Binary::start(&[&url, "--admin", "127.0.0.1:0", "--no-probe"]).await;
    let address = binary.said("admin page   http://").await;
    let ask = async |target: &str| {
        let mut wire = Wire::new(soon(TcpStream::connect(&address)).await.unwrap());
        wire.send(request("GET", target, &[&format!("Host: {address}"), "Connection: close"])).await;
        wire.reply().await
    };
    assert_eq!(ask("/").await.get("content-type"), Some("text/html; charset=utf-8"));
    let state = ask("/api/state").await.json();
    assert_eq!(state["upstream"], url);
    assert_eq!(state["public"], format!("http://{}", binary.address));
    assert_eq!(state["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(state["counters"]["exchanges"], 0);
    let mut client = binary.connect().await;
    client.send(get("/x", &[])).await;
    assert_eq!(client.reply().await.status(), 200);
    soon(async { while ask("/api/state").await.json()["counters"]["exchanges"] != 1 {} }).await;
    binary.terminate();
    let (code, _, errors) = binary.ended().await;
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_and_an_open_one_are_told() {
    let upstream = Upstream::sound().await;
    let url = format!("http://{}", upstream.address);
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, out, errors) = crate::kit::run(&[&url, "--listen", "127.0.0.1:0", "--admin", &address]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains(&format!("cannot listen on {address}")), "{errors}");
    let binary = Binary::start(&[&url, "--admin", "0.0.0.0:0", "--no-probe"]).await;
    binary.terminate();
    let (code, _, errors) = binary.ended().await;
    assert_eq!(code, 0);
    assert!(errors.contains("everybody who reaches 0.0.0.0:0") && errors.contains("--admin"), "{errors}");
}
