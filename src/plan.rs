//! The registry and the operator's modes, resolved once into one list per class and side; and running a list.

mod messages;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::endpoint::Class;
use crate::exchange::{Ask, Finding, Outcome, Reply, Request, Site};
use crate::fence;
use crate::repair::{Hook, Mode, Needs, Repair};

/// What runs, where, in which mode.
pub struct Plan {
    /// Indexed by class.
    classes: Vec<Lists>,
}

#[derive(Default)]
struct Lists {
    request: Vec<Step>,
    reply: Vec<Step>,
    event: Vec<Step>,
    silence: Vec<Step>,
    message: Vec<Step>,
}

#[derive(Clone, Copy)]
struct Step {
    repair: &'static Repair,
    /// Its place in the registry.
    slot: usize,
    mode: Mode,
}

/// A repair that found something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    pub id: &'static str,
    /// The repair's place in the registry: counters are kept by it.
    pub slot: usize,
    pub mode: Mode,
    pub finding: Finding,
}

/// What running a list came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub fired: Vec<Fired>,
    /// Repairs that panicked: the message went through as it was before the list ran.
    pub panicked: Vec<&'static str>,
}

impl Report {
    /// Whether anything was changed (and not merely observed).
    #[must_use]
    pub fn mended(&self) -> bool {
        self.fired.iter().any(|fired| fired.mode == Mode::Fix)
    }
}

impl Plan {
    /// Resolves a registry with the modes that the operator stated by id; the others keep their default.
    #[must_use]
    pub fn new(registry: &[&'static Repair], modes: &BTreeMap<&'static str, Mode>) -> Self {
        let mut classes: Vec<Lists> = Class::ALL.iter().map(|_| Lists::default()).collect();
        for (slot, &repair) in registry.iter().enumerate() {
            let mode = modes.get(repair.id).copied().unwrap_or(repair.default);
            if mode == Mode::Off {
                continue;
            }
            for class in repair.on {
                let Some(lists) = classes.get_mut(*class as usize) else { continue };
                match repair.hook {
                    Hook::Request { .. } => lists.request.push(Step { repair, slot, mode }),
                    Hook::Reply { .. } => lists.reply.push(Step { repair, slot, mode }),
                    Hook::Event { .. } => lists.event.push(Step { repair, slot, mode }),
                    Hook::Silence { .. } => lists.silence.push(Step { repair, slot, mode }),
                    Hook::Message { .. } => lists.message.push(Step { repair, slot, mode }),
                }
            }
        }
        Self { classes }
    }

    fn lists(&self, class: Class) -> Option<&Lists> {
        self.classes.get(class as usize)
    }

    /// Whether a live repair wants the request's body, and in which form.
    #[must_use]
    pub fn request_needs(&self, request: &Request) -> Needs {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.request);
        let wanted = steps.iter().filter_map(|step| match step.repair.hook {
            Hook::Request { needs, when, .. } if needs != Needs::Head && when(request) => Some(needs),
            _ => None,
        });
        // The answer to a registration is mended by what was registered, whatever the request itself needs.
        let answered = request.class == Class::Register && self.may_read_reply(request.class);
        wanted.max().unwrap_or(if answered { Needs::Json } else { Needs::Head })
    }

    /// Whether the class has reply repairs that read a body: then the upstream must send a plain, whole one.
    #[must_use]
    pub fn may_read_reply(&self, class: Class) -> bool {
        self.lists(class).is_some_and(|lists| {
            lists.reply.iter().any(|step| matches!(step.repair.hook, Hook::Reply { needs, .. } if needs != Needs::Head))
        })
    }

