//! What an answer says of a refusal: the part of its body that is for people.

use serde_json::Value;

use super::words::{self, LONGEST};
use crate::edit::json::Object;
use crate::exchange::{Reply, ReplyBody};

/// Members nested deeper than this are nobody's error message.
const DEEPEST: usize = 6;

/// Members that hold what is said of an error: OAuth, JSON-RPC, RFC 9457, and what frameworks write.
const SAYING: &str = "error errors error_description error_message errormessage message msg detail details description \
                      title reason code type data status fault faultstring cause hint loc";

/// What the body of an answer says, if it was read: of JSON the members that speak of an error, else the text.
#[must_use]
pub fn of(reply: &Reply) -> Option<String> {
    match &reply.body {
        ReplyBody::Json(object) => Some(of_object(object)),
        ReplyBody::Text(bytes) => Some(String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes)).into_owned()),
        ReplyBody::Stream if reply.declared_length() == Some(0) => Some(String::new()),
        ReplyBody::Empty => Some(String::new()),
        ReplyBody::Stream => None,
    }
}

/// Whether a JSON-RPC error is one of the message itself (JSON-RPC 2.0 section 5.1), or of the work on it: a tool's own
/// tokens and logins may be meant.
#[must_use]
pub fn is_about_the_message(reply: &Reply) -> bool {
    /// What is said of the message: no JSON, no such method, wrong parameters.
    const OF_THE_MESSAGE: [&str; 3] = ["-32700", "-32601", "-32602"];
    const OF_THE_WORK: &str = "-32603";
    match &reply.body {
        ReplyBody::Json(object) => {
            let nested = object.get("error").and_then(|error| error.get("code").cloned());
            [nested, object.get("code")].into_iter().flatten().any(|code| {
                let code = code.to_string();
                let code = code.trim_matches('"');
                OF_THE_MESSAGE.contains(&code) || (code == OF_THE_WORK && !words::is_bare(&of_object(object)))
            })
        }
        // A batch, or an event.
        ReplyBody::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes));
            text.contains(OF_THE_WORK) || OF_THE_MESSAGE.iter().any(|code| text.contains(code))
        }
        ReplyBody::Stream | ReplyBody::Empty => false,
    }
}

fn of_object(object: &Object) -> String {
    let mut text = String::new();
    for name in object.names().iter().filter(|name| is_saying(name)) {
        if let Some(value) = object.get(name) {
            collect(&value, DEEPEST, &mut text);
        }
    }
    text
}

fn is_saying(name: &str) -> bool {
    SAYING.split(' ').any(|saying| name.eq_ignore_ascii_case(saying))
}

fn collect(value: &Value, deepest: usize, text: &mut String) {
    if deepest == 0 || text.len() > LONGEST {
        return;
    }
    match value {
        Value::String(said) => {
            text.push_str(said);
            text.push('\n');
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, deepest - 1, text)),
        Value::Object(members) => {
            for (_, value) in members.iter().filter(|(name, _)| is_saying(name)) {
                collect(value, deepest - 1, text);
            }
        }
        _ => {}
    }
}

/// What a body of this text would say.
#[cfg(test)]
pub(super) fn of_text(body: &str) -> String {
    let object = Object::parse(bytes::Bytes::copy_from_slice(body.as_bytes()));
    object.map_or_else(|_| body.to_owned(), |object| of_object(&object))
}
