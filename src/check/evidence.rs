//! The bytes that show a defect: what came, and what should have come instead.

use http::HeaderMap;

use super::verdict::Evidence;
use crate::telemetry::tape::{Asked, Came, Taped};

/// Of a body, at most so many lines.
const MOST_LINES: usize = 12;

/// What was asked; what the server said and what it should have said, the lines that differ marked.
#[must_use]
pub fn text(evidence: &Evidence) -> String {
    let Some(taped) = &evidence.seen.taped else { return String::new() };
    let mut out = vec![format!("{} {}", taped.asked.method, taped.asked.target.path())];
    match &evidence.taken {
        Some(taken) => out.extend(of_a_request(taped, taken.taped.as_ref())),
        None => out.extend(of_an_answer(taped)),
    }
    out.join("\n")
}

fn of_an_answer(taped: &Taped) -> Vec<String> {
    let before = taped.turns.first().and_then(|turn| turn.came.as_ref()).map(lines).unwrap_or_default();
    marked(&before, &lines(&taped.answered))
}

fn of_a_request(refused: &Taped, taken: Option<&Taped>) -> Vec<String> {
    let status = |taped: &Taped| {
        taped.turns.last().and_then(|turn| turn.came.as_ref()).map_or(taped.answered.status, |came| came.status)
    };
    let asked = |taped: &Taped| taped.turns.last().map(|turn| asked_lines(&turn.asked)).unwrap_or_default();
    let Some(taken) = taken else { return Vec::new() };
    let mut out = marked(&asked(refused), &asked(taken));
    out.push(format!("- {}", status(refused).as_u16()));
    out.push(format!("+ {}", status(taken).as_u16()));
    out
}

/// Lines that only the first has, that both have, that only the second has.
fn marked(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

fn lines(came: &Came) -> Vec<String> {
    let mut out = vec![came.status.as_u16().to_string()];
    out.extend(fields(&came.headers));
    out.extend(String::from_utf8_lossy(&came.body.bytes).lines().take(MOST_LINES).map(str::to_owned));
    out
}

fn asked_lines(asked: &Asked) -> Vec<String> {
    let mut out = vec![format!("{} {}", asked.method, asked.target.path())];
    out.extend(fields(&asked.headers));
    out
}

fn fields(headers: &HeaderMap) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect()
}
