//! Running the plan over an exchange that was recorded: what would fire, and what it would find. Pure.
//!
//! The upstream's answers are the recorded ones, in their order; so a further ask gets what it got then. What depends on
//! time is not run: repairs of silence, and what was answered after waiting.

mod parts;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::endpoint::Class;
use crate::exchange::{Ask, Facts, Form, Head, Opening, Reply, ReplyBody, Request, RequestBody, Site};
use crate::headers;
use crate::knowledge::Knowledge;
use crate::plan::{Findings, Fired, Plan, Report};
use crate::proxy::{admit, most_asks, reading};
use crate::redact::{Message, NOT_KEPT};
use crate::repair::{Hook, Needs};
use crate::repairs::{REPAIRS, find};
use crate::telemetry::capture::form::{Capture, Entry, Recorded};

/// A body as large as this was read whole, if it was read.
const LARGEST: usize = 1024 * 1024;

/// What a replay came to.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    pub fired: Vec<Fired>,
    /// Why it could not be gone through to the end.
    pub unclear: Option<String>,
}

impl Replayed {
    /// Whether it brought up what was recorded; `None` if that cannot be said.
    #[must_use]
    pub fn agrees(&self, recorded: &Recorded) -> Option<bool> {
        self.unclear.is_none().then(|| self.ids() == recorded_ids(recorded))
    }

    /// The ids, each once, in the order of their names.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        sorted(self.fired.iter().map(|fired| fired.id))
    }
}

/// The recorded ids that a replay can bring up again.
#[must_use]
pub fn recorded_ids(recorded: &Recorded) -> Vec<&str> {
    sorted(recorded.fired.iter().map(|(id, _, _)| id.as_str()).filter(|id| !is_of_silence(id)))
}

fn sorted<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn is_of_silence(id: &str) -> bool {
    REPAIRS.iter().any(|repair| repair.id == id && matches!(repair.hook, Hook::Silence { .. }))
}

/// Runs the plan over every exchange of a capture, with the facts and modes of its site and what was known then.
#[must_use]
pub fn replay_all(capture: &Capture) -> Vec<(&Recorded, Replayed)> {
    let site = capture.head.site.as_deref();
    let modes = site.into_iter().flat_map(|site| &site.modes);
    let plan = Plan::new(REPAIRS, &modes.filter_map(|(id, mode)| Some((find(id)?.id, *mode))).collect());
    let mut known = Knowledge::default();
    let mut all = Vec::new();
    for entry in &capture.entries {
        let Entry::Exchange(recorded) = entry else { continue };
        if let Some(news) = &recorded.known {
            known = news.clone();
        }
        let replayed = match site {
            Some(site) => replay(&plan, &site.facts, &known, recorded),
            None => unclear("it was for no site"),
        };
        all.push((&**recorded, replayed));
    }
    all
}

/// Runs the plan over a recorded exchange.
#[must_use]
pub fn replay(plan: &Plan, facts: &Facts, known: &Knowledge, recorded: &Recorded) -> Replayed {
    let site = Site { facts, known };
    let Some(request) = request(&site, recorded) else { return unclear("its request cannot be read") };
    if recorded.refused.is_some() {
        return unclear("the proxy answered it itself");
    }
    let mut run = Run { plan, site, recorded, request, findings: Findings::default(), next: 0, unclear: None };
    run.go();
    Replayed { fired: run.findings.into_fired(), unclear: run.unclear }
}

fn unclear(why: &str) -> Replayed {
    Replayed { fired: Vec::new(), unclear: Some(why.to_owned()) }
}

/// One replay under way.
struct Run<'a> {
    plan: &'a Plan,
    site: Site<'a>,
    recorded: &'a Recorded,
    request: Request,
    findings: Findings,
    /// The turn that answers the next ask.
    next: usize,
    unclear: Option<String>,
}

/// An answer, and the text of its body if that is known.
struct Answer {
    reply: Reply,
    text: Option<Bytes>,
}

