//! A list of messages asked one by one: servers of MCP 2025-06-18 and later take no lists, clients of 2025-03-26 send them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use super::Exchange;
use super::answer::{Answer, Rest, again};
use crate::exchange::{Ask, Reply, ReplyBody, Request, RequestBody};
use crate::jsonrpc::{self, Envelope};
use crate::sse;
use crate::upstream::gather;

impl Exchange {
    /// Asks each message alone, in order, and answers with the list of their answers; `None` if one cannot be asked.
    pub(super) async fn ask_parts(&mut self, request: &Request, parts: &[Bytes]) -> Option<Answer> {
        let mut answers: Vec<Bytes> = Vec::new();
        for part in parts {
            let mut single = request.clone();
            single.method = Method::POST;
            single.message = Envelope::peek(part);
            single.body = RequestBody::Whole(part.clone());
            let question = again(&single, &Ask::default())?;
            let mut answer = self.ask(&mut single, question).await.ok()?;
            self.mend_once(&single, &mut answer);
            let text = self.one_message(&single, answer).await;
            if single.asks() {
                let none =
                    || jsonrpc::error(single.message.as_ref(), jsonrpc::INTERNAL_ERROR, "The server gave no answer");
                answers.push(text.unwrap_or_else(none));
            }
        }
        let mut reply = Reply::new(StatusCode::OK, HeaderMap::new());
        if answers.is_empty() {
            reply.say(StatusCode::ACCEPTED, None);
        } else {
            let list = [&b"["[..], &answers.join(&b","[..]), b"]"].concat();
            reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply.body = ReplyBody::Text(list.into());
        }
        Some(Answer::ours(reply))
    }

    fn mend_once(&mut self, request: &Request, answer: &mut Answer) {
        let runtime = self.worker.runtime.clone();
        let (report, _) = runtime.plan.mend_reply(&self.site(&runtime), request, &mut answer.reply, false);
        self.note(report);
        self.mend_message(request, answer);
    }

    /// The message of an answer, be it the body or one event of it.
    async fn one_message(&self, request: &Request, answer: Answer) -> Option<Bytes> {
        if let Some(text) = answer.message(request) {
            return Envelope::peek(&text).filter(|message| message.is_response()).map(|_| text);
        }
        let (Rest::Stream(start, incoming), true) = (answer.rest, answer.reply.is_of("text/event-stream")) else {
            return None;
        };
        let bounds = self.worker.runtime.bounds;
        let rest = tokio::time::timeout(bounds.body_time, gather(incoming, bounds.body_bytes)).await.ok()?.ok()?;
        let text = Bytes::from([&start[..], &rest].concat());
        let is_answer = |data: &Bytes| {
            Envelope::peek(data).zip(request.message.as_ref()).is_some_and(|(message, asked)| message.answers(asked))
        };
        sse::events(&text).filter_map(|event| sse::data(&event)).find(is_answer)
    }
}
