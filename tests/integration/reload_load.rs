//! Reloads while many requests pass: none fails, whatever the file says in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::kit::{Binary, Upstream, Wire, get, ok, post, soon};

const REQUESTS: usize = 1000;
const CLIENTS: usize = 20;

/// What no proxy can serve with, each wrong in its own way.
const MISTAKES: [&str; 20] = [
    "",
    "upstream = 1",
    "upstream = \"no url\"",
    "upstream = \"ftp://h\"",
    "upstream = \"http://h",
    "upstream = \"http://h\"\nupstream = \"http://h\"",
    "upstream = \"http://h\"\nunknown = 1",
    "upstream = \"http://h\"\n[repairs]\nno.such = \"off\"",
    "upstream = \"http://h\"\n[repairs]\nstream.silence = \"maybe\"",
    "upstream = \"http://h\"\n[limits]\nhead_seconds = \"soon\"",
    "upstream = \"http://h\"\n[limits]\nhead_seconds = -1",
    "upstream = \"http://h\"\n[limits]\nbody_bytes = 1.5",
    "upstream = \"http://h\"\npublic_url = \"nowhere\"",
    "upstream = \"http://h\"\ntrusted_proxies = [\"somebody\"]",
    "upstream = \"http://h\"\ntrusted_proxies = \"10.0.0.0/8\"",
    "upstream = \"http://h\"\n[limits]\ndrain_seconds = 99999999",
    "upstream = \"http://h\"\nthreads = -1",
    "[[[",
    "\u{0}\u{1}",
    "upstream = \"http://h\"\n[limits\n",
];

/// Asks so many times, on one connection and on new ones, and says what went wrong.
async fn hammer(proxy: SocketAddr, client: usize, count: usize, failed: Arc<AtomicUsize>) {
    let mut kept: Option<Wire> = None;
    for number in 0..count {
        let mark = format!("{client}-{number}");
        let mut wire = match kept.take() {
            Some(wire) => wire,
            None => Wire::new(soon(TcpStream::connect(proxy)).await.unwrap()),
        };
        let header = format!("X-Mark: {mark}");
        let request = match number % 3 {
            0 => post("/mcp", &["Content-Type: application/json", &header], r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#),
            1 => post("/x", &[&header], &mark),
            _ => get("/x", &[&header]),
        };
        wire.send(request).await;
        let answer = wire.reply().await;
        if answer.status() != 200 || !answer.whole || answer.text() != mark {
            eprintln!("{mark} was told {} {}", answer.start, answer.text());
            failed.fetch_add(1, Ordering::Relaxed);
        } else if number % 50 != 49 {
            kept = Some(wire);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_file_changes() {
    no_request_fails(REQUESTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn none_of_twenty_thousand_requests_fails_while_the_file_changes() {
    no_request_fails(20_000).await;
}

async fn no_request_fails(requests: usize) {
    let echo = |request: &crate::kit::Message| ok(request.get("x-mark").unwrap_or_default());
    let upstreams = [Upstream::answering(echo).await, Upstream::answering(echo).await];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("proxy.toml");
    let write = |text: &str| {
        let next = dir.path().join("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, &path).unwrap();
    };
    let sound = |turn: usize| {
        let address = upstreams[turn % 2].address;
        let seconds = 5 + turn % 7;
        write(&format!("no_probe = true\nupstream = \"http://{address}\"\n[limits]\nhead_seconds = {seconds}\n"));
    };
    sound(0);
    let mut proxy =
        Binary::start(&["--config", path.to_str().unwrap(), "--log-level", "info", "--log-format", "off"]).await;
    let failed = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(hammer(proxy.address, client, requests / CLIENTS, failed.clone()));
    }
    let (mut turns, mut mistakes) = (0, 0);
    while !clients.is_empty() || mistakes < MISTAKES.len() {
        turns += 1;
        if turns % 2 == 0 {
            write(MISTAKES[mistakes % MISTAKES.len()]);
            mistakes += 1;
            proxy.signal("HUP");
            proxy.complained("nothing was reloaded").await;
        } else {
            sound(turns / 2);
            proxy.signal("HUP");
            proxy.complained("reloaded sites").await;
        }
        while clients.try_join_next().is_some() {}
    }
    let seen = upstreams.iter().map(|upstream| upstream.seen().len()).collect::<Vec<_>>();
    eprintln!("{requests} requests, {turns} reloads, {mistakes} of them with a mistake; the upstreams saw {seen:?}");
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    assert!(seen.iter().all(|seen| *seen > 20), "{seen:?}");
    proxy.terminate();
    assert_eq!(proxy.ended().await.0, 0);
}
