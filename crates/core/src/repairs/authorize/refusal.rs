//! Why an authorization request was refused: in a redirect, a JSON answer or a page.

use http::StatusCode;
use serde_json::Value;

use super::{Cut, is_get, location};
use crate::edit::{page, params};
use crate::exchange::{Reply, ReplyBody, Request};

/// A GET that was refused, as far as the head tells: by a redirect with `error`, or a 400.
pub(super) fn is_refused(request: &Request, reply: &Reply) -> bool {
    is_get(request)
        && (reply.status == StatusCode::BAD_REQUEST
            || location(reply).and_then(|location| response_of(&Cut::of(location))).is_some())
}

/// The error response in a redirect.
fn response_of<'a>(cut: &Cut<'a>) -> Option<&'a str> {
    [cut.query, cut.fragment].into_iter().flatten().find(|text| params::has(text, "error"))
}

/// Why the upstream refused a request.
pub(super) struct Refusal {
    /// The error code, where it stands in a place of its own.
    pub(super) code: Option<String>,
    /// Everything that it says, in lower case.
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        if let Some(location) = location(reply) {
            let cut = Cut::of(location);
            let response = response_of(&cut)?;
            let value = |name: &str| params::get(response, name).map(|value| value.to_ascii_lowercase());
            return Some(Self { code: value("error"), text: value("error_description").unwrap_or_default() });
        }
        if reply.status != StatusCode::BAD_REQUEST {
            return None;
        }
        match &reply.body {
            ReplyBody::Json(document) => {
                let mut text = String::new();
                // The address of the request is no reason, although it may be told (and with it every parameter).
                let reasons = document.names().into_iter().filter(|name| name != "error_uri" && name != "state");
                reasons.filter_map(|name| document.get(&name)).for_each(|value| collect(&value, &mut text));
                Some(Self { code: document.text("error"), text: text.to_ascii_lowercase() })
            }
            ReplyBody::Text(_) => Some(Self { code: None, text: page::shown(reply.text()?).to_ascii_lowercase() }),
            ReplyBody::Stream | ReplyBody::Empty => None,
        }
    }

    /// Whether this is the error code, or, in a page, is named.
    pub(super) fn is(&self, code: &str) -> bool {
        self.code.as_deref().map_or_else(|| self.names(code), |have| have == code)
    }

    /// Whether the reasons name this word as a whole.
    pub(super) fn names(&self, word: &str) -> bool {
        let is_inside =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
        let text = self.text.as_bytes();
        self.text.match_indices(word).any(|(at, word)| {
            !is_inside(at.checked_sub(1).and_then(|before| text.get(before))) && !is_inside(text.get(at + word.len()))
        })
    }
}

/// All the texts in a value.
fn collect(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, out)),
        Value::Object(members) => members.values().for_each(|value| collect(value, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn reply(text: &str) -> Reply {
        example::reply(text).unwrap()
    }

    #[test]
    fn reads_every_form_of_a_refusal() {
        for (text, code, word, named) in [
            ("302\nLocation: https://c/cb?error=invalid_scope&error_description=a+b", "invalid_scope", "b", true),
            ("302\nLocation: https://c/cb#error=invalid_scope", "invalid_scope", "b", false),
            ("303\nLocation: /error?error=invalid_scope", "invalid_scope", "b", false),
            (
                "400\n\n{\"error\":\"invalid_scope\",\"error_description\":\"Bad: Prompt\"}",
                "invalid_scope",
                "prompt",
                true,
            ),
            ("400\n\n{\"detail\":[{\"msg\":\"invalid_scope: prompt\"}]}", "invalid_scope", "prompt", true),
            ("400\n\n<html nonce=\"x\"><p>invalid_scope</p>prompt=none", "invalid_scope", "prompt", true),
            ("400\n\n<html nonce=\"x\"><p>invalid_scope</p>", "invalid_scope", "nonce", false),
            ("400\n\ninvalid_scopes", "invalid_request", "invalid_scope", false),
        ] {
            let refusal = Refusal::of(&reply(text)).unwrap();
            assert_eq!(refusal.is("invalid_scope"), code == "invalid_scope", "{text}");
            assert_eq!(refusal.names(word), named, "{text}");
        }
        for text in ["302\nLocation: https://c/cb?code=1", "404\n\ninvalid_scope", "400", "200\n\ninvalid_scope"] {
            assert!(Refusal::of(&reply(text)).is_none(), "{text}");
        }
    }
}
