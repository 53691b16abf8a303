//! From what was seen to a verdict on every repair: found, not found, or not looked for.

use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, ORIGIN};
use http::{Method, StatusCode};

use super::situation::{self, Asked, Came, Situation, Wanted};
use super::stand::Seen;
use super::walk::Walked;
use crate::client::Clients;
use crate::endpoint::Class;
use crate::exchange::edits::Part;
use crate::exchange::{Finding, is_media_type};
use crate::plan::Fired;
use crate::repair::{Hook, Level, Mode, Repair};
use crate::repairs::transport::older_alone;
use crate::repairs::{self, REPAIRS};
use crate::steps::{Step, Stop};
use crate::tape::RecordedExchange;

/// What is said of one repair.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub repair: &'static Repair,
    pub found: Found,
}

#[derive(Clone, Debug)]
pub enum Found {
    /// It was looked for and is not there.
    Pass,
    /// It is there.
    Fail(Box<Evidence>),
    /// This server cannot have it, and why.
    NotApplicable(String),
    /// It was not looked for, and what was missing.
    NotTestable(String),
}

/// What shows a defect.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What the repair says that it found.
    pub finding: Finding,
    /// The parts of the answer that show it; none where all of it does.
    pub parts: Vec<Part>,
    pub seen: Seen,
    /// For a repair of requests: how the server took the mended one.
    pub taken: Option<Seen>,
}

impl Found {
    /// The word in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::NotApplicable(_) => "not-applicable",
            Self::NotTestable(_) => "not-testable",
        }
    }
}

/// A defect that was found, with what it means here.
#[derive(Clone, Copy)]
pub struct Defect {
    pub repair: &'static Repair,
    pub level: Level,
    pub stops: Clients,
}

impl Defect {
    fn of(repair: &'static Repair, finding: &Finding) -> Self {
        let level = finding.level.unwrap_or_else(|| level(repair));
        Self { repair, level, stops: finding.stops.unwrap_or(repair.stops) }
    }

    /// Whether it breaks a MUST or stops a client.
    #[must_use]
    pub fn weighs(&self) -> bool {
        self.level == Level::Must || !self.stops.is_empty()
    }

    /// Whom it stops, and where.
    #[must_use]
    pub fn stop(&self) -> Stop {
        Stop { step: Step::of(self.repair), repair: self.repair, clients: self.stops }
    }
}

impl Verdict {
    /// The defect, if there is one.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        match &self.found {
            Found::Fail(evidence) => Some(Defect::of(self.repair, &evidence.finding)),
            _ => None,
        }
    }
}

/// The strongest rule that a repair stands on.
#[must_use]
pub fn level(repair: &Repair) -> Level {
    let has = |wanted: Level| repair.basis.iter().any(|basis| basis.level == wanted);
    match () {
        () if has(Level::Must) => Level::Must,
        () if has(Level::Should) => Level::Should,
        () => Level::Interop,
    }
}

/// The verdict on every repair, in the registry's order.
#[must_use]
pub fn verdicts(walked: &Walked) -> Vec<Verdict> {
    let evidence = evidence(walked);
    let situations: Vec<Situation> =
        walked.seen.iter().filter_map(|seen| seen.taped.as_ref()).map(Situation::of).collect();
    REPAIRS
        .iter()
        .map(|repair| {
            let found = match evidence.get(repair.id) {
                Some(evidence) => Found::Fail(Box::new(evidence.clone())),
                None => unfound(repair, walked, &situations),
            };
            Verdict { repair, found }
        })
        .collect()
}

/// The exchange that shows each defect at its worst, the first of them.
fn evidence(walked: &Walked) -> BTreeMap<&'static str, Evidence> {
    let mut all = BTreeMap::new();
    // What the proxy says of a server that is not there shows nothing.
    if !walked.is_reached() {
        return all;
    }
    let older_alone = |seen: &Seen| seen.taped.iter().flat_map(told).any(|fired| fired.id == older_alone::REPAIR.id);
    let is_elsewhere = walked.seen.iter().any(older_alone);
    // Where no messages are taken, what becomes of each shows nothing more.
    let says_nothing = |seen: &Seen| is_rightly_nothing(seen) || is_elsewhere && takes_none(seen) && !older_alone(seen);
    for seen in walked.seen.iter().filter(|seen| !says_nothing(seen)) {
        for fired in seen.taped.iter().flat_map(told) {
            if (is_for_pages(fired.id) && !is_from_a_page(seen)) || !shows(fired.id, seen) {
                continue;
            }
            let evidence = Evidence {
                finding: fired.finding.clone(),
                parts: fired.parts.clone(),
                seen: seen.clone(),
                taken: None,
            };
            add(&mut all, fired.id, evidence);
        }
    }
    for judged in &walked.judged {
        let evidence = Evidence {
            finding: judged.finding.clone(),
            parts: Vec::new(),
            seen: judged.refused.clone(),
            taken: Some(judged.taken.clone()),
        };
        add(&mut all, judged.id, evidence);
    }
    all
}

