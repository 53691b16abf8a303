//! Splits and joins the pieces of a body that is sent over HTTP/2.
//!
//! h2 accepts a whole piece as soon as the window has room for one byte of it, so long pieces are split. h2 limits the bytes
//! that wait to be sent, but not the 300 or so bytes of its own that it keeps for each DATA frame, so small pieces are joined.
//! Otherwise an answer in pieces of one byte would take a hundred times its length while its client does not read.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::with_prefix;
use crate::connection::window::Window;

/// Shorter pieces are joined while more are available, and at most [`MOST_SMALL`] of them wait to be sent.
const SMALL: usize = 512;
const MOST_SMALL: usize = 16;
/// The most that is joined, and the most that is handed out at a time.
const LARGE: usize = 16 * 1024;
/// The last byte of a longer piece is sent by itself: h2 asks for it only after it has taken the others.
const LONG: usize = 1024;

/// A body in pieces.
pub struct Pieces<B: Body> {
    /// Dropped before the body, which has to know what was left.
    left: Left,
    body: B,
    /// What follows the joined data, once it is known not to be data.
    then: Option<End<B::Error>>,
    waiting: Arc<Waiting>,
}

/// What a body ends with.
enum End<E> {
    Nothing,
    Trailers(Frame<Bytes>),
    Error(E),
}

impl<E> End<E> {
    fn of(polled: Option<Result<Frame<Bytes>, E>>) -> Self {
        match polled {
            None => Self::Nothing,
            Some(Ok(trailers)) => Self::Trailers(trailers),
            Some(Err(error)) => Self::Error(error),
        }
    }

    fn into_polled(self) -> Option<Result<Frame<Bytes>, E>> {
        match self {
            Self::Nothing => None,
            Self::Trailers(trailers) => Some(Ok(trailers)),
            Self::Error(error) => Some(Err(error)),
        }
    }
}

/// What was taken from the body and not yet handed out.
struct Left {
    /// Small pieces.
    joined: BytesMut,
    /// The rest of a long piece.
    rest: Bytes,
    window: Option<Arc<Window>>,
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(window) = self.window.as_ref().filter(|_| !self.rest.is_empty() || !self.joined.is_empty()) {
            window.drop_rest();
        }
    }
}

/// The small pieces that were handed out and not yet sent.
#[derive(Default)]
struct Waiting {
    count: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Waiting {
    /// Whether one more may wait. If not, the task is woken when one may.
    fn has_room(&self, cx: &Context<'_>) -> bool {
        let is_free = || self.count.load(Ordering::Acquire) < MOST_SMALL;
        if is_free() {
            return true;
        }
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        // One may have been sent in the meantime.
        is_free()
    }
}

/// A small piece. It is dropped when it has been sent.
struct Piece {
    bytes: Bytes,
    waiting: Arc<Waiting>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.waiting.count.fetch_sub(1, Ordering::AcqRel);
        if let Some(waker) = self.waiting.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

impl<B: Body<Data = Bytes>> Pieces<B> {
    /// The pieces of a body. `window` is that of the stream, if the reading of its client is watched.
    #[must_use]
    pub fn of(body: B, window: Option<Arc<Window>>) -> Self {
        Self {
            left: Left { joined: BytesMut::new(), rest: Bytes::new(), window },
            body,
            then: None,
            waiting: Arc::default(),
        }
    }

    /// The body, if nothing was taken from it.
    #[must_use]
    pub fn into_inner(self) -> B {
        self.body
    }
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

impl<B: Body<Data = Bytes> + Unpin> Pieces<B> {
    /// Takes what the body has until there is enough. Ready with a frame that needs no joining.
    fn gather(&mut self, cx: &mut Context<'_>) -> Polled<B::Error> {
        while self.then.is_none() && self.left.joined.len() < LARGE {
            let next = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
            match next {
                Some(Ok(frame)) if frame.is_data() => {
                    let data = frame.data_ref().map_or(&[][..], |data| data);
                    let is_last = self.body.is_end_stream();
                    if self.left.joined.is_empty() && (data.len() >= SMALL || is_last) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    self.left.joined.extend_from_slice(data);
                    if is_last {
                        break;
                    }
                }
                end if self.left.joined.is_empty() => return Poll::Ready(end),
                end => self.then = Some(End::of(end)),
            }
        }
        Poll::Pending
    }

