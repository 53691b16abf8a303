//! What of a message repairs get to see. Pure: whoever drives the machine reads what is wanted and shows it here.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

use super::asked_with;
use crate::edit::json::Object;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::{self, Opening, Reply, ReplyBody, Request, RequestBody};
use crate::jsonrpc::{Envelope, PROBE};
use crate::knowledge::Knowledge;
use crate::plan::Plan;
use crate::repair::Needs;
use crate::sse;

/// A message longer than this is looked at only if it is of the kind that clients refuse as a whole for one member.
const SHORT_MESSAGE: usize = 16 * 1024;

/// What of a request's body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfRequest {
    Nothing,
    /// All of it, as this.
    Body(Needs),
    /// All of a short message; of a long one its beginning.
    Message,
}

/// What of an answer's body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfReply {
    Nothing,
    /// All of it up to so many bytes, without its content coding.
    Body(usize),
    /// Its beginning.
    Start,
    /// All of it up to so many bytes, as long as it begins like a message ([`begins_like_message`]).
    Message(usize),
}

/// What of a request's body is wanted.
#[must_use]
pub fn of_request(plan: &Plan, known: &Knowledge, request: &Request) -> OfRequest {
    if request.class.has_messages() && request.method == Method::POST {
        return OfRequest::Message;
    }
    let needs = match plan.request_needs(request) {
        Needs::Head if is_form_of_login(known, request) => Needs::Form,
        needs => needs,
    };
    if carries(request, needs) { OfRequest::Body(needs) } else { OfRequest::Nothing }
}

/// Whether the request says that its body is of this form.
pub fn carries(request: &Request, needs: Needs) -> bool {
    let Some(kind) = request.headers.get(CONTENT_TYPE) else { return false };
    match needs {
        Needs::Head => false,
        Needs::Json => exchange::is_json(kind),
        Needs::Form => exchange::is_media_type(kind, "application/x-www-form-urlencoded"),
        Needs::Body => carries(request, Needs::Json) || carries(request, Needs::Form),
    }
}

/// The body as repairs see it, if it is what it says and no larger than such a message ever is.
fn parse(needs: Needs, bytes: Bytes) -> RequestBody {
    match needs {
        Needs::Head => RequestBody::Unread,
        Needs::Json => Object::parse(bytes).map_or(RequestBody::Unread, RequestBody::Json),
        Needs::Form if params::are_too_many(&bytes) => RequestBody::Unread,
        Needs::Form => String::from_utf8(bytes.to_vec()).map_or(RequestBody::Unread, RequestBody::Form),
        Needs::Body => match parse(Needs::Json, bytes.clone()) {
            RequestBody::Unread => parse(Needs::Form, bytes),
            object => object,
        },
    }
}

/// Whether this may be the form of a login page: what it brings along decides what its answer may teach.
fn is_form_of_login(known: &Knowledge, request: &Request) -> bool {
    let is_post = request.method == Method::POST;
    let may_answer = matches!(request.class, Class::Authorize | Class::Other);
    is_post && may_answer && known.has_own_authorization_server()
}

/// What of an answer's body is wanted, where `most` bytes may be held.
#[must_use]
pub fn of_reply(plan: &Plan, request: &Request, reply: &mut Reply, most: usize) -> OfReply {
    if !has_body(request, reply.status) {
        reply.coding = None;
        return OfReply::Nothing;
    }
    if needs(plan, request, reply) != Needs::Head {
        return OfReply::Body(most);
    }
    if !plan.wants_messages(request) || !may_be_message(request, reply) {
        return OfReply::Nothing;
    }
    let most = longest_message(request, most);
    let is_long = reply.declared_length().is_some_and(|length| length > most as u64);
    if reply.coding.is_some() {
        // A coded body must be decoded before its beginning can be seen.
        return if reply.is_json() && !is_long { OfReply::Body(most) } else { OfReply::Nothing };
    }
    match is_long {
        true if reply.is_json() => OfReply::Nothing,
        // The beginning is enough to tell its media type.
        true => OfReply::Start,
        false => OfReply::Message(most),
    }
}

