//! The client's end of what we write: it has to take its answer, and gets to read a refusal that came before it had
//! said everything.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Connection, Phase, portion};
use crate::lazy_timer::LazyTimer;
use crate::overload::Crowd;

/// How long a client that was refused midway may go on sending: a socket that is closed before everything was read from
/// it is reset, and the answer may be lost with it (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);

/// How long a client may take nothing of its answer while there is a crowd: others need the room.
pub(super) const HURRIED: Duration = Duration::from_secs(2);
/// How often it is looked whether there is one.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much of an answer may wait in the system's own buffer for a client to read it. Without a bound that is megabytes, of
/// which a third has to be taken before the system says that anything was: slow readers would look stuck.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 128 * 1024;

/// Has the system tell soon that a client takes something.
pub fn heed_progress(stream: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the system does not bound what waits to be sent");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = stream;
}

/// A socket with a clock that runs only while bytes of ours wait to be written. Any byte that is taken starts it anew:
/// who reads slowly makes us hold no more than who reads fast, since nothing is asked of the upstream that nobody takes.
pub struct Stalled<S> {
    stream: S,
    connection: Arc<Connection>,
    limit: Duration,
    /// Since when bytes have waited.
    since: Option<Instant>,
    alarm: LazyTimer,
    /// Who tells whether there is less time because of others.
    crowd: Option<Crowd>,
    /// When nothing more is read of what nobody wants, once all is written.
    lingers_until: Option<Instant>,
    /// Bytes that were read in this turn, if there are turns.
    turn: Option<usize>,
}

/// Bytes of one turn: no more small frames than h2 holds.
const TURN: usize = 4 * 1024;

impl<S> Stalled<S> {
    #[must_use]
    pub fn new(stream: S, connection: Arc<Connection>, limit: Duration) -> Self {
        connection.pace.begin(None);
        Self {
            stream,
            connection,
            limit,
            since: None,
            alarm: LazyTimer::default(),
            crowd: None,
            lingers_until: None,
            turn: None,
        }
    }

    /// Gives a client that takes nothing less time while there is a crowd.
    #[must_use]
    pub fn making_room(mut self, crowd: Crowd) -> Self {
        self.connection.pace.begin(Some(crowd.load()));
        self.crowd = Some(crowd);
        self
    }

    /// Reads in short turns, so that what was read can be taken before more comes: over HTTP/2 everything that is there would
    /// be read at once, and a connection ends on which too many small frames wait.
    #[must_use]
    pub fn in_turns(mut self) -> Self {
        self.turn = Some(0);
        self
    }

    /// What becomes of an attempt to write.
    fn judge<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.since = None;
            return polled;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        loop {
            let limit = match &self.crowd {
                Some(crowd) if crowd.is_there() => self.limit.min(HURRIED),
                _ => self.limit,
            };
            if since.elapsed() >= limit {
                break;
            }
            let look = if self.crowd.is_some() { limit.min(since.elapsed() + LOOK_EVERY) } else { limit };
            std::task::ready!(self.alarm.poll(cx, || since + look));
        }
        self.connection.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing of its answer")))
    }

    /// Whether the client may still be sending: its request was refused midway, or its head was no head.
    fn may_be_sending(&self) -> bool {
        self.connection.cut_short.load(Ordering::Relaxed) || self.connection.phase() == Phase::Head
    }
}

impl<S: AsyncRead + Unpin> Stalled<S> {
    /// Reads and forgets, until the client has ended too or the time is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.lingers_until.get_or_insert_with(|| Instant::now() + LINGER);
        let mut space = [0; 8 * 1024];
        loop {
            if self.alarm.poll(cx, || until).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalled<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(read) = self.turn else {
            let has_room = self.connection.pace.has_room();
            return portion::poll_read(&mut self.stream, cx, buf, has_room);
        };
        if read >= TURN {
            self.turn = Some(0);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = portion::poll_some(&mut self.stream, cx, buf, TURN - read);
        self.turn = Some(match &polled {
            Poll::Ready(Ok(length)) => read + length,
            _ => 0,
        });
        polled.map_ok(|_| ())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        let flushed = self.judge(cx, polled);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.connection.pace.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers_until.is_none() {
            let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
            std::task::ready!(self.judge(cx, polled))?;
            if !self.may_be_sending() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_linger(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::overload::Load;
    use crate::overload::shares::Share;

    fn connection() -> Arc<Connection> {
        let connection = Connection::new(Ipv4Addr::LOCALHOST.into(), false);
        connection.enter(Phase::Waiting);
        Arc::new(connection)
    }

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_at_the_limit_and_not_before() {
        let (ours, _theirs) = duplex(16);
        let connection = connection();
        let mut socket = Stalled::new(ours, connection.clone(), LIMIT);
        socket.write_all(&[0; 16]).await.unwrap();
        let began = Instant::now();
        let error = socket.write_all(b"more").await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
        assert!(connection.is_stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_crowd_who_takes_nothing_is_given_up_early() {
        let load: &'static Load = Box::leak(Box::default());
        let (ours, _theirs) = duplex(16);
        let mut socket = Stalled::new(ours, connection(), LIMIT).making_room(Crowd::new(load, 1, 1 << 20));
        socket.write_all(&[0; 16]).await.unwrap();
        let (began, write) = (Instant::now(), tokio::spawn(async move { socket.write_all(b"more").await }));
        // Nobody else is there for ten seconds.
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        assert!(!write.is_finished());
        let _other = load.begin(Ipv4Addr::LOCALHOST.into(), Share::Most, 1).unwrap();
        assert_eq!(write.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 11);
    }

    #[tokio::test(start_paused = true)]
    async fn any_byte_that_is_taken_starts_the_clock_anew() {
        let (ours, mut theirs) = duplex(1);
        let connection = connection();
        let mut socket = Stalled::new(ours, connection.clone(), LIMIT);
        let reader = tokio::spawn(async move {
            let mut taken = 0;
            while taken < 10 {
                tokio::time::sleep(Duration::from_secs(59)).await;
                taken += theirs.read(&mut [0; 1]).await.unwrap();
            }
        });
        socket.write_all(&[0; 10]).await.unwrap();
        reader.await.unwrap();
        assert!(!connection.is_stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_no_stall() {
        let (ours, mut theirs) = duplex(16);
        let connection = connection();
        let mut socket = Stalled::new(ours, connection.clone(), LIMIT);
        for _ in 0..3 {
            socket.write_all(b"event").await.unwrap();
            socket.flush().await.unwrap();
            theirs.read_exact(&mut [0; 5]).await.unwrap();
            let mut nothing = [0; 1];
            let read = tokio::time::timeout(Duration::from_secs(3600), socket.read(&mut nothing)).await;
            assert!(read.is_err());
        }
        assert!(!connection.is_stalled());
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_refused_midway_may_send_on_for_a_moment() {
        for (is_cut, goes_on, took) in [(true, true, 1000), (true, false, 300), (false, true, 0)] {
            let (ours, mut theirs) = duplex(16);
            let connection = connection();
            if is_cut {
                connection.cut_short();
            }
            let client = tokio::spawn(async move {
                for _ in 0..if goes_on { 100 } else { 3 } {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let _ = theirs.write_all(b"upload").await;
                }
            });
            let mut socket = Stalled::new(ours, connection, LIMIT);
            let began = Instant::now();
            socket.shutdown().await.unwrap();
            assert_eq!(began.elapsed().as_millis(), took);
            client.abort();
        }
    }
}
