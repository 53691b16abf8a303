//! Counters that all workers share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::refuse::{self, Refusal};
use serde_json::{Map, Value, json};

use crate::repairs::REPAIRS;

/// Why a body that a repair asked for passed untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untouched {
    TooLarge,
    Slow,
    /// In a content coding.
    Encoded,
    NotJson,
    /// A repair had a bug.
    Panicked,
    /// Too much was held already (`limits.held_bytes`).
    Busy,
}

impl Untouched {
    pub const ALL: [Self; 6] = [Self::TooLarge, Self::Slow, Self::Encoded, Self::NotJson, Self::Panicked, Self::Busy];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Slow => "slow",
            Self::Encoded => "encoded",
            Self::NotJson => "not-json",
            Self::Panicked => "repair-panicked",
            Self::Busy => "busy",
        }
    }
}

/// Why a client's connection was ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUp {
    /// The head of a request did not come in time.
    HeadSlow,
    /// Nothing was asked for a long time.
    Idle,
    /// An answer was not taken.
    Stalled,
}

impl HungUp {
    pub const ALL: [Self; 3] = [Self::HeadSlow, Self::Idle, Self::Stalled];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HeadSlow => "head-slow",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
        }
    }
}

/// Everything that is counted.
pub struct Counters {
    pub exchanges: AtomicU64,
    pub refused: AtomicU64,
    pub panics: AtomicU64,
    /// Exchanges that were taped.
    pub taped: AtomicU64,
    repairs: Vec<AtomicU64>,
    untouched: Vec<AtomicU64>,
    refusals: Vec<AtomicU64>,
    hung_up: [AtomicU64; HungUp::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        let zeros = |n: usize| (0..n).map(|_| AtomicU64::new(0)).collect();
        Self {
            exchanges: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            taped: AtomicU64::new(0),
            repairs: zeros(REPAIRS.len()),
            untouched: zeros(Untouched::ALL.len()),
            refusals: zeros(refuse::ALL.len()),
            hung_up: Default::default(),
        }
    }
}

impl Counters {
    /// The repair at this place of the registry fired.
    pub fn fired(&self, slot: usize) {
        if let Some(counter) = self.repairs.get(slot) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn untouched(&self, why: Untouched) {
        if let Some(counter) = self.untouched.get(why as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A client's connection was ended without an answer.
    pub fn hung_up(&self, why: HungUp) {
        self.hung_up[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was so, by reason.
    pub fn by_hanging_up(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        HungUp::ALL
            .iter()
            .zip(&self.hung_up)
            .map(|(why, counter)| (why.name(), counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    /// The proxy answered itself.
    pub fn refused(&self, refusal: &Refusal) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let slot = refuse::ALL.iter().position(|one| one.name == refusal.name);
        if let Some(counter) = slot.and_then(|slot| self.refusals.get(slot)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often the proxy answered itself, by the name of the refusal.
    pub fn by_refusal(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        refuse::ALL
            .iter()
            .zip(&self.refusals)
            .map(|(refusal, counter)| (refusal.name, counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    /// All of it, as the page and scripts read it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let table = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| -> Map<String, Value> {
            counts.map(|(name, count)| (name.to_owned(), count.into())).collect()
        };
        json!({
            "exchanges": self.exchanges.load(Ordering::Relaxed),
            "refused": self.refused.load(Ordering::Relaxed),
            "panics": self.panics.load(Ordering::Relaxed),
            "mended": self.by_repair().map(|(_, count)| count).sum::<u64>(),
            "by_repair": table(&mut self.by_repair()),
            "by_reason": table(&mut self.by_reason()),
            "by_refusal": table(&mut self.by_refusal()),
            "hung_up": table(&mut self.by_hanging_up()),
        })
    }

    /// How often each repair fired, those that did.
    pub fn by_repair(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        REPAIRS
            .iter()
            .zip(&self.repairs)
            .map(|(repair, counter)| (repair.id, counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    /// How often a body passed untouched, by reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Untouched::ALL
            .iter()
            .zip(&self.untouched)
            .map(|(why, counter)| (why.name(), counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_what_was_counted_and_nothing_else() {
        let counters = Counters::default();
        counters.exchanges.store(5, Ordering::Relaxed);
        counters.fired(0);
        counters.fired(0);
        counters.fired(1);
        counters.untouched(Untouched::Slow);
        let (first, second) = (REPAIRS[0].id, REPAIRS[1].id);
        assert_eq!(
            counters.to_json(),
            json!({
                "exchanges": 5, "refused": 0, "panics": 0, "mended": 3,
                "by_repair": { first: 2, second: 1 }, "by_reason": { "slow": 1 }, "by_refusal": {}, "hung_up": {},
            })
        );
    }
}
