//! Bodies of the demo server: whole ones, and streams that come in pieces, with time between them, and may go on for as
//! long as somebody has something to say.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc::Receiver;
use tokio::time::Sleep;

/// A body on its way.
#[derive(Debug, Default)]
pub(in crate::demo) struct Body {
    pieces: VecDeque<(Duration, Bytes)>,
    then: Then,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether it has no length of its own.
    streams: bool,
}

/// What comes behind the pieces.
#[derive(Debug, Default)]
enum Then {
    #[default]
    End,
    /// Nothing, and no end either.
    Silence,
    /// What is said from elsewhere.
    Words(Receiver<Bytes>),
}

impl Body {
    /// A body that is there at once.
    pub(in crate::demo) fn whole(bytes: Bytes) -> Self {
        let pieces = if bytes.is_empty() { VecDeque::new() } else { [(Duration::ZERO, bytes)].into() };
        Self { pieces, ..Self::default() }
    }

    /// A stream: each piece after some time.
    pub(in crate::demo) fn stream(pieces: impl IntoIterator<Item = (Duration, Bytes)>) -> Self {
        Self { pieces: pieces.into_iter().collect(), streams: true, ..Self::default() }
    }

    /// The same, and it does not end.
    pub(in crate::demo) fn never_ending(self) -> Self {
        Self { then: Then::Silence, streams: true, ..self }
    }

    /// The same, and behind it whatever is said.
    pub(in crate::demo) fn then(self, words: Receiver<Bytes>) -> Self {
        Self { then: Then::Words(words), streams: true, ..self }
    }

    /// The same with another text of what is in it so far, in one piece.
    pub(in crate::demo) fn retold(self, change: impl FnOnce(String) -> String) -> Self {
        let text = change(String::from_utf8_lossy(&self.bytes()).into_owned());
        Self { pieces: [(Duration::ZERO, Bytes::from(text))].into(), ..self }
    }

    /// What is in it so far.
    pub(in crate::demo) fn bytes(&self) -> Bytes {
        match self.pieces.iter().collect::<Vec<_>>().as_slice() {
            [(_, one)] => one.clone(),
            pieces => pieces.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect(),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(after) = self.pieces.front().map(|(after, _)| *after).filter(|after| !after.is_zero()) {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
        }
        if let Some((_, bytes)) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match &mut self.then {
            Then::End => Poll::Ready(None),
            Then::Silence => Poll::Pending,
            Then::Words(words) => words.poll_recv(cx).map(|words| words.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.streams && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.streams {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pieces_come_in_their_time() {
        let began = tokio::time::Instant::now();
        let piece = |ms, text: &'static str| (Duration::from_millis(ms), Bytes::from_static(text.as_bytes()));
        let body = Body::stream([piece(0, "a"), piece(20, "b"), piece(30, "c")]);
        assert_eq!((body.bytes(), body.size_hint().exact()), (Bytes::from_static(b"abc"), None));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert_eq!(began.elapsed().as_millis(), 50);
        let whole = Body::whole(Bytes::from_static(b"abc"));
        assert_eq!((whole.size_hint().exact(), whole.is_end_stream()), (Some(3), false));
        assert!(Body::whole(Bytes::new()).is_end_stream());
    }

    #[tokio::test]
    async fn words_come_until_nobody_speaks() {
        let (speaker, words) = tokio::sync::mpsc::channel(2);
        let body = Body::default().then(words);
        speaker.send(Bytes::from_static(b"hello")).await.unwrap();
        drop(speaker);
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    }
}
