//! A client's connection: who is at the other end, and how long we wait for it.

pub mod stalled;

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::body;
use crate::headers;
use crate::refuse;
use crate::telemetry::counters::{Counters, HungUp};

/// What the client is expected to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Send the (rest of the) head of a request.
    Head,
    /// Nothing, or begin a request.
    Idle,
    /// Send more of a request's body.
    Body,
    /// Wait for us.
    Waiting,
}

/// How long a client may take, by phase. There is no limit on a whole connection or exchange.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub head: Duration,
    pub idle: Duration,
    pub body: Duration,
}

impl Patience {
    fn limit(&self, phase: u8) -> Option<Duration> {
        match phase {
            p if p == Phase::Head as u8 => Some(self.head),
            p if p == Phase::Idle as u8 => Some(self.idle),
            p if p == Phase::Body as u8 => Some(self.body),
            _ => None,
        }
    }
}

/// What the exchanges of one client connection share.
pub struct Connection {
    pub peer: IpAddr,
    /// The peer as `X-Forwarded-For` names it.
    pub peer_value: HeaderValue,
    /// Whether the peer is one of `trusted_proxies`.
    pub trusted: bool,
    phase: AtomicU8,
    /// Whether the last request was answered: an upload that ends after that leaves nothing to wait for.
    answered: AtomicBool,
    /// When the phase began or last saw progress, in milliseconds after `opened`.
    since: AtomicU64,
    opened: Instant,
    /// The last Host that was seen and what `Forwarded` says of it: clients name the same host again and again.
    forwarded: Mutex<Option<(HeaderValue, HeaderValue)>>,
    judged_host: Mutex<Option<HeaderValue>>,
    /// Whether it was ended because the client took nothing of its answer.
    stalled: AtomicBool,
    /// Whether a request was refused before all of it had come.
    cut_short: AtomicBool,
}

impl Connection {
    /// A connection just accepted: its first head is awaited.
    #[must_use]
    pub fn new(peer: IpAddr, trusted: bool) -> Self {
        // An IPv4 client of a dual-stack listener is an IPv4 client (RFC 4291 section 2.5.5.2).
        let peer = peer.to_canonical();
        let peer_value = HeaderValue::from_str(&peer.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        Self {
            peer,
            peer_value,
            trusted,
            phase: AtomicU8::new(Phase::Head as u8),
            answered: AtomicBool::new(false),
            since: AtomicU64::new(0),
            opened: Instant::now(),
            forwarded: Mutex::new(None),
            judged_host: Mutex::new(None),
            stalled: AtomicBool::new(false),
            cut_short: AtomicBool::new(false),
        }
    }

    /// Whether the client took nothing of its answer for too long.
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// The answer goes out before all of the request has come in: the connection cannot go on.
    pub fn cut_short(&self) {
        self.cut_short.store(true, Ordering::Relaxed);
    }

    /// What the client is expected to do next.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Idle,
            2 => Phase::Body,
            _ => Phase::Waiting,
        }
    }

    /// Who asks: the peer, or whom a trusted peer names in these headers. `None` if it names nobody for sure.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
        if !self.trusted {
            return Some(self.peer);
        }
        let trusts = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(&address));
        headers::forwarded::client(self.peer, headers, trusts)
    }

    /// Begins a phase, or notes progress in it.
    pub fn enter(&self, phase: Phase) {
        self.enter_at(phase, Instant::now());
    }

    /// As [`Connection::enter`], for somebody who knows what time it is.
    pub fn enter_at(&self, phase: Phase, now: Instant) {
        if matches!(phase, Phase::Waiting | Phase::Idle) {
            self.answered.store(phase == Phase::Idle, Ordering::Relaxed);
        }
        let elapsed = now.saturating_duration_since(self.opened).as_millis();
        self.since.store(u64::try_from(elapsed).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Whether the last request of this connection named the same host, so that it need not be judged again.
    pub fn knows_host(&self, host: &HeaderValue) -> bool {
        self.judged_host.lock().is_ok_and(|judged| judged.as_ref() == Some(host))
    }

    /// The host was judged and may pass.
    pub fn admit_host(&self, host: &HeaderValue) {
        if let Ok(mut judged) = self.judged_host.lock() {
            *judged = Some(host.clone());
        }
    }

    /// Leaves a phase for waiting, if it is still the one; who waits for nothing is idle.
    pub fn leave(&self, phase: Phase) {
        let rest = if self.answered.load(Ordering::Relaxed) { Phase::Idle } else { Phase::Waiting };
        let _ = self.phase.compare_exchange(phase as u8, rest as u8, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What `Forwarded` says of this client and the host that it names.
    pub fn forwarded(&self, host: &HeaderValue, proto: &str) -> HeaderValue {
        let Ok(mut last) = self.forwarded.lock() else { return headers::forwarded(self.peer, host, proto) };
        match &*last {
            Some((of, value)) if of == host => value.clone(),
            _ => {
                let value = headers::forwarded(self.peer, host, proto);
                *last = Some((host.clone(), value.clone()));
                value
            }
        }
    }

    /// Counts what ended the connection, if that was not an exchange's own affair.
    pub fn note_end(&self, error: &hyper::Error, counters: &Counters) {
        if self.is_stalled() {
            counters.hung_up(HungUp::Stalled);
        } else if error.is_parse_too_large() {
            counters.refused(&refuse::HEAD_TOO_LARGE);
        } else if error.is_parse() {
            counters.refused(&refuse::BAD_HEAD);
        } else if body::is_timeout(error) {
            match self.phase() {
                Phase::Head => counters.hung_up(HungUp::HeadSlow),
                Phase::Idle => counters.hung_up(HungUp::Idle),
                Phase::Body | Phase::Waiting => {}
            }
        }
    }

    fn deadline(&self, patience: &Patience) -> Option<Instant> {
        let limit = patience.limit(self.phase.load(Ordering::Relaxed))?;
        Some(self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed)) + limit)
    }
}

/// The client's socket, with the clock on it: a read that waits longer than the phase allows fails.
pub struct Timed {
    stream: TcpStream,
    connection: std::sync::Arc<Connection>,
    patience: Patience,
    alarm: Alarm,
}

impl Timed {
    #[must_use]
    pub fn new(stream: TcpStream, connection: std::sync::Arc<Connection>, patience: Patience) -> Self {
        Self { stream, connection, patience, alarm: Alarm::default() }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(deadline) = self.connection.deadline(&self.patience) else { return Poll::Pending };
        let connection = &self.connection;
        let patience = &self.patience;
        self.alarm
            .poll(cx, || connection.deadline(patience).unwrap_or(deadline))
            .map(|()| io::Error::new(io::ErrorKind::TimedOut, "the client took too long"))
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => self.poll_deadline(cx).map(Err),
            ready => {
                if self.connection.phase.load(Ordering::Relaxed) == Phase::Idle as u8 {
                    self.connection.enter(Phase::Head);
                }
                ready
            }
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Behind an answer nothing is read before something comes: the clock of an idle client is set here.
        if self.connection.phase.load(Ordering::Relaxed) == Phase::Idle as u8
            && let Poll::Ready(error) = self.poll_deadline(cx)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
