//! The books: what an exchange leaves in counters and the access log, however it ends. A client that leaves before there
//! is an answer ends it too, and no other part of the code gets to know.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue, REFERER, USER_AGENT};
use http::{Method, Request as HttpRequest, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Exchange, Worker, taping};
use crate::body::Ending;
use crate::connection::Connection;
use crate::counters::{Counters, SkipReason, fault_name};
use crate::endpoint::Class;
use crate::headers;
use crate::plan::{Bug, BugKind, each_once};
use crate::redact::path_for_logs;
use crate::refuse::{Fault, Refusal};
use crate::repair::Mode;
use crate::telemetry::access::Record;
use crate::telemetry::span::{Span, Trace};
use crate::telemetry::trace::{Context, TRACEPARENT, TRACESTATE};
use crate::upstream::Place;

/// How a client's leaving before the answer is counted and logged; no answer has this status.
const LEFT: u16 = 499;

/// What the books want to know of an exchange that its other parts may have handed on by its end.
pub(super) struct ExchangeStats {
    method: Method,
    pub(super) class: Class,
    version: Version,
    /// Who asks, if a trusted proxy says so.
    client: Option<IpAddr>,
    trace: Option<u128>,
    /// Our part of it, if somebody wants to see it.
    span: Option<Box<Trace>>,
    /// What only the combined form of the log wants.
    said: Option<Box<Said>>,
    /// How often the upstream was asked.
    pub(super) asked: u8,
    /// The address of the upstream that answered last, where there are several.
    pub(super) place: Option<Arc<Place>>,
    /// Whether the answer is an event stream.
    streams: bool,
    is_settled: bool,
}

/// What the client said of itself.
struct Said {
    agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
}

/// How an exchange ended.
pub(super) struct End {
    pub(super) class: Class,
    pub(super) status: StatusCode,
    pub(super) first_byte: Duration,
    pub(super) total: Duration,
    pub(super) bytes: u64,
    pub(super) ending: Ending,
}

impl ExchangeStats {
    pub(super) fn open(worker: &Worker, connection: &Connection, request: &HttpRequest<Incoming>) -> Self {
        let runtime = &worker.runtime;
        runtime.counters.in_flight.fetch_add(1, Ordering::Relaxed);
        let fields = request.headers();
        let (is_logged, says) = (runtime.access.is_on(), runtime.access.shows_agents());
        let own = |name| fields.get(name).map(headers::detached);
        let said = || Box::new(Said { agent: own(USER_AGENT), referer: own(REFERER) });
        let traces = runtime.tracer.is_some();
        let context = if is_logged || traces { Context::of(fields) } else { None };
        let span = runtime.tracer.as_ref().map(|tracer| Box::new(tracer.begin(context)));
        Self {
            method: request.method().clone(),
            class: Class::Other,
            version: request.version(),
            client: ((is_logged || traces) && connection.trusted)
                .then(|| taping::client_of(worker, connection, fields)),
            trace: span.as_ref().map(|span| span.own).or(context).map(|context| context.trace),
            span,
            said: says.then(said),
            asked: 0,
            place: None,
            streams: false,
            is_settled: false,
        }
    }
}

impl Exchange {
    /// Makes our span the parent of what the upstream does. Where nothing is traced the client's fields stay as they came.
    pub(super) fn set_trace(&self, headers: &mut HeaderMap) {
        let Some(span) = &self.account.span else { return };
        if span.parent.is_some() && !span.own.sampled {
            return;
        }
        if let Ok(value) = HeaderValue::from_str(&span.own.write()) {
            headers.insert(TRACEPARENT, value);
        }
        if span.parent.is_none() {
            // What was said of another trace does not belong to this one (Trace Context section 3.3).
            headers.remove(TRACESTATE);
        }
    }

    /// The answer is an event stream, open until it ends.
    pub(super) fn note_stream(&mut self) {
        self.account.streams = true;
        self.runtime().counters.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes down how it ended, once.
    pub(super) fn settle(&mut self, end: &End) {
        if std::mem::replace(&mut self.account.is_settled, true) {
            return;
        }
        self.count();
        let (runtime, account) = (&self.worker.runtime, &self.account);
        let is_open_end = account.streams && account.method == Method::GET;
        let fault = fault(self.refused.as_ref(), end, is_open_end);
        runtime.counters.bytes_down.fetch_add(end.bytes, Ordering::Relaxed);
        runtime.counters.ended(end.class, end.status, fault, (!is_open_end).then_some(end.total));
        if let (Some(tracer), Some(span)) = (&runtime.tracer, &account.span)
            && span.own.sampled
        {
            tracer.take(self.span(**span, end, fault));
        }
        let said = account.said.as_deref();
        runtime.access.line(&Record {
            site: runtime.site_name(),
            peer: self.connection.peer,
            client: account.client,
            class: end.class,
            method: &account.method,
            path: self.target.path(),
            version: account.version,
            status: end.status,
            fired: self.machine.findings.fired(),
            untouched: self.untouched,
            refused: self.refused.map(|refusal| (refusal.name, refusal.fault.name())),
            first_byte: end.first_byte,
            total: end.total,
            bytes: end.bytes,
            ending: end.ending,
            asked: account.asked,
            upstream: account.place.as_ref().map(|place| place.name.as_str()),
            trace: account.trace,
            agent: said.and_then(|said| said.agent.as_ref()),
            referer: said.and_then(|said| said.referer.as_ref()),
        });
    }
}

impl Exchange {
    /// Counts the repairs that have fired since this was last called. Nothing is taken back after it.
    pub(super) fn count(&mut self) {
        let Self { worker, machine, .. } = self;
        machine.findings.count(|slot| worker.runtime.counters.fired(slot));
    }

