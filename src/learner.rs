//! What was learned of an upstream, and how long it holds. `learn` asks; this remembers.

pub mod held;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use self::held::Lessons;
use crate::counters::Counters;
use crate::knowledge::Knowledge;
use crate::lesson::{Heard, Lesson};

/// How long it is believed at most that there is nothing, after the upstream said so.
const LIFE_OF_NOTHING: Duration = Duration::from_secs(15);
/// How soon an upstream is asked again that could not be asked, or not about everything; each time twice as long.
const RETRY: Duration = Duration::from_secs(1);
/// So many visits in a row may leave something open before what they found counts as all there is.
pub const OPEN_VISITS: u32 = 3;
/// How long an exchange waits if nothing is known yet: as long as the most patient clients do. A visit ends before.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
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
    /// Whether the last visit got no whole answer, or none has ended yet.
    is_unsure: AtomicBool,
    /// Visits in a row that left something open.
    open_visits: AtomicU32,
    /// Counts how often something was learned; those who wait for it watch this.
    learned: watch::Sender<u64>,
    lessons: Lessons,
}

struct State {
    known: Arc<Knowledge>,
    /// When this has to be learned again; `None`: nothing was learned yet.
    until: Option<Instant>,
}

impl Learner {
    /// Knows nothing yet. What becomes of lessons is counted there.
    #[must_use]
    pub fn new(counters: Arc<Counters>) -> Self {
        let nothing = State { known: Arc::default(), until: None };
        Self {
            state: ArcSwap::from_pointee(nothing),
            busy: AtomicBool::new(false),
            settled: AtomicBool::new(false),
            is_unsure: AtomicBool::new(true),
            open_visits: AtomicU32::new(0),
            learned: watch::Sender::new(0),
            lessons: Lessons::new(counters),
        }
    }

    /// What is known now, however old; lessons only as long as they hold.
    #[must_use]
    pub fn recall(&self) -> Arc<Knowledge> {
        if self.lessons.expire() {
            self.take_lessons();
        }
        self.state.load().known.clone()
    }

    /// The lessons that hold.
    #[must_use]
    pub fn lessons(&self) -> &Lessons {
        &self.lessons
    }

    /// What an exchange that passed, or an answer to a question, said about a lesson. `unit` is `limits.learned_seconds`.
    pub fn take(&self, heard: Heard, unit: Duration) {
        if self.lessons.take(heard, unit) {
            self.take_lessons();
        }
    }

    /// Lets what is known follow the lessons that hold.
    fn take_lessons(&self) {
        self.state.rcu(|state| {
            let mut known = (*state.known).clone();
            known.take_lessons(|lesson| self.lessons.get(lesson).is_some());
            State { known: Arc::new(known), until: state.until }
        });
    }

    /// What is known, if it was learned and is not too old.
    #[must_use]
    pub fn fresh(&self) -> Option<Arc<Knowledge>> {
        let known = self.recall();
        self.state.load().is_fresh().then_some(known)
    }

    /// Whether the first visit is under way: a replica that has just started says a moment later what the others say.
    #[must_use]
    pub fn is_on_first_visit(&self) -> bool {
        !self.settled.load(Ordering::Relaxed) && self.busy.load(Ordering::Relaxed)
    }

    /// Whether the upstream's metadata may name endpoints that are not known here: no authorization server was found, and
    /// not every question was answered.
    #[must_use]
    pub fn may_miss_endpoints(&self) -> bool {
        let known = &self.state.load().known;
        self.is_unsure.load(Ordering::Relaxed) && known.server_metadata_path.is_none() && known.foreign.is_none()
    }

    /// Waits for the first visit to end: not long, unless the answer depends on what is learned.
    pub async fn first_visit(&self, depends_on_it: bool) {
        let mut learned = self.learned.subscribe();
        if self.is_on_first_visit() {
            let patience = if depends_on_it { CLIENT_PATIENCE } else { FIRST_PATIENCE };
            let _ = tokio::time::timeout(patience, learned.changed()).await;
        }
    }

