//! The life of one exchange, top to bottom. One reading tells what the product does.
//!
//! Seldom-walked side paths are boxed, so that the future of a plain exchange stays small.
//!
//! admit -> know -> classify -> peek -> mend the request -> aim -> ask -> peek -> mend the reply -> finish

mod admit;
mod finish;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, ORIGIN};
use http::uri::PathAndQuery;
use http::{Method, Request as HttpRequest, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::{self, Read, ReplyBody, Upload};
use crate::connection::{Connection, Phase};
use crate::edit::json::Object;
use crate::endpoint::{self, Class};
use crate::example::preflight;
use crate::exchange::{self, Ask, Reply, Request, RequestBody, Site};
use crate::headers::{self, Forwarding};
use crate::knowledge::Knowledge;
use crate::plan::{Fired, Report};
use crate::refuse::{self, Refusal};
use crate::repair::Needs;
use crate::runtime::Runtime;
use crate::telemetry::counters::Untouched;
use crate::upstream::{Failure, Lease, Question, Upstream};

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
        let verdict = admit::head(&parts, &self.connection, self.runtime().bounds.target_bytes);
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
        if admit::is_about_oauth(request) {
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
        if needs != Needs::Head && admit::carries(request, needs) {
            self.connection.enter(Phase::Body);
            let read = Box::pin(body::read(&mut incoming, bounds.body_bytes, bounds.body_time)).await;
            self.connection.leave(Phase::Body);
            match read {
                Read::Whole(bytes) => {
                    request.body = admit::parse(needs, bytes.clone());
                    return Ok((body::RequestBody::Whole(bytes), Upload::begun(Instant::now())));
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