fn add(all: &mut BTreeMap<&'static str, Evidence>, id: &'static str, evidence: Evidence) {
    let Some(repair) = repairs::find(id).filter(|_| !evidence.finding.is_blameless) else { return };
    let weighs = |evidence: &Evidence| Defect::of(repair, &evidence.finding).weighs();
    if all.get(id).is_some_and(|before| weighs(before) || !weighs(&evidence)) {
        return;
    }
    all.insert(id, evidence);
}

/// What an exchange tells of the server. Where the answer was replaced by another, what was then mended of that one is not
/// the server's.
fn told(taped: &RecordedExchange) -> impl Iterator<Item = &Fired> {
    let first = taped.turns.first().and_then(|turn| turn.came.as_ref()).map(|came| came.status);
    let is_page = taped
        .turns
        .first()
        .and_then(|turn| turn.came.as_ref())
        .is_some_and(|came| came.headers.get(CONTENT_TYPE).is_some_and(|kind| is_media_type(kind, "text/html")));
    let is_replaced = taped.class.is_metadata() && (taped.turns.len() > 1 || is_page)
        || first.is_none_or(|status| status != taped.answered.status && taped.turns.len() == 1);
    let goes_on =
        |id: &str| repairs::find(id).is_some_and(|repair| matches!(repair.hook, Hook::Request { goes_on: true, .. }));
    let fixed = taped
        .fired
        .iter()
        .filter(move |fired| fired.mode == Mode::Fix && !goes_on(fired.id) && !fired.finding.is_blameless);
    fixed.take(if is_replaced { 1 } else { usize::MAX })
}

/// Whether there is nothing where nothing has to be.
fn is_rightly_nothing(seen: &Seen) -> bool {
    let turn = seen.taped.as_ref().and_then(|taped| taped.turns.first());
    let status = turn.and_then(|turn| turn.came.as_ref()).map(|came| came.status);
    seen.is_beside && matches!(status, Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED))
}

/// Whether a message came to an endpoint that takes none.
fn takes_none(seen: &Seen) -> bool {
    seen.taped.as_ref().is_some_and(|taped| {
        let status = taped.turns.first().and_then(|turn| turn.came.as_ref()).map(|came| came.status);
        taped.class == Class::Mcp
            && taped.asked.method == Method::POST
            && matches!(status, Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED))
    })
}

/// Whether a repair stands on what browsers do alone, so that nobody else minds.
fn is_for_pages(id: &str) -> bool {
    repairs::find(id).is_some_and(|repair| repair.basis.iter().all(|basis| basis.is_of_browsers))
}

/// Whether an exchange can show a defect. One of successes (all its examples end in one) is not shown by a refusal: what
/// is said in that, few read and no rule is about.
fn shows(id: &str, seen: &Seen) -> bool {
    let is_refused = seen.taped.as_ref().is_some_and(|taped| !taped.answered.status.is_success());
    let is_of_successes = || {
        repairs::find(id)
            .is_some_and(|repair| situation::wanted(repair).iter().all(|wanted| wanted.came == Some(Came::Success)))
    };
    !(is_refused && is_of_successes())
}

fn is_from_a_page(seen: &Seen) -> bool {
    seen.taped.as_ref().is_some_and(|taped| taped.asked.headers.contains_key(ORIGIN))
}

