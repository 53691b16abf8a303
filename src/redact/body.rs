//! Bodies: JSON, forms and event streams keep their shape; of anything else the type, the length and a hash are told.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};

use super::json::{Language, is_message};
use super::rules::Rule;
use super::{NOT_KEPT, Pass, words};
use crate::coding::{self, Coding};
use crate::edit::page;
use crate::endpoint::Class;
use crate::exchange::Opening;
use crate::tape::{Asked, MOST_BYTES, Text};

/// A longer text is no refusal but a page about something else.
const LONGEST_REFUSAL: usize = 1024;

impl Pass<'_> {
    pub(super) fn body(&self, class: Class, headers: &HeaderMap, body: &Text) -> String {
        if body.bytes.is_empty() {
            return if body.is_whole { String::new() } else { NOT_KEPT.to_owned() };
        }
        let kind = headers.get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
        let kind = kind.unwrap_or_default();
        let is_plain = |bytes: &Bytes| std::str::from_utf8(bytes).is_ok();
        // Taped bodies are mostly decoded already; what streamed by is not.
        let decoded = Coding::of(headers)
            .filter(|_| !is_plain(&body.bytes))
            .and_then(|coding| coding::decode(coding, &body.bytes, 4 * MOST_BYTES).ok());
        let bytes = decoded.as_ref().unwrap_or(&body.bytes);
        let Ok(text) = std::str::from_utf8(whole_letters(bytes, body.is_whole)) else {
            return self.summary(&kind, bytes);
        };
        let of = |wanted: &str| kind.to_ascii_lowercase().starts_with(wanted);
        if let Some(shown) = self.json(language(class, text), text) {
            return shown;
        }
        if of("text/event-stream") || Opening::of(bytes) == Opening::Events {
            return self.events(class, bytes.slice(..text.len()));
        }
        let is_form = matches!(class, Class::Token | Class::Revoke | Class::Register | Class::Authorize)
            && text.contains('=')
            && !text.trim_start().starts_with(['<', '{', '['])
            && !text.contains(['\n', '<']);
        if body.is_whole && (of("application/x-www-form-urlencoded") || is_form) {
            return self.params(text);
        }
        self.summary(&kind, bytes)
    }

    /// What is told of a body that nobody can read here. What may be in it is looked for elsewhere.
    fn summary(&self, kind: &str, bytes: &[u8]) -> String {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_type = kind.contains('/') && words::is_name(kind) && self.secrets.found_in(kind).is_none();
        let kind = if is_type { kind } else { "unknown type" };
        let text = String::from_utf8_lossy(bytes);
        let summary = format!("({kind}, {} bytes, {})", bytes.len(), self.redactor.hash(&text));
        let shown = if kind.ends_with("html") { page::shown(&text) } else { text.into_owned() };
        let says = self.refusal(&shown);
        // What a refusal says is what it is known by.
        let tells = self.is_refusal.get() && shown.len() <= LONGEST_REFUSAL && !says.starts_with('#');
        if tells { format!("{summary} {says}") } else { summary }
    }

    /// An event stream, line by line; every end of a line stays.
    fn events(&self, class: Class, text: Bytes) -> String {
        let mut out = String::new();
        for event in crate::sse::events(&text) {
            self.event(class, &String::from_utf8_lossy(&event), &mut out);
        }
        out
    }

    fn event(&self, class: Class, event: &str, out: &mut String) {
        let data = crate::sse::data(&Bytes::copy_from_slice(event.as_bytes()));
        let data = data.map(|data| String::from_utf8_lossy(&data).into_owned()).unwrap_or_default();
        let name = crate::sse::field(event.as_bytes(), "event").unwrap_or_default();
        let shown = if name == "endpoint" && !data.trim_start().starts_with(['{', '"']) {
            self.by(Rule::Url, &data)
        } else {
            self.json(language(class, &data), &data).unwrap_or_else(|| match data.trim() {
                "" | "[DONE]" => data.clone(),
                half if half.starts_with('{') => format!("{{{}", self.value(&data)),
                _ => self.value(&data),
            })
        };
        let mut lines = shown.split('\n');
        let mut rest = event;
        while !rest.is_empty() {
            let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
            let line = &rest[..end];
            let tail = rest[end..].strip_prefix("\r\n").or_else(|| rest.get(end + 1..)).unwrap_or_default();
            let (field, value) = line.split_once(':').map_or((line, None), |(field, value)| (field, Some(value)));
            match value {
                Some(value) => {
                    let (blank, value) = value.strip_prefix(' ').map_or(("", value), |value| (" ", value));
                    let shown = self.field(field.trim_start_matches('\u{feff}'), value, &mut lines);
                    out.push_str(&format!("{}:{blank}{shown}", self.name_of_field(field)));
                }
                None if line.is_empty() => {}
                None => out.push_str(&self.name_of_field(field)),
            }
            out.push_str(&rest[end..rest.len() - tail.len()]);
            rest = tail;
        }
    }

    fn name_of_field(&self, field: &str) -> String {
        match field.trim_start_matches('\u{feff}') {
            "" | "data" | "event" | "id" | "retry" => field.to_owned(),
            other => self.redactor.hash(other),
        }
    }

    fn field<'t>(&self, field: &str, value: &str, data: &mut impl Iterator<Item = &'t str>) -> String {
        match field {
            "data" => data.next().unwrap_or_default().to_owned(),
            "event" => self.word(value),
            "retry" if value.len() <= 7 && words::is_number(value) => value.to_owned(),
            "" if value.len() <= 24 && value.bytes().all(|b| b.is_ascii_lowercase() || b" -.".contains(&b)) => {
                self.words(value)
            }
            "id" if value.is_empty() => String::new(),
            _ => self.value(value),
        }
    }
}

fn language(class: Class, text: &str) -> Language {
    if class.has_messages() && is_message(text) { Language::Message } else { Language::OAuth }
}

/// A text that was cut may end in half a letter.
fn whole_letters(bytes: &[u8], is_whole: bool) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if !is_whole && error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

/// Whether a request came with a body, read or not (RFC 9112 section 6).
pub(super) fn has_body(asked: &Asked) -> bool {
    let headers = &asked.headers;
    let is_framed = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    is_framed || !asked.body.bytes.is_empty()
}
