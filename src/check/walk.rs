//! The walk of a check: asking, and what was seen on the way. `script` has the order.

mod ask;
mod front;
mod messages;

use std::sync::Arc;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

pub(super) use self::ask::has_result;
pub use self::front::Returned;
use super::Wish;
use super::stand::{Seen, Stand};
use crate::exchange::{Finding, is_media_type};
use crate::jsonrpc::Envelope;
use crate::knowledge::Knowledge;
use crate::tape::Came;

/// How long the older transport is listened to.
const LEGACY_LISTENING: std::time::Duration = std::time::Duration::from_secs(2);
/// The last version of it.
const LEGACY_VERSION: &str = "2024-11-05";

/// A repair of requests and what came of it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub id: &'static str,
    pub finding: Finding,
    /// The plain exchange, and the one in which the repair was at work.
    pub refused: Seen,
    pub taken: Seen,
}

/// The verdict on one thing that decides whether hosted clients get through.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Line {
    pub id: &'static str,
    /// pass, fail, not-applicable or not-testable.
    pub verdict: &'static str,
    /// What was looked at, or is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: Option<String>,
    /// Whether it stops all clients, and not hosted ones alone.
    #[serde(skip)]
    pub stops_all: bool,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    pub seen: Vec<Seen>,
    pub judged: Vec<Judged>,
    pub known: Arc<Knowledge>,
    /// Whether messages were let in without a token.
    pub is_open: bool,
    /// Whether messages were let in at all.
    pub is_in: bool,
    /// The version that was agreed on.
    pub version: Option<String>,
    /// Whether hosted clients get here at all.
    pub reach: Vec<Line>,
    /// What could not be asked, and why.
    pub missing: Vec<String>,
}

impl Walked {
    /// Whether the server has answered anything.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        let has_answered =
            |seen: &Seen| seen.taped.as_ref().is_some_and(|taped| taped.turns.iter().any(|turn| turn.came.is_some()));
        self.seen.iter().any(has_answered)
    }

    /// Whether the endpoint has asked for a token.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refuses = |came: &Came| matches!(came.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        self.asked_at_all().flat_map(said_to_messages).any(refuses)
    }

    /// What was answered instead, if nothing there speaks MCP: no JSON-RPC, no event stream, no request for a token, no
    /// redirect, and no metadata of a login beside it.
    #[must_use]
    pub fn no_endpoint(&self) -> Option<&Came> {
        let speaks = |came: &Came| {
            let message = Envelope::peek_start(&came.body.bytes);
            let is_message = message.is_versioned || (message.has_id() && message.is_message());
            let is_stream = came.headers.get(CONTENT_TYPE).is_some_and(|kind| is_media_type(kind, "text/event-stream"));
            is_message || is_stream || came.status.is_redirection()
        };
        let is_there = self.is_in || self.is_refused() || !self.known.is_without_oauth();
        let mut said = self.asked_at_all().flat_map(said_to_messages).peekable();
        let first = said.peek().copied();
        first.filter(|_| !is_there && !said.any(speaks))
    }

    fn asked_at_all(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().chain(self.judged.iter().flat_map(|judged| [&judged.refused, &judged.taken]))
    }
}

/// What the server itself said where messages go.
fn said_to_messages(seen: &Seen) -> impl Iterator<Item = &Came> {
    let taped = seen.taped.iter().filter(|taped| taped.class.has_messages());
    taped.flat_map(|taped| &taped.turns).filter_map(|turn| turn.came.as_ref())
}

pub struct Walk<'a> {
    pub(super) stand: Arc<Stand>,
    pub(super) wish: &'a Wish,
    pub(super) walked: Walked,
    /// Streams that are listened to meanwhile.
    pub(super) later: Vec<AbortOnDropHandle<Seen>>,
    /// Sessions that are being ended.
    pub(super) ends: TaskTracker,
    /// What the server was asked last, in the form that it took: path and query.
    pub(super) last: Option<String>,
}

impl<'a> Walk<'a> {
    #[must_use]
    pub fn new(stand: Arc<Stand>, wish: &'a Wish) -> Self {
        stand.begin(wish.time);
        Self { stand, wish, walked: Walked::default(), later: Vec::new(), ends: TaskTracker::new(), last: None }
    }

    pub(super) fn mcp_path(&self) -> String {
        self.stand.runtime().facts.mcp_path.clone()
    }
}
