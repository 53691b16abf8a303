//! The bytes that show a defect: what came, and what should have come instead. Without secrets.

use http::HeaderName;

use super::verdict::Evidence;
use crate::exchange::edits::Part;
use crate::redact::{self, Message, Redacted, Redactor};
use crate::tape::RecordedExchange;

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
        None => out.extend(of_an_answer(&seen, &evidence.parts)),
    }
    // A bare CR or a byte order mark may be the very defect.
    out.iter().map(|line| cut(&redact::plain(line))).collect::<Vec<_>>().join("\n")
}

fn start(seen: &Redacted) -> String {
    format!("{} {}", seen.asked.method(), seen.asked.path())
}

fn of_an_answer(seen: &Redacted, parts: &[Part]) -> Vec<String> {
    let first = seen.turns.first().and_then(|(_, came)| came.as_ref());
    let before = first.map_or_else(|| vec![(Part::Start, "(no answer)".to_owned())], lines);
    let after = lines(&seen.answered);
    let shown = marked(&of_parts(&before, parts), &of_parts(&after, parts));
    // What another repair has changed back is shown with all else.
    if shown.is_empty() { marked(&before, &after) } else { shown }
}

/// What was refused above what was taken; or what was let in above what should have been said.
fn of_a_request(redactor: &Redactor, refused: &Redacted, taken: &RecordedExchange) -> Vec<String> {
    let taken = redactor.redact(taken);
    let (Some((plain, first)), Some((mended, second))) = (refused.turns.last(), taken.turns.last()) else {
        return of_an_answer(&Redacted { answered: taken.answered, ..refused.clone() }, &[]);
    };
    let mut out = marked(&lines(plain), &lines(mended));
    let status = |came: &Option<Message>| came.as_ref().map_or("(no answer)".to_owned(), |came| came.start.clone());
    out.push(format!("- {}", status(first)));
    out.push(format!("+ {}", status(second)));
    out
}

/// Lines that only the first has, then those that only the second has; what both have says nothing.
fn marked(before: &[Line], after: &[Line]) -> Vec<String> {
    let only = |one: &[Line], other: &[Line], mark: &str| -> Vec<String> {
        let is_there = |line: &str| other.iter().any(|(_, other)| other == line);
        let only = one.iter().filter(|(_, line)| !is_there(line));
        let mut lines: Vec<String> = only.map(|(_, line)| format!("{mark} {line}")).collect();
        if lines.len() > MOST_LINES {
            lines.truncate(MOST_LINES);
            lines.push(format!("{mark} …"));
        }
        lines
    };
    [only(before, after, "-"), only(after, before, "+")].concat()
}

/// A line of a message, and what it is a part of.
type Line = (Part, String);

/// A message line by line; a JSON document member by member, so that one difference is one line.
fn lines(message: &Message) -> Vec<Line> {
    let mut out = vec![(Part::Start, message.start.clone())];
    for (name, value) in message.headers.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str())) {
        let part = HeaderName::try_from(name.as_str()).map_or(Part::Body, Part::Field);
        out.push((part, format!("{name}: {value}")));
    }
    match serde_json::from_str(&message.body) {
        Ok(serde_json::Value::Object(document)) => {
            out.push((Part::Body, "{".to_owned()));
            for (name, value) in document {
                let text = format!("  {}: {value:#}", serde_json::Value::from(name.as_str()));
                let lines = text.lines().enumerate();
                let lines = lines.map(|(at, line)| if at == 0 { line.to_owned() } else { format!("  {line}") });
                out.extend(lines.map(|line| (Part::Member(name.clone()), line.trim_end_matches(',').to_owned())));
            }
            out.push((Part::Body, "}".to_owned()));
        }
        _ => out.extend(message.body.lines().map(|line| (Part::Body, line.to_owned()))),
    }
    out
}

/// The lines of these parts; all lines if no parts are named. Where a member is meant, what is no object is shown as a whole,
/// and where the whole body is meant all members are.
fn of_parts(lines: &[Line], parts: &[Part]) -> Vec<Line> {
    let has_body = parts.contains(&Part::Body);
    let has_member = parts.iter().any(|part| matches!(part, Part::Member(_)));
    let is_meant = |part: &Part| match part {
        _ if parts.is_empty() => true,
        Part::Member(_) if has_body => true,
        Part::Body if has_member => true,
        part => parts.contains(part),
    };
    lines.iter().filter(|(part, _)| is_meant(part)).cloned().collect()
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use http::header::{CACHE_CONTROL, CONTENT_TYPE};

    use super::*;

    fn message(start: &str, cache: &str, body: &str) -> Message {
        let headers = [("content-type", "application/json"), ("cache-control", cache), ("date", start)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Message { start: start.to_owned(), headers, body: body.to_owned() }
    }

    #[test]
    fn a_finding_shows_the_lines_that_it_is_about() {
        let before = lines(&message("401", "public", r#"{"a":1,"b":{"c":[1],"d":1}}"#));
        let after = lines(&message("200", "no-store", r#"{"a":2,"b":{"c":[2],"d":1}}"#));
        let shown = |parts: &[Part]| marked(&of_parts(&before, parts), &of_parts(&after, parts));
        assert_eq!(shown(&[Part::Start]), ["- 401", "+ 200"]);
        assert_eq!(shown(&[Part::Field(CACHE_CONTROL)]), ["- cache-control: public", "+ cache-control: no-store"]);
        assert_eq!(shown(&[Part::Field(CONTENT_TYPE)]), [""; 0]);
        assert_eq!(shown(&[Part::Member("a".into())]), ["-   \"a\": 1", "+   \"a\": 2"]);
        assert_eq!(shown(&[Part::Member("b".into())]), ["-       1", "+       2"]);
        assert_eq!(shown(&[Part::Body]).len(), 4, "both members");
        assert_eq!(shown(&[]).len(), 8, "and the status and the field");
    }

    #[test]
    fn what_was_no_object_is_shown_with_the_member_that_took_its_place() {
        let before = lines(&message("200", "public", "<p>no</p>"));
        let after = lines(&message("200", "public", r#"{"error":"no"}"#));
        let parts = [Part::Member("error".into())];
        let shown = marked(&of_parts(&before, &parts), &of_parts(&after, &parts));
        assert_eq!(shown, ["- <p>no</p>", "+ {", "+   \"error\": \"no\"", "+ }"]);
    }
}
