//! Which clients a connection over HTTP/1.1 may serve next.
//!
//! An upstream that answers a request without reading its body takes the rest of the body for the next request on that
//! connection (RFC 9112 section 9.3). If another client's request went over it, that client would get the answer to what
//! the first one wrote, or its credentials would become part of it. A connection therefore stays in the common pool only
//! as long as each body that was sent on it was read for certain. Otherwise it serves the client connection that the
//! request came from, and no other, or is closed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Upstream;
use super::health::Place;
use super::pool::Pooled;
use super::target::Limits;
use crate::body::RequestBody;
use crate::connection::Connection;
use crate::exchange::{is_json, is_media_type};

/// Private connections that wait for one client connection. More are closed.
const MOST: usize = 8;

/// Who may use a connection after the exchange under way.
pub(super) enum Next {
    Anybody,
    /// The client connection that it has served since a body may have been left unread.
    Only(Arc<Connection>),
    /// It is closed.
    Nobody,
}

/// What is known of a request's body before it is sent.
pub(super) struct Sending {
    pub(super) has_body: bool,
    /// Whether a success proves that the body was read.
    is_provable: bool,
    owner: Option<Arc<Connection>>,
}

impl Sending {
    /// `depends_on_body`: whether no server can carry the request out without having read the body.
    pub(super) fn of(request: &Request<RequestBody>, depends_on_body: bool, owner: Option<Arc<Connection>>) -> Self {
        let body = request.body();
        // A body that streams is not known to be one message and nothing behind it.
        let is_provable = depends_on_body && matches!(body, RequestBody::Whole(_));
        Self { has_body: !body.is_end_stream(), is_provable, owner }
    }

    pub(super) fn owner(&self) -> Option<&Arc<Connection>> {
        self.owner.as_ref()
    }

    fn next(&self, before: Next, answer: &Response<Incoming>, was_sent: bool) -> Next {
        match (before, &self.owner) {
            (before, _) if !self.has_body => before,
            (_, _) if !was_sent => Next::Nobody,
            (before, _) if self.is_provable && is_carried_out(answer) => before,
            (Next::Only(owner), _) => Next::Only(owner),
            (Next::Anybody, Some(owner)) => Next::Only(owner.clone()),
            (Next::Anybody, None) | (Next::Nobody, _) => Next::Nobody,
        }
    }
}

/// Whether an answer says that a request was carried out, in a form in which such requests are answered. A page does not.
fn is_carried_out(answer: &Response<Incoming>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    let is_right = kind.is_none_or(|kind| is_json(kind) || is_media_type(kind, "text/event-stream"));
    answer.status().is_success() && is_right
}

/// The connections to upstreams that wait for one client connection. They are closed with it.
#[derive(Default)]
pub struct Private(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    connections: Vec<Pooled>,
    /// Whether an upstream looks through them every few seconds.
    is_watched: bool,
}

impl Private {
    fn waiting<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection to this address, the newest first. Closes those that are too old.
    pub(super) fn take(&self, place: &Arc<Place>, now: Instant, limits: &Limits) -> Option<Pooled> {
        self.waiting(|waiting| {
            if waiting.connections.is_empty() {
                return None;
            }
            waiting.connections.retain(|one| one.is_usable(now, limits));
            let at = waiting.connections.iter().rposition(|one| one.leads_to(place) && one.is_ready())?;
            Some(waiting.connections.swap_remove(at))
        })
    }

    /// Keeps a connection, unless there are too many. Answers whether somebody has to look through them from now on.
    fn keep(&self, connection: Pooled) -> bool {
        self.waiting(|waiting| {
            if waiting.connections.len() >= MOST {
                return false;
            }
            waiting.connections.push(connection);
            !std::mem::replace(&mut waiting.is_watched, true)
        })
    }

    /// Closes those that nobody may use again. Answers whether any is left to be looked at.
    fn prune(&self, is_usable: impl Fn(&Pooled) -> bool) -> bool {
        self.waiting(|waiting| {
            waiting.connections.retain(is_usable);
            waiting.is_watched = !waiting.connections.is_empty();
            waiting.is_watched
        })
    }
}

impl Upstream {
    /// Keeps a connection for the one client connection that may use it.
    pub(super) fn keep_private(&self, owner: &Arc<Connection>, connection: Pooled) {
        if owner.private.keep(connection)
            && let Ok(mut owners) = self.owners.lock()
        {
            owners.push(Arc::downgrade(owner));
        }
    }

    /// Closes private connections that are too old.
    pub(super) fn prune_private(&self, now: Instant) {
        self.retain_private(|one| one.is_usable(now, &self.target.limits));
    }

    fn retain_private(&self, is_usable: impl Fn(&Pooled) -> bool) {
        if let Ok(mut owners) = self.owners.lock() {
            let has_any =
                |owner: &Weak<Connection>| owner.upgrade().is_some_and(|owner| owner.private.prune(&is_usable));
            owners.retain(has_any);
        }
    }

    /// Decides who may use a connection once this answer has ended. `was_sent`: whether the whole body of the request was
    /// sent before it began.
    pub(super) fn decide(&self, next: &mut Next, sending: &Sending, answer: &Response<Incoming>, was_sent: bool) {
        let before = std::mem::replace(next, Next::Nobody);
        let was_common = matches!(before, Next::Anybody);
        *next = sending.next(before, answer, was_sent);
        match next {
            Next::Only(_) if was_common => self.counters.unpooled_private.fetch_add(1, Ordering::Relaxed),
            Next::Nobody => self.counters.unpooled_closed.fetch_add(1, Ordering::Relaxed),
            Next::Anybody | Next::Only(_) => 0,
        };
    }
}

impl Drop for Upstream {
    /// Nobody would look through its private connections any more.
    fn drop(&mut self) {
        self.retain_private(|_| false);
    }
}
