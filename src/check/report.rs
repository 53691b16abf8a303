//! What a check came to, ready to be shown: the stable form that `--json` prints.

use serde::Serialize;

use super::Wish;
use super::evidence;
use super::verdict::{Found, Verdict, level, verdicts};
use super::walk::Walked;
use crate::config::Config;
use crate::repair::{Level, Repair};

/// The form of the JSON: members may be added, none will change its meaning.
pub const SCHEMA: u32 = 1;

/// A check, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub schema: u32,
    /// Of mcp-mend.
    pub version: &'static str,
    /// What was checked.
    pub url: String,
    /// When, RFC 3339.
    pub time: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many questions were asked.
    pub questions: usize,
    /// Whose login it was.
    #[serde(rename = "as")]
    pub profile: String,
    /// One line that says it all.
    pub summary: String,
    /// 0 sound, 1 a MUST or something that stops a client, 2 something could not be tested.
    pub exit: u8,
    pub verdicts: Vec<Line>,
    /// What could not be asked, and why.
    pub missing: Vec<String>,
    /// How to mend all of it from outside.
    pub command: String,
    /// How to mend the server itself, for each defect.
    pub advice: Vec<Advice>,
}

/// The verdict on one repair.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub id: &'static str,
    /// pass, fail, not-applicable or not-testable.
    pub verdict: &'static str,
    /// MUST, SHOULD or interop: the strongest rule that it stands on.
    pub level: String,
    /// What the defect is.
    pub summary: &'static str,
    /// What was found; why it does not apply; what was missing.
    pub what: Option<String>,
    /// Why it matters.
    pub why: &'static str,
    /// The question that showed it.
    pub question: Option<&'static str>,
    /// The bytes: what came, and what should have.
    pub evidence: Option<String>,
}

/// The cure of one defect in the server's own code.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    pub id: &'static str,
    pub text: &'static str,
}

impl Report {
    /// From what was seen.
    #[must_use]
    pub fn of(config: &Config, url: &str, wish: &Wish, walked: &Walked, seconds: f64) -> Self {
        let verdicts = verdicts(walked);
        let fails: Vec<&'static Repair> = failed(&verdicts).collect();
        let untested = verdicts.iter().filter(|verdict| matches!(verdict.found, Found::NotTestable(_))).count();
        let exit = match () {
            () if fails.iter().any(|repair| weighs(repair)) => 1,
            () if untested > 0 || !walked.missing.is_empty() => 2,
            () => 0,
        };
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            url: url.to_owned(),
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seconds: (seconds * 100.0).round() / 100.0,
            questions: walked.seen.len(),
            profile: wish.profile.client_name.clone(),
            summary: summary(&fails, untested),
            exit,
            verdicts: verdicts.iter().map(line).collect(),
            missing: walked.missing.clone(),
            command: command(config),
            advice: fails.iter().map(|repair| Advice { id: repair.id, text: repair.advice }).collect(),
        }
    }

    /// The lines with this verdict.
    pub fn lines(&self, verdict: &'static str) -> impl Iterator<Item = &Line> {
        self.verdicts.iter().filter(move |line| line.verdict == verdict)
    }
}

/// The repairs that are needed.
pub fn failed(verdicts: &[Verdict]) -> impl Iterator<Item = &'static Repair> + '_ {
    verdicts.iter().filter(|verdict| matches!(verdict.found, Found::Fail(_))).map(|verdict| verdict.repair)
}

/// Whether a defect breaks a MUST or stops a client.
fn weighs(repair: &Repair) -> bool {
    level(repair) == Level::Must
}

fn summary(fails: &[&'static Repair], untested: usize) -> String {
    let weighty = fails.iter().filter(|repair| weighs(repair)).count();
    let count = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let mut parts = Vec::new();
    match (fails.len(), weighty) {
        (0, _) => parts.push("no defects".to_owned()),
        (all, 0) => parts.push(format!("{}, none of which stops a client", count(all, "defect", "defects"))),
        (all, some) => parts
            .push(format!("{}, {some} of them against a MUST or stopping clients", count(all, "defect", "defects"))),
    }
    if untested > 0 {
        parts.push(format!("{untested} could not be tested"));
    }
    parts.join("; ")
}

fn line(verdict: &Verdict) -> Line {
    let repair = verdict.repair;
    let (what, question, evidence) = match &verdict.found {
        Found::Pass => (None, None, None),
        Found::Fail(found) => (Some(found.what.clone()), Some(found.seen.probe), Some(evidence::text(found))),
        Found::NotApplicable(why) | Found::NotTestable(why) => (Some(why.clone()), None, None),
    };
    Line {
        id: repair.id,
        verdict: verdict.found.name(),
        level: level(repair).to_string(),
        summary: repair.summary,
        what,
        why: repair.why,
        question,
        evidence,
    }
}

/// How the proxy is started before this server.
fn command(config: &Config) -> String {
    let path = if config.mcp_path == "/mcp" { "" } else { config.mcp_path.as_str() };
    format!("mcp-mend {}{path}", config.upstream)
}