/// Whether a body that begins so is worth reading as a message. What is answered to a POST of the older transport is short,
/// whatever it is.
#[must_use]
pub fn begins_like_message(request: &Request, start: &[u8]) -> bool {
    match Opening::of(start) {
        Opening::Events => request.class == Class::LegacyPost,
        Opening::Other => false,
        _ => true,
    }
}

/// Shows the message that a client sent. `is_legacy` says whether the upstream is known not to know the probe.
pub fn show_message(plan: &Plan, request: &mut Request, text: Bytes, is_legacy: impl FnOnce() -> bool) {
    request.message = Envelope::peek(&text);
    request.is_legacy = request.calls(PROBE) && is_legacy();
    request.body = match plan.request_needs(request) {
        Needs::Json => parse(Needs::Json, text),
        _ => RequestBody::Whole(text),
    };
}

/// Shows another body that a client sent.
pub fn show_body(needs: Needs, request: &mut Request, text: Bytes) {
    request.body = parse(needs, text);
    if request.class == Class::Register {
        request.sent = request.body.clone();
    }
}

/// Whether an answer has a body that may be read as one thing (RFC 9110 section 6.4.1).
fn has_body(request: &Request, status: StatusCode) -> bool {
    asked_with(request) != Method::HEAD
        && !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT)
}

/// How much of an answer live repairs want to see.
fn needs(plan: &Plan, request: &Request, reply: &Reply) -> Needs {
    match plan.reply_needs(request, reply) {
        Needs::Json if !reply.is_json() => Needs::Head,
        needs => needs,
    }
}

/// Whether an answer may be the one message that was asked for: a success of any type but a stream. What answers a message that
/// asks nothing may be an error: then it is JSON, and short by its own word, so that nobody waits for it.
fn may_be_message(request: &Request, reply: &Reply) -> bool {
    let is_short = || reply.declared_length().is_some_and(|length| (1..=SHORT_MESSAGE as u64).contains(&length));
    (request.asks() || request.message.is_some() && reply.is_json() && is_short())
        && reply.status.is_success()
        && (request.class == Class::LegacyPost || !reply.is_of("text/event-stream"))
}

/// Whether the answer is of the kind that clients refuse as a whole for one member of one element.
pub fn is_list(request: &Request) -> bool {
    let method = request.message.as_ref().and_then(|message| message.method.as_deref()).unwrap_or_default();
    method == "initialize" || method.ends_with("/list")
}

/// Up to which length a message is looked at, where `most` may be held.
fn longest_message(request: &Request, most: usize) -> usize {
    if is_list(request) { most } else { most.min(SHORT_MESSAGE) }
}

/// Shows the one message that was read whole. Answers whether more of it is wanted now that it is known what it is.
pub fn show_answer(plan: &Plan, request: &Request, reply: &mut Reply, text: &Bytes) -> bool {
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

/// The message in the text of an answer: the text itself, or of an event stream the event that answers the request. One that
/// lacks its id is taken for it.
#[must_use]
pub fn answer_in(request: &Request, reply: &Reply, text: &Bytes) -> Option<Bytes> {
    if !reply.is_of("text/event-stream") {
        return Some(text.clone());
    }
    sse::events(text).filter_map(|event| sse::data(&event)).find(|data| is_answer(request, data))
}

/// Whether the data of an event are the answer to the request, or an answer that lacks its id.
#[must_use]
pub fn is_answer(request: &Request, data: &Bytes) -> bool {
    let message = Envelope::peek(data).filter(Envelope::is_response);
    message.is_some_and(|message| {
        !message.has_id() || request.message.as_ref().is_some_and(|asked| message.answers(asked))
    })
}

/// Shows a body that was read whole, without its content coding. Answers whether it is a JSON object.
pub fn show_whole(reply: &mut Reply, text: &Bytes) -> bool {
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
