//! Which kinds of exchanges a repair is about, taken from its own broken examples: it was looked for only if an exchange
//! of that kind has been seen.

use std::fmt;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::edit::params;
use crate::endpoint::Class;
use crate::example;
use crate::exchange::Preflight;
use crate::jsonrpc::Envelope;
use crate::repair::{Example, Hook, Repair, Then};
use crate::tape::RecordedExchange;

/// A kind of exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Situation {
    pub class: Class,
    pub asked: Asked,
    /// How it went, as far as that matters.
    pub came: Came,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    Preflight,
    /// A GET, a HEAD: of a stream, a document, a page.
    Read,
    Head,
    Delete,
    Message(Kind),
    /// A token request of a code, of a refresh token, of anything else.
    Code,
    Refresh,
    Post,
}

impl Asked {
    /// Whether what was asked is of this kind. A message of no kind of its own stands for every request.
    fn covers(self, seen: Self) -> bool {
        let is_request =
            |asked| matches!(asked, Self::Message(kind) if !matches!(kind, Kind::Batch | Kind::Notification));
        self == seen || (self == Self::Message(Kind::Other) && is_request(seen))
    }
}

/// What kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Initialize,
    Discover,
    Notification,
    List,
    Call,
    Batch,
    Other,
}

/// How an exchange went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    Success,
    Redirect,
    Unauthorized,
    Refused,
}

impl Came {
    fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            status if status.is_redirection() => Self::Redirect,
            status if status.is_success() => Self::Success,
            _ => Self::Refused,
        }
    }
}

impl Kind {
    fn of(message: &Envelope) -> Self {
        if message.is_batch {
            return Self::Batch;
        }
        match message.method.as_deref() {
            Some("initialize") => Self::Initialize,
            Some("server/discover") => Self::Discover,
            Some("tools/call") => Self::Call,
            Some(_) if !message.has_id() => Self::Notification,
            Some(method) if method.ends_with("/list") => Self::List,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize => "initialize",
            Self::Discover => "server/discover",
            Self::Notification => "a notification",
            Self::List => "a list (tools, resources, prompts)",
            Self::Call => "a tool call",
            Self::Batch => "a list of messages",
            Self::Other => "a message",
        })
    }
}

impl Situation {
    /// What an exchange was.
    #[must_use]
    pub fn of(taped: &RecordedExchange) -> Self {
        let asked = &taped.asked;
        let is_preflight = Preflight::of(&asked.method, &asked.headers).is_some();
        let asked = what(taped.class, &asked.method, is_preflight, &asked.body.bytes);
        let message = Envelope::peek(&taped.answered.body.bytes);
        // A tool that does not exist shows nothing of how results look.
        let failed = asked == Asked::Message(Kind::Call) && message.is_some_and(|message| message.error.is_some());
        let came = if failed { Came::Refused } else { Came::of(taped.answered.status) };
        Self { class: taped.class, asked, came }
    }
}

fn what(class: Class, method: &Method, is_preflight: bool, body: &Bytes) -> Asked {
    match *method {
        _ if is_preflight => Asked::Preflight,
        Method::GET => Asked::Read,
        Method::HEAD => Asked::Head,
        Method::DELETE => Asked::Delete,
        Method::POST if class.has_messages() => {
            Asked::Message(Envelope::peek(body).as_ref().map_or(Kind::Other, Kind::of))
        }
        Method::POST if class == Class::Token => {
            let form = std::str::from_utf8(body).unwrap_or_default();
            match params::get(form, "grant_type").as_deref() {
                Some("authorization_code") => Asked::Code,
                Some("refresh_token") => Asked::Refresh,
                _ => Asked::Post,
            }
        }
        _ => Asked::Post,
    }
}

/// What would have to be seen to find the defect of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    pub class: Class,
    /// `None`: whatever was asked, but no preflight.
    pub asked: Option<Asked>,
    /// `None`: however it went.
    pub came: Option<Came>,
}

impl Wanted {
    #[must_use]
    pub fn is_met_by(&self, seen: &Situation) -> bool {
        self.class == seen.class
            && self.asked.map_or(seen.asked != Asked::Preflight, |asked| asked.covers(seen.asked))
            && self.came.is_none_or(|came| came == seen.came)
    }
}

/// What would have to be seen to find the defect: one of these.
#[must_use]
pub fn wanted(repair: &Repair) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = repair.examples.iter().filter_map(|example| of_example(repair, example)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn of_example(repair: &Repair, example: &Example) -> Option<Wanted> {
    if matches!(example.then, Then::Sound) {
        return None;
    }
    let (facts, known) = (example::facts(example.site), example::knowledge(example.site));
    let request = example::request(example.request, &facts, &known).ok()?;
    let body = example.request.split_once("\n\n").map_or("", |(_, body)| body);
    let body = Bytes::copy_from_slice(body.as_bytes());
    let asked = what(request.class, &request.method, request.preflight.is_some(), &body);
    let came = match (&repair.hook, example.then) {
        (Hook::Reply { .. }, Then::Becomes(text)) => example::reply(text).ok().map(|reply| Came::of(reply.status)),
        (Hook::Message { .. } | Hook::Event { .. } | Hook::Silence { .. }, _) => Some(Came::Success),
        _ => None,
    };
    // An example without a body stands for any message.
    let is_any = body.is_empty() && matches!(asked, Asked::Message(_) | Asked::Code | Asked::Refresh | Asked::Post);
    Some(Wanted { class: request.class, asked: (!is_any).then_some(asked), came })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repairs::REPAIRS;

    #[test]
    fn every_repair_can_be_looked_for() {
        for repair in REPAIRS {
            let wanted = wanted(repair);
            assert!(!wanted.is_empty(), "{}", repair.id);
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", repair.id);
                for one in wanted {
                    eprintln!("    {} {:?} {:?}", one.class.name(), one.asked, one.came);
                }
            }
        }
    }
}
