//! The closed set of bodies, both ways: what streams, what was read, what is ours; and what happens when one ends.

pub mod events;
pub mod inbox;
mod picked;
pub mod source;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::events::{Events, Relay};
use self::picked::Picked;
pub use self::source::Source;
use crate::alarm::Alarm;
use crate::connection::{Connection, Phase};
use crate::jsonrpc::Envelope;
use crate::refuse::{self, Refusal};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type PolledFrame = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

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
    left: u64,
    stall: Option<Stall>,
}

/// The clock on an upload that shares its connection with others, so that there is none on the socket.
struct Stall {
    limit: Duration,
    since: Option<Instant>,
    alarm: Alarm,
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
        (limit, patience): (u64, Duration),
        begun: Instant,
    ) -> (Self, Upload) {
        if prefix.is_none() && incoming.is_end_stream() {
            return (Self::Empty, Upload::begun(begun));
        }
        let upload = Upload::streaming(begun);
        let left = limit.saturating_sub(prefix.as_ref().map_or(0, |prefix| prefix.len() as u64));
        let stall =
            connection.is_multiplexed().then(|| Stall { limit: patience, since: None, alarm: Alarm::default() });
        let body = FromClient { prefix, incoming, upload: upload.clone(), connection, left, stall };
        (Self::Client(Box::new(body)), upload)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl FromClient {
    fn poll(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if let Some(prefix) = self.prefix.take() {
            return Poll::Ready(Some(Ok(Frame::data(prefix))));
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
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
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
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
            Self::Client(body) => {
                let (hint, more) = (body.incoming.size_hint(), body.prefix.as_ref().map_or(0, Bytes::len) as u64);
                let mut all = SizeHint::new();
                if let Some(upper) = hint.upper() {
                    all.set_upper(upper + more);
                }
                all.set_lower(hint.lower() + more);
                all
            }
        }
    }
}

/// How much of a body was read.
pub enum Read {
    Whole(Bytes),
    /// It was too long, or too slow: what was read is to be handed back first.
    Partly(Bytes),
    /// The connection ended, or what came is no body: it is not the message.
    Failed(hyper::Error),
}

/// Reads a body up to a limit and for a time; gives everything back if it stops.
pub async fn read(incoming: &mut Incoming, limit: usize, time: Duration) -> Read {
    read_while(incoming, limit, time, |_| true).await
}

/// Reads the first piece of a body, to be handed back.
pub async fn read_start(incoming: &mut Incoming, time: Duration) -> Read {
    match tokio::time::timeout(time, std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx))).await {
        Err(_) | Ok(None) => Read::Partly(Bytes::new()),
        Ok(Some(Err(error))) => Read::Failed(error),
        Ok(Some(Ok(frame))) => Read::Partly(frame.into_data().unwrap_or_default()),
    }
}

/// As [`read`], and stops as soon as what has come is not what was looked for.
pub async fn read_while(
    incoming: &mut Incoming,
    limit: usize,
    time: Duration,
    is_right: impl Fn(&[u8]) -> bool,
) -> Read {
    if incoming.size_hint().lower() > limit as u64 {
        return Read::Partly(Bytes::new());
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let deadline = Instant::now() + time;
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx));
        let data = match tokio::time::timeout_at(deadline, frame).await {
            Err(_) => return Read::Partly(joined(first, all)),
            Ok(None) => return Read::Whole(joined(first, all)),
            Ok(Some(Err(error))) => return Read::Failed(error),
            // Trailers of a body that was read whole describe it no more than its length does.
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
        let length = first.len().max(all.len());
        let so_far: &[u8] = if all.is_empty() { &first } else { &all };
        if length > limit || !is_right(so_far) {
            return Read::Partly(joined(first, all));
        }
        if incoming.is_end_stream() {
            return Read::Whole(joined(first, all));
        }
    }
}

/// Whether a body ended because its sender took too long (see `connection.rs`).
#[must_use]
pub fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::TimedOut)
}

fn joined(first: Bytes, all: BytesMut) -> Bytes {
    if all.is_empty() { first } else { all.freeze() }
}

/// How an exchange came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last byte of the answer was handed out.
    Whole,
    /// The upstream's answer broke off.
    UpstreamCut,
    /// Nobody reads the answer any more.
    ClientLeft,
    /// The proxy is stopping, and ended an event stream between two events.
    Drained,
}

impl Ending {
    /// The name in logs and captures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::UpstreamCut => "upstream-cut",
            Self::ClientLeft => "client-left",
            Self::Drained => "drained",
        }
    }
}

/// What is to be done when the answer has ended, however it did.
pub trait AtEnd: Send {
    /// `copy` is the beginning of what was handed out, if that was kept.
    fn at_end(self: Box<Self>, ending: Ending, bytes: u64, copy: Option<Bytes>);
}

