//! Members of a discovery document that have another type than parsers expect (RFC 8414 section 2, RFC 9728 section 2:
//! a parameter without a value is left out).

use serde_json::{Value, json};
use url::Url;

use crate::edit::json::Object;
use crate::edit::origin::after_origin;

/// Makes a list of what stands for one: a string becomes a list of one, members that are no strings go, and an empty
/// list goes as a whole. Answers whether anything changed.
pub(super) fn list(document: &mut Object, name: &str) -> bool {
    let Some(have) = document.get(name) else { return false };
    let right: Option<Vec<&str>> = match &have {
        Value::Array(members) if members.iter().all(Value::is_string) && !members.is_empty() => return false,
        Value::Array(members) => Some(members.iter().filter_map(Value::as_str).collect()),
        Value::String(text) => Some(text.split([' ', ',']).filter(|word| !word.is_empty()).collect()),
        _ => None,
    };
    match right.filter(|list| !list.is_empty()) {
        Some(list) => document.set(name, json!(list)),
        None => document.remove(name),
    }
    true
}

/// Makes a boolean of a text that means one; anything else that is none goes.
pub(super) fn flag(document: &mut Object, name: &str) -> bool {
    let right = match document.get(name) {
        None | Some(Value::Bool(_)) => return false,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(false),
        Some(_) => None,
    };
    match right {
        Some(flag) => document.set(name, json!(flag)),
        None => document.remove(name),
    }
    true
}

/// Makes a path on the document's own host absolute; an address that is none goes.
pub(super) fn address(document: &mut Object, name: &str, origin: &str) -> bool {
    let text = match document.get(name) {
        None => return false,
        Some(Value::String(text)) => text,
        Some(_) => {
            document.remove(name);
            return true;
        }
    };
    if after_origin(&text).is_some() && Url::parse(&text).is_ok() {
        return false;
    }
    if text.starts_with('/') && !text.starts_with("//") && Url::parse(&format!("{origin}{text}")).is_ok() {
        document.set(name, json!(format!("{origin}{text}")));
    } else {
        document.remove(name);
    }
    true
}

/// Takes out a text that is none, or empty.
pub(super) fn text(document: &mut Object, name: &str) -> bool {
    let is_sound = document.get(name).is_none_or(|value| value.as_str().is_some_and(|text| !text.is_empty()));
    if !is_sound {
        document.remove(name);
    }
    !is_sound
}

/// Takes out a member that is null.
pub(super) fn null(document: &mut Object, name: &str) -> bool {
    let is_null = document.is_null(name);
    if is_null {
        document.remove(name);
    }
    is_null
}
