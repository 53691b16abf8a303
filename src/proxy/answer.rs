//! The upstream's side of an exchange: asking it, reading of its answer what a repair has to see, and the one further
//! ask.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Exchange, admit, reading};
use crate::body::{self, Read, Upload};
use crate::coding;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::{Ask, Form, Opening, Reply, ReplyBody, Request, RequestBody};
use crate::headers;
use crate::plan::Fired;
use crate::refuse;
use crate::repair::Needs;
use crate::repairs::version::PROBE;
use crate::telemetry::counters::Untouched;
use crate::upstream::{Failure, Lease, Proof, Question, Route};

/// A discovery document that does not come within this time is none: the most patient clients wait ten seconds
/// (field report 7), and ask at several places.
const DOCUMENT_PATIENCE: Duration = Duration::from_secs(5);

/// Clients wait five seconds for an answer to the probe (protocol 3.7).
const PROBE_PATIENCE: Duration = Duration::from_millis(2500);
/// A stream that is not opened within this time is not opened.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);
/// Whoever stands in for a client waits at least so long: what he finds missing has to be missing, and not slow.
const CLIENT_PATIENCE: Duration = Duration::from_secs(8);
/// A session that is not ended within this time cannot be ended: who ends it is about to close.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// An answer of the upstream, its body still to come.
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) rest: Rest,
    pub(super) lease: Option<Lease>,
}

/// What is to come of an answer's body, beside what a repair was shown.
pub(super) enum Rest {
    /// Streams, after what was read already.
    Stream(Bytes, Incoming),
    /// Was read whole: its bytes as they came, and without their content coding if they had one that could be undone.
    Whole(Bytes, Option<Bytes>),
    /// There is none: the answer is ours.
    Nothing,
}

impl Answer {
    pub(super) fn ours(reply: Reply) -> Self {
        Self { reply, rest: Rest::Nothing, lease: None }
    }

    /// The text of the one message that it is, if that was read.
    pub(super) fn message(&self, request: &Request) -> Option<Bytes> {
        if request.class.has_messages() && self.reply.is_json() { self.text() } else { None }
    }

    /// The text of the body, if it was read.
    pub(super) fn text(&self) -> Option<Bytes> {
        match (&self.reply.body, &self.rest) {
            (ReplyBody::Json(object), _) => Some(object.to_bytes()),
            (ReplyBody::Text(text), _) => Some(text.clone()),
            (ReplyBody::Stream, Rest::Whole(bytes, decoded)) => Some(decoded.as_ref().unwrap_or(bytes).clone()),
            _ => None,
        }
    }
}

impl Exchange {
    /// Asks the upstream, and reads a small body if a live repair accepts the head.
    pub(super) async fn ask(&mut self, request: &mut Request, question: Question) -> Result<Answer, Failure> {
        let question = self.of_client(question);
        self.tape_question(&question);
        self.account.asked = self.account.asked.saturating_add(1);
        let begun = question.upload.begun_at();
        let (response, mut lease) = self.worker.upstream.ask(question).await?;
        self.runtime().counters.first_byte.note(begun.elapsed());
        self.account.place = lease.place();
        let (parts, incoming) = response.into_parts();
        let mut reply = Reply::new(parts.status, parts.headers);
        headers::strip_hop_by_hop(&mut reply.headers);
        if depends_on_login(request, &reply) {
            Box::pin(self.learn(request)).await;
        }
        let rest = self.peek_reply(request, &mut reply, incoming).await?;
        if grants_token(&reply) {
            lease.granted();
        }
        self.tape_answer(&reply, &rest);
        Ok(Answer { reply, rest, lease: Some(lease) })
    }

    /// Whoever stands in for a client waits longer than a proxy does: the server may be one. And a connection that must not
    /// be shared goes on serving the same caller.
    fn of_client(&self, question: Question) -> Question {
        let patience = self.runtime().patience();
        let least = if patience > 1 { CLIENT_PATIENCE } else { Duration::ZERO };
        let first_byte = question.first_byte.map(|limit| (limit * patience).max(least));
        Question { first_byte, owner: self.owner.clone(), ..question }
    }