    /// The joined data, unless too many small pieces wait to be sent.
    fn joined(&mut self, cx: &Context<'_>) -> Poll<Bytes> {
        if self.left.joined.len() >= SMALL {
            return Poll::Ready(self.left.joined.split().freeze());
        }
        if !self.waiting.has_room(cx) {
            return Poll::Pending;
        }
        self.waiting.count.fetch_add(1, Ordering::AcqRel);
        let piece = Piece { bytes: self.left.joined.split().freeze(), waiting: self.waiting.clone() };
        Poll::Ready(Bytes::from_owner(piece))
    }

    /// The next piece of the rest.
    fn split(&mut self) -> Polled<B::Error> {
        let length = match self.left.rest.len() {
            length if length > LARGE => LARGE,
            length if length > LONG => length - 1,
            length => length,
        };
        if let Some(window) = &self.left.window {
            window.handed_out();
        }
        Poll::Ready(Some(Ok(Frame::data(self.left.rest.split_to(length)))))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Pieces<B>
where
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        let this = self.get_mut();
        if !this.left.rest.is_empty() {
            return this.split();
        }
        this.left.rest = match this.gather(cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            },
            Poll::Ready(end) => return Poll::Ready(end),
            Poll::Pending if !this.left.joined.is_empty() => std::task::ready!(this.joined(cx)),
            Poll::Pending => match (this.then.take(), &this.left.window) {
                (Some(end), _) => return Poll::Ready(end.into_polled()),
                (None, window) => {
                    if let Some(window) = window {
                        window.has_nothing();
                    }
                    return Poll::Pending;
                }
            },
        };
        this.split()
    }

    fn is_end_stream(&self) -> bool {
        self.left.rest.is_empty() && self.left.joined.is_empty() && self.then.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        with_prefix(&self.body.size_hint(), self.left.rest.len() + self.left.joined.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use super::*;

    /// What a body gives each time that it is asked: data, or nothing yet.
    struct Script(VecDeque<Option<&'static [u8]>>);

    impl Body for Script {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(Some(data)) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(data))))),
                Some(None) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn pieces(script: impl IntoIterator<Item = Option<&'static [u8]>>) -> Pieces<Script> {
        Pieces::of(Script(script.into_iter().collect()), None)
    }

    /// The next piece; `None` if there is none yet.
    fn next(body: &mut Pieces<Script>) -> Option<Bytes> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok(),
            Poll::Ready(Some(Err(error))) => match error {},
            Poll::Ready(None) => Some(Bytes::from_static(b"end")),
            Poll::Pending => None,
        }
    }

    const OTHER: &[u8] = &[b'x'; SMALL];

    #[test]
    fn what_is_there_at_once_is_one_piece_and_nothing_waits_for_more() {
        let mut body = pieces([Some(&b"a"[..]), Some(b"b"), None, Some(b"c"), None, Some(OTHER), Some(b"d")]);
        for expected in [&b"ab"[..], b"c", OTHER, b"d", b"end"] {
            assert_eq!(next(&mut body).unwrap(), expected);
        }
    }

    #[test]
    fn few_small_pieces_wait_at_a_time_and_the_rest_is_joined() {
        let mut body = pieces([Some(&b"a"[..]), None].into_iter().cycle().take(100));
        let waiting: Vec<Bytes> = (0..MOST_SMALL).map(|_| next(&mut body).unwrap()).collect();
        for _ in 0..20 {
            assert_eq!(next(&mut body), None);
        }
        drop(waiting);
        assert_eq!(next(&mut body).unwrap().len(), 21);
    }

    #[test]
    fn a_long_piece_waits_for_no_other() {
        let mut body = pieces([Some(&b"a"[..]), None].into_iter().cycle().take(200).chain([Some(OTHER)]));
        let _waiting: Vec<Bytes> = (0..MOST_SMALL).map(|_| next(&mut body).unwrap()).collect();
        while next(&mut body).is_none_or(|piece| piece.len() < SMALL) {}
    }

    #[test]
    fn a_long_piece_is_split_and_its_last_byte_goes_by_itself() {
        const VERY_LONG: &[u8] = &[b'x'; LARGE + LONG + 1];
        let mut body = pieces([Some(VERY_LONG)]);
        let lengths: Vec<usize> = (0..3).map(|_| next(&mut body).unwrap().len()).collect();
        assert_eq!(lengths, [LARGE, LONG, 1]);
        assert_eq!(next(&mut body).unwrap(), &b"end"[..]);
    }
}
