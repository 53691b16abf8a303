//! Limits of size and time.

use std::time::Duration;

/// Limits as they are stated: see `config/settings.rs` for each.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections: usize,
    /// `None`: an address has a share of all.
    pub connections_per_peer: Option<usize>,
    pub head_bytes: usize,
    pub target_bytes: usize,
    pub request_bytes: u64,
    pub body_bytes: usize,
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub connect: Duration,
    pub first_byte: Duration,
    pub mend: Duration,
    pub learned: Duration,
    pub silence: Duration,
    pub pool_idle: Duration,
    pub pool_age: Duration,
    pub drain: Duration,
}
