//! What a check came to, ready to be shown: the stable form that `--json` prints.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::stand::Seen;
use super::verdict::{Defect, Found, Verdict, level, verdicts};
use super::walk::{self, Walked};
use super::{Wish, evidence};
use crate::config::SiteConfig;
use crate::redact::Redactor;
use crate::repair::{Mode, Repair};
use crate::steps;

/// The form of the JSON: members may be added, none will change its meaning.
pub const SCHEMA: u32 = 1;

/// A check, as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
    /// As which client.
    #[serde(rename = "as")]
    pub profile: &'static str,
    /// One line that says it all.
    pub summary: String,
    /// 0 sound, 1 a MUST is broken or a client is stopped, 2 something could not be tested.
    pub exit: u8,
    /// What could not be asked, and why.
    pub missing: Vec<String>,
    /// Every question, in order.
    pub asked: Vec<Question>,
    pub verdicts: Vec<Line>,
    pub clients: Vec<Row>,
    /// Whether hosted clients get here at all.
    pub reach: Vec<walk::Line>,
    /// How to mend all of it from outside; `None` if there is nothing to mend.
    pub command: Option<String>,
    /// How to mend the server itself, for each defect.
    pub advice: Vec<Advice>,
}

/// A question and what became of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Question {
    pub question: &'static str,
    pub method: String,
    /// Without its query.
    pub path: String,
    /// What the server itself said first; `None` if it did not answer.
    pub status: Option<u16>,
    /// What a client of the mended server gets.
    pub mended: u16,
    pub ms: u64,
    /// The repairs that fired.
    pub repairs: Vec<&'static str>,
}

/// The verdict on one repair.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
    /// The bytes: `-` what came, `+` what should have.
    pub evidence: Option<String>,
    /// Ids of the clients that it stops.
    pub stops: Vec<&'static str>,
    /// The rules.
    pub basis: Vec<Rule>,
}

/// A rule that a repair stands on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Rule {
    pub text: &'static str,
    pub url: &'static str,
    pub level: String,
}

/// How far a client gets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Row {
    pub id: &'static str,
    pub name: &'static str,
    pub connects: bool,
    /// Where it gives up, if it does.
    pub step: Option<&'static str>,
    /// For people: "at the registration".
    pub at: Option<&'static str>,
    /// For which defect.
    pub repair: Option<&'static str>,
}

/// The cure of one defect in the server's own code.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Advice {
    pub id: &'static str,
    pub text: String,
}

impl Report {
    /// From what was seen.
    #[must_use]
    pub fn of(site: &SiteConfig, url: &str, wish: &Wish, walked: &Walked, redactor: &Redactor, took: Duration) -> Self {
        let verdicts = verdicts(walked);
        let fails: Vec<Defect> = verdicts.iter().filter_map(Verdict::defect).collect();
        let untested = verdicts.iter().filter(|verdict| matches!(verdict.found, Found::NotTestable(_))).count();
        let blocked = walked.reach.iter().filter(|line| line.verdict == "fail").count();
        let lost = walked.reach.iter().any(|line| line.stops_all);
        let exit = match () {
            () if !walked.is_reached() => 2,
            () if blocked > 0 || fails.iter().any(Defect::weighs) => 1,
            () if untested > 0 || !walked.missing.is_empty() => 2,
            () => 0,
        };
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            url: url.to_owned(),
            time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seconds: (took.as_secs_f64() * 100.0).round() / 100.0,
            questions: walked.seen.len() + walked.judged.len(),
            profile: wish.profile.client.id,
            summary: summary(walked, &fails, blocked, untested),
            exit,
            missing: walked.missing.iter().map(|missing| redactor.sentence(missing)).collect(),
            asked: walked.seen.iter().filter_map(|seen| question(redactor, seen)).collect(),
            verdicts: verdicts.iter().map(|verdict| line(redactor, verdict)).collect(),
            clients: rows(&fails, walked),
            reach: walked.reach.clone(),
            command: (!fails.is_empty() && !lost).then(|| command(site)),
            advice: fails.iter().map(|fail| fail.repair).map(advice).collect(),
        }
    }

    /// The lines with this verdict.
    pub fn lines(&self, verdict: &'static str) -> impl Iterator<Item = &Line> {
        self.verdicts.iter().filter(move |line| line.verdict == verdict)
    }
}

