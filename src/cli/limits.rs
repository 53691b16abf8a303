//! Tables of the README: every limit with its default, what happens beyond it and how that is counted; every answer that
//! is the proxy's own.

use std::fmt::Write as _;

use crate::config::budget::Budget;
use crate::config::settings::{self, Setting};
use crate::counters::{CloseReason, SkipReason};
use crate::refuse::{self, Refusal};

/// Under which name it is counted that a limit was met.
enum Counted {
    Refused(Refusal),
    SkipReason(SkipReason),
    CloseReason(CloseReason),
    /// How an answer ended, in the access log.
    Ended(&'static str),
    Nowhere,
}
use Counted::{Ended, Nowhere, Refused};

struct Limit {
    /// The setting, or what is limited where there is none.
    what: &'static str,
    /// Its value where there is no setting.
    fixed: &'static str,
    beyond: &'static str,
    counted: Counted,
}

const fn set(what: &'static str, beyond: &'static str, counted: Counted) -> Limit {
    Limit { what, fixed: "", beyond, counted }
}

const fn fixed(what: &'static str, fixed: &'static str, beyond: &'static str, counted: Counted) -> Limit {
    Limit { what, fixed, beyond, counted }
}

const LIMITS: &[Limit] = &[
    set("limits.memory_bytes", "others follow from it, see below", Nowhere),
    set("limits.connections", "503, hung up on", Refused(refuse::TOO_MANY_CONNECTIONS)),
    set("limits.connections_per_peer", "503, hung up on", Refused(refuse::TOO_MANY_CONNECTIONS)),
    set("limits.requests", "503 with Retry-After, before the body is read", Refused(refuse::OVERLOADED)),
    set("limits.register_per_minute", "429 with Retry-After", Refused(refuse::TOO_MANY_REQUESTS)),
    set("limits.token_per_minute", "429 with Retry-After", Refused(refuse::TOO_MANY_REQUESTS)),
    set("limits.head_bytes", "431; 502 if it is an answer's", Refused(refuse::HEAD_TOO_LARGE)),
    fixed("lines of a head", "100", "431; 502 if it is an answer's", Refused(refuse::HEAD_TOO_LARGE)),
    fixed("streams of one connection of HTTP/2", "100; fewer in a crowd, see below", "REFUSED_STREAM", Nowhere),
    set("limits.target_bytes", "414", Refused(refuse::TARGET_TOO_LONG)),
    set("limits.request_bytes", "413", Refused(refuse::BODY_TOO_LARGE)),
    set("limits.body_bytes", "passes untouched", Counted::SkipReason(SkipReason::TooLarge)),
    set("limits.held_bytes", "passes untouched", Counted::SkipReason(SkipReason::Busy)),
    fixed("a request's body that is held", "64 KiB", "passes untouched", Nowhere),
    fixed("an event that is held", "64 KiB", "passes untouched", Nowhere),
    fixed("a body behind a refusal", "64 KiB, 1 second", "the connection is closed behind the answer", Nowhere),
    set("limits.head_seconds", "hung up on", Counted::CloseReason(CloseReason::HeadSlow)),
    set("limits.body_seconds", "408; any byte starts it anew", Refused(refuse::BODY_STALLED)),
    set("limits.idle_seconds", "hung up on", Counted::CloseReason(CloseReason::Idle)),
    set(
        "limits.stalled_seconds",
        "hung up on, any byte starts it anew; over HTTP/2: RST_STREAM, 16 KiB start it anew",
        Counted::CloseReason(CloseReason::Stalled),
    ),
    set("limits.connect_seconds", "504", Refused(refuse::CONNECT_TIMEOUT)),
    set("limits.first_byte_seconds", "504", Refused(refuse::ANSWER_TIMEOUT)),
    set("limits.mend_seconds", "passes untouched", Counted::SkipReason(SkipReason::Slow)),
    set("limits.learned_seconds", "the upstream is asked about itself again", Nowhere),
    set("limits.silence_seconds", "a comment is sent (repair `stream.silence`)", Nowhere),
    set("limits.pool_idle_seconds", "the connection to the upstream is closed", Nowhere),
    set("limits.pool_age_seconds", "the connection to the upstream is closed", Nowhere),
    set("limits.drain_seconds", "streams end between two events", Ended("drained")),
];

impl Counted {
    fn text(&self) -> String {
        match self {
            Self::Refused(refusal) => format!("refused: `{}`", refusal.name),
            Self::SkipReason(why) => format!("untouched: `{}`", why.name()),
            Self::CloseReason(why) => format!("hung up: `{}`", why.name()),
            Self::Ended(how) => format!("ending: `{how}`"),
            Self::Nowhere => "-".to_owned(),
        }
    }
}

/// The value of a setting with its unit.
fn with_unit(setting: &Setting) -> String {
    match setting.key {
        "limits.connections_per_peer" => return "half of what others leave of `limits.connections`".to_owned(),
        _ if setting.default.is_empty() => return "from the memory".to_owned(),
        _ => {}
    }
    match setting.value {
        _ if setting.key == "limits.memory_bytes" => "found out".to_owned(),
        "N" | "COUNT" => setting.default.to_owned(),
        "BYTES" => bytes(setting.default),
        unit => format!("{} {}", setting.default, unit.to_ascii_lowercase()),
    }
}

fn bytes(number: &str) -> String {
    let number: u64 = number.parse().unwrap_or_default();
    match number {
        _ if number.is_multiple_of(1 << 20) => format!("{} MiB", number >> 20),
        _ if number.is_multiple_of(1 << 10) => format!("{} KiB", number >> 10),
        _ => format!("{number} bytes"),
    }
}

/// The README's table of limits.
#[must_use]
pub fn limits_table() -> String {
    let mut out = String::from("| limit | default | beyond it | counted as |\n|---|---|---|---|\n");
    for limit in LIMITS {
        let setting = settings::find(limit.what);
        let name = if setting.is_some() { format!("`{}`", limit.what) } else { limit.what.to_owned() };
        let value = setting.map_or_else(|| limit.fixed.to_owned(), with_unit);
        let _ = writeln!(out, "| {name} | {value} | {} | {} |", limit.beyond, limit.counted.text());
    }
    out
}

/// The README's table of limits that follow from memory.
#[must_use]
pub fn memory_table() -> String {
    let mut out = String::from(
        "| memory | `connections` | `connections_per_peer` | `held_bytes` | a socket buffer |\n|---|---|---|---|---|\n",
    );
    for mib in [64, 128, 256, 512, 1024, 4096, 16_384] {
        let budget = Budget::of(Some(mib << 20));
        let Budget { connections, connections_per_peer, held_bytes, .. } = budget;
        let socket = budget.socket_bytes.map_or("the system's".to_owned(), |bytes| format!("{} KiB", bytes >> 10));
        let held = held_bytes >> 20;
        let _ = writeln!(out, "| {mib} MiB | {connections} | {connections_per_peer} | {held} MiB | {socket} |");
    }
    out
}

/// The README's table of the answers that are the proxy's own, each once.
#[must_use]
pub fn refusals_table() -> String {
    let mut out = String::from("| name | status | whose fault | what the client is told |\n|---|---|---|---|\n");
    for refusal in refuse::ALL {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            refusal.name,
            refusal.status.as_u16(),
            refusal.fault.name(),
            refusal.description
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::SETTINGS;

    #[test]
    fn every_limit_that_can_be_set_is_in_the_table_once() {
        let settings = SETTINGS.iter().filter(|setting| setting.key.starts_with("limits."));
        for setting in settings {
            let rows = LIMITS.iter().filter(|limit| limit.what == setting.key);
            assert_eq!(rows.count(), 1, "say in `cli/limits.rs` what happens beyond {}", setting.key);
        }
        for limit in LIMITS {
            let is_setting = settings::find(limit.what).is_some();
            assert_eq!(is_setting, limit.fixed.is_empty(), "{}", limit.what);
        }
    }

    #[test]
    fn every_refusal_has_a_name_of_its_own() {
        let table = refusals_table();
        for refusal in refuse::ALL {
            assert_eq!(table.matches(&format!("| `{}` |", refusal.name)).count(), 1, "{}", refusal.name);
        }
    }

    #[test]
    fn values_have_units() {
        assert!(
            limits_table()
                .contains("| `limits.held_bytes` | from the memory | passes untouched | untouched: `busy` |\n")
        );
        assert!(limits_table().contains("| `limits.idle_seconds` | 75 seconds | hung up on | hung up: `idle` |\n"));
    }
}
