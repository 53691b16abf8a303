//! Running one list of repairs over one message: under a panic guard, with the fence behind every change.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Step;
use super::found::{Bug, BugKind, Fired, Report};
use crate::exchange::{Ask, Finding, Outcome, Reply};
use crate::repair::{Hook, Mode};

/// What the fence answers: `Err` names the promise that was broken.
pub(super) type Verdict = Result<(), &'static str>;

const UNSAID: &str = "a message was changed and nothing was said of it";
const CHANGED_AND_ASKED: &str = "a message was changed that the upstream is asked for again";

/// One kind of list: how its repairs are called, and what the fence says to their work.
pub(super) trait List {
    /// The message that the list is run over.
    type Subject: Clone;

    /// Whether a repair's `when` accepts the message.
    fn accepts(&self, hook: &Hook, subject: &Self::Subject) -> bool;

    /// Reads what `run` needs, before the first repair that accepts the message. `false`: it cannot be read, and the repair
    /// is passed over.
    fn open(&self, _: &mut Self::Subject) -> bool {
        true
    }

    /// Calls a repair's `run`.
    fn run(&self, hook: &Hook, subject: &mut Self::Subject) -> Outcome;

    /// Whether nothing was changed. It is asked after every repair that ran, so it must be cheap.
    fn is_same(before: &Self::Subject, after: &Self::Subject) -> bool;

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

    /// A change was accepted.
    fn accept(&self, _: &mut Self::Subject) {}

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
/// A repair whose `run` panics or breaks a promise ends it too: the message is put back as it came, and nothing counts as
/// mended. One that only observes, or whose `when` panics, has not touched the message: it is passed over.
pub(super) fn run<L: List>(list: &L, steps: &[Step], subject: &mut L::Subject) -> (Report, Option<End>) {
    let mut run = Run { list, report: Report::default(), came: None, before: None, changes: 0 };
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
    report: Report,
    /// The message as it came. Taken before the first repair runs.
    came: Option<L::Subject>,
    /// The message as the last change left it, unless that is how it came.
    before: Option<L::Subject>,
    /// How many changes were accepted.
    changes: usize,
}

impl<L: List> Run<'_, L> {
    fn go(&mut self, steps: &[Step], at: &Position, subject: &mut L::Subject) -> Option<End> {
        while let Some(step) = steps.get(at.step.get()) {
            at.runs.set(false);
            if self.list.accepts(&step.repair.hook, subject) {
                at.runs.set(true);
                if step.mode == Mode::Observe {
                    self.observe(step, subject);
                } else if let ControlFlow::Break(end) = self.mend(step, subject) {
                    return end;
                }
            }
            at.step.set(at.step.get() + 1);
        }
        None
    }

    fn mend(&mut self, step: &Step, subject: &mut L::Subject) -> ControlFlow<Option<End>> {
        if !self.list.open(subject) {
            return ControlFlow::Continue(());
        }
        self.remember(subject);
        let outcome = self.list.run(&step.repair.hook, subject);
        let changed = match self.judge(subject, &outcome) {
            Ok(changed) => changed,
            Err(promise) => {
                self.report.bugs.push(bug(step, BugKind::Violation(promise)));
                self.give_up(subject);
                return ControlFlow::Break(None);
            }
        };
        if changed {
            self.changes += 1;
            self.before = None;
            self.list.accept(subject);
        }
        match outcome {
            Outcome::Mended(finding) => self.note(step, finding),
            Outcome::Again(finding, ask) if self.list.may_ask() => {
                self.note(step, finding);
                return ControlFlow::Break(Some(End::Ask(ask)));
            }
            Outcome::Answer(finding, reply) => {
                self.note(step, finding);
                return ControlFlow::Break(Some(End::Answer(reply)));
            }
            Outcome::Sound | Outcome::Again(..) => {}
        }
        if changed && self.list.is_done(subject) {
            return ControlFlow::Break(Some(End::Done));
        }
        ControlFlow::Continue(())
    }

    /// Runs a repair on a copy.
    fn observe(&mut self, step: &Step, subject: &mut L::Subject) {
        if !self.list.open(subject) {
            return;
        }
        self.remember(subject);
        let mut copy = subject.clone();
        let outcome = self.list.run(&step.repair.hook, &mut copy);
        match (self.judge(&copy, &outcome), outcome) {
            (Err(promise), _) => self.report.bugs.push(bug(step, BugKind::Violation(promise))),
            (Ok(_), Outcome::Mended(finding) | Outcome::Again(finding, _) | Outcome::Answer(finding, _)) => {
                self.note(step, finding);
            }
            (Ok(_), Outcome::Sound) => {}
        }
    }

    /// Keeps the message as it is before a repair runs, unless that is kept already.
    fn remember(&mut self, subject: &L::Subject) {
        if self.came.is_none() {
            self.came = Some(subject.clone());
        } else if self.changes > 0 && self.before.is_none() {
            self.before = Some(subject.clone());
        }
    }

    /// What the fence says to what a repair did. Answers whether it changed anything.
    fn judge(&self, after: &L::Subject, outcome: &Outcome) -> Result<bool, &'static str> {
        let Some(came) = &self.came else { return Ok(false) };
        let before = self.before.as_ref().unwrap_or(came);
        let changed = !L::is_same(before, after);
        match outcome {
            Outcome::Sound if changed => return Err(UNSAID),
            Outcome::Again(..) if changed => return Err(CHANGED_AND_ASKED),
            Outcome::Again(_, ask) => self.list.judge_ask(before, ask)?,
            Outcome::Answer(_, reply) => self.list.judge_answer(reply)?,
            Outcome::Sound | Outcome::Mended(_) => {}
        }
        if changed {
            self.list.judge(before, after)?;
        }
        if changed && self.changes > 0 {
            self.list.judge_all(came, after)?;
        }
        Ok(changed)
    }

    /// Puts the message back as it came.
    fn give_up(&mut self, subject: &mut L::Subject) {
        if let Some(came) = self.came.take() {
            *subject = came;
        }
        self.report.fired.clear();
    }

    fn note(&mut self, step: &Step, finding: Finding) {
        self.report.fired.push(Fired { id: step.repair.id, slot: step.slot, mode: step.mode, finding });
    }
}
