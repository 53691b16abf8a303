//! Replaying what comes in pieces: a list of messages that was asked one by one, the events of a stream.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::{Answer, Run, stream_head};
use crate::exchange::{At, Event, Form, Reply, ReplyBody, RequestBody};
use crate::headers;
use crate::jsonrpc::Envelope;
use crate::sse::Splitter;

impl Run<'_> {
    /// Each message alone, with the answers in their order.
    pub(super) fn ask_parts(&mut self, parts: &[Bytes]) -> Option<Answer> {
        let whole = self.request.clone();
        for part in parts {
            self.request.method = Method::POST;
            self.request.message = Envelope::peek(part);
            self.request.body = RequestBody::Whole(part.clone());
            if let Some(mut answer) = self.turn() {
                let (report, _) = self.plan.mend_reply(&self.site, &self.request, &mut answer.reply, false);
                self.note(report);
                self.mend_message(&mut answer);
            }
        }
        self.request = whole;
        Some(Answer { reply: Reply::new(StatusCode::OK, HeaderMap::new()), text: None })
    }

    /// Shows the events of a stream, and its end, to the repairs that want them (`proxy/finish.rs`).
    pub(super) fn mend_events(&mut self, answer: &Answer) {
        let is_streamed = matches!(answer.reply.body, ReplyBody::Stream);
        let is_events = answer.reply.is_of("text/event-stream") || answer.reply.form == Form::Message;
        let reply =
            Reply { headers: stream_head(&answer.reply.headers), body: ReplyBody::Stream, ..answer.reply.clone() };
        let is_wanted = reply.form == Form::Message || self.plan.wants_events(&self.request, &reply);
        let Some(text) = answer.text.clone().filter(|_| is_streamed && is_events && is_wanted) else { return };
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
        let (report, answers) = self.plan.mend_event(&self.site, &self.request, reply, event);
        self.findings.note_event(report);
        answers
    }
}
