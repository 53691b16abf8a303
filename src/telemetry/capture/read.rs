//! Reading a capture back. Pure.

use std::sync::Arc;

use super::form::{
    ANSWER, ANSWERED, ASKED, Capture, EXCHANGE, Entry, FIRST_LINE, Head, KNOWN, NOTE, REQUEST, Recorded,
};
use super::{form, known};
use crate::edit::origin::Origin;
use crate::exchange::Facts;
use crate::redact::Message;
use crate::repair::Mode;
use crate::seal::SealKeys;
use crate::tape::SiteFacts;

/// Reads a whole capture.
///
/// # Errors
/// What is wrong, with the line.
pub fn capture(text: &str) -> Result<Capture, String> {
    let mut lines = Lines { all: text.split('\n').collect(), at: 0 };
    if lines.next() != Some(FIRST_LINE) {
        return Err(format!("line 1: a capture begins with `{FIRST_LINE}`"));
    }
    let head = head(&mut lines)?;
    let mut entries = Vec::new();
    while let Some(line) = lines.peek() {
        if line.is_empty() {
            lines.at += 1;
            continue;
        }
        let rest = line.strip_prefix(EXCHANGE).ok_or_else(|| lines.wrong("an exchange begins with `=== `"))?;
        lines.at += 1;
        match rest.strip_prefix(NOTE) {
            Some(at) => entries.push(Entry::Note { at: at.to_owned(), text: lines.body(false).join("\n") }),
            None => entries.push(Entry::Exchange(Box::new(exchange(rest, &mut lines)?))),
        }
    }
    Ok(Capture { head, entries })
}

struct Lines<'a> {
    all: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.all.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let line = self.peek()?;
        self.at += 1;
        Some(line)
    }

    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.at + 1)
    }

    /// `name: value` lines up to a blank line or a heading.
    fn pairs(&mut self) -> Result<Vec<(&'a str, &'a str)>, String> {
        let mut pairs = Vec::new();
        while let Some(line) = self.peek() {
            if line.is_empty() || is_heading(line) {
                break;
            }
            let pair = line.split_once(':').ok_or_else(|| self.wrong("this is no `name: value`"))?;
            pairs.push((pair.0, pair.1.strip_prefix(' ').unwrap_or(pair.1)));
            self.at += 1;
        }
        Ok(pairs)
    }

    /// The lines up to the next heading; the line end before that is not theirs.
    fn body(&mut self, is_escaped: bool) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(line) = self.peek().filter(|line| !is_heading(line)) {
            let line = line.strip_prefix('\\').unwrap_or(line);
            found.push(if is_escaped { form::unescaped(line) } else { line.to_owned() });
            self.at += 1;
        }
        // A blank line stands before an exchange, and nothing behind the last line end.
        let is_last = self.peek().is_none_or(|line| line.starts_with(EXCHANGE));
        if is_last && found.last().is_some_and(String::is_empty) {
            found.pop();
        }
        found
    }
}

fn is_heading(line: &str) -> bool {
    line.starts_with(EXCHANGE) || line.starts_with("--- ")
}

fn head(lines: &mut Lines<'_>) -> Result<Head, String> {
    let start = lines.at;
    let pairs = lines.pairs()?;
    let find = |name: &str| {
        let found = pairs.iter().find(|(have, _)| *have == name).map(|(_, value)| *value);
        found.ok_or_else(|| format!("line {}: the head of the capture has no `{name}`", start + 1))
    };
    // Captures from before sites were told apart do not name theirs.
    let site = match find("site").or_else(|_| find("public"))? {
        "" => None,
        name => Some(Arc::new(site(name, find)?)),
    };
    Ok(Head {
        version: find("version")?.to_owned(),
        site,
        flow: find("flow")?.parse().map_err(|_| "the flow is a number")?,
        began: find("began")?.to_owned(),
        client: find("client")?.to_owned(),
        agent: find("agent")?.to_owned(),
    })
}

