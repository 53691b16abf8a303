//! What of a message repairs get to see, by rules that hold on the data path and in a replay alike. Pure.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::admit;
use super::answer::asked_with;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::{Opening, Reply, ReplyBody, Request, RequestBody};
use crate::jsonrpc::Envelope;
use crate::plan::Plan;
use crate::repair::Needs;
use crate::repairs::version::PROBE;

/// A message longer than this is looked at only if it is of the kind that clients refuse as a whole for one member.
const SHORT_MESSAGE: usize = 16 * 1024;

/// Shows the message that a client sent. `is_legacy` says whether the upstream is known not to know the probe.
pub(crate) fn show_message(plan: &Plan, request: &mut Request, text: Bytes, is_legacy: impl FnOnce() -> bool) {
    request.message = Envelope::peek(&text);
    request.is_legacy = request.calls(PROBE) && is_legacy();
    request.body = match plan.request_needs(request) {
        Needs::Json => admit::parse(Needs::Json, text),
        _ => RequestBody::Whole(text),
    };
}

/// Shows another body that a client sent.
pub(crate) fn show_body(needs: Needs, request: &mut Request, text: Bytes) {
    request.body = admit::parse(needs, text);
    if request.class == Class::Register {
        request.sent = request.body.clone();
    }
}

/// Whether an answer has a body that may be read as one thing (RFC 9110 section 6.4.1).
pub(crate) fn has_body(request: &Request, status: StatusCode) -> bool {
    asked_with(request) != Method::HEAD
        && !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT)
}

/// How much of an answer live repairs want to see.
pub(crate) fn needs(plan: &Plan, request: &Request, reply: &Reply) -> Needs {
    match plan.reply_needs(request, reply) {
        Needs::Json if !reply.is_json() => Needs::Head,
        needs => needs,
    }
}

/// Whether an answer may be the one message that was asked for: a success of any type but a stream.
pub(crate) fn may_be_message(request: &Request, reply: &Reply) -> bool {
    request.asks()
        && reply.status.is_success()
        && (request.class == Class::LegacyPost || !reply.is_of("text/event-stream"))
}

/// Whether the answer is of the kind that clients refuse as a whole for one member of one element.
pub(crate) fn is_list(request: &Request) -> bool {
    let method = request.message.as_ref().and_then(|message| message.method.as_deref()).unwrap_or_default();
    method == "initialize" || method.ends_with("/list")
}

/// Up to which length a message is looked at, where `most` may be held.
pub(crate) fn longest_message(request: &Request, most: usize) -> usize {
    if is_list(request) { most } else { most.min(SHORT_MESSAGE) }
}

/// Shows the one message that was read whole. Answers whether more of it is wanted now that it is known what it is.
pub(crate) fn show_answer(plan: &Plan, request: &Request, reply: &mut Reply, text: &Bytes) -> bool {
    reply.opening = Opening::of(text);
    match reply.opening {
        Opening::Unseen => reply.opening = Opening::Nothing,
        Opening::Object if text.first() != Some(&0xef) => {
            reply.message = Envelope::peek(text);
            return plan.reply_needs(request, reply) != Needs::Head;
        }
        _ => reply.body = ReplyBody::Text(text.clone()),
    }
    false
}

/// Shows a body that was read whole, without its content coding. Answers whether it is a JSON object.
pub(crate) fn show_whole(reply: &mut Reply, text: &Bytes) -> bool {
    if reply.message.is_none() {
        reply.message = Envelope::peek(text);
    }
    reply.opening = if text.trim_ascii().is_empty() { Opening::Nothing } else { Opening::of(text) };
    match Object::parse(text.clone()) {
        Ok(object) => reply.body = ReplyBody::Json(object),
        Err(_) => reply.body = ReplyBody::Text(text.clone()),
    }
    matches!(reply.body, ReplyBody::Json(_))
}
