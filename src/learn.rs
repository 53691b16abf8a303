//! Learning about the upstream from its own answers: actively, at start-up and on first need, with a short limit.
//!
//! What is learned has a bounded life and is learned anew after it. A replica that has just started learns the same
//! from the same answers, so that any number of them can stand side by side.

mod ask;
mod question;
mod read;
mod visit;

use std::sync::Arc;

use crate::knowledge::Knowledge;
use crate::learner::OPEN_VISITS;
use crate::lesson::Heard;
use crate::runtime::Runtime;
use crate::upstream::Upstream;

/// What is known of the upstream, learned now if it never was or is too old. Whoever knows nothing waits until the visit
/// has ended; whoever knows something waits a moment and goes on with that.
pub async fn know(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) -> Arc<Knowledge> {
    let learner = &runtime.learner;
    let mut learned = learner.visits();
    if let Some(known) = learner.fresh() {
        return known;
    }
    let patience = learner.patience();
    start(runtime, upstream);
    let _ = tokio::time::timeout(patience, learned.changed()).await;
    learner.recall()
}

/// What is known after visits that left nothing open, or after so many that nothing more is to be expected. For whoever has
/// the time.
pub async fn know_all(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) -> Arc<Knowledge> {
    let learner = &runtime.learner;
    if let Some(known) = learner.fresh().filter(|_| learner.is_whole()) {
        return known;
    }
    for _ in 0..OPEN_VISITS {
        let mut learned = learner.visits();
        start(runtime, upstream);
        let _ = learned.changed().await;
        if learner.is_whole() {
            break;
        }
    }
    learner.recall()
}

/// What an exchange that passed said about a lesson. A question is put to the upstream, where it was not put lately, and
/// nobody waits for the answer.
pub fn hear(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>, heard: Heard) {
    let unit = runtime.bounds.learned;
    let Heard::Question(lesson) = heard else { return runtime.learner.take(heard, unit) };
    // Whoever stands in for a client asks what a client asks, and nothing else.
    if runtime.as_client || !question::is_of_use(runtime, lesson) || !runtime.learner.lessons().may_ask(lesson, unit) {
        return;
    }
    let (runtime, upstream) = (runtime.clone(), upstream.clone());
    tokio::spawn(async move {
        let heard = question::put(&runtime, &upstream, lesson).await;
        runtime.learner.take(heard, unit);
    });
}

/// Begins to learn at the start, if nothing is known yet.
pub fn first(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) {
    if !runtime.learner.has_learned() {
        start(runtime, upstream);
    }
}

/// Begins to learn, unless somebody does already.
pub fn start(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) {
    if !runtime.learner.begin_visit() {
        return;
    }
    let turn = Turn(runtime.clone());
    let upstream = upstream.clone();
    tokio::spawn(async move {
        let is_last = turn.0.learner.is_last_visit();
        let visit = visit::visit(&turn.0, &upstream, is_last).await;
        turn.0.learner.store(visit, turn.0.bounds.learned);
        renew(&turn.0, &upstream);
    });
}

/// Asks again about lessons whose time is half over, so that clients do not have to meet the defect once more.
fn renew(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) {
    let held = runtime.learner.lessons().all();
    for held in held.into_iter().filter(|held| held.is_half_over() && question::has_one(held.lesson)) {
        hear(runtime, upstream, Heard::Question(held.lesson));
    }
}

/// Whoever learns. When this ends, however it does, somebody else may.
struct Turn(Arc<Runtime>);

impl Drop for Turn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.learner.give_up_visit();
        }
        self.0.learner.end_visit();
    }
}
