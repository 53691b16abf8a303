//! The life of one exchange, top to bottom. One reading tells what the product does.
//!
//! Seldom-walked side paths are boxed, so that the future of a plain exchange stays small.
//!
//! admit -> know -> classify -> peek -> mend the request -> aim -> ask -> peek -> mend the reply -> finish

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    TRANSFER_ENCODING,
};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request as HttpRequest, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::{self, AtEnd, Ending, Read, ReplyBody, Upload, Watcher};
use crate::connection::{Connection, Phase};
use crate::edit::json::Object;
use crate::edit::params;
use crate::endpoint::{self, Class};
use crate::example::preflight;
use crate::exchange::{self, Ask, Event, Reply, Request, RequestBody, Site};
use crate::headers::{self, Forwarding};
use crate::knowledge::Knowledge;
use crate::plan::{Fired, Report};
use crate::refuse::{self, Refusal};
use crate::repair::{Mode, Needs};
use crate::runtime::Runtime;
use crate::telemetry::access::Record;
use crate::telemetry::counters::Untouched;
use crate::upstream::{Failure, Lease, Question, Upstream};

/// On mended answers, if the operator wants it.
const SHOW: HeaderName = HeaderName::from_static("mcp-mend");

/// What the exchanges of one worker share.
#[derive(Clone)]
pub struct Worker {
    pub runtime: Arc<Runtime>,
    pub upstream: Arc<Upstream>,
    /// Cancelled when event streams have to end.
    pub stop_streams: CancellationToken,
}

/// One exchange under way.
struct Exchange {
    worker: Worker,
    connection: Arc<Connection>,
    started: Instant,
    known: Arc<Knowledge>,
    fired: Vec<Fired>,
    untouched: Option<Untouched>,
    refused: Option<Refusal>,
}

/// An answer of the upstream, its body still to come.
struct Answer {
    reply: Reply,
    rest: Rest,
    lease: Option<Lease>,
}

/// What is to come of an answer's body, beside what a repair was shown.
enum Rest {
    /// Streams, after what was read already.
    Stream(Bytes, Incoming),
    /// Was read whole; these are its bytes as they came.
    Whole(Bytes),
    /// There is none: the answer is ours.
    Nothing,
}

/// Answers one request.
///
/// # Errors
/// Never: every failure has an answer.
pub async fn serve(
    worker: Worker,
    connection: Arc<Connection>,
    request: HttpRequest<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let started = Instant::now();
    connection.enter_at(Phase::Waiting, started);
    let known = worker.runtime.learner.recall();
    let mut exchange =
        Exchange { worker, connection, started, known, fired: Vec::new(), untouched: None, refused: None };
    let (mut request, body, host) = match exchange.admit(request) {
        Ok(admitted) => admitted,
        Err((request, refusal)) => {
            let answer = exchange.refuse(&request, refusal);
            return Ok(exchange.finish(request, answer));
        }
    };
    let answer = match exchange.pass(&mut request, body, &host).await {
        Ok(answer) => answer,
        Err(failure) => {
            tracing::debug!(refusal = failure.refusal.name, cause = ?failure.cause, "no answer from the upstream");
            exchange.refuse(&request, failure.refusal)
        }
    };
    Ok(exchange.finish(request, answer))
}

impl Exchange {
    fn runtime(&self) -> &Runtime {
        &self.worker.runtime
    }

    /// Framing and target sanity. What comes out has one Host, one path, and one way to be read.
    #[allow(clippy::result_large_err, reason = "the request goes on to be answered either way")]
    fn admit(&self, request: HttpRequest<Incoming>) -> Result<(Request, Incoming, HeaderValue), (Request, Refusal)> {
        let (parts, body) = request.into_parts();
        let verdict = admit_head(&parts, &self.connection, self.runtime().bounds.target_bytes);
        let host = verdict.as_ref().ok().cloned();
        let request = self.describe(parts);
        match (verdict, host) {
            (Ok(_), Some(host)) => Ok((request, body, host)),
            (verdict, _) => Err((request, verdict.err().unwrap_or(refuse::BAD_HOST))),
        }
    }

