//! Finds where the members of a JSON object and the elements of an array stand, in one pass over the text (RFC 8259).
//!
//! The scan accepts less than JSON. It leaves escaped names, deep nesting and everything that is wrong to serde_json, which is
//! slower and knows every rule. So `None` never means that a text is not JSON. Of what the scan accepts every value can be
//! built.

use std::ops::Range;

/// The deepest nesting that is scanned: one bit of a word for each level.
const DEEPEST: u32 = u64::BITS;

/// Calls `each` with the places of the name, without quotation marks, and of the value of each outermost member. Returns the
/// number of commas in the text: about the number of values.
///
/// `None` if the text is not an object of the plain kind, or `each` returns `None`. Then the calls mean nothing.
pub fn members(text: &[u8], mut each: impl FnMut(Range<usize>, Range<usize>) -> Option<()>) -> Option<usize> {
    whole(text, b'{', b'}', |scan| {
        let name = scan.name()?;
        let start = scan.at;
        scan.value()?;
        each(name, start..scan.at)
    })
}

/// As [`members`], for the elements of an array.
pub fn elements(text: &[u8], mut each: impl FnMut(Range<usize>) -> Option<()>) -> Option<usize> {
    whole(text, b'[', b']', |scan| {
        let start = scan.at;
        scan.value()?;
        each(start..scan.at)
    })
}

/// Is told of every value that is passed, in the order of the text. `None` ends the scan.
pub(super) trait Record {
    /// The name of a member, between its quotation marks. `is_plain`: it has no escapes.
    fn name(&mut self, place: Range<usize>, is_plain: bool) -> Option<()>;
    /// A value without others inside it.
    fn scalar(&mut self, place: Range<usize>) -> Option<()>;
    /// The beginning of an object or a list.
    fn open(&mut self, start: usize) -> Option<()>;
    /// The end of the last one that began and has not ended.
    fn close(&mut self, end: usize);
}

/// Records nothing.
impl Record for () {
    fn name(&mut self, _: Range<usize>, _: bool) -> Option<()> {
        Some(())
    }

    fn scalar(&mut self, _: Range<usize>) -> Option<()> {
        Some(())
    }

    fn open(&mut self, _: usize) -> Option<()> {
        Some(())
    }

    fn close(&mut self, _: usize) {}
}

/// Tells of every value of a text; `None` if it is not of the plain kind, or has nothing but blanks.
pub(super) fn record<R: Record>(text: &[u8], record: R) -> Option<R> {
    let mut scan = Scan::of(text, record)?;
    scan.blanks();
    scan.value()?;
    scan.blanks();
    (scan.at == text.len()).then_some(scan.record)
}

/// Reads a text that is one object or array.
fn whole(text: &[u8], open: u8, close: u8, mut one: impl FnMut(&mut Scan<'_, ()>) -> Option<()>) -> Option<usize> {
    let mut scan = Scan::of(text, ())?;
    scan.blanks();
    scan.take(open)?;
    scan.blanks();
    if scan.take(close).is_none() {
        loop {
            one(&mut scan)?;
            scan.blanks();
            if scan.take(close).is_some() {
                break;
            }
            scan.comma()?;
        }
    }
    scan.blanks();
    (scan.at == text.len()).then_some(scan.commas)
}

struct Scan<'a, R> {
    text: &'a [u8],
    at: usize,
    commas: usize,
    record: R,
}

