//! Server-sent events (WHATWG HTML section 9.2): where an event ends, and the fields of one.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// Splits a byte stream into events without ever holding more than the one that has not ended. What came in one piece
/// goes out without being copied.
#[derive(Debug, Default)]
pub struct Splitter {
    /// The rest of the last piece, if nothing waits before it.
    whole: Bytes,
    /// An event that has not ended.
    partial: BytesMut,
    /// How far `partial` was searched.
    searched: usize,
    /// Whether the last event ended in a CR whose LF may still come.
    after_cr: bool,
    /// The last bytes of an event that is too long to be held, while the rest of it goes by.
    passing: Option<[u8; 3]>,
}

impl Splitter {
    /// Takes in bytes as they come.
    pub fn push(&mut self, bytes: Bytes) {
        if self.partial.is_empty() && self.whole.is_empty() {
            self.whole = bytes;
            return;
        }
        self.partial.extend_from_slice(&std::mem::take(&mut self.whole));
        self.partial.extend_from_slice(&bytes);
    }

    /// The next whole event, its blank line included. The LF of a CR LF that came in two pieces follows by itself.
    pub fn next_event(&mut self) -> Option<Bytes> {
        if self.after_cr && !self.is_empty() {
            self.after_cr = false;
            if self.partial.first().or(self.whole.first()) == Some(&b'\n') {
                return Some(self.take(1));
            }
        }
        let event = self.find_event();
        self.after_cr |= event.as_ref().is_some_and(|event| event.ends_with(b"\r"));
        event
    }

    fn find_event(&mut self) -> Option<Bytes> {
        if !self.whole.is_empty() {
            if let Some(end) = end_of_event(&self.whole) {
                return Some(self.take(end));
            }
            self.partial.extend_from_slice(&std::mem::take(&mut self.whole));
            self.searched = self.partial.len();
            return None;
        }
        let from = self.searched.saturating_sub(3);
        match end_of_event(&self.partial[from..]) {
            Some(end) => Some(self.take(from + end)),
            None => {
                self.searched = self.partial.len();
                None
            }
        }
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.searched = 0;
        if self.partial.is_empty() { self.whole.split_to(length) } else { self.partial.split_to(length).freeze() }
    }

    /// Gives up an event that is too long to be held: what there is of it, and from now on whatever comes, to its end.
    pub fn let_pass(&mut self) -> Bytes {
        let held = self.take_rest();
        self.passing = Some(last_three([0; 3], &held));
        held
    }

    /// What is to be handed on of an event that was given up, if one is under way and something came.
    pub fn next_passing(&mut self) -> Option<Bytes> {
        let before = self.passing?;
        let data = self.take_rest();
        if data.is_empty() {
            return None;
        }
        // The blank line may have begun in what went by already.
        let mut joined = before.to_vec();
        joined.extend_from_slice(&data[..data.len().min(3)]);
        let end = end_of_event(&joined).and_then(|end| end.checked_sub(3)).or_else(|| end_of_event(&data));
        match end {
            Some(end) => {
                self.passing = None;
                let mut data = data;
                let event = data.split_to(end.min(data.len()));
                self.whole = data;
                Some(event)
            }
            None => {
                self.passing = Some(last_three(before, &data));
                Some(data)
            }
        }
    }

    /// Whether an event that was given up is still going by.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing.is_some()
    }

    /// Bytes of an event that has not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partial.len() + self.whole.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is left, as it came.
    pub fn take_rest(&mut self) -> Bytes {
        self.searched = 0;
        if self.partial.is_empty() {
            return std::mem::take(&mut self.whole);
        }
        self.partial.extend_from_slice(&std::mem::take(&mut self.whole));
        self.partial.split().freeze()
    }
}

fn last_three(before: [u8; 3], data: &[u8]) -> [u8; 3] {
    let mut all = before.to_vec();
    all.extend_from_slice(&data[data.len().saturating_sub(3)..]);
    all.last_chunk().copied().unwrap_or(before)
}

/// One past the blank line that ends the first event: two line ends in a row, each CR LF, LF or CR.
fn end_of_event(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'\n', b'\r', &text[at..]) {
        let after = at + found + line_end(&text[at + found..]).unwrap_or(1);
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

/// The data of an event, its lines joined; `None` if it has none.
#[must_use]
pub fn data(event: &Bytes) -> Option<Bytes> {
    let mut values = lines(event).filter_map(|line| value_of(line, "data"));
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(event.slice_ref(first)) };
    let mut joined = first.to_vec();
    for next in std::iter::once(second).chain(values) {
        joined.push(b'\n');
        joined.extend_from_slice(next);
    }
    Some(joined.into())
}

