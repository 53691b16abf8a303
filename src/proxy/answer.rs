//! The upstream's side of an exchange: asking it, and reading of its answer what a repair has to see.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderMap;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Exchange;
use crate::body::caller::Caller;
use crate::body::{self, Peeked, Read, Upload};
use crate::coding;
use crate::counters::SkipReason;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::{Opening, Reply, ReplyBody, Request, RequestBody};
use crate::headers;
use crate::jsonrpc::PROBE;
use crate::machine::reading::{self, OfReply};
use crate::machine::{self, Outgoing, asked_with};
use crate::refuse;
use crate::upstream::{Failure, Lease, Owner, Ownership, Private, Proof, Question, Route};

/// A discovery document that does not come within this time is none: the most patient clients wait ten seconds
/// (field report 7), and ask at several places.
const DOCUMENT_PATIENCE: Duration = Duration::from_secs(5);

/// Clients wait five seconds for an answer to the probe.
const PROBE_PATIENCE: Duration = Duration::from_millis(2500);
/// A stream that is not opened within this time is not opened.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);
/// Whoever stands in for a client waits at least so long: what he finds missing has to be missing, and not slow.
const CLIENT_PATIENCE: Duration = Duration::from_secs(8);
/// A session that is not ended within this time cannot be ended: who ends it is about to close.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// An answer, its body still to come.
pub(super) type Answer = machine::Answer<Body>;

/// The body of an answer, and the connection that it comes on.
pub(super) struct Body {
    pub(super) rest: Rest,
    pub(super) lease: Option<Lease>,
}

/// What is to come of an answer's body, beside what a repair was shown.
pub(super) enum Rest {
    /// Streams, after what was read already.
    Stream(Bytes, Peeked),
    /// Was read whole: its bytes as they came, and without their content coding if they had one that could be undone.
    Whole(Bytes, Option<Bytes>),
    /// There is none: the answer is ours.
    Nothing,
}

impl machine::Body for Body {
    fn nothing() -> Self {
        Self { rest: Rest::Nothing, lease: None }
    }

    fn text(&self) -> Option<Bytes> {
        match &self.rest {
            Rest::Whole(bytes, decoded) => Some(decoded.as_ref().unwrap_or(bytes).clone()),
            Rest::Stream(..) | Rest::Nothing => None,
        }
    }

    /// An exchange has one connection at a time where it can.
    fn release_connection(&mut self) {
        if matches!(self.rest, Rest::Whole(..))
            && let Some(lease) = self.lease.take()
        {
            lease.give_back(Instant::now());
        }
    }
}

impl Exchange {
    /// Asks the upstream, and reads a small body if a live repair accepts the head.
    pub(super) async fn ask(&mut self, request: &mut Request, question: Question) -> Result<Answer, Failure> {
        let question = self.of_client(request, question);
        self.tape_question(&question);
        self.account.asked = self.account.asked.saturating_add(1);
        let begun = question.upload.begun_at();
        let (response, mut lease) = self.worker.upstream.ask(question).await?;
        if lease.wants_owner() {
            lease.name_owner(self.owner(&request.headers));
        }
        self.runtime().counters.first_byte.note(begun.elapsed());
        self.account.place = lease.place();
        let (parts, incoming) = response.into_parts();
        let mut reply = Reply::new(parts.status, parts.headers);
        headers::strip_hop_by_hop(&mut reply.headers);
        if may_need_login(request, &reply) {
            Box::pin(self.learn(request)).await;
        }
        let rest = self.peek_reply(request, &mut reply, incoming).await?;
        if grants_token(&reply) {
            lease.granted();
        }
        self.tape_answer(&reply, &rest);
        Ok(Answer { reply, body: Body { rest, lease: Some(lease) } })
    }

    /// Whoever stands in for a client waits longer than a proxy does: the server may be one. And a connection that must not
    /// be shared goes on serving the same caller.
    fn of_client(&self, request: &Request, question: Question) -> Question {
        let patience = self.runtime().patience();
        let least = if patience > 1 { CLIENT_PATIENCE } else { Duration::ZERO };
        let first_byte = question.first_byte.map(|limit| (limit * patience).max(least));
        Question { first_byte, owner: self.ownership(request, &question), ..question }
    }

    fn ownership(&self, request: &Request, question: &Question) -> Ownership {
        let (one_waits, is_kept) = (Private::waits_for(&self.connection), !request.headers.is_empty());
        if !self.is_sole || question.body.is_end_stream() && !one_waits {
            return Ownership::Nobody;
        }
        // The fields are still there when the answer has come.
        if is_kept && !one_waits {
            return Ownership::Unnamed;
        }
        let fields = if is_kept { &request.headers } else { &question.headers };
        self.owner(fields).map_or(Ownership::Nobody, Ownership::Of)
    }

    /// The caller that may go on with a connection that nobody else may use any more: known by the credentials that go up.
    fn owner(&self, headers: &HeaderMap) -> Option<Owner> {
        Some(Owner::new(Arc::clone(&self.connection), Caller::with_credentials(headers)?))
    }

