//! A list of messages asked one by one: servers of MCP 2025-06-18 and later take no lists, clients of 2025-03-26 send them.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::again::again;
use super::further::Further;
use super::parts::Parts;
use super::{Answer, Body, Machine, Rules, Step};
use crate::exchange::{Ask, ReplyBody, Request, RequestBody};
use crate::jsonrpc::{self, Envelope};

impl<B: Body> Machine<B> {
    /// Asks the message whose turn it is; when there is none left, the list of the answers is the answer.
    pub(super) fn next_part(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        mut further: Box<Further<B>>,
        mut parts: Parts,
    ) -> Step<B> {
        let Some(part) = parts.left.pop_front() else {
            *request = parts.whole;
            parts.answers.append(&mut parts.unsent);
            return self.weigh(rules, request, further, Answer::ours(Parts::reply(&parts.answers)));
        };
        let message = Envelope::peek(&part);
        *request = Request { method: Method::POST, message, body: RequestBody::Whole(part), ..parts.whole.clone() };
        let Some(outgoing) = again(request, &Ask::default()) else {
            return self.failed_part(rules, request, further, parts, false);
        };
        further.parts = Some(parts);
        self.further = Some(further);
        Step::Ask(outgoing)
    }

    /// A message of the list was answered.
    pub(super) fn came_part(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        mut further: Box<Further<B>>,
        parts: Parts,
        mut answer: Answer<B>,
    ) -> Step<B> {
        let status = answer.reply.status;
        let is_refused =
            [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        if is_refused && !parts.has_begun {
            // Nothing was carried out, and the client learns why.
            *request = parts.whole;
            self.asks_left = 0;
            return self.mend(rules, request, answer);
        }
        let is_message = answer.message(request).is_some();
        let is_unread = answer.reply.body == ReplyBody::Stream && status.is_success();
        if !is_message && is_unread && request.asks() {
            further.parts = Some(parts);
            self.further = Some(further);
            return Step::Gather(answer);
        }
        let (report, _) = rules.plan.mend_reply(&rules.site, request, &mut answer.reply, false);
        self.note(report);
        self.mend_message(rules, request, &mut answer);
        // The reply repairs may have turned a single answer into an event.
        let text = if is_message { answer.text() } else { answer.message(request) };
        let text = text.filter(|text| Envelope::peek(text).is_some_and(|message| message.is_response()));
        let refusal = || {
            let text = format!("The server answered {}", status.as_u16());
            jsonrpc::error_of_status(request.message.as_ref(), status.as_u16(), &text)
        };
        let text = text.or_else(|| (!status.is_success()).then(refusal));
        self.take_part(rules, request, further, parts, text)
    }

    /// What was read of an answer to a message of the list. `None`: not all of it came, or there was no room for it.
    pub fn gathered(&mut self, rules: &Rules<'_>, request: &mut Request, text: Option<Bytes>) -> Option<Step<B>> {
        let mut further = self.further.take()?;
        let parts = further.parts.take()?;
        let Some(text) = text else { return Some(self.failed_part(rules, request, further, parts, true)) };
        let (report, mended) = rules.plan.mend_message(&rules.site, request, &text);
        self.note(report);
        let text = mended.unwrap_or(text);
        let text = Some(text).filter(|text| Envelope::peek(text).is_some_and(|message| message.is_response()));
        Some(self.take_part(rules, request, further, parts, text))
    }

    /// A message of the list was not answered, and nothing behind it is sent any more. If one was sent, the upstream may have
    /// carried it out: then the client gets the answers that came.
    pub(super) fn failed_part(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        further: Box<Further<B>>,
        mut parts: Parts,
        was_sent: bool,
    ) -> Step<B> {
        if !was_sent && !parts.has_begun {
            *request = parts.whole;
            return self.put_next(rules, request, further);
        }
        for part in parts.left.drain(..) {
            let unsent = Envelope::peek(&part).filter(Envelope::is_request);
            let text = "The message was not sent, because the answer to an earlier one of the list could not be read";
            let answer = unsent.map(|message| jsonrpc::error(Some(&message), jsonrpc::INTERNAL_ERROR, text));
            parts.unsent.extend(answer);
        }
        self.take_part(rules, request, further, parts, None)
    }

    fn take_part(
        &mut self,
        rules: &Rules<'_>,
        request: &mut Request,
        further: Box<Further<B>>,
        mut parts: Parts,
        answer: Option<Bytes>,
    ) -> Step<B> {
        parts.has_begun = true;
        if request.asks() {
            let none = "The server gave no answer that could be read";
            let none = || jsonrpc::error(request.message.as_ref(), jsonrpc::INTERNAL_ERROR, none);
            parts.answers.push(answer.unwrap_or_else(none));
        }
        self.next_part(rules, request, further, parts)
    }
}
