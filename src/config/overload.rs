//! Limits against floods and crowds.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::budget::{Budget, Memory, Source};
use super::layers::Layers;
use super::{Checker, Complaint, Limits};

/// Memory below which nothing can be served: 32 MiB.
const LEAST_MEMORY: u64 = 32 << 20;

/// What is refused, ended or left untouched when there is too much of it.
#[derive(Clone, Copy, Debug)]
pub struct Overload {
    /// Requests under way; 0: any number.
    pub requests: usize,
    /// Of one address a minute; 0: any number.
    pub register_per_minute: u32,
    pub token_per_minute: u32,
    /// Whether these two leave clients of this machine alone: while they are the default.
    pub spares_local: [bool; 2],
    /// Bytes of all bodies that are held.
    pub held_bytes: u64,
    /// How long a client may take nothing of its answer.
    pub stalled: Duration,
    /// How much memory there is, from which limits that nobody states follow.
    pub memory: Memory,
    /// Requests under way up to which there is room for large buffers.
    pub roomy: usize,
    /// Bytes of each socket buffer; `None`: the system chooses.
    pub socket_bytes: Option<usize>,
}

/// The limits that follow from what these settings state, or else from the memory that was found.
#[must_use]
pub fn budget(layers: &Layers) -> Budget {
    let stated =
        |key: &str| layers.given.get(key).and_then(|given| given.values.last()?.text.trim().parse::<u64>().ok());
    let budget = Budget::of(stated("limits.memory_bytes").filter(|bytes| *bytes > 0).or(layers.memory.bytes));
    match stated("limits.connections").and_then(|connections| usize::try_from(connections).ok()) {
        Some(connections) => Budget { connections, connections_per_peer: connections.div_ceil(2), ..budget },
        None => budget,
    }
}

impl Checker<'_> {
    pub(super) fn overload(&mut self, limits: Option<&Limits>) -> Option<Overload> {
        let requests = self.number("limits.requests", 0..=10_000_000);
        let register = self.number("limits.register_per_minute", 0..=1_000_000);
        let token = self.number("limits.token_per_minute", 0..=1_000_000);
        let held = self.number_or_budget("limits.held_bytes", 1 << 20..=1 << 40);
        let memory = self.memory();
        let stalled = self.seconds("limits.stalled_seconds");
        if let (Some(held), Some(limits)) = (held, limits)
            && held < limits.body_bytes
        {
            let message = format!(
                "no body longer than {held} bytes will be mended, though limits.body_bytes says {}; write at least that",
                limits.body_bytes
            );
            self.warnings.push(Complaint { place: "limits.held_bytes".into(), message });
        }
        Some(Overload {
            requests: requests?,
            register_per_minute: u32::try_from(register?).ok()?,
            token_per_minute: u32::try_from(token?).ok()?,
            spares_local: [("limits.register_per_minute", register), ("limits.token_per_minute", token)]
                .map(|(key, number)| super::default(key) == number.map(|number| number.to_string())),
            held_bytes: held? as u64,
            stalled: stalled?,
            memory: memory?,
            roomy: Budget::of(memory?.bytes).roomy,
            socket_bytes: Budget::of(memory?.bytes).socket_bytes,
        })
    }

    /// The memory that is stated, or else found.
    fn memory(&mut self) -> Option<Memory> {
        let stated = self.one("limits.memory_bytes", |text| match text.parse::<u64>() {
            Ok(bytes) if bytes == 0 || (LEAST_MEMORY..=1 << 50).contains(&bytes) => Ok(bytes),
            _ => Err(format!("write a whole number from {LEAST_MEMORY}, or 0 to have it found out")),
        })?;
        Some(match stated {
            0 => self.layers.memory,
            bytes => Memory { bytes: Some(bytes), source: Source::Stated },
        })
    }

    /// The number that is stated; `Some(None)`: there is none.
    pub(super) fn connections_per_peer(&mut self) -> Option<Option<usize>> {
        const KEY: &str = "limits.connections_per_peer";
        if self.values(KEY).is_empty() { Some(None) } else { self.number(KEY, 0..=1_000_000).map(Some) }
    }

    /// The number that is stated, or else the one that fits into the memory.
    pub(super) fn number_or_budget(&mut self, key: &'static str, range: RangeInclusive<usize>) -> Option<usize> {
        if self.values(key).is_empty() {
            let memory = self.memory()?;
            return Budget::of(memory.bytes).limit(key);
        }
        self.number(key, range)
    }
}
