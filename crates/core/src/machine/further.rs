//! A further ask and those in its place: each is put, weighed against the first answer, and forgotten if it is no better and
//! says that nothing was carried out.

use std::borrow::Cow;

use super::again::again;
use super::parts::Parts;
use super::{Answer, Body, Machine, Rules, Step};
use crate::endpoint::Class;
use crate::evidence::message;
use crate::exchange::{Ask, Form, Reply, Request, RequestBody};
use crate::fence;
use crate::plan::{Fired, Mark};

/// A further ask under way.
pub(super) struct Further<B> {
    /// The answer that stands until a better one comes.
    pub(super) first: Answer<B>,
    /// The body that the request had then.
    first_body: RequestBody,
    /// Who asks, and why.
    by: (&'static str, Cow<'static, str>),
    /// What had fired before the ask, and with it.
    before: Mark,
    asked: Mark,
    /// The ask that is put now, with those that come after it.
    ask: Box<Ask>,
    /// What is put message by message, while one of them is asked.
    pub(super) parts: Option<Parts>,
}

impl<B: Body> Machine<B> {
    /// Asks again. The answer counts if it is better, and then the repair that is `asking` has fired; otherwise the first one
    /// stands, and what was found on the way is taken back.
    pub(super) fn ask_again(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        mut first: Answer<B>,
        ask: Ask,
        asking: Fired,
    ) -> Step<B> {
        first.body.release_connection();
        let before = self.findings.mark();
        let by = (asking.id, asking.finding.what.clone());
        self.note(asking.into());
        let asked = self.findings.mark();
        let (first_body, ask) = (request.body.clone(), Box::new(ask));
        let further = Further { first, first_body, by, before, asked, ask, parts: None };
        self.put(rules, request, Box::new(further))
    }

    /// Puts the ask that is next. The first answer stands if none can be put.
    fn put(&mut self, rules: &Rules<'_>, request: &mut Request, mut further: Box<Further<B>>) -> Step<B> {
        loop {
            self.findings.take_back(further.asked);
            if !further.ask.parts.is_empty() {
                let parts = Parts::new(request, &further.ask.parts);
                return self.next_part(rules, request, further, parts);
            }
            if let Some(step) = step_of(rules, request, &further.ask) {
                self.further = Some(further);
                return step;
            }
            match further.ask.otherwise.take() {
                Some(next) => further.ask = next,
                None => return self.stay(rules, request, *further),
            }
        }
    }

    /// The ask brought nothing better.
    pub(super) fn put_next(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        mut further: Box<Further<B>>,
    ) -> Step<B> {
        match further.ask.otherwise.take() {
            Some(next) => {
                request.body.clone_from(&further.first_body);
                further.ask = next;
                self.put(rules, request, further)
            }
            None => self.stay(rules, request, *further),
        }
    }

    /// Goes on with the first answer, and asks no more.
    fn stay(&mut self, rules: &Rules<'_>, request: &mut Request, further: Further<B>) -> Step<B> {
        request.body = further.first_body;
        self.findings.take_back(further.before);
        self.asks_left = 0;
        self.mend(rules, request, further.first)
    }

    /// A further ask was answered.
    pub(super) fn came_again(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        mut further: Box<Further<B>>,
        mut answer: Answer<B>,
    ) -> Step<B> {
        if let Some(parts) = further.parts.take() {
            return self.came_part(rules, request, further, parts, answer);
        }
        if further.ask.listens && answer.reply.is_of("text/event-stream") {
            answer.reply.form = Form::Listened;
        }
        self.weigh(rules, request, further, answer)
    }

    /// A further ask failed. Returns `None` if the client must get this failure: the upstream may have carried the request out,
    /// so that no other way is tried, and the first answer would not be true.
    pub fn failed(&mut self, rules: &Rules<'_>, request: &mut Request, was_sent: bool) -> Option<Step<B>> {
        let mut further = self.further.take()?;
        if let Some(parts) = further.parts.take() {
            return Some(self.failed_part(rules, request, further, parts, was_sent));
        }
        if was_sent && acts(request, &further.ask) {
            self.findings.take_back(further.before);
            return None;
        }
        Some(self.put_next(rules, request, further))
    }

    /// Goes on with the second answer if it is better, or if the request may have been carried out.
    pub(super) fn weigh(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        further: Box<Further<B>>,
        second: Answer<B>,
    ) -> Step<B> {
        if !Ask::is_better(request.class, &further.first.reply, &second.reply) {
            if fence::may_act_twice(request, &second.reply, &further.ask) {
                self.asks_left = 0;
                return self.mend(rules, request, second);
            }
            return self.put_next(rules, request, further);
        }
        let Further { first, by, ask, .. } = *further;
        if !request.class.has_messages() && (ask.body.is_some() || ask.authorization.is_some()) {
            self.news.substituted = Some(by);
        }
        self.listen_again(rules, request, &first.reply, &ask);
        self.mend(rules, request, second)
    }

    /// What the better answer to a further ask says about lessons.
    fn listen_again(&mut self, rules: &Rules<'_>, request: &Request, first: &Reply, ask: &Ask) {
        let Some(target) = ask.target.as_deref().filter(|_| request.class == Class::Mcp) else { return };
        self.news.heard.extend(message::moved(&rules.site.facts.mcp_path, request, first.status, target));
    }
}

/// Whether this ask may have an effect at the upstream: a message, or a token request, which spends a code.
fn acts(request: &Request, ask: &Ask) -> bool {
    (request.class.has_messages() || request.class == Class::Token) && !ask.listens && !request.only_reads()
}

/// The step that puts an ask, if it can be put.
fn step_of<B>(rules: &Rules<'_>, request: &mut Request, ask: &Ask) -> Option<Step<B>> {
    if let Some(at) = &ask.bridge {
        return Some(Step::Bridge(at.clone()));
    }
    // A document is public wherever it is.
    let is_free = |target: &str| request.class.is_metadata() || (rules.may_ask_at)(request, target);
    if !ask.target.as_deref().is_none_or(is_free) {
        return None;
    }
    let outgoing = again(request, ask)?;
    if let Some(body) = &ask.body {
        request.body.clone_from(body);
    }
    Some(Step::Ask(outgoing))
}
