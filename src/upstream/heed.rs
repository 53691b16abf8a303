//! What may come before the head of an answer. Interim answers (RFC 9110 section 15.2) may be any number, and hyper reads
//! them for as long as they come: without an end the whole thread would be at it, and no time limit would be looked at.
//!
//! And whether anything came before the request's body was sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::RequestBody;
use crate::connection::pace::Pace;
use crate::connection::portion;
use crate::overload::Load;

/// Bytes that may come before the head is there: far more than a head and what is said before it.
const MOST: usize = 256 * 1024;
/// Nobody waits for a head.
const ANY: usize = usize::MAX;

/// Parts of the body are still to come.
const COMING: u8 = 0;
/// All of it has been handed to hyper, and may wait in its buffer.
const BUFFERED: u8 = 1;
/// The system has taken all of it, or there is none.
const SENT: u8 = 2;
/// Something came from the upstream before that.
const EARLY: u8 = 3;

/// Whether the head of an answer is awaited, and how much may still come before it.
#[derive(Clone)]
pub(super) struct Heed(Arc<Awaited>);

struct Awaited {
    left: AtomicUsize,
    body: AtomicU8,
    /// Limits how much of an upload waits to be written.
    pace: Arc<Pace>,
}

impl Heed {
    pub(super) fn new(load: Option<&'static Load>) -> Self {
        let pace = Arc::new(Pace::default());
        pace.begin(load);
        Self(Arc::new(Awaited { left: AtomicUsize::new(ANY), body: AtomicU8::new(SENT), pace }))
    }

    pub(super) fn pace(&self) -> Arc<Pace> {
        self.0.pace.clone()
    }

    /// A request is about to be sent.
    pub(super) fn begin(&self, has_body: bool) {
        self.0.left.store(MOST, Ordering::Relaxed);
        self.0.body.store(if has_body { COMING } else { SENT }, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.left.store(ANY, Ordering::Relaxed);
    }

    /// Whether nothing came from the upstream, not even an interim answer, before the whole body was sent.
    pub(super) fn was_sent_first(&self) -> bool {
        self.0.body.load(Ordering::Relaxed) == SENT
    }

    /// Only the task of the connection changes it after [`Heed::begin`].
    fn step(&self, from: u8, to: u8) {
        if self.0.body.load(Ordering::Relaxed) == from {
            self.0.body.store(to, Ordering::Relaxed);
        }
    }

    fn read(&self, left: usize, count: usize) {
        if left == ANY || count == 0 {
            return;
        }
        self.0.left.store(left.saturating_sub(count), Ordering::Relaxed);
        if !self.was_sent_first() {
            self.0.body.store(EARLY, Ordering::Relaxed);
        }
    }
}

/// A request's body that says when its last part was taken.
pub(super) struct Watched {
    pub(super) body: RequestBody,
    heed: Option<Heed>,
}

impl Watched {
    /// `heed`: that of the connection.
    pub(super) fn new(body: RequestBody, heed: Option<&Heed>) -> Self {
        Self { body, heed: heed.cloned() }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = <RequestBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let is_last = match &frame {
            None => true,
            Some(Ok(_)) => self.body.is_end_stream(),
            Some(Err(_)) => false,
        };
        if let (true, Some(heed)) = (is_last, &self.heed) {
            heed.step(COMING, BUFFERED);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that is read no further when too much has come before a head.
pub(super) struct Heeded<S> {
    socket: S,
    heed: Heed,
}

impl<S> Heeded<S> {
    pub(super) fn new(socket: S, heed: Heed) -> Self {
        Self { socket, heed }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heeded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = self.heed.0.left.load(Ordering::Relaxed);
        if left == 0 {
            let why = "too much came before the head of the answer";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        let before = buf.filled().len();
        let has_room = self.heed.0.pace.has_room();
        ready!(portion::poll_read(&mut self.socket, cx, buf, has_room))?;
        self.heed.read(left, buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heeded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket only when its own buffer is empty.
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.heed.step(BUFFERED, SENT);
        self.heed.0.pace.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// What happens on a connection.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// hyper takes the next part of the body.
        Take,
        /// hyper's buffer is empty, and the socket is flushed.
        Flush,
        /// Something comes from the upstream.
        Come,
    }
    use Step::{Come, Flush, Take};

    async fn was_sent_first(body: RequestBody, steps: &[Step]) -> bool {
        let heed = Heed::new(None);
        let (socket, mut upstream): (DuplexStream, DuplexStream) = duplex(64);
        let mut socket = Heeded::new(socket, heed.clone());
        let mut body = Watched::new(body, Some(&heed));
        heed.begin(!body.is_end_stream());
        for step in steps {
            match step {
                Take => drop(std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await),
                Flush => socket.flush().await.unwrap(),
                Come => {
                    upstream.write_all(b"H").await.unwrap();
                    socket.read_u8().await.unwrap();
                }
            }
        }
        heed.end();
        heed.was_sent_first()
    }

    #[tokio::test]
    async fn an_answer_counts_only_behind_the_whole_body() {
        let whole = || RequestBody::Whole(Bytes::from_static(b"hi"));
        for (steps, expected) in [
            (&[Take, Flush, Come][..], true),
            (&[Flush, Take, Flush, Come], true),
            // An interim answer, and then the final one.
            (&[Take, Flush, Come, Come], true),
            // Before the body, before it has left the buffer, or only an interim answer before it.
            (&[Come], false),
            (&[Flush, Come, Take, Flush], false),
            (&[Take, Come], false),
            (&[Take, Come, Flush], false),
            (&[Come, Take, Flush, Come], false),
        ] {
            assert_eq!(was_sent_first(whole(), steps).await, expected, "{steps:?}");
        }
        assert!(was_sent_first(RequestBody::Empty, &[Come]).await);
    }
}
