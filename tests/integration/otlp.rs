//! What a collector gets, and that it cannot cost an exchange anything.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::kit::{BEFORE_DEFAULTS, Binary, Message, Upstream, get, json, ok, post, reply, run};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn collector(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> impl Future<Output = Upstream> {
    Upstream::answering(answer)
}

fn taken() -> Vec<u8> {
    reply("200 OK", &["Content-Type: application/x-protobuf"], "")
}

async fn started(upstream: &Upstream, endpoint: &str, more: &[&str]) -> Binary {
    let url = format!("http://{}", upstream.address);
    let mut all = vec![url.as_str(), "--no-probe", "--log-format", "json", "--otlp-endpoint", endpoint];
    all.extend(more);
    Binary::start_at(Upstream::down().await, &all).await
}

fn spans(collector: &Upstream) -> Vec<Span> {
    let messages = collector.seen_at("/base/v1/traces");
    let requests = messages.iter().map(|message| ExportTraceServiceRequest::decode(&message.body[..]).unwrap());
    let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::ArrayValue(list) => {
            format!("{:?}", list.values.iter().filter_map(|value| value.value.clone()).collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_clients_trace_goes_on_through_the_proxy() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/mcp" => json("401 Unauthorized", "{}"),
        _ => ok("fine"),
    })
    .await;
    let collector = collector(|_| taken()).await;
    let endpoint = format!("http://{}/base/", collector.address);
    let more = [
        "--otlp-header",
        "authorization=Bearer s3cret=",
        "--otlp-resource-attribute",
        "a.b=c",
        "--otlp-service-name",
        "mine",
    ];
    let binary = started(&upstream, &endpoint, &more).await;
    let mut client = binary.connect().await;
    let traced = format!("traceparent: {PARENT}");
    client.send(get("/x?token=hidden", &[&traced, "tracestate: vendor=1"])).await;
    client.reply().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    client
        .send(post("/mcp", &["Content-Type: application/json", "traceparent: nonsense", "tracestate: vendor=1"], body))
        .await;
    client.reply().await;
    client.send(get("/y", &[&traced.replace("-01", "-00"), "tracestate: vendor=1"])).await;
    client.reply().await;
    binary.terminate();
    let (code, _, errors) = binary.ended().await;
    assert_eq!((code, errors.as_str()), (0, ""));

    let spans = spans(&collector);
    assert_eq!(spans.len(), 2, "the client did not want the third one: {spans:#?}");
    let [first, second] = &spans[..] else { panic!() };
    assert_eq!((hex(&first.trace_id), hex(&first.parent_span_id)), (TRACE.into(), "b7ad6b7169203331".into()));
    assert_eq!((first.name.as_str(), first.kind), ("GET other", 2));
    assert_eq!(text(&first.attributes, "url.path").as_deref(), Some("/x"));
    assert_eq!(text(&first.attributes, "http.response.status_code").as_deref(), Some("200"));
    assert!(first.end_time_unix_nano > first.start_time_unix_nano);
    assert_ne!(hex(&second.trace_id), TRACE);
    assert!(second.parent_span_id.is_empty() && second.trace_id.iter().any(|byte| *byte != 0));
    assert_eq!(text(&second.attributes, "mcp_mend.class").as_deref(), Some("mcp"));
    assert!(text(&second.attributes, "mcp_mend.repairs").unwrap().contains("auth."), "{second:#?}");

    let asked = upstream.seen();
    let sent = |target: &str| {
        let message = asked.iter().find(|message| message.target().starts_with(target)).unwrap();
        (message.get("traceparent").unwrap().to_owned(), message.get("tracestate").map(str::to_owned))
    };
    assert_eq!(sent("/x"), (format!("00-{TRACE}-{}-01", hex(&first.span_id)), Some("vendor=1".into())));
    assert_eq!(sent("/mcp"), (format!("00-{}-{}-01", hex(&second.trace_id), hex(&second.span_id)), None));
    assert_eq!(sent("/y"), (PARENT.replace("-01", "-00"), Some("vendor=1".into())));

    let message = &collector.seen_at("/base/v1/traces")[0];
    assert_eq!(message.get("authorization"), Some("Bearer s3cret="));
    assert_eq!(message.get("content-type"), Some("application/x-protobuf"));
    let request = ExportTraceServiceRequest::decode(&message.body[..]).unwrap();
    let resource = &request.resource_spans[0].resource.as_ref().unwrap().attributes;
    assert_eq!(
        (text(resource, "service.name").as_deref(), text(resource, "a.b").as_deref()),
        (Some("mine"), Some("c"))
    );
    let all = String::from_utf8_lossy(&message.body).into_owned();
    assert!(!all.contains("hidden") && !all.contains("s3cret"));

    // The metrics of the end.
    let last = collector.seen_at("/base/v1/metrics").pop().unwrap();
    let request = ExportMetricsServiceRequest::decode(&last.body[..]).unwrap();
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let data = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().data.clone().unwrap();
    let Data::Histogram(times) = data("mcp_mend_upstream_first_byte_seconds") else { panic!() };
    let point = &times.data_points[0];
    assert_eq!((point.count, point.bucket_counts.len()), (3, point.explicit_bounds.len() + 1));
    let Data::Sum(sum) = data("mcp_mend_requests") else { panic!() };
    assert!(sum.is_monotonic && sum.data_points.len() == 2, "{sum:#?}");
}

