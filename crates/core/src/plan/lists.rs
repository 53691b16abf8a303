//! The kinds of lists: requests, replies, single messages, and the events and silences of a stream.

use bytes::Bytes;

use super::run::{List, Verdict};
use crate::edit::json::Object;
use crate::exchange::edits::{Edits, Part};
use crate::exchange::features::Features;
use crate::exchange::{Ask, At, Event, Outcome, Reply, Request, Site};
use crate::fence;
use crate::jsonrpc::Envelope;
use crate::repair::Hook;

/// The list of the request repairs.
pub(super) struct Requests<'a> {
    pub(super) site: &'a Site<'a>,
}

impl List for Requests<'_> {
    type Subject = Request;

    fn features(&self, request: &Request) -> Features {
        Features::of_request(request)
    }

    fn accepts(&self, hook: &Hook, request: &Request) -> bool {
        matches!(hook, Hook::Request { when, .. } if when(request))
    }

    fn run(&self, hook: &Hook, request: &Request) -> Outcome {
        match hook {
            Hook::Request { run, .. } => run(self.site, request),
            _ => Outcome::Sound,
        }
    }

    fn apply(&self, edits: Edits, request: &mut Request) -> Verdict {
        edits.apply_to_request(request)
    }

    fn judge(&self, before: &Request, after: &Request) -> Verdict {
        fence::check_request(self.site, before, after)
    }

    fn judge_answer(&self, reply: &Reply) -> Verdict {
        fence::check_answer(reply)
    }
}

/// The list of the reply repairs.
pub(super) struct Replies<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) request: &'a Request,
    pub(super) may_ask: bool,
    pub(super) names_parts: bool,
}

impl List for Replies<'_> {
    type Subject = Reply;

    fn features(&self, reply: &Reply) -> Features {
        Features::of_request(self.request).with_reply(reply)
    }

    fn accepts(&self, hook: &Hook, reply: &Reply) -> bool {
        matches!(hook, Hook::Reply { when, .. } if when(self.request, reply))
    }

    fn run(&self, hook: &Hook, reply: &Reply) -> Outcome {
        match hook {
            Hook::Reply { run, .. } => run(self.site, self.request, reply),
            _ => Outcome::Sound,
        }
    }

    fn parts(&self, edits: &Edits, before: &Reply) -> Vec<Part> {
        if self.names_parts { edits.parts(before.json()) } else { Vec::new() }
    }

    fn apply(&self, edits: Edits, reply: &mut Reply) -> Verdict {
        edits.apply_to_reply(reply)
    }

    fn judge(&self, before: &Reply, after: &Reply) -> Verdict {
        fence::check_reply(self.site, self.request, before, after)
    }

    fn judge_ask(&self, reply: &Reply, ask: &Ask) -> Verdict {
        fence::check_ask(self.request, reply, ask)
    }

    fn may_act_twice(&self, reply: &Reply, ask: &Ask) -> bool {
        fence::may_act_twice(self.request, reply, ask)
    }

    fn may_ask(&self) -> bool {
        self.may_ask
    }
}

/// The list of the repairs of one message.
pub(super) struct Messages<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) request: &'a Request,
    /// The message as it came, peeked at.
    pub(super) envelope: &'a Envelope,
    pub(super) names_parts: bool,
}

/// A message under repair.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) text: Bytes,
    /// As the last change left it; what a repair makes of a message may be the business of the next.
    envelope: Option<Envelope>,
    /// Read when the first repair accepts the message.
    object: Option<Object>,
}

impl Message {
    pub(super) fn new(text: Bytes) -> Self {
        Self { text, envelope: None, object: None }
    }
}

impl List for Messages<'_> {
    type Subject = Message;

    const JUDGES_EACH: bool = true;

    fn features(&self, message: &Message) -> Features {
        let envelope = message.envelope.as_ref().unwrap_or(self.envelope);
        Features::of_request(self.request).with_message(envelope)
    }

    fn accepts(&self, hook: &Hook, message: &Message) -> bool {
        let envelope = message.envelope.as_ref().unwrap_or(self.envelope);
        matches!(hook, Hook::Message { when, .. } if when(self.request, envelope))
    }

    fn open(&self, message: &mut Message) -> bool {
        if message.object.is_none() {
            message.object = Object::parse_message(message.text.clone()).ok();
        }
        message.object.is_some()
    }

    fn run(&self, hook: &Hook, message: &Message) -> Outcome {
        match (hook, &message.object) {
            (Hook::Message { run, .. }, Some(object)) => run(self.site, self.request, object),
            _ => Outcome::Sound,
        }
    }

    fn parts(&self, edits: &Edits, before: &Message) -> Vec<Part> {
        if self.names_parts { edits.parts(before.object.as_ref()) } else { Vec::new() }
    }

    fn apply(&self, edits: Edits, message: &mut Message) -> Verdict {
        let object = edits.into_document().ok_or("a message was made something else")?;
        message.text = object.to_bytes();
        message.envelope = Envelope::peek(&message.text);
        message.object = Some(object);
        Ok(())
    }

    fn judge(&self, before: &Message, after: &Message) -> Verdict {
        match (&before.object, &after.object) {
            (Some(before), Some(after)) => fence::check_message(self.request, before, after),
            _ => Ok(()),
        }
    }
}

/// The lists of the repairs of events and of silences.
pub(super) struct Events<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) request: &'a Request,
    /// The head of the answer.
    pub(super) reply: &'a Reply,
    pub(super) names_parts: bool,
}

impl List for Events<'_> {
    type Subject = Event;

    fn features(&self, _: &Event) -> Features {
        Features::of_request(self.request).with_reply(self.reply)
    }

    fn accepts(&self, hook: &Hook, _: &Event) -> bool {
        matches!(hook, Hook::Event { when, .. } | Hook::Silence { when, .. } if when(self.request, self.reply))
    }

    fn run(&self, hook: &Hook, event: &Event) -> Outcome {
        match hook {
            Hook::Event { run, .. } | Hook::Silence { run, .. } => run(self.site, self.request, event),
            _ => Outcome::Sound,
        }
    }

    fn parts(&self, edits: &Edits, _: &Event) -> Vec<Part> {
        if self.names_parts { edits.parts(None) } else { Vec::new() }
    }

    fn apply(&self, edits: Edits, event: &mut Event) -> Verdict {
        edits.apply_to_event(event)
    }

    fn judge(&self, before: &Event, after: &Event) -> Verdict {
        match before.at {
            At::Silence { .. } => fence::check_silence(before, after),
            At::Arrival | At::End { .. } => fence::check_event(self.site, before, after),
        }
    }

    /// What was said into a silence ends it.
    fn is_done(&self, event: &Event) -> bool {
        matches!(event.at, At::Silence { .. }) && (event.ends || !event.text.is_empty())
    }
}