fn site<'a>(name: &str, find: impl Fn(&str) -> Result<&'a str, String>) -> Result<SiteFacts, String> {
    let origin = |text: &str| Origin::exactly(text).map_err(|error| format!("`{text}` in the head: {error}"));
    let words = |name| find(name).map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let modes = words("modes")?.into_iter().map(|pair| {
        let (id, mode) = pair.split_once('=').ok_or("a mode is written ID=MODE")?;
        Ok((id.to_owned(), mode.parse::<Mode>().map_err(|()| "a mode is off, observe or fix")?))
    });
    Ok(SiteFacts {
        name: name.to_owned(),
        facts: Facts {
            public: origin(find("public")?)?,
            upstream: origin(find("upstream")?)?,
            mcp_path: find("mcp_path")?.to_owned(),
            origins: words("origins")?.iter().map(|text| origin(text)).collect::<Result<_, _>>()?,
            loopback_origins: find("loopback_origins")? == "true",
            scopes: words("scopes")?,
            // What was sealed is written anew with this key, without its secrets (`redact/headers.rs`).
            seal: SealKeys::known_to_all(),
        },
        modes: modes.collect::<Result<_, &str>>()?,
    })
}

fn exchange(heading: &str, lines: &mut Lines<'_>) -> Result<Recorded, String> {
    let mut words = heading.split(' ');
    let number = words.next().and_then(|word| word.parse().ok()).ok_or_else(|| lines.wrong("no number above"))?;
    let mut recorded = Recorded { number, at: words.next().unwrap_or_default().to_owned(), ..Recorded::default() };
    for (name, value) in lines.pairs()? {
        let number = || value.parse::<u64>().map_err(|_| format!("`{name}: {value}` is no number"));
        match name {
            "client" => recorded.client = value.to_owned(),
            "class" => recorded.class = value.to_owned(),
            "first_byte_ms" => recorded.first_byte_ms = number()?,
            "total_ms" => recorded.total_ms = number()?,
            "bytes" => recorded.bytes = number()?,
            "ending" => recorded.ending = Some(value.to_owned()),
            "expired" => recorded.is_expired = value == "yes",
            "untouched" => recorded.untouched = Some(value.to_owned()),
            "refused" => {
                recorded.refused = value.split_once(' ').map(|(name, fault)| (name.to_owned(), fault.to_owned()));
            }
            "fired" => {
                let mut parts = value.splitn(3, ' ');
                let mut next = || parts.next().unwrap_or_default().to_owned();
                recorded.fired.push((next(), next(), next()));
            }
            _ => return Err(format!("line {}: `{name}` is unknown", lines.at)),
        }
    }
    sections(&mut recorded, lines)?;
    Ok(recorded)
}

fn sections(recorded: &mut Recorded, lines: &mut Lines<'_>) -> Result<(), String> {
    while let Some(title) = lines.peek().and_then(|line| line.strip_prefix("--- ")) {
        lines.at += 1;
        let (title, is_escaped) = match title.strip_suffix(form::ESCAPED) {
            Some(title) => (title, true),
            None => (title, false),
        };
        let text = lines.body(is_escaped).join("\n");
        match title {
            KNOWN => recorded.known = Some(known::read(&text).map_err(|error| lines.wrong(&error))?),
            REQUEST => recorded.asked = message(&text),
            ANSWERED => recorded.answered = message(&text),
            _ if title.starts_with(ASKED) => recorded.turns.push((message(&text), None)),
            _ if title.starts_with(ANSWER) => match recorded.turns.last_mut() {
                Some((_, came)) => *came = Some(message(&text)),
                None => return Err(lines.wrong("an answer before what was asked")),
            },
            _ => return Err(lines.wrong(&format!("no section is called `{title}`"))),
        }
    }
    Ok(())
}

fn message(text: &str) -> Message {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let start = lines.next().unwrap_or_default().to_owned();
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned())
    };
    Message { start, headers: lines.map(pair).collect(), body: body.to_owned() }
}
