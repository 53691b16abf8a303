//! What a sound stream of the HTTP+SSE transport looks like (MCP 2024-11-05, HTTP with SSE).

use http::StatusCode;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};

use super::messages::hello;
use super::{Verdict, right};
use crate::demo::client::Answer;
use crate::demo::events::{endpoint, events, messages_of, whole};
use crate::demo::visit::session::FIRST_ID;
use crate::endpoint::{LEGACY_SSE, resource_metadata_path};

fn opened(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::OK, || format!("{} for the stream", answer.status.as_u16()))?;
    let kind = answer.only(CONTENT_TYPE).unwrap_or("no Content-Type");
    right(kind.starts_with("text/event-stream"), || format!("{kind} instead of text/event-stream"))
}

/// A 401 that leads to the metadata of this transport's resource.
pub(in crate::demo) fn challenged(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::UNAUTHORIZED, || format!("{} instead of 401", answer.status.as_u16()))?;
    let challenge = answer.only(WWW_AUTHENTICATE).unwrap_or("no WWW-Authenticate");
    let pointer = format!("resource_metadata=\"{}{}\"", answer.origin, resource_metadata_path(LEGACY_SSE));
    right(challenge.starts_with("Bearer ") && challenge.contains(&pointer), || challenge.to_owned())
}

/// The first event leads to an address here: clients post to no other origin.
pub(in crate::demo) fn endpoint_named(answer: &Answer) -> Verdict {
    opened(answer)?;
    let to = endpoint(&answer.body).ok_or("no endpoint event")?;
    let path = to.strip_prefix(&answer.origin).unwrap_or(&to);
    let well = path.starts_with('/') && !path.starts_with("//") && path.trim() == path;
    right(well, || format!("messages go to: {to}"))
}

/// The answer to `initialize` came on the stream.
pub(in crate::demo) fn initialized(answer: &Answer) -> Verdict {
    right(answer.status == StatusCode::OK, || format!("{}: {}", answer.line, answer.status.as_u16()))?;
    endpoint_named(answer)?;
    let behind = events(whole(&answer.body))?.into_iter().filter(|event| event.name.as_deref() != Some("endpoint"));
    let all = messages_of(behind)?;
    let answer = all.iter().find(|message| message["id"] == FIRST_ID).ok_or("no answer on the stream")?;
    hello(&answer["result"])
}
