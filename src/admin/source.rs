//! Where the page's data come from. Everything here has been redacted before it gets here.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

use crate::exchange::Site;
use crate::knowledge::Knowledge;
use crate::runtime::Runtime;
use crate::telemetry::flows::Flows;
use crate::telemetry::vitals::Vitals;

/// What the listener shows. All of it is asked for on the listener's own thread.
pub trait Source: Send + Sync + 'static {
    /// The flows as they are now, with `upstream`, `endpoint`, `lessons` and `version`.
    fn snapshot(&self) -> Value;
    /// Every change from now on, each as a JSON text.
    fn watch(&self) -> broadcast::Receiver<Arc<str>>;
    /// What has been counted so far.
    fn counters(&self) -> Value;
    /// The last result of a check; the same `Arc` until there is another.
    fn check(&self) -> Option<Arc<Value>>;
}

/// The proxy of this process.
pub struct Live {
    runtime: Arc<Runtime>,
    vitals: Arc<Vitals>,
    flows: Arc<Flows>,
}

impl Live {
    #[must_use]
    pub fn new(runtime: Arc<Runtime>, vitals: Arc<Vitals>, flows: Arc<Flows>) -> Self {
        Self { runtime, vitals, flows }
    }
}

impl Source for Live {
    fn snapshot(&self) -> Value {
        let mut state = self.flows.snapshot();
        let site = Site { facts: &self.runtime.facts, known: &Knowledge::default() };
        if let Some(members) = state.as_object_mut() {
            // What clients are told to use, path and all.
            members.insert("endpoint".into(), site.resource().into());
            members.insert("lessons".into(), self.vitals.lessons());
        }
        state
    }

    fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        self.flows.watch()
    }

    fn counters(&self) -> Value {
        self.runtime.ledger.sum().to_json()
    }

    fn check(&self) -> Option<Arc<Value>> {
        self.runtime.checked.load_full()
    }
}
