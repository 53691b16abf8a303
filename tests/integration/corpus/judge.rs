//! An upstream that keeps every byte it is sent and reads them in three ways: as strictly as the rules allow, and as two
//! servers would that are not strict and believe in different headers. Where the three differ, something was smuggled.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::kit::soon;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
}

pub struct Judge {
    pub address: SocketAddr,
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    open: watch::Sender<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Judge {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (kept, open) = (Arc::<Mutex<Vec<Vec<u8>>>>::default(), watch::Sender::new(0));
        let (all, count) = (kept.clone(), open.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let index = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                count.send_modify(|open| *open += 1);
                let (all, count) = (all.clone(), count.clone());
                tokio::spawn(async move {
                    listen(stream, &all, index).await;
                    count.send_modify(|open| *open -= 1);
                });
            }
        });
        Self { address, kept, open, task }
    }

    /// What each connection brought.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.kept.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.kept.lock().unwrap().clear();
    }

    /// Waits until nobody is connected.
    pub async fn all_closed(&self) {
        soon(self.open.subscribe().wait_for(|open| *open == 0)).await.unwrap();
    }

    /// The whole requests, in the one way in which everybody reads them.
    pub fn read(&self) -> Result<Vec<Request>, String> {
        let mut all = Vec::new();
        for bytes in self.bytes() {
            let strict = strict(&bytes)?;
            for believes_length in [false, true] {
                let other = lenient(&bytes, believes_length);
                if other != strict {
                    return Err(format!("two readings: {strict:?} and {other:?}"));
                }
            }
            all.extend(strict);
        }
        Ok(all)
    }
}

/// Answers once a request is whole, and reads on until the other end closes.
async fn listen(mut stream: TcpStream, all: &Mutex<Vec<Vec<u8>>>, index: usize) {
    let mut answered = false;
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let is_whole = {
            let mut all = all.lock().unwrap();
            let Some(kept) = all.get_mut(index) else { return };
            kept.extend_from_slice(&buffer[..count]);
            !answered && strict(kept).is_ok_and(|requests| !requests.is_empty())
        };
        if is_whole {
            answered = true;
            let _ = stream.write_all(ANSWER).await;
        }
    }
}

/// The bytes up to `end`, and those behind it.
fn cut<'a>(bytes: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(end.len()).position(|window| window == end)?;
    Some((&bytes[..at], &bytes[at + end.len()..]))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// RFC 9112 to the letter: a request that breaks it is an error, one that is not whole is none yet.
fn strict(mut bytes: &[u8]) -> Result<Vec<Request>, String> {
    let mut requests = Vec::new();
    while let Some((head, rest)) = cut(bytes, b"\r\n\r\n") {
        let head = text(head);
        if head.replace("\r\n", "").contains(|letter: char| letter.is_control() && letter != '\t') {
            return Err(format!("a control letter in {head:?}"));
        }
        let mut lines = head.split("\r\n");
        let start: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [method, target, "HTTP/1.1"] = start[..] else { return Err(format!("the line {start:?}")) };
        let fields: Vec<(&str, &str)> = lines.map(|line| line.split_once(':').unwrap_or(("", line))).collect();
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if let Some(bad) = fields.iter().find(|(name, _)| !is_name(name)) {
            return Err(format!("the field {bad:?}"));
        }
        let all = |wanted: &str| -> Vec<&str> {
            fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).collect()
        };
        if all("host").len() != 1 {
            return Err(format!("Host {:?}", all("host")));
        }
        let (body, rest) = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
            ([], []) => (Vec::new(), rest),
            ([length], []) => {
                let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
                let length: usize = length.parse().ok().filter(|_| is_number).ok_or("a length that is none")?;
                match rest.split_at_checked(length) {
                    Some((body, rest)) => (body.to_vec(), rest),
                    None => break,
                }
            }
            ([], ["chunked"]) => match chunks(rest)? {
                Some(read) => read,
                None => break,
            },
            both => return Err(format!("the framing {both:?}")),
        };
        requests.push(Request { method: method.to_owned(), target: target.to_owned(), body });
        bytes = rest;
    }
    match cut(bytes, b"\n\n") {
        Some((head, _)) if !head.contains(&b'\r') => Err("lines that end in LF alone".into()),
        _ => Ok(requests),
    }
}

type Chunks<'a> = Option<(Vec<u8>, &'a [u8])>;

fn chunks(mut bytes: &[u8]) -> Result<Chunks<'_>, String> {
    let mut body = Vec::new();
    loop {
        let Some((size, rest)) = cut(bytes, b"\r\n") else {
            return if bytes.contains(&b'\n') { Err("a chunk's line that ends in LF".into()) } else { Ok(None) };
        };
        let size = text(size);
        let is_size = !size.is_empty() && size.len() < 16 && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(&size, 16).ok().filter(|_| is_size).ok_or(format!("the size {size:?}"))?;
        if size == 0 {
            bytes = rest;
            break;
        }
        let Some((data, rest)) = rest.split_at_checked(size + 2) else { return Ok(None) };
        let data = data.strip_suffix(b"\r\n").ok_or("a chunk longer than its size")?;
        body.extend_from_slice(data);
        bytes = rest;
    }
    loop {
        match cut(bytes, b"\r\n") {
            None => return Ok(None),
            Some(([], rest)) => return Ok(Some((body, rest))),
            Some((_, rest)) => bytes = rest,
        }
    }
}

/// A line, ended in whatever way.
fn line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[..at];
    *bytes = &bytes[at + 1..];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// A reader that takes what it gets, and believes either in the length or in anything that looks like chunks.
fn lenient(mut bytes: &[u8], believes_length: bool) -> Vec<Request> {
    let mut requests = Vec::new();
    while let Some(start) = line(&mut bytes) {
        if start.is_empty() {
            continue;
        }
        let start = text(start);
        let (mut length, mut is_chunked) = (None, false);
        loop {
            let Some(field) = line(&mut bytes) else { return requests };
            if field.is_empty() {
                break;
            }
            let field = text(field).to_ascii_lowercase().replace(['\r', '\0'], " ");
            let (name, value) = field.split_once(':').unwrap_or((&field, ""));
            // What stands before the name, as behind a bare CR, may be taken for the end of another field.
            let name = name.split_whitespace().last().unwrap_or_default();
            if name == "content-length" {
                let digits: String = value.trim().chars().take_while(char::is_ascii_digit).collect();
                length = digits.parse::<usize>().ok();
            }
            is_chunked |= name == "transfer-encoding" && value.contains("chunked");
        }
        let body = match length {
            Some(length) if believes_length || !is_chunked => match bytes.split_at_checked(length) {
                Some((body, rest)) => {
                    bytes = rest;
                    Some(body.to_vec())
                }
                None => None,
            },
            _ if is_chunked => lenient_chunks(&mut bytes),
            _ => Some(Vec::new()),
        };
        let Some(body) = body else { return requests };
        let mut words = start.split_whitespace();
        let mut word = || words.next().unwrap_or_default().to_owned();
        requests.push(Request { method: word(), target: word(), body });
    }
    requests
}

fn lenient_chunks(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = text(line(bytes)?);
        let digits: String = size.trim().chars().take_while(char::is_ascii_hexdigit).collect();
        let size = usize::from_str_radix(&digits, 16).ok()?;
        if size == 0 {
            while !line(bytes)?.is_empty() {}
            return Some(body);
        }
        let (data, rest) = bytes.split_at_checked(size)?;
        body.extend_from_slice(data);
        *bytes = rest;
        line(bytes)?;
    }
}
