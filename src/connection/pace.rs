//! How much of an answer may wait for its client inside this process.
//!
//! hyper takes up to its whole buffer of a body before it writes any of it, and a client that reads nothing makes it keep
//! that. A paced body stops earlier: it hands out no more until the socket has taken what was handed out.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Waker};

use crate::overload::Load;

/// Bytes that may be handed out before the socket has taken them. The last frame may exceed it.
const MOST_WAITING: usize = 8 * 1024;
/// The same while there is room for large buffers.
const MOST_WITH_ROOM: usize = 64 * 1024;

/// Shared by the body that is sent and the socket that it is written to.
#[derive(Debug, Default)]
pub struct Pace {
    /// Whether a socket tells when it has taken everything. Without one nothing is paced.
    is_told: AtomicBool,
    load: OnceLock<&'static Load>,
    waiting: AtomicUsize,
    /// The task to wake when the socket has taken everything.
    sender: Mutex<Option<Waker>>,
}

impl Pace {
    /// A socket will tell when it has taken everything, and buffers are small unless the load leaves room.
    pub fn begin(&self, load: Option<&'static Load>) {
        self.is_told.store(true, Ordering::Relaxed);
        if let Some(load) = load {
            // A connection has one load.
            let _ = self.load.set(load);
        }
    }

    /// Whether buffers may be large.
    pub fn has_room(&self) -> bool {
        self.load.get().is_some_and(|load| load.has_room())
    }

    /// Whether the body may hand out more. If not, the task is woken when it may.
    pub fn may_send(&self, cx: &Context<'_>) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting < MOST_WAITING || !self.is_told.load(Ordering::Relaxed) {
            return true;
        }
        if waiting < MOST_WITH_ROOM && self.has_room() {
            return true;
        }
        if let Ok(mut sender) = self.sender.lock() {
            match &mut *sender {
                Some(waker) => waker.clone_from(cx.waker()),
                empty => *empty = Some(cx.waker().clone()),
            }
        }
        // Body and socket are polled by the same task: nothing was flushed in between.
        false
    }

    /// The body has handed out this many bytes.
    pub fn sent(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The socket has taken everything.
    pub fn flushed(&self) {
        if self.waiting.swap(0, Ordering::Relaxed) < MOST_WAITING {
            return;
        }
        if let Some(waker) = self.sender.lock().ok().and_then(|mut sender| sender.take()) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn more_may_wait_while_there_is_room() {
        let (pace, load) = (Pace::default(), Box::leak(Box::<Load>::default()));
        let cx = Context::from_waker(Waker::noop());
        pace.begin(Some(load));
        pace.sent(MOST_WITH_ROOM - 1);
        assert!(!pace.may_send(&cx));
        load.set_roomy(1);
        assert!(pace.may_send(&cx));
        pace.sent(1);
        assert!(!pace.may_send(&cx));
    }

    #[test]
    fn a_body_waits_for_the_socket_and_is_woken() {
        let (pace, flag) = (Pace::default(), Arc::new(Flag::default()));
        let waker = Waker::from(flag.clone());
        let cx = Context::from_waker(&waker);
        pace.sent(MOST_WAITING - 1);
        assert!(pace.may_send(&cx));
        pace.sent(1);
        assert!(pace.may_send(&cx), "no socket tells");
        pace.begin(None);
        assert!(!pace.may_send(&cx) && !flag.0.load(Ordering::Relaxed));
        pace.flushed();
        assert!(flag.0.load(Ordering::Relaxed) && pace.may_send(&cx));
    }
}
