//! A report of what was captured, as markdown that can be filed as it is. Pure: the issue page asks for the reference, the
//! access log, the registration and token exchanges and the metadata (issue page, "Debug persistent failures").

mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::edit::origin::Origin;
use crate::exchange::Facts;
use crate::redact::Message;
use crate::telemetry::capture::form::{Capture, Entry, Recorded};
use crate::telemetry::flows::book::Hosted;
use crate::telemetry::flows::flow::NOBODY;

/// Where failures of Claude connectors are filed.
pub const TRACKER: &str = "https://github.com/anthropics/claude-ai-mcp/issues";

/// Stands for the upstream's own address, which is nobody's business.
const INTERNAL: &str = "upstream.internal";

/// What a report is about.
pub struct About<'a> {
    pub ofid: Option<&'a str>,
    pub url: Option<&'a str>,
    /// When it is written.
    pub now: String,
    pub captures: &'a [Capture],
    /// Whether captures were looked for.
    pub has_looked: bool,
    /// Older captures that are not in it.
    pub left_out: usize,
    /// The result of a check, as markdown.
    pub check: Option<String>,
    pub hosted: Option<Hosted>,
}

/// Whether it is written as the references on error cards are.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let rest = text.strip_prefix("ofid_").unwrap_or_default();
    (1..=80).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The report.
#[must_use]
pub fn markdown(about: &About<'_>) -> String {
    let mut out = String::new();
    head(&mut out, about);
    seen(&mut out, about);
    for capture in about.captures {
        let mut part = String::new();
        tables::timeline(&mut part, capture, about.hosted.as_ref());
        exchanges(&mut part, capture);
        tables::access(&mut part, capture);
        match &capture.head.site {
            Some(site) => out.push_str(&Own::of(&site.facts).hidden(&part)),
            // Nobody's own names are readable in it.
            None => out.push_str(&part),
        }
    }
    if let Some(check) = &about.check {
        let _ = writeln!(out, "\n## Check\n\n{}", check.trim());
    }
    let _ = writeln!(
        out,
        "\n---\nWritten by mcp-mend {} at {}. Values that were taken out are `#` and eight hexadecimal digits: the same \
         value is the same text. File it at {TRACKER} (Claude connectors; not at claude-code).",
        env!("CARGO_PKG_VERSION"),
        about.now
    );
    out
}

fn head(out: &mut String, about: &About<'_>) {
    let first = about.captures.first();
    let facts = about.captures.iter().find_map(|capture| capture.head.site.as_deref()).map(|site| &site.facts);
    let server = match (about.url, facts) {
        (Some(url), _) => plain_url(url),
        (None, Some(facts)) => format!("{}{}", facts.public, facts.mcp_path),
        (None, None) => "(unknown)".to_owned(),
    };
    let _ = writeln!(out, "# A client cannot connect to {server}\n");
    let ofid =
        about.ofid.map_or_else(|| "(none; it is on the error card of the client)".to_owned(), |id| format!("`{id}`"));
    let _ = writeln!(out, "- Reference: {ofid}\n- MCP server: {server}");
    let times = || about.captures.iter().flat_map(recorded).map(|exchange| exchange.at.as_str());
    if let (Some(begin), Some(end)) = (times().min(), times().max()) {
        let _ = writeln!(out, "- Requests (UTC): {begin} to {end}");
    }
    let mut agents: Vec<&str> = about.captures.iter().map(|capture| capture.head.agent.as_str()).collect();
    agents.dedup();
    for agent in agents.iter().filter(|agent| !agent.is_empty()) {
        let _ = writeln!(out, "- Client: {}", tables::inline(agent));
    }
    let mut servers: Vec<&str> =
        about.captures.iter().flat_map(recorded).flat_map(answers).filter_map(|came| header(came, "server")).collect();
    servers.sort_unstable();
    servers.dedup();
    for server in servers {
        let _ = writeln!(out, "- Server software: {}", tables::inline(server));
    }
    let version = first.map_or(env!("CARGO_PKG_VERSION"), |capture| &capture.head.version);
    let _ = writeln!(out, "- Proxy in front of it: mcp-mend {}", tables::inline(version));
}

