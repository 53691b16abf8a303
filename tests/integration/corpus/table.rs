//! The table: sections of lines, each a message or what stands for `%` in the section's forms.

use std::collections::BTreeMap;

use super::judge::Request;

/// What must become of a message.
#[derive(Clone)]
pub enum Right {
    /// One of these statuses; 0: closed without one.
    Refuse(Vec<u16>),
    Meaning(Vec<Request>),
    Exactly(Vec<Request>),
}

pub struct Row {
    pub section: String,
    pub right: Right,
    pub bytes: Vec<u8>,
}

type Names<'a> = BTreeMap<&'a str, &'a str>;

/// Every message of the table.
pub fn rows(text: &str) -> Vec<Row> {
    let mut names = Names::new();
    let (mut section, mut right, mut forms) = ("", Right::Refuse(Vec::new()), Vec::new());
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, what)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            (section, right, forms) = (name, expected(what), Vec::new());
        } else if let Some((name, text)) = line.strip_prefix("let ").and_then(|line| line.split_once(' ')) {
            names.insert(name, text);
        } else if let Some(form) = line.strip_prefix("form ") {
            forms.push(form);
        } else {
            let messages = match forms.is_empty() {
                true => vec![line.to_owned()],
                false => forms.iter().map(|form| form.replacen('%', line, 1)).collect(),
            };
            let row = |message: String| Row {
                section: section.to_owned(),
                right: right.clone(),
                bytes: expand(&mut message.as_bytes(), &names),
            };
            rows.extend(messages.into_iter().map(row));
        }
    }
    rows
}

fn expected(what: &str) -> Right {
    let (kind, rest) = what.split_once(' ').unwrap();
    let requests = || rest.split(" ; ").map(request).collect();
    match kind {
        "refuse" => Right::Refuse(rest.split(' ').map(|status| status.parse().unwrap_or(0)).collect()),
        "meaning" => Right::Meaning(requests()),
        "exactly" => Right::Exactly(requests()),
        _ => panic!("{what}"),
    }
}

fn request(text: &str) -> Request {
    let mut parts = text.splitn(3, ' ');
    let (method, target) = (parts.next().unwrap(), parts.next().unwrap());
    let body = expand(&mut parts.next().unwrap_or_default().as_bytes(), &Names::new());
    Request { method: method.to_owned(), target: target.to_owned(), body }
}

/// Undoes escapes and fills in names, up to the end or the brace that closes.
fn expand(text: &mut &[u8], names: &Names<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        *text = rest;
        match first {
            b'}' => break,
            b'{' => bytes.extend(filled(text, names)),
            b'\\' => bytes.push(escaped(text)),
            other => bytes.push(*other),
        }
    }
    bytes
}

fn escaped(text: &mut &[u8]) -> u8 {
    let (code, rest) = text.split_first().unwrap();
    *text = rest;
    match code {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b's' => b' ',
        b'0' => 0,
        b'x' => {
            let (digits, rest) = text.split_at(2);
            *text = rest;
            u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
        }
        other => *other,
    }
}

/// A name's text, or a text so many times.
fn filled(text: &mut &[u8], names: &Names<'_>) -> Vec<u8> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 && text.get(digits) == Some(&b'*') {
        let times: usize = std::str::from_utf8(&text[..digits]).unwrap().parse().unwrap();
        *text = &text[digits + 1..];
        return expand(text, names).repeat(times);
    }
    let end = text.iter().position(|byte| *byte == b'}').unwrap();
    let name = std::str::from_utf8(&text[..end]).unwrap();
    *text = &text[end + 1..];
    let meant = names.get(name).unwrap_or_else(|| panic!("{name} has no text"));
    expand(&mut meant.as_bytes(), names)
}
