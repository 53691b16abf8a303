//! JSON text with its values taken out: names, types, numbers of digits, blanks and mistakes stay as they were.

use serde::Deserialize as _;
use serde::de::IgnoredAny;

use super::Pass;
use super::rules::{self, Rule};

/// What kind of document it is: which rules hold for its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// A document of OAuth, or anything else.
    OAuth,
    /// A JSON-RPC message, or a list of them.
    Message,
}

/// Numbers with at most so many digits say nothing.
const SHORT_NUMBER: usize = 3;
/// Ids of messages and times have at most so many.
const KNOWN_NUMBER: usize = 13;

impl Pass<'_> {
    /// The text without its values; `None` if it is no JSON.
    pub(super) fn json(&self, language: Language, text: &str) -> Option<String> {
        let (mark, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let mut check = serde_json::Deserializer::from_str(text);
        IgnoredAny::deserialize(&mut check).ok()?;
        check.end().ok()?;
        let mut writer = Writer { pass: self, language, open: Vec::new(), out: mark.to_owned() };
        writer.write(text);
        Some(writer.out)
    }
}

/// A container that is open.
struct Open {
    is_object: bool,
    /// The name of the member that is being read.
    name: String,
    /// Whether a name comes next.
    wants_name: bool,
}

struct Writer<'a, 'b> {
    pass: &'a Pass<'b>,
    language: Language,
    open: Vec<Open>,
    out: String,
}

impl Writer<'_, '_> {
    fn write(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => end_of_string(rest),
                '-' | '0'..='9' => rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(rest.len()),
                _ => first.len_utf8(),
            };
            let (part, behind) = rest.split_at(length);
            match first {
                '"' => self.string(part),
                '-' | '0'..='9' => self.number(part),
                _ => self.mark(first),
            }
            rest = behind;
        }
    }

    fn mark(&mut self, mark: char) {
        self.out.push(mark);
        match mark {
            '{' | '[' => {
                let is_object = mark == '{';
                self.open.push(Open { is_object, name: String::new(), wants_name: is_object });
            }
            '}' | ']' => drop(self.open.pop()),
            ',' => {
                if let Some(open) = self.open.last_mut() {
                    open.wants_name = open.is_object;
                }
            }
            _ => {}
        }
    }

    fn string(&mut self, part: &str) {
        let Ok(text) = serde_json::from_str::<String>(part) else {
            // Half a letter, as no text has: nothing of it is kept.
            self.put(&self.pass.redactor.hash(part));
            return;
        };
        if let Some(open) = self.open.last_mut().filter(|open| open.wants_name) {
            open.wants_name = false;
            open.name.clone_from(&text);
            let shown = self.pass.name(&text);
            self.put_as(part, &text, &shown);
            return;
        }
        let rule = self.rule();
        let shown = match (self.language, rule) {
            // What is no protocol's word may still be a number in quotes (C-02, D-14).
            (Language::OAuth, Rule::Number) if text.is_empty() => String::new(),
            _ => self.pass.by(rule, &text),
        };
        self.put_as(part, &text, &shown);
    }

    /// Writes a string; as it was written if nothing of it was changed.
    fn put_as(&mut self, part: &str, text: &str, shown: &str) {
        if shown == text && self.pass.secrets.found_in(part).is_none() {
            self.out.push_str(part);
        } else {
            self.put(shown);
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn number(&mut self, part: &str) {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let names = self.names();
        let name = names.last().copied().unwrap_or_default();
        let is_known = match self.language {
            Language::OAuth => rules::of(name) == Rule::Number,
            Language::Message => {
                name == "id" && self.depth() <= 1
                    || name == "code" && names.len() >= 2 && names[names.len() - 2] == "error"
            }
        };
        let is_private = self.language == Language::Message && self.rule() == Rule::Nothing && self.is_of_a_tool();
        let is_secret = self.language == Language::OAuth && self.rule() == Rule::Secret;
        let is_kept = (is_known && digits <= KNOWN_NUMBER) || (digits <= SHORT_NUMBER && !is_private && !is_secret);
        if is_kept && self.pass.secrets.found_in(part).is_none() {
            self.out.push_str(part);
            return;
        }
        if is_secret || digits > SHORT_NUMBER {
            self.pass.secrets.add(part);
        }
        // As many digits, and the same ones for the same number.
        let mut made = self.pass.redactor.number(part);
        let mut first = true;
        for c in part.chars() {
            if c.is_ascii_digit() {
                let digit = (made % 9) as u8 + u8::from(first);
                first = false;
                made = made.rotate_right(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                self.out.push(char::from(b'0' + digit));
            } else {
                first &= c == '-';
                // An exponent with other digits is another kind of number.
                self.out.push(if matches!(c, 'e' | 'E' | '+') { '0' } else { c });
            }
        }
    }

    /// The names that lead to the value, the innermost last.
    fn names(&self) -> Vec<&str> {
        self.open.iter().filter(|open| open.is_object).map(|open| open.name.as_str()).collect()
    }

    fn depth(&self) -> usize {
        self.open.iter().filter(|open| open.is_object).count()
    }

    fn is_of_a_tool(&self) -> bool {
        self.names().iter().any(|name| matches!(*name, "arguments" | "structuredContent"))
    }

    fn rule(&self) -> Rule {
        let names = self.names();
        match self.language {
            Language::OAuth => rules::of(names.last().copied().unwrap_or_default()),
            Language::Message => rules::of_message(&names),
        }
    }
}

/// One past the quote that ends the string that a text begins with.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether a text looks like a JSON-RPC message or a list of them: in doubt it does, for then less of it is kept.
pub(super) fn is_message(text: &str) -> bool {
    ["\"jsonrpc\"", "\"method\"", "\"result\"", "\"params\"", "\"id\""].iter().any(|name| text.contains(name))
}
