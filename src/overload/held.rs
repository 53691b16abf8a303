//! Bytes that are held so that they can be mended: of all, of each client, and of one exchange.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::Load;
use super::shares::{Share, client_of};

/// A held body up to this length is taken by the client's socket at once; a longer one may wait there for a slow reader.
const SOON_GONE: usize = 64 * 1024;
/// Documents, registrations and logins are hardly ever longer. They find room when all else is taken: an eighth beside what
/// may be held otherwise.
const SMALL: u64 = 8 * 1024;
const RESERVE: u64 = 8;

/// What one exchange holds, until this is dropped. Nothing is counted before something is held.
#[derive(Debug)]
pub struct Held {
    load: &'static Load,
    most: u64,
    /// Whose it is, and how much that client may hold.
    of: Option<(IpAddr, Share)>,
    bytes: u64,
    /// Whether something was not held because there was too much already.
    pub is_refused: bool,
}

impl Held {
    /// Holds nothing yet; all of the process may hold `most` bytes.
    #[must_use]
    pub fn new(load: &'static Load, most: u64) -> Self {
        Self { load, most, of: None, bytes: 0, is_refused: false }
    }

    /// From now on this is of a client, which may have a share of what the others leave. Nothing is held yet.
    pub fn count_for(&mut self, client: IpAddr, share: Share) {
        self.of = Some((client_of(client), share));
    }

