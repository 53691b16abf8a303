//! Messages that came where they were posted, on their way to the stream of their session (HTTP+SSE transport, G-03).
//!
//! Only the streams of this process are known: with several replicas the answer stays where it came, as without the proxy.
//! It stays there too where it is not certain that the stream belongs to whoever posted the message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::caller::Caller;

/// Events that wait for a stream, and bytes of them: clients ask several things at a time, and one that does not read its
/// stream holds no more than its connection may hold.
const MOST: usize = 64;
const MOST_BYTES: usize = 64 * 1024;

/// The open streams by their sessions.
#[derive(Clone, Default)]
pub struct Inboxes {
    open: Arc<Mutex<HashMap<String, Opened>>>,
}

/// The streams that are open under one name of a session.
struct Opened {
    /// Who opened the first; `None` if that cannot be told.
    caller: Option<Caller>,
    sender: Sender,
    /// How many are open.
    count: usize,
    /// Whether there was more than one at a time: then nobody knows whose an answer is.
    is_ambiguous: bool,
}

/// A stream that can be sent to, until this is dropped.
pub struct Inbox {
    inboxes: Inboxes,
    session: String,
}

/// What is sent to a stream, and how it is sent.
#[must_use]
pub fn channel() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(MOST);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Sender { events: sender, waiting: waiting.clone() }, Receiver { events: receiver, waiting })
}

/// Sends events to one stream.
#[derive(Clone)]
pub struct Sender {
    events: mpsc::Sender<Bytes>,
    /// Bytes of the events that wait.
    waiting: Arc<AtomicUsize>,
}

impl Sender {
    /// Whether there was room for it.
    fn send(&self, event: Bytes) -> bool {
        let length = event.len();
        let before = self.waiting.fetch_add(length, Ordering::Relaxed);
        let is_sent = before + length <= MOST_BYTES && self.events.try_send(event).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
        }
        is_sent
    }
}

/// What is sent to one stream.
pub struct Receiver {
    events: mpsc::Receiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Receiver {
    /// The next event; `None` if none will come any more.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let event = ready!(self.events.poll_recv(cx));
        self.waiting.fetch_sub(event.as_ref().map_or(0, Bytes::len), Ordering::Relaxed);
        Poll::Ready(event)
    }
}

impl Inboxes {
    /// The stream of a session is open. A second stream under the same name makes the name ambiguous until both are gone.
    #[must_use]
    pub fn open(&self, session: String, caller: Option<Caller>, sender: Sender) -> Option<Inbox> {
        let mut open = self.open.lock().ok()?;
        if session.is_empty() {
            return None;
        }
        open.entry(session.clone())
            .and_modify(|opened| {
                opened.count += 1;
                opened.is_ambiguous = true;
            })
            .or_insert(Opened { caller, sender, count: 1, is_ambiguous: false });
        Some(Inbox { inboxes: self.clone(), session })
    }

    /// Sends an event to the stream of a session. Answers whether it has one that is this caller's beyond doubt.
    #[must_use]
    pub fn deliver(&self, session: &str, caller: Option<Caller>, event: Bytes) -> bool {
        let Ok(open) = self.open.lock() else { return false };
        let is_callers = |opened: &&Opened| !opened.is_ambiguous && caller.is_some() && opened.caller == caller;
        open.get(session).filter(is_callers).is_some_and(|opened| opened.sender.send(event))
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let Ok(mut open) = self.inboxes.open.lock() else { return };
        let Some(opened) = open.get_mut(&self.session) else { return };
        opened.count -= 1;
        if opened.count == 0 {
            open.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http::HeaderMap;

    use super::*;

    fn caller(address: &str) -> Option<Caller> {
        Caller::of(&HeaderMap::new(), address.parse().ok(), false)
    }

    fn next(receiver: &mut Receiver) -> Option<Bytes> {
        match receiver.poll_recv(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }

    const EVENT: Bytes = Bytes::from_static(b"x");

    #[test]
    fn a_stream_gets_what_its_opener_asks_as_long_as_it_is_open() {
        let (inboxes, (sender, mut receiver)) = (Inboxes::default(), channel());
        let (one, other) = (caller("192.0.2.1"), caller("192.0.2.2"));
        let inbox = inboxes.open("a".into(), one, sender.clone());
        assert!(inbox.is_some() && inboxes.open(String::new(), one, sender).is_none());
        assert!(!inboxes.deliver("a", other, EVENT) && !inboxes.deliver("a", None, EVENT));
        assert!(!inboxes.deliver("b", one, EVENT));
        assert!(next(&mut receiver).is_none());
        assert!(inboxes.deliver("a", one, EVENT));
        assert_eq!(next(&mut receiver).unwrap(), EVENT);
        drop(inbox);
        assert!(!inboxes.deliver("a", one, EVENT));
    }

    #[test]
    fn a_stream_whose_opener_is_unknown_gets_nothing() {
        let (inboxes, (sender, mut receiver)) = (Inboxes::default(), channel());
        let _inbox = inboxes.open("a".into(), None, sender).unwrap();
        assert!(!inboxes.deliver("a", None, EVENT) && !inboxes.deliver("a", caller("192.0.2.1"), EVENT));
        assert!(next(&mut receiver).is_none());
    }

    #[test]
    fn a_name_that_two_streams_had_is_ambiguous_until_both_are_gone() {
        let one = caller("192.0.2.1");
        for second in [one, caller("192.0.2.2"), None] {
            for first_ends_first in [true, false] {
                let (inboxes, (sender, mut receiver)) = (Inboxes::default(), channel());
                let mut open = vec![inboxes.open("a".into(), one, sender.clone()).unwrap()];
                open.push(inboxes.open("a".into(), second, sender.clone()).unwrap());
                assert!(!inboxes.deliver("a", one, EVENT) && !inboxes.deliver("a", second, EVENT));
                drop(if first_ends_first { open.remove(0) } else { open.remove(1) });
                assert!(!inboxes.deliver("a", one, EVENT) && !inboxes.deliver("a", second, EVENT));
                open.clear();
                let _inbox = inboxes.open("a".into(), one, sender).unwrap();
                assert!(inboxes.deliver("a", one, EVENT));
                assert_eq!(next(&mut receiver).unwrap(), EVENT);
                assert!(next(&mut receiver).is_none());
            }
        }
    }

    #[test]
    fn little_waits_for_a_stream_that_nobody_reads() {
        let (inboxes, (sender, mut receiver)) = (Inboxes::default(), channel());
        let one = caller("192.0.2.1");
        let _inbox = inboxes.open("a".into(), one, sender);
        let event = Bytes::from(vec![b'x'; MOST_BYTES / 4]);
        for _ in 0..4 {
            assert!(inboxes.deliver("a", one, event.clone()));
        }
        assert!(!inboxes.deliver("a", one, EVENT));
        assert!(next(&mut receiver).is_some() && inboxes.deliver("a", one, EVENT));
    }
}
