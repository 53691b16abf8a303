//! What running a list came to, and what fired in one exchange.

use crate::exchange::edits::Part;
use crate::exchange::{Ask, Finding};
use crate::repair::Mode;

/// A repair that found something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    pub id: &'static str,
    /// The repair's place in the registry: counters are kept by it.
    pub slot: usize,
    pub mode: Mode,
    pub finding: Finding,
    /// The parts of an answer that it is about; none where it is about all of the exchange.
    pub parts: Vec<Part>,
}

/// A repair that failed by a bug of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bug {
    pub id: &'static str,
    /// The repair's place in the registry.
    pub slot: usize,
    pub kind: BugKind,
}

/// How a repair failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BugKind {
    /// It panicked.
    Panic,
    /// It broke this promise of the fence.
    Violation(&'static str),
}

/// What running a list came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub fired: Vec<Fired>,
    /// Repairs that failed. If one of them broke a promise, the message is as it was before the list ran, and nothing counts as
    /// mended.
    pub bugs: Vec<Bug>,
}

impl Report {
    /// Whether anything was changed (and not merely observed).
    #[must_use]
    pub fn mended(&self) -> bool {
        self.fired.iter().any(|fired| fired.mode == Mode::Fix)
    }

    /// Takes out the repair that asks, if one does: whether it has fired is known when the upstream has answered again.
    pub fn take_asking(&mut self, ask: Option<&Ask>) -> Option<Fired> {
        // Who asks ends the run, so it is the last.
        ask.and_then(|_| self.fired.pop())
    }

    /// Adds what another list came to.
    pub(super) fn extend(&mut self, other: Self) {
        self.fired.extend(other.fired);
        self.bugs.extend(other.bugs);
    }
}

impl From<Fired> for Report {
    fn from(fired: Fired) -> Self {
        Self { fired: vec![fired], bugs: Vec::new() }
    }
}

/// What fired in one exchange. The access log, the span, the `mcp-mend` header and the counters all read this list, and
/// each of them names a repair once ([`each_once`]).
#[derive(Clone, Debug, Default)]
pub struct Findings {
    fired: Vec<Fired>,
    bugs: Vec<Bug>,
    /// How many of `fired`, from the start, the counters know already.
    counted: usize,
}

/// A point in the list that [`Findings::take_back`] returns to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Findings {
    /// Adds what a list came to: each finding once. Returns the bugs that this exchange had not shown before.
    pub fn note(&mut self, report: Report) -> Vec<Bug> {
        self.add(report, |have, new| have.slot == new.slot && have.finding == new.finding)
    }

    /// As [`Findings::note`], for a stream, which may run for days: of each repair the first finding alone is kept.
    pub fn note_event(&mut self, report: Report) -> Vec<Bug> {
        self.add(report, |have, new| have.slot == new.slot)
    }

    fn add(&mut self, report: Report, is_known: impl Fn(&Fired, &Fired) -> bool) -> Vec<Bug> {
        for fired in report.fired {
            if !self.fired.iter().any(|have| is_known(have, &fired)) {
                self.fired.push(fired);
            }
        }
        let mut news = report.bugs;
        news.retain(|bug| {
            let is_new = !self.bugs.contains(bug);
            if is_new {
                self.bugs.push(*bug);
            }
            is_new
        });
        news
    }

    /// Where the list ends now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.fired.len())
    }

    /// Takes back what was added behind a mark: it was about an answer that does not count.
    pub fn take_back(&mut self, mark: Mark) {
        self.fired.truncate(mark.0);
        self.counted = self.counted.min(mark.0);
    }

    /// Everything that was found, in the order in which it was.
    #[must_use]
    pub fn fired(&self) -> &[Fired] {
        &self.fired
    }

    /// Everything that was found.
    #[must_use]
    pub fn into_fired(self) -> Vec<Fired> {
        self.fired
    }

    /// Calls `count` with the slot of each repair that was not counted for this exchange before.
    pub fn count(&mut self, mut count: impl FnMut(usize)) {
        for (at, fired) in self.fired.iter().enumerate().skip(self.counted) {
            if !self.fired[..at].iter().any(|earlier| earlier.slot == fired.slot) {
                count(fired.slot);
            }
        }
        self.counted = self.fired.len();
    }
}

/// The first finding of each repair.
pub fn each_once(fired: &[Fired]) -> impl Iterator<Item = &Fired> {
    let is_first = |at: usize, one: &Fired| !fired[..at].iter().any(|earlier| earlier.slot == one.slot);
    fired.iter().enumerate().filter(move |(at, one)| is_first(*at, one)).map(|(_, one)| one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Outcome;
    use crate::exchange::edits::Edits;

    fn fired(slot: usize, what: &'static str) -> Fired {
        let Outcome::Mended(finding, _) = Outcome::mended(what, Edits::new()) else { unreachable!() };
        Fired { id: ["a.a", "b.b", "c.c"][slot], slot, mode: Mode::Fix, finding, parts: Vec::new() }
    }

    fn report(fired: Vec<Fired>) -> Report {
        Report { fired, bugs: Vec::new() }
    }

    fn counted(findings: &mut Findings) -> Vec<usize> {
        let mut slots = Vec::new();
        findings.count(|slot| slots.push(slot));
        slots
    }

    #[test]
    fn a_repair_is_counted_once_for_an_exchange_and_every_finding_is_kept() {
        let mut findings = Findings::default();
        findings.note(report(vec![fired(0, "x"), fired(1, "x"), fired(0, "x"), fired(0, "y")]));
        assert_eq!(findings.fired(), [fired(0, "x"), fired(1, "x"), fired(0, "y")]);
        assert_eq!(each_once(findings.fired()).map(|fired| fired.slot).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(counted(&mut findings), [0, 1]);
        findings.note_event(report(vec![fired(1, "z"), fired(2, "x"), fired(2, "y")]));
        assert_eq!(findings.fired().len(), 4);
        assert_eq!(counted(&mut findings), [2]);
        assert_eq!(counted(&mut findings), [0; 0]);
    }

    #[test]
    fn what_was_found_behind_a_mark_is_taken_back_and_nothing_before_it() {
        let mut findings = Findings::default();
        findings.note(report(vec![fired(0, "x")]));
        let mark = findings.mark();
        // The first is known already: nothing is added for it, and nothing of it may be taken away.
        findings.note(report(vec![fired(0, "x"), fired(1, "x"), fired(2, "x")]));
        findings.take_back(mark);
        assert_eq!(findings.fired(), [fired(0, "x")]);
        findings.note(report(vec![fired(2, "x")]));
        assert_eq!(counted(&mut findings), [0, 2]);
    }

    #[test]
    fn a_bug_is_told_once_for_an_exchange() {
        let bug = |kind| Bug { id: "a.a", slot: 0, kind };
        let with = |bugs: Vec<Bug>| Report { fired: Vec::new(), bugs };
        let mut findings = Findings::default();
        let (panic, violation) = (bug(BugKind::Panic), bug(BugKind::Violation("a promise")));
        assert_eq!(findings.note(with(vec![panic, panic])), [panic]);
        assert_eq!(findings.note_event(with(vec![violation, panic])), [violation]);
        assert_eq!(findings.note_event(with(vec![violation])), []);
    }
}
