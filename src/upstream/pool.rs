//! Connections over HTTP/1.1 that wait for the next exchange, and what an exchange holds of a connection.

use std::sync::Arc;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::health::Place;
use super::heed::{Heed, Heeded, Watched};
use super::http2::Stream;
use super::ownership::{Next, Owner};
use super::socket::Socket;
use super::target::Limits;
use super::{Failure, Upstream};
use crate::lazy_timer::LazyTimer;
use crate::overload::Kept;
use crate::refuse;

/// A connection that nobody uses now.
pub(super) struct Pooled {
    place: Arc<Place>,
    sender: http1::SendRequest<Watched>,
    heed: Heed,
    alarm: LazyTimer,
    opened: Instant,
    returned: Instant,
    /// Counts it while it waits.
    _kept: Option<Kept>,
}

/// What an exchange holds until its answer has ended: a connection of its own, or a stream of one that is shared.
pub struct Lease {
    pub(super) upstream: Arc<Upstream>,
    pub(super) place: Arc<Place>,
    pub(super) alarm: LazyTimer,
    pub(super) carrier: Carrier,
}

pub(super) enum Carrier {
    Own { sender: http1::SendRequest<Watched>, heed: Heed, opened: Instant, next: Next },
    Shared(Stream),
}

impl Lease {
    /// The address that it leads to, where there are several.
    #[must_use]
    pub fn place(&self) -> Option<Arc<Place>> {
        self.upstream.target().places.sole().is_none().then(|| self.place.clone())
    }

    /// Gives the connection back after its answer has ended whole, to those who may use it.
    pub fn give_back(self, now: Instant) {
        let Self { upstream, place, alarm, carrier } = self;
        let Carrier::Own { sender, heed, opened, next } = carrier else { return };
        if sender.is_closed() {
            return;
        }
        let next = match next {
            Next::Unproven(otherwise) => {
                upstream.note_unpooled(&otherwise);
                *otherwise
            }
            next => next,
        };
        let kept = upstream.load.map(|load| load.keep(matches!(next, Next::Only(_))));
        // There are descriptors for so many and no more.
        let Some(kept) = kept.map_or(Some(None), |kept| kept.map(Some)) else { return };
        let pooled = Pooled { place, sender, heed, alarm, opened, returned: now, _kept: kept };
        match next {
            Next::Anybody => {
                if let Ok(mut idle) = upstream.idle.lock() {
                    idle.push(pooled);
                }
            }
            Next::Only(owner) => upstream.keep_private(&owner, pooled),
            Next::Unproven(_) | Next::Unnamed | Next::Nobody => {}
        }
    }

    /// The answer granted a token, so that the body of the request was read.
    pub fn granted(&mut self) {
        if let Carrier::Own { next, .. } = &mut self.carrier
            && matches!(next, Next::Unproven(_))
        {
            *next = Next::Anybody;
        }
    }

    /// Whether the connection is closed after this exchange unless its caller is named.
    #[must_use]
    pub fn wants_owner(&self) -> bool {
        matches!(&self.carrier, Carrier::Own { next, .. } if next.is_unnamed())
    }

    /// Names the caller that may go on with the connection, if that can be told.
    pub fn name_owner(&mut self, owner: Option<Owner>) {
        if let Carrier::Own { next, .. } = &mut self.carrier
            && next.name(owner)
        {
            self.upstream.note_unpooled(next);
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self.carrier, Carrier::Shared(_))
    }

    /// Whether this is a shared connection that others may go on with: one that refuses a stream may refuse the next.
    pub(super) fn is_alive(&self) -> bool {
        matches!(&self.carrier, Carrier::Shared(stream) if !stream.sender.is_closed())
    }
}

impl Pooled {
    pub(super) fn leads_to(&self, place: &Arc<Place>) -> bool {
        Arc::ptr_eq(&self.place, place)
    }

    /// Whether the last exchange has ended on the upstream's side too.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    pub(super) fn lease(self, upstream: &Arc<Upstream>, next: Next) -> Lease {
        let Self { place, sender, heed, alarm, opened, .. } = self;
        Lease { upstream: upstream.clone(), place, alarm, carrier: Carrier::Own { sender, heed, opened, next } }
    }

    pub(super) fn is_usable(&self, now: Instant, limits: &Limits) -> bool {
        !self.sender.is_closed()
            && now.saturating_duration_since(self.returned) <= limits.idle
            && now.saturating_duration_since(self.opened) <= limits.age
    }
}

impl Upstream {
    /// The connection that somebody else is making, or a new one.
    pub(super) async fn connect_once(self: &Arc<Self>, place: &Arc<Place>) -> Result<Lease, Failure> {
        let asked = Instant::now();
        let gate = self.gate(place);
        let mut gate = gate.lock().await;
        if let Some(stream) = self.share(place, Instant::now()) {
            return Ok(self.lease(place, stream));
        }
        if place.speaks_http1() {
            drop(gate);
            return self.open(place).await;
        }
        if let Some((_, refusal)) = gate.filter(|(when, _)| *when >= asked) {
            return Err(refusal.into());
        }
        let connected = self.open(place).await;
        *gate = connected.as_ref().err().map(|failure| (Instant::now(), failure.refusal));
        connected
    }

    /// What an exchange holds of a shared connection.
    pub(super) fn lease(self: &Arc<Self>, place: &Arc<Place>, stream: Stream) -> Lease {
        let (upstream, place) = (self.clone(), place.clone());
        Lease { upstream, place, alarm: LazyTimer::default(), carrier: Carrier::Shared(stream) }
    }

    /// A pooled connection that is alive, if there is one; the newest first, so that the others grow old and close.
    pub(super) fn checkout(self: &Arc<Self>, place: &Arc<Place>, now: Instant) -> Option<Lease> {
        let mut idle = self.idle.lock().ok()?;
        let mut index = idle.len();
        while index > 0 {
            index -= 1;
            let pooled = &idle[index];
            if !pooled.leads_to(place) {
                continue;
            }
            if !pooled.is_usable(now, &self.target.limits) {
                idle.swap_remove(index);
            } else if pooled.is_ready() {
                return Some(idle.swap_remove(index).lease(self, Next::Anybody));
            }
        }
        None
    }

    /// Closes the connections that nobody may use again, and sees to it that somebody asks the health path. To be called
    /// every few seconds.
    pub fn prune(self: &Arc<Self>) {
        let now = Instant::now();
        if let Ok(mut idle) = self.idle.lock() {
            idle.retain(|pooled| pooled.is_usable(now, &self.target.limits));
        }
        self.prune_private(now);
        self.prune_shared(now);
        self.watch();
    }

    /// Speaks HTTP/1.1 over a new socket.
    pub(super) async fn own(self: &Arc<Self>, place: &Arc<Place>, socket: Socket) -> Result<Lease, Failure> {
        let heed = Heed::new(self.load);
        let (sender, connection) = http1::Builder::new()
            .max_header_size(self.target.limits.head_bytes)
            .max_buf_size(self.target.limits.head_bytes)
            .handshake(TokioIo::new(Heeded::new(socket, heed.clone())))
            .await
            .map_err(|error| Failure::new(refuse::UNREACHABLE, error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        let carrier = Carrier::Own { sender, heed, opened: Instant::now(), next: Next::Anybody };
        Ok(Lease { upstream: self.clone(), place: place.clone(), alarm: LazyTimer::default(), carrier })
    }
}