    /// The request as repairs see it.
    fn describe(&self, parts: http::request::Parts) -> Request {
        let http::request::Parts { method, uri, mut headers, .. } = parts;
        let preflight = preflight(&method, &headers);
        headers::strip_hop_by_hop(&mut headers);
        let target = uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Request {
            class: endpoint::classify(target.path(), &self.runtime().facts.mcp_path, &self.known.endpoints),
            target,
            origin: headers.get(ORIGIN).cloned(),
            preflight,
            authorized: headers.contains_key(AUTHORIZATION),
            method,
            headers,
            body: RequestBody::Unread,
            enlarged: false,
        }
    }

    /// From an admitted request to a mended answer.
    async fn pass(&mut self, request: &mut Request, body: Incoming, host: &HeaderValue) -> Result<Answer, Failure> {
        let runtime = self.worker.runtime.clone();
        self.set_forwarding(request, host);
        if is_about_oauth(request) {
            Box::pin(self.learn()).await;
            request.class = endpoint::classify(request.path(), &runtime.facts.mcp_path, &self.known.endpoints);
        }
        let (body, upload) = self.peek(request, body).await?;
        let report = runtime.plan.mend_request(&self.site(&runtime), request);
        let body = self.reframe_request(request, body, &report);
        self.note(report);
        self.aim(request, host);

        let kept = if request.class.may_ask_again() { Some(request.headers.clone()) } else { None };
        let headers = std::mem::take(&mut request.headers);
        let question = question(request, request.target.clone(), headers, body, upload);
        let mut answer = self.ask(request, question).await?;
        let may_ask = kept.is_some();
        let (report, ask) = runtime.plan.mend_reply(&self.site(&runtime), request, &mut answer.reply, may_ask);
        self.note(report);
        if let (Some(ask), Some(headers)) = (ask, kept) {
            answer = Box::pin(self.ask_again(request, answer, &ask, headers)).await?;
        }
        Ok(answer)
    }

    fn site<'a>(&'a self, runtime: &'a Runtime) -> Site<'a> {
        Site { facts: &runtime.facts, known: &self.known }
    }

    /// Makes sure that what can be known of the upstream is known.
    async fn learn(&mut self) {
        if let Some(known) = self.runtime().learner.fresh() {
            self.known = known;
            return;
        }
        let runtime = self.worker.runtime.clone();
        self.known = runtime.learner.known(&runtime.facts, &self.worker.upstream, &learning_headers(&runtime)).await;
    }

    fn set_forwarding(&self, request: &mut Request, host: &HeaderValue) {
        let runtime = self.runtime();
        let host = runtime.stated_host.as_ref().unwrap_or(host);
        let forwarding = Forwarding {
            peer: &self.connection.peer_value,
            host,
            forwarded: &self.connection.forwarded(host, runtime.proto()),
            proto: runtime.proto(),
            trusted: self.connection.trusted,
        };
        headers::set_forwarding(&mut request.headers, &forwarding);
    }

