//! Messages that came where they were posted, on their way to the stream of their session (HTTP+SSE transport, G-03).
//!
//! Only the streams of this process are known: with several replicas the answer stays where it came, as without the proxy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Events that wait for a stream: more than one client asks at a time.
const MOST: usize = 64;

/// The open streams by their sessions.
#[derive(Clone, Default)]
pub struct Inboxes {
    open: Arc<Mutex<HashMap<String, mpsc::Sender<Bytes>>>>,
}

/// A stream that can be sent to, until this is dropped.
pub struct Inbox {
    inboxes: Inboxes,
    session: String,
}

/// What is sent to a stream, and how it is sent.
#[must_use]
pub fn channel() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
    mpsc::channel(MOST)
}

impl Inboxes {
    /// The stream of a session is open; the first of a name counts.
    #[must_use]
    pub fn open(&self, session: String, sender: mpsc::Sender<Bytes>) -> Option<Inbox> {
        let mut open = self.open.lock().ok()?;
        if session.is_empty() || open.contains_key(&session) {
            return None;
        }
        open.insert(session.clone(), sender);
        Some(Inbox { inboxes: self.clone(), session })
    }

    /// Sends an event to the stream of a session. Answers whether it has one.
    #[must_use]
    pub fn deliver(&self, session: &str, event: Bytes) -> bool {
        let sender = self.open.lock().ok().and_then(|open| open.get(session).cloned());
        sender.is_some_and(|sender| sender.try_send(event).is_ok())
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let Ok(mut open) = self.inboxes.open.lock() {
            open.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gets_what_is_meant_for_its_session_as_long_as_it_is_open() {
        let inboxes = Inboxes::default();
        let (sender, mut receiver) = channel();
        let inbox = inboxes.open("a".into(), sender.clone());
        assert!(inbox.is_some() && inboxes.open("a".into(), sender.clone()).is_none());
        assert!(inboxes.open(String::new(), sender).is_none());
        assert!(inboxes.deliver("a", Bytes::from_static(b"x")) && !inboxes.deliver("b", Bytes::new()));
        assert_eq!(receiver.try_recv().unwrap(), "x");
        drop(inbox);
        assert!(!inboxes.deliver("a", Bytes::new()));
    }
}
