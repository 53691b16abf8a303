//! All flows: to which of them an exchange belongs. Pure: who calls says what time it is.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::flow::{Flow, NOBODY, Sentence, Source};
use super::show;
use crate::ranges::{Ranges, Vendor};
use crate::redact::{Key, Kind, Redacted};
use crate::tape::SiteFacts;
use crate::telemetry::stamp;

/// So many flows are kept, for so long.
const MOST_FLOWS: usize = 200;
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Who comes again within this time from the same address with the same agent goes on with the same flow.
const SAME_CLIENT: Duration = Duration::from_secs(5 * 60);
/// A client id is not a login: many may use it, one after the other.
const SAME_CLIENT_ID: Duration = Duration::from_secs(3600);

/// After so long without a hosted client it is said that none came.
pub const NOBODY_AFTER: Duration = Duration::from_secs(10 * 60);

/// Names the vendor of a hosted client by its address.
pub type Hosted = Arc<dyn Fn(IpAddr) -> Option<String> + Send + Sync>;

/// Names a vendor by the ranges that are known.
#[must_use]
pub fn by_ranges(ranges: Ranges) -> Hosted {
    Arc::new(move |address| {
        let address = address.to_canonical();
        let is_in = |vendor: &&Vendor| vendor.egress.iter().any(|network| network.contains(&address));
        let name = &ranges.vendors().iter().find(is_in)?.name;
        let (first, rest) = name.split_at_checked(1)?;
        Some(first.to_ascii_uppercase() + rest)
    })
}

pub struct FlowIndex {
    /// `None`: nobody knows whose addresses are whose.
    hosted: Option<Hosted>,
    started: SystemTime,
    /// Bytes of what is shown of all exchanges.
    most_bytes: usize,
    /// By id, oldest first.
    flows: BTreeMap<u64, Flow>,
    next: u64,
    by_key: HashMap<Key, u64>,
    by_source: HashMap<Source, u64>,
    seen_hosted: bool,
    said_nobody: bool,
}

/// Where an exchange was put.
#[derive(Debug)]
pub struct Placed {
    pub flow: u64,
    /// Flows that turned out to be the same.
    pub merged: Vec<u64>,
    /// What is said to those who watch.
    pub news: Value,
    /// What can be said of the flow for the first time.
    pub sentence: Option<Sentence>,
}

impl FlowIndex {
    #[must_use]
    pub fn new(hosted: Option<Hosted>, started: SystemTime, most_bytes: usize) -> Self {
        Self {
            hosted,
            started,
            most_bytes,
            flows: BTreeMap::new(),
            next: 1,
            by_key: HashMap::new(),
            by_source: HashMap::new(),
            seen_hosted: false,
            said_nobody: false,
        }
    }

    #[must_use]
    pub fn flow(&self, id: u64) -> Option<&Flow> {
        self.flows.get(&id)
    }

