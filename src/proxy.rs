//! The life of one exchange, top to bottom. One reading tells what the product does.
//!
//! Seldom-walked side paths are boxed, so that the future of a plain exchange stays small.
//!
//! What is decided on the way is decided by the machine (`machine`); here is what awaits and streams.
//!
//! admit (what class is it?) -> learn, if that matters -> limits -> read the body -> mend -> aim -> ask, read the answer -> mend
//! (-> ask again, weigh, mend: `go_on`) -> finish

mod account;
pub(crate) mod admit;
mod answer;
mod bridge;
mod events;
mod finish;
mod limits;
mod peek;
mod streams;
mod taping;

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{Method, Request as HttpRequest, Response};
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::account::{ExchangeStats, tell};
use self::answer::{Answer, Body, again, question};
use crate::body::caller::Caller;
use crate::body::{self, ReplyBody};
use crate::connection::{Connection, Phase, Turn};
use crate::counters::SkipReason;
use crate::endpoint::Class;
use crate::exchange::{Form, Head, Request, Site};
use crate::headers::{self, Forwarding};
use crate::jsonrpc::PROBE;
use crate::knowledge::Knowledge;
use crate::learn;
use crate::lesson::{Heard, Lesson};
use crate::machine::{Begun, Machine, News, Rules, Step, take_fields};
use crate::overload::{self, Held};
use crate::refuse::{self, Refusal};
use crate::runtime::Runtime;
use crate::sites::Sites;
use crate::tape::{RecordedExchange, Recorder};
use crate::upstream::{Failure, Upstream};

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
    /// What decides, and what has fired: for the log, the span, the header and the counters alike.
    machine: Machine<Body>,
    untouched: Option<SkipReason>,
    refused: Option<Refusal>,
    tape: Option<Box<RecordedExchange>>,
    /// Whether the client is not among those that the operator lets in.
    is_blocked_address: bool,
    /// Who opens a stream of the older transport or posts over it, if that can be told.
    caller: Option<Caller>,
    /// Whether no trusted or visible proxy sends the requests of several clients over this connection.
    is_sole: bool,
    account: ExchangeStats,
    held: Held,
    /// Counts this exchange while it lasts.
    under_way: Option<overload::Request>,
    /// Seconds after which a client that was refused may ask again.
    retry_after: Option<u64>,
    /// Whether the request was answered before all of it had come.
    cut_short: bool,
}

