//! Every metric, once: from this list come `/metrics`, what is sent over OTLP, and the README's table.
//!
//! Labels are bounded: classes, registered status codes, ids of repairs, names of reasons, and what the operator's own
//! configuration names. Nothing that a client or an upstream writes becomes one. An empty `site` is the process: requests
//! that no site is for, and connections whose site is not known.

use super::{Kind, Metric, Unit};

macro_rules! metrics {
    ($($name:ident = $kind:ident $stem:literal, $unit:ident, $labels:expr, $help:literal;)*) => {
        $(pub static $name: Metric = Metric {
            stem: $stem, kind: Kind::$kind, unit: Unit::$unit, labels: &$labels, help: $help,
        };)*
        /// All of them, in the order in which they are shown.
        pub static ALL: &[&Metric] = &[$(&$name),*];
    };
}

metrics! {
    REQUESTS = Counter "mcp_mend_requests", None, ["site", "class", "code", "fault"],
        "Exchanges that have ended, by class of path, status and whose fault it was (none, client, proxy, upstream). \
         Code 499: the client left before there was an answer. An empty site: requests that no site is for";
    DURATION = Histogram "mcp_mend_request_duration", Seconds, ["site", "class"],
        "From the head of a request to the last byte of its answer; streams that a GET opens are left out";
    IN_FLIGHT = Gauge "mcp_mend_requests_in_flight", None, ["site"],
        "Exchanges under way, open event streams included";
    STREAMS = Gauge "mcp_mend_event_streams_open", None, ["site"], "Event streams to clients that are open";
    BODY_BYTES = Counter "mcp_mend_body", Bytes, ["site", "direction"],
        "Bytes of bodies: up from clients as they come, down to clients when the answer has ended";
    REFUSALS = Counter "mcp_mend_refusals", None, ["site", "reason", "fault"],
        "Answers of the proxy itself, by name. A rate that is exceeded is one of them. An empty site: requests that no site is \
         for, connections that are refused, and heads that cannot be read";
    REPAIRS = Counter "mcp_mend_repairs", None, ["site", "id"],
        "Exchanges in which a repair fired, observed ones included: one for each exchange and repair, as in the access log";
    UNTOUCHED = Counter "mcp_mend_untouched", None, ["site", "reason"],
        "Messages that a repair wanted to see, or failed at, and that passed as they came";
    VIOLATIONS = Counter "mcp_mend_repair_violations", None, ["site", "id"],
        "Repairs that did by a bug what no repair may do; the message passed as it came";
    PANICS = Counter "mcp_mend_repair_panics", None, ["site"],
        "Repairs that failed by a bug; the message passed as it came";
    LESSONS = Counter "mcp_mend_lessons", None, ["site", "lesson", "fate"],
        "What became of what passing traffic teaches, by lesson: learned, rejected (no evidence), forgotten (it proved \
         wrong), expired";
    CONNECT = Histogram "mcp_mend_upstream_connect", Seconds, ["site"],
        "Making a connection to the upstream: address, TCP and TLS";
    FIRST_BYTE = Histogram "mcp_mend_upstream_first_byte", Seconds, ["site"],
        "From a question to the upstream to the head of its answer, the connection included";
    RETRIES = Counter "mcp_mend_upstream_retries", None, ["site"],
        "Requests that went to the upstream once more: a connection had died, or an address could not be reached";
    UNPOOLED = Counter "mcp_mend_upstream_unpooled_connections", None, ["site", "kept"],
        "Connections to the upstream that left the common pool because a request's body may not have been read: kept for \
         the one client connection (private), or not kept (closed)";
    UPSTREAM_UP = Gauge "mcp_mend_upstream_up", None, ["site", "address"],
        "Whether an address of the upstream is in use (1) or passed over as unhealthy (0)";
    CONNECTIONS = Gauge "mcp_mend_connections_open", None, [], "Connections of clients that are open";
    ACCEPTED = Counter "mcp_mend_connections_accepted", None, [], "Connections of clients that were accepted, refused ones included";
    REFUSED = Counter "mcp_mend_connections_refused", None, [],
        "Connections of clients that were closed at once: too many in all, or of one address";
    DRAINING = Gauge "mcp_mend_draining", None, [], "Whether the proxy is stopping (1)";
    RELOADS = Counter "mcp_mend_config_reloads", None, ["result"],
        "Reloads of the configuration, by result: ok, or failed and nothing was changed";
    LAST_RELOAD_OK = Gauge "mcp_mend_config_last_reload_ok", None, [],
        "Whether the last reload went well (1); without any, the start did";
    LAST_RELOAD = Gauge "mcp_mend_config_last_success_timestamp", Seconds, [],
        "When the configuration in use was read, since 1970";
    CERTIFICATE = Gauge "mcp_mend_certificate_not_after_timestamp", Seconds, ["name"],
        "When a certificate that clients are shown ends, since 1970";
    LOG_DROPPED = Counter "mcp_mend_access_log_dropped_lines", None, [],
        "Lines of the access log that were lost: the disk is full, or its reader too slow or gone";
    SPANS_SENT = Counter "mcp_mend_otlp_spans_sent", None, [], "Spans that the collector has taken";
    SPANS_DROPPED = Counter "mcp_mend_otlp_spans_dropped", None, [],
        "Spans that were lost: the collector is down, too slow, or does not want them";
    BUILD = Gauge "mcp_mend_build_info", None, ["version"], "The version that runs; always 1";
    STARTED = Gauge "process_start_time", Seconds, [], "When this process started, since 1970";
    CPU = Counter "process_cpu", Seconds, [], "Processor time of this process, user and system";
    MEMORY = Gauge "process_resident_memory", Bytes, [], "Memory of this process";
    OPEN_FILES = Gauge "process_open_fds", None, [], "Open file descriptors";
    MOST_FILES = Gauge "process_max_fds", None, [], "The limit on open file descriptors";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_of_one_form() {
        let names: std::collections::BTreeSet<String> = ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let name = metric.name();
            assert!(name.starts_with("mcp_mend_") || name.starts_with("process_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            // OpenMetrics section 5.3 keeps these ends for the samples of some kinds.
            assert!(!["_total", "_created", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end)));
            assert!(!metric.help.ends_with('.') && !metric.help.contains(['\n', '\\', '"']), "{name}");
        }
    }
}