    /// Reads the request's body if a live repair asks for it, under a cap; otherwise it stays a stream.
    async fn peek(
        &self,
        request: &mut Request,
        mut incoming: Incoming,
    ) -> Result<(body::RequestBody, Upload), Failure> {
        let bounds = self.runtime().bounds;
        let declared = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > bounds.request_bytes) {
            return Err(refuse::BODY_TOO_LARGE.into());
        }
        let needs = self.runtime().plan.request_needs(request);
        let mut prefix = None;
        if needs != Needs::Head && carries(request, needs) {
            self.connection.enter(Phase::Body);
            let read = Box::pin(body::read(&mut incoming, bounds.body_bytes, bounds.body_time)).await;
            self.connection.leave(Phase::Body);
            match read {
                Read::Whole(bytes) => {
                    request.body = parse(needs, bytes.clone());
                    return Ok((body::RequestBody::Whole(bytes), Upload::begun(self.started)));
                }
                Read::Partly(bytes) => prefix = Some(bytes),
                Read::Failed(error) => return Err(Failure::of_upload(error)),
            }
        }
        Ok(body::RequestBody::from_client(
            prefix,
            incoming,
            self.connection.clone(),
            bounds.request_bytes,
            self.started,
        ))
    }

    /// The body that goes up: the changed one, framed anew, or the one that came.
    fn reframe_request(&self, request: &mut Request, body: body::RequestBody, report: &Report) -> body::RequestBody {
        if !report.mended() {
            return body;
        }
        let changed = match &request.body {
            RequestBody::Unread => return body,
            RequestBody::Json(object) => object.to_bytes(),
            RequestBody::Form(form) => Bytes::from(form.clone()),
        };
        headers::reframe(&mut request.headers, changed.len());
        body::RequestBody::Whole(changed)
    }

    /// Host of the upstream; for answers that may have to be mended, plain and whole ones only.
    fn aim(&self, request: &mut Request, host: &HeaderValue) {
        let runtime = self.runtime();
        let to = if runtime.preserve_host { host.clone() } else { runtime.target.authority.clone() };
        headers::aim(&mut request.headers, to);
        let mended_as_a_document = request.class != Class::Other || request.method == Method::POST;
        if mended_as_a_document && runtime.plan.may_read_reply(request.class) {
            headers::ask_for_whole(&mut request.headers);
        }
    }

    /// Asks the upstream, and reads a small JSON body if a live repair accepts the head.
    async fn ask(&mut self, request: &Request, question: Question) -> Result<Answer, Failure> {
        let (response, lease) = self.worker.upstream.ask(question).await?;
        let (parts, incoming) = response.into_parts();
        let mut reply = Reply { status: parts.status, headers: parts.headers, body: exchange::ReplyBody::Stream };
        headers::strip_hop_by_hop(&mut reply.headers);
        // What a refusal of the MCP endpoint has to say depends on what the upstream serves.
        if reply.status == StatusCode::UNAUTHORIZED && matches!(request.class, Class::Mcp | Class::LegacySse) {
            Box::pin(self.learn()).await;
        }
        let rest = self.peek_reply(request, &mut reply, incoming).await?;
        Ok(Answer { reply, rest, lease: Some(lease) })
    }

    async fn peek_reply(
        &mut self,
        request: &Request,
        reply: &mut Reply,
        mut incoming: Incoming,
    ) -> Result<Rest, Failure> {
        let runtime = self.worker.runtime.clone();
        let has_body = request.method != Method::HEAD
            && !reply.status.is_informational()
            && !matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT);
        if !has_body || !reply.is_json() || !runtime.plan.wants_reply_body(request, reply) {
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        if headers::is_encoded(&reply.headers) {
            self.untouched(Untouched::Encoded);
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        let bounds = runtime.bounds;
        let began = Instant::now();
        match Box::pin(body::read(&mut incoming, bounds.body_bytes, bounds.body_time)).await {
            Read::Whole(bytes) => {
                match Object::parse(bytes.clone()) {
                    Ok(object) => reply.body = exchange::ReplyBody::Json(object),
                    Err(_) => self.untouched(Untouched::NotJson),
                }
                Ok(Rest::Whole(bytes))
            }
            Read::Partly(prefix) => {
                let slow = began.elapsed() >= bounds.body_time;
                self.untouched(if slow { Untouched::Slow } else { Untouched::TooLarge });
                Ok(Rest::Stream(prefix, incoming))
            }
            Read::Failed(_) => Err(refuse::CUT_OFF.into()),
        }
    }

    /// The one further ask. Its answer counts if it is a success; otherwise the first one stands, mended as it is.
    async fn ask_again(
        &mut self,
        request: &mut Request,
        mut first: Answer,
        ask: &Ask,
        mut headers: HeaderMap,
    ) -> Result<Answer, Failure> {
        let runtime = self.worker.runtime.clone();
        let target = match &ask.path {
            Some(path) => PathAndQuery::try_from(path.as_str()).map_err(|_| Failure::from(refuse::BAD_TARGET))?,
            None => request.target.clone(),
        };
        let body = match (&ask.body, &request.body) {
            (Some(object), _) => object.to_bytes(),
            (None, RequestBody::Json(object)) => object.to_bytes(),
            _ => Bytes::new(),
        };
        let body = if body.is_empty() {
            body::RequestBody::Empty
        } else {
            headers::reframe(&mut headers, body.len());
            body::RequestBody::Whole(body)
        };
        let first_request = request.body.clone();
        if let Some(object) = &ask.body {
            request.body = RequestBody::Json(object.clone());
        }
        let question = question(request, target, headers, body, Upload::begun(Instant::now()));
        let mut answer = match self.ask(request, question).await {
            Ok(second) if second.reply.status.is_success() => {
                if let (Some(_), Some(fired)) = (&ask.body, self.fired.last()) {
                    // Who asked for one thing and got another shall be able to find out (reliability 26).
                    tracing::warn!(repair = fired.id, "{}", fired.finding.what);
                }
                if let (Rest::Whole(_), Some(lease)) = (&first.rest, first.lease.take()) {
                    lease.give_back(Instant::now());
                }
                second
            }
            _ => {
                request.body = first_request;
                self.fired.pop();
                first
            }
        };
        let (report, _) = runtime.plan.mend_reply(&self.site(&runtime), request, &mut answer.reply, false);
        self.note(report);
        Ok(answer)
    }

    /// An answer of our own, mended like any other so that pages can read it.
    fn refuse(&mut self, request: &Request, refusal: Refusal) -> Answer {
        self.refused = Some(refusal);
        let mut reply = refusal.reply();
        let runtime = self.worker.runtime.clone();
        runtime.counters.refused.fetch_add(1, Ordering::Relaxed);
        let (report, _) = runtime.plan.mend_reply(&self.site(&runtime), request, &mut reply, false);
        self.note(report);
        if refusal.close {
            reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Answer { reply, rest: Rest::Nothing, lease: None }
    }

    fn note(&mut self, report: Report) {
        let counters = &self.worker.runtime.counters;
        for fired in &report.fired {
            counters.fired(fired.slot);
        }
        for id in report.panicked {
            counters.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(repair = id, "a repair panicked; the message passed untouched");
            self.untouched = Some(Untouched::Panicked);
        }
        self.fired.extend(report.fired);
    }

    fn untouched(&mut self, why: Untouched) {
        self.worker.runtime.counters.untouched(why);
        self.untouched = Some(why);
    }

    /// Prints what was changed, frames it, and lets everything else leave as the bytes that came.
    fn finish(self, request: Request, answer: Answer) -> Response<ReplyBody> {
        let Answer { mut reply, rest, lease } = answer;
        let whole = match (&reply.body, &rest) {
            (exchange::ReplyBody::Json(object), _) if object.is_changed() => {
                let bytes = object.to_bytes();
                headers::reframe(&mut reply.headers, bytes.len());
                Some(bytes)
            }
            (exchange::ReplyBody::Empty, _) => {
                reply.headers.remove(CONTENT_LENGTH);
                Some(Bytes::new())
            }
            (_, Rest::Whole(bytes)) => Some(bytes.clone()),
            (_, Rest::Nothing) => Some(Bytes::new()),
            (_, Rest::Stream(..)) => None,
        };
        if request.method == Method::HEAD && request.class.is_metadata() {
            // The length that the upstream stated is that of the document before it is mended.
            reply.headers.remove(CONTENT_LENGTH);
        }
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
            (None, Rest::Stream(_, incoming)) if events => {
                ReplyBody::events(incoming, watcher.map(|watcher| (watcher, limit)), &stop, at_end)
            }
            (None, Rest::Stream(prefix, incoming)) => {
                ReplyBody::upstream((!prefix.is_empty()).then_some(prefix), incoming, at_end)
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

/// One Host, a path, a coding that we know (RFC 9112 sections 3.2 and 6.1). Answers the host that the client names.
fn admit_head(
    parts: &http::request::Parts,
    connection: &Connection,
    target_bytes: usize,
) -> Result<HeaderValue, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(refuse::NOT_ALLOWED);
    }
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > target_bytes {
        return Err(refuse::TARGET_TOO_LONG);
    }
    let is_path = target.starts_with('/') || (target.is_empty() && parts.uri.scheme().is_some());
    if !is_path {
        return Err(refuse::BAD_TARGET);
    }
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(refuse::BAD_CODING);
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(refuse::BAD_HOST);
    }
    if let (Some(authority), Some(scheme)) = (parts.uri.authority(), parts.uri.scheme_str()) {
        let ours = (scheme == "http" || scheme == "https") && is_host(authority.as_str());
        let value = HeaderValue::from_str(authority.as_str()).ok().filter(|_| ours && host.is_some());
        return value.ok_or(refuse::BAD_TARGET);
    }
    match host {
        Some(host) if connection.knows_host(host) => Ok(host.clone()),
        Some(host) if host.to_str().is_ok_and(is_host) => {
            connection.admit_host(host);
            Ok(host.clone())
        }
        Some(_) => Err(refuse::BAD_HOST),
        None if parts.version == Version::HTTP_10 => Ok(HeaderValue::from_static("localhost")),
        None => Err(refuse::BAD_HOST),
    }
}

/// A name or an address and perhaps a port; nothing that two readers could take for different hosts.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let host = authority.host();
    let port = text.strip_prefix(host);
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (named || address.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()))
        && port.is_some_and(|port| port.is_empty() || authority.port_u16().is_some())
}

