//! A response body whose first frame may have arrived with the head. Many servers answer a message with one event and end the
//! stream at once. If that is seen before the head leaves, then head, event and end leave in one write.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::with_prefix;

/// What a look at a body has found; `None` is its end.
type Found = Option<Result<Frame<Bytes>, hyper::Error>>;

/// The body of an answer of the upstream.
pub struct Peeked {
    /// What was there at the first look, to be handed on first.
    first: Option<Found>,
    incoming: Incoming,
}

impl From<Incoming> for Peeked {
    fn from(incoming: Incoming) -> Self {
        Self { first: None, incoming }
    }
}

impl Peeked {
    /// Looks for what has come already. Waits for nothing.
    pub async fn look(mut incoming: Incoming) -> Self {
        let first = poll_fn(|cx| {
            Poll::Ready(match Pin::new(&mut incoming).poll_frame(cx) {
                Poll::Ready(found) => Some(found),
                Poll::Pending => None,
            })
        })
        .await;
        if matches!(first, Some(Some(Ok(_)))) {
            give_way().await;
        }
        Self { first, incoming }
    }
}

/// Lets the tasks go first that are ready to run: the connection may have the end of the body already, and hands it on
/// when the piece before is taken. `tokio::task::yield_now` would also wait for a look at all sockets.
async fn give_way() {
    let mut is_first = true;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_first, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

impl Body for Peeked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Found> {
        match self.first.take() {
            Some(found) => Poll::Ready(found),
            None => Pin::new(&mut self.incoming).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.first {
            Some(found) => found.is_none(),
            None => self.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let data = match &self.first {
            Some(Some(Ok(frame))) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        with_prefix(&self.incoming.size_hint(), data)
    }
}
