//! What an answer says that is no success, in whatever form: its code, its words, and what it means in RFC 6749's own.

use http::StatusCode;
use serde_json::Value;

use super::words::{is_about_client, tells_of_taking};
use crate::edit::page;
use crate::exchange::{Reply, ReplyBody};

/// The codes of RFC 6749 section 5.2 and of the documents that add to them.
const REGISTERED: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "unsupported_token_type",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
    "authorization_pending",
    "slow_down",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "interaction_required",
    "login_required",
    "consent_required",
];

/// Members that are written for people, in the forms that frameworks give their errors.
const FOR_PEOPLE: &[&str] =
    &["error_description", "errorDescription", "message", "detail", "msg", "description", "title", "reason", "hint"];

/// More than this is no description but a page.
const LONGEST: usize = 240;

/// Signs that the endpoint did not find in the body what was in it.
const UNREAD: &[&str] =
    &["missing", "required", "json", "parse", "content type", "media type", "undefined", "not provided", "unsupported"];

/// What an answer says.
pub(super) struct Said {
    /// `error`, if it is a code.
    code: Option<String>,
    /// The code that the answer amounts to.
    pub(super) meant: String,
    /// For people: cut, without control characters.
    pub(super) description: String,
    /// Whether the description is the upstream's.
    pub(super) is_described: bool,
    /// What it says, sentence by sentence, in lower case with blanks for `_` and `-`.
    sentences: Vec<String>,
}

impl Said {
    /// `None` if the body was not read.
    pub(super) fn by(reply: &Reply) -> Option<Self> {
        Self::under(reply, reply.status)
    }

    /// As [`Self::by`], if the answer had this status.
    pub(super) fn under(reply: &Reply, status: StatusCode) -> Option<Self> {
        let (mut all, mut for_people) = (Vec::new(), Vec::new());
        let mut code = None;
        match &reply.body {
            ReplyBody::Json(document) => {
                for name in document.names() {
                    let Some(value) = document.get(&name) else { continue };
                    gather(&name, &value, &mut all, &mut for_people);
                }
                code = document.text("error").filter(|text| is_code(text));
            }
            ReplyBody::Text(bytes) => all.push(cut(&clean(&page::shown(&String::from_utf8_lossy(bytes))))),
            ReplyBody::Stream if reply.declared_length() == Some(0) => {}
            ReplyBody::Stream | ReplyBody::Empty => return None,
        }
        let sentences: Vec<String> = all.iter().flat_map(|text| sentences(text)).collect();
        let meant = match &code {
            Some(code) => code.clone(),
            None => meaning(status, &all, &sentences).to_owned(),
        };
        let described = if for_people.is_empty() { &all } else { &for_people };
        let mut words: Vec<&str> = Vec::new();
        for text in described.iter().map(String::as_str) {
            if !text.is_empty() && !words.contains(&text) && Some(text) != code.as_deref() {
                words.push(text);
            }
        }
        let mut description = cut(&words.join("; "));
        let is_described = !description.is_empty();
        if !is_described {
            description = format!("The server answered {} without a reason", status.as_u16());
        }
        Some(Self { code, meant, description, is_described, sentences })
    }

    /// Whether this is an error in the form of RFC 6749, with a code of whatever name.
    pub(super) fn has_code(&self) -> bool {
        self.code.is_some()
    }

    /// Whether the code is one that has a meaning to every client.
    pub(super) fn has_registered_code(&self) -> bool {
        self.code.as_deref().is_some_and(|code| REGISTERED.contains(&code))
    }

    /// Whether a sentence holds one of these words.
    pub(super) fn mentions(&self, words: &[&str]) -> bool {
        self.sentences.iter().any(|sentence| words.iter().any(|word| sentence.contains(word)))
    }

