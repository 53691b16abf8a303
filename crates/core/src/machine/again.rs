//! What goes up: the fields and the body of the first ask, and of one that is put otherwise.

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use http::uri::PathAndQuery;

use crate::exchange::{Ask, Request, RequestBody};
use crate::headers;

/// A further ask, as it goes up. What it does not say is as in the first one.
pub struct Outgoing {
    pub target: PathAndQuery,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// Whether it opens a stream, in which the answer is looked for.
    pub listens: bool,
}

/// The method that the upstream is asked with: a HEAD of a document is a GET there, so that what is said of the
/// document is said of the mended one (RFC 9110 section 9.3.2).
#[must_use]
pub fn asked_with(request: &Request) -> Method {
    if request.class.is_metadata() && request.method == Method::HEAD { Method::GET } else { request.method.clone() }
}

/// The header fields that go up. The request keeps them only if it may be asked again.
#[must_use]
pub fn take_fields(request: &mut Request) -> HeaderMap {
    if request.class.may_ask_again() { request.headers.clone() } else { std::mem::take(&mut request.headers) }
}

/// The body that goes up if repairs have changed it, and its framing in the fields.
pub(super) fn changed_body(request: &mut Request) -> Option<Bytes> {
    let changed = match &request.body {
        RequestBody::Json(object) if object.is_changed() => object.to_bytes(),
        RequestBody::Form(form) => Bytes::from(form.clone()),
        RequestBody::Json(_) | RequestBody::Unread | RequestBody::Whole(_) => return None,
    };
    headers::reframe(&mut request.headers, changed.len());
    Some(changed)
}

/// What a further ask sends; `None` if it cannot be put: its body has gone by unread.
pub(super) fn again(request: &Request, ask: &Ask) -> Option<Outgoing> {
    let target = match &ask.target {
        Some(target) => PathAndQuery::try_from(target.as_str()).ok()?,
        None => request.target.clone(),
    };
    let mut fields = request.headers.clone();
    let body = match ask.body.as_ref().unwrap_or(&request.body) {
        _ if ask.listens => None,
        RequestBody::Unread if request.is_repeatable() => None,
        RequestBody::Unread => return None,
        RequestBody::Json(object) => Some(object.to_bytes()),
        RequestBody::Form(form) => Some(Bytes::from(form.clone())),
        RequestBody::Whole(bytes) => Some(bytes.clone()),
    };
    if let Some(kind) = ask.body.as_ref().and_then(RequestBody::media_type) {
        fields.insert(CONTENT_TYPE, kind);
    }
    let authorization = ask.authorization.clone().map(|value| (AUTHORIZATION, value));
    for (name, value) in ask.fields.iter().cloned().chain(authorization) {
        match value {
            Some(value) => drop(fields.insert(name, value)),
            None => drop(fields.remove(name)),
        }
    }
    if ask.listens {
        fields.remove(CONTENT_TYPE);
        fields.remove(CONTENT_LENGTH);
    }
    match &body {
        // The bytes that came keep the coding that they came in.
        Some(body) if ask.body.is_none() && matches!(request.body, RequestBody::Whole(_)) => {
            headers::set_length(&mut fields, body.len());
        }
        Some(body) => headers::reframe(&mut fields, body.len()),
        None => {}
    }
    Some(Outgoing { target, headers: fields, body, listens: ask.listens })
}