impl Run<'_> {
    fn go(&mut self) {
        self.peek();
        let (report, answer) = self.plan.mend_request(&self.site, &mut self.request);
        self.note(report);
        if let Some(reply) = answer {
            let mut reply = *reply;
            let (report, _) = self.plan.mend_reply(&self.site, &self.request, &mut reply, false);
            return self.note(report);
        }
        if !self.request.class.may_ask_again() {
            self.request.headers = HeaderMap::new();
        }
        let Some(mut answer) = self.turn() else {
            self.unclear = Some("the upstream did not answer".to_owned());
            return;
        };
        let mut asks_left = most_asks(self.request.class);
        loop {
            let (mut report, ask) = self.plan.mend_reply(&self.site, &self.request, &mut answer.reply, asks_left > 0);
            let asking = report.take_asking(ask.as_ref());
            self.note(report);
            let (Some(ask), Some(asking)) = (ask, asking) else { break };
            asks_left = asks_left.saturating_sub(1);
            match self.ask_again(&answer, &ask, asking) {
                Some(better) => answer = better,
                None => asks_left = 0,
            }
            if self.unclear.is_some() {
                return;
            }
        }
        self.mend_message(&mut answer);
        self.mend_events(&answer);
    }

    fn note(&mut self, report: Report) {
        self.findings.note(report);
    }

    /// What is read of the request.
    fn peek(&mut self) {
        let text = Bytes::copy_from_slice(self.recorded.asked.body.as_bytes());
        let is_read = !text.is_empty() && self.recorded.asked.body != NOT_KEPT;
        let request = &mut self.request;
        if request.class.has_messages() && request.method == Method::POST {
            if !is_read {
                return;
            }
            return reading::show_message(self.plan, request, text, || self.recorded.turns.is_empty());
        }
        let needs = self.plan.request_needs(request);
        if is_read && needs != Needs::Head && admit::carries(request, needs) {
            reading::show_body(needs, request, text);
        }
    }

    /// The next recorded answer, read as far as `proxy/answer.rs` reads it.
    fn turn(&mut self) -> Option<Answer> {
        let (_, came) = self.recorded.turns.get(self.next)?;
        self.next += 1;
        let came = came.as_ref()?;
        let mut reply = Reply::new(StatusCode::from_u16(came.status()).ok()?, headers_of(came));
        headers::strip_hop_by_hop(&mut reply.headers);
        let is_known = came.body != NOT_KEPT;
        let text = is_known.then(|| body_of(&came.body));
        if let Some(text) = &text {
            self.show(&mut reply, text);
        }
        Some(Answer { reply, text })
    }

    fn show(&self, reply: &mut Reply, text: &Bytes) {
        let request = &self.request;
        if !reading::has_body(request, reply.status) {
            reply.coding = None;
            return;
        }
        let was_read = !matches!(self.recorded.untouched.as_deref(), Some("too-large" | "slow" | "encoded"));
        if reading::needs(self.plan, request, reply) != Needs::Head {
            if was_read {
                reading::show_whole(reply, text);
            }
            return;
        }
        let is_peeked =
            self.plan.wants_messages(request) && reading::may_be_message(request, reply) && reply.coding.is_none();
        if !is_peeked {
            return;
        }
        let most = reading::longest_message(request, LARGEST);
        reply.opening = Opening::of(text);
        if reply.declared_length().is_some_and(|length| length > most as u64) {
            return;
        }
        let is_message = match reply.opening {
            Opening::Events => request.class == Class::LegacyPost,
            opening => opening != Opening::Other,
        };
        if is_message && reading::show_answer(self.plan, request, reply, text) {
            reading::show_whole(reply, text);
        }
    }

    /// A further ask and those in its place. `None` if no answer is better.
    fn ask_again(&mut self, first: &Answer, ask: &Ask, asking: Fired) -> Option<Answer> {
        let first_body = self.request.body.clone();
        let before = self.findings.mark();
        self.note(asking.into());
        let asked = self.findings.mark();
        let mut next = Some(ask);
        while let Some(ask) = next {
            next = ask.otherwise.as_deref();
            self.findings.take_back(asked);
            if ask.bridge.is_some() {
                self.unclear = Some("it went on over the older transport".to_owned());
                return None;
            }
            let second = if ask.parts.is_empty() { self.ask_one(ask) } else { self.ask_parts(&ask.parts) };
            match second {
                Some(second) if Ask::is_better(self.request.class, &first.reply, &second.reply) => return Some(second),
                _ => {}
            }
        }
        self.request.body = first_body;
        self.findings.take_back(before);
        None
    }

    fn ask_one(&mut self, ask: &Ask) -> Option<Answer> {
        let body = ask.body.as_ref().unwrap_or(&self.request.body);
        let needs_body = matches!(self.request.method, Method::POST | Method::PUT | Method::PATCH) && !ask.listens;
        if needs_body && *body == RequestBody::Unread {
            return None;
        }
        if let Some(body) = &ask.body {
            self.request.body = body.clone();
        }
        let mut answer = self.turn()?;
        if ask.listens && answer.reply.is_of("text/event-stream") {
            answer.reply.form = Form::Listened;
        }
        Some(answer)
    }

    fn mend_message(&mut self, answer: &mut Answer) {
        if !self.request.class.has_messages() || !answer.reply.is_json() {
            return;
        }
        let text = match &answer.reply.body {
            ReplyBody::Json(object) => Some(object.to_bytes()),
            ReplyBody::Text(text) => Some(text.clone()),
            // Only what was read whole is mended as a message.
            ReplyBody::Stream if answer.reply.message.is_some() => answer.text.clone(),
            _ => None,
        };
        let Some(text) = text else { return };
        let (report, mended) = self.plan.mend_message(&self.site, &self.request, &text);
        if let Some(mended) = mended {
            answer.reply.body = ReplyBody::Text(mended);
        }
        self.note(report);
    }
}

