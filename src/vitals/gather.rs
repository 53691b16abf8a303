//! Reading every metric, in the order of the list. Nothing is kept between two readings.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::{Vitals, seconds};
use crate::counters::Counters;
use crate::counters::histogram::Histogram;
use crate::refuse;
use crate::runtime::{Common, Runtime};
use crate::telemetry::metrics::{Family, Metric, Sample, Value, names};
use crate::telemetry::process;

/// The samples of one metric as they come in: values of its labels in the order in which it names them, and a number.
struct Rows {
    metric: &'static Metric,
    /// The first label of those that each site has.
    site: Option<String>,
    samples: Vec<Sample>,
}

impl Rows {
    fn add(&mut self, labels: &[&str], value: Value) {
        let values = self.site.iter().cloned().chain(labels.iter().map(|label| (*label).to_owned()));
        let labels: Vec<(&'static str, String)> = self.metric.labels.iter().copied().zip(values).collect();
        debug_assert_eq!(labels.len(), self.metric.labels.len(), "{}", self.metric.stem);
        self.samples.push(Sample { labels, value });
    }

    fn count(&mut self, labels: &[&str], counter: &AtomicU64) {
        self.add(labels, Value::Count(counter.load(Ordering::Relaxed)));
    }

    fn gauge(&mut self, gauge: &AtomicI64) {
        self.add(&[], Value::Count(u64::try_from(gauge.load(Ordering::Relaxed)).unwrap_or(0)));
    }

    fn times(&mut self, labels: &[&str], histogram: &Histogram) {
        self.add(labels, Value::Times(histogram.read()));
    }

    fn flag(&mut self, on: bool) {
        self.add(&[], Value::Count(u64::from(on)));
    }
}

fn family(metric: &'static Metric, read: impl FnOnce(&mut Rows)) -> Family {
    let mut rows = Rows { metric, site: None, samples: Vec::new() };
    read(&mut rows);
    Family { metric, samples: rows.samples }
}

/// Everything.
#[must_use]
pub fn all(vitals: &Vitals) -> Vec<Family> {
    let mut families = of_sites(&vitals.common.ledger.all());
    families.extend(of_upstreams(vitals));
    families.extend(of_process(&vitals.common));
    families.extend(of_system());
    families
}

fn of_sites(sites: &[(String, Arc<Counters>)]) -> Vec<Family> {
    let some = |metric, is_wanted: fn(&str) -> bool, read: &dyn Fn(&Counters, &mut Rows)| {
        family(metric, |rows| {
            for (site, counters) in sites.iter().filter(|(site, _)| is_wanted(site)) {
                rows.site = Some(site.clone());
                read(counters, rows);
            }
        })
    };
    let each = |metric: &'static Metric, read: &dyn Fn(&Counters, &mut Rows)| some(metric, |_| true, read);
    // Where no site is, no upstream is asked and nothing is mended.
    let served =
        |metric: &'static Metric, read: &dyn Fn(&Counters, &mut Rows)| some(metric, |site| !site.is_empty(), read);
    vec![
        each(&names::REQUESTS, &|counters, rows| {
            for cell in counters.requests() {
                rows.add(&[cell.class.name(), cell.code, cell.fault], Value::Count(cell.count));
            }
        }),
        each(&names::DURATION, &|counters, rows| {
            for (class, histogram) in counters.durations().filter(|(_, histogram)| histogram.read().count() > 0) {
                rows.times(&[class.name()], histogram);
            }
        }),
        each(&names::IN_FLIGHT, &|counters, rows| rows.gauge(&counters.in_flight)),
        served(&names::STREAMS, &|counters, rows| rows.gauge(&counters.streams)),
        each(&names::BODY_BYTES, &|counters, rows| {
            rows.count(&["up"], &counters.bytes_up);
            rows.count(&["down"], &counters.bytes_down);
        }),
        each(&names::REFUSALS, &|counters, rows| {
            for (name, count) in counters.by_refusal() {
                let refusal = refuse::ALL.iter().find(|refusal| refusal.name == name);
                rows.add(&[name, refusal.map_or("proxy", |refusal| refusal.fault.name())], Value::Count(count));
            }
        }),
        served(&names::REPAIRS, &|counters, rows| {
            counters.by_repair().for_each(|(id, count)| rows.add(&[id], Value::Count(count)));
        }),
        served(&names::UNTOUCHED, &|counters, rows| {
            counters.by_reason().for_each(|(reason, count)| rows.add(&[reason], Value::Count(count)));
        }),
        served(&names::VIOLATIONS, &|counters, rows| {
            counters.by_violation().for_each(|(id, count)| rows.add(&[id], Value::Count(count)));
        }),
        served(&names::PANICS, &|counters, rows| rows.count(&[], &counters.panics)),
        served(&names::LESSONS, &|counters, rows| {
            counters.by_lesson().for_each(|(lesson, fate, count)| rows.add(&[lesson, fate], Value::Count(count)));
        }),
        served(&names::CONNECT, &|counters, rows| rows.times(&[], &counters.connect)),
        served(&names::FIRST_BYTE, &|counters, rows| rows.times(&[], &counters.first_byte)),
        served(&names::RETRIES, &|counters, rows| rows.count(&[], &counters.retries)),
        served(&names::UNPOOLED, &|counters, rows| {
            rows.count(&["private"], &counters.unpooled_private);
            rows.count(&["closed"], &counters.unpooled_closed);
        }),
    ]
}

fn of_upstreams(vitals: &Vitals) -> Vec<Family> {
    let up = |rows: &mut Rows| {
        for site in vitals.sites().iter().flat_map(|sites| sites.iter()) {
            for (address, up) in addresses(site) {
                rows.add(&[&site.name, &address], Value::Count(u64::from(up)));
            }
        }
    };
    vec![family(&names::UPSTREAM_UP, up)]
}

fn of_process(common: &Common) -> Vec<Family> {
    let Common { life, access, tracer, .. } = common;
    let connections = &life.connections;
    vec![
        family(&names::CONNECTIONS, |rows| {
            rows.add(&[], Value::Count(connections.open.load(Ordering::Relaxed) as u64));
        }),
        family(&names::ACCEPTED, |rows| rows.count(&[], &connections.accepted)),
        family(&names::REFUSED, |rows| rows.count(&[], &connections.refused)),
        family(&names::DRAINING, |rows| rows.flag(life.is_draining())),
        family(&names::RELOADS, |rows| {
            let (ok, failed) = life.reloads();
            rows.add(&["ok"], Value::Count(ok));
            rows.add(&["failed"], Value::Count(failed));
        }),
        family(&names::LAST_RELOAD_OK, |rows| {
            rows.flag(life.last_reload().is_none_or(|reload| reload.complaints.is_empty()));
        }),
        family(&names::LAST_RELOAD, |rows| rows.add(&[], Value::Number(seconds(life.last_success())))),
        family(&names::CERTIFICATE, |rows| {
            for certificate in life.certificates().iter() {
                rows.add(&[&certificate.name], Value::Number(certificate.not_after as f64));
            }
        }),
        family(&names::LOG_DROPPED, |rows| rows.add(&[], Value::Count(access.dropped()))),
        family(&names::SPANS_SENT, |rows| {
            tracer.iter().for_each(|tracer| rows.count(&[], &tracer.sent));
        }),
        family(&names::SPANS_DROPPED, |rows| {
            tracer.iter().for_each(|tracer| rows.count(&[], &tracer.dropped));
        }),
        family(&names::BUILD, |rows| rows.add(&[env!("CARGO_PKG_VERSION")], Value::Count(1))),
        family(&names::STARTED, |rows| rows.add(&[], Value::Number(seconds(life.started)))),
    ]
}

fn of_system() -> Vec<Family> {
    let usage = process::usage();
    let one = |metric, read: &dyn Fn(process::Usage) -> Option<Value>| {
        family(metric, |rows| {
            if let Some(value) = usage.and_then(read) {
                rows.add(&[], value);
            }
        })
    };
    vec![
        one(&names::CPU, &|usage| Some(Value::Number(usage.cpu_seconds))),
        one(&names::MEMORY, &|usage| Some(Value::Count(usage.memory_bytes))),
        one(&names::OPEN_FILES, &|usage| Some(Value::Count(usage.open_files))),
        one(&names::MOST_FILES, &|usage| usage.most_files.map(Value::Count)),
    ]
}

/// The addresses of a site's upstream, and whether each is in use.
#[must_use]
pub fn addresses(site: &Runtime) -> Vec<(String, bool)> {
    site.target.report().into_iter().map(|report| (report.address, report.healthy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::access::{AccessLog, Format};

    #[test]
    fn what_is_gathered_is_what_the_list_names_in_its_order() {
        let common = Common::new(AccessLog::start(Format::Off, std::io::sink()));
        common.ledger.of("https://a.example");
        let mut families = of_sites(&common.ledger.all());
        families.push(family(&names::UPSTREAM_UP, |_| ()));
        families.extend(of_process(&common));
        families.extend(of_system());
        let gathered: Vec<String> = families.iter().map(|family| family.metric.name()).collect();
        assert_eq!(gathered, names::ALL.iter().map(|metric| metric.name()).collect::<Vec<_>>());
        for Family { metric, samples } in families {
            for sample in samples {
                assert_eq!(sample.labels.iter().map(|(name, _)| *name).collect::<Vec<_>>(), metric.labels);
            }
        }
    }
}
