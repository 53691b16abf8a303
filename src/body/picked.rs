//! The one message of an event stream that answers a request, for a client that takes no streams.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;

use super::events::Relay;
use super::{Ending, PolledFrame, Source};
use crate::exchange::{At, Event};
use crate::jsonrpc::Envelope;
use crate::sse::{self, Splitter};

/// An event stream of which one message is handed out.
pub(super) struct Picked {
    source: Source,
    splitter: Splitter,
    relay: Relay,
    asked: Option<Envelope>,
    /// What is said if no answer comes.
    otherwise: Bytes,
    /// When that is said, if the stream goes on.
    deadline: Pin<Box<Sleep>>,
    over: bool,
}

impl Picked {
    pub(super) fn new(
        start: Bytes,
        source: Source,
        relay: Relay,
        asked: Option<Envelope>,
        (otherwise, patience): (Bytes, Duration),
    ) -> Self {
        let mut splitter = Splitter::default();
        splitter.push(start);
        let deadline = Box::pin(tokio::time::sleep(patience));
        Self { source, splitter, relay, asked, otherwise, deadline, over: false }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> (PolledFrame, Ending) {
        if self.over {
            return (Poll::Ready(None), Ending::Whole);
        }
        loop {
            while let Some(text) = self.splitter.next_event() {
                if let Some(answer) = self.look_at(Event::arrived(text)) {
                    return self.end_with(answer);
                }
            }
            if self.splitter.len() > self.relay.limit {
                return (Poll::Ready(Some(Err("an event is too long to be unwrapped".into()))), Ending::UpstreamCut);
            }
            match self.source.poll_frame(cx) {
                Poll::Pending if self.deadline.as_mut().poll(cx).is_ready() => {
                    let otherwise = std::mem::take(&mut self.otherwise);
                    return self.end_with(otherwise);
                }
                Poll::Pending => return (Poll::Pending, Ending::Whole),
                Poll::Ready(Some(Ok(frame))) => self.splitter.push(frame.into_data().unwrap_or_default()),
                Poll::Ready(Some(Err(error))) => return (Poll::Ready(Some(Err(error))), Ending::UpstreamCut),
                Poll::Ready(None) => {
                    let rest = Event::at(At::End { open: false }, self.splitter.take_rest());
                    let answer = self.look_at(rest).unwrap_or_else(|| std::mem::take(&mut self.otherwise));
                    return self.end_with(answer);
                }
            }
        }
    }

    /// The answer, if it is in there.
    fn look_at(&mut self, mut event: Event) -> Option<Bytes> {
        (self.relay.watcher)(&mut event);
        let asked = self.asked.as_ref()?;
        let is_answer = |data: &Bytes| Envelope::peek(data).is_some_and(|message| message.answers(asked));
        sse::events(&event.text).filter_map(|one| sse::data(&one)).find(is_answer)
    }

    fn end_with(&mut self, answer: Bytes) -> (PolledFrame, Ending) {
        self.over = true;
        (Poll::Ready(Some(Ok(Frame::data(answer)))), Ending::Whole)
    }
}
