//! An event stream on its way down: never read whole, never more than one event held, none later than its blank line,
//! ended between two events. Silence is told from death by a comment now and then.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::inbox::Receiver;
use super::{Ending, PolledFrame, Source};
use crate::counters::{Counters, SkipReason};
use crate::exchange::{At, Event};
use crate::lazy_timer::LazyTimer;
use crate::overload::Held;
use crate::sse::{self, Splitter};

/// How long an event may take to end after the order to stop; less than the last words of `server.rs`.
const END_OF_EVENT: Duration = Duration::from_millis(400);

/// Gets to see each event, what is left at the end, and each silence, and may change what is sent.
pub type Watcher = Box<dyn FnMut(&mut Event) -> Verdict + Send>;

/// What the watcher says of what it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    /// It was the answer to the request.
    pub answers: bool,
    /// There is nothing more to look for: the rest may pass as it comes.
    pub is_last: bool,
}

/// How an event stream is relayed.
pub struct Relay {
    pub watcher: Watcher,
    /// An event longer than this passes raw.
    pub limit: usize,
    /// After how much silence the watcher is asked, if it cares: before anything was said, and later.
    pub silence: Option<(Duration, Duration)>,
    /// Whether the stream ends behind the answer to the request.
    pub ends_with_answer: bool,
    /// Events that come from elsewhere.
    pub inbox: Option<Receiver>,
    /// Counts the bytes of the event that has not ended.
    pub held: Held,
    pub counters: Arc<Counters>,
}

/// An event stream from the upstream.
pub(super) struct Events {
    source: Source,
    splitter: Splitter,
    relay: Option<Relay>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The last bytes that were handed out: they tell whether the stream is between two events.
    last: [u8; 4],
    /// How many there are.
    lasting: usize,
    /// Waits for the end of an event after the order to stop.
    grace: Option<Pin<Box<Sleep>>>,
    alarm: LazyTimer,
    /// When something was handed out last, or the stream began.
    spoke: Instant,
    /// Whether anything was.
    begun: bool,
    answered: bool,
    /// Nothing more is handed out.
    over: bool,
}

