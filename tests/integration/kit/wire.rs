//! One end of a connection, and the HTTP/1.1 messages on it, read by a parser that shares no code with the proxy.

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// A request or an answer as it stood on the wire.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    /// Whether it ended as its framing says.
    pub whole: bool,
}

impl Message {
    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Everything in it as one text, for searches.
    pub fn all_text(&self) -> String {
        let lines = self.headers.iter().chain(&self.trailers).map(|(name, value)| format!("{name}: {value}\n"));
        format!("{}\n{}\n{}", self.start, lines.collect::<String>(), self.text())
    }
}

/// One end of a connection.
pub struct Wire<S = TcpStream> {
    pub stream: S,
    buffer: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// Sends all of it. A peer that has left is no error: what it did shows in what it says.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        soon(async { self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok() }).await
    }

    /// Reads more. `false`: the other end has closed or reset the connection.
    pub async fn more(&mut self) -> bool {
        self.buffer.reserve(64 * 1024);
        matches!(soon(self.stream.read_buf(&mut self.buffer)).await, Ok(count) if count > 0)
    }

    /// Waits until the other end closes or resets, and answers what it still sent.
    pub async fn until_closed(&mut self) -> Vec<u8> {
        while self.more().await {}
        self.buffer.split().to_vec()
    }

    /// Bytes up to and including `end`; `None` if the connection ends first.
    pub async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.split_to(at + end.len()).to_vec());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.more().await {
                return None;
            }
        }
        Some(self.buffer.split_to(count).to_vec())
    }

    /// The next request; `None` if the connection ended before it began.
    pub async fn request(&mut self) -> Option<Message> {
        let mut message = self.head().await?;
        if message.whole {
            self.body(&mut message, false).await;
        }
        Some(message)
    }

    /// The next answer, whatever its status.
    pub async fn reply(&mut self) -> Message {
        let mut message = self.head().await.unwrap_or_default();
        let bodyless = matches!(message.status(), 100..=199 | 204 | 304);
        if message.whole && !bodyless {
            self.body(&mut message, true).await;
        }
        message
    }

    /// The head of the next message.
    pub async fn head(&mut self) -> Option<Message> {
        let text = match self.until(b"\r\n\r\n").await {
            Some(text) => text,
            None if self.buffer.is_empty() => return None,
            None => return Some(Message { start: "(half a head)".into(), ..Message::default() }),
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        Some(Message { start, headers: lines.map(field).collect(), whole: true, ..Message::default() })
    }

    async fn body(&mut self, message: &mut Message, to_the_end: bool) {
        message.whole = false;
        if message.get("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            message.whole = self.chunks(message).await.is_some();
        } else if let Some(length) = message.get("content-length").and_then(|length| length.parse().ok()) {
            match self.exactly(length).await {
                Some(body) => (message.body, message.whole) = (body, true),
                None => message.body = self.buffer.split().to_vec(),
            }
        } else if to_the_end {
            message.body = self.until_closed().await;
            message.whole = true;
        } else {
            message.whole = true;
        }
    }

    async fn chunks(&mut self, message: &mut Message) -> Option<()> {
        while let Some(data) = self.chunk().await? {
            message.body.extend_from_slice(&data);
        }
        loop {
            let line = self.until(b"\r\n").await?;
            match String::from_utf8_lossy(&line).trim_end() {
                "" => return Some(()),
                line => message.trailers.push(field(line)),
            }
        }
    }

    /// The next chunk; `Some(None)` for the last one, `None` if the connection ends first.
    pub async fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        let line = self.until(b"\r\n").await?;
        let length = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
        if length == 0 {
            return Some(None);
        }
        let mut data = self.exactly(length + 2).await?;
        data.truncate(length);
        Some(Some(data))
    }
}

impl Wire {
    /// Ends the connection with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.trim().to_owned())
}
