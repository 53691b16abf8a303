//! A message of Streamable HTTP over the older HTTP+SSE transport (MCP 2024-11-05), for an upstream that has no other.
//!
//! Each message gets a session of its own there, which ends with its answer. Nothing is kept, so that any replica can take
//! any message; what a server remembers between two messages of a session is lost.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use tokio::time::{Instant, timeout};

use super::answer::{Answer, Body, Rest};
use super::events::Events;
use super::{Exchange, admit};
use crate::body::{self, Read, Upload};
use crate::coding;
use crate::endpoint::{SESSION, VERSION};
use crate::exchange::{Event, Form, Reply, Request, RequestBody};
use crate::headers;
use crate::jsonrpc::Envelope;
use crate::machine::reading;
use crate::refuse;
use crate::repairs::stream_target;
use crate::upstream::{Failure, Ownership, Proof, Question, Route};

/// How long the upstream may take to open a session, in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer events are ignored while the session is opened. An answer to a POST that is longer is on the stream, where it belongs.
const LONGEST: usize = 1024 * 1024;

/// Opens a session; the version is the newest of that transport.
const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":"mcp-mend","method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"mcp-mend","version":"0"}}}"#;
const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

impl Exchange {
    /// Asks a message over the stream that is opened there; `None` if there is none, and so the message was not sent.
    pub(super) async fn bridge(&self, request: &Request, at: &str) -> Option<Result<Answer, Failure>> {
        let text = match &request.body {
            RequestBody::Json(object) => object.to_bytes(),
            RequestBody::Whole(bytes) => bytes.clone(),
            RequestBody::Unread | RequestBody::Form(_) => return None,
        };
        let mut fields = request.headers.clone();
        for name in [CONTENT_LENGTH, CONTENT_TYPE, SESSION, VERSION] {
            fields.remove(name);
        }
        fields.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let opening = self.open(request, fields.clone(), at);
        let (events, lease, target) = timeout(PATIENCE, opening).await.ok()??;
        let posted = match self.post(&fields, &target, text).await {
            Ok(posted) => posted,
            Err(failure) if failure.was_sent() => return Some(Err(failure)),
            Err(_) => return None,
        };
        let is_taken = posted.reply.status.is_success();
        if !is_taken
            || posted.text().is_some_and(|said| Envelope::peek(&said).is_some_and(|message| message.is_response()))
        {
            return Some(Ok(posted));
        }
        let mut reply = Reply::new(StatusCode::OK, HeaderMap::new());
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What the server says by the way goes to those who can hear it.
        reply.form = if request.accepts.events { Form::Listened } else { Form::Message };
        if request.accepts.events {
            reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        }
        let (start, incoming) = events.into_rest();
        let rest = Rest::Stream(start, incoming);
        Some(Ok(Answer { reply, body: Body { rest, lease: Some(lease) } }))
    }

    /// Opens the stream and, unless the client does so itself, the session.
    async fn open(
        &self,
        request: &Request,
        fields: HeaderMap,
        at: &str,
    ) -> Option<(Events, crate::upstream::Lease, PathAndQuery)> {
        let at_there = PathAndQuery::try_from(at).ok().filter(|at| self.may_send(request, &Method::GET, at))?;
        let question = Question {
            method: Method::GET,
            target: Uri::from(at_there),
            headers: fields.clone(),
            body: body::RequestBody::Empty,
            upload: Upload::begun(Instant::now()),
            first_byte: Some(PATIENCE),
            route: Route::Home,
            proof: Proof::Nothing,
            owner: Ownership::Nobody,
        };
        let (answer, lease) = self.worker.upstream.ask(question).await.ok()?;
        let (parts, incoming) = answer.into_parts();
        let head = Reply::new(parts.status, parts.headers);
        if head.status != StatusCode::OK || !head.is_of("text/event-stream") {
            return None;
        }
        let mut events = Events::new(Bytes::new(), incoming, self.holding());
        let endpoint = events.find(LONGEST, |event| event.name().as_deref() == Some("endpoint")).await?;
        let address = String::from_utf8(endpoint.data()?.to_vec()).ok()?;
        let runtime = self.worker.runtime.clone();
        let target = stream_target(&self.site(&runtime), at, address.trim().trim_matches('"'))?;
        let target = PathAndQuery::try_from(target).ok().filter(|to| self.may_send(request, &Method::POST, to))?;
        if !request.calls("initialize") {
            let posted = self.post(&fields, &target, Bytes::from_static(INITIALIZE)).await.ok()?;
            let is_answer = |event: &Event| {
                event.data().and_then(|data| Envelope::peek(&data)).is_some_and(|message| message.is_response())
            };
            if !posted.reply.status.is_success() {
                return None;
            }
            events.find(LONGEST, is_answer).await?;
            self.post(&fields, &target, Bytes::from_static(INITIALIZED)).await.ok()?;
        }
        Some((events, lease, target))
    }

    /// Whether the client itself may send a request with this method there.
    fn may_send(&self, request: &Request, method: &Method, target: &PathAndQuery) -> bool {
        let site = self.site(self.runtime());
        admit::rules_at(&self.worker, site, self.is_blocked_address, request, method, target).is_some()
    }

    /// Posts a message. Its answer was read whole if it is short.
    async fn post(&self, fields: &HeaderMap, target: &PathAndQuery, text: Bytes) -> Result<Answer, Failure> {
        let mut fields = fields.clone();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers::reframe(&mut fields, text.len());
        let question = Question {
            method: Method::POST,
            target: Uri::from(target.clone()),
            headers: fields,
            body: body::RequestBody::Whole(text),
            upload: Upload::begun(Instant::now()),
            first_byte: None,
            route: Route::Home,
            proof: Proof::Nothing,
            owner: Ownership::Nobody,
        };
        let (answer, lease) = self.worker.upstream.ask(question).await?;
        let (parts, mut incoming) = answer.into_parts();
        let mut reply = Reply::new(parts.status, parts.headers);
        headers::strip_hop_by_hop(&mut reply.headers);
        Ok(match body::read(&mut incoming, LONGEST, PATIENCE, &mut self.holding()).await {
            Read::Whole(said) => {
                lease.give_back(Instant::now());
                let decoded = reply.coding.and_then(|coding| coding::decode(coding, &said, LONGEST).ok());
                // What cannot be decoded was not read.
                if decoded.is_some() || !headers::is_encoded(&reply.headers) {
                    reading::show_whole(&mut reply, decoded.as_ref().unwrap_or(&said));
                } else {
                    reply.coding = None;
                }
                Answer { reply, body: Body { rest: Rest::Whole(said, decoded), lease: None } }
            }
            Read::Partly(start) => {
                Answer { reply, body: Body { rest: Rest::Stream(start, incoming.into()), lease: Some(lease) } }
            }
            // The status says that the message was taken.
            Read::Failed(_) if reply.status.is_success() => Answer::ours(Reply::new(reply.status, HeaderMap::new())),
            Read::Failed(_) => return Err(refuse::CUT_OFF.into()),
        })
    }
}