/// What is to be said of a repair that did not fire.
fn unfound(repair: &Repair, walked: &Walked, situations: &[Situation]) -> Found {
    if !walked.is_reached() {
        return Found::NotTestable("the server did not answer".into());
    }
    let wanted = situation::wanted(repair);
    if lacks_streams(repair, walked) {
        return Found::NotApplicable("no answer comes as an event stream".into());
    }
    if let Some(why) = inapplicable(&wanted, walked, situations) {
        return Found::NotApplicable(why);
    }
    if wanted.iter().any(|wanted| situations.iter().any(|seen| wanted.is_met_by(seen))) {
        return Found::Pass;
    }
    // A server that does better than a repair could make it does not have the defect.
    let went_otherwise = |wanted: &Wanted| {
        wanted.came != Some(Came::Success)
            && situations.iter().any(|seen| Wanted { came: None, ..*wanted }.is_met_by(seen))
    };
    if wanted.iter().any(went_otherwise) {
        return Found::Pass;
    }
    Found::NotTestable(missing(repair, &wanted, walked))
}

fn inapplicable(wanted: &[Wanted], walked: &Walked, situations: &[Situation]) -> Option<String> {
    let all = |is: fn(&Wanted) -> bool| wanted.iter().all(is);
    let known = &walked.known;
    if !known.has_own_authorization_server() {
        let of_a_login = |wanted: &Wanted| {
            wanted.class.is_oauth() || matches!(wanted.class, Class::ServerMetadata | Class::Keys | Class::Other)
        };
        if all(of_a_login) {
            return Some(match &known.foreign {
                Some(foreign) => format!("the authorization server is another host: {}", foreign.issuer),
                None => "the server has no login".into(),
            });
        }
    }
    if known.is_without_oauth() {
        if all(|wanted| wanted.came == Some(Came::Unauthorized)) && walked.is_open {
            return Some("the server asks for no token".into());
        }
        if all(|wanted| wanted.class == Class::ResourceMetadata && wanted.came == Some(Came::Success)) {
            return Some("the server has no login".into());
        }
    }
    let has_legacy = situations.iter().any(|seen| seen.class == Class::LegacySse && seen.came == Came::Success);
    if walked.is_in && !has_legacy && all(|wanted| matches!(wanted.class, Class::LegacySse | Class::LegacyPost)) {
        return Some("the server has no HTTP+SSE transport".into());
    }
    if all(|wanted| wanted.class == Class::Other) {
        return Some("pages of the login are the browser's, and it goes to the server itself".into());
    }
    let revokes = known.server_document.as_ref().is_some_and(|said| said.has("revocation_endpoint"));
    if !revokes && all(|wanted| wanted.class == Class::Revoke) {
        return Some("the metadata name no revocation endpoint".into());
    }
    let has_lists = walked.version.as_deref().is_none_or(|version| version <= super::probes::LAST_OF_LISTS);
    if !has_lists && all(|wanted| wanted.asked == Some(Asked::Message(situation::Kind::Batch))) {
        return Some("the server speaks a version that has no lists of messages".into());
    }
    None
}

/// Whether a repair looks at event streams, and none has come from a server that lets messages in.
fn lacks_streams(repair: &Repair, walked: &Walked) -> bool {
    let is_stream = |seen: &Seen| {
        let came = seen.taped.as_ref().and_then(|taped| taped.turns.last()?.came.as_ref());
        came.is_some_and(|came| {
            came.headers.get(CONTENT_TYPE).is_some_and(|kind| is_media_type(kind, "text/event-stream"))
        })
    };
    walked.is_in
        && matches!(repair.hook, Hook::Event { .. } | Hook::Silence { .. })
        && !walked.seen.iter().any(is_stream)
}

/// What would have to be done to look for it.
fn missing(repair: &Repair, wanted: &[Wanted], walked: &Walked) -> String {
    let is_about = |class: Class| wanted.iter().any(|wanted| wanted.class == class);
    let wants_call = wanted.iter().all(|wanted| wanted.asked == Some(Asked::Message(situation::Kind::Call)));
    if wants_call {
        return "a tool has to be called: --call NAME".into();
    }
    if is_about(Class::Register) {
        return "a client has to be registered: --register".into();
    }
    if wanted.iter().any(|wanted| wanted.class.is_oauth()) || is_about(Class::Other) {
        return "somebody has to log in: --login".into();
    }
    if !walked.is_in && !walked.is_refused() {
        return "the server lets no message in".into();
    }
    if !walked.is_in {
        return "the server wants a token: --token or --login".into();
    }
    match repair.hook {
        Hook::Event { .. } | Hook::Silence { .. } => "no answer came as an event stream".into(),
        _ => "the server did not answer what was asked".into(),
    }
}
