//! Which limits fit into how much memory. A pure function: `src/memory.rs` finds out how much there is.
//!
//! Four fifths of the memory are divided up; the rest is left for the system's own and for what is short-lived:
//!
//! ```text
//! 4/5 memory = BASE + 2 * held_bytes + roomy * OF_LARGE_BUFFERS + connections * (OF_A_CONNECTION + 4 * socket buffer)
//! ```
//!
//! Up to `roomy` requests under way have large buffers, and as many connections large socket buffers: with small ones a
//! long body takes a hundred times as long where a network has large packets, as the loopback does. A sixteenth of the
//! memory is for them, 32 MiB at most.
//! Held bodies count twice, since a body that is mended exists before and after. The system reckons a socket buffer of N
//! bytes as 2 N. An exchange has four, two on each side of the proxy, of which two can be full at a time: those on the way
//! to a reader that takes nothing, or those on the way to an upstream that takes nothing.

use std::fmt;

/// What the process needs before anybody connects.
const BASE: u64 = 16 * MIB;
/// What a connection may hold in the process with one request under way: both its sides, their buffers and their TLS.
const OF_A_CONNECTION: u64 = 128 * KIB;
/// What large buffers add to that: 256 KiB in the process, and as much in socket buffers.
const OF_LARGE_BUFFERS: u64 = 512 * KIB;
/// Bytes of a socket buffer that is large where others are small.
const LARGE_SOCKET: usize = 64 * 1024;
/// What the system is reckoned to hold in a socket buffer whose size it chooses by itself.
const UNSIZED: u64 = 256 * KIB;
/// From this much memory on the system chooses the sizes of socket buffers.
const PLENTY: u64 = 4096 * MIB;

/// What a stream of HTTP/2 may hold that is no request under way: one that was refused, or whose short answer waits for its
/// client. Of heads only those of requests under way are held, and there are no more of these than connections.
const OF_A_STREAM: u64 = 6 * KIB;
/// Streams of a connection at a time. Fewer than a hundred make clients wait (RFC 9113 section 5.1.2).
pub const MOST_STREAMS: u32 = 100;
const FEWEST_STREAMS: u64 = 8;

const MOST_CONNECTIONS: u64 = 10_000;
const FEWEST_CONNECTIONS: u64 = 16;
const MOST_HELD: u64 = 256 * MIB;
const LEAST_HELD: u64 = MIB;
const MOST_ROOM: u64 = 32 * MIB;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Limits that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Client connections at a time.
    pub connections: usize,
    /// Of one client address.
    pub connections_per_peer: usize,
    /// Bytes of all bodies that are held.
    pub held_bytes: usize,
    /// Requests under way up to which there is room for large buffers.
    pub roomy: usize,
    /// Bytes of each socket buffer; `None`: the system chooses.
    pub socket_bytes: Option<usize>,
}

impl Budget {
    /// For so many bytes of memory; `None`: nobody knows how many there are.
    #[must_use]
    pub fn of(memory: Option<u64>) -> Self {
        let memory = memory.unwrap_or(u64::MAX);
        let socket = (memory < PLENTY).then(|| (memory / (16 * KIB)).clamp(16 * KIB, 256 * KIB));
        let held = (memory / 16).clamp(LEAST_HELD, MOST_HELD);
        let roomy = (memory / 16).min(MOST_ROOM) / OF_LARGE_BUFFERS;
        let usable = memory / 5 * 4;
        let each = OF_A_CONNECTION + 4 * socket.unwrap_or(UNSIZED);
        let connections = usable.saturating_sub(BASE + 2 * held + roomy * OF_LARGE_BUFFERS) / each;
        let connections = connections.clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS);
        Self {
            connections: whole(connections),
            connections_per_peer: whole(connections.div_ceil(2)),
            held_bytes: whole(held),
            roomy: whole(roomy),
            socket_bytes: socket.map(whole),
        }
    }
}

impl Budget {
    /// The limit with this key, if it is one that follows from memory.
    #[must_use]
    pub fn limit(&self, key: &str) -> Option<usize> {
        match key {
            "limits.connections" => Some(self.connections),
            "limits.connections_per_peer" => Some(self.connections_per_peer),
            "limits.held_bytes" => Some(self.held_bytes),
            _ => None,
        }
    }
}

/// Bytes of recorded exchanges (`--admin`, `--capture`): of those that wait to be looked at, and of those that are shown.
/// Both are part of the fifth that is not divided up.
#[must_use]
pub fn recorded(memory: Option<u64>) -> (usize, usize) {
    let share = memory.unwrap_or(u64::MAX) / 32;
    (whole(share.min(32 * MIB)), whole(share.min(48 * MIB)))
}

