//! The upstream's side of an exchange: asking it, reading of its answer what a repair has to see, and the one further
//! ask.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Exchange;
use crate::body::{self, Read, Upload};
use crate::coding;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::{Ask, Reply, ReplyBody, Request, RequestBody};
use crate::headers;
use crate::refuse;
use crate::repair::Needs;
use crate::telemetry::counters::Untouched;
use crate::upstream::{Failure, Lease, Question};

/// A discovery document that does not come within this time is none: the most patient clients wait ten seconds
/// (field report 7), and ask at several places.
const DOCUMENT_PATIENCE: Duration = Duration::from_secs(5);

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
}

impl Exchange {
    /// Asks the upstream, and reads a small body if a live repair accepts the head.
    pub(super) async fn ask(&mut self, request: &mut Request, question: Question) -> Result<Answer, Failure> {
        let (response, lease) = self.worker.upstream.ask(question).await?;
        let (parts, incoming) = response.into_parts();
        let mut reply = Reply::new(parts.status, parts.headers);
        headers::strip_hop_by_hop(&mut reply.headers);
        if depends_on_login(request, &reply) {
            Box::pin(self.learn(request)).await;
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
        let has_body = asked_with(request) != Method::HEAD
            && !reply.status.is_informational()
            && !matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT);
        if !has_body {
            reply.coding = None;
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        let needs = match runtime.plan.reply_needs(request, reply) {
            Needs::Json if !reply.is_json() => Needs::Head,
            needs => needs,
        };
        if needs == Needs::Head {
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        if reply.coding.is_none() && headers::is_encoded(&reply.headers) {
            self.untouched(Untouched::Encoded);
            return Ok(Rest::Stream(Bytes::new(), incoming));
        }
        let bounds = runtime.bounds;
        let began = Instant::now();
        match Box::pin(body::read(&mut incoming, bounds.body_bytes, bounds.body_time)).await {
            Read::Whole(bytes) => Ok(self.show(reply, bytes, bounds.body_bytes)),
            Read::Partly(prefix) => {
                let slow = began.elapsed() >= bounds.body_time;
                self.untouched(if slow { Untouched::Slow } else { Untouched::TooLarge });
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
        match Object::parse(plain.clone()) {
            Ok(object) => reply.body = ReplyBody::Json(object),
            Err(_) => {
                if reply.is_json() {
                    self.untouched(Untouched::NotJson);
                }
                reply.body = ReplyBody::Text(plain.clone());
            }
        }
        Rest::Whole(bytes, decoded)
    }

    /// The one further ask. Its answer counts if it is better; otherwise the first one stands, mended as it is.
    pub(super) async fn ask_again(
        &mut self,
        request: &mut Request,
        mut first: Answer,
        ask: &Ask,
        headers: HeaderMap,
    ) -> Result<Answer, Failure> {
        let runtime = self.worker.runtime.clone();
        let first_body = request.body.clone();
        let second = match again(request, ask, headers) {
            Some(question) => {
                if let Some(body) = &ask.body {
                    request.body.clone_from(body);
                }
                self.ask(request, question).await.ok()
            }
            None => None,
        };
        let mut answer = match second {
            Some(second) if Ask::is_better(request.class, &first.reply, &second.reply) => {
                if let (true, Some(fired)) = (ask.body.is_some() || ask.authorization.is_some(), self.fired.last()) {
                    // Who asked for one thing and got another shall be able to find out (reliability 26).
                    tracing::warn!(repair = fired.id, "{}", fired.finding.what);
                }
                if let (Rest::Whole(..), Some(lease)) = (&first.rest, first.lease.take()) {
                    lease.give_back(Instant::now());
                }
                second
            }
            _ => {
                request.body = first_body;
                self.fired.pop();
                first
            }
        };
        let (report, _) = runtime.plan.mend_reply(&self.site(&runtime), request, &mut answer.reply, false);
        self.note(report);
        Ok(answer)
    }
}

/// Whether what a sound server answers depends on whether clients log in to this one: a refusal, or what some servers
/// send for one. Only then does a message wait until that is known.
fn depends_on_login(request: &Request, reply: &Reply) -> bool {
    if !matches!(request.class, Class::Mcp | Class::LegacySse) || request.preflight.is_some() {
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
pub(super) fn asked_with(request: &Request) -> Method {
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
    let first_byte = request.class.is_metadata().then_some(DOCUMENT_PATIENCE);
    Question { method: asked_with(request), target: Uri::from(target), headers, body, upload, first_byte }
}

/// The question of a further ask; `None` if it cannot be put: its body has gone by unread.
fn again(request: &Request, ask: &Ask, mut headers: HeaderMap) -> Option<Question> {
    let target = match &ask.target {
        Some(target) => PathAndQuery::try_from(target.as_str()).ok()?,
        None => request.target.clone(),
    };
    let body = ask.body.as_ref().unwrap_or(&request.body);
    let bytes = match body {
        RequestBody::Unread if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) => None,
        RequestBody::Unread => return None,
        RequestBody::Json(object) => Some(object.to_bytes()),
        RequestBody::Form(form) => Some(Bytes::from(form.clone())),
    };
    if let Some(kind) = ask.body.as_ref().and_then(RequestBody::media_type) {
        headers.insert(CONTENT_TYPE, kind);
    }
    match &ask.authorization {
        Some(Some(value)) => drop(headers.insert(AUTHORIZATION, value.clone())),
        Some(None) => drop(headers.remove(AUTHORIZATION)),
        None => {}
    }
    let body = match bytes {
        None => body::RequestBody::Empty,
        Some(bytes) => {
            headers::reframe(&mut headers, bytes.len());
            body::RequestBody::Whole(bytes)
        }
    };
    Some(question(request, target, headers, body, Upload::begun(Instant::now())))
}
