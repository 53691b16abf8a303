//! An event stream that is read for one event in it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::Exchange;
use super::answer::{Answer, Rest};
use crate::body::{self, Begun, Read};
use crate::exchange::{Event, Request};
use crate::jsonrpc::Envelope;
use crate::overload::Held;
use crate::sse::Splitter;

/// An event stream as it comes.
pub(super) struct Events {
    incoming: Begun,
    splitter: Splitter,
    held: Held,
}

impl Events {
    /// A stream of which `start` was read already. What is kept of it is counted as held.
    pub(super) fn new(start: Bytes, incoming: impl Into<Begun>, held: Held) -> Self {
        let mut splitter = Splitter::default();
        splitter.push(start);
        Self { incoming: incoming.into(), splitter, held }
    }

    /// The first event of which this is true. `None` if the stream ends before, nothing comes for so long, or an event is longer
    /// than `most` bytes or than there is room.
    pub(super) async fn find(
        &mut self,
        most: usize,
        patience: Duration,
        mut is_it: impl FnMut(&Event) -> bool,
    ) -> Option<Event> {
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
            match body::read_start(&mut self.incoming, patience).await {
                Read::Partly(bytes) if !bytes.is_empty() => self.splitter.push(bytes),
                _ => return None,
            }
        }
    }

    /// What was read behind the last event, and the rest of the stream.
    pub(super) fn into_rest(mut self) -> (Bytes, Begun) {
        (self.splitter.take_rest(), self.incoming)
    }
}

impl Exchange {
    /// The message in an answer of which not all was read, if it comes and there is room for it: in an event stream the one
    /// that answers the request.
    pub(super) async fn gather(&mut self, request: &Request, answer: Answer) -> Option<Bytes> {
        let Rest::Stream(start, mut incoming) = answer.body.rest else { return None };
        let runtime = self.worker.runtime.clone();
        let (most, patience) = (runtime.bounds.body_bytes, runtime.target.limits.first_byte);
        if !answer.reply.is_of("text/event-stream") {
            return match body::read(&mut incoming, most, patience, &mut self.held).await {
                Read::Whole(rest) => Some(Bytes::from([&start[..], &rest].concat())),
                Read::Partly(_) | Read::Failed(_) => None,
            };
        }
        let mut events = Events::new(start, incoming, self.holding());
        let answers = |event: &Event| {
            let message = event.data().and_then(|data| Envelope::peek(&data));
            message.zip(request.message.as_ref()).is_some_and(|(message, asked)| message.answers(asked))
        };
        let event = timeout(patience, events.find(most, patience, answers)).await.ok()??;
        let message = event.data()?;
        self.held.grow(message.len()).then_some(message)
    }
}
