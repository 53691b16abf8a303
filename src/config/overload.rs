//! Limits against floods and crowds.

use std::time::Duration;

use super::{Checker, Complaint, Limits};

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
}

impl Checker<'_> {
    pub(super) fn overload(&mut self, limits: Option<&Limits>) -> Option<Overload> {
        let requests = self.number("limits.requests", 0..=10_000_000);
        let register = self.number("limits.register_per_minute", 0..=1_000_000);
        let token = self.number("limits.token_per_minute", 0..=1_000_000);
        let held = self.number("limits.held_bytes", 1 << 20..=1 << 40);
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
        })
    }
}
