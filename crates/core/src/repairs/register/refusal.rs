//! What the upstream says when it refuses a registration, in whatever form it says it.

use serde_json::Value;
use url::Url;

use crate::edit::page::shown;
use crate::exchange::{Reply, ReplyBody};

/// Members under which servers send back what they were sent, or say when and where: no reasons.
const ECHOES: [&str; 15] = [
    "input",
    "value",
    "received",
    "rejectedvalue",
    "target",
    "request",
    "stack",
    "trace",
    "traceback",
    "instance",
    "timestamp",
    "traceid",
    "trace_id",
    "requestid",
    "request_id",
];

/// Members that hold the words of a refusal, the most telling first.
const TELLING: [&str; 10] =
    ["error_description", "message", "detail", "msg", "errors", "error", "details", "description", "reason", "title"];

/// Everything that a refusal says, in lower case, each text behind the path of its member; `None` when its body was
/// not read.
pub fn words(reply: &Reply) -> Option<String> {
    let mut all = String::new();
    match &reply.body {
        ReplyBody::Json(document) => {
            for name in document.names().into_iter().filter(|name| !is_echo(name)) {
                if let Some(value) = document.get(&name) {
                    tell(&name, &value, &mut all);
                }
            }
        }
        ReplyBody::Text(bytes) => match serde_json::from_slice::<Value>(bytes) {
            Ok(value @ Value::Array(_)) => tell("", &value, &mut all),
            _ => all = shown(&String::from_utf8_lossy(bytes)),
        },
        ReplyBody::Stream if is_empty(reply) => {}
        ReplyBody::Stream | ReplyBody::Empty => return None,
    }
    Some(all.to_lowercase())
}

/// The same for people, without the members that are for programs; empty when nothing is said.
pub fn sentence(reply: &Reply) -> String {
    match &reply.body {
        ReplyBody::Json(document) => TELLING
            .iter()
            .filter_map(|name| document.get(name))
            .map(|value| said(&value))
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| {
                let members = document.names().into_iter().filter_map(|name| Some((document.get(&name)?, name)));
                joined(members.map(|(value, name)| labelled(&name, &value)))
            }),
        ReplyBody::Text(bytes) => match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => said(&value),
            Err(_) => shown(&String::from_utf8_lossy(bytes)),
        },
        ReplyBody::Stream | ReplyBody::Empty => String::new(),
    }
}

/// Whether the head alone says that there is no body.
pub fn is_empty(reply: &Reply) -> bool {
    reply.declared_length() == Some(0)
}

/// Whether the words hold one of these.
pub fn has(words: &str, any: &[&str]) -> bool {
    any.iter().any(|one| words.contains(one))
}

/// Whether the words name this member: as a word of its own, however it is spelled.
pub fn names(words: &str, member: &str) -> bool {
    let spelled = [member.to_owned(), member.replace('_', " "), member.replace('_', "")];
    spelled.iter().any(|name| {
        words.match_indices(name.as_str()).any(|(at, _)| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !words[..at].ends_with(is_part) && !words[at + name.len()..].starts_with(is_part)
        })
    })
}

/// Which of the redirect URIs the words name: by their place in the list, by themselves, or by their scheme.
pub fn named_uris(words: &str, uris: &[String]) -> Vec<usize> {
    let mut named = places(words, uris.len());
    if named.is_empty() {
        named = (0..uris.len()).filter(|&at| quotes(words, &uris[at].to_lowercase())).collect();
    }
    if named.is_empty() {
        let scheme = |uri: &str| Url::parse(uri).ok().map(|uri| uri.scheme().to_owned());
        let of_scheme = |uri: &str| {
            scheme(uri).filter(|scheme| scheme != "http" && scheme != "https").is_some_and(|scheme| {
                [format!("{scheme}:"), format!("'{scheme}'"), format!("\"{scheme}\""), format!("`{scheme}`")]
                    .iter()
                    .any(|form| words.contains(form.as_str()))
            })
        };
        named = (0..uris.len()).filter(|&at| of_scheme(&uris[at])).collect();
    }
    named
}

/// Places in the list, as in `redirect_uris.0`, `redirect_uris[1]` or `/redirect_uris/2`.
fn places(words: &str, count: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, name) in words.match_indices("redirect_uri") {
        let rest = &words[at + name.len()..];
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        let rest = rest.trim_start_matches(['"', '\'']);
        let Some(rest) = rest.strip_prefix(['.', '[', '/']) else { continue };
        let rest = rest.trim_start_matches(['"', '\'']);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if let Ok(place) = rest[..digits].parse::<usize>()
            && place < count
            && !found.contains(&place)
        {
            found.push(place);
        }
    }
    found
}

