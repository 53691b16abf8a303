//! Metrics: their names, how they are gathered, and how they are written for Prometheus. What is gathered once is written
//! in every form, so that no two forms can disagree.

pub mod names;
pub mod text;

use crate::counters::histogram::Times;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; its samples are called `_total`.
    Counter,
    Gauge,
    Histogram,
}

/// What its numbers are of; it stands at the end of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    None,
    Seconds,
    Bytes,
}

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name without unit and `_total`.
    pub stem: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl Metric {
    /// The name without `_total`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.unit {
            Unit::None => self.stem.to_owned(),
            Unit::Seconds => format!("{}_seconds", self.stem),
            Unit::Bytes => format!("{}_bytes", self.stem),
        }
    }

    /// The name as it is asked for in a query.
    #[must_use]
    pub fn sample_name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name()),
            Kind::Gauge | Kind::Histogram => self.name(),
        }
    }
}

/// A number, or a table of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Count(u64),
    Number(f64),
    Times(Times),
}

/// A value and what it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    pub value: Value,
}

/// A metric and all its samples at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub metric: &'static Metric,
    pub samples: Vec<Sample>,
}
