//! The messages of a list that are asked one by one, and their answers.

use std::collections::VecDeque;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::exchange::{Reply, ReplyBody, Request};

/// A list under way. Meanwhile the request is the message whose turn it is.
pub(super) struct Parts {
    /// The request with the list.
    pub(super) whole: Request,
    pub(super) left: VecDeque<Bytes>,
    pub(super) answers: Vec<Bytes>,
    /// The answers to those messages that are not sent any more.
    pub(super) unsent: Vec<Bytes>,
    /// Whether a message of it may have been carried out.
    pub(super) has_begun: bool,
}

impl Parts {
    pub(super) fn new(request: &Request, parts: &[Bytes]) -> Self {
        Self {
            whole: request.clone(),
            left: parts.iter().cloned().collect(),
            answers: Vec::new(),
            unsent: Vec::new(),
            has_begun: false,
        }
    }

    /// The list of the answers, in the order of the messages.
    pub(super) fn reply(answers: &[Bytes]) -> Reply {
        let mut reply = Reply::new(StatusCode::OK, HeaderMap::new());
        if answers.is_empty() {
            reply.say(StatusCode::ACCEPTED, None);
        } else {
            let list = [&b"["[..], &answers.join(&b","[..]), b"]"].concat();
            reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            reply.body = ReplyBody::Text(list.into());
        }
        reply
    }
}
