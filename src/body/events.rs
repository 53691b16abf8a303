//! An event stream on its way down: never read whole, never more than one event held, ended between two events.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Ending, PolledFrame, Source};
use crate::sse::{self, Splitter};

/// How long an event may take to end after the order to stop; less than the last words of `server.rs`.
const END_OF_EVENT: Duration = Duration::from_millis(400);

/// An event stream from the upstream.
pub(super) struct Events {
    source: Source,
    /// Looks at events until it has found what it looks for.
    watch: Option<Watch>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The last bytes that were handed out: they tell whether the stream is between two events.
    last: [u8; 4],
    /// How many there are.
    lasting: usize,
    /// Waits for the end of an event after the order to stop.
    grace: Option<Pin<Box<Sleep>>>,
}

/// Gets to see each event and may change it; answers whether it wants to see more.
pub type Watcher = Box<dyn FnMut(Bytes) -> (Bytes, bool) + Send>;

struct Watch {
    splitter: Splitter,
    watcher: Watcher,
    /// An event longer than this passes raw.
    limit: usize,
}

impl Events {
    pub(super) fn new(source: Source, watcher: Option<(Watcher, usize)>, stop: &CancellationToken) -> Self {
        let watch = watcher.map(|(watcher, limit)| Watch { splitter: Splitter::default(), watcher, limit });
        let stop = Box::pin(stop.clone().cancelled_owned());
        Self { source, watch, stop, last: [0; 4], lasting: 0, grace: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> (PolledFrame, Ending) {
        if self.shall_stop(cx) {
            return (Poll::Ready(None), Ending::Drained);
        }
        loop {
            if let Some(frame) = self.next_watched() {
                return (Poll::Ready(Some(Ok(frame))), Ending::Whole);
            }
            match self.source.poll_frame(cx) {
                Poll::Pending => return (Poll::Pending, Ending::Whole),
                Poll::Ready(None) => {
                    let rest = self.watch.take().map(|mut watch| watch.splitter.take_rest()).unwrap_or_default();
                    let frame = (!rest.is_empty()).then(|| Ok(Frame::data(rest)));
                    return (Poll::Ready(frame), Ending::Whole);
                }
                Poll::Ready(Some(Err(error))) => {
                    return (Poll::Ready(Some(Err(error))), Ending::UpstreamCut);
                }
                Poll::Ready(Some(Ok(frame))) => match (&mut self.watch, frame.data_ref()) {
                    (Some(watch), Some(data)) => watch.splitter.push(data),
                    (_, data) => {
                        if let Some(data) = data.cloned() {
                            self.note(&data);
                        }
                        return (Poll::Ready(Some(Ok(frame))), Ending::Whole);
                    }
                },
            }
        }
    }

    /// The next event that the watcher has seen, or the rest once it wants to see no more.
    fn next_watched(&mut self) -> Option<Frame<Bytes>> {
        let watch = self.watch.as_mut()?;
        let (data, go_on) = match watch.splitter.next_event() {
            Some(event) => (watch.watcher)(event),
            None if watch.splitter.len() > watch.limit => (Bytes::new(), false),
            None => return None,
        };
        let mut data = data;
        if !go_on {
            let rest = watch.splitter.take_rest();
            if !rest.is_empty() {
                data = [data, rest].concat().into();
            }
            self.watch = None;
        }
        self.note(&data);
        Some(Frame::data(data))
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
