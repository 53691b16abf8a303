//! One exchange, from an admitted head to a mended answer, without I/O: the machine says what to do next, and whoever drives
//! it tells what came. The data path drives it with connections, a replay with what was recorded.
//!
//! ```text
//! begin --> answer
//!   |
//!   +-> ask -> came --> relay
//!                |
//!                +-> ask, bridge, gather -> came, failed, gathered -> ...
//! ```

mod again;
mod further;
mod one_by_one;
mod parts;
pub mod reading;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;

pub use self::again::{Outgoing, asked_with, take_fields};
use self::further::Further;
use crate::endpoint::Class;
use crate::evidence::response::Brought;
use crate::evidence::{message, response};
use crate::exchange::{Reply, ReplyBody, Request, Site};
use crate::lesson::Heard;
use crate::plan::{Bug, Findings, Plan, Report};

/// What decides: the repairs that are live, and the site.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    pub plan: &'a Plan,
    pub site: Site<'a>,
    /// Whether the client could send this request to that target itself.
    pub may_ask_at: &'a dyn Fn(&Request, &str) -> bool,
}

/// What a driver holds of the body of an answer.
pub trait Body {
    /// Of an answer that the upstream has no part in.
    fn nothing() -> Self;

    /// The text without its content coding, if it was read whole.
    fn text(&self) -> Option<Bytes>;

    /// The upstream is about to be asked again: what an answer that was read whole does not need any more can go.
    fn release_connection(&mut self) {}
}

/// An answer: its head, what repairs were shown of its body, and what the driver holds of that.
pub struct Answer<B> {
    pub reply: Reply,
    pub body: B,
}

impl<B: Body> Answer<B> {
    /// One that the upstream has no part in.
    #[must_use]
    pub fn ours(reply: Reply) -> Self {
        Self { reply, body: B::nothing() }
    }

    /// The text of the body, if it was read.
    #[must_use]
    pub fn text(&self) -> Option<Bytes> {
        match &self.reply.body {
            ReplyBody::Json(object) => Some(object.to_bytes()),
            ReplyBody::Text(text) => Some(text.clone()),
            ReplyBody::Stream => self.body.text(),
            ReplyBody::Empty => None,
        }
    }

    /// The text of the one message that it is, if that was read.
    #[must_use]
    pub fn message(&self, request: &Request) -> Option<Bytes> {
        if request.class.has_messages() && self.reply.is_json() { self.text() } else { None }
    }
}

/// What to do with an admitted request.
pub enum Begun<B> {
    /// Answer it so, without asking the upstream.
    Answer(Box<Answer<B>>),
    /// Ask the upstream, with this body if the one that came was changed.
    Ask(Option<Bytes>),
}

/// What to do next.
pub enum Step<B> {
    /// Ask the upstream again, so. Then [`Machine::came`] or [`Machine::failed`].
    Ask(Outgoing),
    /// Send the message over the stream of the HTTP+SSE transport that is opened there. Then [`Machine::came`] or
    /// [`Machine::failed`].
    Bridge(String),
    /// Read the message in this answer: in an event stream the one that answers the request. Then [`Machine::gathered`].
    Gather(Answer<B>),
    /// Relay this to the client.
    Relay(Answer<B>),
}

/// What a step brought up for others than the client.
#[derive(Default)]
pub struct News {
    /// Repairs that failed, for the first time in this exchange.
    pub bugs: Vec<Bug>,
    /// What was said about lessons.
    pub heard: Vec<Heard>,
    /// The upstream was asked for something else than the client asked for: by which repair and why.
    pub substituted: Option<(&'static str, Cow<'static, str>)>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.bugs.is_empty() && self.heard.is_empty() && self.substituted.is_none()
    }
}

/// One exchange under way.
pub struct Machine<B> {
    /// What fired so far.
    pub findings: Findings,
    news: News,
    /// What the request brings along that decides what its answer may teach.
    brought: Option<Brought>,
    /// Whether the message went to where messages moved to.
    has_moved: bool,
    /// How often a repair may still have the upstream asked again. Each time several ways may be tried.
    asks_left: usize,
    further: Option<Box<Further<B>>>,
}

