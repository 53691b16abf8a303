//! How often one client may ask for what costs the upstream most: registrations and tokens. Counted for each address,
//! in bounded memory.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::endpoint::Class;
use crate::endpoint::guard::Classes;
use crate::overload::shares::client_of;

/// Addresses that are remembered at a time, for each limit: with its hash an entry has about 40 bytes.
const MOST_ADDRESSES: usize = 1 << 16;
/// What all share that find no room: no client has this address.
const SHARED: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// Seconds between two looks for addresses that may be forgotten; the shorter one when there is no room.
const LOOK_EVERY: u64 = 10;

/// The limits of one site.
#[derive(Default)]
pub struct Rates {
    per_minute: [u32; 2],
    /// While the limit is the default, clients of this machine are not counted: they are programs under test, or everybody
    /// behind a proxy that is not in trusted_proxies.
    spares_local: [bool; 2],
    register: Option<Rate>,
    token: Option<Rate>,
}

impl Rates {
    /// So many a minute and address; 0: as many as they like.
    #[must_use]
    pub fn new(register: u32, token: u32) -> Self {
        let (per_minute, register, token) = ([register, token], Rate::per_minute(register), Rate::per_minute(token));
        Self { per_minute, spares_local: [false; 2], register, token }
    }

    /// Without counting clients of this machine, at registration and at the token endpoint.
    #[must_use]
    pub fn sparing_local(self, spares_local: [bool; 2]) -> Self {
        Self { spares_local, ..self }
    }

    /// Whether they are the same, so that a reload can keep what was counted.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (self.per_minute, self.spares_local) == (other.per_minute, other.spares_local)
    }

    /// Whether requests that have to keep the rules of these classes are counted.
    #[must_use]
    pub fn counts(&self, classes: Classes) -> bool {
        self.of(classes).next().is_some()
    }

    /// Counts a request. `may_spare` says whether the client is known to be a program of this machine if its address says so.
    ///
    /// # Errors
    /// After how many seconds this client may ask again, if it has asked too often.
    pub fn check(&self, classes: Classes, client: IpAddr, may_spare: bool) -> Result<(), u64> {
        let is_local = may_spare && client.to_canonical().is_loopback();
        self.of(classes)
            .filter(|(_, spares_local)| !(is_local && *spares_local))
            .try_for_each(|(rate, _)| rate.check(client))
    }

    /// The limits of these classes, and whether each leaves clients of this machine alone.
    fn of(&self, classes: Classes) -> impl Iterator<Item = (&Rate, bool)> {
        let limits = [(Class::Register, &self.register), (Class::Token, &self.token)];
        let limits = limits.into_iter().zip(self.spares_local);
        limits
            .filter(move |((class, _), _)| classes.contains(*class))
            .filter_map(|((_, rate), spares)| Some((rate.as_ref()?, spares)))
    }
}

/// One limit: a full minute's worth at once, and then as many as come back a minute (GCRA).
struct Rate<C: Clock = DefaultClock> {
    limiter: RateLimiter<IpAddr, Table, C, NoOpMiddleware<C::Instant>>,
    begun: C::Instant,
    most: usize,
    /// When addresses are looked through again, in seconds after `begun`.
    next_look: AtomicU64,
}

impl Rate {
    fn per_minute(number: u32) -> Option<Self> {
        Self::on_clock(number, MOST_ADDRESSES, DefaultClock::default())
    }
}

impl<C: Clock> Rate<C> {
    fn on_clock(per_minute: u32, most: usize, clock: C) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let (table, begun) = (Table { seen: Mutex::new(HashMap::new()), most }, clock.now());
        let limiter = RateLimiter::new(quota, table, clock);
        Some(Self { limiter, begun, most, next_look: AtomicU64::new(LOOK_EVERY) })
    }

    fn check(&self, client: IpAddr) -> Result<(), u64> {
        self.forget_old();
        self.limiter.check_key(&client_of(client)).map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            whole_seconds(wait)
        })
    }

    /// Now and then, forgets the addresses that may ask as much as one that never has.
    fn forget_old(&self) {
        let since = self.limiter.clock().now().duration_since(self.begun);
        let (now, next) = (Duration::from(since).as_secs(), self.next_look.load(Ordering::Relaxed));
        if now < next {
            return;
        }
        self.limiter.retain_recent();
        let wait = if self.limiter.len() < self.most { LOOK_EVERY } else { 1 };
        self.next_look.store(now + wait, Ordering::Relaxed);
    }
}

/// Seconds as Retry-After has them (RFC 9110 section 10.2.3): who waits so long has waited long enough.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// What is known of each address. When it is full, addresses that are not in it share one place: a flood from many
/// addresses then holds up only those that come new during it, and memory stays what it is.
struct Table {
    seen: Mutex<HashMap<IpAddr, Nanos>>,
    most: usize,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Nanos>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Table {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, key: &IpAddr, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut seen = self.lock();
        let is_full = seen.len() >= self.most && !seen.contains_key(key);
        let key = if is_full { SHARED } else { *key };
        let (outcome, state) = decide(seen.get(&key).copied())?;
        seen.insert(key, state);
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<IpAddr> for Table {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut seen = self.lock();
        seen.retain(|_, state| *state > drop_below);
        if seen.len() < seen.capacity() / 4 {
            seen.shrink_to_fit();
        }
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

#[cfg(test)]
mod tests;
