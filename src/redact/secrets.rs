//! What an exchange is known to keep secret, and finding it again in whatever form it is written.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::Mutex;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::Redactor;

/// Shorter ones are parts of too many words.
const SHORTEST: usize = 6;
/// So many of an exchange are kept; its secrets proper come first.
const MOST: usize = 384;
/// Of a longer one, its beginning.
const LONGEST: usize = 512;
/// So many codings are undone, one within the other.
const DEPTH: usize = 2;
/// Of a longer text nothing is kept anyway.
const LONGEST_TEXT: usize = 8 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// So many secrets of earlier exchanges are known again.
const MOST_SEEN: usize = 8192;

/// Secrets of earlier exchanges, as keyed hashes: a code that another request sent may stand in this answer's words.
#[derive(Default)]
pub(super) struct Seen {
    /// Keyed at random, never written: a quick hash will do.
    state: RandomState,
    hashes: Mutex<(HashSet<u64>, VecDeque<u64>)>,
}

impl Seen {
    fn add(&self, secret: &str) {
        let hash = self.state.hash_one(secret);
        let Ok(mut seen) = self.hashes.lock() else { return };
        if seen.0.insert(hash) {
            seen.1.push_back(hash);
        }
        while seen.1.len() > MOST_SEEN {
            if let Some(oldest) = seen.1.pop_front() {
                seen.0.remove(&oldest);
            }
        }
    }

    fn has(&self, text: &str) -> bool {
        let hash = self.state.hash_one(text);
        self.hashes.lock().is_ok_and(|seen| seen.0.contains(&hash))
    }
}

/// The secrets of one exchange. They live as long as it is being redacted.
pub(super) struct Secrets<'a> {
    redactor: &'a Redactor,
    list: RefCell<Vec<String>>,
    have: RefCell<HashSet<String>>,
    /// Those that stood where secrets stand; the others only look made.
    proper: RefCell<Vec<String>>,
    /// Whether they are still being collected: then nothing is shown, and nothing needs to be found.
    collects: Cell<bool>,
    /// What was asked before.
    asked: RefCell<HashMap<String, Option<String>>>,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(redactor: &'a Redactor) -> Self {
        let (list, have) = (redactor.secrets.clone(), redactor.secrets.iter().cloned().collect());
        let (list, have) = (RefCell::new(list), RefCell::new(have));
        let collects = Cell::new(false);
        Self { redactor, list, have, proper: RefCell::default(), collects, asked: RefCell::default() }
    }

    /// For a first reading, up to `settle`.
    pub(super) fn collecting(redactor: &'a Redactor) -> Self {
        Self { collects: Cell::new(true), ..Self::new(redactor) }
    }

    /// A value that stood where a secret stands.
    pub(super) fn add_proper(&self, secret: &str) {
        self.add(secret);
        self.proper.borrow_mut().push(beginning(secret).to_owned());
    }

    /// The values that stood where secrets stand, as far as they can be looked for.
    pub(super) fn proper(&self) -> Vec<String> {
        self.proper.borrow().iter().filter(|secret| self.have.borrow().contains(*secret)).cloned().collect()
    }

    pub(super) fn add(&self, secret: &str) {
        let secret = beginning(secret);
        let mut list = self.list.borrow_mut();
        let most = self.redactor.secrets.len() + MOST;
        if secret.len() >= SHORTEST && list.len() < most && self.have.borrow_mut().insert(secret.to_owned()) {
            list.push(secret.to_owned());
        }
    }

    /// All secrets are known: from now on they are found.
    pub(super) fn settle(&self) {
        self.collects.set(false);
        self.list.borrow_mut().sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in &*self.list.borrow() {
            self.redactor.seen.add(secret);
        }
    }

    /// The secret that a text gives away, plainly or in any coding.
    pub(super) fn found_in(&self, text: &str) -> Option<String> {
        if text.len() < SHORTEST || self.collects.get() {
            return None;
        }
        if text.len() > LONGEST_TEXT {
            return Some(text.to_owned());
        }
        if let Some(known) = self.asked.borrow().get(text) {
            return known.clone();
        }
        let found = self.look(text, DEPTH);
        self.asked.borrow_mut().insert(text.to_owned(), found.clone());
        found
    }

    fn look(&self, text: &str, depth: usize) -> Option<String> {
        if let Some(secret) = self.list.borrow().iter().find(|secret| text.contains(secret.as_str())) {
            return Some(secret.clone());
        }
        if let Some(secret) = self.seen_before(text) {
            return Some(secret);
        }
        if depth == 0 {
            return None;
        }
        decodings(text).iter().find_map(|decoded| self.look(decoded, depth - 1))
    }

    /// The secret of an earlier exchange that a text is, or that one of its words is.
    fn seen_before(&self, text: &str) -> Option<String> {
        let parts = text
            .split(|c: char| c.is_whitespace() || "\"'`,;()<>{}[]|?&=".contains(c))
            .flat_map(|word| [word, word.trim_matches([':', '.', '!', '#'])])
            .flat_map(|word| [word, word.rsplit(['/', ':', '#']).next().unwrap_or_default()]);
        let is_word = |part: &str| part.len() < 12 && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let mut parts = std::iter::once(text).chain(parts).filter(|part| part.len() >= SHORTEST && !is_word(part));
        parts.find(|part| self.redactor.seen.has(beginning(part))).map(str::to_owned)
    }

    /// The secrets that stand plainly in a text, longest first.
    pub(super) fn plainly_in(&self, text: &str) -> Vec<String> {
        self.list.borrow().iter().filter(|secret| text.contains(secret.as_str())).cloned().collect()
    }
}