    /// Whether the upstream was lately seen not to know the probe of MCP 2026-07-28.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.lessons.get(Lesson::Legacy).is_some()
    }

    /// Where messages were lately seen to have moved to.
    #[must_use]
    pub fn moved(&self) -> Option<Arc<str>> {
        self.lessons.get(Lesson::Moved)?.value.clone()
    }

    /// Knows what another knows of the same upstream, but for its lessons.
    pub fn adopt(&self, other: &Self) {
        self.state.store(other.state.load_full());
        self.open_visits.store(other.open_visits.load(Ordering::Relaxed), Ordering::Relaxed);
        self.settled.store(true, Ordering::Relaxed);
        self.is_unsure.store(other.is_unsure.load(Ordering::Relaxed), Ordering::Relaxed);
        self.take_lessons();
    }

    /// Tells of the end of each visit.
    #[must_use]
    pub fn visits(&self) -> watch::Receiver<u64> {
        self.learned.subscribe()
    }

    /// How long an exchange waits for a visit to end.
    #[must_use]
    pub fn patience(&self) -> Duration {
        if self.has_learned() { PATIENCE } else { CLIENT_PATIENCE }
    }

    /// Whether anything was learned yet.
    #[must_use]
    pub fn has_learned(&self) -> bool {
        self.state.load().until.is_some()
    }

    /// Begins a visit, unless one is under way. Whoever began it says when it has ended.
    #[must_use]
    pub fn begin_visit(&self) -> bool {
        !self.busy.swap(true, Ordering::AcqRel)
    }

    /// The visit broke off: what is known stays, and the upstream is asked again soon, not with the next request.
    pub fn give_up_visit(&self) {
        let known = self.state.load().known.clone();
        self.state.store(Arc::new(State { known, until: Some(Instant::now() + RETRY) }));
    }

    /// The visit has ended, however it did.
    pub fn end_visit(&self) {
        self.settled.store(true, Ordering::Release);
        self.busy.store(false, Ordering::Release);
        self.learned.send_modify(|count| *count += 1);
    }

    /// Whether what the next visit leaves open counts as having no answer.
    #[must_use]
    pub fn is_last_visit(&self) -> bool {
        self.open_visits.load(Ordering::Relaxed) + 1 >= OPEN_VISITS
    }

    /// Whether nothing is open, or what is has no answer.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !(1..OPEN_VISITS).contains(&self.open_visits.load(Ordering::Relaxed))
    }

    /// Takes in what a visit found.
    pub fn store(&self, visit: Visit, life: Duration) {
        let state = self.state.load_full();
        self.is_unsure.store(!visit.reached || visit.is_open, Ordering::Relaxed);
        let (known, life) = match visit.reached {
            true => self.weigh(visit, &state, life),
            // An upstream that is down is not one that has changed.
            false => (state.known.clone(), RETRY.min(life)),
        };
        // Names of things alone: the documents may repeat what was sent to the upstream.
        tracing::debug!(
            resource_metadata = known.resource_metadata_path.is_some(),
            own_server = known.has_own_authorization_server(),
            other_server = known.foreign.is_some(),
            "learned about the upstream"
        );
        if known.endpoints.is_crowded() && !state.known.endpoints.is_crowded() {
            tracing::warn!(
                "the metadata name more endpoints than are kept: every request but GET, HEAD and OPTIONS keeps the rules of all of them"
            );
        }
        self.state.store(Arc::new(State { known, until: Some(Instant::now() + life) }));
        self.take_lessons();
    }

    /// What is known after a visit, and for how long. One that left something open does not replace what is known, and the
    /// upstream is asked again soon; a question that stays open time after time has no answer.
    fn weigh(&self, visit: Visit, before: &State, life: Duration) -> (Arc<Knowledge>, Duration) {
        let open_visits = if visit.is_open { self.open_visits.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        self.open_visits.store(open_visits, Ordering::Relaxed);
        let is_open = (1..OPEN_VISITS).contains(&open_visits);
        let soon = RETRY.saturating_mul(1 << open_visits.min(OPEN_VISITS)).min(life);
        if is_open && !before.known.is_without_oauth() {
            return (before.known.clone(), soon);
        }
        let known = visit.known;
        if before.until.is_some() && !known.has_same_server(&before.known) {
            self.lessons.end_those_of_the_server();
        }
        let life = match () {
            () if is_open => soon,
            () if known.is_without_oauth() => life.min(LIFE_OF_NOTHING),
            () => life,
        };
        (Arc::new(known), life)
    }
}

impl State {
    fn is_fresh(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

/// What one visit brought.
pub struct Visit {
    pub known: Knowledge,
    /// Whether the upstream answered at all.
    pub reached: bool,
    /// Whether a question was not answered as a whole, or only for the moment (429, 502, 503, 504): then what is missing may be
    /// there.
    pub is_open: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    const LIFE: Duration = Duration::from_secs(60);

    fn visit(kind: SiteKind, is_open: bool) -> Visit {
        Visit { known: example::knowledge(kind), reached: true, is_open }
    }

    fn knows_of_a_login(learner: &Learner) -> bool {
        !learner.recall().is_without_oauth()
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_was_not_answered_takes_nothing_from_what_is_known() {
        let learner = Learner::new(Arc::default());
        learner.store(visit(SiteKind::Cohosted, false), LIFE);
        for retry in [2, 4] {
            learner.store(visit(SiteKind::Open, true), LIFE);
            assert!(knows_of_a_login(&learner) && learner.fresh().is_some());
            tokio::time::advance(Duration::from_secs(retry)).await;
            assert!(learner.fresh().is_none(), "the upstream is asked again soon");
        }
        // Time after time: there is no answer.
        learner.store(visit(SiteKind::Open, true), LIFE);
        assert!(!knows_of_a_login(&learner));
    }

    #[tokio::test(start_paused = true)]
    async fn what_little_is_known_at_first_is_used_and_soon_asked_again() {
        let learner = Learner::new(Arc::default());
        learner.store(visit(SiteKind::NoResourceMetadata, true), LIFE);
        assert!(knows_of_a_login(&learner));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(learner.fresh().is_none());
        learner.store(visit(SiteKind::Cohosted, false), LIFE);
        assert!(learner.recall().resource_metadata_path.is_some());
        tokio::time::advance(LIFE - Duration::from_millis(1)).await;
        assert!(learner.fresh().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_visit_that_breaks_off_is_made_again_soon_and_not_at_once() {
        let learner = Learner::new(Arc::default());
        learner.store(visit(SiteKind::Cohosted, false), LIFE);
        tokio::time::advance(LIFE).await;
        assert!(learner.fresh().is_none() && learner.begin_visit());
        learner.give_up_visit();
        learner.end_visit();
        assert!(learner.fresh().is_some() && knows_of_a_login(&learner));
        tokio::time::advance(RETRY).await;
        assert!(learner.fresh().is_none() && learner.begin_visit());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_follows_the_lessons() {
        let learner = Learner::new(Arc::default());
        learner.store(visit(SiteKind::Cohosted, false), LIFE);
        learner.take(Heard::Evidence(Lesson::SendsIss, "seen".into(), None), LIFE);
        assert!(learner.recall().sends_iss);
        learner.store(visit(SiteKind::Cohosted, false), LIFE);
        assert!(learner.recall().sends_iss, "the same server was found again");
        learner.store(visit(SiteKind::Pathed, false), LIFE);
        assert!(!learner.recall().sends_iss, "it is another one");
    }
}