    /// Whether a sentence is as asked for.
    pub(super) fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        self.sentences.iter().any(|sentence| is(sentence))
    }

    /// Whether all that is said is made of these phrases, if anything is: pages say it in the title and again. Of two
    /// that begin alike the longer one is to be first.
    pub(super) fn says_only(&self, phrases: &[&str]) -> bool {
        self.sentences.iter().all(|sentence| {
            let mut rest = sentence.as_str();
            while let Some(behind) = phrases.iter().find_map(|phrase| behind(rest, phrase)) {
                rest = behind;
            }
            rest.is_empty()
        })
    }

    /// Whether anything tells of a code or a token that was taken: then the upstream is asked no more.
    pub(super) fn tells_of_taking(&self) -> bool {
        self.any(tells_of_taking)
    }

    /// Whether the endpoint seems not to have read the body, or lacks something in it.
    pub(super) fn lacks_something(&self) -> bool {
        self.mentions(UNREAD)
    }
}

/// What is left behind a phrase, if it ends with a word.
fn behind<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(phrase)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// Whether a text may stand for an error code: no sentence, no reason phrase.
fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
}

fn meaning(status: StatusCode, all: &[String], sentences: &[String]) -> &'static str {
    if let Some(code) = REGISTERED.iter().find(|code| all.iter().any(|text| text == *code)) {
        return code;
    }
    match status {
        StatusCode::UNAUTHORIZED if sentences.iter().any(|sentence| is_about_client(sentence)) => "invalid_client",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        status if status.is_client_error() => "invalid_request",
        _ => "server_error",
    }
}

fn gather(name: &str, value: &Value, all: &mut Vec<String>, for_people: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let text = clean(text);
            if FOR_PEOPLE.contains(&name) {
                for_people.push(text.clone());
            }
            all.push(text);
        }
        Value::Array(list) => list.iter().for_each(|value| gather(name, value, all, for_people)),
        Value::Object(members) => members.iter().for_each(|(name, value)| gather(name, value, all, for_people)),
        _ => {}
    }
}

/// Text without control characters and what RFC 6749 section 5.2 forbids in a description.
fn clean(text: &str) -> String {
    page::collapsed(text).replace('"', "'").replace('\\', "/")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text[..end].trim_end().to_owned(),
        None => text.to_owned(),
    }
}

/// The sentences of a text, in lower case with blanks for `_` and `-`.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = String> {
    text.split(['.', ';', '\n']).map(|part| part.trim().to_ascii_lowercase().replace(['_', '-'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn said(reply: &str) -> Said {
        Said::by(&example::reply(reply).unwrap()).unwrap()
    }

    #[test]
    fn reads_errors_in_every_form() {
        for (reply, meant, description) in [
            ("400\n\n{\"error\":\"own_code\",\"error_description\":\"d\"}", "own_code", "d"),
            (
                "422\n\n{\"detail\":[{\"loc\":[\"body\",\"code\"],\"msg\":\"Field required\"}]}",
                "invalid_request",
                "Field required",
            ),
            ("400\n\n{\"error\":{\"code\":\"invalid_grant\",\"message\":\"a\\nb\"}}", "invalid_grant", "a b"),
            (
                "400\n\n{\"errors\":[{\"message\":\"a\"},{\"message\":\"b\"},{\"message\":\"a\"}]}",
                "invalid_request",
                "a; b",
            ),
            ("400\n\n{\"error\":\"Bad Request\",\"statusCode\":400}", "invalid_request", "Bad Request"),
            ("500\n\n<html><style>p{}</style><h1>Oh</h1>\n<p>\"no\\\"</p></html>", "server_error", "Oh 'no/'"),
            ("503\n\nbusy", "temporarily_unavailable", "busy"),
            ("429\nContent-Length: 0", "temporarily_unavailable", "The server answered 429 without a reason"),
            ("401\n\n{\"message\":\"Client refused\"}", "invalid_client", "Client refused"),
            ("401\n\n{\"message\":\"Redis client not found\"}", "invalid_request", "Redis client not found"),
        ] {
            let said = said(reply);
            assert_eq!((said.meant.as_str(), said.description.as_str()), (meant, description), "{reply}");
        }
        let long = said(&format!("400\n\n{}", "ä".repeat(1000)));
        assert_eq!(long.description.chars().count(), LONGEST);
        assert!(Said::by(&example::reply("400").unwrap()).is_none());
    }
}