/// A request that goes on, its body, and the Host that it asks.
type Admitted = (Box<Request>, Incoming, HeaderValue);

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
    let account = ExchangeStats::open(&worker, &connection, &request);
    let held = Held::new(worker.runtime.load, worker.runtime.bounds.held_bytes);
    let mut exchange = Box::new(Exchange {
        worker,
        connection,
        started,
        known,
        target,
        machine: Machine::default(),
        untouched: None,
        refused: None,
        tape,
        is_blocked_address: false,
        caller: None,
        is_sole: false,
        account,
        held,
        under_way: None,
        retry_after: None,
        cut_short: false,
    });
    let (mut request, body, host) = match exchange.admit(request) {
        Ok(admitted) => admitted,
        Err((request, body, refusal)) => {
            Box::pin(exchange.discard_body(&request, !refusal.close, body)).await;
            let answer = exchange.refuse(&request, refusal);
            return Ok(exchange.finish(request, answer));
        }
    };
    let answer = match exchange.pass(&mut request, body, &host).await {
        Ok(answer) => answer,
        Err(failure) => {
            tracing::debug!(refusal = failure.refusal.name, cause = ?failure.cause, "no answer from the upstream");
            if failure.refusal == refuse::ANSWER_TIMEOUT && request.calls(PROBE) {
                learn::hear(&exchange.worker.runtime, &exchange.worker.upstream, Heard::Question(Lesson::Legacy));
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
    fn admit(&mut self, request: HttpRequest<Incoming>) -> Result<Admitted, (Box<Request>, Incoming, Refusal)> {
        let (parts, body) = request.into_parts();
        let verdict = admit::head(&parts, &self.connection, self.runtime().bounds.target_bytes);
        let request = self.describe(parts);
        self.account.class = request.class;
        self.is_blocked_address = admit::is_blocked_address(self.runtime(), &self.connection, &request.headers);
        let full = self.count_request(&request.headers).err();
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

    /// Whether this is asked by somebody who may not.
    fn is_kept_out(&self, request: &Request) -> bool {
        self.is_blocked_address && admit::is_closed(self.runtime(), request.rules)
    }

    /// The request as repairs see it.
    fn describe(&self, parts: http::request::Parts) -> Box<Request> {
        let http::request::Parts { method, mut headers, .. } = parts;
        if self.connection.is_multiplexed() {
            headers::join_cookies(&mut headers);
        }
        let head = Head { method, target: self.target.clone(), headers };
        let mut request = Box::new(Request::new(&self.site(self.runtime()), head, seconds_now));
        if request.class == Class::Mcp {
            request.moved = self.runtime().learner.moved();
        }
        request
    }

    /// From an admitted request to a mended answer.
    async fn pass(&mut self, request: &mut Request, body: Incoming, host: &HeaderValue) -> Result<Answer, Failure> {
        let runtime = self.worker.runtime.clone();
        // A stranger's path may be that of an endpoint which only the metadata name.
        let may_be_closed = self.is_blocked_address && request.class == Class::Other;
        if may_be_closed || admit::is_about_oauth(request) {
            Box::pin(self.learn(request)).await;
            let place = self.site(self.runtime()).place(&request.method, &request.target, &request.headers);
            (request.class, request.rules, request.is_document) = (place.class, place.rules, place.is_document);
            if may_be_closed && runtime.learner.may_miss_endpoints() {
                request.rules = admit::rules_of_any_endpoint(request);
            }
            self.account.class = request.class;
        } else if runtime.learner.is_on_first_visit() {
            Box::pin(runtime.learner.first_visit(waits_for_first_visit(request))).await;
            self.take(runtime.learner.recall(), request);
        }
        let refusal = match () {
            () if self.is_kept_out(request) => Some(refuse::NOT_ADMITTED),
            () if self.asks_too_often(request) => Some(refuse::TOO_MANY_REQUESTS),
            () => None,
        };
        if let Some(refusal) = refusal {
            Box::pin(self.discard_body(request, !refusal.close, body)).await;
            return Err(refusal.into());
        }
        // Both read what the client says of itself, which is replaced next.
        self.caller = self.caller(request);
        self.is_sole = !self.connection.trusted && !request.names.via && !request.names.forwarding;
        self.set_forwarding(request, host);
        let (body, upload) = self.peek(request, body).await?;
        let authorization = request.headers.get(AUTHORIZATION).cloned();
        let changed = match self.decide(|machine, rules| machine.begin(rules, request)) {
            Begun::Answer(answer) => {
                Box::pin(self.discard_body(request, true, body)).await;
                return Ok(*answer);
            }
            Begun::Ask(changed) => changed,
        };
        // Where a repair has moved the credentials, the fields that go up do not tell callers apart.
        self.is_sole &= request.headers.get(AUTHORIZATION) == authorization.as_ref();
        let body = changed.map_or(body, body::RequestBody::Whole);
        self.aim(request, host);
        let fields = take_fields(request);
        let question = question(request, request.target.clone(), fields, body, upload);
        let answer = self.ask(request, question).await?;
        let mut step = self.decide(|machine, rules| machine.came(rules, request, answer));
        let mut answer = loop {
            match step {
                Step::Relay(answer) => break answer,
                further => step = Box::pin(self.go_on(request, further)).await?,
            }
        };
        if answer.reply.form == Form::Posted {
            self.send_to_stream(request, &mut answer);
        }
        Ok(answer)
    }

    /// Does what the machine wants, and tells it what came.
    async fn go_on(&mut self, request: &mut Request, step: Step<Body>) -> Result<Step<Body>, Failure> {
        let next = match step {
            Step::Relay(_) => return Ok(step),
            Step::Gather(answer) => {
                let text = self.gather(request, answer).await;
                self.decide(|machine, rules| machine.gathered(rules, request, text))
            }
            Step::Ask(outgoing) => {
                let answer = self.ask(request, again(request, outgoing)).await;
                return self.answered(request, answer);
            }
            Step::Bridge(at) => match self.bridge(request, &at).await {
                Some(answer) => return self.answered(request, answer),
                None => self.decide(|machine, rules| machine.failed(rules, request, false)),
            },
        };
        next.ok_or_else(|| refuse::INTERNAL.into())
    }

    fn answered(&mut self, request: &mut Request, answer: Result<Answer, Failure>) -> Result<Step<Body>, Failure> {
        self.decide(|machine, rules| match answer {
            Ok(answer) => Ok(machine.came(rules, request, answer)),
            Err(failure) => machine.failed(rules, request, failure.was_sent()).ok_or(failure),
        })
    }

    /// Lets the machine decide, and passes on what that brought up for others.
    fn decide<T>(&mut self, decide: impl FnOnce(&mut Machine<Body>, &Rules<'_>) -> T) -> T {
        let Self { machine, known, worker, is_blocked_address, .. } = self;
        let site = Site { facts: &worker.runtime.facts, known };
        let may_ask_at =
            |request: &Request, target: &str| admit::may_ask_at(worker, site, *is_blocked_address, request, target);
        let decided = decide(machine, &Rules { plan: &worker.runtime.plan, site, may_ask_at: &may_ask_at });
        if let Some(news) = self.machine.take_news() {
            self.pass_on(news);
        }
        decided
    }

    fn pass_on(&mut self, news: News) {
        self.untouched = tell(&self.worker.runtime.counters, &news.bugs).or(self.untouched);
        for heard in news.heard {
            learn::hear(&self.worker.runtime, &self.worker.upstream, heard);
        }
        if let Some((repair, what)) = news.substituted {
            // Whoever asked for one thing and got another can find out why.
            tracing::warn!(repair, "{what}");
        }
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
            is_told: request.names.forwarding,
        };
        headers::set_forwarding(&mut request.headers, &forwarding);
    }

    /// Host of the upstream. Documents that may have to be mended are asked for plain and whole, messages without a content
    /// coding.
    fn aim(&self, request: &mut Request, host: &HeaderValue) {
        let runtime = self.runtime();
        let to = if runtime.preserve_host { host.clone() } else { runtime.target.authority.clone() };
        headers::aim(&mut request.headers, to);
        self.set_trace(&mut request.headers);
        let mended_as_a_document = match request.class {
            class if class.has_messages() => {
                // Events must not wait in a compressor.
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
        self.decide(|machine, rules| machine.answer(rules, request, reply))
    }

    fn note_untouched(&mut self, why: SkipReason) {
        self.worker.runtime.counters.untouched(why);
        self.untouched = Some(why);
    }
}

/// Whether the answer depends on what is known of the login, before the upstream is asked: a stream that a stranger
/// opens.
fn waits_for_first_visit(request: &Request) -> bool {
    request.class == Class::Mcp && matches!(request.method, Method::GET | Method::HEAD) && !request.authorized
}

fn target_of(request: &HttpRequest<Incoming>) -> PathAndQuery {
    request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// Seconds since 1970.
fn seconds_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
