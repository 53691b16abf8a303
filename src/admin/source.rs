//! Where the page's data come from. Everything here has been redacted before it gets here.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

use crate::telemetry::flows::Flows;
use crate::vitals::Vitals;

/// What the listener shows. All of it is asked for on the listener's own thread.
pub trait Source: Send + Sync + 'static {
    /// The flows as they are now, with the sites, `upstream`, `endpoint`, `lessons` and `version`.
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
    vitals: Arc<Vitals>,
    flows: Arc<Flows>,
}

impl Live {
    #[must_use]
    pub fn new(vitals: Arc<Vitals>, flows: Arc<Flows>) -> Self {
        Self { vitals, flows }
    }
}

impl Source for Live {
    fn snapshot(&self) -> Value {
        let mut state = self.flows.snapshot();
        if let Some(members) = state.as_object_mut() {
            members.insert("lessons".into(), self.vitals.lessons());
        }
        state
    }

    fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        self.flows.watch()
    }

    fn counters(&self) -> Value {
        self.vitals.counters()
    }

    fn check(&self) -> Option<Arc<Value>> {
        self.vitals.checked()
    }
}
