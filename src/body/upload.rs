//! What goes up to the upstream, and how an upload fares.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{BoxError, PolledFrame, is_timeout, with_prefix};
use crate::connection::pace::Pace;
use crate::connection::{Connection, Phase};
use crate::counters::Counters;
use crate::lazy_timer::LazyTimer;
use crate::refuse::{self, Refusal};

/// What goes up to the upstream.
pub enum RequestBody {
    Empty,
    /// Read, and perhaps changed.
    Whole(Bytes),
    /// Streams from the client, after what was read of it already.
    Client(Box<FromClient>),
}

/// A client's body on its way up.
pub struct FromClient {
    prefix: Option<Bytes>,
    incoming: Incoming,
    upload: Upload,
    connection: Arc<Connection>,
    counters: Arc<Counters>,
    left: u64,
    stall: Option<Stall>,
    /// Limits what waits to be written to the upstream.
    pace: Option<Arc<Pace>>,
}

/// The clock on an upload that shares its connection with others, so that there is none on the socket.
struct Stall {
    limit: Duration,
    since: Option<Instant>,
    alarm: LazyTimer,
}

impl Stall {
    /// Ready when nothing has come for too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let limit = self.limit;
        self.alarm.poll(cx, || since + limit)
    }
}

/// How an upload fares, as those see it who wait for the answer.
#[derive(Clone)]
pub struct Upload {
    shared: Option<Arc<Progress>>,
    begun: Instant,
}

struct Progress {
    /// Milliseconds after `begun` when the last frame was taken.
    last: AtomicU64,
    too_large: AtomicBool,
    stalled: AtomicBool,
    broken: AtomicBool,
}

impl Upload {
    /// Nothing is uploaded any more: the clock runs from then.
    #[must_use]
    pub fn begun(begun: Instant) -> Self {
        Self { shared: None, begun }
    }

    fn streaming(begun: Instant) -> Self {
        let no = || AtomicBool::new(false);
        let progress = Progress { last: AtomicU64::new(0), too_large: no(), stalled: no(), broken: no() };
        Self { shared: Some(Arc::new(progress)), begun }
    }

    #[must_use]
    pub fn begun_at(&self) -> Instant {
        self.begun
    }

    /// When the last of it was taken.
    #[must_use]
    pub fn progress(&self) -> Instant {
        let last = self.shared.as_ref().map_or(0, |shared| shared.last.load(Ordering::Relaxed));
        self.begun + Duration::from_millis(last)
    }

    /// Why the exchange failed, if the upload is why.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let shared = self.shared.as_ref()?;
        if shared.too_large.load(Ordering::Relaxed) {
            return Some(refuse::BODY_TOO_LARGE);
        }
        if shared.stalled.load(Ordering::Relaxed) {
            return Some(refuse::BODY_STALLED);
        }
        shared.broken.load(Ordering::Relaxed).then_some(refuse::BAD_BODY)
    }
}

impl RequestBody {
    /// The client's body, from where it was read to. Counts it, and ends it with an error beyond `limit` bytes and, where
    /// the connection's own clock does not see it, after so long without any.
    #[must_use]
    pub fn from_client(
        prefix: Option<Bytes>,
        incoming: Incoming,
        connection: Arc<Connection>,
        counters: Arc<Counters>,
        (limit, patience): (u64, Duration),
        begun: Instant,
    ) -> (Self, Upload) {
        if prefix.is_none() && incoming.is_end_stream() {
            return (Self::Empty, Upload::begun(begun));
        }
        let upload = Upload::streaming(begun);
        let read = prefix.as_ref().map_or(0, |prefix| prefix.len() as u64);
        counters.bytes_up.fetch_add(read, Ordering::Relaxed);
        let left = limit.saturating_sub(read);
        let stall =
            connection.is_multiplexed().then(|| Stall { limit: patience, since: None, alarm: LazyTimer::default() });
        let body =
            FromClient { prefix, incoming, upload: upload.clone(), connection, counters, left, stall, pace: None };
        (Self::Client(Box::new(body)), upload)
    }

    /// Hands out no more of a client's body than the upstream takes.
    pub fn pace(&mut self, pace: Option<Arc<Pace>>) {
        if let Self::Client(body) = self {
            body.pace = pace;
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl FromClient {
    fn poll(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if self.pace.as_ref().is_some_and(|pace| !pace.may_send(cx)) {
            return Poll::Pending;
        }
        if let Some(prefix) = self.prefix.take() {
            self.note_sent(prefix.len());
            return Poll::Ready(Some(Ok(Frame::data(prefix))));
        }
        let frame = match self.poll_incoming(cx) {
            Poll::Pending => {
                self.connection.enter(Phase::Body);
                return self.poll_stall(cx);
            }
            Poll::Ready(frame) => frame,
        };
        self.connection.leave(Phase::Body);
        if let Some(stall) = &mut self.stall {
            stall.since = None;
        }
        let Some(shared) = &self.upload.shared else { return Poll::Ready(None) };
        let elapsed = u64::try_from(self.upload.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        shared.last.store(elapsed, Ordering::Relaxed);
        match frame {
            None if is_cut(&self.connection, &self.incoming) => {
                shared.broken.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err("the client gave the request up".into())))
            }
            None => Poll::Ready(None),
            Some(Err(error)) => {
                let how = if is_timeout(&error) { &shared.stalled } else { &shared.broken };
                how.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(error.into())))
            }
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.counters.bytes_up.fetch_add(length, Ordering::Relaxed);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        self.note_sent(usize::try_from(length).unwrap_or(usize::MAX));
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => {
                        shared.too_large.store(true, Ordering::Relaxed);
                        Poll::Ready(Some(Err("the request body is too large".into())))
                    }
                }
            }
        }
    }
}

impl FromClient {
    /// What comes next, without trailers: a server that merges them into the head (RFC 9110 section 6.5.1) would take the client's
    /// word for fields that this proxy sets or drops there.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            match std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) if frame.is_trailers() => {}
                next => return Poll::Ready(next),
            }
        }
    }

    fn note_sent(&self, bytes: usize) {
        if let Some(pace) = &self.pace {
            pace.sent(bytes);
        }
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        let Some(stall) = &mut self.stall else { return Poll::Pending };
        std::task::ready!(stall.poll(cx));
        if let Some(shared) = &self.upload.shared {
            shared.stalled.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Some(Err("the client took too long".into())))
    }
}

/// Whether a body that has ended was given up: RST_STREAM with NO_ERROR ends it without an error, though the request is
/// not whole (RFC 9113 section 8.1.1).
#[must_use]
pub fn is_cut(connection: &Connection, incoming: &Incoming) -> bool {
    connection.is_multiplexed() && !incoming.is_end_stream()
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Whole(_) => {
                let Self::Whole(bytes) = std::mem::replace(this, Self::Empty) else { return Poll::Ready(None) };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Client(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Client(body) => body.prefix.is_none() && body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Client(body) => with_prefix(&body.incoming.size_hint(), body.prefix.as_ref().map_or(0, Bytes::len)),
        }
    }
}
