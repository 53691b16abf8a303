//! The way out: what was changed is printed and framed, everything else leaves as the bytes that came; and what is
//! left to do when the last of it has left.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use tokio::time::Instant;

use super::Exchange;
use super::account::{End, tell};
use super::answer::{Answer, Body, Rest};
use super::streams::session_of;
use super::taping;
use crate::body::events::{Relay, Verdict};
use crate::body::inbox::{self, Inbox};
use crate::body::{AtEnd, Ending, ReplyBody, Source};
use crate::coding::Decoder;
use crate::connection::Phase;
use crate::connection::window::Window;
use crate::counters::SkipReason;
use crate::endpoint::Class;
use crate::exchange::{self, At, Event, Form, Reply, Request, Site};
use crate::headers;
use crate::jsonrpc;
use crate::machine::reading::is_list;
use crate::plan::{Findings, Report, each_once};
use crate::repair::Mode;
use crate::runtime::Runtime;
use crate::sse;
use crate::tape::MOST_BYTES;
use crate::upstream::Lease;

/// An event longer than this passes as it comes, but for lists.
const LONGEST_EVENT: usize = 64 * 1024;

/// What a client is told that takes no streams, when a stream brought no answer.
const NO_ANSWER: &str = "The server ended its answer without a message";

/// On mended answers, if the operator wants it.
const SHOW: HeaderName = HeaderName::from_static("mcp-mend");