    /// Takes an exchange in; the same number again replaces what was said of it.
    pub fn take(&mut self, exchange: &Redacted, now: SystemTime) -> Placed {
        let hosted = self.hosted.as_ref().and_then(|hosted| hosted(exchange.client));
        self.seen_hosted |= hosted.is_some();
        let (id, merged) = self.place(exchange, hosted.clone(), now);
        let shown = show::exchange(exchange);
        let mut sentence = None;
        let mut news = Value::Null;
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.take(exchange, shown.clone(), now);
            flow.hosted = flow.hosted.take().or(hosted);
            sentence = flow.sentence.filter(|sentence| flow.said.insert(*sentence));
            news = json!({ "flow": show::flow(flow, false), "exchange": shown, "merged": merged });
        }
        for key in &exchange.signs.keys {
            self.by_key.insert(*key, id);
        }
        self.by_source.insert(Source::of(exchange), id);
        self.forget(now);
        Placed { flow: id, merged, news, sentence }
    }

    /// The flow that an exchange belongs to, and those that are one with it.
    fn place(&mut self, exchange: &Redacted, hosted: Option<String>, now: SystemTime) -> (u64, Vec<u64>) {
        let mut found: Vec<u64> = Vec::new();
        // An exchange that was open is where it was.
        let open = self.flows.values().rev().find(|flow| flow.exchanges.iter().any(|(n, _, _)| *n == exchange.number));
        found.extend(open.map(|flow| flow.id));
        for key in &exchange.signs.keys {
            let Some(flow) = self.by_key.get(key).and_then(|id| self.flows.get(id)) else { continue };
            let limit = if key.kind == Kind::Client { SAME_CLIENT_ID } else { LONGEST };
            if age(flow, now) < limit {
                found.push(flow.id);
            }
        }
        let source = self.by_source.get(&Source::of(exchange));
        let same = source
            .and_then(|id| self.flows.get(id))
            .filter(|flow| age(flow, now) < SAME_CLIENT && !flow.contradicts(exchange));
        if let Some(flow) = same {
            // A flow of another client id is not made one with it.
            let is_same = |id: &u64| {
                self.flows.get(id).is_none_or(|other| {
                    other.client_id.is_none() || flow.client_id.is_none() || other.client_id == flow.client_id
                })
            };
            if found.iter().all(is_same) {
                found.push(flow.id);
            }
        }
        found.sort_unstable();
        found.dedup();
        let Some((&first, others)) = found.split_first() else {
            let id = self.next;
            self.next += 1;
            self.flows.insert(id, Flow::new(id, exchange, hosted, now));
            return (id, Vec::new());
        };
        let merged: Vec<u64> = others.to_vec();
        merged.iter().for_each(|other| self.merge(first, *other));
        (first, merged)
    }

    fn merge(&mut self, into: u64, from: u64) {
        let Some(other) = self.flows.remove(&from) else { return };
        for id in self.by_key.values_mut().chain(self.by_source.values_mut()) {
            if *id == from {
                *id = into;
            }
        }
        if let Some(flow) = self.flows.get_mut(&into) {
            flow.absorb(other);
        }
    }

    /// Says what can be said because time has passed: which flow, what, and what watchers are told.
    pub fn tick(&mut self, now: SystemTime) -> Vec<(u64, Sentence, Value)> {
        self.forget(now);
        let mut news = Vec::new();
        for flow in self.flows.values_mut() {
            flow.judge(now);
            if let Some(sentence) = flow.sentence.filter(|sentence| flow.said.insert(*sentence)) {
                news.push((flow.id, sentence, json!({ "flow": show::flow(flow, false), "exchange": null })));
            }
        }
        news
    }

    /// Whether it is to be said now that no hosted client has come: once.
    pub fn misses_hosted(&mut self, now: SystemTime) -> bool {
        let is_due = now.duration_since(self.started).is_ok_and(|time| time >= NOBODY_AFTER);
        let is_first = is_due && !self.said_nobody;
        self.said_nobody |= is_due;
        is_first && self.hosted.is_some() && !self.seen_hosted
    }

    /// Keeps to the bounds.
    fn forget(&mut self, now: SystemTime) {
        self.flows.retain(|_, flow| age(flow, now) < LONGEST);
        while self.flows.len() > MOST_FLOWS {
            // The one that has been quiet longest.
            let oldest = self.flows.values().min_by_key(|flow| flow.last).map(|flow| flow.id);
            match oldest {
                Some(id) => drop(self.flows.remove(&id)),
                None => break,
            }
        }
        let mut bytes: usize = self.flows.values().map(|flow| flow.bytes).sum();
        for flow in self.flows.values_mut() {
            while bytes > self.most_bytes {
                let before = flow.bytes;
                if !flow.forget_oldest() {
                    break;
                }
                bytes -= before - flow.bytes;
            }
        }
        let flows = &self.flows;
        self.by_key.retain(|key, id| flows.get(id).is_some_and(|flow| flow.has(key)));
        self.by_source.retain(|source, id| flows.get(id).is_some_and(|flow| flow.sources.contains(source)));
    }

    /// What can be said of all of them.
    #[must_use]
    pub fn sentences(&self) -> Vec<&'static str> {
        let is_nobody = if self.hosted.is_some() { !self.seen_hosted } else { self.next == 1 };
        if is_nobody { vec![NOBODY] } else { Vec::new() }
    }

    /// Everything, for the page, with the sites that are served now. `upstream`, `public` and `endpoint` are those of the
    /// first of them.
    #[must_use]
    pub fn snapshot(&self, now: SystemTime, sites: &[Arc<SiteFacts>]) -> Value {
        let first = sites.first().map(|site| show::site(site));
        let of_first = |member: &str| first.as_ref().map_or("".into(), |site| site[member].clone());
        json!({
            "now": stamp(now),
            "started": stamp(self.started),
            "version": env!("CARGO_PKG_VERSION"),
            "upstream": of_first("upstream"),
            "public": of_first("public"),
            "endpoint": of_first("endpoint"),
            "sites": sites.iter().map(|site| show::site(site)).collect::<Vec<_>>(),
            "sentences": self.sentences(),
            "flows": self.flows.values().map(|flow| show::flow(flow, true)).collect::<Vec<_>>(),
        })
    }
}

fn age(flow: &Flow, now: SystemTime) -> Duration {
    now.duration_since(flow.last).unwrap_or_default()
}
