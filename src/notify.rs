//! What a service manager is told: systemd's `sd_notify` protocol. Without `NOTIFY_SOCKET` in the environment each of
//! these does nothing, and no failure of them stops the proxy: who cannot be told is logged and that is all.

mod watchdog;

pub use watchdog::{Pulse, Watchdog};

/// Serving: `systemctl start` returns now, and so does `systemctl reload` after [`reloading`]. The text stands in
/// `systemctl status`.
pub fn ready(status: &str) {
    tell(&["READY=1", &line(status)]);
}

/// A reload has begun. [`ready`] ends it, with what came of it in the text.
pub fn reloading() {
    imp::reloading();
}

/// The drain has begun, and may take this long. Without the word the manager would use its own patience.
pub fn stopping(drain: std::time::Duration, status: &str) {
    watchdog::relax();
    let longest = drain.saturating_add(LAST_STEPS).as_micros();
    tell(&["STOPPING=1", &format!("EXTEND_TIMEOUT_USEC={longest}"), &line(status)]);
}

/// What is going on, in one line.
pub fn status(text: &str) {
    tell(&[&line(text)]);
}

/// After the drain: closing files, the last lines of logs.
const LAST_STEPS: std::time::Duration = std::time::Duration::from_secs(5);

/// Each line of a message is an assignment of its own; a text must not bring a second one.
fn line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("STATUS={text}")
}

fn tell(assignments: &[&str]) {
    imp::tell(assignments);
}

#[cfg(target_os = "linux")]
mod imp {
    use std::time::Duration;

    use sd_notify::NotifyState;

    pub(super) fn tell(assignments: &[&str]) {
        let states: Vec<NotifyState<'_>> = assignments.iter().map(|line| NotifyState::Custom(line)).collect();
        send(&states);
    }

    /// A manager that sent the signal itself (`Type=notify-reload`) compares the time with that of its signal.
    pub(super) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&[NotifyState::Reloading, now]),
            Err(_) => send(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|period| !period.is_zero())
    }

    fn send(states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn tell(_: &[&str]) {}
    pub(super) fn reloading() {}
    pub(super) fn watchdog() -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_assignment() {
        assert_eq!(line("serving\nMAINPID=1\r\0"), "STATUS=serving MAINPID=1  ");
    }
}
