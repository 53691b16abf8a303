//! What this process has on its hands: bytes that are held so that they can be mended, and requests under way. Both are
//! counted over all threads and sites, since memory is one.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;

/// A held body up to this length is taken by the client's socket at once; a longer one may wait there for a slow reader.
const SOON_GONE: usize = 64 * 1024;

/// The counts.
#[derive(Debug, Default)]
pub struct Load {
    held: AtomicU64,
    requests: AtomicUsize,
}

impl Load {
    /// Bytes that are held now.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Requests under way now, as far as they are counted.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Begins a request; `None` if there are `most` already. With 0 nothing is counted.
    pub fn begin(&'static self, most: usize) -> Option<Request> {
        if most == 0 {
            return Some(Request(None));
        }
        let request = Request(Some(self));
        (self.requests.fetch_add(1, Ordering::Relaxed) < most).then_some(request)
    }
}

/// A request under way, until this is dropped.
#[derive(Debug)]
pub struct Request(Option<&'static Load>);

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(load) = self.0 {
            load.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What one exchange holds, until this is dropped. Nothing is counted before something is held.
#[derive(Debug)]
pub struct Held {
    load: &'static Load,
    most: u64,
    bytes: u64,
    /// Whether something was not held because there was too much already.
    pub is_refused: bool,
}

impl Held {
    /// Holds nothing yet; all of the process may hold `most` bytes.
    #[must_use]
    pub fn new(load: &'static Load, most: u64) -> Self {
        Self { load, most, bytes: 0, is_refused: false }
    }

    /// Begins with something new, and answers what is held already.
    pub fn begin(&mut self) -> usize {
        self.is_refused = false;
        self.bytes as usize
    }

    /// Holds so much more, if there is room; otherwise it is to be handed on as it is.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if self.load.held.fetch_add(bytes, Ordering::Relaxed) + bytes > self.most {
            self.load.held.fetch_sub(bytes, Ordering::Relaxed);
            self.is_refused = true;
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Holds so much from now on, if there is room.
    pub fn set(&mut self, bytes: usize) -> bool {
        match (bytes as u64).cmp(&self.bytes) {
            std::cmp::Ordering::Greater => self.grow(bytes - self.bytes as usize),
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Less => {
                self.load.held.fetch_sub(self.bytes - bytes as u64, Ordering::Relaxed);
                self.bytes = bytes as u64;
                true
            }
        }
    }

    /// Bytes on their way out, counted until they are written.
    #[must_use]
    pub fn out(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() <= SOON_GONE || self.bytes == 0 {
            return bytes;
        }
        let held = std::mem::replace(self, Self::new(self.load, self.most));
        Bytes::from_owner(Leaving { bytes, _held: held })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.load.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

struct Leaving {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Leaving {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> &'static Load {
        Box::leak(Box::default())
    }

    #[test]
    fn there_is_room_up_to_the_limit_and_not_beyond() {
        let load = load();
        let (mut one, mut two) = (Held::new(load, 100), Held::new(load, 100));
        assert!(one.grow(60) && two.grow(40));
        assert!(!two.grow(1) && two.is_refused && !one.is_refused);
        assert_eq!(load.held_bytes(), 100);
        drop(one);
        assert!(two.grow(60));
        assert!(!two.set(101) && two.set(100) && two.set(3));
        assert_eq!(load.held_bytes(), 3);
        drop(two);
        assert_eq!(load.held_bytes(), 0);
    }

    #[test]
    fn what_leaves_is_counted_until_nobody_has_it() {
        let load = load();
        let mut held = Held::new(load, 1 << 20);
        assert!(held.grow(SOON_GONE + 1));
        let out = held.out(Bytes::from(vec![7; SOON_GONE + 1]));
        drop(held);
        let rest = out.slice(1..);
        drop(out);
        assert_eq!((load.held_bytes(), rest.len()), (SOON_GONE as u64 + 1, SOON_GONE));
        drop(rest);
        assert_eq!(load.held_bytes(), 0);
        // A short one is soon gone: its count ends with the exchange.
        let mut held = Held::new(load, 1 << 20);
        assert!(held.grow(10));
        let out = held.out(Bytes::from_static(b"0123456789"));
        drop(held);
        assert_eq!((load.held_bytes(), &out[..]), (0, &b"0123456789"[..]));
    }

    #[test]
    fn requests_are_counted_while_they_last_and_only_if_they_are_limited() {
        let load = load();
        let first = load.begin(2);
        let second = load.begin(2);
        assert!(first.is_some() && second.is_some() && load.begin(2).is_none());
        assert_eq!(load.requests(), 2);
        drop(first);
        assert!(load.begin(2).is_some());
        drop(second);
        assert_eq!(load.requests(), 0);
        assert!(load.begin(0).is_some());
        assert_eq!(load.requests(), 0);
    }
}
