//! What may come before the head of an answer. Interim answers (RFC 9110 section 15.2) may be any number, and hyper reads
//! them for as long as they come: without an end the whole thread would be at it, and no time limit would be looked at.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that may come before the head is there: far more than a head and what is said before it.
const MOST: usize = 256 * 1024;
/// Nobody waits for a head.
const ANY: usize = usize::MAX;

/// Whether the head of an answer is awaited, and how much may still come before it.
#[derive(Clone)]
pub(super) struct Heed(Arc<AtomicUsize>);

impl Default for Heed {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(ANY)))
    }
}

impl Heed {
    pub(super) fn begin(&self) {
        self.0.store(MOST, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.store(ANY, Ordering::Relaxed);
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
        let left = self.heed.0.load(Ordering::Relaxed);
        if left == 0 {
            let why = "too much came before the head of the answer";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if left != ANY {
            self.heed.0.store(left.saturating_sub(buf.filled().len() - before), Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heeded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
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
