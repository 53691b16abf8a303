//! `application/x-www-form-urlencoded` text: query strings and form bodies, changed one value at a time.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 section 2.3 is encoded: right in a query and in a form.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether this is nothing but parameters: of the characters that a query may have (RFC 3986 section 3.4), without blanks and
/// ends of lines.
#[must_use]
pub fn is_well_formed(text: &[u8]) -> bool {
    let may_be = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(byte);
    text.contains(&b'=') && text.iter().all(may_be)
}

/// More than any OAuth request has: looking for each parameter among them would take too long.
const TOO_MANY: usize = 200;

/// Whether a query or a form has more parameters than any OAuth request.
#[must_use]
pub fn are_too_many(text: &[u8]) -> bool {
    memchr::memchr_iter(b'&', text).nth(TOO_MANY).is_some()
}

/// The decoded value of the first parameter called `name`.
#[must_use]
pub fn get<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    pairs(text).find(|pair| pair.is(name)).map(|pair| pair.value())
}

/// Whether there is a parameter called `name`.
#[must_use]
pub fn has(text: &str, name: &str) -> bool {
    pairs(text).any(|pair| pair.is(name))
}

/// The text with every value of `name` replaced by what `change` makes of it (`None` keeps it); all other bytes stay.
///
/// `None` when nothing changed.
#[must_use]
pub fn map_values(text: &str, name: &str, mut change: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    for (index, pair) in pairs(text).enumerate() {
        if index > 0 {
            out.push('&');
        }
        match pair.is(name).then(|| change(&pair.value())).flatten() {
            Some(value) => {
                changed = true;
                out.push_str(pair.name);
                out.push('=');
                out.extend(utf8_percent_encode(&value, ENCODED));
            }
            None => out.push_str(pair.text),
        }
    }
    changed.then_some(out)
}

/// The text without the parameters called `name`; all other bytes stay. `None` when there are none.
#[must_use]
pub fn without(text: &str, name: &str) -> Option<String> {
    let kept: Vec<&str> = pairs(text).filter(|pair| !pair.is(name)).map(|pair| pair.text).collect();
    (kept.len() < pairs(text).count()).then(|| kept.join("&"))
}

/// The text with one more parameter at its end.
#[must_use]
pub fn with(text: &str, name: &str, value: &str) -> String {
    let separator = if text.is_empty() || text.ends_with('&') { "" } else { "&" };
    format!("{text}{separator}{name}={}", encoded(value))
}

/// The decoded value of the parameter called `name`, if there is exactly one: of two, nobody knows which is meant.
#[must_use]
pub fn only<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut values = pairs(text).filter(|pair| pair.is(name)).map(|pair| pair.value());
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// The decoded names of the parameters, in order.
pub fn names(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pairs(text).map(|pair| decode(pair.name))
}

/// A value as it stands in a query or a form.
#[must_use]
pub fn encoded(value: &str) -> String {
    utf8_percent_encode(value, ENCODED).to_string()
}

/// The decoded names and values, in order; empty parts of the text are none.
pub fn all(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    pairs(text).filter(|pair| !pair.text.is_empty()).map(|pair| (decode(pair.name), pair.value()))
}

struct Pair<'a> {
    text: &'a str,
    name: &'a str,
    value: &'a str,
}

impl<'a> Pair<'a> {
    fn is(&self, name: &str) -> bool {
        decode(self.name) == name
    }

    fn value(&self) -> Cow<'a, str> {
        decode(self.value)
    }
}

fn pairs(text: &str) -> impl Iterator<Item = Pair<'_>> {
    text.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Pair { text: pair, name, value }
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_blanks_or_lines_is_no_form() {
        for (text, expected) in [
            ("grant_type=authorization_code&code=a%20b+c&redirect_uri=http://127.0.0.1:1/cb?x", true),
            ("", false),
            ("abc", false),
            ("a=b c", false),
            ("a=b\r\n\r\nGET", false),
            ("a=b\n", false),
            ("a=\tb", false),
            ("a={}", false),
            ("a=\u{fc}", false),
        ] {
            assert_eq!(is_well_formed(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn reads_values_in_any_spelling() {
        assert_eq!(get("a=1&resource=http%3A%2F%2Fh%2Fm+x", "resource").as_deref(), Some("http://h/m x"));
        assert_eq!(get("re%73ource=1", "resource").as_deref(), Some("1"));
        assert_eq!(get("resource", "resource").as_deref(), Some(""));
        assert!(!has("xresource=1", "resource"));
    }

    #[test]
    fn changes_only_the_named_value() {
        let text = "state=a%2fb+c&resource=x&&z=%7E";
        let mended = map_values(text, "resource", |_| Some("http://u/m".into()));
        assert_eq!(mended.as_deref(), Some("state=a%2fb+c&resource=http%3A%2F%2Fu%2Fm&&z=%7E"));
        assert_eq!(map_values(text, "resource", |_| None), None);
        assert_eq!(map_values(text, "absent", |_| Some(String::new())), None);
    }

    #[test]
    fn takes_out_only_the_named_parameter() {
        for (text, rest) in [
            ("a=1&resource=x&b=%7e+", Some("a=1&b=%7e+")),
            ("re%73ource=1&&a", Some("&a")),
            ("resource&resource=", Some("")),
            ("a=resource&b", None),
            ("", None),
        ] {
            assert_eq!(without(text, "resource").as_deref(), rest, "{text}");
        }
    }

    #[test]
    fn adds_at_the_end() {
        assert_eq!(with("", "a", "b c"), "a=b%20c");
        assert_eq!(with("x=1", "a", "\r\n&"), "x=1&a=%0D%0A%26");
        assert_eq!(with("x=1&", "a", "+"), "x=1&a=%2B");
    }

    #[test]
    fn one_of_two_is_none() {
        assert_eq!(only("a=1&b=2", "b").as_deref(), Some("2"));
        assert_eq!(only("a=1&%61=1", "a"), None);
        assert_eq!(only("b=1", "a"), None);
        assert_eq!(names("a=1&%62&=").collect::<Vec<_>>(), ["a", "b", ""]);
        let read: Vec<_> = all("a=1&&b=x+y&c").map(|(name, value)| format!("{name}:{value}")).collect();
        assert_eq!(read, ["a:1", "b:x y", "c:"]);
    }
}
