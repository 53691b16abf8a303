//! The `Basic` scheme as OAuth clients use it (RFC 7617, RFC 6749 section 2.3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

use super::params;

/// What a client proves itself with. Not to be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub id: String,
    pub secret: String,
}

impl Credentials {
    /// The credentials of an `Authorization` value, as they stand in it.
    #[must_use]
    pub fn read(value: &HeaderValue) -> Option<Self> {
        let (scheme, encoded) = value.to_str().ok()?.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some(Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The credentials of a form; what is absent is empty. `None` if they are no text: what is put in the place of
    /// bytes that are not UTF-8 would be another secret.
    #[must_use]
    pub fn of_form(form: &str) -> Option<Self> {
        let value = |name| params::get(form, name).unwrap_or_default().into_owned();
        let (id, secret) = (value("client_id"), value("client_secret"));
        let is_text = |text: &str| !text.contains(char::REPLACEMENT_CHARACTER);
        (is_text(&id) && is_text(&secret)).then_some(Self { id, secret })
    }

    /// Whether the escapes in these, if any, are of text. If not, nobody knows whether they are escapes.
    #[must_use]
    pub fn are_text(&self) -> bool {
        [&self.id, &self.secret].into_iter().all(|part| !has_escape(part) || unescaped(part).is_some())
    }

    /// What the client means. RFC 6749 wants both parts form-encoded within the header; the Python SDK and rmcp do
    /// that, the TypeScript SDK does not. Escapes tell the two apart.
    #[must_use]
    pub fn meant(&self) -> Self {
        if !has_escape(&self.id) && !has_escape(&self.secret) {
            return self.clone();
        }
        match (unescaped(&self.id), unescaped(&self.secret)) {
            (Some(id), Some(secret)) => Self { id, secret },
            _ => self.clone(),
        }
    }

    /// Whether these, read either way, are the others.
    #[must_use]
    pub fn are(&self, others: &Self) -> bool {
        self == others || self.meant() == *others
    }

    /// The `Authorization` value, encoded as RFC 6749 section 2.3.1 wants it.
    #[must_use]
    pub fn write(&self) -> Option<HeaderValue> {
        let text = format!("{}:{}", params::encoded(&self.id), params::encoded(&self.secret));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn has_escape(text: &str) -> bool {
    text.as_bytes().windows(3).any(|part| part[0] == b'%' && part[1..].iter().all(u8::is_ascii_hexdigit))
}

fn unescaped(text: &str) -> Option<String> {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))).unwrap();
        Credentials::read(&value).map(|credentials| {
            let meant = credentials.meant();
            (meant.id, meant.secret)
        })
    }

    #[test]
    fn reads_both_ways_of_writing() {
        for (text, id, secret) in [
            ("a:s", "a", "s"),
            ("a:", "a", ""),
            ("a:p%q", "a", "p%q"),
            ("a b:p+q", "a b", "p+q"),
            ("a%20b:p%2Bq", "a b", "p+q"),
            ("a:x%3Ay+z", "a", "x:y z"),
            ("a:%ff", "a", "%ff"),
            ("a:b:c", "a", "b:c"),
        ] {
            assert_eq!(read(text), Some((id.to_owned(), secret.to_owned())), "{text}");
        }
        assert_eq!(read("nothing"), None);
        for text in ["Bearer YTpz", "Basic !!", "Basic", "Basic /w=="] {
            assert!(Credentials::read(&HeaderValue::from_static(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_read() {
        for (form, expected) in [
            ("client_id=a&client_secret=s%C3%BC", true),
            ("client_id=a", true),
            ("client_id=a&client_secret=%ff", false),
            ("client_id=%C3&client_secret=s", false),
        ] {
            assert_eq!(Credentials::of_form(form).is_some(), expected, "{form}");
        }
        for (secret, expected) in [("s", true), ("p%q", true), ("%C3%BC", true), ("%ff", false), ("a%C3", false)] {
            let given = Credentials { id: "a".into(), secret: secret.into() };
            assert_eq!(given.are_text(), expected, "{secret}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let given = Credentials { id: "https://c.example/a b".into(), secret: "p%2F+:ü".into() };
        let value = given.write().unwrap();
        assert!(value.is_sensitive());
        assert!(Credentials::read(&value).unwrap().are(&given));
    }
}
