//! Learning about the upstream from its own answers: actively, at start-up and on first need, with a short limit.
//!
//! What is learned has a bounded life and is learned anew after it. A replica that has just started learns the same
//! from the same answers, so that any number of them can stand side by side.

mod ask;
mod read;
mod visit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use self::visit::Visit;
use crate::knowledge::{Knowledge, Lesson};
use crate::runtime::Runtime;
use crate::upstream::Upstream;

/// How long it is believed at most that there is nothing, after the upstream said so.
const LIFE_OF_NOTHING: Duration = Duration::from_secs(15);
/// How soon an upstream that could not be asked is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a visit may take, while nobody waits for it.
const LIMIT: Duration = Duration::from_secs(15);
/// How long an exchange waits if nothing is known yet.
const LONGEST_PATIENCE: Duration = Duration::from_secs(4);
/// How long an exchange waits for what is known already to be learned anew.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a message waits for the first visit, just after the start.
const FIRST_PATIENCE: Duration = Duration::from_millis(800);

/// What is known of the upstream, shared by all workers.
pub struct Learner {
    state: ArcSwap<State>,
    /// One learns at a time.
    busy: AtomicBool,
    /// Whether a visit has ended.
    settled: AtomicBool,
    /// Counts how often something was learned; those who wait for it watch this.
    learned: watch::Sender<u64>,
    /// What messages have shown in passing.
    seen: ArcSwap<Seen>,
}

/// What messages have shown in passing. It saves a round trip and nothing more: who has not seen it asks, and sees it.
#[derive(Clone, Default)]
struct Seen {
    /// Until when the upstream is taken for one that does not know the probe of MCP 2026-07-28.
    legacy_until: Option<Instant>,
    /// Where messages are redirected to, and until when that is believed.
    moved: Option<(Arc<str>, Instant)>,
}

struct State {
    known: Arc<Knowledge>,
    /// When this has to be learned again; `None`: nothing was learned yet.
    until: Option<Instant>,
}

impl Default for Learner {
    fn default() -> Self {
        let nothing = State { known: Arc::default(), until: None };
        Self {
            state: ArcSwap::from_pointee(nothing),
            busy: AtomicBool::new(false),
            settled: AtomicBool::new(false),
            learned: watch::Sender::new(0),
            seen: ArcSwap::default(),
        }
    }
}

impl Learner {
    /// What is known now, however old.
    #[must_use]
    pub fn recall(&self) -> Arc<Knowledge> {
        self.state.load().known.clone()
    }

    /// What is known, if it was learned and is not too old.
    #[must_use]
    pub fn fresh(&self) -> Option<Arc<Knowledge>> {
        let state = self.state.load();
        state.is_fresh().then(|| state.known.clone())
    }

    /// Whether the first visit is under way: a replica that has just started says a moment later what the others say.
    #[must_use]
    pub fn is_on_first_visit(&self) -> bool {
        !self.settled.load(Ordering::Relaxed) && self.busy.load(Ordering::Relaxed)
    }

    /// Waits for the first visit to end, but not long.
    pub async fn first_visit(&self) {
        let mut learned = self.learned.subscribe();
        if self.is_on_first_visit() {
            let _ = tokio::time::timeout(FIRST_PATIENCE, learned.changed()).await;
        }
    }

    /// Adds what an answer taught by the way. It is believed as long as what was learned with it.
    pub fn teach(&self, lesson: Lesson) {
        if self.state.load().known.has_learned(lesson) {
            return;
        }
        if let Some(warning) = lesson.warning() {
            tracing::warn!("{warning}");
        }
        self.state.rcu(|state| {
            let mut known = (*state.known).clone();
            known.take_lesson(lesson);
            State { known: Arc::new(known), until: state.until }
        });
    }

    /// Whether the upstream was lately seen not to know the probe of MCP 2026-07-28.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.seen.load().legacy_until.is_some_and(|until| Instant::now() < until)
    }

    /// The upstream does not know the probe.
    pub fn note_legacy(&self, life: Duration) {
        self.seen.rcu(|seen| Seen { legacy_until: Some(Instant::now() + life), ..(**seen).clone() });
    }

    /// The upstream knows the probe after all.
    pub fn note_modern(&self) {
        if self.is_legacy() {
            self.seen.rcu(|seen| Seen { legacy_until: None, ..(**seen).clone() });
        }
    }

    /// Where messages were lately redirected to.
    #[must_use]
    pub fn moved(&self) -> Option<Arc<str>> {
        let seen = self.seen.load();
        let (to, until) = seen.moved.as_ref()?;
        (Instant::now() < *until).then(|| to.clone())
    }

    /// Messages are redirected there.
    pub fn note_move(&self, to: &str, life: Duration) {
        self.seen.rcu(|seen| Seen { moved: Some((to.into(), Instant::now() + life)), ..(**seen).clone() });
    }

    fn store(&self, visit: Option<Visit>, life: Duration) {
        let state = self.state.load_full();
        let (known, life) = match visit {
            Some(Visit { mut known, reached: true }) => {
                known.keep_lessons(&state.known);
                let life = if known.is_without_oauth() { life.min(LIFE_OF_NOTHING) } else { life };
                (Arc::new(known), life)
            }
            // An upstream that is down is not one that has changed.
            Some(Visit { .. }) | None => (state.known.clone(), RETRY.min(life)),
        };
        // Names of things alone: the documents may repeat what was sent to the upstream.
        tracing::debug!(
            resource_metadata = known.resource_metadata_path.is_some(),
            own_server = known.has_own_authorization_server(),
            other_server = known.foreign.is_some(),
            "learned about the upstream"
        );
        self.state.store(Arc::new(State { known, until: Some(Instant::now() + life) }));
    }
}

impl State {
    fn is_fresh(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

/// What is known of the upstream, learned now if it never was or is too old. Whoever knows nothing waits until it is
/// learned, within the limit; whoever knows something waits a moment and goes on with that.
pub async fn know(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) -> Arc<Knowledge> {
    let learner = &runtime.learner;
    let mut learned = learner.learned.subscribe();
    let state = learner.state.load_full();
    if state.is_fresh() {
        return state.known.clone();
    }
    let patience = if state.until.is_some() { PATIENCE } else { LONGEST_PATIENCE };
    start(runtime, upstream);
    let _ = tokio::time::timeout(patience, learned.changed()).await;
    learner.recall()
}

/// Begins to learn at the start, if nothing is known yet.
pub fn first(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) {
    if runtime.learner.state.load().until.is_none() {
        start(runtime, upstream);
    }
}

/// Begins to learn, unless somebody does already.
pub fn start(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) {
    if runtime.learner.busy.swap(true, Ordering::AcqRel) {
        return;
    }
    let turn = Turn(runtime.clone());
    let upstream = upstream.clone();
    tokio::spawn(async move {
        let visit = tokio::time::timeout(LIMIT * turn.0.patience(), visit::visit(&turn.0, &upstream)).await;
        turn.0.learner.store(visit.ok(), turn.0.bounds.learned);
    });
}

/// Whoever learns. When this ends, however it does, somebody else may.
struct Turn(Arc<Runtime>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.learner.settled.store(true, Ordering::Release);
        self.0.learner.busy.store(false, Ordering::Release);
        self.0.learner.learned.send_modify(|count| *count += 1);
    }
}
