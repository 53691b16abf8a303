//! What every test here is made of: a scripted upstream, the proxy before it, a client that speaks raw bytes.

mod binary;
pub mod frames;
mod proxy;
mod upstream;
mod wire;

use std::time::Duration;

pub use binary::{Binary, run};
pub use proxy::{PUBLIC, Proxy, Setup};
pub use upstream::{Conn, Upstream};
pub use wire::{Message, Wire};

/// Longer than anything here may take; whoever waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Less than the limits of time have by default. What ends sooner was ended by a limit of the test's own, however busy the machine is.
pub const BEFORE_DEFAULTS: Duration = Duration::from_secs(9);

/// Waits for what must happen.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen in time")
}

/// A whole answer with a length.
pub fn reply(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// A plain success.
pub fn ok(body: &str) -> Vec<u8> {
    reply("200 OK", &["Content-Type: text/plain"], body)
}

/// A JSON answer.
pub fn json(status: &str, body: &str) -> Vec<u8> {
    reply(status, &["Content-Type: application/json"], body)
}

/// A request without a body.
pub fn get(target: &str, headers: &[&str]) -> Vec<u8> {
    request("GET", target, headers, "")
}

/// A POST with a length.
pub fn post(target: &str, headers: &[&str], body: &str) -> Vec<u8> {
    request("POST", target, headers, body)
}

/// A request; with a length if there is a body or it is a POST.
pub fn request(method: &str, target: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: mcp.test\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if method == "POST" || !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// One chunk of a chunked body.
pub fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}

/// Bytes that are easy to compare and hard to compress: `length` of them.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}