/// The body that a text stands for: of what could not be shown, what it says, in the form of a page if it was one.
fn body_of(text: &str) -> Bytes {
    let summary = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    match summary {
        Some((kind, said)) if kind.contains(" bytes, #") => {
            let is_page = kind.starts_with("text/html");
            let said = if said.is_empty() { text } else { said.trim_start() };
            if is_page { format!("<!DOCTYPE html><body>{said}</body>").into() } else { said.to_owned().into() }
        }
        _ => Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn headers_of(message: &Message) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        // The halves of Basic credentials are written apart, so that one sees which of them is which.
        let encoded = value.strip_prefix("Basic ").filter(|rest| rest.contains(':')).map(|rest| STANDARD.encode(rest));
        let value = encoded.map_or_else(|| value.clone(), |encoded| format!("Basic {encoded}"));
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    message.headers.iter().filter_map(field).collect()
}

/// The request as repairs see it.
fn request(site: &Site<'_>, recorded: &Recorded) -> Option<Request> {
    let (method, target) = recorded.asked.start.split_once(' ')?;
    let (method, target): (Method, http::uri::PathAndQuery) = (method.parse().ok()?, target.parse().ok()?);
    let class = Class::ALL.into_iter().find(|class| class.name() == recorded.class)?;
    // Where messages were seen to go at once.
    let first = recorded.turns.first().map(|(asked, _)| asked.start.split_once(' ').map_or("", |(_, to)| to));
    let moved = first.filter(|to| class == Class::Mcp && to.split('?').next() != Some(target.path()));
    // The token itself was not recorded, only whether it had expired.
    let request = Request::new(site, Head { method, target, headers: headers_of(&recorded.asked) }, || 0);
    let expired = request.guarded && request.class.has_messages() && recorded.is_expired;
    Some(Request { class, moved: moved.map(Into::into), expired, ..request })
}

/// What of an answer's head an event repair may ask for.
fn stream_head(headers: &HeaderMap) -> HeaderMap {
    headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind.clone())).into_iter().collect()
}

#[cfg(test)]
mod tests;
