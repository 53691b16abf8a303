//! What the proxy says about its work: counters and one line an exchange. No secret gets here: no query, no header
//! value, no body.

pub mod access;
pub mod capture;
pub mod flows;
pub mod life;
pub mod metrics;
pub mod process;
pub mod span;
pub mod trace;

use std::sync::atomic::Ordering;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::counters::Counters;

/// Lines that wait to be written; further ones are lost.
const MOST_LINES: usize = 4096;

/// Sends what is said beside the access log to standard error. `RUST_LOG` wins over the level. A thread of its own writes:
/// whoever reads standard error too slowly, or not at all, loses lines and holds up nobody. What waits is written when the
/// guard is dropped.
pub fn init(level: &str, json: bool) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("mcp_mend={level}")));
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(MOST_LINES).finish(std::io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never).try_init()
    };
    guard
}

/// A time as it is written: UTC, to the millisecond.
#[must_use]
pub fn stamp(time: std::time::SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// What all the work came to, at the end.
pub fn summary(counters: &Counters) {
    let repairs: Vec<String> = counters.by_repair().map(|(id, count)| format!("{id} {count}")).collect();
    let untouched: Vec<String> = counters.by_reason().map(|(why, count)| format!("{why} {count}")).collect();
    let refusals: Vec<String> = counters.by_refusal().map(|(name, count)| format!("{name} {count}")).collect();
    tracing::info!(
        exchanges = counters.exchanges.load(Ordering::Relaxed),
        refused = counters.refused.load(Ordering::Relaxed),
        refusals = refusals.join(", "),
        panics = counters.panics.load(Ordering::Relaxed),
        mended = repairs.join(", "),
        untouched = untouched.join(", "),
        "stopped"
    );
}