impl Events {
    /// A stream behind what was read of it already.
    pub(super) fn new(start: Bytes, source: Source, relay: Option<Relay>, stop: &CancellationToken) -> Self {
        let mut splitter = Splitter::default();
        splitter.push(start);
        Self {
            source,
            splitter,
            relay,
            stop: Box::pin(stop.clone().cancelled_owned()),
            last: [0; 4],
            lasting: 0,
            grace: None,
            alarm: LazyTimer::default(),
            spoke: Instant::now(),
            begun: false,
            answered: false,
            over: false,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> (PolledFrame, Ending) {
        if self.over {
            return (Poll::Ready(None), Ending::Whole);
        }
        if self.shall_stop(cx) {
            return (Poll::Ready(None), Ending::Drained);
        }
        loop {
            if let Some(data) = self.next_watched() {
                if data.is_empty() {
                    if self.over {
                        return (Poll::Ready(None), Ending::Whole);
                    }
                    continue;
                }
                return (self.hand_out(data), Ending::Whole);
            }
            match self.source.poll_frame(cx) {
                Poll::Pending => {
                    let frame = match self.poll_inbox(cx) {
                        Some(event) => self.hand_out(event),
                        None => self.poll_silence(cx),
                    };
                    return (frame, Ending::Whole);
                }
                Poll::Ready(None) => {
                    self.over = true;
                    let rest = self.last_words();
                    let frame = if rest.is_empty() { Poll::Ready(None) } else { self.hand_out(rest) };
                    return (frame, Ending::Whole);
                }
                Poll::Ready(Some(Err(error))) => {
                    return (Poll::Ready(Some(Err(error))), Ending::UpstreamCut);
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if self.relay.is_some() => self.splitter.push(data),
                    Ok(data) => return (self.hand_out(data), Ending::Whole),
                    Err(trailers) => return (Poll::Ready(Some(Ok(trailers))), Ending::Whole),
                },
            }
        }
    }

    /// What is to be handed out next of what has come; empty if the watcher took it out, `None` if there is nothing.
    fn next_watched(&mut self) -> Option<Bytes> {
        let Some(relay) = &mut self.relay else {
            return (!self.splitter.is_empty()).then(|| self.splitter.take_rest());
        };
        if self.splitter.is_passing() {
            return self.splitter.next_passing();
        }
        let Some(text) = self.splitter.next_event() else {
            let length = self.splitter.len();
            let is_long = length > relay.limit;
            if !is_long && !relay.held.set(length) {
                relay.counters.untouched(SkipReason::Busy);
                return Some(self.splitter.let_pass());
            }
            return is_long.then(|| self.splitter.let_pass());
        };
        let mut event = Event::arrived(text);
        let verdict = (relay.watcher)(&mut event);
        self.answered |= verdict.answers;
        self.over = event.ends || (verdict.answers && relay.ends_with_answer);
        if verdict.is_last {
            self.relay = None;
            let rest = self.splitter.take_rest();
            return Some(if rest.is_empty() { event.text } else { [event.text, rest].concat().into() });
        }
        Some(event.text)
    }

    /// What stands behind the last blank line when the stream ends.
    fn last_words(&mut self) -> Bytes {
        let rest = self.splitter.take_rest();
        let Some(relay) = &mut self.relay else { return rest };
        let open = self.splitter.is_passing() && !sse::is_between_events(&self.last[..self.lasting]);
        let mut event = Event::at(At::End { open }, rest);
        (relay.watcher)(&mut event);
        event.text
    }

    /// What was sent to this stream from elsewhere, if no event is half handed out.
    fn poll_inbox(&mut self, cx: &mut Context<'_>) -> Option<Bytes> {
        let inbox = self.relay.as_mut()?.inbox.as_mut()?;
        if !sse::is_between_events(&self.last[..self.lasting]) {
            return None;
        }
        match inbox.poll_recv(cx) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }

    /// What is to be said into the silence, if it has lasted long enough and nothing is half handed out.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        let Some(relay) = &mut self.relay else { return Poll::Pending };
        let Some((first, later)) = relay.silence else { return Poll::Pending };
        let (spoke, silence) = (self.spoke, if self.begun { later } else { first });
        if !silence.is_zero() && self.alarm.poll(cx, || spoke + silence).is_pending() {
            return Poll::Pending;
        }
        (self.spoke, self.begun) = (Instant::now(), true);
        if !sse::is_between_events(&self.last[..self.lasting]) {
            return self.poll_silence(cx);
        }
        let mut event = Event::at(At::Silence { answered: self.answered }, Bytes::new());
        (relay.watcher)(&mut event);
        self.over = event.ends;
        match (event.text.is_empty(), self.over) {
            (true, true) => Poll::Ready(None),
            (true, false) => self.poll_silence(cx),
            (false, _) => self.hand_out(event.text),
        }
    }

    fn hand_out(&mut self, data: Bytes) -> PolledFrame {
        self.note(&data);
        self.begun = true;
        if self.relay.as_ref().is_some_and(|relay| relay.silence.is_some()) {
            self.spoke = Instant::now();
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    /// Keeps the last bytes, over however many frames they came.
    fn note(&mut self, data: &[u8]) {
        let new = &data[data.len().saturating_sub(self.last.len())..];
        let kept = self.lasting.min(self.last.len() - new.len());
        self.last.copy_within(self.lasting - kept..self.lasting, 0);
        self.last[kept..kept + new.len()].copy_from_slice(new);
        self.lasting = kept + new.len();
    }

    /// Whether the stream shall end now: the proxy is stopping and no event is half handed out. An event that does
    /// not end soon is given up: who reads it throws half an event away.
    fn shall_stop(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stop.as_mut().poll(cx).is_pending() {
            return false;
        }
        if sse::is_between_events(&self.last[..self.lasting]) {
            return true;
        }
        let grace = self.grace.get_or_insert_with(|| Box::pin(tokio::time::sleep(END_OF_EVENT)));
        grace.as_mut().poll(cx).is_ready()
    }
}
