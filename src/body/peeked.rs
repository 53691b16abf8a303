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
type Found<E> = Option<Result<Frame<Bytes>, E>>;

/// The body of an answer of the upstream.
pub struct Peeked<B: Body = Incoming> {
    /// What was there at the first look, to be handed on first.
    first: Option<Found<B::Error>>,
    incoming: B,
}

impl From<Incoming> for Peeked {
    fn from(incoming: Incoming) -> Self {
        Self { first: None, incoming }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Peeked<B> {
    /// Looks for what has come already. Waits for nothing.
    pub async fn look(mut incoming: B) -> Self {
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

impl<B: Body<Data = Bytes, Error: Unpin> + Unpin> Body for Peeked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Found<B::Error>> {
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::ready;
    use std::time::Duration;

    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// A body whose frames come through a channel, as hyper's connection hands them over.
    struct Fed(mpsc::Receiver<Result<Frame<Bytes>, &'static str>>);

    impl Body for Fed {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Found<&'static str>> {
            self.0.poll_recv(cx)
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_closed() && self.0.is_empty()
        }
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    /// What can be read of a body without waiting.
    async fn ready_frames(body: &mut Peeked<Fed>) -> VecDeque<Found<&'static str>> {
        let mut frames = VecDeque::new();
        while let Some(found) = tokio::select! { biased; found = body.frame() => Some(found), () = ready(()) => None } {
            let is_last = found.is_none();
            frames.push_back(found);
            if is_last {
                break;
            }
        }
        frames
    }

    #[tokio::test]
    async fn the_end_is_there_when_the_connection_hands_it_on_behind_the_frame() {
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(data("event")).unwrap();
        // Like hyper's connection: it can hand on no more before the frame is taken.
        let connection = tokio::spawn(async move {
            let permit = sender.reserve().await.unwrap();
            drop(permit);
        });
        tokio::task::yield_now().await;
        let mut body = Peeked::look(Fed(receiver)).await;
        assert!(connection.is_finished(), "the connection has gone first");
        assert!(!body.is_end_stream(), "the event is still to be sent");
        assert_eq!(body.size_hint().lower(), 5);
        let frames = ready_frames(&mut body).await;
        assert!(matches!(&frames[0], Some(Ok(frame)) if frame.data_ref().is_some_and(|data| data == "event")));
        assert!(frames[1].is_none() && frames.len() == 2 && body.is_end_stream());
    }

    #[tokio::test]
    async fn a_look_waits_for_nothing() {
        let (sender, receiver) = mpsc::channel(1);
        let look = timeout(Duration::from_secs(5), Peeked::look(Fed(receiver)));
        let mut body = look.await.unwrap();
        assert!(ready_frames(&mut body).await.is_empty());
        sender.try_send(data("late")).unwrap();
        assert_eq!(ready_frames(&mut body).await.len(), 1);
    }

    #[tokio::test]
    async fn an_end_and_an_error_are_handed_on_once() {
        let (sender, receiver) = mpsc::channel(1);
        drop(sender);
        let mut body = Peeked::look(Fed(receiver)).await;
        assert!(body.is_end_stream() && body.frame().await.is_none());
        let (sender, receiver) = mpsc::channel(2);
        sender.try_send(Err("reset")).unwrap();
        let mut body = Peeked::look(Fed(receiver)).await;
        assert!(!body.is_end_stream());
        assert!(matches!(body.frame().await, Some(Err("reset"))));
        assert!(ready_frames(&mut body).await.is_empty());
    }
}
