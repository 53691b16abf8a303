//! Connections to the upstream that wait for one caller.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use http::Response;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Upstream;
use super::health::Place;
use super::ownership::{Next, Owner, Sending};
use super::pool::{Lease, Pooled};
use super::target::Limits;
use crate::body::caller::Caller;
use crate::connection::Connection;

/// The connection to an upstream that waits for one client connection. It is closed with it.
#[derive(Default)]
pub struct Private(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// The last one that was given back, and for whom it is. One is enough: all are counted (see `server/listen.rs`).
    connection: Option<(Caller, Pooled)>,
    /// Whether an upstream looks through them every few seconds.
    is_watched: bool,
}

impl Private {
    fn waiting<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether one waits for this client connection.
    #[must_use]
    pub fn waits_for(connection: &Connection) -> bool {
        connection.private.get::<Self>().is_some_and(|one| one.waiting(|waiting| waiting.connection.is_some()))
    }

    /// The connection, if it leads to this address and is this caller's. Closes it if it is too old.
    fn take(&self, caller: Caller, place: &Arc<Place>, now: Instant, limits: &Limits) -> Option<Pooled> {
        self.waiting(|waiting| {
            let (_, one) = waiting.connection.take_if(|(of, one)| {
                !one.is_usable(now, limits) || *of == caller && one.leads_to(place) && one.is_ready()
            })?;
            one.is_usable(now, limits).then_some(one)
        })
    }

    /// Keeps a connection and closes the one before. Answers whether somebody has to look at it from now on.
    fn keep(&self, caller: Caller, connection: Pooled) -> bool {
        self.waiting(|waiting| {
            waiting.connection = Some((caller, connection));
            !std::mem::replace(&mut waiting.is_watched, true)
        })
    }

    /// Closes what nobody may use again. Answers whether something is left to be looked at.
    fn prune(&self, is_usable: impl Fn(&Pooled) -> bool) -> bool {
        self.waiting(|waiting| {
            drop(waiting.connection.take_if(|(_, one)| !is_usable(one)));
            waiting.is_watched = waiting.connection.is_some();
            waiting.is_watched
        })
    }
}

impl Upstream {
    /// A connection that waits for this caller alone.
    pub(super) fn checkout_private(self: &Arc<Self>, place: &Arc<Place>, owner: &Owner, now: Instant) -> Option<Lease> {
        let private: &Private = owner.connection.private.get()?;
        let pooled = private.take(owner.caller, place, now, &self.target.limits)?;
        Some(pooled.lease(self, Next::Only(owner.clone())))
    }

    /// Keeps a connection for the one caller that may use it.
    pub(super) fn keep_private(&self, owner: &Owner, connection: Pooled) {
        let private = owner.connection.private.get_or_make::<Private>();
        if private.is_some_and(|private| private.keep(owner.caller, connection))
            && let Ok(mut owners) = self.owners.lock()
        {
            owners.push(Arc::downgrade(&owner.connection));
        }
    }

    /// Closes private connections that are too old.
    pub(super) fn prune_private(&self, now: Instant) {
        self.retain_private(|one| one.is_usable(now, &self.target.limits));
    }

    fn retain_private(&self, is_usable: impl Fn(&Pooled) -> bool) {
        if let Ok(mut owners) = self.owners.lock() {
            let has_any = |private: &Private| private.prune(&is_usable);
            owners.retain(|owner: &Weak<Connection>| {
                owner.upgrade().is_some_and(|owner| owner.private.get().is_some_and(has_any))
            });
        }
    }

    /// Decides who may use a connection once this answer has ended. `was_sent`: whether the whole body of the request was
    /// sent before it began.
    pub(super) fn decide(&self, next: &mut Next, sending: &Sending, answer: &Response<Incoming>, was_sent: bool) {
        let before = std::mem::replace(next, Next::Nobody);
        let was_common = matches!(before, Next::Anybody);
        *next = sending.next(before, answer, was_sent);
        if was_common {
            self.note_unpooled(next);
        }
    }

    /// Counts a connection that leaves the common pool.
    pub(super) fn note_unpooled(&self, next: &Next) {
        match next {
            Next::Only(_) => self.counters.unpooled_private.fetch_add(1, Ordering::Relaxed),
            Next::Nobody => self.counters.unpooled_closed.fetch_add(1, Ordering::Relaxed),
            // That is told when it is named or given back.
            Next::Anybody | Next::Unproven(_) | Next::Unnamed => 0,
        };
    }
}

impl Drop for Upstream {
    /// Nobody would look through its private connections any more.
    fn drop(&mut self) {
        self.retain_private(|_| false);
    }
}
