//! One address of the upstream and how it does: what exchanges have met there, and what its health path says.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::address::Address;
use super::{Failure, affinity};
use crate::refuse;

/// After how many answers in a row that never came an address that can be reached is set aside.
const PATIENCE: u32 = 3;
/// How long an address is set aside at first, and at most.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// After how many looks in a row that went wrong an address is down.
const LOOKS: u32 = 2;

/// One address.
#[derive(Debug)]
pub struct Place {
    pub address: Address,
    /// The address as text: in logs, and what scores are made of.
    pub name: String,
    /// What stands for it in session ids.
    pub(super) tag: String,
    /// Failures since the last answer.
    failures: AtomicU32,
    /// Failures since the start.
    all_failures: AtomicU64,
    /// Until when it is set aside, in milliseconds after `begun`.
    rests_until: AtomicU64,
    /// Looks at its health path in a row that went wrong.
    bad_looks: AtomicU32,
    /// Whether it chose HTTP/1.1 the last time that it was asked.
    speaks_http1: AtomicBool,
    begun: Instant,
}

/// How an address does, for those who watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub address: String,
    pub healthy: bool,
    /// Failures since the start.
    pub failures: u64,
}

impl Place {
    #[must_use]
    pub fn new(address: Address) -> Self {
        let name = address.to_string();
        Self {
            tag: affinity::tag(&name),
            address,
            name,
            failures: AtomicU32::new(0),
            all_failures: AtomicU64::new(0),
            rests_until: AtomicU64::new(0),
            bad_looks: AtomicU32::new(0),
            speaks_http1: AtomicBool::new(false),
            begun: Instant::now(),
        }
    }

    /// Whether exchanges go there before all others have been tried.
    #[must_use]
    pub fn is_healthy(&self, now: Instant) -> bool {
        self.bad_looks.load(Ordering::Relaxed) < LOOKS && self.millis(now) >= self.rests_until.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            address: self.name.clone(),
            healthy: self.is_healthy(Instant::now()) && self.failures.load(Ordering::Relaxed) < PATIENCE,
            failures: self.all_failures.load(Ordering::Relaxed),
        }
    }

    /// An answer came. Hardly ever anything has to be written for that: all threads read this.
    pub(super) fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.rests_until.store(0, Ordering::Relaxed);
            tracing::info!(address = %self.name, "the upstream answers again");
        }
    }

    /// Nothing came of it. Who cannot even be reached is set aside at once, for longer each time.
    pub(super) fn failed(&self, failure: &Failure) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        self.all_failures.fetch_add(1, Ordering::Relaxed);
        let is_unreachable =
            [refuse::UNREACHABLE, refuse::NO_TRUST, refuse::CONNECT_TIMEOUT].contains(&failure.refusal);
        let times = if is_unreachable { failures } else { (failures + 1).saturating_sub(PATIENCE) };
        if times > 0 {
            let rest = FIRST_REST.saturating_mul(1 << (times - 1).min(5)).min(LONGEST_REST);
            self.rests_until.store(self.millis(Instant::now() + rest), Ordering::Relaxed);
        }
        let (reason, refusal) = (failure.reason(), failure.refusal.name);
        // One line when it begins; what follows says nothing new.
        if failures == 1 {
            tracing::warn!(address = %self.name, refusal, %reason, "the upstream does not answer");
        } else {
            tracing::debug!(address = %self.name, refusal, %reason, failures, "the upstream does not answer");
        }
    }

    /// Its health path was asked.
    pub(super) fn looked_at(&self, is_well: bool, reason: &str) {
        let before = if is_well {
            self.bad_looks.swap(0, Ordering::Relaxed)
        } else {
            self.bad_looks.fetch_add(1, Ordering::Relaxed)
        };
        if is_well && before >= LOOKS {
            tracing::info!(address = %self.name, "the upstream is healthy again");
        }
        if !is_well && before + 1 == LOOKS {
            tracing::warn!(address = %self.name, reason, "the upstream is not healthy: others are asked first");
        }
    }

    pub(super) fn speaks_http1(&self) -> bool {
        self.speaks_http1.load(Ordering::Relaxed)
    }

    pub(super) fn spoke(&self, http2: bool) {
        if self.speaks_http1() == http2 {
            self.speaks_http1.store(!http2, Ordering::Relaxed);
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new(Address::parse("10.0.0.1:1").unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_be_reached_rests_longer_each_time() {
        let place = place();
        for rest in [1, 2, 4, 8, 16, 30, 30] {
            place.failed(&refuse::UNREACHABLE.into());
            tokio::time::advance(Duration::from_secs(rest) - Duration::from_millis(1)).await;
            assert!(!place.is_healthy(Instant::now()), "{rest}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(place.is_healthy(Instant::now()), "{rest}");
        }
        place.failed(&refuse::UNREACHABLE.into());
        place.answered();
        assert!(place.is_healthy(Instant::now()));
        assert_eq!(place.report().failures, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn who_can_be_reached_may_fail_twice() {
        let place = place();
        for healthy in [true, true, false] {
            place.failed(&refuse::CUT_OFF.into());
            assert_eq!(place.is_healthy(Instant::now()), healthy);
        }
        place.answered();
        place.failed(&refuse::CUT_OFF.into());
        assert!(place.is_healthy(Instant::now()));
    }

    #[tokio::test]
    async fn two_bad_looks_are_enough_and_one_good_one() {
        let place = place();
        place.looked_at(false, "503");
        assert!(place.is_healthy(Instant::now()));
        place.looked_at(false, "503");
        assert!(!place.is_healthy(Instant::now()));
        place.looked_at(true, "200");
        assert!(place.is_healthy(Instant::now()));
    }
}
