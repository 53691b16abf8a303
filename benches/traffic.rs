//! The way through the proxy against the way without it, on loopback: what a client waits.
//!
//! Upstream and proxy run in this process, on a thread each; the client is a blocking socket, so that it costs little.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot run shall say so and end")]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use mcp_mend::config::layers::{Layers, Value};
use mcp_mend::config::{Config, settings};
use mcp_mend::server::{self, Balance, Running};
use mcp_mend::telemetry::access::{AccessLog, Format};

#[path = "kit/mod.rs"]
mod kit;

use kit::answer::Reader;
use kit::{requests, upstream};

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Direct,
    Proxied,
}

const WAYS: [Way; 2] = [Way::Direct, Way::Proxied];

static UPSTREAM: LazyLock<SocketAddr> = LazyLock::new(|| upstream::start().expect("an upstream"));
static PROXY: LazyLock<Running> = LazyLock::new(|| start_proxy(*UPSTREAM));

/// The proxy as it is delivered, on one thread; its access log is formatted and thrown away.
fn start_proxy(upstream: SocketAddr) -> Running {
    let mut layers = Layers::default();
    for (key, text) in
        [("listen", "127.0.0.1:0".to_owned()), ("upstream.url", format!("http://{upstream}")), ("threads", "1".into())]
    {
        let setting = settings::find(key).expect("a setting");
        layers.set(setting, vec![Value { text, place: key.to_owned() }]);
    }
    let config = Config::check(&layers, Vec::new()).unwrap_or_else(|complaints| {
        let complaints: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        unreachable!("{}", complaints.join("; "))
    });
    server::start(&config, AccessLog::start(Format::Text, std::io::sink()), Balance::DEFAULT).expect("a proxy")
}

/// A client with one connection that it keeps.
struct Client {
    stream: TcpStream,
    host: String,
    reader: Reader,
    buffer: Vec<u8>,
    /// An answer has begun and not ended.
    open: bool,
}

impl Client {
    fn new(way: Way) -> Self {
        let address = match way {
            Way::Direct => *UPSTREAM,
            Way::Proxied => PROXY.address,
        };
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).unwrap();
        let buffer = vec![0; 64 * 1024];
        Self { stream, host: address.to_string(), reader: Reader::default(), buffer, open: false }
    }

    /// Sends a request and reads until `enough`.
    fn ask_until(&mut self, request: &[u8], enough: impl Fn(&Reader) -> bool) {
        self.reader.reset();
        self.open = true;
        self.stream.write_all(request).expect("a connection that stands");
        while self.open && !enough(&self.reader) {
            self.read_some();
        }
    }

    fn ask(&mut self, request: &[u8]) -> u16 {
        self.ask_until(request, |_| false);
        self.reader.status()
    }

    /// Reads what is left of an answer.
    fn drain(&mut self) {
        while self.open {
            self.read_some();
        }
    }

    fn read_some(&mut self) {
        let count = self.stream.read(&mut self.buffer).expect("an answer");
        assert!(count > 0, "the connection was closed within an answer");
        self.open = !self.reader.push(&self.buffer[..count]);
    }
}

/// A request and its answer on a connection that is kept.
fn exchange(bencher: Bencher, way: Way, request: impl Fn(&str) -> Vec<u8>, status: u16) {
    let mut client = Client::new(way);
    let request = request(&client.host);
    assert_eq!(client.ask(&request), status, "{}", client.reader.text());
    bencher.bench_local(|| client.ask(&request));
}

#[divan::bench(args = WAYS)]
fn small_json(bencher: Bencher, way: Way) {
    exchange(bencher, way, |host| requests::message(host, ""), 200);
}

#[divan::bench(args = WAYS)]
fn refusal_401(bencher: Bencher, way: Way) {
    exchange(bencher, way, requests::stranger, 401);
}

#[divan::bench(args = WAYS)]
fn registration(bencher: Bencher, way: Way) {
    exchange(bencher, way, requests::register, 201);
}

#[divan::bench(args = WAYS)]
fn body_1mib(bencher: Bencher, way: Way) {
    exchange(
        bencher.counter(BytesCount::new(upstream::DOCUMENT)),
        way,
        |host| requests::get(host, "/files/document"),
        200,
    );
}

/// From the request to the first event, of an answer that goes on. The rest is read outside the clock.
#[divan::bench(args = WAYS, sample_count = 400, sample_size = 1)]
fn sse_first_event(bencher: Bencher, way: Way) {
    let client = RefCell::new(Client::new(way));
    let request = requests::message(&client.borrow().host, "?first");
    bencher
        .with_inputs(|| client.borrow_mut().drain())
        .bench_local_values(|()| client.borrow_mut().ask_until(&request, Reader::has_body));
}

/// An answer of a hundred events, each written for itself.
#[divan::bench(args = WAYS)]
fn sse_100_events(bencher: Bencher, way: Way) {
    exchange(bencher.counter(ItemsCount::new(upstream::BURST)), way, |host| requests::message(host, "?burst"), 200);
}

/// A connection for each exchange; not so many that the ports run out.
#[divan::bench(args = WAYS, sample_count = 100, sample_size = 20)]
fn fresh_connection(bencher: Bencher, way: Way) {
    let request = requests::message(&Client::new(way).host, "");
    bencher.bench_local(|| Client::new(way).ask(&request));
}