/// Streams at a time of each connection, so that those of all connections together fit into what the connections have. While
/// there is room for large buffers a connection may have as many as clients want: they fit into these.
#[must_use]
pub fn streams(memory: Option<u64>, connections: usize) -> u32 {
    let memory = memory.unwrap_or(u64::MAX);
    let Budget { held_bytes, roomy, socket_bytes, .. } = Budget::of(Some(memory));
    let of_others = BASE + 2 * held_bytes as u64 + roomy as u64 * OF_LARGE_BUFFERS;
    let each = (memory / 5 * 4).saturating_sub(of_others) / connections.max(1) as u64;
    let in_process = each.saturating_sub(4 * socket_bytes.map_or(UNSIZED, |bytes| bytes as u64));
    u32::try_from((in_process / OF_A_STREAM).max(FEWEST_STREAMS)).map_or(MOST_STREAMS, |all| all.min(MOST_STREAMS))
}

/// What a client of HTTP/2 may send of one stream before it is read, and of all streams of a connection, in bytes (RFC 9113
/// section 5.2).
///
/// A frame of one byte takes 256 bytes in h2. It holds as many of these as fit into half the window of the connection (512
/// without room), and ends a connection that sends more.
#[must_use]
pub fn windows(has_room: bool) -> (u32, u32) {
    if has_room { (64 * 1024 - 1, 1024 * 1024) } else { (32 * 1024, 256 * 1024) }
}

/// The size of a socket buffer while there is room for large ones, where it is to be this one otherwise.
#[must_use]
pub fn with_room(socket_bytes: usize) -> usize {
    socket_bytes.max(LARGE_SOCKET)
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How much memory there is, and who says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// `None`: nobody says.
    pub bytes: Option<u64>,
    pub source: Source,
}

/// Who says how much memory there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// `limits.memory_bytes`.
    Stated,
    /// The limit of a control group of the process.
    Cgroup,
    /// All that the machine has.
    Machine,
    #[default]
    Unknown,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bytes) = self.bytes else { return f.write_str("an unknown amount of memory") };
        let source = match self.source {
            Source::Stated => "stated",
            Source::Cgroup => "cgroup",
            Source::Machine => "machine",
            Source::Unknown => "unknown",
        };
        write!(f, "{} MiB ({source})", bytes / MIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_from_memory() {
        for (memory, connections, held, roomy, socket) in [
            (Some(64 * MIB), 123, 4 * MIB, 8, Some(16)),
            (Some(128 * MIB), 332, 8 * MIB, 16, Some(16)),
            (Some(256 * MIB), 750, 16 * MIB, 32, Some(16)),
            (Some(1024 * MIB), 1715, 64 * MIB, 64, Some(64)),
            (Some(16 * 1024 * MIB), 10_000, 256 * MIB, 64, None),
            (None, 10_000, 256 * MIB, 64, None),
        ] {
            let expected = Budget {
                connections,
                connections_per_peer: usize::div_ceil(connections, 2),
                held_bytes: whole(held),
                roomy,
                socket_bytes: socket.map(|kib| kib * 1024),
            };
            assert_eq!(Budget::of(memory), expected, "{memory:?}");
        }
    }

    #[test]
    fn the_parts_fit_into_four_fifths() {
        for mib in 64..20_000 {
            let memory = mib * MIB;
            let budget = Budget::of(Some(memory));
            let (connections, held) = (budget.connections as u64, budget.held_bytes as u64);
            let socket = budget.socket_bytes.map_or(UNSIZED, |bytes| bytes as u64);
            let roomy = budget.roomy as u64 * OF_LARGE_BUFFERS;
            let all = BASE + 2 * held + roomy + connections * (OF_A_CONNECTION + 4 * socket);
            assert!(all <= memory / 5 * 4, "{mib} MiB: {all} bytes");
        }
    }

    #[test]
    fn streams_fit_into_what_their_connection_has() {
        for (memory, connections, expected) in [
            (Some(64 * MIB), 123, 21),
            (Some(64 * MIB), 40, 88),
            (Some(64 * MIB), 1000, 8),
            (Some(1024 * MIB), 1715, 21),
            (Some(1024 * MIB), 300, MOST_STREAMS),
            (None, 10_000, MOST_STREAMS),
        ] {
            assert_eq!(streams(memory, connections), expected, "{memory:?} {connections}");
        }
        // Those of a connection that has room fit into its large buffers.
        assert!(u64::from(MOST_STREAMS) * OF_A_STREAM <= OF_A_CONNECTION + OF_LARGE_BUFFERS);
    }

    #[test]
    fn however_little_there_is_somebody_is_served() {
        for memory in [0, 1, MIB, 20 * MIB] {
            let budget = Budget::of(Some(memory));
            assert!(budget.connections >= 16 && budget.connections_per_peer >= 8 && budget.held_bytes >= 1 << 20);
        }
    }
}
