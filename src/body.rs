//! The closed set of bodies, both ways: what streams, what was read, what is ours; and what happens when one ends.

pub mod caller;
pub mod events;
pub mod inbox;
mod peeked;
mod picked;
pub mod pieces;
mod read;
pub mod source;
mod upload;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use self::events::{Events, Relay};
pub use self::peeked::Peeked;
use self::picked::Picked;
pub use self::read::{Read, drain, next_piece, read, read_start, read_while};
pub use self::source::Source;
pub use self::upload::{FromClient, RequestBody, Upload, is_cut};
pub use crate::connection::is_timeout;
use crate::connection::pace::Pace;
use crate::connection::window::Window;
pub use crate::ending::Ending;
use crate::jsonrpc::Envelope;

/// A body over HTTP/2 that is not longer ends as soon as it was handed out: any client takes it soon, and otherwise the
/// stream holds it without its exchange.
const AT_ONCE: u64 = 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type PolledFrame = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// The length of a body behind what was read of it already.
fn with_prefix(hint: &SizeHint, prefix: usize) -> SizeHint {
    let mut all = SizeHint::new();
    if let Some(upper) = hint.upper() {
        all.set_upper(upper + prefix as u64);
    }
    all.set_lower(hint.lower() + prefix as u64);
    all
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
    /// Why the answer broke off: said one turn later, so that what came before is written first.
    broken: Option<BoxError>,
    /// Limits what waits to be written.
    pace: Option<Arc<Pace>>,
    /// That of the stream, over HTTP/2.
    window: Option<Arc<Window>>,
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
    fn of(kind: Kind, at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self { kind, at_end, bytes: 0, copy: None, broken: None, pace: None, window: None }
    }

    #[must_use]
    pub fn empty(at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self::of(Kind::Empty, at_end)
    }

    #[must_use]
    pub fn whole(bytes: Bytes, at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self::of(Kind::Whole(bytes), at_end)
    }

    #[must_use]
    pub fn upstream(prefix: Option<Bytes>, source: Source, at_end: Option<Box<dyn AtEnd>>) -> Self {
        Self::of(Kind::Upstream { prefix, source }, at_end)
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
        Self::of(Kind::Events(Box::new(events)), at_end)
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
        Self::of(Kind::Picked(Box::new(picked)), at_end)
    }

    /// Keeps the beginning of what is handed out for the end.
    #[must_use]
    pub fn copied(mut self, most: usize) -> Self {
        self.copy = Some(Box::new(Copied { bytes: BytesMut::new(), most }));
        self
    }

    /// Hands out no more than the client takes.
    #[must_use]
    pub fn paced(mut self, pace: Option<Arc<Pace>>) -> Self {
        self.pace = pace;
        self
    }

    /// Over HTTP/2: a long body ends when all of it was taken.
    #[must_use]
    pub fn windowed(mut self, window: Option<Arc<Window>>) -> Self {
        self.window = window;
        self
    }

    /// Counts what came, and hands it out as it came.
    fn hand_out(&mut self, frame: Frame<Bytes>, is_last: bool, ending: Ending) -> PolledFrame {
        let data = frame.data_ref().map_or(&[][..], |data| data);
        self.bytes += data.len() as u64;
        if let Some(pace) = &self.pace {
            pace.sent(data.len());
        }
        if let Some(copy) = &mut self.copy {
            let room = copy.most.saturating_sub(copy.bytes.len()).min(data.len());
            copy.bytes.extend_from_slice(&data[..room]);
        }
        // Over HTTP/2 a long body ends when all of it was taken, and this is dropped.
        if is_last && (self.window.is_none() || self.bytes <= AT_ONCE) {
            self.finish(ending);
        }
        Poll::Ready(Some(Ok(frame)))
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
        if this.pace.as_ref().is_some_and(|pace| !pace.may_send(cx)) {
            return Poll::Pending;
        }
        if let Some(error) = this.broken.take() {
            this.finish(Ending::UpstreamCut);
            return Poll::Ready(Some(Err(error)));
        }
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
        match frame {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                this.finish(ending);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                // hyper drops what it has not written when a body fails. A client whose connection ends without a byte of
                // an answer may ask again by itself, even with a POST (RFC 9110 section 9.2.2): it has to see the head.
                this.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => this.hand_out(frame, last, ending),
        }
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
            Kind::Upstream { prefix: Some(prefix), source } => with_prefix(&source.size_hint(), prefix.len()),
            Kind::Events(_) | Kind::Picked(_) => SizeHint::new(),
        }
    }
}

impl Drop for ReplyBody {
    fn drop(&mut self) {
        let ending = match (&self.broken, self.is_end_stream()) {
            (Some(_), _) => Ending::UpstreamCut,
            _ if self.window.as_ref().is_some_and(|window| window.is_stalled()) => Ending::ClientStalled,
            _ if self.window.as_ref().is_some_and(|window| window.has_rest()) => Ending::ClientLeft,
            (None, true) => Ending::Whole,
            (None, false) => Ending::ClientLeft,
        };
        self.finish(ending);
    }
}
