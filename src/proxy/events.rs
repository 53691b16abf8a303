//! An event stream that is read for one event in it.

use bytes::Bytes;
use tokio::time::timeout;

use super::Exchange;
use super::answer::{Answer, Rest};
use crate::body::{self, Peeked, Read};
use crate::coding;
use crate::exchange::{Event, Request};
use crate::machine::reading;
use crate::overload::Held;
use crate::sse::Splitter;

/// An event stream as it comes.
pub(super) struct Events {
    incoming: Peeked,
    splitter: Splitter,
    held: Held,
}

impl Events {
    /// A stream of which `start` was read already. What is kept of it is counted as held.
    pub(super) fn new(start: Bytes, incoming: impl Into<Peeked>, held: Held) -> Self {
        let mut splitter = Splitter::default();
        splitter.push(start);
        Self { incoming: incoming.into(), splitter, held }
    }

    /// The first event that matches. `None` if the stream ends before, or an event exceeds `most` bytes or the memory that is left.
    pub(super) async fn find(&mut self, most: usize, mut is_it: impl FnMut(&Event) -> bool) -> Option<Event> {
        loop {
            while let Some(text) = self.splitter.next_event() {
                let event = Event::arrived(text);
                if is_it(&event) {
                    return Some(event);
                }
            }
            if self.splitter.len() > most || !self.held.set(self.splitter.len()) {
                return None;
            }
            self.splitter.push(body::next_piece(&mut self.incoming).await?.ok()?);
        }
    }

    /// What was read behind the last event, and the rest of the stream.
    pub(super) fn into_rest(mut self) -> (Bytes, Peeked) {
        (self.splitter.take_rest(), self.incoming)
    }
}

impl Exchange {
    /// The message in an answer of which not all was read, if it comes within the time for an answer and there is room for it.
    pub(super) async fn gather(&mut self, request: &Request, answer: Answer) -> Option<Bytes> {
        let Rest::Stream(start, mut incoming) = answer.body.rest else { return None };
        let (runtime, reply) = (self.worker.runtime.clone(), answer.reply);
        let (most, patience) = (runtime.bounds.body_bytes, runtime.target.limits.first_byte);
        if reply.coding.is_none() && reply.is_of("text/event-stream") {
            let mut events = Events::new(start, incoming, self.holding());
            let is_answer = |event: &Event| event.data().is_some_and(|data| reading::is_answer(request, &data));
            let message = timeout(patience, events.find(most, is_answer)).await.ok()??.data()?;
            return self.held.grow(message.len()).then_some(message);
        }
        let Read::Whole(rest) = body::read(&mut incoming, most, patience, &mut self.held).await else { return None };
        let text = Bytes::from([&start[..], &rest].concat());
        let text = match reply.coding {
            Some(coding) => coding::decode(coding, &text, most).ok()?,
            None => text,
        };
        reading::answer_in(request, &reply, &text)
    }
}
