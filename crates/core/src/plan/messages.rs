//! Running the lists that look at messages: in a body, in an event, and at the silence between two events.

use bytes::Bytes;

use super::lists::{Events, Message, Messages};
use super::run::{ask_each, run};
use super::{Plan, Report, Step};
use crate::exchange::features::Features;
use crate::exchange::{At, Event, Reply, Request, Site};
use crate::jsonrpc::Envelope;
use crate::repair::Hook;
use crate::sse;

impl Plan {
    /// Whether a live repair wants to see the messages in an answer to this request.
    #[must_use]
    pub fn wants_messages(&self, request: &Request) -> bool {
        self.lists(request.class).is_some_and(|lists| !lists.message.is_empty())
    }

    /// Whether a live repair wants to see the events of this reply, or the messages in them.
    #[must_use]
    pub fn wants_events(&self, request: &Request, reply: &Reply) -> bool {
        self.wants_messages(request)
            || self.lists(request.class).is_some_and(|lists| wants(&lists.event, request, reply))
    }

    /// Whether a live repair does something about silence in the events of this reply.
    #[must_use]
    pub fn heeds_silence(&self, request: &Request, reply: &Reply) -> bool {
        self.lists(request.class).is_some_and(|lists| wants(&lists.silence, request, reply))
    }

    /// Runs the message repairs on the text of one message. Answers the changed text, if anything was changed.
    pub fn mend_message(&self, site: &Site<'_>, request: &Request, text: &Bytes) -> (Report, Option<Bytes>) {
        match Envelope::peek(text) {
            Some(envelope) => self.mend_peeked(site, request, &envelope, text),
            None => (Report::default(), None),
        }
    }

    /// As [`Plan::mend_message`], of a message that was peeked at.
    pub fn mend_peeked(
        &self,
        site: &Site<'_>,
        request: &Request,
        envelope: &Envelope,
        text: &Bytes,
    ) -> (Report, Option<Bytes>) {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.message);
        let mut message = Message::new(text.clone());
        let (report, _) =
            run(&Messages { site, request, envelope, names_parts: self.names_parts }, steps, &mut message);
        // Every change is written anew, to another place in memory.
        let mended = (message.text.as_ptr() != text.as_ptr()).then_some(message.text);
        (report, mended)
    }

    /// Runs the event repairs on one event, and the message repairs on what it carries. Answers also whether that is the
    /// answer to the request.
    pub fn mend_event(&self, site: &Site<'_>, request: &Request, reply: &Reply, event: &mut Event) -> (Report, bool) {
        let mut report = Report::default();
        let plain = sse::plain_message(&event.text).filter(|_| event.at == At::Arrival);
        let peeked = plain.and_then(|data| Some((Envelope::peek(&data).filter(Envelope::is_message)?, data)));
        if let Some((message, data)) = peeked {
            let (mended, answers) = self.mend_data(site, request, &message, &data, &mut report);
            if let Some(mended) = mended {
                event.text = sse::with_field(&event.text, "data", &String::from_utf8_lossy(&mended)).into();
            }
            return (report, answers);
        }
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.event);
        report = run(&Events { site, request, reply, names_parts: self.names_parts }, steps, event).0;
        let answers = self.wants_messages(request) && self.mend_messages_of(site, request, event, &mut report);
        (report, answers)
    }

    /// Mends the message in the data of an event. Answers its new text, if any, and whether it is the answer.
    fn mend_data(
        &self,
        site: &Site<'_>,
        request: &Request,
        message: &Envelope,
        data: &Bytes,
        report: &mut Report,
    ) -> (Option<Bytes>, bool) {
        let (found, text) = self.mend_peeked(site, request, message, data);
        // An answer may have got its id only now (F-24).
        let anew = text.as_ref().and_then(Envelope::peek);
        let message = anew.as_ref().unwrap_or(message);
        let answers = request.message.as_ref().is_some_and(|asked| message.answers(asked));
        report.extend(found);
        (text, answers)
    }

    /// Runs the repairs that do something about silence.
    pub fn mend_silence(&self, site: &Site<'_>, request: &Request, reply: &Reply, event: &mut Event) -> Report {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.silence);
        run(&Events { site, request, reply, names_parts: self.names_parts }, steps, event).0
    }

    /// Mends the message in each event of a text: nearly always one. Answers whether one is the answer.
    fn mend_messages_of(&self, site: &Site<'_>, request: &Request, event: &mut Event, report: &mut Report) -> bool {
        let text = event.text.clone();
        // What was there before the part that is looked at, once any of it was changed.
        let mut out: Option<Vec<u8>> = None;
        let (mut at, mut answers) = (0, false);
        for one in sse::events(&text) {
            // What comes under another name than `message` is for somebody else (WHATWG HTML section 9.2.6).
            let is_heard = sse::field(&one, "event").is_none_or(|name| name.is_empty() || name == "message");
            let data = sse::data(&one).filter(|data| is_heard && data.trim_ascii_start().first() == Some(&b'{'));
            let mended = data.and_then(|data| {
                let message = Envelope::peek(&data)?;
                let (text, is_answer) = self.mend_data(site, request, &message, &data, report);
                answers |= is_answer;
                text
            });
            if let Some(mended) = mended {
                let new = sse::with_field(&one, "data", &String::from_utf8_lossy(&mended));
                out.get_or_insert_with(|| text[..at].to_vec()).extend_from_slice(&new);
            } else if let Some(out) = &mut out {
                out.extend_from_slice(&one);
            }
            at += one.len();
        }
        if let Some(out) = out {
            event.text = out.into();
        }
        answers
    }
}

/// Whether a step wants to see the events of this reply, or is broken: then the run over the first event tells of it.
fn wants(steps: &[Step], request: &Request, reply: &Reply) -> bool {
    let (mut is_wanted, features) = (false, Features::of_request(request).with_reply(reply));
    let has_panicked = ask_each(steps, |step| {
        let accepts = || matches!(step.repair.hook, Hook::Event { when, .. } | Hook::Silence { when, .. } if when(request, reply));
        is_wanted = is_wanted || step.is_open_to(features) && accepts();
    });
    is_wanted || has_panicked
}
