//! What the process is going through: whether it accepts, how its last reload went, which certificates it shows.
//!
//! Others set it; readiness and metrics show it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use arc_swap::{ArcSwap, ArcSwapOption};

/// One for the process.
pub struct Life {
    pub started: SystemTime,
    pub connections: Connections,
    draining: AtomicBool,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
    last_reload: ArcSwapOption<Reload>,
    succeeded: ArcSwapOption<SystemTime>,
    certificates: ArcSwap<Vec<Certificate>>,
}

/// Connections of clients.
#[derive(Debug, Default)]
pub struct Connections {
    /// At this moment.
    pub open: AtomicUsize,
    /// Since the start, those that were refused included.
    pub accepted: AtomicU64,
    /// Because there were too many, in all or of one peer.
    pub refused: AtomicU64,
}

/// How a reload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    pub at: SystemTime,
    /// Why nothing was changed, one complaint each; empty if all is as the files say.
    pub complaints: Vec<String>,
    /// Settings that changed in the files and wait for a restart.
    pub waiting: Vec<String>,
}

/// A certificate that clients are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The first name in it.
    pub name: String,
    /// Its end, in seconds since 1970 (RFC 5280 section 4.1.2.5).
    pub not_after: i64,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            connections: Connections::default(),
            draining: AtomicBool::new(false),
            reloads: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
            last_reload: ArcSwapOption::empty(),
            succeeded: ArcSwapOption::empty(),
            certificates: ArcSwap::default(),
        }
    }
}

impl Life {
    /// The order to stop has come: no load balancer should send anybody here.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// A reload has ended, well or not.
    pub fn note_reload(&self, reload: Reload) {
        if reload.complaints.is_empty() {
            self.reloads.fetch_add(1, Ordering::Relaxed);
            self.succeeded.store(Some(Arc::new(reload.at)));
        } else {
            self.failed_reloads.fetch_add(1, Ordering::Relaxed);
        }
        self.last_reload.store(Some(Arc::new(reload)));
    }

    /// How many reloads went well, and how many changed nothing because of a mistake.
    #[must_use]
    pub fn reloads(&self) -> (u64, u64) {
        (self.reloads.load(Ordering::Relaxed), self.failed_reloads.load(Ordering::Relaxed))
    }

    /// When the configuration in use was read.
    #[must_use]
    pub fn last_success(&self) -> SystemTime {
        self.succeeded.load().as_deref().copied().unwrap_or(self.started)
    }

    /// The last reload, if there was one.
    #[must_use]
    pub fn last_reload(&self) -> Option<Arc<Reload>> {
        self.last_reload.load_full()
    }

    /// These certificates are shown from now on.
    pub fn show_certificates(&self, certificates: Vec<Certificate>) {
        self.certificates.store(Arc::new(certificates));
    }

    #[must_use]
    pub fn certificates(&self) -> Arc<Vec<Certificate>> {
        self.certificates.load_full()
    }
}
