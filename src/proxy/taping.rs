//! Taping an exchange as it goes by, where somebody wants to see it whole: `check`, captures, the page.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request as HttpRequest, StatusCode};
use hyper::body::Incoming;

use super::answer::Rest;
use super::{Exchange, Worker, target_of};
use crate::body::{Ending, RequestBody};
use crate::connection::Connection;
use crate::endpoint::Class;
use crate::exchange::Reply;
use crate::tape::{Asked, Came, MOST_BYTES, RecordedExchange, Text, Turn};
use crate::upstream::Question;

/// The beginning of a tape, if anybody wants one.
pub(super) fn begin(
    worker: &Worker,
    connection: &Connection,
    request: &HttpRequest<Incoming>,
) -> Option<Box<RecordedExchange>> {
    worker.recorder.as_ref()?;
    let known = worker.runtime.learner.recall();
    let asked = Asked {
        method: request.method().clone(),
        target: target_of(request),
        headers: request.headers().clone(),
        body: Text::default(),
    };
    Some(Box::new(RecordedExchange {
        number: worker.runtime.ledger.taped.fetch_add(1, Ordering::Relaxed) + 1,
        began: SystemTime::now(),
        site: worker.runtime.recorded.clone(),
        client: client_of(worker, connection, request.headers()),
        class: Class::Other,
        asked,
        turns: Vec::new(),
        answered: Came { status: StatusCode::OK, headers: HeaderMap::new(), body: Text::default() },
        fired: Vec::new(),
        known,
        untouched: None,
        refused: None,
        first_byte: std::time::Duration::ZERO,
        total: std::time::Duration::ZERO,
        bytes: 0,
        ending: None,
    }))
}

/// The client; where a trusted proxy says nothing that can be believed, that proxy.
pub(super) fn client_of(worker: &Worker, connection: &Connection, headers: &HeaderMap) -> IpAddr {
    connection.client(headers, &worker.runtime.trusted_proxies).unwrap_or(connection.peer)
}

impl Exchange {
    /// The client's body was read.
    pub(super) fn tape_body(&mut self, bytes: &Bytes) {
        if let Some(tape) = &mut self.tape {
            tape.asked.body = Text::whole(bytes);
        }
    }

    /// The upstream is about to be asked.
    pub(super) fn tape_question(&mut self, question: &Question) {
        let Some(tape) = &mut self.tape else { return };
        let body = match &question.body {
            RequestBody::Whole(bytes) => Text::whole(bytes),
            RequestBody::Empty => Text { bytes: Bytes::new(), is_whole: true },
            RequestBody::Client(_) => Text::default(),
        };
        let target = question.target.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let asked = Asked { method: question.method.clone(), target, headers: question.headers.clone(), body };
        tape.turns.push(Turn { asked, came: None });
    }

    /// The upstream has answered; what was read of the body is shown without its content coding, as repairs see it.
    pub(super) fn tape_answer(&mut self, reply: &Reply, rest: &Rest) {
        let Some(turn) = self.tape.as_mut().and_then(|tape| tape.turns.last_mut()) else { return };
        let body = match rest {
            Rest::Whole(bytes, decoded) => Text::whole(decoded.as_ref().unwrap_or(bytes)),
            Rest::Stream(prefix, _) => Text { is_whole: false, ..Text::whole(prefix) },
            Rest::Nothing => Text::default(),
        };
        turn.came = Some(Came { status: reply.status, headers: reply.headers.clone(), body });
    }
}

impl Exchange {
    /// The head of the answer is about to leave.
    pub(super) fn tape_head(&mut self, class: Class, status: StatusCode, headers: &HeaderMap, streams: bool) {
        let Some(tape) = &mut self.tape else { return };
        tape.class = class;
        tape.known = self.known.clone();
        tape.answered = Came { status, headers: headers.clone(), body: Text::default() };
        tape.first_byte = self.started.elapsed();
        if let (true, Some(recorder)) = (streams, &self.worker.recorder) {
            tape.fired = self.machine.findings.fired().to_vec();
            recorder.opened(tape);
        }
    }

    /// The answer has ended: `before` is what the upstream streamed, `copy` what the client got.
    pub(super) fn tape_end(
        &self,
        mut tape: Box<RecordedExchange>,
        ending: Ending,
        before: Option<Vec<u8>>,
        copy: Bytes,
    ) {
        let is_whole = ending == Ending::Whole && copy.len() as u64 == tape.bytes;
        tape.ending = Some(ending);
        if let Some(came) = tape.turns.last_mut().and_then(|turn| turn.came.as_mut()).filter(|came| !came.body.is_whole)
        {
            // What no event repair was shown has passed as it came.
            came.body = match before {
                Some(before) => Text { bytes: before.into(), is_whole },
                None => Text { bytes: copy.clone(), is_whole },
            };
        }
        tape.answered.body = Text { bytes: copy, is_whole };
        if let Some(recorder) = &self.worker.recorder {
            recorder.ended(*tape);
        }
    }
}

/// Adds to a body as far as that is kept.
pub(super) fn keep(text: &mut Vec<u8>, more: &[u8]) {
    let room = MOST_BYTES.saturating_sub(text.len());
    text.extend_from_slice(&more[..more.len().min(room)]);
}
