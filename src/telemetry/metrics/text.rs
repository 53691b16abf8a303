//! What Prometheus reads: its own text form, or OpenMetrics for who asks for that.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit as TheirUnit};

use super::{Family, Kind, Unit, Value};

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Prometheus,
    OpenMetrics,
}

impl Form {
    /// The form that an `Accept` field asks for. Prometheus names OpenMetrics with its version, and all else too.
    #[must_use]
    pub fn of(accept: &str) -> Self {
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes what was gathered.
    #[must_use]
    pub fn write(self, families: Vec<Family>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Gathered(families)));
        let mut out = String::new();
        let written = match self {
            Self::Prometheus => prometheus_text::encode(&mut out, &registry),
            Self::OpenMetrics => text::encode(&mut out, &registry),
        };
        // A String takes everything.
        debug_assert!(written.is_ok());
        out
    }
}

#[derive(Debug)]
struct Gathered(Vec<Family>);

impl Collector for Gathered {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { metric, samples } in &self.0 {
            let unit = match metric.unit {
                Unit::None => None,
                Unit::Seconds => Some(TheirUnit::Seconds),
                Unit::Bytes => Some(TheirUnit::Bytes),
            };
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(metric.stem, metric.help, unit.as_ref(), kind)?;
            for sample in samples {
                if sample.labels.is_empty() {
                    write(&mut family, metric.kind, sample.value)?;
                } else {
                    write(&mut family.encode_family(&sample.labels)?, metric.kind, sample.value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(encoder: &mut MetricEncoder<'_>, kind: Kind, value: Value) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Count(count)) => encoder.encode_counter::<NoLabelSet, u64, f64>(&count, None),
        (Kind::Counter, Value::Number(number)) => encoder.encode_counter::<NoLabelSet, f64, f64>(&number, None),
        (_, Value::Count(count)) => encoder.encode_gauge(&count),
        (_, Value::Number(number)) => encoder.encode_gauge(&number),
        (_, Value::Times(times)) => {
            let buckets: Vec<(f64, u64)> = times.buckets().collect();
            encoder.encode_histogram::<NoLabelSet>(times.seconds, times.count(), &buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Sample, names};
    use super::*;
    use crate::counters::histogram::Histogram;

    fn families() -> Vec<Family> {
        let times = Histogram::default();
        times.note(Duration::from_millis(3));
        times.note(Duration::from_secs(1000));
        let site = || vec![("site", "https://a.example \"x\\\n".to_owned())];
        vec![
            Family { metric: &names::PANICS, samples: vec![Sample { labels: site(), value: Value::Count(7) }] },
            Family {
                metric: &names::CONNECT,
                samples: vec![Sample { labels: site(), value: Value::Times(times.read()) }],
            },
            Family { metric: &names::CPU, samples: vec![Sample { labels: Vec::new(), value: Value::Number(1.5) }] },
            Family { metric: &names::MEMORY, samples: vec![Sample { labels: Vec::new(), value: Value::Count(9) }] },
        ]
    }

    #[test]
    fn prometheus_gets_its_own_form_and_who_asks_gets_openmetrics() {
        let plain = Form::of("*/*").write(families());
        for line in [
            "# TYPE mcp_mend_repair_panics_total counter",
            r#"mcp_mend_repair_panics_total{site="https://a.example \"x\\\n"} 7"#,
            "# TYPE mcp_mend_upstream_connect_seconds histogram",
            r#"mcp_mend_upstream_connect_seconds_bucket{site="https://a.example \"x\\\n",le="0.0025"} 0"#,
            r#"mcp_mend_upstream_connect_seconds_bucket{site="https://a.example \"x\\\n",le="0.005"} 1"#,
            r#"mcp_mend_upstream_connect_seconds_bucket{site="https://a.example \"x\\\n",le="+Inf"} 2"#,
            r#"mcp_mend_upstream_connect_seconds_sum{site="https://a.example \"x\\\n"} 1000.003"#,
            "process_cpu_seconds_total 1.5",
            "process_resident_memory_bytes 9",
        ] {
            assert!(plain.lines().any(|have| have == line), "{line} is missing in\n{plain}");
        }
        assert!(!plain.contains("# EOF"));
        let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        let open = Form::of(accept).write(families());
        assert!(open.contains("# TYPE mcp_mend_repair_panics counter\n") && open.ends_with("# EOF\n"), "{open}");
        assert!(open.contains("# UNIT process_cpu_seconds seconds\n"), "{open}");
    }
}