impl Exchange {
    /// Prints what was changed, frames it, and lets everything else leave as the bytes that came.
    pub(super) fn finish(mut self: Box<Self>, request: Box<Request>, answer: Answer) -> Response<ReplyBody> {
        let Answer { mut reply, body: Body { rest, lease } } = answer;
        let whole = whole_body(&mut reply, &rest);
        // Only events can bring more.
        self.count();
        self.show_repairs(&mut reply.headers);
        self.runtime().watch_seal(&reply.headers);
        let events = whole.is_none() && reply.form == Form::Message || reply.is_of("text/event-stream");
        if events && whole.is_none() && reply.form != Form::Message {
            self.note_stream();
        }
        let (status, form, coding, mut headers) =
            (reply.status, reply.form, reply.coding.filter(|_| reply.decode), std::mem::take(&mut reply.headers));
        let stop = self.worker.stop_streams.clone();
        let patience = self.runtime().target.limits.first_byte;
        let class = request.class;
        let is_bare = request.method == Method::HEAD;
        let asked = if form == Form::Message { request.message.clone() } else { None };
        let streams = events && whole.is_none();
        if streams {
            self.target = exchange::detached(&self.target);
        }
        let (relay, seen) =
            if streams { self.relay(request.detached(), reply, &headers).unzip() } else { (None, None) };
        if relay.is_some() {
            // What is mended or said in between has another length.
            headers.remove(CONTENT_LENGTH);
        }
        // Over HTTP/2 it is the stream that ends.
        if self.cut_short && !self.connection.is_multiplexed() {
            self.connection.cut_short();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.tape_head(class, status, &headers, events);
        let copies = self.tape.is_some();
        let pace = self.connection.pace();
        // A long body is held until it is written, which at a slow reader is after the exchange.
        let whole = whole.map(|bytes| self.held.out(bytes));
        let at_end = self.tail(class, status, lease, seen);
        let body = match (whole, rest) {
            (Some(bytes), _) if bytes.is_empty() || is_bare => ReplyBody::empty(at_end),
            (Some(bytes), _) => ReplyBody::whole(bytes, at_end),
            (None, Rest::Stream(prefix, incoming)) => {
                let (prefix, source) = match coding {
                    Some(coding) => (Bytes::new(), Source::decoded(prefix, incoming, Decoder::new(coding))),
                    None => (prefix, Source::Plain(incoming)),
                };
                match relay {
                    Some(relay) if form == Form::Message => {
                        let otherwise = jsonrpc::error(asked.as_ref(), jsonrpc::INTERNAL_ERROR, NO_ANSWER);
                        ReplyBody::picked(prefix, source, relay, asked, (otherwise, patience), at_end)
                    }
                    relay if events => ReplyBody::events(prefix, source, relay, &stop, at_end),
                    _ => ReplyBody::upstream((!prefix.is_empty()).then_some(prefix), source, at_end),
                }
            }
            (None, _) => ReplyBody::empty(at_end),
        };
        let body = if copies { body.copied(MOST_BYTES) } else { body };
        let mut response = Response::new(body.paced(pace).windowed(Window::current()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn show_repairs(&self, headers: &mut HeaderMap) {
        if !self.runtime().show_repairs {
            return;
        }
        let mended = each_once(self.machine.findings.fired()).filter(|fired| fired.mode == Mode::Fix);
        let ids: Vec<&str> = mended.map(|fired| fired.id).collect();
        if ids.is_empty() {
            return;
        }
        if let Ok(value) = HeaderValue::from_str(&ids.join(", ")) {
            headers.insert(SHOW, value);
        }
    }

    /// Shows the events of a stream, its end and its silences to the repairs that want them.
    fn relay(&self, request: Request, reply: Reply, headers: &HeaderMap) -> Option<(Relay, Arc<Mutex<Seen>>)> {
        let runtime = self.worker.runtime.clone();
        let reply = Reply { headers: stream_head(headers), body: exchange::ReplyBody::Stream, ..reply };
        let is_wanted = reply.form == Form::Message || runtime.plan.wants_events(&request, &reply);
        if headers::is_encoded(headers) || !is_wanted {
            return None;
        }
        // Nothing has to be heard of an answer that comes in a moment.
        let first = if request.asks() { runtime.bounds.first_silence } else { Duration::ZERO };
        let silence = Some((first, runtime.bounds.silence)).filter(|_| runtime.plan.heeds_silence(&request, &reply));
        let limit = if is_list(&request) || reply.form == Form::Message {
            runtime.bounds.body_bytes
        } else {
            LONGEST_EVENT.min(runtime.bounds.body_bytes)
        };
        let ends_with_answer = reply.form == Form::Listened;
        let before = self.tape.as_ref().map(|_| Vec::new());
        let seen = Arc::new(Mutex::new(Seen { findings: self.machine.findings.clone(), untouched: None, before }));
        let (known, found) = (self.known.clone(), seen.clone());
        // Where an answer may come to that was posted elsewhere.
        let (sender, inbox) = match request.class {
            Class::LegacySse => Some(inbox::channel()).unzip(),
            _ => (None, None),
        };
        let (mut registered, caller): (Option<Inbox>, _) = (None, self.caller);
        let (held, counters) = (self.holding(), runtime.counters.clone());
        let watcher = Box::new(move |event: &mut Event| {
            if let (None, Some(sender)) = (&registered, &sender) {
                let session = session_of(event);
                registered = session.and_then(|session| runtime.inboxes.open(session, caller, sender.clone()));
            }
            let site = Site { facts: &runtime.facts, known: &known };
            keep_before(&found, event);
            let (report, answers) = match event.at {
                At::Silence { .. } => (runtime.plan.mend_silence(&site, &request, &reply, event), false),
                _ => runtime.plan.mend_event(&site, &request, &reply, event),
            };
            note(&runtime, &found, report);
            // Where no messages are looked at, the one event that matters is the first that is no comment.
            let is_last = !request.class.has_messages() && event.data().is_some();
            Verdict { answers, is_last }
        });
        Some((Relay { watcher, limit, silence, ends_with_answer, inbox, held, counters }, seen))
    }

    fn tail(
        self: Box<Self>,
        class: Class,
        status: StatusCode,
        lease: Option<Lease>,
        seen: Option<Arc<Mutex<Seen>>>,
    ) -> Option<Box<dyn AtEnd>> {
        self.runtime().counters.exchanges.fetch_add(1, Ordering::Relaxed);
        let first_byte = self.started.elapsed();
        Some(Box::new(OnBodyEnd { exchange: self, class, status, lease, first_byte, seen }))
    }
}

/// What of an answer's head an event repair may ask for.
fn stream_head(headers: &HeaderMap) -> HeaderMap {
    headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, headers::detached(kind))).into_iter().collect()
}

/// Notes and counts what a stream brought up, at once: it may go on for days.
fn note(runtime: &Runtime, seen: &Mutex<Seen>, report: Report) {
    if report.fired.is_empty() && report.bugs.is_empty() {
        return;
    }
    let Ok(mut seen) = seen.lock() else { return };
    let bugs = seen.findings.note_event(report);
    seen.findings.count(|slot| runtime.counters.fired(slot));
    seen.untouched = tell(&runtime.counters, &bugs).or(seen.untouched);
}

/// The body if it leaves as a whole, framed; `None` if it streams.
fn whole_body(reply: &mut Reply, rest: &Rest) -> Option<Bytes> {
    match (&reply.body, rest) {
        (exchange::ReplyBody::Json(object), _) if object.is_changed() => {
            let text = object.to_bytes();
            let bytes = if reply.form == Form::Event { sse::event_of(&text) } else { text };
            headers::reframe(&mut reply.headers, bytes.len());
            Some(bytes)
        }
        (exchange::ReplyBody::Text(text), rest) if !is_as_it_came(text, rest) => {
            let bytes = if reply.form == Form::Event { sse::event_of(text) } else { text.clone() };
            headers::reframe(&mut reply.headers, bytes.len());
            Some(bytes)
        }
        (_, Rest::Whole(bytes, decoded)) if reply.form == Form::Event => {
            let bytes = sse::event_of(decoded.as_ref().unwrap_or(bytes));
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
            if reply.decode || reply.form != Form::AsItCame {
                headers::unframe(&mut reply.headers);
            }
            None
        }
    }
}

/// Whether a text is the body that was read, and not one of ours.
fn is_as_it_came(text: &Bytes, rest: &Rest) -> bool {
    match rest {
        Rest::Whole(bytes, decoded) => {
            let plain = decoded.as_ref().unwrap_or(bytes);
            (text.as_ptr(), text.len()) == (plain.as_ptr(), plain.len())
        }
        _ => false,
    }
}

/// What is left to do when the answer has ended.
struct OnBodyEnd {
    exchange: Box<Exchange>,
    class: Class,
    status: StatusCode,
    lease: Option<Lease>,
    first_byte: Duration,
    seen: Option<Arc<Mutex<Seen>>>,
}

/// What a stream has shown so far.
struct Seen {
    /// What fired in the exchange, the head of its answer included.
    findings: Findings,
    untouched: Option<SkipReason>,
    /// The beginning of what the upstream sent, if the exchange is taped.
    before: Option<Vec<u8>>,
}

fn keep_before(seen: &Mutex<Seen>, event: &Event) {
    if let Some(before) = seen.lock().ok().as_mut().and_then(|seen| seen.before.as_mut()) {
        taping::keep(before, &event.text);
    }
}

impl AtEnd for OnBodyEnd {
    fn at_end(self: Box<Self>, ending: Ending, bytes: u64, copy: Option<Bytes>) {
        let Self { mut exchange, class, status, lease, first_byte, seen } = *self;
        let now = Instant::now();
        let ending = match ending {
            Ending::ClientLeft if exchange.connection.is_stalled() => Ending::ClientStalled,
            ending => ending,
        };
        exchange.connection.enter_at(Phase::Idle, now);
        if let (Ending::Whole, Some(lease)) = (ending, lease) {
            lease.give_back(now);
        }
        let mut before = None;
        if let Some(mut seen) = seen.as_ref().and_then(|seen| seen.lock().ok()) {
            exchange.machine.findings = std::mem::take(&mut seen.findings);
            exchange.untouched = seen.untouched.or(exchange.untouched);
            before = seen.before.take();
        }
        let total = now.saturating_duration_since(exchange.started);
        if let Some(mut tape) = exchange.tape.take() {
            tape.fired = exchange.machine.findings.fired().to_vec();
            tape.untouched = exchange.untouched;
            tape.refused = exchange.refused.map(|refusal| (refusal.name, refusal.fault.name()));
            (tape.first_byte, tape.total, tape.bytes) = (first_byte, total, bytes);
            exchange.tape_end(tape, ending, before, copy.unwrap_or_default());
        }
        exchange.settle(&End { class, status, first_byte, total, bytes, ending });
    }
}
