//! Streams that a GET has opened, by name: what is said to one before anybody listens waits for him.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::shelf::Shelf;

/// What one stream holds back; more is lost.
const MOST: usize = 64;

/// The streams of a server.
#[derive(Debug, Default)]
pub(in crate::demo) struct Streams(Mutex<Shelf<Stream>>);

#[derive(Debug)]
struct Stream {
    speaker: Sender<Bytes>,
    /// Until somebody listens.
    words: Option<Receiver<Bytes>>,
}

impl Stream {
    fn new() -> Self {
        let (speaker, words) = mpsc::channel(MOST);
        Self { speaker, words: Some(words) }
    }
}

impl Streams {
    /// Says something on a stream, now or as soon as it is opened.
    pub(in crate::demo) fn tell(&self, name: &str, words: impl Into<Bytes>) {
        self.with(name, |stream| drop(stream.speaker.try_send(words.into())));
    }

    /// What is said on a stream from now on, and what was said before. Who listens alone hears it.
    pub(in crate::demo) fn listen(&self, name: &str) -> Receiver<Bytes> {
        self.with(name, |stream| match stream.words.take() {
            Some(words) => words,
            None => {
                let Stream { speaker, words } = Stream::new();
                stream.speaker = speaker;
                words.unwrap_or_else(|| mpsc::channel(1).1)
            }
        })
    }

    /// Whether there is a stream of this name.
    pub(in crate::demo) fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_some()
    }

    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Stream) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who listened has gone: what is said waits for the next one.
        let mut stream = all.take(name).filter(|stream| !stream.speaker.is_closed()).unwrap_or_else(Stream::new);
        let done = act(&mut stream);
        all.put(name.to_owned(), stream);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_said_waits_for_a_listener() {
        let streams = Streams::default();
        assert!(!streams.has("a"));
        streams.tell("a", "early");
        let mut words = streams.listen("a");
        streams.tell("a", "late");
        assert_eq!((words.recv().await.unwrap(), words.recv().await.unwrap()), ("early".into(), "late".into()));
        // The second listener takes over, and the first one's stream ends.
        let mut other = streams.listen("a");
        assert_eq!(words.recv().await, None);
        drop(other);
        streams.tell("a", "again");
        other = streams.listen("a");
        assert_eq!(other.recv().await.unwrap(), "again");
        assert!(streams.has("a") && !streams.has("b"));
    }
}