/// Whether the request has to do with logging in, so that it must be known where the upstream's endpoints are. MCP
/// messages have not: they never wait for it.
fn is_about_oauth(request: &Request) -> bool {
    match request.class {
        Class::Mcp | Class::LegacySse => false,
        Class::Other => {
            let query = request.query().unwrap_or_default();
            let asks = ["client_id", "response_type", "resource"].iter().any(|name| params::has(query, name));
            let posts =
                request.method == Method::POST && (carries(request, Needs::Form) || carries(request, Needs::Json));
            asks || posts || request.preflight.is_some()
        }
        _ => true,
    }
}

/// Whether the request says that its body is of this form.
fn carries(request: &Request, needs: Needs) -> bool {
    let Some(kind) = request.headers.get(CONTENT_TYPE) else { return false };
    match needs {
        Needs::Head => false,
        Needs::Json => exchange::is_json(kind),
        Needs::Form => exchange::is_media_type(kind, "application/x-www-form-urlencoded"),
    }
}

fn parse(needs: Needs, bytes: Bytes) -> RequestBody {
    match needs {
        Needs::Head => RequestBody::Unread,
        Needs::Json => Object::parse(bytes).map_or(RequestBody::Unread, RequestBody::Json),
        Needs::Form => String::from_utf8(bytes.to_vec()).map_or(RequestBody::Unread, RequestBody::Form),
    }
}

fn question(
    request: &Request,
    target: PathAndQuery,
    headers: HeaderMap,
    body: body::RequestBody,
    upload: Upload,
) -> Question {
    Question { method: request.method.clone(), target: Uri::from(target), headers, body, upload }
}

/// The head of a request by which the proxy learns: it comes from the proxy itself.
fn learning_headers(runtime: &Runtime) -> HeaderMap {
    let public =
        HeaderValue::from_str(runtime.facts.public.authority()).unwrap_or(HeaderValue::from_static("localhost"));
    let peer = HeaderValue::from_static("127.0.0.1");
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut headers = HeaderMap::new();
    headers.insert(HOST, runtime.target.authority.clone());
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static(concat!("mcp-mend/", env!("CARGO_PKG_VERSION"))));
    let forwarded = headers::forwarded(local, &public, runtime.proto());
    let forwarding =
        Forwarding { peer: &peer, host: &public, forwarded: &forwarded, proto: runtime.proto(), trusted: false };
    headers::set_forwarding(&mut headers, &forwarding);
    headers
}
