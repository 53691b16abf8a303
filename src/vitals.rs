//! How the process fares, for those who watch it: probes and metrics. It only reads.

mod gather;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use crate::runtime::Common;
use crate::sites::Sites;
use crate::telemetry::metrics::Family;
use crate::telemetry::metrics::text::Form;
use crate::telemetry::stamp;

/// Everything there is to see.
pub struct Vitals {
    pub(super) common: Common,
    pub(super) sites: Option<Arc<ArcSwap<Sites>>>,
}

impl Vitals {
    #[must_use]
    pub fn new(common: Common, sites: Option<Arc<ArcSwap<Sites>>>) -> Self {
        Self { common, sites }
    }

    /// The sites as they are now.
    pub(super) fn sites(&self) -> Option<Arc<Sites>> {
        self.sites.as_ref().map(|sites| sites.load_full())
    }

    /// Whether clients should be sent here. An upstream that is down is no reason to send them elsewhere: another replica
    /// has the same, and says it no better.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.common.life.is_draining()
    }

    /// Why, and what else is good to know.
    #[must_use]
    pub fn readiness(&self) -> Value {
        let life = &self.common.life;
        let (ok, failed) = life.reloads();
        let reload = life.last_reload().map(|reload| {
            json!({
                "result": if reload.complaints.is_empty() { "ok" } else { "failed" },
                "at": stamp(reload.at),
                "complaints": reload.complaints,
                "waits_for_restart": reload.waiting,
            })
        });
        let table = self.sites();
        let sites: Vec<Value> = table
            .iter()
            .flat_map(|sites| sites.iter())
            .map(|site| {
                let addresses: Vec<Value> = gather::addresses(site)
                    .into_iter()
                    .map(|(address, up)| json!({ "address": address, "up": up }))
                    .collect();
                json!({ "site": site.name, "upstream": addresses })
            })
            .collect();
        let certificates: Vec<Value> = life
            .certificates()
            .iter()
            .map(|certificate| json!({ "name": certificate.name, "not_after": date(certificate.not_after) }))
            .collect();
        json!({
            "ready": self.is_ready(),
            "draining": life.is_draining(),
            "started": stamp(life.started),
            "version": env!("CARGO_PKG_VERSION"),
            "reloads": { "ok": ok, "failed": failed, "last": reload },
            "sites": sites,
            "certificates": certificates,
        })
    }

    /// The lessons that hold, of all sites, each with its evidence and its time.
    #[must_use]
    pub fn lessons(&self) -> Value {
        let mut all = Vec::new();
        for site in self.sites().iter().flat_map(|sites| sites.iter()) {
            for mut lesson in site.learner.lessons().to_json() {
                lesson["site"] = site.name.as_str().into();
                all.push(lesson);
            }
        }
        all.into()
    }

    /// What all sites together and the process have counted.
    #[must_use]
    pub fn counters(&self) -> Value {
        self.common.ledger.sum().to_json()
    }

    /// What the last check of the first site said, as `mcp-mend check --json` writes it.
    #[must_use]
    pub fn checked(&self) -> Option<Arc<Value>> {
        self.sites()?.first().checked.load_full()
    }

    /// When the process began to count.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        self.common.life.started
    }

    /// Every metric, now.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        gather::all(self)
    }

    /// The same as text.
    #[must_use]
    pub fn metrics(&self, form: Form) -> String {
        form.write(self.families())
    }
}

/// Seconds since 1970 as they are read.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// A time as metrics have it.
#[must_use]
pub fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
