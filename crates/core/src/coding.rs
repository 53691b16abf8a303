//! Content codings (RFC 9110 section 8.4.1) that can be undone: a whole body within a cap and a ratio, a stream piece by
//! piece. An answer must not grow in memory as its sender likes.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, HeaderMap};

use crate::edit::list;

/// A body may grow by this factor, beyond a first allowance.
const RATIO: usize = 100;
/// What small bodies may grow to whatever the ratio: a short text of blanks is no attack.
const ALLOWANCE: usize = 64 * 1024;
/// Bytes that the brotli decoder puts out at a time.
const BROTLI_BUFFER: usize = 4096;

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    /// zlib (RFC 1950), or the bare deflate that some servers send for it.
    Deflate,
    Brotli,
}

/// Why a coded body cannot be undone.
#[derive(Debug, thiserror::Error)]
#[error("the content coding cannot be undone")]
pub struct Undecodable(#[source] io::Error);

impl Coding {
    /// The coding of a body that has exactly one, if it can be undone.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut codings =
            list::members(headers, CONTENT_ENCODING).filter(|coding| !coding.eq_ignore_ascii_case("identity"));
        let coding = match codings.next()?.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            _ => return None,
        };
        codings.next().is_none().then_some(coding)
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Gzip => &["gzip", "x-gzip"],
            Self::Deflate => &["deflate"],
            Self::Brotli => &["br"],
        }
    }

    /// Whether a client that sent this `Accept-Encoding` can read the coding (RFC 9110 section 12.5.3).
    #[must_use]
    pub fn is_accepted(self, accepted: &HeaderValue) -> bool {
        let Ok(text) = accepted.to_str() else { return false };
        let mut any = false;
        for member in text.split(',') {
            let mut parts = member.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|weight| {
                weight.strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
            });
            if self.names().iter().any(|own| name.eq_ignore_ascii_case(own)) {
                return !refused;
            }
            any |= name == "*" && !refused;
        }
        any
    }
}

/// Undoes a coding piece by piece.
pub struct Decoder {
    kind: Kind,
}

enum Kind {
    /// Deflate shows by its first two bytes whether it is zlib.
    Waiting(Vec<u8>),
    Gzip(MultiGzDecoder<Sink>),
    Zlib(ZlibDecoder<Sink>),
    Bare(DeflateDecoder<Sink>),
    Brotli(Box<DecompressorWriter<Sink>>),
}

/// Takes what was decoded, as much as there is room for.
struct Sink {
    out: Vec<u8>,
    room: usize,
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.room {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it grows too much"));
        }
        self.room -= data.len();
        self.out.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    #[must_use]
    pub fn new(coding: Coding) -> Self {
        let sink = Sink { out: Vec::new(), room: 0 };
        let kind = match coding {
            Coding::Gzip => Kind::Gzip(MultiGzDecoder::new(sink)),
            Coding::Deflate => Kind::Waiting(Vec::new()),
            Coding::Brotli => Kind::Brotli(Box::new(DecompressorWriter::new(sink, BROTLI_BUFFER))),
        };
        Self { kind }
    }

    /// What a piece decodes to, at most `most` bytes.
    ///
    /// # Errors
    /// When it is no such coding, or grows too much.
    pub fn push(&mut self, data: &[u8], most: usize) -> Result<Bytes, Undecodable> {
        if let Kind::Waiting(start) = &mut self.kind {
            start.extend_from_slice(data);
            if start.len() < 2 {
                return Ok(Bytes::new());
            }
            let start = std::mem::take(start);
            self.begin_deflate(&start);
            return self.write(&start, most);
        }
        self.write(data, most)
    }

    /// What is still to come out after the last piece.
    ///
    /// # Errors
    /// When the coding ends too early, or grows too much.
    pub fn finish(&mut self, most: usize) -> Result<Bytes, Undecodable> {
        if let Some(sink) = self.sink() {
            sink.room = most;
        }
        let done = match &mut self.kind {
            Kind::Waiting(start) if start.is_empty() => Ok(()),
            Kind::Waiting(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Kind::Gzip(decoder) => decoder.try_finish(),
            Kind::Zlib(decoder) => decoder.try_finish(),
            Kind::Bare(decoder) => decoder.try_finish(),
            Kind::Brotli(decoder) => decoder.close(),
        };
        done.map_err(Undecodable)?;
        Ok(self.take())
    }

    fn begin_deflate(&mut self, start: &[u8]) {
        let sink = Sink { out: Vec::new(), room: 0 };
        // RFC 1950 section 2.2: method 8, and the two bytes are a multiple of 31.
        let header = start.first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes));
        let is_zlib = header & 0x0f00 == 0x0800 && header % 31 == 0;
        self.kind = if is_zlib { Kind::Zlib(ZlibDecoder::new(sink)) } else { Kind::Bare(DeflateDecoder::new(sink)) };
    }

    fn write(&mut self, data: &[u8], room: usize) -> Result<Bytes, Undecodable> {
        if let Some(sink) = self.sink() {
            sink.room = room;
        }
        let written = match &mut self.kind {
            Kind::Waiting(_) => Ok(()),
            Kind::Gzip(decoder) => decoder.write_all(data).and_then(|()| decoder.flush()),
            Kind::Zlib(decoder) => decoder.write_all(data).and_then(|()| decoder.flush()),
            Kind::Bare(decoder) => decoder.write_all(data).and_then(|()| decoder.flush()),
            Kind::Brotli(decoder) => decoder.write_all(data),
        };
        written.map_err(Undecodable)?;
        Ok(self.take())
    }

    fn sink(&mut self) -> Option<&mut Sink> {
        match &mut self.kind {
            Kind::Waiting(_) => None,
            Kind::Gzip(decoder) => Some(decoder.get_mut()),
            Kind::Zlib(decoder) => Some(decoder.get_mut()),
            Kind::Bare(decoder) => Some(decoder.get_mut()),
            Kind::Brotli(decoder) => Some(decoder.get_mut()),
        }
    }

    fn take(&mut self) -> Bytes {
        self.sink().map(|sink| std::mem::take(&mut sink.out)).unwrap_or_default().into()
    }
}