/// As much of a secret as is looked for.
fn beginning(secret: &str) -> &str {
    let cut = (0..=LONGEST.min(secret.len())).rev().find(|at| secret.is_char_boundary(*at)).unwrap_or(0);
    secret[..cut].trim()
}

/// What a text may stand for.
fn decodings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut take = |decoded: String| {
        if decoded.len() >= SHORTEST && decoded != text {
            found.push(decoded);
        }
    };
    if text.contains('%') {
        take(percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned());
    }
    if text.contains('+') {
        take(text.replace('+', " "));
    }
    if text.contains('\\') {
        take(unescaped(text));
    }
    if text.contains('&') {
        take(without_entities(text));
    }
    for run in text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-'))) {
        if run.len() < SHORTEST {
            continue;
        }
        let standard: String = run
            .chars()
            .map(|c| {
                if c == '-' {
                    '+'
                } else if c == '_' {
                    '/'
                } else {
                    c
                }
            })
            .collect();
        // What was encoded may begin before this run, or stand behind something else.
        for from in 0..4.min(standard.len()) {
            let part = &standard[from..];
            let whole = if part.len() % 4 == 1 { &part[..part.len() - 1] } else { part };
            if let Ok(decoded) = STANDARD.decode(whole) {
                take(String::from_utf8_lossy(&decoded).into_owned());
            }
        }
        for from in 0..2 {
            take(from_hex(&run[from.min(run.len())..]));
        }
    }
    found
}

fn from_hex(text: &str) -> String {
    let digits: Vec<u8> =
        text.chars().map_while(|c| c.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()).collect();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without the escapes of JSON and of most programming languages.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        let digits = match chars.next() {
            Some('u') => 4,
            Some('x') => 2,
            Some(other) => {
                out.push(other);
                rest = chars.as_str();
                continue;
            }
            None => break,
        };
        let code = after.get(1..=digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(letter) => {
                out.push(letter);
                rest = &after[1 + digits..];
            }
            None => rest = chars.as_str(),
        }
    }
    out.push_str(rest);
    out
}

fn without_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, behind) = after.split_once(';').filter(|(name, _)| name.len() <= 8).unwrap_or(("", after));
        let letter = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => name.strip_prefix('#').and_then(|number| {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)
            }),
        };
        out.push(letter.unwrap_or('&'));
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_any_coding() {
        let redactor = Redactor::new([5; 32]);
        let secrets = Secrets::new(&redactor);
        secrets.add("s3cret/1+x");
        secrets.settle();
        // A later exchange knows it by its hash alone.
        let later = Secrets::new(&redactor);
        assert_eq!(later.found_in("(s3cret/1+x) was used").as_deref(), Some("s3cret/1+x"));
        assert_eq!(later.found_in("code=s3cret%2F1%2Bx").as_deref(), Some("s3cret/1+x"));
        assert_eq!(later.found_in("was used"), None);
        for text in [
            "x s3cret/1+x y",
            "s3cret%2F1%2Bx",
            "s3cret%252F1%252Bx",
            "%73%33%63ret%2f1%2bx",
            "YzpzM2NyZXQvMSt4",
            "ab+c3MzY3JldC8xK3g",
            "7333637265742f312b78",
            "s3cret\\/1\\u002bx",
            "s3cret&#47;1&#x2b;x",
        ] {
            assert_eq!(secrets.found_in(text).as_deref(), Some("s3cret/1+x"), "{text}");
        }
        assert_eq!(secrets.found_in("s3cret/1 x is another"), None);
    }
}
