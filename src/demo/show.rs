//! What the demo prints of single defects: the list, and what came directly above what came through the proxy.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::client::Answer;
use super::defects::{self, Defect};
use crate::config::settings::wrap;
use crate::terminal::{BAD, GOOD, NAME, QUIET, cut};

const WIDTH: usize = 80;
/// Of a body; a login page has more.
const MOST_LINES: usize = 6;
/// Codes, tokens and secrets of the demo are 43 characters at random; a word as long has no digit and no capital.
const SECRET: usize = 40;
/// The header fields that a defect may be about.
const FIELDS: [&str; 16] = [
    "content-type",
    "mcp-session-id",
    "www-authenticate",
    "x-amzn-remapped-www-authenticate",
    "location",
    "cache-control",
    "x-accel-buffering",
    "content-encoding",
    "content-security-policy",
    "allow",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-allow-credentials",
    "vary",
];

/// What came at an address, and what is wrong with it.
pub(super) struct Seen {
    pub(super) came: Result<Answer, String>,
    pub(super) verdict: Result<(), String>,
}

impl Seen {
    /// Plays a defect at `http://HOST:PORT`.
    pub(super) async fn of(defect: &Defect, base: &str) -> Self {
        let came = defect.visit(base).await;
        let verdict = came.as_ref().map_err(String::clone).and_then(|answer| defect.is_mended(answer));
        Self { came, verdict }
    }
}

fn by_row() -> Vec<&'static Defect> {
    let mut all: Vec<_> = defects::all().collect();
    all.sort_by_key(|defect| defect.row);
    all
}

/// The registry as a list, in the catalogue's order.
#[must_use]
pub fn list() -> String {
    let mut out = String::new();
    let widest = defects::all().map(|defect| defect.name.len()).max().unwrap_or(0);
    for defect in by_row() {
        let indent = widest + 8;
        let lines = wrap(defect.summary, WIDTH.saturating_sub(indent));
        let _ = write!(out, "{NAME}{:widest$}{NAME:#}  {:4}  ", defect.name, defect.row);
        let _ = writeln!(out, "{}", lines.join(&format!("\n{}", " ".repeat(indent))));
    }
    let _ = writeln!(out, "\n{QUIET}mcp-mend demo --defect NAME shows one, and how it is mended.{QUIET:#}");
    out
}

/// The registry as JSON.
#[must_use]
pub fn list_json() -> Value {
    by_row()
        .into_iter()
        .map(|defect| json!({"name": defect.name, "row": defect.row, "summary": defect.summary}))
        .collect()
}

/// One defect, directly and through the proxy.
pub(super) fn defect(defect: &Defect, direct: &str, proxy: &str, before: &Seen, after: &Seen) -> String {
    let mut out = format!("{NAME}{}{NAME:#}  {}\n", defect.name, defect.row);
    let _ = writeln!(out, "  {}", wrap(defect.summary, WIDTH - 2).join("\n  "));
    for (place, base, seen) in [("directly", direct, before), ("through mcp-mend", proxy, after)] {
        let _ = writeln!(out, "\n  {NAME}{place}{NAME:#}  {QUIET}{base}{QUIET:#}");
        match &seen.came {
            Ok(answer) => out.push_str(&text(answer)),
            Err(_) => out.push_str("    nothing that a client can go on with\n"),
        }
        let _ = match &seen.verdict {
            Ok(()) => writeln!(out, "  {GOOD}as it should be{GOOD:#}"),
            Err(wrong) => writeln!(out, "  {BAD}wrong:{BAD:#} {}", cut(&plain(wrong), WIDTH - 9).join("\n         ")),
        };
    }
    out
}

/// What was asked; status, fields and the body's beginning, as far as they matter.
fn text(answer: &Answer) -> String {
    let reason = answer.status.canonical_reason().unwrap_or_default();
    let mut lines = vec![answer.line.clone(), format!("HTTP/1.1 {} {reason}", answer.status.as_u16())];
    for name in FIELDS {
        for value in answer.headers.get_all(name) {
            lines.push(format!("{name}: {}", plain(&String::from_utf8_lossy(value.as_bytes()))));
        }
    }
    if !answer.body.is_empty() {
        lines.push(String::new());
    }
    match std::str::from_utf8(&answer.body) {
        Ok(body) => lines.extend(body.lines().take(MOST_LINES).map(plain)),
        Err(_) => lines.push(format!("({} bytes that are no text)", answer.body.len())),
    }
    let mut out = String::new();
    for line in lines {
        for part in cut(&line, WIDTH - 6) {
            let _ = writeln!(out, "{}", format!("    {part}").trim_end());
        }
    }
    out
}

/// Without secrets, and without what would move a terminal's cursor.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
            word.push(c);
            continue;
        }
        if word.len() >= SECRET && word.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase()) {
            out.extend(word.chars().take(6).chain(['…']));
        } else {
            out.push_str(&word);
        }
        word.clear();
        out.push(if c.is_control() { ' ' } else { c });
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_defect_and_fits() {
        let list = anstream::adapter::strip_str(&list()).to_string();
        assert!(defects::all().all(|defect| list.contains(defect.name) && list.contains(defect.row)));
        assert!(list.lines().all(|line| line.chars().count() <= WIDTH), "{list}");
        assert_eq!(list_json().as_array().unwrap().len(), defects::all().count());
    }

    #[test]
    fn secrets_are_cut() {
        let secret = "aB".repeat(22);
        assert_eq!(plain(&format!("\"t\":\"{secret}\",\x1b[2J")), "\"t\":\"aBaBaB…\", [2J");
        let word = "authorization_response_iss_parameter_supported";
        assert_eq!(plain(word), word);
    }
}
