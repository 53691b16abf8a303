//! A message of Streamable HTTP over the older HTTP+SSE transport (MCP 2024-11-05), for an upstream that has no other.
//!
//! Each message gets a session of its own there, which ends with its answer. Nothing is kept, so that any replica can take
//! any message; what a server remembers between two messages of a session is lost.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::Exchange;
use super::answer::{Answer, Body, Rest};
use crate::body::{self, Read, Upload};
use crate::endpoint::{SESSION, VERSION};
use crate::exchange::{Event, Form, Reply, ReplyBody, Request, RequestBody};
use crate::headers;
use crate::jsonrpc::Envelope;
use crate::repairs::stream_target;
use crate::sse::Splitter;
use crate::upstream::{Ownership, Proof, Question, Route};

/// How long the upstream may take to open a session, in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer to a POST longer than this is on the stream, where it belongs.
const LONGEST: usize = 1024 * 1024;

/// Opens a session; the version is the newest of that transport.
const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":"mcp-mend","method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"mcp-mend","version":"0"}}}"#;
const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// An event stream as it comes.
struct Events {
    incoming: Incoming,
    splitter: Splitter,
}

impl Events {
    /// The first event of which this is true; `None` if the stream ends before.
    async fn find(&mut self, mut is_it: impl FnMut(&Event) -> bool) -> Option<Event> {
        loop {
            while let Some(text) = self.splitter.next_event() {
                let event = Event::arrived(text);
                if is_it(&event) {
                    return Some(event);
                }
            }
            if self.splitter.len() > LONGEST {
                return None;
            }
            match body::read_start(&mut self.incoming, PATIENCE).await {
                Read::Partly(bytes) if !bytes.is_empty() => self.splitter.push(bytes),
                _ => return None,
            }
        }
    }
}

impl Exchange {
    /// Asks a message over the stream that is opened there; `None` if there is none.
    pub(super) async fn bridge(&self, request: &Request, at: &str) -> Option<Answer> {
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
        let opening = self.open(fields.clone(), at, request.calls("initialize"));
        let (mut events, lease, target) = timeout(PATIENCE, opening).await.ok()??;
        let (status, said) = self.post(&fields, &target, text).await?;
        if !status.is_success() {
            return None;
        }
        let mut reply = Reply::new(StatusCode::OK, HeaderMap::new());
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if Envelope::peek(&said).is_some_and(|message| message.is_response()) {
            reply.body = ReplyBody::Text(said);
            return Some(Answer::ours(reply));
        }
        // What the server says by the way goes to those who can hear it.
        reply.form = if request.accepts.events { Form::Listened } else { Form::Message };
        if request.accepts.events {
            reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        }
        let rest = Rest::Stream(events.splitter.take_rest(), events.incoming.into());
        Some(Answer { reply, body: Body { rest, lease: Some(lease) } })
    }

    /// Opens the stream and, unless the client does so itself, the session.
    async fn open(
        &self,
        fields: HeaderMap,
        at: &str,
        is_initialize: bool,
    ) -> Option<(Events, crate::upstream::Lease, PathAndQuery)> {
        let question = Question {
            method: Method::GET,
            target: at.parse::<Uri>().ok()?,
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
        let mut events = Events { incoming, splitter: Splitter::default() };
        let endpoint = events.find(|event| event.name().as_deref() == Some("endpoint")).await?;
        let address = String::from_utf8(endpoint.data()?.to_vec()).ok()?;
        let runtime = self.worker.runtime.clone();
        let target = stream_target(&self.site(&runtime), at, address.trim().trim_matches('"'))?;
        let target = PathAndQuery::try_from(target).ok()?;
        if !is_initialize {
            let (status, _) = self.post(&fields, &target, Bytes::from_static(INITIALIZE)).await?;
            let is_answer = |event: &Event| {
                event.data().and_then(|data| Envelope::peek(&data)).is_some_and(|message| message.is_response())
            };
            if !status.is_success() {
                return None;
            }
            events.find(is_answer).await?;
            self.post(&fields, &target, Bytes::from_static(INITIALIZED)).await?;
        }
        Some((events, lease, target))
    }

    /// Posts a message. Answers the status and what was said at once.
    async fn post(&self, fields: &HeaderMap, target: &PathAndQuery, text: Bytes) -> Option<(StatusCode, Bytes)> {
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
        let (answer, lease) = self.worker.upstream.ask(question).await.ok()?;
        let (parts, mut incoming) = answer.into_parts();
        match body::read(&mut incoming, LONGEST, PATIENCE, &mut self.holding()).await {
            Read::Whole(said) => {
                lease.give_back(Instant::now());
                Some((parts.status, said))
            }
            Read::Partly(_) | Read::Failed(_) => None,
        }
    }
}
