//! Running one list of repairs over one message: under a panic guard, with the fence behind every change.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Step;
use super::found::{Bug, BugKind, Fired, Report};
use crate::exchange::edits::{Edits, Part};
use crate::exchange::features::Features;
use crate::exchange::{Ask, Finding, Outcome, Reply};
use crate::repair::{Hook, Mode};

/// What the fence answers: `Err` names the promise that was broken.
pub(super) type Verdict = Result<(), &'static str>;

/// One kind of list: how its repairs are called, and what the fence says to their work.
pub(super) trait List {
    /// The message that the list is run over.
    type Subject: Clone;

    /// What the message shows at a glance.
    fn features(&self, subject: &Self::Subject) -> Features;

    /// Whether a repair's `when` accepts the message.
    fn accepts(&self, hook: &Hook, subject: &Self::Subject) -> bool;

    /// Reads what `run` needs, before the first repair that accepts the message. `false`: it cannot be read, and the repair
    /// is passed over.
    fn open(&self, _: &mut Self::Subject) -> bool {
        true
    }

    /// Calls a repair's `run`.
    fn run(&self, hook: &Hook, subject: &Self::Subject) -> Outcome;

    /// The parts of an answer that these changes are about; none where that is no answer.
    fn parts(&self, _: &Edits, _: &Self::Subject) -> Vec<Part> {
        Vec::new()
    }

    /// Makes the changes that a repair wants.
    ///
    /// # Errors
    /// When they do not fit the message.
    fn apply(&self, edits: Edits, subject: &mut Self::Subject) -> Verdict;

    /// Whether each change is judged by itself. One repair of a message may wrap what another has just rewritten; compared with
    /// the original, that would look like a violation.
    const JUDGES_EACH: bool = false;

    /// What the fence says to what changes have made of a message.
    fn judge(&self, before: &Self::Subject, after: &Self::Subject) -> Verdict;

    /// What the fence says to a further ask.
    fn judge_ask(&self, _: &Self::Subject, _: &Ask) -> Verdict {
        Err("the upstream was to be asked again where that cannot be")
    }

    /// What the fence says to an answer of our own.
    fn judge_answer(&self, _: &Reply) -> Verdict {
        Err("an answer was given where none can be")
    }

    /// Whether the request may have been carried out, as the reply came or as it is now, so that it must not be sent again.
    fn may_act_twice(&self, _: &Self::Subject, _: &Ask) -> bool {
        false
    }

    /// Whether the upstream may be asked again.
    fn may_ask(&self) -> bool {
        false
    }

    /// Whether the rest of the list has nothing to do with what the message is now.
    fn is_done(&self, _: &Self::Subject) -> bool {
        false
    }
}

/// Why a list ended before its last repair.
pub(super) enum End {
    Ask(Box<Ask>),
    Answer(Box<Reply>),
    Done,
}

/// Runs a list. The first repair that knows the answer, or wants the upstream asked again, ends the run.
///
/// A repair whose `run` panics or whose changes break a promise of the fence ends it too: the message is put back as it came, and
/// nothing counts as mended. One that only observes, or whose `when` panics, is passed over.
///
/// The fence judges all changes once, at the end. Only if a promise was broken is the list run again, with a judgement after
/// each change, to find the repair that broke it.
pub(super) fn run<L: List>(list: &L, steps: &[Step], subject: &mut L::Subject) -> (Report, Option<End>) {
    let mut run = Run::new(list, subject, L::JUDGES_EACH);
    let end = run.run_all(steps, subject);
    if run.keeps_promises(subject) {
        return (run.report, end);
    }
    run.give_up(subject);
    let mut run = Run::new(list, subject, true);
    let end = run.run_all(steps, subject);
    (run.report, end)
}

/// Asks the `when` of each step, under one panic guard. Answers whether one of them panicked: it is passed over.
pub(super) fn ask_each(steps: &[Step], mut ask: impl FnMut(&Step)) -> bool {
    let (next, mut has_panicked) = (Cell::new(0), false);
    let mut rest = || {
        while let Some(step) = steps.get(next.get()) {
            next.set(next.get() + 1);
            ask(step);
        }
    };
    while catch_unwind(AssertUnwindSafe(&mut rest)).is_err() {
        has_panicked = true;
    }
    has_panicked
}

fn bug(step: &Step, kind: BugKind) -> Bug {
    Bug { id: step.repair.id, slot: step.slot, kind }
}

/// Which step is under way, readable after a panic.
#[derive(Default)]
struct Position {
    step: Cell<usize>,
    /// Whether its `run` was called, and not only its `when`.
    runs: Cell<bool>,
}

/// A list under way.
struct Run<'a, L: List> {
    list: &'a L,
    /// Whether each change is judged when it is made.
    judges_each: bool,
    /// What the message shows, as the last change left it.
    features: Features,
    report: Report,
    /// The message as it came, once it was changed.
    came: Option<L::Subject>,
}

