//! One address of the upstream and how it does: what exchanges have met there, and what its health path says.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, affinity};
use crate::config::Address;
use crate::refuse;

/// After how many answers in a row that never came an address that can be reached is asked how it does.
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
    /// Failures since the last answer that no request can bring about: it could not be reached, or did not answer the
    /// proxy's own question.
    failures: AtomicU32,
    /// Other failures since the last answer. A request can be made so that it fails: they are a reason to ask.
    doubts: AtomicU32,
    /// Whether it is being asked because of those.
    is_asked: AtomicBool,
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
            doubts: AtomicU32::new(0),
            is_asked: AtomicBool::new(false),
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
        if self.doubts.load(Ordering::Relaxed) != 0 {
            self.doubts.store(0, Ordering::Relaxed);
        }
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.rests_until.store(0, Ordering::Relaxed);
            tracing::info!(address = %self.name, "the upstream answers again");
        }
    }

    /// Nothing came of it. Who cannot even be reached is set aside at once, for longer each time. That an answer did not
    /// come may be the doing of whoever asked: one caller must not take an address from all others.
    pub(super) fn failed(&self, failure: &Failure) {
        self.all_failures.fetch_add(1, Ordering::Relaxed);
        let is_unreachable =
            [refuse::UNREACHABLE, refuse::NO_TRUST, refuse::CONNECT_TIMEOUT].contains(&failure.refusal);
        let before = self.failures.load(Ordering::Relaxed) + self.doubts.load(Ordering::Relaxed);
        if is_unreachable {
            self.set_aside();
        } else {
            self.doubts.fetch_add(1, Ordering::Relaxed);
        }
        let (reason, refusal) = (failure.reason(), failure.refusal.name);
        // One line when it begins; what follows says nothing new.
        if before == 0 {
            tracing::warn!(address = %self.name, refusal, %reason, "the upstream does not answer");
        } else {
            tracing::debug!(address = %self.name, refusal, %reason, failures = before + 1, "the upstream does not answer");
        }
    }

    /// It fails whoever asks: others are asked first for a while, longer each time.
    pub(super) fn set_aside(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let rest = FIRST_REST.saturating_mul(1 << (failures - 1).min(5)).min(LONGEST_REST);
        self.rests_until.store(self.millis(Instant::now() + rest), Ordering::Relaxed);
    }

    /// Whether it has to be asked how it does: several answers in a row did not come. Then nobody else asks until `asked`.
    pub(super) fn is_to_be_asked(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) >= PATIENCE && !self.is_asked.swap(true, Ordering::Relaxed)
    }

    /// It was asked, and has answered or not.
    pub(super) fn asked(&self, has_answered: bool) {
        self.doubts.store(0, Ordering::Relaxed);
        if !has_answered {
            self.set_aside();
        }
        self.is_asked.store(false, Ordering::Relaxed);
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
    async fn answers_that_never_came_are_a_reason_to_ask_and_nothing_more() {
        let place = place();
        for asks in [false, false, true, false] {
            place.failed(&refuse::CUT_OFF.into());
            assert!(place.is_healthy(Instant::now()) && place.report().healthy);
            assert_eq!(place.is_to_be_asked(), asks);
        }
        place.asked(true);
        assert!(place.is_healthy(Instant::now()) && !place.is_to_be_asked());
        for _ in 0..3 {
            place.failed(&refuse::ANSWER_TIMEOUT.into());
        }
        assert!(place.is_to_be_asked());
        place.asked(false);
        assert!(!place.is_healthy(Instant::now()));
        place.answered();
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
