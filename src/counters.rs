//! What is counted: for each site by whoever works for it, in relaxed atomics that no exchange ever waits for.

pub mod histogram;
mod status;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use self::histogram::Histogram;
use crate::endpoint::Class;
use crate::lesson::{Fate, Lesson};
use crate::refuse::{self, Fault, Refusal};
use crate::repairs::REPAIRS;

/// Why a body that a repair asked for passed untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    TooLarge,
    Slow,
    /// In a content coding.
    Encoded,
    NotJson,
    /// A repair had a bug.
    Panicked,
    /// Too much was held already (`limits.held_bytes`).
    Busy,
    /// A repair broke a promise of the fence.
    Violated,
}

impl SkipReason {
    pub const ALL: [Self; 7] =
        [Self::TooLarge, Self::Slow, Self::Encoded, Self::NotJson, Self::Panicked, Self::Busy, Self::Violated];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Slow => "slow",
            Self::Encoded => "encoded",
            Self::NotJson => "not-json",
            Self::Panicked => "repair-panicked",
            Self::Busy => "busy",
            Self::Violated => "repair-violated",
        }
    }
}

/// Why a client's connection was ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The head of a request did not come in time.
    HeadSlow,
    /// Nothing was asked for a long time.
    Idle,
    /// An answer was not taken.
    Stalled,
}

impl CloseReason {
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

/// Whose fault it is that an exchange did not go well; `None` for one that did.
pub const FAULTS: [Option<Fault>; 4] = [None, Some(Fault::Client), Some(Fault::Proxy), Some(Fault::Upstream)];

/// The name of a fault in labels.
#[must_use]
pub fn fault_name(fault: Option<Fault>) -> &'static str {
    fault.map_or("none", Fault::name)
}

/// Everything that is counted for one site; or for the process, of requests that no site is for and connections whose
/// site is not known.
pub struct Counters {
    pub exchanges: AtomicU64,
    pub refused: AtomicU64,
    pub panics: AtomicU64,
    /// Exchanges under way.
    pub in_flight: AtomicI64,
    /// Event streams that are open.
    pub streams: AtomicI64,
    /// Bytes of bodies from clients.
    pub bytes_up: AtomicU64,
    /// Bytes of bodies to clients.
    pub bytes_down: AtomicU64,
    /// Requests that were sent to the upstream once more because a connection had died.
    pub retries: AtomicU64,
    /// Connections to the upstream that serve one client connection alone since a body may have been left unread.
    pub unpooled_private: AtomicU64,
    /// Connections to the upstream that were closed for that reason.
    pub unpooled_closed: AtomicU64,
    /// How long connecting to the upstream took, TLS included.
    pub connect: Histogram,
    /// How long the upstream took from the question to the head of its answer.
    pub first_byte: Histogram,
    durations: Vec<Histogram>,
    requests: Vec<AtomicU64>,
    repairs: Vec<AtomicU64>,
    violations: Vec<AtomicU64>,
    untouched: Vec<AtomicU64>,
    refusals: Vec<AtomicU64>,
    hung_up: [AtomicU64; CloseReason::ALL.len()],
    lessons: [AtomicU64; Lesson::ALL.len() * Fate::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        let zeros = |n: usize| (0..n).map(|_| AtomicU64::new(0)).collect();
        Self {
            exchanges: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            streams: AtomicI64::new(0),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            unpooled_private: AtomicU64::new(0),
            unpooled_closed: AtomicU64::new(0),
            connect: Histogram::default(),
            first_byte: Histogram::default(),
            durations: Class::ALL.iter().map(|_| Histogram::default()).collect(),
            requests: zeros(Class::ALL.len() * status::SLOTS * FAULTS.len()),
            repairs: zeros(REPAIRS.len()),
            violations: zeros(REPAIRS.len()),
            untouched: zeros(SkipReason::ALL.len()),
            refusals: zeros(refuse::ALL.len()),
            hung_up: Default::default(),
            lessons: Default::default(),
        }
    }
}

/// One cell of the table of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    pub class: Class,
    /// A registered status code, or the hundred that another one belongs to.
    pub code: &'static str,
    pub fault: &'static str,
    pub count: u64,
}

