//! Spans and metrics as OTLP has them.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, Version};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric as TheirMetric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as TheirSpan, Status, span::SpanKind, status,
};
use prost::Message as _;

use super::Setup;
use crate::telemetry::metrics::{Family, Kind, Sample, Unit, Value};
use crate::telemetry::span::Span;

/// The parent was sent over a wire (`SpanFlags` of the protocol): known, and so.
const REMOTE_PARENT: u32 = 0x300;

/// Writes messages that say of whom they are.
pub(super) struct Writer {
    resource: Resource,
    scope: InstrumentationScope,
}

fn any(value: any_value::Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: any(value), ..KeyValue::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn list(key: &str, values: &[&str]) -> KeyValue {
    let values = values.iter().filter_map(|value| any(any_value::Value::StringValue((*value).to_owned()))).collect();
    attribute(key, any_value::Value::ArrayValue(ArrayValue { values }))
}

fn nanos(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

impl Writer {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut attributes = vec![
            text("service.name", &setup.service),
            text("service.version", env!("CARGO_PKG_VERSION")),
            // Replicas count apart.
            text("service.instance.id", format!("{:032x}", fastrand::u128(..))),
        ];
        for (key, value) in &setup.attributes {
            attributes.retain(|have| have.key != *key);
            attributes.push(text(key, value));
        }
        let scope = InstrumentationScope {
            name: "mcp-mend".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..InstrumentationScope::default()
        };
        Self { resource: Resource { attributes, ..Resource::default() }, scope }
    }

    pub(super) fn spans(&self, spans: impl Iterator<Item = Span>) -> Vec<u8> {
        let scope_spans = ScopeSpans {
            scope: Some(self.scope.clone()),
            spans: spans.map(|span| span_of(&span)).collect(),
            ..ScopeSpans::default()
        };
        let resource_spans = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        };
        ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
    }

    pub(super) fn metrics(&self, families: &[Family], started: SystemTime) -> Vec<u8> {
        let times = (nanos(started), nanos(SystemTime::now()));
        let scope_metrics = ScopeMetrics {
            scope: Some(self.scope.clone()),
            metrics: families.iter().map(|family| metric_of(family, times)).collect(),
            ..ScopeMetrics::default()
        };
        let resource_metrics = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        };
        ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }.encode_to_vec()
    }
}

/// How many spans of a message the collector did not want.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}

/// A server span, with the names that OpenTelemetry's conventions for HTTP have, and what is ours under a name of ours.
fn span_of(span: &Span) -> TheirSpan {
    let own = span.trace.own;
    let begun = nanos(span.trace.started);
    let method = match span.method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS | Method::PATCH => {
            span.method.as_str()
        }
        _ => "_OTHER",
    };
    let version = match span.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let mut attributes = vec![
        text("http.request.method", method),
        text("url.path", &span.path),
        number("http.response.status_code", span.status.as_u16().into()),
        text("network.protocol.version", version),
        text("client.address", &span.client),
        text("mcp_mend.class", span.class.name()),
        text("mcp_mend.fault", span.fault),
        text("mcp_mend.ending", span.ending.name()),
        number("mcp_mend.body.bytes", span.bytes),
        number("mcp_mend.upstream.asked", span.asked.into()),
        number("mcp_mend.first_byte_ms", u64::try_from(span.first_byte.as_millis()).unwrap_or(u64::MAX)),
    ];
    attributes.extend(span.site.as_ref().map(|site| text("mcp_mend.site", site)));
    for (key, ids) in [("mcp_mend.repairs", &span.mended), ("mcp_mend.observed", &span.observed)] {
        if !ids.is_empty() {
            attributes.push(list(key, ids));
        }
    }
    for (key, name) in [("mcp_mend.untouched", span.untouched), ("mcp_mend.refused", span.refused)] {
        attributes.extend(name.map(|name| text(key, name)));
    }
    let is_error = span.status.is_server_error();
    if is_error {
        attributes.push(text("error.type", span.refused.unwrap_or(span.status.as_str())));
    }
    TheirSpan {
        trace_id: own.trace.to_be_bytes().to_vec(),
        span_id: own.span.to_be_bytes().to_vec(),
        parent_span_id: span.trace.parent.map_or_else(Vec::new, |parent| parent.span.to_be_bytes().to_vec()),
        flags: u32::from(own.sampled) | if span.trace.parent.is_some() { REMOTE_PARENT } else { 0 },
        name: format!("{method} {}", span.class.name()),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: begun,
        end_time_unix_nano: begun.saturating_add(nanos(UNIX_EPOCH + span.total)),
        attributes,
        status: Some(Status {
            code: if is_error { status::StatusCode::Error } else { status::StatusCode::Unset }.into(),
            ..Status::default()
        }),
        ..TheirSpan::default()
    }
}

fn metric_of(family: &Family, (begun, now): (u64, u64)) -> TheirMetric {
    let metric = family.metric;
    let numbers = || family.samples.iter().map(|sample| number_of(sample, begun, now)).collect();
    let cumulative = AggregationTemporality::Cumulative.into();
    let data = match metric.kind {
        Kind::Counter => {
            metric::Data::Sum(Sum { data_points: numbers(), aggregation_temporality: cumulative, is_monotonic: true })
        }
        Kind::Gauge => metric::Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram => metric::Data::Histogram(Histogram {
            data_points: family.samples.iter().filter_map(|sample| histogram_of(sample, begun, now)).collect(),
            aggregation_temporality: cumulative,
        }),
    };
    let unit = match metric.unit {
        Unit::None => "1",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
    };
    TheirMetric {
        name: metric.name(),
        description: metric.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..TheirMetric::default()
    }
}

fn labels(sample: &Sample) -> Vec<KeyValue> {
    // An empty label is none (Prometheus data model); an empty attribute would be one.
    sample.labels.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| text(key, value)).collect()
}

fn number_of(sample: &Sample, begun: u64, now: u64) -> NumberDataPoint {
    let value = match sample.value {
        Value::Count(count) => number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
        Value::Number(number) => number_data_point::Value::AsDouble(number),
        Value::Times(times) => number_data_point::Value::AsDouble(times.seconds),
    };
    NumberDataPoint {
        attributes: labels(sample),
        start_time_unix_nano: begun,
        time_unix_nano: now,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn histogram_of(sample: &Sample, begun: u64, now: u64) -> Option<HistogramDataPoint> {
    let Value::Times(times) = sample.value else { return None };
    let (ends, bucket_counts): (Vec<f64>, Vec<u64>) = times.buckets().unzip();
    Some(HistogramDataPoint {
        attributes: labels(sample),
        start_time_unix_nano: begun,
        time_unix_nano: now,
        count: times.count(),
        sum: Some(times.seconds),
        bucket_counts,
        explicit_bounds: ends.into_iter().filter(|end| end.is_finite()).collect(),
        ..HistogramDataPoint::default()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn what_a_collector_turned_down_is_counted() {
        let answer = |rejected_spans| {
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: "full".into() });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        };
        assert_eq!((rejected(&answer(3)), rejected(&answer(-1)), rejected(b""), rejected(b"<html>")), (3, 0, 0, 0));
    }

    #[test]
    fn a_duration_is_added_to_the_begin() {
        assert_eq!(nanos(UNIX_EPOCH + Duration::from_millis(2)), 2_000_000);
    }
}