/// The data of an event that is written as nearly all are, and as every parser reads: perhaps a name, which is `message`,
/// and an id, then one line of data that begins like an object. Nothing about the event itself can be wrong.
#[must_use]
pub fn plain_message(event: &Bytes) -> Option<Bytes> {
    let rest = event.strip_prefix(b"event: message\n").unwrap_or(event);
    let rest = match rest.strip_prefix(b"id: ") {
        Some(id) => &id[memchr::memchr2(b'\n', b'\r', id).filter(|end| id[*end] == b'\n')? + 1..],
        None => rest,
    };
    let data = rest.strip_prefix(b"data: ")?.strip_suffix(b"\n\n")?;
    let is_one_line = data.first() == Some(&b'{') && memchr::memchr2(b'\n', b'\r', data).is_none();
    is_one_line.then(|| event.slice_ref(data))
}

/// A message as an event: every line of it a line of data.
#[must_use]
pub fn event_of(message: &[u8]) -> Bytes {
    let mut out = b"event: message\n".to_vec();
    for line in lines(message) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.into()
}

/// The events of a text, the last of them perhaps without its end.
pub fn events(text: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = text.clone();
    std::iter::from_fn(move || {
        let end = end_of_event(&rest).unwrap_or(rest.len());
        (end > 0).then(|| rest.split_to(end))
    })
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
            let end_of_line = if full > end { &rest[end..full] } else { b"\n" };
            for (number, line) in value.split('\n').enumerate() {
                if number > 0 {
                    out.extend_from_slice(end_of_line);
                }
                out.extend_from_slice(format!("{name}: {line}").as_bytes());
            }
            out.extend_from_slice(&rest[end..full]);
        }
        rest = &rest[full..];
    }
    out
}

/// The event without the lines of a field.
#[must_use]
pub fn without_field(event: &[u8], name: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(event.len()), event);
    while !rest.is_empty() {
        let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
        let full = end + line_end(&rest[end..]).unwrap_or(0);
        if value_of(&rest[..end], name).is_none() {
            out.extend_from_slice(&rest[..full]);
        }
        rest = &rest[full..];
    }
    out
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event;
    std::iter::from_fn(move || {
        loop {
            let end = memchr::memchr2(b'\r', b'\n', rest);
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or(&[][..], |end| &rest[end + 1..]);
            if !line.is_empty() || end.is_none() {
                return (!line.is_empty()).then_some(line);
            }
        }
    })
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
            splitter.push(Bytes::copy_from_slice(chunk));
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

    #[test]
    fn an_event_that_was_given_up_ends_where_it_ends() {
        for cut in 1..30 {
            let mut splitter = Splitter::default();
            let text = b"data: long long long\r\n\r\ndata: 2\n\n";
            splitter.push(Bytes::from_static(&text[..cut]));
            let mut passed = match splitter.next_event() {
                Some(event) => event.to_vec(),
                None => splitter.let_pass().to_vec(),
            };
            splitter.push(Bytes::from_static(&text[cut..]));
            while let Some(more) = splitter.next_passing() {
                passed.extend_from_slice(&more);
            }
            while let Some(event) = splitter.next_event() {
                passed.extend_from_slice(&event);
                assert!(event.ends_with(b"data: 2\n\n") || event.len() < 3, "{cut}: {event:?}");
            }
            assert_eq!(passed, text, "{cut}");
        }
    }

    #[test]
    fn data_is_joined_and_written_by_lines() {
        assert_eq!(data(&Bytes::from_static(b"data: a\ndata:b\n\n")).unwrap(), "a\nb");
        assert_eq!(data(&Bytes::from_static(b": a\n\n")), None);
        assert_eq!(event_of(b"{\n \"a\":1}"), "event: message\ndata: {\ndata:  \"a\":1}\n\n");
        assert_eq!(with_field(b"data: a\ndata: b\n\n", "data", "c\nd"), b"data: c\ndata: d\n\n");
        let all: Vec<Bytes> = events(&Bytes::from_static(b"data: a\n\ndata: b")).collect();
        assert_eq!(all, ["data: a\n\n", "data: b"]);
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