    fn span(&self, trace: Trace, end: &End, fault: Option<Fault>) -> Span {
        let ids = |mode| {
            each_once(self.machine.findings.fired()).filter(|fired| fired.mode == mode).map(|fired| fired.id).collect()
        };
        Span {
            trace,
            site: self.runtime().site_name().map(str::to_owned),
            client: self.account.client.unwrap_or(self.connection.peer).to_string(),
            class: end.class,
            method: self.account.method.clone(),
            path: path_for_logs(self.target.path()).into_owned(),
            version: self.account.version,
            status: end.status,
            mended: ids(Mode::Fix),
            observed: ids(Mode::Observe),
            untouched: self.untouched.map(SkipReason::name),
            refused: self.refused.map(|refusal| refusal.name),
            fault: fault_name(fault),
            first_byte: end.first_byte,
            total: end.total,
            bytes: end.bytes,
            asked: self.account.asked,
            ending: end.ending,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.account.is_settled {
            let total = Instant::now().saturating_duration_since(self.started);
            self.settle(&End {
                class: self.account.class,
                status: StatusCode::from_u16(LEFT).unwrap_or(StatusCode::BAD_REQUEST),
                first_byte: total,
                total,
                bytes: 0,
                ending: Ending::ClientLeft,
            });
        }
        let counters = &self.worker.runtime.counters;
        counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.account.streams {
            counters.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Counts the bugs of repairs and tells of them. Answers what the access log says of the message.
pub(super) fn tell(counters: &Counters, bugs: &[Bug]) -> Option<SkipReason> {
    let mut why = None;
    for bug in bugs {
        let reason = match bug.kind {
            BugKind::Panic => {
                counters.panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(repair = bug.id, "a repair panicked; the message passed untouched");
                SkipReason::Panicked
            }
            BugKind::Violation(promise) => {
                counters.violated(bug.slot);
                tracing::error!(repair = bug.id, promise, "a repair broke a promise; the message passed untouched");
                SkipReason::Violated
            }
        };
        counters.untouched(reason);
        why = Some(reason);
    }
    why
}

/// Whose fault it is that an exchange did not go well. Who closes a stream that is open until somebody closes it has done
/// nothing wrong.
fn fault(refused: Option<&Refusal>, end: &End, is_open_end: bool) -> Option<Fault> {
    match (refused, end.ending) {
        (Some(refusal), _) => Some(refusal.fault),
        (None, Ending::UpstreamCut) => Some(Fault::Upstream),
        (None, Ending::ClientStalled) => Some(Fault::Client),
        (None, Ending::ClientLeft) if !is_open_end => Some(Fault::Client),
        _ if end.status.is_server_error() => Some(Fault::Upstream),
        _ if end.status.is_client_error() => Some(Fault::Client),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refuse;

    #[test]
    fn whose_fault_it_is() {
        use Ending::{ClientLeft, ClientStalled, Drained, UpstreamCut, Whole};
        for (refused, status, ending, is_open_end, expected) in [
            (None, 200, Whole, false, None),
            (None, 302, Whole, false, None),
            (None, 404, Whole, false, Some(Fault::Client)),
            (None, 500, Whole, false, Some(Fault::Upstream)),
            (None, 200, UpstreamCut, true, Some(Fault::Upstream)),
            (None, 200, ClientLeft, false, Some(Fault::Client)),
            (None, 200, ClientLeft, true, None),
            (None, 200, Drained, true, None),
            (None, 200, ClientStalled, true, Some(Fault::Client)),
            (Some(refuse::UNREACHABLE), 502, Whole, false, Some(Fault::Upstream)),
            (Some(refuse::BAD_HOST), 400, ClientLeft, false, Some(Fault::Client)),
            (Some(refuse::INTERNAL), 500, Whole, false, Some(Fault::Proxy)),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let (first_byte, total) = (Duration::ZERO, Duration::ZERO);
            let end = End { class: Class::Mcp, status, first_byte, total, bytes: 0, ending };
            assert_eq!(fault(refused.as_ref(), &end, is_open_end), expected, "{status} {ending:?}");
        }
    }
}