/// Whether the words hold this URI, and not a longer one that begins with it.
fn quotes(words: &str, uri: &str) -> bool {
    !uri.is_empty()
        && words.match_indices(uri).any(|(at, _)| {
            let mut after = words[at + uri.len()..].chars();
            match after.next() {
                Some('.') => !after.next().is_some_and(|c| c.is_ascii_alphanumeric()),
                Some(c) => !c.is_ascii_alphanumeric() && !"/-_~%?#&=:".contains(c),
                None => true,
            }
        })
}

fn is_echo(name: &str) -> bool {
    ECHOES.contains(&name.to_ascii_lowercase().as_str())
}

fn tell(path: &str, value: &Value, out: &mut String) {
    match value {
        // A kind of problem (RFC 9457 section 3.1.1) is an address, with words that mean nothing here.
        Value::String(text) if path == "type" && text.contains(':') => {}
        Value::String(text) => out.push_str(&format!("{path}: {}\n", shown(text))),
        // The path of a member, as zod and pydantic write it.
        Value::Array(list) if is_path(list) => out.push_str(&format!("{path}: {}\n", path_text(list))),
        Value::Array(list) => list.iter().for_each(|value| tell(path, value, out)),
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| !is_echo(name)) {
                tell(&format!("{path}.{name}"), value, out);
            }
        }
        _ => {}
    }
}

fn is_path(list: &[Value]) -> bool {
    list.iter().any(Value::is_number) && list.iter().all(|step| step.is_number() || step.is_string())
}

fn path_text(list: &[Value]) -> String {
    let steps = list.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
    steps.collect::<Vec<_>>().join(".")
}

fn said(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        Value::Array(list) => joined(list.iter().map(said)),
        Value::Object(members) => {
            let place = ["loc", "path"].iter().find_map(|name| members.get(*name)?.as_array());
            let telling = TELLING.iter().filter_map(|name| members.get(*name)).map(said).find(|text| !text.is_empty());
            match (place, telling) {
                (Some(place), Some(text)) => format!("{}: {text}", path_text(place)),
                (None, Some(text)) => text,
                (_, None) => joined(members.iter().map(|(name, value)| labelled(name, value))),
            }
        }
        _ => String::new(),
    }
}

fn labelled(name: &str, value: &Value) -> String {
    let text = if is_echo(name) { String::new() } else { said(value) };
    if text.is_empty() { text } else { format!("{name}: {text}") }
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn reply(body: &str) -> Reply {
        example::reply(&format!("400\n\n{body}")).unwrap()
    }

    #[test]
    fn every_form_of_refusal_is_read() {
        for (body, sentence_of, names_of) in [
            (r#"{"error":"x","error_description":"no \"y\"\n"}"#, "no \"y\"", "y"),
            (
                r#"{"detail":[{"loc":["body","redirect_uris",0],"msg":"bad","input":{"software_id":"a"}}]}"#,
                "body.redirect_uris.0: bad",
                "redirect_uris",
            ),
            (r#"{"errors":[{"message":"first"},{"message":"second"}]}"#, "first; second", "second"),
            (r#"{"statusCode":400,"message":["a b","c"],"error":"Bad Request"}"#, "a b; c", "bad request"),
            (r#"{"client_name":["required"]}"#, "client_name: required", "client_name"),
            (r#"{"error":{"code":5,"message":"Client Name"}}"#, "Client Name", "client_name"),
            ("<html><head><style>p{}</style></head><body><p>No&nbsp;<b>way</b></p></body>", "No way", "way"),
            ("[{\"message\":\"listed\"}]", "listed", "listed"),
            ("plain\u{7} text", "plain text", "text"),
            (r#"{"type":"https://e.example/software_id","title":"Bad"}"#, "Bad", "title"),
        ] {
            let reply = reply(body);
            assert_eq!(sentence(&reply), sentence_of, "{body}");
            let words = words(&reply).unwrap();
            assert!(names(&words, names_of), "{body}: {words}");
            assert!(!names(&words, "software_id"), "{body}: {words}");
        }
        assert_eq!(words(&example::reply("400").unwrap()), None);
        assert_eq!(words(&example::reply("400\nContent-Length: 0").unwrap()).as_deref(), Some(""));
    }

    #[test]
    fn a_refused_uri_is_recognised() {
        let uris = ["cursor://a/cb", "http://localhost:1/cb", "http://localhost:1/cb2"].map(str::to_owned);
        for (words, named) in [
            ("redirect_uris.0 is not a valid url", vec![0]),
            ("redirect_uris[1]: no", vec![1]),
            ("/redirect_uris/2 must match", vec![2]),
            ("redirect_uris.7", vec![]),
            ("'http://localhost:1/cb' is not allowed", vec![1]),
            ("http://localhost:1/cb2. is not allowed", vec![2]),
            ("the scheme 'cursor' is not allowed", vec![0]),
            ("invalid_redirect_uri", vec![]),
        ] {
            assert_eq!(named_uris(words, &uris), named, "{words}");
        }
    }
}
