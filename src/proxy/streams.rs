//! The streams of the HTTP+SSE transport: whose they are, and which answers go to them.

use http::StatusCode;

use super::Exchange;
use super::answer::Answer;
use crate::body::caller::Caller;
use crate::endpoint::{self, Class};
use crate::exchange::{Event, Form, Opening, Request};
use crate::sse;

impl Exchange {
    /// Who opens a stream of the older transport or posts a message over it. Nobody else's caller matters.
    ///
    /// To be asked while the header fields of the request are as the client sent them.
    pub(super) fn caller(&self, request: &Request) -> Option<Caller> {
        if !matches!(request.class, Class::LegacySse | Class::LegacyPost) {
            return None;
        }
        let client = self.connection.client(&request.headers, &self.runtime().trusted_proxies);
        Caller::of(&request.headers, client, self.connection.trusted)
    }

    /// Sends an answer to the stream of its session, where that runs through this process and was opened by the same caller.
    pub(super) fn send_to_stream(&self, request: &Request, answer: &mut Answer) {
        answer.reply.form = Form::AsItCame;
        let session = request.query().and_then(endpoint::session_in);
        let event = match answer.reply.opening {
            Opening::Events => answer.text(),
            _ => answer.message(request).map(|message| sse::event_of(&message)),
        };
        let (Some(session), Some(event)) = (session, event) else { return };
        if self.runtime().inboxes.deliver(session, self.caller, event) {
            answer.reply.say(StatusCode::ACCEPTED, None);
        }
    }
}

/// The session that the first event of the older transport names.
pub(super) fn session_of(event: &Event) -> Option<String> {
    if event.name().as_deref() != Some("endpoint") {
        return None;
    }
    let address = String::from_utf8(event.data()?.to_vec()).ok()?;
    let (_, query) = address.split_once('?')?;
    endpoint::session_in(query.trim_end_matches(['"', '}', ' '])).map(str::to_owned)
}