/// What goes down to the client.
pub struct ReplyBody {
    kind: Kind,
    at_end: Option<Box<dyn AtEnd>>,
    bytes: u64,
    /// The beginning of what was handed out, if somebody wants it.
    copy: Option<Box<Copied>>,
}

/// The beginning of a body, up to a limit.
struct Copied {
    bytes: BytesMut,
    most: usize,
}

enum Kind {
    Empty,
    Whole(Bytes),
    /// Streams from the upstream, after what was read of it already.
    Upstream {
        prefix: Option<Bytes>,
        source: Source,
    },
    Events(Box<Events>),
    /// One message of an event stream.
    Picked(Box<Picked>),
}

impl ReplyBody {
    #[must_use]
    pub fn empty(at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self { kind: Kind::Empty, at_end, bytes: 0, copy: None }
    }

    #[must_use]
    pub fn whole(bytes: Bytes, at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self { kind: Kind::Whole(bytes), at_end, bytes: 0, copy: None }
    }

    #[must_use]
    pub fn upstream(prefix: Option<Bytes>, source: Source, at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self { kind: Kind::Upstream { prefix, source }, at_end, bytes: 0, copy: None }
    }

    /// An event stream, after what was read of it already: it ends between two events when `stop` is cancelled.
    #[must_use]
    pub fn events(
        start: Bytes,
        source: Source,
        relay: Option<Relay>,
        stop: &CancellationToken,
        at_end: Option<Box<dyn AtEnd>>,
    ) -> Self {
        let events = Events::new(start, source, relay, stop);
        Self { kind: Kind::Events(Box::new(events)), at_end, bytes: 0, copy: None }
    }

    /// The one message of an event stream that answers what was asked, or else, after so much time, another.
    #[must_use]
    pub fn picked(
        start: Bytes,
        source: Source,
        relay: Relay,
        asked: Option<Envelope>,
        otherwise: (Bytes, Duration),
        at_end: Option<Box<dyn AtEnd>>,
    ) -> Self {
        let picked = Picked::new(start, source, relay, asked, otherwise);
        Self { kind: Kind::Picked(Box::new(picked)), at_end, bytes: 0, copy: None }
    }

    /// Keeps the beginning of what is handed out for the end.
    #[must_use]
    pub fn copied(mut self, most: usize) -> Self {
        self.copy = Some(Box::new(Copied { bytes: BytesMut::new(), most }));
        self
    }

    fn finish(&mut self, ending: Ending) {
        if let Some(at_end) = self.at_end.take() {
            let copy = self.copy.take().map(|copy| copy.bytes.freeze());
            at_end.at_end(ending, self.bytes, copy);
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        let this = self.get_mut();
        let (frame, last, ending) = match &mut this.kind {
            Kind::Empty => (Poll::Ready(None), true, Ending::Whole),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                this.kind = Kind::Empty;
                (Poll::Ready(Some(Ok(Frame::data(bytes)))), true, Ending::Whole)
            }
            Kind::Upstream { prefix, source } => match prefix.take().filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => (Poll::Ready(Some(Ok(Frame::data(prefix)))), false, Ending::Whole),
                None => {
                    let frame = source.poll_frame(cx);
                    (frame, source.is_end_stream(), Ending::Whole)
                }
            },
            Kind::Events(events) => {
                let (frame, ending) = events.poll(cx);
                (frame, false, ending)
            }
            Kind::Picked(picked) => {
                let (frame, ending) = picked.poll(cx);
                (frame, false, ending)
            }
        };
        match &frame {
            Poll::Pending => {}
            Poll::Ready(None) => this.finish(ending),
            Poll::Ready(Some(Err(_))) => this.finish(Ending::UpstreamCut),
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                this.bytes += data.len() as u64;
                if let Some(copy) = &mut this.copy {
                    let room = copy.most.saturating_sub(copy.bytes.len()).min(data.len());
                    copy.bytes.extend_from_slice(&data[..room]);
                }
                if last {
                    this.finish(ending);
                }
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Upstream { prefix, source } => prefix.is_none() && source.is_end_stream(),
            Kind::Events(_) | Kind::Picked(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Upstream { prefix: None, source } => source.size_hint(),
            Kind::Upstream { prefix: Some(prefix), source } => {
                let (hint, more) = (source.size_hint(), prefix.len() as u64);
                let mut all = SizeHint::new();
                if let Some(upper) = hint.upper() {
                    all.set_upper(upper + more);
                }
                all.set_lower(hint.lower() + more);
                all
            }
            Kind::Events(_) | Kind::Picked(_) => SizeHint::new(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        let ending = if self.is_end_stream() { Ending::Whole } else { Ending::ClientLeft };
        self.finish(ending);
    }
}
