//! What this process has on its hands: bytes that are held so that they can be mended, and requests under way. Both are
//! counted over all threads and sites, since memory is one.

mod held;
pub mod shares;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub use self::held::Held;
use self::shares::{Share, Shares, client_of};

/// The counts.
#[derive(Debug, Default)]
pub struct Load {
    held: AtomicU64,
    requests: AtomicUsize,
    shares: Shares,
    /// Of the bytes that are held.
    held_shares: Shares,
    /// Up to so many requests under way there is room for large buffers.
    roomy: AtomicUsize,
    /// Connections to upstreams that wait for the next request.
    kept: AtomicUsize,
    /// How many there may be; 0: any number.
    most_kept: AtomicUsize,
}

/// Why there is no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// There are as many as there may be.
    All,
    /// Its client has its share.
    Client,
}

impl Load {
    /// Bytes that are held now.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Requests under way now.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// States up to how many requests under way there is room for large buffers.
    pub fn set_roomy(&self, requests: usize) {
        self.roomy.store(requests, Ordering::Relaxed);
    }

    /// Whether the buffers of an exchange may be large.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.requests() < self.roomy.load(Ordering::Relaxed)
    }

    /// States how many connections to upstreams may wait for the next request.
    pub fn set_most_kept(&self, connections: usize) {
        self.most_kept.store(connections, Ordering::Relaxed);
    }

    /// Keeps one more, if there is room. One client's own have half of it, so that those of all are never squeezed out.
    pub fn keep(&'static self, is_private: bool) -> Option<Kept> {
        let most = match self.most_kept.load(Ordering::Relaxed) {
            0 => usize::MAX,
            most if is_private => most.div_ceil(2),
            most => most,
        };
        let before = self.kept.fetch_add(1, Ordering::Relaxed);
        let kept = Kept(self);
        (before < most).then_some(kept)
    }

    /// Begins a request of a client, if there are fewer than `most` and the client has less than its share of what the
    /// others leave.
    ///
    /// # Errors
    /// When there is no room.
    pub fn begin(&'static self, client: IpAddr, share: Share, most: usize) -> Result<Request, Full> {
        let client = client_of(client);
        self.shares.with(client, |own| {
            let before = self.requests.fetch_add(1, Ordering::Relaxed);
            // Others come and go meanwhile: this may be off by as many as there are threads.
            let left_by_others = most.saturating_sub(before.saturating_sub(*own));
            let full = match () {
                () if before >= most => Some(Full::All),
                () if *own >= share.of(left_by_others) => Some(Full::Client),
                () => None,
            };
            match full {
                Some(full) => {
                    self.requests.fetch_sub(1, Ordering::Relaxed);
                    Err(full)
                }
                None => {
                    *own += 1;
                    Ok(Request { load: self, client })
                }
            }
        })
    }
}

/// A connection to an upstream that waits for the next request, until this is dropped.
#[derive(Debug)]
pub struct Kept(&'static Load);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request under way, until this is dropped.
#[derive(Debug)]
pub struct Request {
    load: &'static Load,
    client: IpAddr,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.load.shares.with(self.client, |own| *own = own.saturating_sub(1));
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells whether so much is going on that who holds things up has less time.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    load: &'static Load,
    requests: usize,
    held_bytes: u64,
}

impl Crowd {
    /// Where there may be so many requests and so many held bytes.
    #[must_use]
    pub fn new(load: &'static Load, requests: usize, held_bytes: u64) -> Self {
        Self { load, requests, held_bytes }
    }

    /// What is counted.
    #[must_use]
    pub fn load(&self) -> &'static Load {
        self.load
    }

    /// Whether more than three quarters of either are taken.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.load.requests() > self.requests / 4 * 3 || self.load.held_bytes() > self.held_bytes / 4 * 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> &'static Load {
        Box::leak(Box::default())
    }

    const CLIENT: &str = "192.0.2.1";
    const OTHER: &str = "192.0.2.2";

    fn begin(load: &'static Load, client: &str, most: usize) -> Result<Request, Full> {
        load.begin(client.parse().unwrap(), Share::Half, most)
    }

    #[test]
    fn requests_are_counted_while_they_last() {
        let load = load();
        let (first, second) = (begin(load, CLIENT, 2), begin(load, OTHER, 2));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(begin(load, "192.0.2.3", 2).unwrap_err(), Full::All);
        assert_eq!((load.requests(), load.shares.clients()), (2, 2));
        drop(first);
        assert!(begin(load, CLIENT, 2).is_ok());
        drop(second);
        assert_eq!((load.requests(), load.shares.clients()), (0, 0));
        assert_eq!(begin(load, CLIENT, 0).unwrap_err(), Full::All);
    }

    #[test]
    fn a_client_that_takes_all_it_can_get_leaves_room_for_the_next() {
        let load = load();
        let fill = |client: &str| {
            let mut all = Vec::new();
            loop {
                match begin(load, client, 120) {
                    Ok(request) => all.push(request),
                    Err(full) => return (all, full),
                }
            }
        };
        let (first, full) = fill(CLIENT);
        assert_eq!((first.len(), full), (60, Full::Client));
        let (second, full) = fill(OTHER);
        assert_eq!((second.len(), full), (30, Full::Client));
        // However many there are, each next one finds room until each has one.
        for last in 3..33 {
            assert!(!fill(&format!("192.0.2.{last}")).0.is_empty(), "{last}");
        }
        // Networks of IPv6 are one client each.
        let taken = load.requests();
        let v6 = begin(load, "2001:db8::1", taken + 2);
        assert!(v6.is_ok());
        assert_eq!(begin(load, "2001:db8::2", taken + 2).unwrap_err(), Full::Client);
        drop((first, second));
    }

    #[test]
    fn so_many_connections_are_kept_and_no_more() {
        let load = load();
        assert!((0..3).map(|_| load.keep(false)).collect::<Vec<_>>().iter().all(Option::is_some));
        load.set_most_kept(4);
        let private: Vec<_> = (0..4).map_while(|_| load.keep(true)).collect();
        let common: Vec<_> = (0..4).map_while(|_| load.keep(false)).collect();
        assert_eq!((private.len(), common.len()), (2, 2));
        drop(private);
        assert!(load.keep(true).is_none(), "all but two are taken");
        drop(common);
        assert!(load.keep(true).is_some());
    }

    #[test]
    fn a_crowd_begins_at_three_quarters() {
        let load = load();
        let crowd = Crowd::new(load, 8, 100);
        let mut all: Vec<_> = (0..6).map(|_| load.begin(CLIENT.parse().unwrap(), Share::Most, 8)).collect();
        assert!(!crowd.is_there());
        all.push(load.begin(CLIENT.parse().unwrap(), Share::Most, 8));
        assert!(all.iter().all(Result::is_ok) && crowd.is_there());
        drop(all);
        let mut held = Held::new(load, 100);
        assert!(held.grow(75) && !crowd.is_there());
        assert!(held.grow(1) && crowd.is_there());
    }
}
