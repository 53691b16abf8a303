//! Server-sent events (WHATWG HTML section 9.2): where an event ends, and the fields of one.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// Splits a byte stream into events without ever holding more than one.
#[derive(Debug, Default)]
pub struct Splitter {
    pending: BytesMut,
    /// How far `pending` was searched.
    searched: usize,
}

impl Splitter {
    /// Takes in bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole event, its blank line included.
    pub fn next_event(&mut self) -> Option<Bytes> {
        let from = self.searched.saturating_sub(3);
        match end_of_event(&self.pending[from..]) {
            Some(end) => {
                self.searched = 0;
                Some(self.pending.split_to(from + end).freeze())
            }
            None => {
                self.searched = self.pending.len();
                None
            }
        }
    }

    /// Bytes of an event that has not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// What is left, as it came.
    pub fn take_rest(&mut self) -> Bytes {
        self.searched = 0;
        self.pending.split().freeze()
    }
}

/// One past the blank line that ends the first event: two line ends in a row, each CR LF, LF or CR.
fn end_of_event(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let Some(first) = line_end(&text[at..]) else {
            at += 1;
            continue;
        };
        let after = at + first;
        if let Some(second) = text.get(after..).and_then(line_end) {
            // A CR that is the last byte so far may have its LF still to come: that is a blank line more, and means
            // nothing. Nobody waits for it.
            return Some(after + second);
        }
        at = after;
    }
    None
}

/// The length of the line end that a text begins with, if it does.
fn line_end(text: &[u8]) -> Option<usize> {
    match text {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// Whether a stream that ends so far with these bytes is between two events. Four bytes are enough to tell.
#[must_use]
pub fn is_between_events(end: &[u8]) -> bool {
    let before = match end {
        [] => return true,
        [before @ .., b'\r', b'\n'] | [before @ .., b'\r' | b'\n'] => before,
        _ => return false,
    };
    before.last().is_none_or(|b| matches!(b, b'\r' | b'\n'))
}

/// The value of a field of an event; lines of the same field are joined by a line feed.
#[must_use]
pub fn field<'a>(event: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut values = lines(event).filter_map(|line| value_of(line, name));
    let first = String::from_utf8_lossy(values.next()?);
    Some(values.fold(first, |joined, next| Cow::Owned(format!("{joined}\n{}", String::from_utf8_lossy(next)))))
}

/// The event with its first line of a field carrying another value, further ones left out, all else as it was.
#[must_use]
pub fn with_field(event: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len() + value.len());
    let (mut rest, mut written) = (event, false);
    while !rest.is_empty() {
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
        let full = end + line_end(&rest[end..]).unwrap_or(0);
        if value_of(&rest[..end], name).is_none() {
            out.extend_from_slice(&rest[..full]);
        } else if !written {
            written = true;
            out.extend_from_slice(format!("{name}: {value}").as_bytes());
            out.extend_from_slice(&rest[end..full]);
        }
        rest = &rest[full..];
    }
    out
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    event.split(|b| matches!(b, b'\r' | b'\n')).filter(|line| !line.is_empty())
}

fn value_of<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name.as_bytes())?;
    match rest {
        [] => Some(rest),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut splitter = Splitter::default();
        let mut events = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(event) = splitter.next_event() {
                events.push(event.to_vec());
            }
        }
        (events, splitter.take_rest().to_vec())
    }

    #[test]
    fn ends_events_at_any_blank_line() {
        let (events, rest) = split(&[b"data: a\n\ndata: b\r\n\r\ndata: c\n\r\ndata: d"]);
        assert_eq!(events, [b"data: a\n\n".to_vec(), b"data: b\r\n\r\n".to_vec(), b"data: c\n\r\n".to_vec()]);
        assert_eq!(rest, b"data: d");
    }

    #[test]
    fn reads_and_changes_fields() {
        let event = b": c\r\nevent: endpoint\r\ndata:http://h\r\ndata: 2\r\n\r\n";
        assert_eq!(field(event, "event").as_deref(), Some("endpoint"));
        assert_eq!(field(event, "data").as_deref(), Some("http://h\n2"));
        assert_eq!(field(event, "id"), None);
        assert_eq!(with_field(event, "data", "x"), b": c\r\nevent: endpoint\r\ndata: x\r\n\r\n");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_is_cut(text in "[ab:\r\n ]{0,40}", cut in 1_usize..8) {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let (events, rest) = split(&chunks);
            let mut all: Vec<u8> = events.concat();
            all.extend(&rest);
            prop_assert_eq!(all, text.as_bytes());
        }
    }
}