impl<'a, L: List> Run<'a, L> {
    fn new(list: &'a L, subject: &L::Subject, judges_each: bool) -> Self {
        Self { list, judges_each, features: list.features(subject), report: Report::default(), came: None }
    }

    /// Runs all steps, whatever panics.
    fn run_all(&mut self, steps: &[Step], subject: &mut L::Subject) -> Option<End> {
        let at = Position::default();
        loop {
            let went = catch_unwind(AssertUnwindSafe(|| self.go(steps, &at, subject)));
            match went {
                Ok(end) => return end,
                Err(_) => {
                    let step = steps.get(at.step.get())?;
                    self.report.bugs.push(bug(step, BugKind::Panic));
                    if at.runs.get() && step.mode == Mode::Fix {
                        self.give_up(subject);
                        return None;
                    }
                    at.step.set(at.step.get() + 1);
                }
            }
        }
    }

    /// Goes on with the step at `at`.
    fn go(&mut self, steps: &[Step], at: &Position, subject: &mut L::Subject) -> Option<End> {
        while let Some(step) = steps.get(at.step.get()) {
            at.runs.set(false);
            let is_wanted = step.is_open_to(self.features) && self.list.accepts(&step.repair.hook, subject);
            if is_wanted && self.list.open(subject) {
                at.runs.set(true);
                let outcome = self.list.run(&step.repair.hook, subject);
                match self.take(step, outcome, subject) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(end)) => return end,
                    Err(promise) => {
                        self.report.bugs.push(bug(step, BugKind::Violation(promise)));
                        if step.mode == Mode::Fix {
                            self.give_up(subject);
                            return None;
                        }
                    }
                }
            }
            at.step.set(at.step.get() + 1);
        }
        None
    }

    /// Does what a repair wants, unless it only observes.
    fn take(
        &mut self,
        step: &Step,
        outcome: Outcome,
        subject: &mut L::Subject,
    ) -> Result<ControlFlow<Option<End>>, &'static str> {
        let is_fix = step.mode == Mode::Fix;
        let (finding, end) = match outcome {
            Outcome::Sound => return Ok(ControlFlow::Continue(())),
            Outcome::Mended(finding, edits) => {
                let parts = self.list.parts(&edits, subject);
                match is_fix {
                    true => self.change(edits, subject)?,
                    false => self.try_change(edits, subject)?,
                }
                self.note(step, finding, parts);
                let is_done = is_fix && self.list.is_done(subject);
                return Ok(if is_done { ControlFlow::Break(Some(End::Done)) } else { ControlFlow::Continue(()) });
            }
            Outcome::Again(finding, ask) => {
                let came = self.came.as_ref().unwrap_or(subject);
                if self.list.may_act_twice(came, &ask) || self.list.may_act_twice(subject, &ask) {
                    return Ok(ControlFlow::Continue(()));
                }
                self.list.judge_ask(subject, &ask)?;
                if is_fix && !self.list.may_ask() {
                    return Ok(ControlFlow::Continue(()));
                }
                (finding, End::Ask(ask))
            }
            Outcome::Answer(finding, reply) => {
                self.list.judge_answer(&reply)?;
                (finding, End::Answer(reply))
            }
        };
        self.note(step, finding, Vec::new());
        Ok(if is_fix { ControlFlow::Break(Some(end)) } else { ControlFlow::Continue(()) })
    }

    /// Makes changes.
    fn change(&mut self, edits: Edits, subject: &mut L::Subject) -> Verdict {
        let before = L::JUDGES_EACH.then(|| subject.clone());
        let came = self.came.get_or_insert_with(|| subject.clone());
        self.list.apply(edits, subject)?;
        if self.judges_each {
            self.list.judge(before.as_ref().unwrap_or(came), subject)?;
        }
        self.features = self.list.features(subject);
        Ok(())
    }

    /// Makes changes in a copy, for the fence to see.
    fn try_change(&self, edits: Edits, subject: &L::Subject) -> Verdict {
        let mut copy = subject.clone();
        self.list.apply(edits, &mut copy)?;
        let came = self.came.as_ref().filter(|_| !L::JUDGES_EACH);
        self.list.judge(came.unwrap_or(subject), &copy)
    }

    /// Whether the message, as it is now, breaks no promise that was not judged already.
    fn keeps_promises(&self, subject: &L::Subject) -> bool {
        let Some(came) = self.came.as_ref().filter(|_| !self.judges_each) else { return true };
        // A panic counts as a broken promise.
        catch_unwind(AssertUnwindSafe(|| self.list.judge(came, subject))).is_ok_and(|verdict| verdict.is_ok())
    }

    /// Puts the message back as it came.
    fn give_up(&mut self, subject: &mut L::Subject) {
        if let Some(came) = self.came.take() {
            *subject = came;
        }
        self.report.fired.clear();
    }

    fn note(&mut self, step: &Step, finding: Finding, parts: Vec<Part>) {
        self.report.fired.push(Fired { id: step.repair.id, slot: step.slot, mode: step.mode, finding, parts });
    }
}
