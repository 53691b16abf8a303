//! Signs of life for the service manager's watchdog (`WatchdogSec=`): given only while every worker still turns, since
//! a thread that does nothing but say so would outlive workers that hang.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{imp, tell};

/// Set when the drain begins: workers end one after the other then, and the manager has a limit for that.
static STOPPING: AtomicBool = AtomicBool::new(false);

pub(super) fn relax() {
    STOPPING.store(true, Ordering::Relaxed);
}

/// Who is watched. There is one only if the manager asked for it.
#[derive(Clone, Debug)]
pub struct Watchdog {
    period: Duration,
    workers: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
}

/// One worker's sign of life.
#[derive(Debug)]
pub struct Pulse {
    turned: Arc<AtomicBool>,
    every: Duration,
}

impl Watchdog {
    /// As the manager asked for it in the environment.
    #[must_use]
    pub fn asked() -> Option<Self> {
        imp::watchdog().map(Self::of)
    }

    fn of(period: Duration) -> Self {
        Self { period, workers: Arc::default() }
    }

    /// For one more worker, which runs [`Pulse::beat`] beside its work.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        let turned = Arc::new(AtomicBool::new(true));
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(turned.clone());
        Pulse { turned, every: self.period / 8 }
    }

    /// Looks three times a period, on a thread of its own, and tells the manager as long as all is well.
    pub fn watch(self) {
        let looks = self.period / 3;
        let watched = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            loop {
                if self.all_turn() {
                    tell(&["WATCHDOG=1"]);
                } else {
                    tracing::error!("a worker hangs; the service manager's watchdog is not answered");
                }
                std::thread::sleep(looks);
            }
        });
        if let Err(error) = watched {
            tracing::error!(%error, "the service manager's watchdog cannot be answered");
        }
    }

    /// Did every worker turn since the last look?
    fn all_turn(&self) -> bool {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        // Each one is asked, so that one that hangs does not leave an old sign of another standing.
        let hanging = workers.iter().filter(|turned| !turned.swap(false, Ordering::Relaxed)).count();
        hanging == 0 || STOPPING.load(Ordering::Relaxed)
    }
}

impl Pulse {
    /// Ends with the worker's runtime.
    pub async fn beat(self) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.turned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_hangs_is_seen_and_one_that_comes_back_too() {
        let dog = Watchdog::of(Duration::from_secs(8));
        let (first, second) = (dog.pulse(), dog.pulse());
        let turning = tokio::spawn(first.beat());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(dog.all_turn(), "both have just begun");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!dog.all_turn(), "the second one never turned");
        tokio::spawn(second.beat());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(dog.all_turn());
        turning.abort();
        tokio::time::sleep(Duration::from_secs(2)).await;
        dog.all_turn();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!dog.all_turn(), "the first one has stopped");
    }
}