#[tokio::test]
async fn without_an_endpoint_the_clients_fields_pass_as_they_came() {
    let upstream = Upstream::sound().await;
    let url = format!("http://{}", upstream.address);
    let binary = Binary::start(&[&url, "--no-probe"]).await;
    let mut client = binary.connect().await;
    for value in [PARENT, "nonsense"] {
        client.send(get("/x", &[&format!("traceparent: {value}"), "tracestate: a=1"])).await;
        client.reply().await;
        let seen = upstream.seen().pop().unwrap();
        assert_eq!((seen.get("traceparent"), seen.get("tracestate")), (Some(value), Some("a=1")));
    }
}

#[tokio::test]
async fn a_collector_that_is_down_slow_or_wrong_costs_nothing() {
    let upstream = Upstream::sound().await;
    let stuck = Upstream::script(|mut conn| async move { while conn.next().await.is_some() {} }).await;
    let wrong = collector(|_| reply("400 Bad Request", &[], "<html>no")).await;
    let busy = collector(|_| reply("503 Service Unavailable", &["Retry-After: 3600"], "")).await;
    let down = Upstream::down().await;
    for collector in [down, stuck.address, wrong.address, busy.address] {
        let more = ["--limit-drain-seconds", "0.5", "--admin", "127.0.0.1:0"];
        let binary = started(&upstream, &format!("http://{collector}"), &more).await;
        let mut client = binary.connect().await;
        let began = Instant::now();
        for _ in 0..50 {
            client.send(get("/x", &[])).await;
            assert_eq!(client.reply().await.status(), 200);
        }
        assert!(began.elapsed() < Duration::from_secs(2));
        drop(client);
        let began = Instant::now();
        binary.terminate();
        let (code, _, errors) = binary.ended().await;
        assert_eq!(code, 0, "{errors}");
        assert!(began.elapsed() < BEFORE_DEFAULTS, "{:?}", began.elapsed());
        assert!(errors.contains("collector"), "somebody should be told: {errors}");
    }
}

#[tokio::test]
async fn a_collector_that_was_busy_gets_it_again() {
    let upstream = Upstream::sound().await;
    let answers = Arc::new(Mutex::new(vec![taken(), reply("503 Service Unavailable", &[], "")]));
    let collector = collector(move |_| {
        let mut answers = answers.lock().unwrap();
        if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
    })
    .await;
    let endpoint = format!("http://{}/base", collector.address);
    let binary = started(&upstream, &endpoint, &["--otlp-sample", "1"]).await;
    let mut client = binary.connect().await;
    client.send(get("/x", &[])).await;
    client.reply().await;
    // The first try is turned away; the second has the same span.
    collector.wait(|seen| seen.len() >= 2).await;
    let spans = spans(&collector);
    assert_eq!((spans.len(), &spans[0].span_id), (2, &spans[1].span_id));
}

#[tokio::test]
async fn what_is_wrong_with_a_credential_is_said_without_it() {
    let (code, out, errors) = run(&[
        "http://localhost:1",
        "--otlp-endpoint",
        "collector",
        "--otlp-header",
        "authorization:Bearer s3cret",
        "--otlp-sample",
        "2",
        "--otlp-resource-attribute",
        "x",
    ])
    .await;
    assert_eq!((code, out.as_str()), (2, ""));
    for part in [
        "--otlp-endpoint: `otlp.endpoint` cannot be `collector`",
        "--otlp-header: `otlp.headers` has a field that is none: write NAME=VALUE",
        "--otlp-sample: `otlp.sample` cannot be `2`: write a share",
        "--otlp-resource-attribute: `otlp.resource_attributes` cannot have `x`: write KEY=VALUE",
    ] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
    assert!(!errors.contains("s3cret"), "{errors}");
}