    async fn peek_reply(&mut self, request: &Request, reply: &mut Reply, incoming: Incoming) -> Result<Rest, Failure> {
        let runtime = self.worker.runtime.clone();
        match reading::of_reply(&runtime.plan, request, reply, runtime.bounds.body_bytes) {
            // Over HTTP/2 a reset takes back what is queued (RFC 9113 section 8.1), so that a cut right behind the event would
            // take the event along.
            OfReply::Nothing if answers_by_events(request, reply) && !self.connection.is_multiplexed() => {
                Ok(Rest::Stream(Bytes::new(), Peeked::look(incoming).await))
            }
            OfReply::Nothing => Ok(Rest::Stream(Bytes::new(), incoming.into())),
            OfReply::Start => self.peek_start(reply, incoming).await,
            OfReply::Message(most) => self.peek_message_of(request, reply, incoming, most).await,
            OfReply::Body(most) => self.peek_whole(reply, incoming, most).await,
        }
    }

    /// Reads all of a body, up to so many bytes.
    async fn peek_whole(&mut self, reply: &mut Reply, mut incoming: Incoming, most: usize) -> Result<Rest, Failure> {
        if reply.coding.is_none() && headers::is_encoded(&reply.headers) {
            self.note_untouched(SkipReason::Encoded);
            return Ok(Rest::Stream(Bytes::new(), incoming.into()));
        }
        let bounds = self.runtime().bounds;
        let began = Instant::now();
        let read = body::read(&mut incoming, most, bounds.body_time, &mut self.held);
        match Box::pin(read).await {
            Read::Whole(bytes) => Ok(self.show(reply, bytes, bounds.body_bytes)),
            Read::Partly(prefix) => {
                self.note_untouched(match began.elapsed() >= bounds.body_time {
                    _ if self.held.is_refused => SkipReason::Busy,
                    true => SkipReason::Slow,
                    false => SkipReason::TooLarge,
                });
                Ok(Rest::Stream(prefix, incoming.into()))
            }
            Read::Failed(_) => Err(refuse::CUT_OFF.into()),
        }
    }

    /// Peeks at how an answer begins that is too long to be read.
    async fn peek_start(&mut self, reply: &mut Reply, mut incoming: Incoming) -> Result<Rest, Failure> {
        match Box::pin(body::read_start(&mut incoming, self.runtime().bounds.body_time)).await {
            Read::Whole(start) | Read::Partly(start) => {
                reply.opening = Opening::of(&start);
                Ok(Rest::Stream(start, incoming.into()))
            }
            Read::Failed(_) => Err(refuse::CUT_OFF.into()),
        }
    }

    /// Peeks at the answer to a message: at what it begins like, and if it is one message, at all of it.
    async fn peek_message_of(
        &mut self,
        request: &Request,
        reply: &mut Reply,
        mut incoming: Incoming,
        most: usize,
    ) -> Result<Rest, Failure> {
        let bounds = self.runtime().bounds;
        let is_message = |start: &[u8]| reading::begins_like_message(request, start);
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
                    self.note_untouched(SkipReason::Busy);
                }
                reply.opening = Opening::of(&prefix);
                Ok(Rest::Stream(prefix, incoming.into()))
            }
            // Nobody waits for the end of what answers no question.
            Read::Failed(_) if !request.asks() => Ok(Rest::Stream(Bytes::new(), incoming.into())),
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
                self.note_untouched(SkipReason::Encoded);
                return Rest::Whole(bytes, None);
            }
        };
        let plain = decoded.as_ref().unwrap_or(&bytes);
        if !reading::show_whole(reply, plain) && reply.is_json() {
            self.note_untouched(SkipReason::NotJson);
        }
        Rest::Whole(bytes, decoded)
    }
}

/// Whether the answer to a message is an event stream without a content coding.
fn answers_by_events(request: &Request, reply: &Reply) -> bool {
    request.asks() && reply.coding.is_none() && reply.is_of("text/event-stream")
}

/// Whether what a sound server answers depends on whether clients log in to this one: a refusal, or what some servers
/// send for one. Only then does a message wait until that is known.
fn may_need_login(request: &Request, reply: &Reply) -> bool {
    if !request.class.has_messages() || request.preflight.is_some() {
        return false;
    }
    match reply.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => !request.authorized,
        status => status.is_redirection() || reply.is_of("text/html"),
    }
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
    Question { method, target, headers, body, upload, first_byte, route, proof, owner: Ownership::Nobody }
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

/// What a further ask asks.
pub(super) fn again(request: &Request, outgoing: Outgoing) -> Question {
    let Outgoing { target, headers, body, listens } = outgoing;
    let body = body.map_or(body::RequestBody::Empty, body::RequestBody::Whole);
    let question = question(request, target, headers, body, Upload::begun(Instant::now()));
    if listens { Question { method: Method::GET, first_byte: Some(STREAM_PATIENCE), ..question } } else { question }
}
