//! The lessons of one upstream that hold now: what was learned, from what, when and until when.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::counters::Counters;
use crate::lesson::{Fate, Heard, Lesson};
use crate::telemetry::stamp;

const KINDS: usize = Lesson::ALL.len();

/// A lesson that holds.
#[derive(Clone, Debug)]
pub struct Held {
    pub lesson: Lesson,
    /// What it was learned from. Carries no secret.
    pub evidence: Cow<'static, str>,
    /// What else there is to know: the path that messages moved to.
    pub value: Option<Arc<str>>,
    pub learned: SystemTime,
    /// For how long it holds.
    pub life: Duration,
    until: Instant,
}

/// All that hold.
#[derive(Default)]
pub struct Lessons {
    held: ArcSwap<Table>,
    /// When the upstream was last asked about a lesson.
    asked: Mutex<[Option<Instant>; KINDS]>,
    counters: Arc<Counters>,
}

#[derive(Clone, Default)]
struct Table {
    held: [Option<Arc<Held>>; KINDS],
    /// When the first of them ends.
    soonest: Option<Instant>,
}

impl Table {
    fn with(&self, lesson: Lesson, held: Option<Arc<Held>>) -> Self {
        let mut table = self.clone();
        table.held[lesson as usize] = held;
        table.soonest = table.held.iter().flatten().map(|held| held.until).min();
        table
    }
}

impl Lessons {
    /// None yet; what becomes of them is counted there.
    #[must_use]
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { counters, ..Self::default() }
    }

    /// The lesson, if it holds.
    #[must_use]
    pub fn get(&self, lesson: Lesson) -> Option<Arc<Held>> {
        let held = self.held.load().held[lesson as usize].clone()?;
        (Instant::now() < held.until).then_some(held)
    }

    /// Those that hold.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Held>> {
        Lesson::ALL.into_iter().filter_map(|lesson| self.get(lesson)).collect()
    }

    /// What an exchange or an answer to a question said. `unit` is `limits.learned_seconds`. Answers whether other lessons
    /// hold now than before. A question is for others to put.
    pub fn take(&self, heard: Heard, unit: Duration) -> bool {
        match heard {
            Heard::Evidence(lesson, evidence, value) => self.learn(lesson, evidence, value, unit),
            Heard::Wrong(lesson, reason) => self.end(lesson, Fate::Forgotten, reason),
            Heard::Nothing(lesson, reason) => {
                self.counters.lesson(lesson, Fate::Rejected);
                tracing::debug!(lesson = lesson.id(), reason, "nothing is learned");
                false
            }
            Heard::Question(_) => false,
        }
    }

    fn learn(&self, lesson: Lesson, evidence: Cow<'static, str>, value: Option<String>, unit: Duration) -> bool {
        let before = self.get(lesson);
        let value = value.map(Arc::from);
        let is_same = before.as_ref().is_some_and(|before| before.value == value);
        if is_same && !before.is_some_and(|before| before.is_half_over()) {
            return false;
        }
        let about = lesson.about();
        let life = unit.saturating_mul(about.life);
        let now = Instant::now();
        // A life that no clock can hold never comes: settings are bounded.
        let until = now.checked_add(life).unwrap_or(now);
        let held = Arc::new(Held { lesson, evidence, value, learned: SystemTime::now(), life, until });
        self.counters.lesson(lesson, Fate::Learned);
        match about.warning.filter(|_| !is_same) {
            Some(warning) => tracing::warn!("{warning}"),
            None => tracing::info!(lesson = lesson.id(), evidence = %held.evidence, "learned from what passed"),
        }
        self.held.rcu(|table| table.with(lesson, Some(held.clone())));
        true
    }

    /// A lesson holds no longer.
    fn end(&self, lesson: Lesson, fate: Fate, reason: &'static str) -> bool {
        if self.held.load().held[lesson as usize].is_none() {
            return false;
        }
        let before = self.held.rcu(|table| table.with(lesson, None));
        if before.held[lesson as usize].is_some() {
            self.counters.lesson(lesson, fate);
            tracing::info!(lesson = lesson.id(), reason, fate = fate.name(), "a lesson holds no longer");
        }
        true
    }

    /// Ends those whose time is over. Answers whether there were any.
    pub fn expire(&self) -> bool {
        let table = self.held.load();
        let Some(soonest) = table.soonest else { return false };
        let now = Instant::now();
        if now < soonest {
            return false;
        }
        let over = table.held.iter().flatten().filter(|held| held.until <= now);
        over.fold(false, |any, held| self.end(held.lesson, Fate::Expired, "its time is over") | any)
    }

    /// The authorization server is another one: what was learned of the one before is forgotten, and may be asked anew.
    pub fn end_those_of_the_server(&self) {
        for lesson in Lesson::ALL.into_iter().filter(|lesson| lesson.about().is_of_server) {
            self.end(lesson, Fate::Forgotten, "the metadata have changed");
            if let Ok(mut asked) = self.asked.lock() {
                asked[lesson as usize] = None;
            }
        }
    }

    /// Whether the upstream may be asked about a lesson now; then it counts as asked. Once in the life of a lesson, and eight times
    /// while it holds, since there may be doubts.
    #[must_use]
    pub fn may_ask(&self, lesson: Lesson, unit: Duration) -> bool {
        let life = unit.saturating_mul(lesson.about().life);
        let pause = if self.get(lesson).is_some() { life / 8 } else { life };
        let Ok(mut asked) = self.asked.lock() else { return false };
        let now = Instant::now();
        if asked[lesson as usize].is_some_and(|then| now.saturating_duration_since(then) < pause) {
            return false;
        }
        asked[lesson as usize] = Some(now);
        true
    }

    /// For the admin page.
    #[must_use]
    pub fn to_json(&self) -> Vec<Value> {
        let write = |held: Arc<Held>| {
            let about = held.lesson.about();
            json!({
                "lesson": about.id,
                "changes": about.changes,
                "evidence": held.evidence,
                "value": held.value.as_deref(),
                "learned": stamp(held.learned),
                "until": held.learned.checked_add(held.life).map(stamp),
                "forgotten": about.forgotten,
            })
        };
        self.all().into_iter().map(write).collect()
    }
}

