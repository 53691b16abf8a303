//! The streams of a connection over HTTP/2: each request is looked at as soon as its head has come, and an answer that its
//! client takes nothing of is ended.
//!
//! The clock of `stalled.rs` is on the socket. A client of HTTP/2 can take all that the socket has and still leave an answer
//! where it is: it gives the stream no window (RFC 9113 section 5.2), and answers PING. What waits for a window is only
//! known here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::Instant;

use super::stalled::{HURRIED, LOOK_EVERY};
use crate::counters::{CloseReason, Counters};
use crate::lazy_timer::LazyTimer;
use crate::overload::Crowd;

tokio::task_local! {
    static WINDOW: Arc<Window>;
}

/// Shared by an answer's body and the clock on its stream.
#[derive(Debug, Default)]
pub struct Window {
    /// Pieces that were handed out. The next one is asked for when the client has made room for the last.
    pieces: AtomicUsize,
    /// Whether the body has nothing to hand out now.
    is_idle: AtomicBool,
    stalled: AtomicBool,
    /// Whether the body was dropped before all that had been taken from its source was handed out.
    has_rest: AtomicBool,
}

impl Window {
    /// That of the stream whose request is served now; `None` over HTTP/1.1.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        WINDOW.try_with(Arc::clone).ok()
    }

    /// The body has handed out something.
    pub fn handed_out(&self) {
        self.pieces.fetch_add(1, Ordering::Relaxed);
        self.is_idle.store(false, Ordering::Relaxed);
    }

    /// The body was asked and has nothing yet: all before that has been taken.
    pub fn has_nothing(&self) {
        self.is_idle.store(true, Ordering::Relaxed);
    }

    /// The body is dropped with something that it has not handed out.
    pub fn drop_rest(&self) {
        self.has_rest.store(true, Ordering::Relaxed);
    }

    /// Whether something was not handed out when the body was dropped.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.has_rest.load(Ordering::Relaxed)
    }

    /// Whether the stream was ended because the client took nothing of its answer.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// The number of the piece that waits for the window; `None` if none waits.
    fn waiting(&self) -> Option<usize> {
        let pieces = self.pieces.load(Ordering::Relaxed);
        (pieces > 0 && !self.is_idle.load(Ordering::Relaxed)).then_some(pieces)
    }
}

/// Runs the streams of a connection.
#[derive(Clone)]
pub struct Streams {
    limit: Duration,
    crowd: Crowd,
    counters: Arc<Counters>,
}

impl Streams {
    /// `limit`: how long a client may take nothing of an answer, if there is no crowd.
    #[must_use]
    pub fn new(limit: Duration, crowd: Crowd, counters: Arc<Counters>) -> Self {
        Self { limit, crowd, counters }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    /// Looks at a request at once, before the next one is read: of those that are refused no two heads are held at a time.
    /// Only what has to wait becomes a task.
    fn execute(&self, stream: F) {
        let mut stream = Streamed {
            stream: Some(Box::pin(stream)),
            window: Arc::default(),
            of: self.clone(),
            since: None,
            alarm: LazyTimer::default(),
        };
        // A fault of one stream is not one of its connection.
        let first = AssertUnwindSafe(|| Pin::new(&mut stream).poll(&mut Context::from_waker(Waker::noop())));
        if let Ok(Poll::Pending) = catch_unwind(first) {
            tokio::spawn(stream);
        }
    }
}

/// A stream with a clock that runs only while something of its answer waits for the client's window.
struct Streamed<F> {
    stream: Option<Pin<Box<F>>>,
    window: Arc<Window>,
    of: Streams,
    /// Since when which piece has waited.
    since: Option<(usize, Instant)>,
    alarm: LazyTimer,
}

impl<F> Streamed<F> {
    /// Ready when the client has taken nothing for too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(piece) = self.window.waiting() else {
            self.since = None;
            return Poll::Pending;
        };
        let since = match self.since {
            Some((waiting, since)) if waiting == piece => since,
            _ => Instant::now(),
        };
        self.since = Some((piece, since));
        loop {
            let limit = if self.of.crowd.is_there() { self.of.limit.min(HURRIED) } else { self.of.limit };
            if since.elapsed() >= limit {
                return Poll::Ready(());
            }
            let look = limit.min(since.elapsed() + LOOK_EVERY);
            ready!(self.alarm.poll(cx, || since + look));
        }
    }
}

impl<F: Future<Output = ()>> Future for Streamed<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else { return Poll::Ready(()) };
        if WINDOW.sync_scope(this.window.clone(), || stream.as_mut().poll(cx)).is_ready() {
            this.stream = None;
            return Poll::Ready(());
        }
        ready!(this.poll_stalled(cx));
        this.window.stalled.store(true, Ordering::Relaxed);
        this.of.counters.hung_up(CloseReason::Stalled);
        // What nobody holds any more is reset (RST_STREAM, RFC 9113 section 6.4), and what was to be sent is given up.
        this.stream = None;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overload::Load;
    use crate::overload::shares::Share;

    const LIMIT: Duration = Duration::from_secs(60);

    fn streams(load: &'static Load) -> Streams {
        Streams::new(LIMIT, Crowd::new(load, 1, 1 << 20), Arc::default())
    }

    fn streamed<F: Future<Output = ()> + Send + 'static>(of: Streams, stream: F) -> Streamed<F> {
        let window = Arc::default();
        Streamed { stream: Some(Box::pin(stream)), window, of, since: None, alarm: LazyTimer::default() }
    }

    fn load() -> &'static Load {
        Box::leak(Box::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_nobody_takes_ends_its_stream_at_the_limit() {
        let stream = streamed(streams(load()), async {
            Window::current().unwrap().handed_out();
            std::future::pending::<()>().await;
        });
        let (began, window) = (Instant::now(), stream.window.clone());
        stream.await;
        assert_eq!((began.elapsed().as_secs(), window.is_stalled()), (60, true));
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_crowd_it_ends_early() {
        let load = load();
        let _other = load.begin([127, 0, 0, 1].into(), Share::Most, 1).unwrap();
        let began = Instant::now();
        streamed(streams(load), async {
            Window::current().unwrap().handed_out();
            std::future::pending::<()>().await;
        })
        .await;
        assert_eq!(began.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_slow_reading_are_no_stall() {
        let stream = streamed(streams(load()), async {
            let window = Window::current().unwrap();
            tokio::time::sleep(LIMIT * 3).await;
            for _ in 0..3 {
                window.handed_out();
                tokio::time::sleep(LIMIT - Duration::from_secs(1)).await;
            }
            window.handed_out();
            window.has_nothing();
            tokio::time::sleep(LIMIT * 3).await;
        });
        let window = stream.window.clone();
        stream.await;
        assert!(!window.is_stalled());
    }

    #[tokio::test]
    async fn a_stream_that_fails_harms_no_other() {
        let of = streams(load());
        of.execute(async { panic!("a fault") });
        let (done, is_done) = tokio::sync::oneshot::channel();
        of.execute(async { done.send(()).unwrap() });
        is_done.await.unwrap();
    }
}
