//! The life of one exchange, top to bottom. One reading tells what the product does.
//!
//! Seldom-walked side paths are boxed, so that the future of a plain exchange stays small.
//!
//! admit -> know -> classify -> peek -> mend the request -> aim -> ask -> peek -> mend the reply -> finish

mod account;
pub(crate) mod admit;
pub(crate) mod answer;
mod bridge;
mod finish;
mod lessons;
mod limits;
mod parts;
pub(crate) mod reading;
mod streams;
mod taping;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderValue, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{Method, Request as HttpRequest, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::account::Account;
use self::answer::{Answer, question};
use crate::body::caller::Caller;
use crate::body::{self, Read, ReplyBody, Upload};
use crate::connection::{Connection, Phase, Turn};
use crate::endpoint::Class;
use crate::exchange::{Form, Head, Reply, ReplyBody as ReplyText, Request, RequestBody, Site};
use crate::headers::{self, Forwarding};
use crate::jsonrpc::Envelope;
use crate::knowledge::Knowledge;
use crate::learn;
use crate::lesson::response::Brought;
use crate::lesson::{Heard, Lesson};
use crate::overload::{self, Held};
use crate::plan::{Findings, Report};
use crate::refuse::{self, Refusal};
use crate::repair::Needs;
use crate::repairs::version::PROBE;
use crate::runtime::Runtime;
use crate::sites::Sites;
use crate::telemetry::counters::Untouched;
use crate::telemetry::tape::{Recorder, Taped};
use crate::upstream::{Failure, Owner, Upstream};

/// What the exchanges of one worker share.
#[derive(Clone)]
pub struct Worker {
    pub runtime: Arc<Runtime>,
    pub upstream: Arc<Upstream>,
    /// Cancelled when event streams have to end.
    pub stop_streams: CancellationToken,
    /// Who wants to see exchanges whole.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// All sites, if there are several.
    pub sites: Option<Arc<Sites>>,
    /// What is answered at once, because no site is where the request went.
    pub stray: Option<Refusal>,
}

/// One exchange under way.
struct Exchange {
    worker: Worker,
    connection: Turn,
    started: Instant,
    known: Arc<Knowledge>,
    /// What the client asked for.
    target: PathAndQuery,
    /// What fired, for the log, the span, the header and the counters alike.
    findings: Findings,
    untouched: Option<Untouched>,
    refused: Option<Refusal>,
    tape: Option<Box<Taped>>,
    /// Whether the client is not among those that the operator lets in.
    is_stranger: bool,
    /// Who opens a stream of the older transport or posts over it, if that can be told.
    caller: Option<Caller>,
    /// Who may go on with a connection to the upstream that nobody else may use any more, if that can be told.
    owner: Option<Owner>,
    account: Account,
    held: Held,
    /// Counts this exchange while it lasts.
    under_way: Option<overload::Request>,
    /// Seconds after which a client that was refused may ask again.
    retry_after: Option<u64>,
    /// Whether the request was answered before all of it had come.
    cut_short: bool,
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
    let connection = Turn::begin(connection, started);
    let known = worker.runtime.learner.recall();
    let target = target_of(&request);
    let tape = taping::begin(&worker, &connection, &request);
    let account = Account::open(&worker, &connection, &request);
    let held = Held::new(worker.runtime.load, worker.runtime.bounds.held_bytes);
    let mut exchange = Exchange {
        worker,
        connection,
        started,
        known,
        target,
        findings: Findings::default(),
        untouched: None,
        refused: None,
        tape,
        is_stranger: false,
        caller: None,
        owner: None,
        account,
        held,
        under_way: None,
        retry_after: None,
        cut_short: false,
    };
    let (mut request, body, host) = match exchange.admit(request) {
        Ok(admitted) => admitted,
        Err((request, body, refusal)) => {
            Box::pin(exchange.leave(&request, !refusal.close, body)).await;
            let answer = exchange.refuse(&request, refusal);
            return Ok(exchange.finish(request, answer));
        }
    };
    let answer = match exchange.pass(&mut request, body, &host).await {
        Ok(answer) => answer,
        Err(failure) => {
            tracing::debug!(refusal = failure.refusal.name, cause = ?failure.cause, "no answer from the upstream");
            if failure.refusal == refuse::ANSWER_TIMEOUT && request.calls(PROBE) {
                exchange.hear(Some(Heard::Question(Lesson::Legacy)));
            }
            exchange.cut_short |= exchange.connection.phase() == Phase::Body;
            if failure.refusal == refuse::NO_DESCRIPTOR {
                exchange.retry_after = Some(1);
            }
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
    fn admit(
        &mut self,
        request: HttpRequest<Incoming>,
    ) -> Result<(Request, Incoming, HeaderValue), (Request, Incoming, Refusal)> {
        let (parts, body) = request.into_parts();
        let verdict = admit::head(&parts, &self.connection, self.runtime().bounds.target_bytes);
        let request = self.describe(parts);
        self.account.class = request.class;
        self.is_stranger = admit::is_stranger(self.runtime(), &self.connection, &request.headers);
        let full = self.begin(&request.headers).err();
        match (verdict, self.worker.stray) {
            (Ok(_), Some(refusal)) => Err((request, body, refusal)),
            (Ok(host), _) if admit::is_other_host(self.runtime(), &request, &host) => {
                Err((request, body, refuse::UNKNOWN_HOST))
            }
            (Ok(_), _) if self.is_kept_out(&request) => Err((request, body, refuse::NOT_ADMITTED)),
            (Ok(host), _) => match full {
                Some(refusal) => Err((request, body, refusal)),
                None => Ok((request, body, host)),
            },
            (Err(refusal), _) => Err((request, body, refusal)),
        }
    }

    /// The caller that may reuse a private connection to the upstream: known by the credentials it sent, on a client connection
    /// that no trusted or visible proxy shares. Must be called before header fields are changed.
    fn owner(&self, request: &Request, has_body: bool) -> Option<Owner> {
        let may_matter = has_body || !self.connection.private.is_empty();
        if !may_matter || self.connection.trusted || headers::is_relayed(&request.headers) {
            return None;
        }
        let caller = Caller::with_credentials(&request.headers)?;
        Some(Owner::new(Arc::clone(&self.connection), caller))
    }

    /// Whether this is asked by somebody who may not.
    fn is_kept_out(&self, request: &Request) -> bool {
        self.is_stranger && admit::is_closed(self.runtime(), request.rules)
    }

    /// The request as repairs see it.
    fn describe(&self, parts: http::request::Parts) -> Request {
        let http::request::Parts { method, mut headers, .. } = parts;
        if self.connection.is_multiplexed() {
            headers::join_cookies(&mut headers);
        }
        let head = Head { method, target: self.target.clone(), headers };
        let request = Request::new(&self.site(self.runtime()), head, seconds_now);
        let moved = if request.class == Class::Mcp { self.runtime().learner.moved() } else { None };
        Request { moved, ..request }
    }

    /// From an admitted request to a mended answer.
    async fn pass(&mut self, request: &mut Request, body: Incoming, host: &HeaderValue) -> Result<Answer, Failure> {
        let runtime = self.worker.runtime.clone();
        // A stranger's path may be that of an endpoint which only the metadata name.
        let may_be_closed = self.is_stranger && request.class == Class::Other;
        if may_be_closed || admit::is_about_oauth(request) {
            Box::pin(self.learn(request)).await;
            let place = self.site(self.runtime()).place(&request.method, &request.target, &request.headers);
            (request.class, request.rules, request.is_document) = (place.class, place.rules, place.is_document);
            if may_be_closed && runtime.learner.may_miss_endpoints() {
                request.rules = admit::rules_of_any_endpoint(request);
            }
            self.account.class = request.class;
        } else if runtime.learner.is_on_first_visit() {
            Box::pin(runtime.learner.first_visit(self.depends_on_login(request))).await;
            self.take(runtime.learner.recall(), request);
        }
        let refusal = match () {
            () if self.is_kept_out(request) => Some(refuse::NOT_ADMITTED),
            () if self.asks_too_often(request) => Some(refuse::TOO_MANY_REQUESTS),
            () => None,
        };
        if let Some(refusal) = refusal {
            Box::pin(self.leave(request, !refusal.close, body)).await;
            return Err(refusal.into());
        }
        self.caller = self.caller(request);
        self.owner = self.owner(request, !body.is_end_stream());
        self.set_forwarding(request, host);
        let (body, upload) = self.peek(request, body).await?;
        let brought = Brought::by(&self.site(&runtime), request);
        let target = request.target.clone();
        let (report, answer) = runtime.plan.mend_request(&self.site(&runtime), request);
        let has_moved = request.target != target && request.moved.as_deref() == Some(request.target.as_str());
        if let Some(reply) = answer {
            self.note(report);
            Box::pin(self.leave(request, true, body)).await;
            return Ok(self.answer_here(request, *reply));
        }
        let body = self.reframe_request(request, body, &report);
        self.note(report);
        self.aim(request, host);

        let may_ask = request.class.may_ask_again();
        let headers = if may_ask { request.headers.clone() } else { std::mem::take(&mut request.headers) };
        let question = question(request, request.target.clone(), headers, body, upload);
        let mut answer = self.ask(request, question).await?;
        self.listen(request, &answer.reply, brought.as_ref(), has_moved);
        let mut asks_left = most_asks(request.class);
        loop {
            let (mut report, ask) =
                runtime.plan.mend_reply(&self.site(&runtime), request, &mut answer.reply, asks_left > 0);
            let asking = report.take_asking(ask.as_ref());
            self.note(report);
            let (Some(ask), Some(asking)) = (ask, asking) else { break };
            asks_left = asks_left.saturating_sub(1);
            let is_better;
            (answer, is_better) = Box::pin(self.ask_again(request, answer, &ask, asking)).await;
            asks_left = if is_better { asks_left } else { 0 };
        }
        self.mend_message(request, &mut answer);
        if answer.reply.form == Form::Posted {
            self.send_to_stream(request, &mut answer);
        }
        Ok(answer)
    }

    /// Mends the one message of an answer that was read whole.
    fn mend_message(&mut self, request: &Request, answer: &mut Answer) {
        let runtime = self.worker.runtime.clone();
        let Some(text) = answer.message(request) else { return };
        let site = self.site(&runtime);
        let (report, mended) = match &answer.reply.message {
            Some(peeked) if matches!(answer.reply.body, ReplyText::Stream) => {
                runtime.plan.mend_peeked(&site, request, peeked, &text)
            }
            _ => runtime.plan.mend_message(&site, request, &text),
        };
        if let Some(mended) = mended {
            answer.reply.body = ReplyText::Text(mended);
        }
        self.note(report);
    }

    fn site<'a>(&'a self, runtime: &'a Runtime) -> Site<'a> {
        Site { facts: &runtime.facts, known: &self.known }
    }

    /// Makes sure that what can be known of the upstream is known.
    async fn learn(&mut self, request: &mut Request) {
        let known = match self.runtime().learner.fresh() {
            Some(known) => known,
            None => learn::know(&self.worker.runtime, &self.worker.upstream).await,
        };
        self.take(known, request);
    }

    /// Goes on with what is known now.
    fn take(&mut self, known: Arc<Knowledge>, request: &mut Request) {
        self.known = known;
        request.take_login(!self.known.is_without_oauth(), seconds_now);
    }

    fn set_forwarding(&self, request: &mut Request, host: &HeaderValue) {
        let runtime = self.runtime();
        if runtime.as_client {
            return;
        }
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
        &mut self,
        request: &mut Request,
        mut incoming: Incoming,
    ) -> Result<(body::RequestBody, Upload), Failure> {
        let bounds = self.runtime().bounds;
        let declared = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > bounds.request_bytes) {
            return Err(refuse::BODY_TOO_LARGE.into());
        }
        if limits::has_meaningless_body(request, &incoming) {
            Box::pin(self.leave_meaningless(request, incoming)).await?;
            return Ok((body::RequestBody::Empty, Upload::begun(Instant::now())));
        }
        if request.class.has_messages() && request.method == Method::POST {
            return self.peek_message(request, incoming, declared).await;
        }
        let needs = match self.runtime().plan.request_needs(request) {
            Needs::Head if self.is_form_of_login(request) => Needs::Form,
            needs => needs,
        };
        let mut prefix = None;
        if needs != Needs::Head && admit::carries(request, needs) {
            self.connection.enter(Phase::Body);
            let longest = bounds.body_bytes.min(admit::LONGEST_BODY);
            let read = Box::pin(body::read(&mut incoming, longest, bounds.body_time, &mut self.held)).await;
            self.connection.leave(Phase::Body);
            match read {
                Read::Whole(_) if body::is_cut(&self.connection, &incoming) => return Err(refuse::BAD_BODY.into()),
                Read::Whole(bytes) => {
                    self.take_in(&bytes);
                    reading::show_body(needs, request, bytes.clone());
                    return Ok((body::RequestBody::Whole(bytes), Upload::begun(Instant::now())));
                }
                Read::Partly(bytes) => {
                    if self.held.is_refused {
                        self.untouched(Untouched::Busy);
                    }
                    prefix = Some(bytes);
                }
                Read::Failed(error) => return Err(Failure::of_upload(error)),
            }
        }
        Ok(self.stream_up(prefix, incoming))
    }

    /// A body was read whole.
    fn take_in(&mut self, bytes: &Bytes) {
        self.runtime().counters.bytes_up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.tape_body(bytes);
    }

    fn stream_up(&self, prefix: Option<Bytes>, incoming: Incoming) -> (body::RequestBody, Upload) {
        let bounds = &self.runtime().bounds;
        let limits = (bounds.request_bytes, bounds.patience.body);
        let counters = self.runtime().counters.clone();
        body::RequestBody::from_client(prefix, incoming, self.connection.clone(), counters, limits, self.started)
    }

    /// Peeks at a message: at all of a short one, which then can be mended and sent again; at the beginning of a long one,
    /// which streams.
    async fn peek_message(
        &mut self,
        request: &mut Request,
        mut incoming: Incoming,
        declared: Option<u64>,
    ) -> Result<(body::RequestBody, Upload), Failure> {
        let bounds = self.runtime().bounds;
        let longest = bounds.body_bytes.min(admit::LONGEST_BODY);
        let is_long = declared.is_some_and(|length| length > longest as u64);
        self.connection.enter(Phase::Body);
        let read = if is_long {
            Box::pin(body::read_start(&mut incoming, bounds.body_time)).await
        } else {
            Box::pin(body::read(&mut incoming, longest, bounds.body_time, &mut self.held)).await
        };
        self.connection.leave(Phase::Body);
        match read {
            Read::Whole(_) if body::is_cut(&self.connection, &incoming) => Err(refuse::BAD_BODY.into()),
            Read::Whole(bytes) => {
                self.take_in(&bytes);
                let is_legacy = || self.runtime().learner.is_legacy();
                reading::show_message(&self.runtime().plan, request, bytes.clone(), is_legacy);
                Ok((body::RequestBody::Whole(bytes), Upload::begun(Instant::now())))
            }
            Read::Partly(bytes) => {
                if !is_long && self.held.is_refused {
                    self.untouched(Untouched::Busy);
                }
                request.message = Some(Envelope::peek_start(&bytes)).filter(Envelope::is_message);
                Ok(self.stream_up(Some(bytes).filter(|bytes| !bytes.is_empty()), incoming))
            }
            Read::Failed(error) => Err(Failure::of_upload(error)),
        }
    }

    /// The body that goes up: the changed one, framed anew, or the one that came.
    fn reframe_request(&self, request: &mut Request, body: body::RequestBody, report: &Report) -> body::RequestBody {
        if !report.mended() {
            return body;
        }
        let changed = match &request.body {
            RequestBody::Unread | RequestBody::Whole(_) => return body,
            RequestBody::Json(object) if !object.is_changed() => return body,
            RequestBody::Json(object) => object.to_bytes(),
            RequestBody::Form(form) => Bytes::from(form.clone()),
        };
        headers::reframe(&mut request.headers, changed.len());
        body::RequestBody::Whole(changed)
    }

    /// Host of the upstream; for documents that may have to be mended, plain and whole ones only. Of the MCP endpoint
    /// only refusals are read, and their coding is undone first: its messages go on being compressed.
    fn aim(&self, request: &mut Request, host: &HeaderValue) {
        let runtime = self.runtime();
        let to = if runtime.preserve_host { host.clone() } else { runtime.target.authority.clone() };
        headers::aim(&mut request.headers, to);
        self.set_trace(&mut request.headers);
        let mended_as_a_document = match request.class {
            class if class.has_messages() => {
                // Events must not wait in a compressor (reliability of streams, MCP 2026-07-28).
                if runtime.plan.wants_messages(request) {
                    request.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                }
                false
            }
            Class::Other => request.method == Method::POST,
            _ => true,
        };
        if mended_as_a_document && runtime.plan.may_read_reply(request.class) {
            headers::ask_for_whole(&mut request.headers);
        }
    }

    /// An answer of our own, mended like any other so that pages can read it.
    fn refuse(&mut self, request: &Request, refusal: Refusal) -> Answer {
        self.refused = Some(refusal);
        let mut reply = refusal.reply();
        if let Some(seconds) = self.retry_after {
            reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        self.worker.runtime.counters.refused(&refusal);
        self.cut_short |= refusal.close;
        self.answer_here(request, reply)
    }

    /// An answer that the upstream has no part in.
    fn answer_here(&mut self, request: &Request, mut reply: Reply) -> Answer {
        let runtime = self.worker.runtime.clone();
        let (report, _) = runtime.plan.mend_reply(&self.site(&runtime), request, &mut reply, false);
        self.note(report);
        Answer::ours(reply)
    }

    fn untouched(&mut self, why: Untouched) {
        self.worker.runtime.counters.untouched(why);
        self.untouched = Some(why);
    }
}

fn target_of(request: &HttpRequest<Incoming>) -> PathAndQuery {
    request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// How many further asks an exchange may take: a redirect may lead to another.
pub(crate) fn most_asks(class: Class) -> usize {
    match class {
        class if class.has_messages() => 3,
        class => usize::from(class.may_ask_again()),
    }
}

/// Seconds since 1970.
fn seconds_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
