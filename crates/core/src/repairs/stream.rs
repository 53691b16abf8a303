//! Event streams (WHATWG HTML, section 9.2): of every event exactly what all parsers read the same way.

pub mod bare_cr;
pub mod batch;
pub mod bom;
pub mod buffered;
pub mod endpoint_data;
pub mod event_name;
pub mod event_unended;
pub mod json_as_events;
pub mod junk_data;
pub mod open_after_answer;
pub mod silence;

use http::Method;

use crate::exchange::{Event, Reply, Request};

/// Whether the answer is an event stream.
fn is_stream(_: &Request, reply: &Reply) -> bool {
    reply.is_of("text/event-stream")
}

/// Whether clients take the event for a message (WHATWG HTML section 9.2.6).
fn is_heard(event: &Event) -> bool {
    event.name().is_none_or(|name| name.is_empty() || name == "message")
}

/// Whether the answer is an event stream that a GET has opened.
fn is_opened(request: &Request, reply: &Reply) -> bool {
    request.method == Method::GET && is_stream(request, reply)
}
