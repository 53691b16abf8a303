//! Where a connection stops: the way of a connection in steps, where on it a repair belongs, and who gets how far at
//! a server with these defects.

use std::fmt;

use http::Method;

use crate::client::{CLIENTS, Client, Clients};
use crate::endpoint::Class;
use crate::example;
use crate::exchange::Request;
use crate::repair::{Example, Hook, Repair, Then};

/// The steps of a connection, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Any answer at all.
    Reach,
    /// Being told to log in.
    Challenge,
    /// Metadata.
    Discovery,
    Registration,
    Authorize,
    Token,
    /// `initialize` or `server/discover`, and `notifications/initialized`.
    Connect,
    /// Lists and calls.
    Messages,
    /// What comes on the stream of a GET, and the end of the session.
    Streams,
}

impl Step {
    pub const ALL: [Self; 9] = [
        Self::Reach,
        Self::Challenge,
        Self::Discovery,
        Self::Registration,
        Self::Authorize,
        Self::Token,
        Self::Connect,
        Self::Messages,
        Self::Streams,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reach => "reach",
            Self::Challenge => "challenge",
            Self::Discovery => "discovery",
            Self::Registration => "registration",
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Connect => "connect",
            Self::Messages => "messages",
            Self::Streams => "streams",
        }
    }

    /// For people, as in "gives up at the registration".
    #[must_use]
    pub fn at(self) -> &'static str {
        match self {
            Self::Reach => "at the first request",
            Self::Challenge => "at the challenge",
            Self::Discovery => "at the metadata",
            Self::Registration => "at the registration",
            Self::Authorize => "at the login",
            Self::Token => "at the token",
            Self::Connect => "at initialize",
            Self::Messages => "at the messages",
            Self::Streams => "at the stream",
        }
    }

    /// The step that a request belongs to. `message` is the method of its JSON-RPC message, if it has one;
    /// `unasked` says that it has no token and was, or should have been, refused for that.
    #[must_use]
    pub fn of_request(class: Class, method: &Method, message: Option<&str>, unasked: bool) -> Self {
        if *method == Method::OPTIONS {
            return Self::Reach;
        }
        match class {
            Class::ResourceMetadata | Class::ServerMetadata => Self::Discovery,
            Class::Register => Self::Registration,
            Class::Authorize | Class::Other => Self::Authorize,
            Class::Token | Class::Revoke | Class::Keys => Self::Token,
            Class::Mcp | Class::LegacySse | Class::LegacyPost => match message {
                _ if unasked => Self::Challenge,
                Some("initialize" | "server/discover" | "notifications/initialized") => Self::Connect,
                Some(_) => Self::Messages,
                // The older transport begins with its stream.
                None if class == Class::LegacySse => Self::Connect,
                None if matches!(*method, Method::GET | Method::DELETE) => Self::Streams,
                // A message of any kind, and so the first.
                None => Self::Connect,
            },
        }
    }

    /// Where a repair belongs: where its first broken example does, or earlier if it is not particular about that.
    #[must_use]
    pub fn of(repair: &Repair) -> Self {
        let broken = repair.examples.iter().find(|example| !matches!(example.then, Then::Sound));
        let Some((example, request)) = broken.and_then(|example| Some((example, request_of(example)?))) else {
            return Self::Connect;
        };
        let after = match example.then {
            Then::Becomes(after) | Then::Answers(after) => after,
            Then::Sound | Then::Asks(_) => "",
        };
        let is_refused = after.starts_with("401") || after.starts_with("403");
        // Who has a token is past the login: it is its end that is not told.
        if is_refused && request.authorized {
            return Self::Messages;
        }
        let message = request.message.as_ref().and_then(|message| message.method.as_deref());
        let step = Self::of_request(request.class, &request.method, message, is_refused);
        // Documents and messages alike: the first answer is hit.
        let is_anywhere = repair.on.contains(&Class::ResourceMetadata) && repair.on.contains(&Class::Mcp);
        if is_anywhere && (request.class == Class::Other || step == Self::Connect) {
            return Self::Reach;
        }
        if step == Self::Messages && may_act_on_the_first(repair, example, request) { Self::Connect } else { step }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn request_of(example: &Example) -> Option<Request> {
    example::request(example.request, &example::facts(example.site), &example::knowledge(example.site)).ok()
}

/// Whether a repair would look at the first message just as at that of its example: then nobody gets further. A
/// message in a session is not the first; what is wrong with a message itself is so with the kind that is shown.
fn may_act_on_the_first(repair: &Repair, example: &Example, mut request: Request) -> bool {
    if request.session_sent.is_some() || request.authorized {
        return false;
    }
    if let Some(message) = &mut request.message {
        message.method = Some("initialize".to_owned());
    }
    let head = || example::reply(example.reply).ok();
    let events = || example::reply("200\nContent-Type: text/event-stream").ok();
    match repair.hook {
        Hook::Request { when, .. } => when(&request),
        Hook::Reply { when, .. } => head().is_some_and(|reply| when(&request, &reply)),
        Hook::Event { when, .. } | Hook::Silence { when, .. } => events().is_some_and(|head| when(&request, &head)),
        Hook::Message { .. } => false,
    }
}

/// Where a client gives up, and for which defect.
#[derive(Clone, Copy)]
pub struct Stop {
    pub step: Step,
    pub repair: &'static Repair,
    /// Who.
    pub clients: Clients,
}

impl Stop {
    /// Whom a defect stops, at the step where it belongs.
    #[must_use]
    pub fn of(repair: &'static Repair) -> Self {
        Self { step: Step::of(repair), repair, clients: repair.stops }
    }
}

/// How far a client gets.
#[derive(Clone, Copy)]
pub struct Row {
    pub client: &'static Client,
    /// It gets as far as a connection. It may stop behind that: then it is connected and of no use.
    pub connects: bool,
    /// The first step where it gives up.
    pub stop: Option<Stop>,
}

impl Row {
    /// Nothing stops it anywhere.
    #[must_use]
    pub fn works(&self) -> bool {
        self.stop.is_none()
    }
}

/// Who would connect to a server with these defects, each at the step where it belongs.
#[must_use]
pub fn table(fails: &[&'static Repair]) -> Vec<Row> {
    let fails: Vec<Stop> = fails.iter().map(|repair| Stop::of(repair)).collect();
    table_at(&fails)
}

/// The same, where it is known at which step each was found, and whom it stops there.
#[must_use]
pub fn table_at(fails: &[Stop]) -> Vec<Row> {
    CLIENTS.iter().map(|client| row(client, fails)).collect()
}

fn row(client: &'static Client, fails: &[Stop]) -> Row {
    let stops = fails.iter().filter(|fail| fail.clients.has(client.one));
    // Of several at one step the first: the caller's order is that of the registry.
    let stop = stops.min_by_key(|fail| fail.step).copied();
    Row { client, connects: stop.is_none_or(|stop| stop.step > Step::Connect), stop }
}