impl<'a, R: Record> Scan<'a, R> {
    /// At the beginning of a text, if that is UTF-8.
    fn of(text: &'a [u8], record: R) -> Option<Self> {
        // Nearly all texts are ASCII.
        if !text.is_ascii() {
            std::str::from_utf8(text).ok()?;
        }
        Some(Self { text, at: 0, commas: 0, record })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn comma(&mut self) -> Option<()> {
        self.take(b',')?;
        self.commas += 1;
        self.blanks();
        Some(())
    }

    /// A name without escapes, its colon, and the blanks around that. Returns the place between the quotation marks.
    fn name(&mut self) -> Option<Range<usize>> {
        let start = self.at + 1;
        let is_plain = self.string()?;
        let name = start..self.at - 1;
        self.blanks();
        self.take(b':')?;
        self.blanks();
        is_plain.then_some(name)
    }

    /// A string. Returns whether it has no escapes.
    fn string(&mut self) -> Option<bool> {
        self.take(b'"')?;
        let mut is_plain = true;
        loop {
            self.at += plain_length(self.text.get(self.at..)?);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(is_plain);
                }
                b'\\' => {
                    is_plain = false;
                    self.escape()?;
                }
                // A control character.
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let length = match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => match self.unit(self.at)? {
                // Half of a pair is no character (RFC 8259 section 8.2).
                0xdc00..=0xdfff => return None,
                0xd800..=0xdbff if !matches!(self.unit(self.at + 6)?, 0xdc00..=0xdfff) => return None,
                0xd800..=0xdbff => 12,
                _ => 6,
            },
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    /// The code unit that is escaped there.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
    }

    /// A value of any kind.
    fn value(&mut self) -> Option<()> {
        // One bit for each level that is open: whether it is an object.
        let (mut levels, mut depth) = (0_u64, 0);
        loop {
            let is_object = self.peek()? == b'{';
            if is_object || self.peek()? == b'[' {
                self.record.open(self.at)?;
                self.at += 1;
                self.blanks();
                if self.take(if is_object { b'}' } else { b']' }).is_some() {
                    self.record.close(self.at);
                } else {
                    if depth == DEEPEST {
                        return None;
                    }
                    levels = levels << 1 | u64::from(is_object);
                    depth += 1;
                    if is_object {
                        self.inner_name()?;
                    }
                    continue;
                }
            } else {
                let start = self.at;
                self.scalar()?;
                self.record.scalar(start..self.at)?;
            }
            // A value has ended. Everything that ends with it is closed.
            loop {
                if depth == 0 {
                    return Some(());
                }
                self.blanks();
                let is_object = levels & 1 == 1;
                if self.take(if is_object { b'}' } else { b']' }).is_none() {
                    self.comma()?;
                    if is_object {
                        self.inner_name()?;
                    }
                    break;
                }
                self.record.close(self.at);
                levels >>= 1;
                depth -= 1;
            }
        }
    }

    /// A name further inside, which may have escapes.
    fn inner_name(&mut self) -> Option<()> {
        let start = self.at + 1;
        let is_plain = self.string()?;
        self.record.name(start..self.at - 1, is_plain)?;
        self.blanks();
        self.take(b':')?;
        self.blanks();
        Some(())
    }

    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        // Nothing may follow a zero at the beginning but a fraction or an exponent.
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// How many bytes stand before the first quotation mark, backslash or control character. Eight at a time: most of a message is
/// strings.
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte that is zero. A byte above a zero one may be marked as well, so that only the lowest mark counts.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, rest) = text.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (quotes | backslashes | controls) & HIGH;
        if found != 0 {
            return length + found.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    length + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Names and values, as the scan finds them.
    fn scanned(text: &str) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        members(text.as_bytes(), |name, value| {
            found.push((text[name].to_owned(), text[value].to_owned()));
            Some(())
        })?;
        Some(found)
    }

    #[test]
    fn finds_members_and_elements() {
        let text = " { \"a\" : -1.5e+3 ,\n\"b\":{\"\\u00e9\":[[],{},\"\\\"}\"]}, \"\":\"é\t\" } ".replace('\t', "\\t");
        let expected = [("a", "-1.5e+3"), ("b", r#"{"\u00e9":[[],{},"\"}"]}"#), ("", r#""é\t""#)];
        assert_eq!(scanned(&text).unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut found = Vec::new();
        let values = elements(b"[1, [2,3] ,\"a,\"]", |value| {
            found.push(value);
            Some(())
        });
        assert_eq!((values, found), (Some(3), vec![1..2, 4..9, 11..15]));
        assert_eq!((scanned("{}"), scanned(" { } ")), (Some(vec![]), Some(vec![])));
    }

    #[test]
    fn leaves_the_rest_to_the_reader_that_knows_every_rule() {
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(scanned(&deep(64)).is_some() && scanned(&deep(66)).is_none());
        assert_eq!(scanned(r#"{"\u0061":1}"#), None);
        assert_eq!(members(b"{\"a\":\"\xff\"}", |_, _| Some(())), None);
    }

    /// Every length of what stands before the end of a string, at every place in a word.
    #[test]
    fn finds_the_end_of_a_string_at_any_place() {
        for length in 0..40 {
            for end in ['"', '\\', '\u{1f}', '\0'] {
                for filler in ["x", "\u{7f}", "é", "!", "#", "]"] {
                    let before = filler.repeat(length);
                    assert_eq!(plain_length(format!("{before}{end}{filler}\"").as_bytes()), before.len());
                }
            }
        }
    }

    pub(in crate::edit::json) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Otherwise the scan might be right because it never says anything.
        #[test]
        fn reads_whatever_is_printed(members in prop::collection::hash_map("[^\\\\\"\\x00-\\x1f]*", any_json(), 0..6), pretty: bool) {
            let value = Value::Object(members.into_iter().collect());
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let found = scanned(&text);
            let found: Option<serde_json::Map<String, Value>> = found.map(|found| {
                found.into_iter().map(|(name, value)| (name, serde_json::from_str(&value).unwrap())).collect()
            });
            prop_assert_eq!(found.map(Value::Object), Some(value));
        }
    }
}