impl Held {
    /// Whether it is time to look whether it still holds.
    #[must_use]
    pub fn is_half_over(&self) -> bool {
        self.until.saturating_duration_since(Instant::now()) < self.life / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Duration = Duration::from_secs(60);

    fn evidence(lesson: Lesson) -> Heard {
        Heard::Evidence(lesson, "seen".into(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn every_lesson_ends_with_its_life_and_is_counted() {
        for lesson in Lesson::ALL {
            let counters = Arc::new(Counters::default());
            let lessons = Lessons::new(counters.clone());
            assert!(lessons.take(evidence(lesson), UNIT));
            assert!(!lessons.take(evidence(lesson), UNIT), "it is known");
            tokio::time::advance(UNIT * lesson.about().life - Duration::from_millis(1)).await;
            assert!(lessons.get(lesson).is_some() && !lessons.expire());
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(lessons.get(lesson).is_none() && lessons.expire() && !lessons.expire());
            let counted: Vec<_> = counters.by_lesson().collect();
            assert_eq!(counted, [(lesson.id(), "learned", 1), (lesson.id(), "expired", 1)]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_is_forgotten_and_what_is_no_evidence_changes_nothing() {
        for lesson in Lesson::ALL {
            let counters = Arc::new(Counters::default());
            let lessons = Lessons::new(counters.clone());
            assert!(!lessons.take(Heard::Nothing(lesson, "x"), UNIT) && !lessons.take(Heard::Question(lesson), UNIT));
            assert!(!lessons.take(Heard::Wrong(lesson, "x"), UNIT), "there was none");
            assert!(lessons.take(evidence(lesson), UNIT) && lessons.take(Heard::Wrong(lesson, "x"), UNIT));
            assert!(lessons.all().is_empty());
            let counted: Vec<_> = counters.by_lesson().map(|(_, fate, count)| (fate, count)).collect();
            assert_eq!(counted, [("learned", 1), ("rejected", 1), ("forgotten", 1)]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn other_metadata_end_what_is_of_the_server_alone() {
        let lessons = Lessons::default();
        assert!(Lesson::ALL.into_iter().all(|lesson| lessons.take(evidence(lesson), UNIT)));
        lessons.end_those_of_the_server();
        let left: Vec<Lesson> = lessons.all().iter().map(|held| held.lesson).collect();
        assert_eq!(left, [Lesson::Moved, Lesson::Legacy]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_put_once_in_a_life() {
        let lessons = Lessons::default();
        assert!(lessons.may_ask(Lesson::Legacy, UNIT) && !lessons.may_ask(Lesson::Legacy, UNIT));
        tokio::time::advance(UNIT * 3 / 4).await;
        assert!(!lessons.may_ask(Lesson::Legacy, UNIT));
        tokio::time::advance(UNIT / 4).await;
        assert!(lessons.may_ask(Lesson::Legacy, UNIT) && lessons.take(evidence(Lesson::Legacy), UNIT));
        assert!(!lessons.may_ask(Lesson::Legacy, UNIT));
        tokio::time::advance(UNIT * 3 / 4).await;
        assert!(lessons.may_ask(Lesson::Legacy, UNIT), "it may be renewed before it ends");
    }
}
