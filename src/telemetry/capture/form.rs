//! How a capture is written: the text form of the examples (`example.rs`), with a head and headings.
//!
//! ```text
//! mcp-mend capture 1
//! version: 0.1.0
//! site: https://mcp.example.com
//! public: https://mcp.example.com
//! upstream: http://localhost:3000
//! mcp_path: /mcp
//! origins: https://claude.ai https://claude.com
//! loopback_origins: false
//! scopes:
//! modes: stream.silence=off
//! flow: 3
//! began: 2026-11-24T10:11:12.123Z
//! client: 203.0.113.7
//! agent: python-httpx/0.28.1
//!
//! === 12 2026-11-24T10:11:12.123Z POST register 201 12ms
//! client: 203.0.113.7
//! class: register
//! first_byte_ms: 10
//! total_ms: 12
//! bytes: 310
//! ending: whole
//! fired: register.secret-expiry fix a fraction as client_secret_expires_at
//! --- known
//! {"issuer":"http://localhost:3000", …}
//! --- request
//! POST /register
//! content-type: application/json
//!
//! {"redirect_uris":["https://claude.ai/api/mcp/auth_callback"]}
//! --- asked 1
//! …
//! --- answer 1
//! 201
//! …
//! --- answered
//! 201
//! …
//! === note 2026-11-24T10:12:12.000Z
//! registered, then nothing: the authorize page was never opened
//! ```
//!
//! `site`, as it is called in logs, and what follows up to `modes` are of the one site that all exchanges in the file belong
//! to; where requests were for no site, `site` is empty and these lines are not there. Captures from before have no `site`.
//! `modes` has what is not the default. `known` is there when it is not what it was at the exchange before. `expired: yes`
//! says that the bearer token was a JWT whose time was over; `untouched` and `refused` (name, whose fault) are there if
//! they apply. A line of a section that would be taken for a heading, or begins with a backslash, has a backslash before
//! it. A section with control characters says ` (escaped)` in its title and writes them as `\r` and `\u{1b}`, a
//! backslash as `\\`. Values that were taken out are `#` and eight hexadecimal digits (`redact.rs`).

use std::fmt::Write as _;
use std::sync::Arc;

use super::known;
use crate::knowledge::Knowledge;
use crate::redact::{Message, Redacted};
use crate::tape::SiteFacts;
use crate::telemetry::stamp;

pub(super) const FIRST_LINE: &str = "mcp-mend capture 1";
pub(super) const EXCHANGE: &str = "=== ";
pub(super) const NOTE: &str = "note ";
pub(super) const KNOWN: &str = "known";
pub(super) const REQUEST: &str = "request";
pub(super) const ASKED: &str = "asked ";
pub(super) const ANSWER: &str = "answer ";
pub(super) const ANSWERED: &str = "answered";
pub(super) const ESCAPED: &str = " (escaped)";

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    pub head: Head,
    pub entries: Vec<Entry>,
}

/// What holds for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub version: String,
    /// The site of all exchanges; `None`: they were for no site.
    pub site: Option<Arc<SiteFacts>>,
    pub flow: u64,
    pub began: String,
    pub client: String,
    pub agent: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Exchange(Box<Recorded>),
    /// Something that was said of the flow.
    Note {
        at: String,
        text: String,
    },
}

/// One exchange as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    pub number: u64,
    pub at: String,
    pub client: String,
    pub class: String,
    pub first_byte_ms: u64,
    pub total_ms: u64,
    pub bytes: u64,
    pub ending: Option<String>,
    pub is_expired: bool,
    pub untouched: Option<String>,
    pub refused: Option<(String, String)>,
    /// Id, mode and what was found.
    pub fired: Vec<(String, String, String)>,
    /// What was known of the upstream, where that has changed.
    pub known: Option<Knowledge>,
    pub asked: Message,
    pub turns: Vec<(Message, Option<Message>)>,
    pub answered: Message,
}

impl Head {
    #[must_use]
    pub fn write(&self) -> String {
        let site = self.site.as_deref().map_or_else(|| "site:\n".to_owned(), site);
        format!(
            "{FIRST_LINE}\nversion: {}\n{site}flow: {}\nbegan: {}\nclient: {}\nagent: {}\n",
            self.version,
            self.flow,
            self.began,
            self.client,
            one_line(&self.agent),
        )
    }
}