    async fn peek_reply(
        &mut self,
        request: &Request,
        reply: &mut Reply,
        mut incoming: Incoming,
    ) -> Result<Rest, Failure> {
        let runtime = self.worker.runtime.clone();
        if !reading::has_body(request, reply.status) {
            reply.coding = None;
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        let needs = reading::needs(&runtime.plan, request, reply);
        if needs == Needs::Head && runtime.plan.wants_messages(request) && reading::may_be_message(request, reply) {
            return self.peek_answer(request, reply, incoming).await;
        }
        if needs == Needs::Head {
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        if reply.coding.is_none() && headers::is_encoded(&reply.headers) {
            self.untouched(Untouched::Encoded);
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        let bounds = runtime.bounds;
        let began = Instant::now();
        let read = body::read(&mut incoming, bounds.body_bytes, bounds.body_time, &mut self.held);
        match Box::pin(read).await {
            Read::Whole(bytes) => Ok(self.show(reply, bytes, bounds.body_bytes)),
            Read::Partly(prefix) => {
                self.untouched(match began.elapsed() >= bounds.body_time {
                    _ if self.held.is_refused => Untouched::Busy,
                    true => Untouched::Slow,
                    false => Untouched::TooLarge,
                });
                Ok(Rest::Stream(prefix, incoming))
            }
            Read::Failed(_) => Err(refuse::CUT_OFF.into()),
        }
    }

    /// Peeks at the answer to a message: at what it begins like, and if it is one message, at all of it.
    async fn peek_answer(
        &mut self,
        request: &Request,
        reply: &mut Reply,
        mut incoming: Incoming,
    ) -> Result<Rest, Failure> {
        let bounds = self.runtime().bounds;
        let most = reading::longest_message(request, bounds.body_bytes);
        if reply.coding.is_some() {
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        if reply.declared_length().is_some_and(|length| length > most as u64) {
            // It is not read; how it begins tells what it should be called.
            let start = match reply.is_json() {
                true => Bytes::new(),
                false => match Box::pin(body::read_start(&mut incoming, bounds.body_time)).await {
                    Read::Whole(start) | Read::Partly(start) => start,
                    Read::Failed(_) => return Err(refuse::CUT_OFF.into()),
                },
            };
            reply.opening = Opening::of(&start);
            return Ok(Rest::Stream(start, incoming));
        }
        // What is answered to a POST of the older transport is short, whatever it is.
        let is_posted = request.class == Class::LegacyPost;
        let is_message = |start: &[u8]| match Opening::of(start) {
            Opening::Events => is_posted,
            Opening::Other => false,
            _ => true,
        };
        let read = body::read_while(&mut incoming, most, bounds.body_time, &mut self.held, is_message);
        match Box::pin(read).await {
            Read::Whole(bytes) => {
                if reading::show_answer(&self.runtime().plan, request, reply, &bytes) {
                    return Ok(self.show(reply, bytes, bounds.body_bytes));
                }
                Ok(Rest::Whole(bytes, None))
            }
            Read::Partly(prefix) => {
                if self.held.is_refused {
                    self.untouched(Untouched::Busy);
                }
                reply.opening = Opening::of(&prefix);
                Ok(Rest::Stream(prefix, incoming))
            }
            Read::Failed(_) => Err(refuse::CUT_OFF.into()),
        }
    }

    /// Lets the repairs see a body that was read whole, without its content coding.
    fn show(&mut self, reply: &mut Reply, bytes: Bytes, most: usize) -> Rest {
        let decoded = match reply.coding.map(|coding| coding::decode(coding, &bytes, most)) {
            None => None,
            Some(Ok(decoded)) => Some(decoded),
            Some(Err(_)) => {
                // Neither to be mended nor to be handed on decoded: it goes as it came.
                reply.coding = None;
                self.untouched(Untouched::Encoded);
                return Rest::Whole(bytes, None);
            }
        };
        let plain = decoded.as_ref().unwrap_or(&bytes);
        if !reading::show_whole(reply, plain) && reply.is_json() {
            self.untouched(Untouched::NotJson);
        }
        Rest::Whole(bytes, decoded)
    }

    /// A further ask. Its answer counts if it is better, and then the repair that is `asking` has fired; otherwise the first
    /// one stands, and what was found on the way is taken back.
    pub(super) async fn ask_again(
        &mut self,
        request: &mut Request,
        mut first: Answer,
        ask: &Ask,
        asking: Fired,
    ) -> (Answer, bool) {
        let first_body = request.body.clone();
        let before = self.findings.mark();
        let (id, what) = (asking.id, asking.finding.what.clone());
        self.note(asking.into());
        let asked = self.findings.mark();
        if matches!(first.rest, Rest::Whole(..))
            && let Some(lease) = first.lease.take()
        {
            // Of its answer nothing is still to come: an exchange has one connection at a time where it can.
            lease.give_back(Instant::now());
        }
        let mut next = Some(ask);
        while let Some(ask) = next {
            next = ask.otherwise.as_deref();
            self.findings.take_back(asked);
            let Some(second) = self.ask_so(request, ask).await else { continue };
            if !Ask::is_better(request.class, &first.reply, &second.reply) {
                continue;
            }
            let is_changed = !request.class.has_messages() && (ask.body.is_some() || ask.authorization.is_some());
            if is_changed {
                // Who asked for one thing and got another shall be able to find out (reliability 26).
                tracing::warn!(repair = id, "{what}");
            }
            self.listen_again(request, &first.reply, ask);
            return (second, true);
        }
        request.body = first_body;
        self.findings.take_back(before);
        (first, false)
    }

    /// The answer to a request that is put otherwise, if it can be.
    async fn ask_so(&mut self, request: &mut Request, ask: &Ask) -> Option<Answer> {
        if !ask.parts.is_empty() {
            return Box::pin(self.ask_parts(request, &ask.parts)).await;
        }
        if let Some(at) = &ask.bridge {
            return self.bridge(request, at).await;
        }
        if ask.is_led && !ask.target.as_deref().is_some_and(|target| self.may_ask_at(request, target)) {
            return None;
        }
        let question = again(request, ask)?;
        if let Some(body) = &ask.body {
            request.body.clone_from(body);
        }
        let mut answer = self.ask(request, question).await.ok()?;
        if ask.listens && answer.reply.is_of("text/event-stream") {
            answer.reply.form = Form::Listened;
        }
        Some(answer)
    }
}

impl Exchange {
    /// Whether the client could send this request to `target` itself: the target is on the same site, and no rule applies there
    /// that has not been checked. The client's own parameters may decide where a redirect leads.
    fn may_ask_at(&self, request: &Request, target: &str) -> bool {
        let Ok(target) = PathAndQuery::try_from(target) else { return false };
        let there = self.site(self.runtime()).place(&request.method, &target, &request.headers).rules;
        let is_closed = self.is_stranger && admit::is_closed(self.runtime(), there);
        let is_here = self.worker.sites.as_ref().is_none_or(|sites| sites.keeps(&self.worker.runtime, target.path()));
        is_here && !is_closed && there.adds_nothing_to(request.rules)
    }
}

/// Whether what a sound server answers depends on whether clients log in to this one: a refusal, or what some servers
/// send for one. Only then does a message wait until that is known.
fn depends_on_login(request: &Request, reply: &Reply) -> bool {
    if !request.class.has_messages() || request.preflight.is_some() {
        return false;
    }
    match reply.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => !request.authorized,
        status => status.is_redirection() || reply.is_of("text/html"),
    }
}

/// The method that the upstream is asked with: a HEAD of a document is a GET there, so that what is said of the
/// document is said of the mended one (RFC 9110 section 9.3.2).
pub(crate) fn asked_with(request: &Request) -> Method {
    if request.class.is_metadata() && request.method == Method::HEAD { Method::GET } else { request.method.clone() }
}

/// What the upstream is asked.
pub(super) fn question(
    request: &Request,
    target: PathAndQuery,
    headers: HeaderMap,
    body: body::RequestBody,
    upload: Upload,
) -> Question {
    let is_mcp = request.class == Class::Mcp;
    let first_byte = match request.method {
        _ if request.class.is_metadata() => Some(DOCUMENT_PATIENCE),
        Method::GET if is_mcp && request.accepts.events && !request.wants_page => Some(STREAM_PATIENCE),
        Method::DELETE if is_mcp => Some(END_PATIENCE),
        Method::POST if is_mcp && request.calls(PROBE) => Some(PROBE_PATIENCE),
        _ => None,
    };
    // The sessions of the older transport are named in its streams, where nobody writes where they are.
    let route = if is_mcp { Route::Messages } else { Route::Home };
    let (method, target, proof) = (asked_with(request), Uri::from(target), proof(request));
    Question { method, target, headers, body, upload, first_byte, route, proof, owner: None }
}

/// What proves that the whole body was read: that one message and nothing behind it was carried out, or that a form was
/// granted a token. A success at the other endpoints proves nothing: revocation succeeds whatever is revoked (RFC 7009
/// section 2.2), some servers register everybody alike, and that a POST is a message of the older transport is known from
/// the request alone.
fn proof(request: &Request) -> Proof {
    match request.class {
        _ if request.method != Method::POST => Proof::Nothing,
        Class::Mcp if request.message.is_some() => Proof::Success,
        Class::Token if matches!(request.body, RequestBody::Form(_)) => Proof::Token,
        _ => Proof::Nothing,
    }
}

/// Whether an answer was read that grants a token (RFC 6749 section 5.1).
fn grants_token(reply: &Reply) -> bool {
    let token = |object: &Object| object.get("access_token").is_some_and(|token| token.is_string());
    reply.status == StatusCode::OK && reply.is_json() && matches!(&reply.body, ReplyBody::Json(object) if token(object))
}

/// The question of a further ask; `None` if it cannot be put: its body has gone by unread.
pub(super) fn again(request: &Request, ask: &Ask) -> Option<Question> {
    let target = match &ask.target {
        Some(target) => PathAndQuery::try_from(target.as_str()).ok()?,
        None => request.target.clone(),
    };
    let mut headers = request.headers.clone();
    let bytes = match ask.body.as_ref().unwrap_or(&request.body) {
        _ if ask.listens => None,
        RequestBody::Unread if !matches!(request.method, Method::POST | Method::PUT | Method::PATCH) => None,
        RequestBody::Unread => return None,
        RequestBody::Json(object) => Some(object.to_bytes()),
        RequestBody::Form(form) => Some(Bytes::from(form.clone())),
        RequestBody::Whole(bytes) => Some(bytes.clone()),
    };
    if let Some(kind) = ask.body.as_ref().and_then(RequestBody::media_type) {
        headers.insert(CONTENT_TYPE, kind);
    }
    let authorization = ask.authorization.clone().map(|value| (AUTHORIZATION, value));
    for (name, value) in ask.fields.iter().cloned().chain(authorization) {
        match value {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        }
    }
    if ask.listens {
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_LENGTH);
    }
    let body = match bytes {
        None => body::RequestBody::Empty,
        Some(bytes) => {
            headers::reframe(&mut headers, bytes.len());
            body::RequestBody::Whole(bytes)
        }
    };
    let question = question(request, target, headers, body, Upload::begun(Instant::now()));
    Some(if ask.listens {
        Question { method: Method::GET, first_byte: Some(STREAM_PATIENCE), ..question }
    } else {
        question
    })
}