impl<B> Default for Machine<B> {
    fn default() -> Self {
        let (findings, news) = (Findings::default(), News::default());
        Self { findings, news, brought: None, has_moved: false, asks_left: 0, further: None }
    }
}

impl<B: Body> Machine<B> {
    /// Mends a request of which everything was read that [`reading::of_request`] wants.
    pub fn begin(&mut self, rules: &Rules<'_>, request: &mut Request) -> Begun<B> {
        self.brought = Brought::by(&rules.site, request);
        let target = request.target.clone();
        let (report, answer) = rules.plan.mend_request(&rules.site, request);
        self.has_moved = request.target != target && request.moved.as_deref() == Some(request.target.as_str());
        let is_mended = report.mended();
        self.note(report);
        match answer {
            Some(reply) => Begun::Answer(Box::new(self.answer(rules, request, *reply))),
            None => Begun::Ask(if is_mended { again::changed_body(request) } else { None }),
        }
    }

    /// An answer that the upstream has no part in, mended like any other.
    pub fn answer(&mut self, rules: &Rules<'_>, request: &Request, mut reply: Reply) -> Answer<B> {
        let (report, _) = rules.plan.mend_reply(&rules.site, request, &mut reply, false);
        self.note(report);
        Answer::ours(reply)
    }

    /// The upstream has answered, and everything was read of it that [`reading::of_reply`] wants.
    pub fn came(&mut self, rules: &Rules<'_>, request: &mut Request, answer: Answer<B>) -> Step<B> {
        if let Some(further) = self.further.take() {
            return self.came_again(rules, request, further, answer);
        }
        self.listen(rules, request, &answer.reply);
        self.asks_left = most_asks(request.class);
        self.mend(rules, request, answer)
    }

    /// Mends an answer, or asks for a better one.
    fn mend(&mut self, rules: &Rules<'_>, request: &mut Request, mut answer: Answer<B>) -> Step<B> {
        let (mut report, ask) = rules.plan.mend_reply(&rules.site, request, &mut answer.reply, self.asks_left > 0);
        let asking = report.take_asking(ask.as_ref());
        self.note(report);
        if let (Some(ask), Some(asking)) = (ask, asking) {
            self.asks_left = self.asks_left.saturating_sub(1);
            return self.ask_again(rules, request, answer, ask, asking);
        }
        self.mend_message(rules, request, &mut answer);
        Step::Relay(answer)
    }

    /// Mends the one message of an answer that was read whole.
    fn mend_message(&mut self, rules: &Rules<'_>, request: &Request, answer: &mut Answer<B>) {
        let Some(text) = answer.message(request) else { return };
        let (report, mended) = match &answer.reply.message {
            Some(peeked) if matches!(answer.reply.body, ReplyBody::Stream) => {
                rules.plan.mend_peeked(&rules.site, request, peeked, &text)
            }
            _ => rules.plan.mend_message(&rules.site, request, &text),
        };
        if let Some(mended) = mended {
            answer.reply.body = ReplyBody::Text(mended);
        }
        self.note(report);
    }

    /// What the upstream's first answer says about lessons.
    fn listen(&mut self, rules: &Rules<'_>, request: &Request, reply: &Reply) {
        match (request.class, &self.brought) {
            (Class::Mcp, _) => {
                self.news.heard.extend(message::probe(request, reply));
                if self.has_moved {
                    self.news.heard.extend(message::still_moved(request, reply));
                }
            }
            (_, Some(brought)) => self.news.heard.extend(response::heard(&rules.site, brought, request, reply)),
            (_, None) => {}
        }
    }

    /// Takes in what a list of repairs came to.
    pub fn note(&mut self, report: Report) {
        let bugs = self.findings.note(report);
        self.news.bugs.extend(bugs);
    }

    /// What the steps since the last call brought up for others.
    pub fn take_news(&mut self) -> Option<News> {
        if self.news.is_empty() { None } else { Some(std::mem::take(&mut self.news)) }
    }
}

/// How often the upstream may be asked again: a redirect may lead to another.
fn most_asks(class: Class) -> usize {
    match class {
        class if class.has_messages() => 3,
        class => usize::from(class.may_ask_again()),
    }
}
