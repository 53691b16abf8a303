//! Replaying the events of a stream.

use super::{Answer, Run, stream_head};
use crate::exchange::{At, Event, Form, Reply, ReplyBody};
use crate::headers;
use crate::sse::Splitter;

impl Run<'_> {
    /// Shows the events of a stream, and its end, to the repairs that want them (`proxy/finish.rs`).
    pub(super) fn mend_events(&mut self, answer: &Answer) {
        let is_streamed = matches!(answer.reply.body, ReplyBody::Stream);
        let is_events = answer.reply.is_of("text/event-stream") || answer.reply.form == Form::Message;
        let reply =
            Reply { headers: stream_head(&answer.reply.headers), body: ReplyBody::Stream, ..answer.reply.clone() };
        let is_wanted = reply.form == Form::Message || self.rules.plan.wants_events(&self.request, &reply);
        let Some(text) = answer.body.text.clone().filter(|_| is_streamed && is_events && is_wanted) else { return };
        if headers::is_encoded(&answer.reply.headers) {
            return;
        }
        let mut splitter = Splitter::default();
        splitter.push(text);
        while let Some(text) = splitter.next_event() {
            let mut event = Event::arrived(text);
            let answers = self.mend_event(&reply, &mut event);
            let is_last = !self.request.class.has_messages() && event.data().is_some();
            if event.ends || is_last || (answers && reply.form == Form::Listened) {
                return;
            }
        }
        if self.recorded.ending.as_deref() == Some("whole") {
            let mut event = Event::at(At::End { open: false }, splitter.take_rest());
            self.mend_event(&reply, &mut event);
        }
    }

    fn mend_event(&mut self, reply: &Reply, event: &mut Event) -> bool {
        let (report, answers) = self.rules.plan.mend_event(&self.rules.site, &self.request, reply, event);
        self.machine.findings.note_event(report);
        answers
    }
}
