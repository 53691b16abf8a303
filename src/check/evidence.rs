//! The bytes that show a defect: what came, and what should have come instead. Without secrets.

use super::verdict::Evidence;
use crate::redact::{Message, Redacted, Redactor};
use crate::telemetry::tape::Taped;

/// Of a difference, at most so many lines; a line, at most so long.
const MOST_LINES: usize = 14;
const LONGEST: usize = 400;
/// What says nothing about a defect.
const BESIDE: [&str; 6] =
    ["date", "content-length", "keep-alive", "connection", "transfer-encoding", "accept-encoding"];

/// What was asked; what the server said and what it should have said, the lines that differ marked.
#[must_use]
pub fn text(redactor: &Redactor, evidence: &Evidence) -> String {
    let Some(taped) = &evidence.seen.taped else { return String::new() };
    let seen = redactor.redact(taped);
    let mut out = vec![start(&seen)];
    match evidence.taken.as_ref().and_then(|taken| taken.taped.as_ref()) {
        Some(taken) => out.extend(of_a_request(redactor, &seen, taken)),
        None => out.extend(of_an_answer(&seen)),
    }
    out.iter().map(|line| cut(line)).collect::<Vec<_>>().join("\n")
}

fn start(seen: &Redacted) -> String {
    format!("{} {}", seen.asked.method(), seen.asked.path())
}

fn of_an_answer(seen: &Redacted) -> Vec<String> {
    let first = seen.turns.first().and_then(|(_, came)| came.as_ref());
    let before = first.map_or_else(|| vec!["(no answer)".to_owned()], lines);
    marked(&before, &lines(&seen.answered))
}

/// What was refused above what was taken; or what was let in above what should have been said.
fn of_a_request(redactor: &Redactor, refused: &Redacted, taken: &Taped) -> Vec<String> {
    let taken = redactor.redact(taken);
    let (Some((plain, first)), Some((mended, second))) = (refused.turns.last(), taken.turns.last()) else {
        return of_an_answer(&Redacted { answered: taken.answered, ..refused.clone() });
    };
    let mut out = marked(&lines(plain), &lines(mended));
    let status = |came: &Option<Message>| came.as_ref().map_or("(no answer)".to_owned(), |came| came.start.clone());
    out.push(format!("- {}", status(first)));
    out.push(format!("+ {}", status(second)));
    out
}

/// Lines that only the first has, then those that only the second has; what both have says nothing.
fn marked(before: &[String], after: &[String]) -> Vec<String> {
    let only = |one: &[String], other: &[String], mark: &str| -> Vec<String> {
        let mut lines: Vec<String> =
            one.iter().filter(|line| !other.contains(line)).map(|line| format!("{mark} {line}")).collect();
        if lines.len() > MOST_LINES {
            lines.truncate(MOST_LINES);
            lines.push(format!("{mark} …"));
        }
        lines
    };
    [only(before, after, "-"), only(after, before, "+")].concat()
}

/// A message line by line; a JSON document member by member, so that one difference is one line.
fn lines(message: &Message) -> Vec<String> {
    let mut out = vec![message.start.clone()];
    let fields = message.headers.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str()));
    out.extend(fields.map(|(name, value)| format!("{name}: {value}")));
    match serde_json::from_str::<serde_json::Value>(&message.body) {
        Ok(document) if document.is_object() => {
            out.extend(format!("{document:#}").lines().map(|line| line.trim_end_matches(',').to_owned()));
        }
        _ => out.extend(message.body.lines().map(str::to_owned)),
    }
    out
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}
