//! How long things took, in buckets: two relaxed additions a measurement, no lock and no allocation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the buckets, in microseconds, each inclusive: from what the proxy itself costs to tools that run for
/// minutes. Everything longer is in one more bucket.
const BOUNDS: [u64; 17] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
];
const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts durations.
#[derive(Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    buckets: [u64; BUCKETS],
    pub seconds: f64,
}

impl Histogram {
    pub fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let slot = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(slot) {
            bucket.fetch_add(1, Ordering::Relaxed);
            self.micros.fetch_add(micros, Ordering::Relaxed);
        }
    }

    #[must_use]
    pub fn read(&self) -> Times {
        let buckets = std::array::from_fn(|slot| self.buckets[slot].load(Ordering::Relaxed));
        Times { buckets, seconds: self.micros.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

impl Times {
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Each bucket's end in seconds, the last one's infinity, and how many are in it alone.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let ends = BOUNDS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        ends.zip(self.buckets.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_belongs_to_its_bucket_and_the_longest_to_the_last() {
        let histogram = Histogram::default();
        for micros in [0, 1_000, 1_001, 2_500, 299_999_999, 300_000_000, 300_000_001, 86_400_000_000] {
            histogram.note(Duration::from_micros(micros));
        }
        let times = histogram.read();
        let counts: Vec<u64> = times.buckets().map(|(_, count)| count).collect();
        assert_eq!((counts[0], counts[1], counts[16], counts[17]), (2, 2, 2, 2));
        assert_eq!(times.count(), 8);
        assert_eq!(times.buckets().last().map(|(end, _)| end), Some(f64::INFINITY));
        assert!((times.seconds - 87_300.004_501).abs() < 1e-6, "{}", times.seconds);
        histogram.note(Duration::MAX);
        assert_eq!(histogram.read().count(), 9);
    }

    #[test]
    fn the_ends_rise() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }
}