/// What a whole body decodes to, at most `most` bytes and what the ratio allows.
///
/// # Errors
/// When it is no such coding, ends too early, or grows too much.
pub fn decode(coding: Coding, body: &[u8], most: usize) -> Result<Bytes, Undecodable> {
    let most = most.min(body.len().saturating_mul(RATIO).saturating_add(ALLOWANCE));
    let mut decoder = Decoder::new(coding);
    let mut out = decoder.push(body, most)?.to_vec();
    out.extend_from_slice(&decoder.finish(most.saturating_sub(out.len()))?);
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn all(mut reader: impl Read) -> Vec<u8> {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        out
    }

    fn coded(text: &[u8]) -> [(Coding, Vec<u8>); 3] {
        [
            (Coding::Gzip, all(GzEncoder::new(text, Compression::default()))),
            (Coding::Deflate, all(ZlibEncoder::new(text, Compression::default()))),
            (Coding::Deflate, all(DeflateEncoder::new(text, Compression::default()))),
        ]
    }

    #[test]
    fn every_coding_is_undone() {
        let text = br#"{"issuer":"https://h","a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        for (coding, body) in coded(text) {
            assert_eq!(decode(coding, &body, 1000).unwrap(), &text[..], "{coding:?}");
            assert!(decode(coding, &body, 10).is_err(), "{coding:?}: beyond its cap");
            assert!(decode(coding, &body[..body.len() / 2], 1000).map_or(true, |half| half != text[..]), "{coding:?}");
        }
        // The same text, by the compressor of another program.
        let brotli = [
            0x1b, 0x40, 0x00, 0xf8, 0x1d, 0x09, 0x76, 0xec, 0xc4, 0x1a, 0xf2, 0xe0, 0x4e, 0x85, 0xb6, 0x97, 0x22, 0x61,
            0x72, 0xa9, 0xc3, 0xd2, 0x07, 0x1b, 0x70, 0xa8, 0xa1, 0xa4, 0xd2, 0x00, 0x74, 0x6d, 0x91, 0xd2, 0x72, 0xa3,
            0x49, 0x49, 0x42, 0x55, 0x19,
        ];
        assert_eq!(decode(Coding::Brotli, &brotli, 1000).unwrap(), &text[..]);
        assert!(decode(Coding::Brotli, &brotli, 10).is_err());
        assert!(decode(Coding::Brotli, &brotli[..20], 1000).is_err());
        assert!(decode(Coding::Gzip, b"no gzip at all", 100).is_err());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let body = all(GzEncoder::new(&vec![0_u8; 20 * 1024 * 1024][..], Compression::best()));
        assert!(body.len() < 64 * 1024);
        assert!(decode(Coding::Gzip, &body, usize::MAX).is_err(), "the ratio");
        assert!(decode(Coding::Gzip, &body, 1024 * 1024).is_err(), "the cap");
    }

    #[test]
    fn a_client_says_what_it_can_read() {
        for (accepted, gzip, brotli) in [
            ("gzip, br", true, true),
            ("gzip;q=0, *", false, true),
            ("*;q=0", false, false),
            ("identity", false, false),
            ("", false, false),
            ("GZIP;q=0.5", true, false),
        ] {
            let accepted = HeaderValue::from_static(accepted);
            assert_eq!(Coding::Gzip.is_accepted(&accepted), gzip, "{accepted:?}");
            assert_eq!(Coding::Brotli.is_accepted(&accepted), brotli, "{accepted:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_come_out_as_the_whole(text in prop::collection::vec(any::<u8>(), 0..2000), size in 1_usize..50) {
            for (coding, body) in coded(&text) {
                let mut decoder = Decoder::new(coding);
                let mut out = Vec::new();
                for piece in body.chunks(size) {
                    out.extend_from_slice(&decoder.push(piece, usize::MAX).unwrap());
                }
                out.extend_from_slice(&decoder.finish(usize::MAX).unwrap());
                prop_assert_eq!(&out, &text);
            }
        }

        #[test]
        fn rubbish_never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
                let _ = decode(coding, &body, 10_000);
            }
        }
    }
}