    /// What of the reply's body a live repair wants that accepts its head: nothing, a JSON object, or any small body.
    #[must_use]
    pub fn reply_needs(&self, request: &Request, reply: &Reply) -> Needs {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.reply);
        let wanted = steps.iter().filter_map(|step| match step.repair.hook {
            Hook::Reply { needs, when, .. } if needs != Needs::Head && when(request, reply) => Some(needs),
            _ => None,
        });
        wanted.max().unwrap_or(Needs::Head)
    }

    /// Runs the request repairs. The first that knows the answer ends the run.
    pub fn mend_request(&self, site: &Site<'_>, request: &mut Request) -> (Report, Option<Box<Reply>>) {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.request);
        let mut report = Report::default();
        let mut original = None;
        for step in steps {
            let Hook::Request { when, run, .. } = step.repair.hook else { continue };
            if !when(request) {
                continue;
            }
            let before = original.get_or_insert_with(|| request.clone());
            let outcome = if step.mode == Mode::Observe {
                let mut copy = request.clone();
                guarded(|| run(site, &mut copy))
            } else {
                guarded(|| run(site, request))
            };
            debug_assert_eq!(fence::check_request(before, request), Ok(()), "{}", step.repair.id);
            match outcome {
                Some(Outcome::Answer(finding, reply)) => {
                    debug_assert_eq!(fence::check_answer(&reply), Ok(()), "{}", step.repair.id);
                    report.note(step, finding);
                    if step.mode == Mode::Fix {
                        return (report, Some(reply));
                    }
                }
                Some(Outcome::Mended(finding) | Outcome::Again(finding, _)) => report.note(step, finding),
                Some(Outcome::Sound) => {}
                None => return (report.after_panic(step, || request.clone_from(before)), None),
            }
        }
        (report, None)
    }

    /// Runs the reply repairs. With `may_ask`, the first repair that wants the upstream asked again ends the run.
    pub fn mend_reply(
        &self,
        site: &Site<'_>,
        request: &Request,
        reply: &mut Reply,
        may_ask: bool,
    ) -> (Report, Option<Ask>) {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.reply);
        let mut report = Report::default();
        let mut original = None;
        for step in steps {
            let Hook::Reply { when, run, .. } = step.repair.hook else { continue };
            if !when(request, reply) {
                continue;
            }
            let before: &Reply = original.get_or_insert_with(|| reply.clone());
            let outcome = if step.mode == Mode::Observe {
                let mut copy = reply.clone();
                guarded(|| run(site, request, &mut copy))
            } else {
                guarded(|| run(site, request, reply))
            };
            debug_assert_eq!(fence::check_reply(site, request, before, reply), Ok(()), "{}", step.repair.id);
            match outcome {
                Some(Outcome::Mended(finding) | Outcome::Answer(finding, _)) => report.note(step, finding),
                Some(Outcome::Again(finding, ask)) => {
                    debug_assert_eq!(fence::check_ask(request, before, &ask), Ok(()), "{}", step.repair.id);
                    if step.mode == Mode::Observe {
                        report.note(step, finding);
                    } else if may_ask {
                        report.note(step, finding);
                        return (report, Some(*ask));
                    }
                }
                Some(Outcome::Sound) => {}
                None => return (report.after_panic(step, || reply.clone_from(before)), None),
            }
        }
        (report, None)
    }
}

impl Report {
    fn note(&mut self, step: &Step, finding: Finding) {
        self.fired.push(Fired { id: step.repair.id, slot: step.slot, mode: step.mode, finding });
    }

    /// A bug in a repair: the message goes through as it came, and nothing counts as mended.
    fn after_panic(mut self, step: &Step, restore: impl FnOnce()) -> Self {
        restore();
        self.fired.clear();
        self.panicked.push(step.repair.id);
        self
    }
}

/// Runs a repair; `None` when it panicked. The state that it may have left half changed is restored by the caller.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::example;
    use crate::repair::{Basis, Example, Level, SiteKind};

    const fn broken(run: fn(&Site<'_>, &Request, &mut Reply) -> Outcome) -> Repair {
        Repair {
            id: "test.repair",
            rows: &[],
            summary: "",
            why: "",
            hits: "",
            stops: crate::client::who::NOBODY,
            remedy: "",
            advice: "",
            basis: &[Basis { text: "", url: "", level: Level::Interop, is_of_browsers: false }],
            default: Mode::Fix,
            on: &[Class::Mcp],
            hook: Hook::Reply { needs: Needs::Head, when: |_, _| true, run },
            examples: &[] as &[Example],
        }
    }

    fn run(repair: &'static Repair, mode: Mode) -> (Report, Reply) {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        let site = Site { facts: &facts, known: &known };
        let request = example::request("GET /mcp", &facts, &known).unwrap();
        let mut reply = example::reply("401\nX-A: 1").unwrap();
        let plan = Plan::new(&[repair], &BTreeMap::from([("test.repair", mode)]));
        let (report, _) = plan.mend_reply(&site, &request, &mut reply, true);
        (report, reply)
    }

    #[test]
    fn a_panic_restores_the_reply() {
        static REPAIR: Repair = broken(|_, _, reply| {
            reply.headers.clear();
            panic!("bug in a repair")
        });
        let (report, reply) = run(&REPAIR, Mode::Fix);
        assert_eq!(report.panicked, ["test.repair"]);
        assert!(!report.mended() && reply.headers.contains_key("x-a"));
    }

    #[test]
    fn observe_reports_and_changes_nothing() {
        static REPAIR: Repair = broken(|_, _, reply| {
            reply.headers.clear();
            Outcome::mended("found")
        });
        let (report, reply) = run(&REPAIR, Mode::Observe);
        assert_eq!(report.fired.len(), 1);
        assert!(!report.mended() && reply.headers.contains_key("x-a"));
        let (report, _) = run(&REPAIR, Mode::Off);
        assert!(report.fired.is_empty());
    }

    #[test]
    #[should_panic(expected = "a refusal of the MCP endpoint became a success")]
    fn the_fence_stands_in_debug_builds() {
        static REPAIR: Repair = broken(|_, _, reply| {
            reply.status = StatusCode::OK;
            Outcome::mended("opened the door")
        });
        run(&REPAIR, Mode::Fix);
    }
}
