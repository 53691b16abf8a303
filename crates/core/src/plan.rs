//! The registry and the operator's modes, resolved once into one list per class and side; and running a list.

mod found;
mod lists;
mod messages;
mod run;

use std::collections::BTreeMap;

pub use self::found::{Bug, BugKind, Findings, Fired, Mark, Report, each_once};
use self::lists::{Replies, Requests};
use self::run::{End, ask_each, run};
use crate::endpoint::Class;
use crate::exchange::features::Features;
use crate::exchange::{Ask, Reply, Request, Site};
use crate::repair::{Hook, Mode, Needs, Repair};

/// What runs, where, in which mode.
pub struct Plan {
    /// Indexed by class.
    classes: Vec<Lists>,
    /// Whether findings name the parts of the answer that they are about: `check` wants to know.
    pub names_parts: bool,
}

#[derive(Default)]
struct Lists {
    request: Vec<Step>,
    reply: Vec<Step>,
    event: Vec<Step>,
    silence: Vec<Step>,
    message: Vec<Step>,
}

/// Sets of features that a gate may have.
pub const MOST_SETS: usize = 4;

#[derive(Clone, Copy)]
struct Step {
    repair: &'static Repair,
    /// Its place in the registry.
    slot: usize,
    mode: Mode,
    /// The repair's gate, the set first that is met the least often. What is left over is met always.
    gate: [Features; MOST_SETS],
}

impl Step {
    fn new(repair: &'static Repair, slot: usize, mode: Mode) -> Self {
        let mut gate = [Features::ALL; MOST_SETS];
        for (place, set) in gate.iter_mut().zip(repair.gate) {
            *place = Features::of(set);
        }
        gate.sort_by_key(|set| set.count());
        Self { repair, slot, mode, gate }
    }

    /// Whether the repair may have something to do with what shows these features.
    fn is_open_to(&self, features: Features) -> bool {
        self.gate.iter().all(|set| set.intersects(features))
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
                let list = match repair.hook {
                    Hook::Request { .. } => &mut lists.request,
                    Hook::Reply { .. } => &mut lists.reply,
                    Hook::Event { .. } => &mut lists.event,
                    Hook::Silence { .. } => &mut lists.silence,
                    Hook::Message { .. } => &mut lists.message,
                };
                list.push(Step::new(repair, slot, mode));
            }
        }
        Self { classes, names_parts: false }
    }

    fn lists(&self, class: Class) -> Option<&Lists> {
        self.classes.get(class as usize)
    }

    /// Whether a live repair wants the request's body, and in which form.
    #[must_use]
    pub fn request_needs(&self, request: &Request) -> Needs {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.request);
        let (mut wanted, features) = (None, Features::of_request(request));
        // A `when` that panics wants nothing; the run that follows tells of it.
        ask_each(steps, |step| match step.repair.hook {
            Hook::Request { needs, when, .. }
                if needs != Needs::Head && Some(needs) > wanted && step.is_open_to(features) && when(request) =>
            {
                wanted = Some(needs);
            }
            _ => {}
        });
        // The answer to a registration is mended by what was registered, whatever the request itself needs.
        let answered = request.class == Class::Register && self.may_read_reply(request.class);
        wanted.unwrap_or(if answered { Needs::Json } else { Needs::Head })
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
        let (mut wanted, features) = (Needs::Head, Features::of_request(request).with_reply(reply));
        ask_each(steps, |step| match step.repair.hook {
            Hook::Reply { needs, when, .. } if needs > wanted && step.is_open_to(features) && when(request, reply) => {
                wanted = needs;
            }
            _ => {}
        });
        wanted
    }

    /// Runs the request repairs. The first that knows the answer ends the run.
    pub fn mend_request(&self, site: &Site<'_>, request: &mut Request) -> (Report, Option<Box<Reply>>) {
        let steps = self.lists(request.class).map_or(&[][..], |lists| &lists.request);
        let (report, end) = run(&Requests { site }, steps, request);
        let answer = match end {
            Some(End::Answer(reply)) => Some(reply),
            Some(End::Ask(_) | End::Done) | None => None,
        };
        (report, answer)
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
        let (report, end) = run(&Replies { site, request, may_ask, names_parts: self.names_parts }, steps, reply);
        let ask = match end {
            Some(End::Ask(ask)) => Some(*ask),
            Some(End::Answer(_) | End::Done) | None => None,
        };
        (report, ask)
    }
}

#[cfg(test)]
mod tests;
