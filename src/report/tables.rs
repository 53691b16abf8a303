//! The timeline and the access lines of a report.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{answers, recorded};
use crate::telemetry::capture::form::{Capture, Recorded};
use crate::telemetry::flows::book::Hosted;

pub(super) fn timeline(out: &mut String, capture: &Capture, hosted: Option<&Hosted>) {
    let head = &capture.head;
    let _ = writeln!(out, "\n## Flow {}: timeline (UTC)\n", head.flow);
    let _ = writeln!(out, "| time | from | what | request | server | client got | ms | mended |");
    let _ = writeln!(out, "|---|---|---|---|---|---|---|---|");
    for one in recorded(capture) {
        let came = answers(one).last().map_or_else(|| "-".to_owned(), |came| cell(&came.start));
        let mended: Vec<&str> = one.fired.iter().map(|(id, _, _)| id.as_str()).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} {} | {came} | {} | {} | {} |",
            one.at,
            from(&one.client, hosted),
            cell(&one.class),
            cell(one.asked.method()),
            cell(one.asked.path()),
            cell(&one.answered.start),
            one.total_ms,
            cell(&mended.join(", ")),
        );
    }
}

/// The access log around it, in the form that the proxy prints it.
pub(super) fn access(out: &mut String, capture: &Capture) {
    let _ = writeln!(out, "\n### Access log\n\n```");
    for one in recorded(capture) {
        let _ = writeln!(out, "{}", line(one));
    }
    let _ = writeln!(out, "```");
}

fn line(one: &Recorded) -> String {
    let path = one.asked.path().replace('`', "'");
    let mut line =
        format!("{} {} {} {path} {}ms {}B", one.at, one.answered.start, one.asked.method(), one.total_ms, one.bytes);
    let ids: Vec<&str> = one.fired.iter().map(|(id, _, _)| id.as_str()).collect();
    if !ids.is_empty() {
        let _ = write!(line, " mended {}", ids.join(", "));
    }
    if let Some((name, fault)) = &one.refused {
        let _ = write!(line, " refused {name} ({fault})");
    }
    if let Some(ending) = one.ending.as_deref().filter(|ending| *ending != "whole") {
        let _ = write!(line, " {ending}");
    }
    line
}

/// An address: a vendor's as it is, anybody else's without its last part.
fn from(client: &str, hosted: Option<&Hosted>) -> String {
    let Ok(address) = client.parse::<IpAddr>() else { return "-".to_owned() };
    if let Some(vendor) = hosted.and_then(|hosted| hosted(address)) {
        return format!("{address} ({vendor})");
    }
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.x")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::x")
        }
    }
}

/// Text in a line: nothing of it is markup.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(300) {
        match c {
            '<' | '>' | '|' | '`' | '*' | '[' | ']' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn cell(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { inline(text) }
}
