//! How a report reads: on a terminal, and in an issue.

use std::fmt::Write as _;

use super::report::{Line, Report};
use crate::config::settings::wrap;
use crate::terminal::{BAD, GOOD, NAME, QUIET, cut};

const WIDTH: usize = 80;

/// For people at a terminal: 80 columns. With `all`, what passed and what does not apply is listed, too.
#[must_use]
pub fn text(report: &Report, all: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{NAME}mcp-mend check{NAME:#}  {}", report.url);
    let Report { questions, profile, seconds, .. } = report;
    let _ = writeln!(out, "{QUIET}{questions} questions, as the client `{profile}`, in {seconds} s{QUIET:#}\n");
    let style = if report.exit == 1 { BAD } else { GOOD };
    for line in wrap(&report.summary, WIDTH) {
        let _ = writeln!(out, "{style}{line}{style:#}");
    }
    for fail in report.lines("fail") {
        out.push_str(&fail_text(fail));
    }
    out.push_str(&reach_text(report));
    out.push_str(&clients_text(report));
    out.push_str(&cure_text(report));
    out.push_str(&untested_text(report));
    if all {
        for (verdict, title) in [("pass", "Passed"), ("not-applicable", "Does not apply")] {
            let _ = writeln!(out, "\n{NAME}{title}{NAME:#}");
            for line in report.lines(verdict) {
                let why = line.what.as_ref().map_or_else(String::new, |what| format!(": {what}"));
                out.push_str(&hanging(&format!("{}{why}", line.id), "  ", "    "));
            }
        }
    } else {
        let count = |verdict| report.lines(verdict).count();
        let (passed, other) = (count("pass"), count("not-applicable"));
        let _ = writeln!(out, "\n{QUIET}{passed} passed, {other} do not apply here (--all lists them).{QUIET:#}");
    }
    out
}

fn fail_text(fail: &Line) -> String {
    let mut out = format!("\n{BAD}✗{BAD:#} {NAME}{}{NAME:#}  {}\n", fail.id, fail.level);
    out.push_str(&hanging(fail.summary, "  ", "  "));
    if !fail.stops.is_empty() {
        out.push_str(&hanging(&format!("stops {}", fail.stops.join(", ")), "  ", "    "));
    }
    if let Some(question) = fail.question {
        out.push_str(&hanging(&format!("shown by {question}:"), "  ", "    "));
    }
    for line in fail.evidence.iter().flat_map(|text| text.lines()) {
        let style = match line.as_bytes().first() {
            Some(b'-') => BAD,
            Some(b'+') => GOOD,
            _ => QUIET,
        };
        for part in cut(line, WIDTH - 4) {
            let _ = writeln!(out, "    {style}{part}{style:#}");
        }
    }
    out
}

fn reach_text(report: &Report) -> String {
    let mut out = format!("\n{NAME}Can hosted clients reach it?{NAME:#}\n");
    let mut said: Vec<&str> = Vec::new();
    for line in &report.reach {
        // What does not apply does so for one reason.
        if line.verdict != "pass" && said.contains(&line.what.as_str()) {
            continue;
        }
        said.push(&line.what);
        let (mark, style) = match line.verdict {
            "pass" => ("✓", GOOD),
            "fail" => ("✗", BAD),
            _ => ("·", QUIET),
        };
        let text = hanging(&line.what, "", "    ");
        let _ = write!(out, "  {style}{mark}{style:#} {text}");
        if let Some(cure) = &line.cure {
            out.push_str(&hanging(&format!("→ {cure}"), "    ", "      "));
        }
    }
    out
}

fn clients_text(report: &Report) -> String {
    let is_whole = report.missing.is_empty() && report.lines("not-testable").next().is_none();
    let title = if is_whole { "Who would connect?" } else { "Who would connect, as far as could be tested?" };
    let mut out = format!("\n{NAME}{title}{NAME:#}\n");
    let widest = report.clients.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    for row in &report.clients {
        let _ = write!(out, "  {:widest$}  ", row.name);
        let (Some(at), Some(repair)) = (row.at, row.repair) else {
            let _ = writeln!(out, "{GOOD}nothing stops it{GOOD:#}");
            continue;
        };
        let word = if row.connects { "connects, but stops" } else { "no, stops" };
        let _ = write!(out, "{BAD}{word}{BAD:#} {at}:");
        let taken = 4 + widest + word.len() + at.len() + 2;
        let fits = taken + 1 + repair.len() <= WIDTH;
        let gap = if fits { " ".to_owned() } else { format!("\n{}", " ".repeat(6 + widest)) };
        let _ = writeln!(out, "{gap}{repair}");
    }
    out
}

fn cure_text(report: &Report) -> String {
    let Some(command) = &report.command else { return String::new() };
    let mut out = format!("\n{NAME}What to do{NAME:#}\n");
    out.push_str(&hanging("Put mcp-mend in front; it mends all of this:", "  ", "  "));
    let _ = writeln!(out, "\n    {command} --public-url https://YOUR.PUBLIC.NAME\n");
    out.push_str(&hanging("or mend the server itself:", "  ", "  "));
    for advice in &report.advice {
        let _ = writeln!(out, "\n  {NAME}{}{NAME:#}", advice.id);
        out.push_str(&hanging(&advice.text, "    ", "    "));
    }
    out
}

fn untested_text(report: &Report) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in report.lines("not-testable") {
        let what = line.what.as_deref().unwrap_or_default();
        match reasons.iter_mut().find(|(reason, _)| *reason == what) {
            Some((_, ids)) => ids.push(line.id),
            None => reasons.push((what, vec![line.id])),
        }
    }
    if reasons.is_empty() && report.missing.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{NAME}Not tested{NAME:#}\n");
    for missing in &report.missing {
        out.push_str(&hanging(missing, "  ", "    "));
    }
    for (reason, ids) in reasons {
        if ids.len() == report.verdicts.len() {
            // That is all of them: their names say nothing.
            continue;
        }
        out.push_str(&hanging(&format!("{reason} ({} checks: {})", ids.len(), ids.join(", ")), "  ", "    "));
    }
    out
}

/// Wrapped, the first line behind one indent and the others behind another.
fn hanging(text: &str, first: &str, later: &str) -> String {
    let lines = wrap(text, WIDTH - later.len().max(first.len()));
    let indented = |(at, line): (usize, &String)| format!("{}{line}\n", if at == 0 { first } else { later });
    lines.iter().enumerate().map(indented).collect()
}

/// For an issue: GitHub's markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let Report { url, time, questions, profile, version, .. } = report;
    let mut out = format!("# mcp-mend check of {url}\n\n");
    let _ = writeln!(out, "{time}, mcp-mend {version}, {questions} questions as the client `{profile}`.\n");
    let _ = writeln!(out, "**{}**", report.summary);
    for fail in report.lines("fail") {
        let _ = writeln!(out, "\n## `{}` ({})\n\n{}. {}\n", fail.id, fail.level, capital(fail.summary), fail.why);
        if !fail.stops.is_empty() {
            let _ = writeln!(out, "Stops: {}.\n", fail.stops.join(", "));
        }
        let _ = writeln!(out, "Shown by {}:\n", fail.question.unwrap_or("what was seen"));
        let _ = writeln!(out, "```diff\n{}\n```\n", fail.evidence.as_deref().unwrap_or_default().replace("```", "'''"));
        for rule in &fail.basis {
            let _ = writeln!(out, "- [{}]({}) ({})", rule.text, rule.url, rule.level);
        }
        let advice = report.advice.iter().find(|advice| advice.id == fail.id);
        let _ = writeln!(out, "\nCure: {}", advice.map_or("", |advice| &advice.text));
    }
    let _ = writeln!(out, "\n## Clients\n\n| client | connects | gives up |\n|---|---|---|");
    for row in &report.clients {
        let stop = match (row.at, row.repair) {
            (Some(at), Some(repair)) => format!("{at} (`{repair}`)"),
            _ => String::new(),
        };
        let _ = writeln!(out, "| {} | {} | {stop} |", row.name, if row.connects { "yes" } else { "no" });
    }
    if !report.missing.is_empty() {
        let _ = writeln!(out, "\n## Not tested\n");
    }
    for missing in &report.missing {
        // In a span of code, for a server's words may be among them.
        let _ = writeln!(out, "- `{}`", missing.replace('`', "'"));
    }
    let _ = writeln!(out, "\n## Reach\n");
    for line in &report.reach {
        let _ = writeln!(out, "- `{}` {}: {}", line.id, line.verdict, line.what);
    }
    let count = |verdict| report.lines(verdict).count();
    let _ = writeln!(
        out,
        "\n{} passed, {} do not apply, {} could not be tested.",
        count("pass"),
        count("not-applicable"),
        count("not-testable")
    );
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A configuration file for a proxy before the server that was checked.
#[must_use]
pub fn config_file(report: &Report, ca_file: Option<&str>) -> String {
    // A JSON string is a TOML string.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let (upstream, path) =
        match report.url.find("://").and_then(|at| report.url[at + 3..].find('/').map(|end| at + 3 + end)) {
            Some(end) => report.url.split_at(end),
            None => (report.url.as_str(), "/mcp"),
        };
    let mut out = format!("# Written by mcp-mend {} check, {}: {}.\n", report.version, report.time, report.summary);
    let _ = writeln!(out, "\n# The address that clients use. Without it: http:// and the listen address.");
    let _ = writeln!(out, "# public_url = \"https://mcp.example.com\"");
    let _ = writeln!(out, "mcp_path = {}\n\n[upstream]\nurl = {}", quoted(path), quoted(upstream));
    if let Some(file) = ca_file {
        let _ = writeln!(out, "ca_file = {}", quoted(file));
    }
    let _ = writeln!(out, "\n# What was found. Every other repair keeps its default.\n[repairs]");
    for fail in report.lines("fail") {
        let _ = writeln!(out, "# {}\n{} = \"fix\"", fail.summary, fail.id);
    }
    out
}