/// What can be said.
fn seen(out: &mut String, about: &About<'_>) {
    let _ = writeln!(out, "\n## What was seen\n");
    let is_hosted = |client: &str| {
        about
            .hosted
            .as_ref()
            .is_none_or(|hosted| client.parse::<IpAddr>().is_ok_and(|address| hosted(address).is_some()))
    };
    let has_hosted = about.captures.iter().flat_map(recorded).any(|exchange| is_hosted(&exchange.client));
    if !has_hosted && about.has_looked {
        let _ = writeln!(
            out,
            "- **{NOBODY}**. It was stopped before this server: by DNS, a firewall, a WAF or a CDN, or the address that \
             was typed is another."
        );
    }
    if !about.has_looked {
        let _ = writeln!(out, "- Nothing was captured: run the proxy with `--capture DIR` and try again.");
    }
    for capture in about.captures {
        for entry in &capture.entries {
            if let Entry::Note { at, text } = entry {
                let _ = writeln!(out, "- Flow {}, {at}: **{}**", capture.head.flow, tables::inline(text));
            }
        }
    }
    let mut mended: Vec<&str> =
        about.captures.iter().flat_map(recorded).flat_map(|one| &one.fired).map(|(id, _, _)| id.as_str()).collect();
    mended.sort_unstable();
    mended.dedup();
    if !mended.is_empty() {
        let _ = writeln!(out, "- Found in the server's answers and mended on the way: {}", mended.join(", "));
    }
    if about.left_out > 0 {
        let _ = writeln!(out, "- {} older flows are not in this report.", about.left_out);
    }
}

/// The exchanges that the tracker asks for, whole.
fn exchanges(out: &mut String, capture: &Capture) {
    for (title, classes) in [
        ("Challenge", &["mcp", "legacy-sse", "legacy-post"][..]),
        ("Metadata", &["resource-metadata", "server-metadata", "keys"]),
        ("Registration", &["register"]),
        ("Authorization", &["authorize"]),
        ("Token", &["token"]),
    ] {
        let is_shown = |one: &&Recorded| {
            let is_challenge = title != "Challenge" || matches!(one.answered.status(), 401 | 403);
            classes.contains(&one.class.as_str()) && one.asked.method() != "OPTIONS" && is_challenge
        };
        let mut shown = Vec::<&Recorded>::new();
        for one in recorded(capture).filter(is_shown) {
            // The same question with the same answer says nothing new.
            if !shown.iter().any(|have| have.asked.start == one.asked.start && have.answered == one.answered) {
                shown.push(one);
            }
        }
        if shown.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n### {title}");
        for one in shown {
            exchange(out, one);
        }
    }
}

fn exchange(out: &mut String, one: &Recorded) {
    let _ = writeln!(out, "\n{} UTC, number {}:", one.at, one.number);
    block(out, "request", &one.asked);
    for came in answers(one) {
        block(out, "the server's answer", came);
    }
    if !one.fired.is_empty() || answers(one).next().is_none() {
        block(out, "what the client got", &one.answered);
    }
}

fn block(out: &mut String, title: &str, message: &Message) {
    let text = message.text();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let _ = writeln!(out, "\n{title}\n{fence}http\n{}\n{fence}", text.replace('\r', ""));
}

fn recorded(capture: &Capture) -> impl Iterator<Item = &Recorded> {
    capture.entries.iter().filter_map(|entry| match entry {
        Entry::Exchange(recorded) => Some(&**recorded),
        Entry::Note { .. } => None,
    })
}

fn answers(one: &Recorded) -> impl Iterator<Item = &Message> {
    one.turns.iter().filter_map(|(_, came)| came.as_ref())
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

/// A URL without what may be secret in it.
fn plain_url(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let plain = parsed.and_then(|url| Some(format!("{}{}", Origin::of_url(&url).ok()?, url.path())));
    plain.map_or_else(|| "(unknown)".to_owned(), |plain| plain.trim_end_matches('/').to_owned())
}

/// The addresses that are not told to others.
struct Own {
    authority: String,
    encoded: String,
    is_public: bool,
}

impl Own {
    fn of(facts: &Facts) -> Self {
        let authority = facts.upstream.authority().to_owned();
        let encoded = crate::edit::params::encoded(&authority);
        Self { is_public: authority == facts.public.authority(), encoded, authority }
    }

    fn hidden(&self, text: &str) -> String {
        if self.is_public {
            return text.to_owned();
        }
        text.replace(&self.authority, INTERNAL).replace(&self.encoded, INTERNAL)
    }
}