fn question(redactor: &Redactor, seen: &Seen) -> Option<Question> {
    let taped = seen.taped.as_ref()?;
    let first = taped.turns.first().and_then(|turn| turn.came.as_ref());
    Some(Question {
        question: seen.probe,
        method: taped.asked.method.to_string(),
        path: redactor.path(taped),
        status: first.map(|came| came.status.as_u16()),
        mended: taped.answered.status.as_u16(),
        ms: u64::try_from(taped.total.as_millis()).unwrap_or(u64::MAX),
        repairs: taped.fired.iter().filter(|fired| fired.mode == Mode::Fix).map(|fired| fired.id).collect(),
    })
}

fn advice(repair: &'static Repair) -> Advice {
    Advice { id: repair.id, text: repair.advice.to_owned() }
}

fn summary(walked: &Walked, fails: &[Defect], blocked: usize, untested: usize) -> String {
    if !walked.is_reached() {
        return "the server does not answer; nothing could be tested".into();
    }
    let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let weighty = fails.iter().filter(|fail| fail.weighs()).count();
    let mut parts = Vec::new();
    if walked.no_endpoint().is_some() {
        parts.push("no MCP server was found at this address".to_owned());
    }
    parts.push(match (fails.len(), weighty) {
        (0, _) => "no defects found".to_owned(),
        (all, 0) => format!("{} found, none of which stops a client", count(all, "defect")),
        (all, some) if all == some => format!("{} found, against a MUST or stopping clients", count(all, "defect")),
        (all, some) => format!("{} found, {some} of them against a MUST or stopping clients", count(all, "defect")),
    });
    if blocked > 0 && walked.no_endpoint().is_none() {
        parts.push(format!("hosted clients are kept out by {}", count(blocked, "thing")));
    }
    if untested > 0 {
        parts.push(format!("{untested} could not be tested"));
    }
    parts.join("; ")
}

fn line(redactor: &Redactor, verdict: &Verdict) -> Line {
    let repair = verdict.repair;
    let (what, question, evidence) = match &verdict.found {
        Found::Pass => (None, None, None),
        Found::Fail(found) => (
            Some(redactor.sentence(&found.finding.what)),
            Some(found.seen.probe),
            Some(evidence::text(redactor, found)),
        ),
        Found::NotApplicable(why) | Found::NotTestable(why) => (Some(redactor.sentence(why)), None, None),
    };
    let rule = |basis: &crate::repair::Basis| Rule { text: basis.text, url: basis.url, level: basis.level.to_string() };
    Line {
        id: repair.id,
        verdict: verdict.found.name(),
        level: verdict.defect().map_or_else(|| level(repair), |defect| defect.level).to_string(),
        summary: repair.summary,
        what,
        why: repair.why,
        question,
        evidence,
        stops: verdict.defect().map_or(repair.stops, |defect| defect.stops).ids(),
        basis: repair.basis.iter().map(rule).collect(),
    }
}

/// How far each client gets. Who is kept out does not get to any defect.
fn rows(fails: &[Defect], walked: &Walked) -> Vec<Row> {
    let fails_at = |stops_all: bool| {
        walked.reach.iter().find(|line| line.verdict == "fail" && line.stops_all == stops_all).map(|line| line.id)
    };
    let (wall, nothing) = (fails_at(false), fails_at(true));
    let stops: Vec<steps::Stop> = fails.iter().map(Defect::stop).collect();
    steps::table_at(&stops)
        .into_iter()
        .map(|row| {
            let (id, name) = (row.client.id, row.client.name);
            let kept_out = |by: &'static str| {
                let step = steps::Step::Reach;
                Row { id, name, connects: false, step: Some(step.name()), at: Some(step.at()), repair: Some(by) }
            };
            match (wall.filter(|_| row.client.is_hosted).or(nothing), row.stop) {
                (Some(wall), _) => kept_out(wall),
                (_, Some(stop)) => {
                    let (step, at) = (Some(stop.step.name()), Some(stop.step.at()));
                    Row { id, name, connects: row.connects, step, at, repair: Some(stop.repair.id) }
                }
                (_, None) => Row { id, name, connects: true, step: None, at: None, repair: None },
            }
        })
        .collect()
}

/// How the proxy is started before this server.
fn command(site: &SiteConfig) -> String {
    let path = if site.mcp_path == "/mcp" { "" } else { site.mcp_path.as_str() };
    let ca = site.ca_file.as_ref().map_or_else(String::new, |file| format!(" --ca-file {}", file.display()));
    format!("mcp-mend {}{path}{ca}", site.upstream)
}