    /// Holds nothing yet, of the same client.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { of: self.of, ..Self::new(self.load, self.most) }
    }

    /// Begins with something new, and answers what is held already.
    pub fn begin(&mut self) -> usize {
        self.is_refused = false;
        self.bytes as usize
    }

    /// Holds so much more, if there is room; otherwise it is to be handed on as it is.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let (bytes, load) = (bytes as u64, self.load);
        let before = load.held.fetch_add(bytes, Ordering::Relaxed);
        let is_small = self.bytes + bytes <= SMALL;
        let most = if is_small { self.most + self.most / RESERVE } else { self.most };
        let has_room = before + bytes <= most && self.is_within_share(bytes, most);
        if has_room {
            self.bytes += bytes;
        } else {
            load.held.fetch_sub(bytes, Ordering::Relaxed);
            self.is_refused = true;
        }
        has_room
    }

    /// Counts so much for the client, if with what it holds already it is within its share of what others leave of `most`. What one
    /// exchange holds alone is never more than one body.
    fn is_within_share(&self, bytes: u64, most: u64) -> bool {
        let Some((client, share)) = self.of else { return true };
        self.load.held_shares.with(client, |own| {
            let (has, more) = (*own as u64, bytes as usize);
            let is_alone = has <= self.bytes;
            // Read here, so that what the client has got meanwhile on another thread is in both.
            let left = most.saturating_sub(self.load.held.load(Ordering::Relaxed).saturating_sub(bytes));
            let is_within = is_alone || *own + more <= share.of((left + has) as usize);
            *own += if is_within { more } else { 0 };
            is_within
        })
    }

    /// Holds so much less.
    fn release(&mut self, bytes: u64) {
        self.bytes -= bytes;
        self.load.held.fetch_sub(bytes, Ordering::Relaxed);
        if let Some((client, _)) = self.of {
            self.load.held_shares.with(client, |own| *own = own.saturating_sub(bytes as usize));
        }
    }

    /// Holds so much from now on, if there is room.
    pub fn set(&mut self, bytes: usize) -> bool {
        match (bytes as u64).cmp(&self.bytes) {
            std::cmp::Ordering::Greater => self.grow(bytes - self.bytes as usize),
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Less => {
                self.release(self.bytes - bytes as u64);
                true
            }
        }
    }

    /// What was read of a body that is handed on: counted by itself until it is written. What was held before is held on.
    #[must_use]
    pub fn part(&mut self, bytes: Bytes, before: usize) -> Bytes {
        let before = (before as u64).min(self.bytes);
        let mut part = Self { bytes: self.bytes - before, ..self.beside() };
        self.bytes = before;
        part.out(bytes)
    }

    /// Bytes on their way out, counted until they are written.
    #[must_use]
    pub fn out(&mut self, bytes: Bytes) -> Bytes {
        if bytes.len() <= SOON_GONE || self.bytes == 0 {
            return bytes;
        }
        let held = std::mem::replace(self, self.beside());
        Bytes::from_owner(Leaving { bytes, _held: held })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.release(self.bytes);
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
        let (mut one, mut two) = (Held::new(load, 100_000), Held::new(load, 100_000));
        assert!(one.grow(60_000) && two.grow(40_000));
        assert!(!two.grow(1) && two.is_refused && !one.is_refused);
        assert_eq!(load.held_bytes(), 100_000);
        drop(one);
        assert!(two.grow(60_000));
        assert!(!two.set(100_001) && two.set(100_000) && two.set(3));
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
    fn a_part_that_leaves_is_counted_by_itself() {
        let load = load();
        let mut held = Held::new(load, 1 << 20);
        assert!(held.grow(100) && held.grow(SOON_GONE + 1));
        let out = held.part(Bytes::from(vec![7; SOON_GONE + 1]), 100);
        drop(held);
        assert_eq!(load.held_bytes(), SOON_GONE as u64 + 1);
        drop(out);
        assert_eq!(load.held_bytes(), 0);
    }

    /// Bodies of so many bytes, until there is room for none.
    fn fill(load: &'static Load, client: u8, share: Share, bytes: usize, most: u64) -> Vec<Held> {
        let next = || {
            let mut held = Held::new(load, most);
            held.count_for([192, 0, 2, client].into(), share);
            held.grow(bytes).then_some(held)
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_client_that_holds_all_it_can_get_leaves_room_for_the_next() {
        let (load, body, most) = (load(), 10_000, 1_000_000);
        let first = fill(load, 1, Share::Half, body, most);
        let second = fill(load, 2, Share::Half, body, most);
        assert_eq!((first.len(), second.len()), (50, 25));
        assert!(!fill(load, 3, Share::Half, body, most).is_empty());
        drop((first, second));
        assert_eq!((load.held_bytes(), load.held_shares.clients()), (0, 0));
        assert_eq!(fill(load, 4, Share::Most, body, most).len(), 87);
    }

    #[test]
    fn one_body_at_a_time_may_be_as_long_as_there_is_room() {
        let (load, most) = (load(), 1_000_000);
        let mut held = Held::new(load, most);
        held.count_for([192, 0, 2, 1].into(), Share::Half);
        assert!(held.grow(600_000) && held.grow(400_000) && !held.grow(1));
        // What waits to be written is held by the same client.
        let out = held.out(Bytes::from(vec![7; 1_000_000]));
        assert!(!held.grow(10_000));
        drop((out, held));
        assert_eq!((load.held_bytes(), load.held_shares.clients()), (0, 0));
    }

    #[test]
    fn what_is_small_finds_room_when_all_is_taken() {
        let (load, most) = (load(), 1_000_000);
        let all = (1..=100).map(|client| fill(load, client, Share::Half, 10_000, most));
        let all: Vec<_> = all.collect();
        assert!(load.held_bytes() > most - 10_000);
        let mut large = Held::new(load, most);
        large.count_for([192, 0, 2, 200].into(), Share::Half);
        assert!(!large.grow(10_000));
        let mut small = Held::new(load, most);
        small.count_for([192, 0, 2, 200].into(), Share::Half);
        assert!(small.grow(4000) && small.grow(4000));
        // Nor may one of those who have taken all take the reserve.
        let mut again = Held::new(load, most);
        again.count_for([192, 0, 2, 1].into(), Share::Half);
        assert!(!again.grow(4000));
        drop(all);
    }
}
