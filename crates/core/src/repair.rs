//! A repair is a value: one file that holds everything there is to know about it.

use std::fmt;
use std::str::FromStr;

use crate::client::Clients;
use crate::edit::json::Object;
use crate::endpoint::Class;
pub use crate::exchange::Level;
use crate::exchange::features::Gate;
use crate::exchange::{Event, Outcome, Reply, Request, Site};
use crate::jsonrpc::Envelope;

/// Everything there is to know about one repair. From the registry of these come the data path, the command line,
/// the README table, the configuration keys and the tests.
pub struct Repair {
    /// `group.name`, naming the *defect*, so that `= "off"` reads right. Never reused once released.
    pub id: &'static str,
    /// The rows of the defect catalogue that it covers.
    pub rows: &'static [&'static str],
    /// What is wrong, in one line.
    pub summary: &'static str,
    /// Why that stops a client.
    pub why: &'static str,
    /// Who is hit.
    pub hits: &'static str,
    /// Who of the known clients cannot connect, or cannot go on, when this defect alone is there in one of its
    /// forms. An ugly error text is no stop.
    pub stops: Clients,
    /// What the proxy does about it.
    pub remedy: &'static str,
    /// How to mend the server itself.
    pub advice: &'static str,
    pub basis: &'static [Basis],
    pub default: Mode,
    /// Endpoint classes where it may act.
    pub on: &'static [Class],
    /// What an exchange has to show before `hook` is called at all.
    pub gate: Gate,
    pub hook: Hook,
    /// Broken and sound examples; these are its tests.
    pub examples: &'static [Example],
}

/// What a rule says, where, and how strongly.
#[derive(Clone, Copy, Debug)]
pub struct Basis {
    pub text: &'static str,
    pub url: &'static str,
    pub level: Level,
    /// Whether it is about what browsers let pages do, and nobody else minds.
    pub is_of_browsers: bool,
}

impl fmt::Debug for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Repair").field(&self.id).finish()
    }
}

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The repair does not run.
    Off,
    /// It runs on a copy, and what it would do is reported.
    Observe,
    /// It mends.
    Fix,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Fix => "fix",
        })
    }
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "off" => Ok(Self::Off),
            "observe" => Ok(Self::Observe),
            "fix" => Ok(Self::Fix),
            _ => Err(()),
        }
    }
}

/// How much of a message a repair must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Status line and header fields.
    Head,
    /// The JSON object in a small body.
    Json,
    /// The form in a small body.
    Form,
    /// A small body of any type.
    Body,
}

/// Where a repair acts. `when` decides whether anything is read or run at all: from the heads, and from what a message begins
/// with once that was peeked at; so it is asked before the body is read, when it was, and when the list runs. `run` finds
/// what is wrong and says how to change it in one go, so that what is reported and what is mended cannot differ.
pub enum Hook {
    /// Before the upstream is asked. `goes_on` says that it only takes further what this proxy has done to an earlier
    /// answer: that says nothing of the server.
    Request { needs: Needs, when: fn(&Request) -> bool, run: fn(&Site<'_>, &Request) -> Outcome, goes_on: bool },
    /// After the upstream answered.
    Reply { needs: Needs, when: fn(&Request, &Reply) -> bool, run: fn(&Site<'_>, &Request, &Reply) -> Outcome },
    /// On each event of an answer that streams events, and on what is left when the stream ends.
    Event { when: fn(&Request, &Reply) -> bool, run: fn(&Site<'_>, &Request, &Event) -> Outcome },
    /// Whenever an event stream has been silent for a while.
    Silence { when: fn(&Request, &Reply) -> bool, run: fn(&Site<'_>, &Request, &Event) -> Outcome },
    /// On one message of an answer, whether it is the body or the data of an event. `when` decides from its outermost
    /// members whether it is read.
    Message { when: fn(&Request, &Envelope) -> bool, run: fn(&Site<'_>, &Request, &Object) -> Outcome },
}

/// A message and what the repair makes of it, as text (`example.rs` reads it).
#[derive(Clone, Copy)]
pub struct Example {
    /// What the example shows.
    pub note: &'static str,
    pub site: SiteKind,
    /// `METHOD /target`, header lines, blank line, body.
    pub request: &'static str,
    /// `STATUS`, header lines, blank line, body; for an event hook the event, behind `(end)` what is left at the end;
    /// for a silence `(silence)` or `(silence, answered)`; for a message hook the message. Empty for a request hook.
    pub reply: &'static str,
    pub then: Then,
}

/// What the repair shall answer to an example.
#[derive(Clone, Copy)]
pub enum Then {
    /// Nothing is wrong.
    Sound,
    /// The message becomes this.
    Becomes(&'static str),
    /// The upstream is asked again with this request.
    Asks(&'static str),
    /// The request is answered so, without asking the upstream.
    Answers(&'static str),
}

/// The sites that examples play on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    /// `http://localhost:3000` behind `https://mcp.example.com`, with metadata and an authorization server of its own.
    Cohosted,
    /// The same with the issuer under a path, `/auth`, resource metadata at the root only, and a promise of `iss`.
    Pathed,
    /// The same without resource metadata.
    NoResourceMetadata,
    /// Resource metadata that list an authorization server on another host.
    Foreign,
    /// No OAuth at all.
    Open,
    /// As `Open`, and the proxy listens on a loopback address.
    Loopback,
    /// As `Cohosted`, and the operator states the scopes `mcp:read mcp:write`, which the metadata list.
    Scoped,
    /// As `Cohosted`, with metadata that know no public clients.
    Confidential,
    /// As `Cohosted`, but no document was ever found: its endpoints are at the default paths.
    Bare,
    /// As `Cohosted`, and a GET of the endpoint without a token is not refused although a POST is.
    HalfOpen,
    /// As `Cohosted`, and a stranger's message is let in: a login opens more.
    LetsIn,
    /// As `Cohosted`, and the endpoints are seen to check PKCE, to register clients and to refresh tokens.
    Strict,
    /// As `Cohosted`, after a response with `iss` and the refusal of a client whose id is a URL have passed.
    Taught,
}

#[cfg(test)]
impl Repair {
    /// One of messages at the MCP endpoint that says nothing of itself.
    pub(crate) const fn bare(id: &'static str, hook: Hook) -> Self {
        Self {
            id,
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
            gate: &[],
            hook,
            examples: &[],
        }
    }
}
