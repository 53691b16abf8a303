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

    /// What the fence says to a change.
    fn judge(&self, before: &Self::Subject, after: &Self::Subject) -> Verdict;

    /// What the fence says to several changes together: they may break a promise that none of them breaks alone.
    fn judge_all(&self, came: &Self::Subject, after: &Self::Subject) -> Verdict {
        self.judge(came, after)
    }

    /// What the fence says to a further ask.
    fn judge_ask(&self, _: &Self::Subject, _: &Ask) -> Verdict {
        Err("the upstream was to be asked again where that cannot be")
    }

    /// What the fence says to an answer of our own.
    fn judge_answer(&self, _: &Reply) -> Verdict {
        Err("an answer was given where none can be")
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
pub(super) fn run<L: List>(list: &L, steps: &[Step], subject: &mut L::Subject) -> (Report, Option<End>) {
    let features = list.features(subject);
    let mut run = Run { list, features, report: Report::default(), came: None };
    let at = Position::default();
    loop {
        let went = catch_unwind(AssertUnwindSafe(|| run.go(steps, &at, subject)));
        match went {
            Ok(end) => return (run.report, end),
            Err(_) => {
                let Some(step) = steps.get(at.step.get()) else { return (run.report, None) };
                run.report.bugs.push(bug(step, BugKind::Panic));
                if at.runs.get() && step.mode == Mode::Fix {
                    run.give_up(subject);
                    return (run.report, None);
                }
                at.step.set(at.step.get() + 1);
            }
        }
    }
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
    /// What the message shows, as the last change left it.
    features: Features,
    report: Report,
    /// The message as it came, once it was changed.
    came: Option<L::Subject>,
}

impl<L: List> Run<'_, L> {
    /// Goes on with the step at `at`.
    fn go(&mut self, steps: &[Step], at: &Position, subject: &mut L::Subject) -> Option<End> {
        while let Some(step) = steps.get(at.step.get()) {
            at.runs.set(false);
            let is_wanted = step.is_open_to(self.features) && self.list.accepts(&step.repair.hook, subject);
            if is_wanted && self.list.open(subject) {
                at.runs.set(true);
                if let ControlFlow::Break(end) = self.take(step, subject) {
                    return end;
                }
            }
            at.step.set(at.step.get() + 1);
        }
        None
    }

    /// Calls a repair, and does what it wants unless it only observes.
    fn take(&mut self, step: &Step, subject: &mut L::Subject) -> ControlFlow<Option<End>> {
        let outcome = self.list.run(&step.repair.hook, subject);
        let is_fix = step.mode == Mode::Fix;
        let end = match self.judge(subject, outcome) {
            Ok(None) => return ControlFlow::Continue(()),
            Ok(Some((finding, Deed::Change(after, parts)))) => {
                self.note(step, finding, parts);
                if !is_fix {
                    return ControlFlow::Continue(());
                }
                let before = std::mem::replace(subject, *after);
                self.came.get_or_insert(before);
                self.features = self.list.features(subject);
                return match self.list.is_done(subject) {
                    true => ControlFlow::Break(Some(End::Done)),
                    false => ControlFlow::Continue(()),
                };
            }
            Ok(Some((_, Deed::Ask(_)))) if is_fix && !self.list.may_ask() => return ControlFlow::Continue(()),
            Ok(Some((finding, deed))) => {
                self.note(step, finding, Vec::new());
                match deed {
                    Deed::Ask(ask) => End::Ask(ask),
                    Deed::Answer(reply) => End::Answer(reply),
                    Deed::Change(..) => End::Done,
                }
            }
            Err(promise) => {
                self.report.bugs.push(bug(step, BugKind::Violation(promise)));
                if !is_fix {
                    return ControlFlow::Continue(());
                }
                self.give_up(subject);
                return ControlFlow::Break(None);
            }
        };
        if is_fix { ControlFlow::Break(Some(end)) } else { ControlFlow::Continue(()) }
    }

    /// What a repair wants, if the fence allows it. Nothing is changed yet.
    fn judge(&self, before: &L::Subject, outcome: Outcome) -> Result<Option<Wish<L::Subject>>, &'static str> {
        Ok(Some(match outcome {
            Outcome::Sound => return Ok(None),
            Outcome::Mended(finding, edits) => {
                let parts = self.list.parts(&edits, before);
                let mut after = Box::new(before.clone());
                self.list.apply(edits, &mut after)?;
                self.list.judge(before, &after)?;
                if let Some(came) = &self.came {
                    self.list.judge_all(came, &after)?;
                }
                (finding, Deed::Change(after, parts))
            }
            Outcome::Again(finding, ask) => {
                self.list.judge_ask(before, &ask)?;
                (finding, Deed::Ask(ask))
            }
            Outcome::Answer(finding, reply) => {
                self.list.judge_answer(&reply)?;
                (finding, Deed::Answer(reply))
            }
        }))
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

/// What a repair found, and what it wants done.
type Wish<S> = (Finding, Deed<S>);

/// What a repair wants done.
enum Deed<S> {
    /// The message, changed in these parts.
    Change(Box<S>, Vec<Part>),
    Ask(Box<Ask>),
    Answer(Box<Reply>),
}
