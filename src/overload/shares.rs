//! How many requests each client has under way. A client may have a share of what the others leave, so that the next one
//! always finds room: two clients that take all they can get have a third each, three a quarter each.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// Tables with a lock of their own, so that threads seldom wait for each other.
const SHARDS: usize = 16;

/// How much one address may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// One client's: half of what the others leave.
    Half,
    /// Of an address that speaks for many: seven eighths.
    Most,
}

impl Share {
    /// How many of `all` are within the share; at least one, if there is one.
    #[must_use]
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Half => all.div_ceil(2),
            Self::Most => all - all / 8,
        }
    }
}

/// The client that an address stands for: a client of IPv6 has a whole /64 to itself (RFC 6177 section 2).
#[must_use]
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// Counts by client. Only clients with something to count are in it.
#[derive(Debug, Default)]
pub struct Shares {
    shards: [Mutex<Counts>; SHARDS],
    hasher: RandomState,
}

/// By the hash of the client, so that it is made once. Two clients have the same one as good as never, and would have one share then.
type Counts = HashMap<u64, usize, BuildHasherDefault<Hashed>>;

/// Passes on a key that is a hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Shares {
    /// The count of a client, until the guard is dropped.
    pub(super) fn with<T>(&self, client: IpAddr, change: impl FnOnce(&mut usize) -> T) -> T {
        let hash = self.hasher.hash_one(client);
        // The remainder is less than the number of shards. The table goes by the lower bits.
        let shard = &self.shards[(hash >> 32) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(hash) {
            Entry::Occupied(mut entry) => {
                let answer = change(entry.get_mut());
                if *entry.get() == 0 {
                    entry.remove();
                }
                answer
            }
            Entry::Vacant(entry) => {
                let mut count = 0;
                let answer = change(&mut count);
                if count > 0 {
                    entry.insert(count);
                }
                answer
            }
        }
    }

    /// Clients that are counted.
    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one() {
        let shares = |share: Share| [0, 1, 2, 3, 8, 100].map(|all| share.of(all));
        assert_eq!(shares(Share::Half), [0, 1, 1, 2, 4, 50]);
        assert_eq!(shares(Share::Most), [0, 1, 2, 3, 7, 88]);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let client = |text: &str| client_of(text.parse().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8:0:0:ffff::2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert!(client("::1").is_loopback() && client("127.0.0.1").is_loopback());
    }
}
