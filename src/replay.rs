//! Running the plan over an exchange that was recorded: what would fire, and what it would find. Pure.
//!
//! The upstream's answers are the recorded ones, in their order; so a further ask gets what it got then. What depends on
//! time is not run: repairs of silence, and what was answered after waiting.

mod events;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::endpoint::{self, Class};
use crate::exchange::{Facts, Head, Opening, Reply, Request, Site};
use crate::headers;
use crate::knowledge::Knowledge;
use crate::machine::reading::{self, OfReply, OfRequest};
use crate::machine::{self, Begun, Machine, Rules, Step, take_fields};
use crate::plan::{Fired, Plan};
use crate::redact::{Message, NOT_KEPT};
use crate::repair::Hook;
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
    // What was not allowed then was not asked, and has no turn.
    let rules = Rules { plan, site, may_ask_at: &was_allowed };
    let mut run = Run { rules, recorded, request, machine: Machine::default(), next: 0 };
    let unclear = run.go().err().map(str::to_owned);
    Replayed { fired: run.machine.findings.into_fired(), unclear }
}

fn unclear(why: &str) -> Replayed {
    Replayed { fired: Vec::new(), unclear: Some(why.to_owned()) }
}

fn was_allowed(_: &Request, _: &str) -> bool {
    true
}

/// One replay under way.
struct Run<'a> {
    rules: Rules<'a>,
    recorded: &'a Recorded,
    request: Request,
    machine: Machine<Text>,
    /// The turn that answers the next ask.
    next: usize,
}

/// The body of a recorded answer, if it is known.
struct Text {
    text: Option<Bytes>,
    was_read: bool,
}

type Answer = machine::Answer<Text>;

impl machine::Body for Text {
    fn nothing() -> Self {
        Self { text: None, was_read: false }
    }

    fn text(&self) -> Option<Bytes> {
        self.text.clone().filter(|_| self.was_read)
    }
}

impl Run<'_> {
    /// Goes through the exchange.
    ///
    /// # Errors
    /// Why that is not possible to the end.
    fn go(&mut self) -> Result<(), &'static str> {
        self.show_request();
        if let Begun::Answer(_) = self.machine.begin(&self.rules, &mut self.request) {
            return Ok(());
        }
        drop(take_fields(&mut self.request));
        let answer = self.turn().ok_or("the upstream did not answer")?;
        let mut step = self.machine.came(&self.rules, &mut self.request, answer);
        loop {
            step = match step {
                Step::Relay(answer) => {
                    self.mend_events(&answer);
                    return Ok(());
                }
                Step::Bridge(_) => return Err("it went on over the older transport"),
                Step::Gather(answer) => {
                    let text = answer.body.text;
                    let text = text.and_then(|text| reading::answer_in(&self.request, &answer.reply, &text));
                    self.machine.gathered(&self.rules, &mut self.request, text)
                }
                Step::Ask(_) => {
                    // What was sent is recorded, whether it was answered or not.
                    let was_sent = self.next < self.recorded.turns.len();
                    match self.turn() {
                        Some(answer) => Some(self.machine.came(&self.rules, &mut self.request, answer)),
                        None => self.machine.failed(&self.rules, &mut self.request, was_sent),
                    }
                }
            }
            .ok_or("it cannot be gone through")?;
        }
    }

    /// What is read of the request.
    fn show_request(&mut self) {
        let body = &self.recorded.asked.body;
        if body.is_empty() || body == NOT_KEPT {
            return;
        }
        let (text, request) = (Bytes::copy_from_slice(body.as_bytes()), &mut self.request);
        match reading::of_request(self.rules.plan, self.rules.site.known, request) {
            OfRequest::Nothing => {}
            OfRequest::Body(needs) => reading::show_body(needs, request, text),
            OfRequest::Message => {
                reading::show_message(self.rules.plan, request, text, || self.recorded.turns.is_empty());
            }
        }
    }

    /// The next recorded answer, read as far as the data path reads it.
    fn turn(&mut self) -> Option<Answer> {
        let (_, came) = self.recorded.turns.get(self.next)?;
        self.next += 1;
        let came = came.as_ref()?;
        let mut reply = Reply::new(StatusCode::from_u16(came.status()).ok()?, headers_of(came));
        headers::strip_hop_by_hop(&mut reply.headers);
        let text = (came.body != NOT_KEPT).then(|| body_of(&came.body));
        let was_read = text.as_ref().is_some_and(|text| self.show_reply(&mut reply, text));
        Some(Answer { reply, body: Text { text, was_read } })
    }

    /// Answers whether the body was read whole.
    fn show_reply(&self, reply: &mut Reply, text: &Bytes) -> bool {
        let (plan, request) = (self.rules.plan, &self.request);
        match reading::of_reply(plan, request, reply, LARGEST) {
            OfReply::Nothing => return false,
            OfReply::Start => {
                reply.opening = Opening::of(text);
                return false;
            }
            OfReply::Body(_)
                if matches!(self.recorded.untouched.as_deref(), Some("too-large" | "slow" | "encoded")) =>
            {
                return false;
            }
            OfReply::Body(_) => {
                reading::show_whole(reply, text);
            }
            OfReply::Message(_) if !reading::begins_like_message(request, text) => {
                reply.opening = Opening::of(text);
                return false;
            }
            OfReply::Message(_) => {
                if reading::show_answer(plan, request, reply, text) {
                    reading::show_whole(reply, text);
                }
            }
        }
        true
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
    let mut request = Request::new(site, Head { method, target, headers: headers_of(&recorded.asked) }, || 0);
    // It was placed by what was known then.
    request.class = class;
    request.is_stateless = class.has_messages() && endpoint::is_stateless(&request.headers);
    request.take_login(request.requires_auth, || 0);
    let expired = request.requires_auth && class.has_messages() && recorded.is_expired;
    Some(Request { moved: moved.map(Into::into), expired, ..request })
}

/// What of an answer's head an event repair may ask for.
fn stream_head(headers: &HeaderMap) -> HeaderMap {
    headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind.clone())).into_iter().collect()
}

#[cfg(test)]
mod tests;
