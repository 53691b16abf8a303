//! What a repair sees of an event stream: one event at a time, its end, and its silences.

use bytes::Bytes;

use crate::sse;

/// One event of a stream (WHATWG HTML, server-sent events), or a moment at which there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The text from the first field to the blank line, both included. At a moment without an event it is empty, and
    /// what a repair puts there is sent.
    pub text: Bytes,
    pub at: At,
    /// Whether the stream ends behind it.
    pub ends: bool,
}

/// The moment at which something is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The event has come, whole.
    Arrival,
    /// The stream has ended, and this is what stood behind the last blank line. `open`: the beginning of it was too long
    /// to be held and has been handed on.
    End { open: bool },
    /// Nothing has come for a while, or nothing yet. `answered`: the answer to the request has passed.
    Silence { answered: bool },
}

impl Event {
    /// An event that has come.
    #[must_use]
    pub fn arrived(text: Bytes) -> Self {
        Self { text, at: At::Arrival, ends: false }
    }

    /// A moment at which there is nothing, or what is left at the end.
    #[must_use]
    pub fn at(at: At, text: Bytes) -> Self {
        Self { text, at, ends: false }
    }

    /// Its name; most have none and are messages.
    #[must_use]
    pub fn name(&self) -> Option<std::borrow::Cow<'_, str>> {
        sse::field(&self.text, "event")
    }

    /// Its data, lines joined.
    #[must_use]
    pub fn data(&self) -> Option<Bytes> {
        sse::data(&self.text)
    }
}
