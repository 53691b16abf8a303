//! A client's connection: who is at the other end, and how long we wait for it.
//!
//! Over HTTP/1.1 one exchange has the connection to itself: its [`Phase`] is the connection's, and the clock is on the
//! socket. Over HTTP/2 many share it: the connection is timed only while no stream is open, each upload has a clock of
//! its own (`body.rs`), each answer too (`window.rs`), and a peer that is gone is found by PING.

pub mod pace;
pub mod portion;
pub mod socket;
pub mod stalled;
pub mod window;

use std::any::Any;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use tokio::time::Instant;

use self::pace::Pace;
use crate::counters::{CloseReason, Counters};
use crate::headers;
use crate::refuse;

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

/// One exchange's part in a connection. Ends with the exchange, however that ends.
pub struct Turn(Arc<Connection>);

impl Turn {
    #[must_use]
    pub fn begin(connection: Arc<Connection>, now: Instant) -> Self {
        connection.enter_at(Phase::Waiting, now);
        if connection.is_multiplexed() {
            connection.streams.fetch_add(1, Ordering::Relaxed);
            connection.had_streams.store(true, Ordering::Relaxed);
        }
        Self(connection)
    }
}

impl Deref for Turn {
    type Target = Arc<Connection>;

    fn deref(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_multiplexed() {
            self.stamp(Instant::now());
            self.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Something that another part keeps with a connection. It is dropped with the connection.
#[derive(Default)]
pub struct Attachment(OnceLock<Box<dyn Any + Send + Sync>>);

impl Attachment {
    /// What is kept, if anything is, and of this type.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.get()?.downcast_ref()
    }

    /// The same, made now if nothing is kept yet.
    pub fn get_or_make<T: Any + Default + Send + Sync>(&self) -> Option<&T> {
        self.0.get_or_init(|| Box::new(T::default())).downcast_ref()
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
    /// Whether this is HTTP/2: exchanges share the connection.
    multiplexed: AtomicBool,
    /// Exchanges of HTTP/2 under way.
    streams: AtomicUsize,
    /// Whether any was before.
    had_streams: AtomicBool,
    /// The last Host that was seen and what `Forwarded` says of it: clients name the same host again and again.
    forwarded: Mutex<Option<(HeaderValue, HeaderValue)>>,
    judged_host: Mutex<Option<HeaderValue>>,
    /// Whether it was ended because the client took nothing of its answer.
    stalled: AtomicBool,
    /// Whether a request was refused before all of it had come.
    cut_short: AtomicBool,
    /// Connections to upstreams that only this client's exchanges may use (`upstream/private.rs`).
    pub private: Attachment,
    /// Limits what waits to be written; the streams of HTTP/2 have windows and buffers of their own.
    pace: Arc<Pace>,
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
            multiplexed: AtomicBool::new(false),
            streams: AtomicUsize::new(0),
            had_streams: AtomicBool::new(false),
            forwarded: Mutex::new(None),
            judged_host: Mutex::new(None),
            stalled: AtomicBool::new(false),
            cut_short: AtomicBool::new(false),
            private: Attachment::default(),
            pace: Arc::default(),
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

    /// What limits a body that is sent over this connection; nothing over HTTP/2.
    #[must_use]
    pub fn pace(&self) -> Option<Arc<Pace>> {
        (!self.is_multiplexed()).then(|| self.pace.clone())
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
        if self.is_multiplexed() {
            return;
        }
        if matches!(phase, Phase::Waiting | Phase::Idle) {
            self.answered.store(phase == Phase::Idle, Ordering::Relaxed);
        }
        self.stamp(now);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn stamp(&self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.opened).as_millis();
        self.since.store(u64::try_from(elapsed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// From now on exchanges share the connection.
    pub fn multiplex(&self) {
        // There is no head or body of the connection that one could wait for.
        self.enter(Phase::Waiting);
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// Whether exchanges share the connection.
    #[must_use]
    pub fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    /// Whether a shared connection has had a request.
    #[must_use]
    pub fn had_streams(&self) -> bool {
        self.had_streams.load(Ordering::Relaxed)
    }

    /// Until when a shared connection may go on as it is: the first request has the time of a head, later ones that of
    /// an idle connection, and while a stream is open there is no limit.
    #[must_use]
    pub fn quiet_until(&self, patience: &Patience) -> Instant {
        let limit = if self.had_streams() { patience.idle } else { patience.head };
        if self.streams.load(Ordering::Relaxed) > 0 {
            return Instant::now() + limit;
        }
        self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed)) + limit
    }

    /// Whether the last request of this connection named the same host, so that it need not be judged again.
    pub fn knows_host(&self, host: &HeaderValue) -> bool {
        self.judged_host.lock().is_ok_and(|judged| judged.as_ref() == Some(host))
    }

    /// The host was judged and may pass.
    pub fn admit_host(&self, host: &HeaderValue) {
        if let Ok(mut judged) = self.judged_host.lock() {
            *judged = Some(headers::detached(host));
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
                *last = Some((headers::detached(host), value.clone()));
                value
            }
        }
    }

    /// Counts what ended the connection, if that was not an exchange's own affair.
    pub fn note_end(&self, error: &hyper::Error, counters: &Counters) {
        if self.is_stalled() {
            counters.hung_up(CloseReason::Stalled);
        } else if error.is_parse_too_large() {
            counters.refused(&refuse::HEAD_TOO_LARGE);
        } else if error.is_parse() {
            counters.refused(&refuse::BAD_HEAD);
        } else if is_timeout(error) {
            match self.phase() {
                Phase::Head => counters.hung_up(CloseReason::HeadSlow),
                Phase::Idle => counters.hung_up(CloseReason::Idle),
                Phase::Body | Phase::Waiting => {}
            }
        }
    }

    fn deadline(&self, patience: &Patience) -> Option<Instant> {
        if self.is_multiplexed() {
            return None;
        }
        let limit = patience.limit(self.phase.load(Ordering::Relaxed))?;
        Some(self.opened + Duration::from_millis(self.since.load(Ordering::Relaxed)) + limit)
    }
}

/// Whether a body ended because its sender took too long.
#[must_use]
pub fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::TimedOut)
}