impl Counters {
    /// The repair at this place of the registry fired in an exchange.
    pub fn fired(&self, slot: usize) {
        if let Some(counter) = self.repairs.get(slot) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The repair at this place of the registry broke a promise of the fence.
    pub fn violated(&self, slot: usize) {
        if let Some(counter) = self.violations.get(slot) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn untouched(&self, why: SkipReason) {
        if let Some(counter) = self.untouched.get(why as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A client's connection was ended without an answer.
    pub fn hung_up(&self, why: CloseReason) {
        self.hung_up[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// That became of a lesson.
    pub fn lesson(&self, lesson: Lesson, fate: Fate) {
        self.lessons[lesson as usize * Fate::ALL.len() + fate as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was so, by the lesson's name and what became of it.
    pub fn by_lesson(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        let cells = Lesson::ALL.iter().flat_map(|lesson| Fate::ALL.iter().map(|fate| (lesson.id(), fate.name())));
        cells
            .zip(&self.lessons)
            .map(|((id, fate), counter)| (id, fate, counter.load(Ordering::Relaxed)))
            .filter(|(.., count)| *count > 0)
    }

    /// How often that was so, by reason.
    pub fn by_hanging_up(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        CloseReason::ALL
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

    /// An exchange has ended. The time of a stream that a client keeps open is nobody's latency: it has none.
    pub fn ended(&self, class: Class, status: StatusCode, fault: Option<Fault>, time: Option<Duration>) {
        let fault = FAULTS.iter().position(|one| *one == fault).unwrap_or_default();
        let slot = (class as usize * status::SLOTS + status::slot(status.as_u16())) * FAULTS.len() + fault;
        if let Some(counter) = self.requests.get(slot) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let (Some(histogram), Some(time)) = (self.durations.get(class as usize), time) {
            histogram.note(time);
        }
    }

    /// Exchanges that have ended, those cells that are not zero.
    pub fn requests(&self) -> impl Iterator<Item = Requests> + '_ {
        self.requests.iter().enumerate().filter_map(|(slot, counter)| {
            let count = counter.load(Ordering::Relaxed);
            let (row, fault) = (slot / FAULTS.len(), FAULTS[slot % FAULTS.len()]);
            let class = *Class::ALL.get(row / status::SLOTS)?;
            let code = status::name(row % status::SLOTS);
            (count > 0).then_some(Requests { class, code, fault: fault_name(fault), count })
        })
    }

    /// How long exchanges took, by class.
    pub fn durations(&self) -> impl Iterator<Item = (Class, &Histogram)> + '_ {
        Class::ALL.into_iter().zip(&self.durations)
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
            "by_violation": table(&mut self.by_violation()),
            "by_reason": table(&mut self.by_reason()),
            "by_refusal": table(&mut self.by_refusal()),
            "hung_up": table(&mut self.by_hanging_up()),
        })
    }

    /// How often each repair fired, those that did.
    pub fn by_repair(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        by_id(&self.repairs)
    }

    /// How often each repair broke a promise, those that did.
    pub fn by_violation(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        by_id(&self.violations)
    }

    /// How often a body passed untouched, by reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        SkipReason::ALL
            .iter()
            .zip(&self.untouched)
            .map(|(why, counter)| (why.name(), counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    /// Takes in what another one has counted.
    fn add(&self, other: &Self) {
        let all = |counters: &Self| -> Vec<u64> { counters.plain().map(|one| one.load(Ordering::Relaxed)).collect() };
        for (own, count) in self.plain().zip(all(other)) {
            own.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// What is summed up at the end and on the page.
    fn plain(&self) -> impl Iterator<Item = &AtomicU64> {
        [&self.exchanges, &self.refused, &self.panics]
            .into_iter()
            .chain(&self.repairs)
            .chain(&self.violations)
            .chain(&self.untouched)
            .chain(&self.refusals)
            .chain(&self.hung_up)
    }
}

/// Those of the repairs that are not zero.
fn by_id(counters: &[AtomicU64]) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    REPAIRS
        .iter()
        .zip(counters)
        .map(|(repair, counter)| (repair.id, counter.load(Ordering::Relaxed)))
        .filter(|(_, count)| *count > 0)
}

/// The counters of all sites that were ever served, by name: a reload does not begin them anew.
#[derive(Default)]
pub struct MetricsRegistry {
    /// Exchanges that were taped, of all sites: each has a number of its own.
    pub taped: AtomicU64,
    sites: Mutex<Vec<(String, Arc<Counters>)>>,
}

impl MetricsRegistry {
    /// Those of a site; those of the process have the empty name.
    pub fn of(&self, site: &str) -> Arc<Counters> {
        let Ok(mut sites) = self.sites.lock() else { return Arc::default() };
        if let Some((_, counters)) = sites.iter().find(|(name, _)| name == site) {
            return counters.clone();
        }
        let counters = Arc::new(Counters::default());
        sites.push((site.to_owned(), counters.clone()));
        counters
    }

    /// All of them, in the order in which they came.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Arc<Counters>)> {
        self.sites.lock().map(|sites| sites.clone()).unwrap_or_default()
    }

    /// What all sites together have done.
    #[must_use]
    pub fn sum(&self) -> Counters {
        let sum = Counters::default();
        for (_, counters) in self.all() {
            sum.add(&counters);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_what_was_counted_and_nothing_else() {
        let ledger = MetricsRegistry::default();
        let counters = ledger.of("a");
        counters.exchanges.store(5, Ordering::Relaxed);
        counters.fired(0);
        ledger.of("a").fired(0);
        ledger.of("b").fired(1);
        counters.violated(1);
        counters.untouched(SkipReason::Slow);
        let (first, second) = (REPAIRS[0].id, REPAIRS[1].id);
        assert_eq!(
            ledger.sum().to_json(),
            json!({
                "exchanges": 5, "refused": 0, "panics": 0, "mended": 3,
                "by_repair": { first: 2, second: 1 }, "by_violation": { second: 1 }, "by_reason": { "slow": 1 }, "by_refusal": {}, "hung_up": {},
            })
        );
        counters.hung_up(CloseReason::Stalled);
        ledger.of("b").hung_up(CloseReason::Stalled);
        assert_eq!(ledger.sum().to_json()["hung_up"], json!({ "stalled": 2 }));
        assert_eq!(ledger.all().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn each_request_is_in_the_cell_of_its_class_code_and_fault() {
        let counters = Counters::default();
        for class in Class::ALL {
            for code in [200, 404, 499, 502, 299, 777] {
                for fault in FAULTS {
                    counters.ended(class, StatusCode::from_u16(code).unwrap(), fault, Some(Duration::ZERO));
                }
            }
        }
        counters.ended(Class::Token, StatusCode::OK, None, None);
        let cells: Vec<Requests> = counters.requests().collect();
        assert_eq!(cells.len(), Class::ALL.len() * 6 * FAULTS.len());
        let twice: Vec<&Requests> = cells.iter().filter(|cell| cell.count == 2).collect();
        assert_eq!(twice, [&Requests { class: Class::Token, code: "200", fault: "none", count: 2 }]);
        assert!(cells.iter().any(|cell| cell.code == "2xx") && cells.iter().any(|cell| cell.code == "other"));
        assert!(counters.durations().all(|(_, histogram)| histogram.read().count() == 24));
    }
}
