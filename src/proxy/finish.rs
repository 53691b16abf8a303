//! The way out: what was changed is printed and framed, everything else leaves as the bytes that came; and what is
//! left to do when the last of it has left.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Response, StatusCode};
use tokio::time::Instant;

use super::Exchange;
use super::answer::{Answer, Rest};
use crate::body::events::Watcher;
use crate::body::{AtEnd, Ending, ReplyBody, Source};
use crate::coding::Decoder;
use crate::connection::Phase;
use crate::endpoint::Class;
use crate::exchange::{self, Event, Reply, Request, Site};
use crate::headers;
use crate::plan::Fired;
use crate::repair::Mode;
use crate::telemetry::access::Record;
use crate::upstream::Lease;

/// On mended answers, if the operator wants it.
const SHOW: HeaderName = HeaderName::from_static("mcp-mend");

impl Exchange {
    /// Prints what was changed, frames it, and lets everything else leave as the bytes that came.
    pub(super) fn finish(self, request: Request, answer: Answer) -> Response<ReplyBody> {
        let Answer { mut reply, rest, lease } = answer;
        let whole = whole_body(&mut reply, &rest);
        self.show_repairs(&mut reply.headers);
        let events =
            reply.headers.get(CONTENT_TYPE).is_some_and(|kind| exchange::is_media_type(kind, "text/event-stream"));
        let watched = self.watcher(&request, &reply, events && whole.is_none());
        let stop = self.worker.stop_streams.clone();
        let (watcher, seen) = watched.unzip();
        let limit = self.runtime().bounds.body_bytes;
        let at_end = self.tail(request, reply.status, lease, seen);
        let body = match (whole, rest) {
            (Some(bytes), _) if bytes.is_empty() => ReplyBody::empty(at_end),
            (Some(bytes), _) => ReplyBody::whole(bytes, at_end),
            (None, Rest::Stream(prefix, incoming)) => {
                let (prefix, source) = match reply.coding.filter(|_| reply.decode) {
                    Some(coding) => (Bytes::new(), Source::decoded(prefix, incoming, Decoder::new(coding))),
                    None => (prefix, Source::Plain(incoming)),
                };
                if events && prefix.is_empty() {
                    ReplyBody::events(source, watcher.map(|watcher| (watcher, limit)), &stop, at_end)
                } else {
                    ReplyBody::upstream((!prefix.is_empty()).then_some(prefix), source, at_end)
                }
            }
            (None, _) => ReplyBody::empty(at_end),
        };
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }

    fn show_repairs(&self, headers: &mut HeaderMap) {
        let mut ids: Vec<&str> =
            self.fired.iter().filter(|fired| fired.mode == Mode::Fix).map(|fired| fired.id).collect();
        if !self.runtime().show_repairs || ids.is_empty() {
            return;
        }
        ids.dedup();
        if let Ok(value) = HeaderValue::from_str(&ids.join(", ")) {
            headers.insert(SHOW, value);
        }
    }

    /// Shows events to the repairs that want them, until one has found something.
    fn watcher(&self, request: &Request, reply: &Reply, events: bool) -> Option<(Watcher, Arc<Mutex<Vec<Fired>>>)> {
        if !events || headers::is_encoded(&reply.headers) || !self.runtime().plan.wants_events(request, reply) {
            return None;
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (runtime, known, class, found) =
            (self.worker.runtime.clone(), self.known.clone(), request.class, seen.clone());
        let watcher = Box::new(move |text: Bytes| {
            let mut event = Event { text };
            let report = runtime.plan.mend_event(&Site { facts: &runtime.facts, known: &known }, class, &mut event);
            for fired in &report.fired {
                runtime.counters.fired(fired.slot);
            }
            let is_endpoint = crate::sse::field(&event.text, "event").as_deref() == Some("endpoint");
            if let Ok(mut found) = found.lock() {
                found.extend(report.fired);
            }
            // The endpoint event is the first that is no comment; behind it there is nothing to look for.
            let is_comment = crate::sse::field(&event.text, "data").is_none();
            (event.text, is_comment && !is_endpoint)
        });
        Some((watcher, seen))
    }

    fn tail(
        self,
        request: Request,
        status: StatusCode,
        lease: Option<Lease>,
        seen: Option<Arc<Mutex<Vec<Fired>>>>,
    ) -> Option<Box<dyn AtEnd>> {
        self.runtime().counters.exchanges.fetch_add(1, Ordering::Relaxed);
        let first_byte = self.started.elapsed();
        Some(Box::new(Tail {
            exchange: self,
            method: request.method,
            class: request.class,
            target: request.target,
            status,
            lease,
            first_byte,
            seen,
        }))
    }
}

/// The body if it leaves as a whole, framed; `None` if it streams.
fn whole_body(reply: &mut Reply, rest: &Rest) -> Option<Bytes> {
    match (&reply.body, rest) {
        (exchange::ReplyBody::Json(object), _) if object.is_changed() => {
            let bytes = object.to_bytes();
            headers::reframe(&mut reply.headers, bytes.len());
            Some(bytes)
        }
        (exchange::ReplyBody::Empty, _) => {
            reply.headers.remove(CONTENT_LENGTH);
            Some(Bytes::new())
        }
        (_, Rest::Whole(_, Some(decoded))) if reply.decode => {
            headers::reframe(&mut reply.headers, decoded.len());
            Some(decoded.clone())
        }
        (_, Rest::Whole(bytes, _)) => Some(bytes.clone()),
        (_, Rest::Nothing) => Some(Bytes::new()),
        (_, Rest::Stream(..)) => {
            if reply.decode {
                headers::unframe(&mut reply.headers);
            }
            None
        }
    }
}

/// What is left to do when the answer has ended.
struct Tail {
    exchange: Exchange,
    method: Method,
    class: Class,
    target: PathAndQuery,
    status: StatusCode,
    lease: Option<Lease>,
    first_byte: Duration,
    seen: Option<Arc<Mutex<Vec<Fired>>>>,
}

impl AtEnd for Tail {
    fn at_end(self: Box<Self>, ending: Ending, bytes: u64) {
        let Self { exchange, method, class, target, status, lease, first_byte, seen } = *self;
        let now = Instant::now();
        exchange.connection.enter_at(Phase::Idle, now);
        if let (Ending::Whole, Some(lease)) = (ending, lease) {
            lease.give_back(now);
        }
        let mut fired = exchange.fired;
        if let Some(seen) = seen.and_then(|seen| seen.lock().ok().map(|mut seen| std::mem::take(&mut *seen))) {
            fired.extend(seen);
        }
        exchange.worker.runtime.access.line(&Record {
            peer: exchange.connection.peer,
            class,
            method,
            path: target.path(),
            status,
            fired,
            untouched: exchange.untouched,
            refused: exchange.refused.map(|refusal| (refusal.name, refusal.fault.name())),
            first_byte,
            total: now.saturating_duration_since(exchange.started),
            bytes,
            ending,
        });
    }
}