/// The lines of a head that say what a site is.
fn site(site: &SiteFacts) -> String {
    let SiteFacts { name, facts, modes } = site;
    let origins: Vec<&str> = facts.origins.iter().map(crate::edit::origin::Origin::as_str).collect();
    let modes: Vec<String> = modes.iter().map(|(id, mode)| format!("{id}={mode}")).collect();
    format!(
        "site: {name}\npublic: {}\nupstream: {}\nmcp_path: {}\norigins: {}\nloopback_origins: {}\nscopes: {}\n\
         modes: {}\n",
        facts.public,
        facts.upstream,
        facts.mcp_path,
        origins.join(" "),
        facts.loopback_origins,
        facts.scopes.join(" "),
        modes.join(" "),
    )
}

impl Entry {
    #[must_use]
    pub fn write(&self) -> String {
        match self {
            Self::Exchange(recorded) => recorded.write(),
            Self::Note { at, text } => format!("\n{EXCHANGE}{NOTE}{at}\n{}\n", lines(text)),
        }
    }
}

impl Recorded {
    /// What is written of an exchange. `is_news` tells whether what was known has to be written.
    #[must_use]
    pub fn of(redacted: &Redacted, is_news: bool) -> Self {
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let fired =
            |fired: &crate::plan::Fired| (fired.id.to_owned(), fired.mode.to_string(), one_line(&fired.finding.what));
        Self {
            number: redacted.number,
            at: stamp(redacted.began),
            client: redacted.client.to_string(),
            class: redacted.class.name().to_owned(),
            first_byte_ms: ms(redacted.first_byte),
            total_ms: ms(redacted.total),
            bytes: redacted.bytes,
            ending: redacted.ending.map(|ending| ending.name().to_owned()),
            is_expired: redacted.signs.is_expired,
            untouched: redacted.untouched.map(|why| why.name().to_owned()),
            refused: redacted.refused.map(|(name, fault)| (name.to_owned(), fault.to_owned())),
            fired: redacted.fired.iter().map(fired).collect(),
            known: is_news.then(|| (*redacted.known).clone()),
            asked: redacted.asked.clone(),
            turns: redacted.turns.clone(),
            answered: redacted.answered.clone(),
        }
    }

    #[must_use]
    pub fn write(&self) -> String {
        let mut out = format!(
            "\n{EXCHANGE}{} {} {} {} {} {}ms\n",
            self.number,
            self.at,
            self.asked.method(),
            self.class,
            self.answered.start,
            self.total_ms
        );
        let mut pair = |name: &str, value: &str| {
            let _ = writeln!(out, "{name}: {value}");
        };
        pair("client", &self.client);
        pair("class", &self.class);
        pair("first_byte_ms", &self.first_byte_ms.to_string());
        pair("total_ms", &self.total_ms.to_string());
        pair("bytes", &self.bytes.to_string());
        if let Some(ending) = &self.ending {
            pair("ending", ending);
        }
        if self.is_expired {
            pair("expired", "yes");
        }
        if let Some(why) = &self.untouched {
            pair("untouched", why);
        }
        if let Some((name, fault)) = &self.refused {
            pair("refused", &format!("{name} {fault}"));
        }
        for (id, mode, what) in &self.fired {
            pair("fired", &format!("{id} {mode} {what}"));
        }
        if let Some(known) = &self.known {
            section(&mut out, KNOWN, &known::write(known));
        }
        section(&mut out, REQUEST, &self.asked.text());
        for (index, (asked, came)) in self.turns.iter().enumerate() {
            section(&mut out, &format!("{ASKED}{}", index + 1), &asked.text());
            if let Some(came) = came {
                section(&mut out, &format!("{ANSWER}{}", index + 1), &came.text());
            }
        }
        section(&mut out, ANSWERED, &self.answered.text());
        out
    }
}

fn section(out: &mut String, title: &str, text: &str) {
    let is_odd = text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    let text = if is_odd { escaped(text) } else { text.to_owned() };
    let _ = writeln!(out, "--- {title}{}\n{}", if is_odd { ESCAPED } else { "" }, lines(&text));
}

/// Lines that would be taken for something else, with a backslash before them.
fn lines(text: &str) -> String {
    let marked = |line: &str| {
        let is_odd = line.starts_with('\\') || line.starts_with("=== ") || line.starts_with("--- ");
        if is_odd { format!("\\{line}") } else { line.to_owned() }
    };
    text.split('\n').map(marked).collect::<Vec<_>>().join("\n")
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        rest = match after.chars().next() {
            Some('r') => {
                out.push('\r');
                &after[1..]
            }
            Some('u') => {
                let (code, behind) =
                    after.strip_prefix("u{").and_then(|code| code.split_once('}')).unwrap_or(("", &after[1..]));
                out.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32));
                behind
            }
            Some(other) => {
                out.push(other);
                &after[other.len_utf8()..]
            }
            None => "",
        };
    }
    out.push_str(rest);
    out
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
