//! HTTP/2 as bytes: frames and header blocks that no library would write (RFC 9113 section 4, RFC 7541).

use tokio::io::{AsyncRead, AsyncWrite};

use super::wire::Wire;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A frame as it came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    #[allow(dead_code, reason = "part of what a frame is")]
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM or GOAWAY.
    pub fn code(&self) -> u32 {
        let from = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[from..from + 4].try_into().unwrap())
    }
}

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut all = length[1..].to_vec();
    all.extend([kind, flags]);
    all.extend(stream.to_be_bytes());
    all.extend(payload);
    all
}

/// What a client sends first, with these settings.
pub fn preface(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &payload)].concat()
}

/// Fields as literals without indexing and without Huffman coding: any bytes can be written so.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut all = Vec::new();
    for (name, value) in fields {
        all.push(0);
        for text in [name, value] {
            integer(&mut all, 7, 0, text.len());
            all.extend(text.as_bytes());
        }
    }
    all
}

/// An integer with a prefix of so many bits (RFC 7541 section 5.1).
pub fn integer(all: &mut Vec<u8>, bits: u32, flags: u8, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        all.push(flags | u8::try_from(value).unwrap());
        return;
    }
    all.push(flags | u8::try_from(most).unwrap());
    let mut rest = value - most;
    while rest >= 128 {
        all.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    all.push(u8::try_from(rest).unwrap());
}

/// A request for a path, with more fields behind the usual ones.
pub fn ask<'a>(method: &'a str, path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let usual = [(":method", method), (":scheme", "http"), (":authority", "mcp.test"), (":path", path)];
    block(&[&usual[..], more].concat())
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// The next frame; `None` when the connection has ended.
    pub async fn frame(&mut self) -> Option<Frame> {
        let head = self.exactly(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap()) & 0x7fff_ffff;
        let payload = self.exactly(usize::try_from(length).unwrap()).await?;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame of which this is true, and `None` when the connection has ended.
    pub async fn frame_that(&mut self, mut is_it: impl FnMut(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.frame().await?;
            if is_it(&frame) {
                return Some(frame);
            }
        }
    }
}
