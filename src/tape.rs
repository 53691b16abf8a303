//! Whole exchanges, as they were: what `check`, captures, flows and the page are made of.
//!
//! A taped exchange holds secrets. It stays in memory; whatever is written or shown of it goes through `redact` first.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};

use crate::counters::SkipReason;
use crate::ending::Ending;
use crate::endpoint::Class;
use crate::exchange::{Facts, Reply, Request};
use crate::knowledge::Knowledge;
use crate::plan::Fired;
use crate::repair::Mode;

/// Of a body, at most this many bytes are kept.
pub const MOST_BYTES: usize = 64 * 1024;

/// The site of an exchange, as it was configured when the exchange began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteFacts {
    /// What it is called in logs and metrics.
    pub name: String,
    pub facts: Facts,
    /// The repairs that are not in their default mode, by id.
    pub modes: Vec<(String, Mode)>,
}

impl SiteFacts {
    /// Whether two exchanges belong to one site, and nothing of it was configured anew in between.
    #[must_use]
    pub fn is_same(one: Option<&Arc<Self>>, other: Option<&Arc<Self>>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// One exchange, from the client's request to the end of its answer.
#[derive(Clone, Debug)]
pub struct RecordedExchange {
    /// Counts up from 1 while the process runs; the same for `opened` and `ended`.
    pub number: u64,
    pub began: SystemTime,
    /// `None`: the request was for no site.
    pub site: Option<Arc<SiteFacts>>,
    /// The client's address: the peer's, or what a trusted proxy says.
    pub client: IpAddr,
    pub class: Class,
    /// What the client asked.
    pub asked: Asked,
    /// Each time that the upstream was asked; none if it was not.
    pub turns: Vec<Turn>,
    /// What the client got.
    pub answered: Came,
    pub fired: Vec<Fired>,
    /// What was known of the upstream.
    pub known: Arc<Knowledge>,
    pub untouched: Option<SkipReason>,
    /// The name of the refusal and whose fault it was, if the proxy answered itself.
    pub refused: Option<(&'static str, &'static str)>,
    pub first_byte: Duration,
    pub total: Duration,
    /// Of the answer's body.
    pub bytes: u64,
    /// How it ended; `None` while it goes on.
    pub ending: Option<Ending>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub target: PathAndQuery,
    pub headers: HeaderMap,
    pub body: Text,
}

/// A question to the upstream and what came; `None` if nothing did.
#[derive(Clone, Debug)]
pub struct Turn {
    pub asked: Asked,
    pub came: Option<Came>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Came {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Text,
}

/// What was seen of a body: its beginning, or all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub bytes: Bytes,
    /// Whether that is all of it.
    pub is_whole: bool,
}

impl Text {
    /// A body that is known whole, cut to what is kept.
    #[must_use]
    pub fn whole(bytes: &Bytes) -> Self {
        let is_whole = bytes.len() <= MOST_BYTES;
        Self { bytes: bytes.slice(..bytes.len().min(MOST_BYTES)), is_whole }
    }
}

/// Takes exchanges in. Called on the data path: what takes long belongs on a thread of its own.
pub trait Recorder: Send + Sync {
    /// The sites that are served from now on: at the start, and after each reload.
    fn sites(&self, _sites: Vec<Arc<SiteFacts>>) {}
    /// The head of an event stream has left; it will be told again when it has ended.
    fn opened(&self, taped: &RecordedExchange);
    /// An exchange has ended.
    fn ended(&self, taped: RecordedExchange);
}

impl RecordedExchange {
    /// An exchange that went past the process and is known by what it led to.
    #[must_use]
    pub fn past(request: &Request, before: &Reply, after: &Reply, fired: Vec<Fired>, known: Arc<Knowledge>) -> Self {
        let asked = Asked {
            method: request.method.clone(),
            target: request.target.clone(),
            headers: request.headers.clone(),
            body: Text::default(),
        };
        let came = |reply: &Reply| Came { status: reply.status, headers: reply.headers.clone(), body: Text::default() };
        Self {
            number: 0,
            began: SystemTime::now(),
            site: None,
            client: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            class: request.class,
            turns: vec![Turn { asked: asked.clone(), came: Some(came(before)) }],
            asked,
            answered: came(after),
            fired,
            known,
            untouched: None,
            refused: None,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            bytes: 0,
            ending: Some(Ending::Whole),
        }
    }
}
