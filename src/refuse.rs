//! Answers of the proxy itself, named by meaning. Each says whose fault it is; none names the upstream's address.

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;

use crate::edit::json::Object;
use crate::exchange::{Reply, ReplyBody};

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Client,
    Proxy,
    Upstream,
}

impl Fault {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Proxy => "proxy",
            Self::Upstream => "upstream",
        }
    }
}

/// A refusal: what is answered and what is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// `error` of the answer, and the reason in the log.
    pub name: &'static str,
    pub fault: Fault,
    pub description: &'static str,
    /// Whether the client's connection is closed after the answer: it is in no state to go on with.
    pub close: bool,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $fault:ident, $close:literal, $error:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Refusal = Refusal {
            status: StatusCode::$status, name: $error, fault: Fault::$fault, description: $text, close: $close,
        };)*
        /// All of them, for tests and documentation.
        pub const ALL: &[Refusal] = &[$($name),*];
    };
}

refusals! {
    /// RFC 9112 section 3.2: exactly one valid Host.
    BAD_HOST = BAD_REQUEST, Client, true, "bad_host",
        "The request must carry exactly one valid Host header.";
    /// RFC 9112 section 3.2: origin-form or absolute-form only.
    BAD_TARGET = BAD_REQUEST, Client, true, "bad_target", "The request target is not a path of this server.";
    /// RFC 9110 section 9.1: methods are told apart by case.
    BAD_METHOD = BAD_REQUEST, Client, true, "bad_method", "The names of methods are written in capital letters.";
    /// The operator's own list (`access.allow`); who is not on it learns nothing of it.
    NOT_ADMITTED = FORBIDDEN, Client, true, "not-allowed-address",
        "This address is not among those that may ask here.";
    /// RFC 9110 section 15.5.20: no `[[site]]` is on this host.
    MISDIRECTED = MISDIRECTED_REQUEST, Client, false, "misdirected_request", "No site of this proxy is on this host.";
    /// RFC 9110 section 15.5.20: a name that is not known, on a proxy of this machine (`hosts`).
    UNKNOWN_HOST = MISDIRECTED_REQUEST, Client, false, "unknown_host",
        "This proxy does not answer to this Host. If clients use it, state it with --public-url (public_url) or --host (hosts).";
    /// RFC 9110 section 15.5.5: sites are on this host, none at this path.
    NO_SITE = NOT_FOUND, Client, false, "no_such_path", "No site of this proxy is at this path.";
    NOT_ALLOWED = METHOD_NOT_ALLOWED, Client, true, "method_not_allowed", "This proxy opens no tunnels.";
    /// RFC 9112 section 6.1.
    BAD_CODING = NOT_IMPLEMENTED, Client, true, "transfer_coding_not_implemented",
        "The only transfer coding understood here is chunked.";
    TARGET_TOO_LONG = URI_TOO_LONG, Client, true, "uri_too_long", "The request target is too long.";
    BODY_TOO_LARGE = PAYLOAD_TOO_LARGE, Client, true, "payload_too_large",
        "The request body is larger than this proxy is configured to pass on.";
    /// RFC 9112 section 7.1: what does not end as its framing says is no message.
    BAD_BODY = BAD_REQUEST, Client, true, "bad_body", "The request body does not follow its own framing.";
    /// `limits.register_per_minute` and `limits.token_per_minute` (RFC 6585 section 4).
    TOO_MANY_REQUESTS = TOO_MANY_REQUESTS, Client, false, "too_many_requests",
        "This address asks too often; ask again after the seconds that Retry-After names.";
    /// RFC 6585 section 5. The HTTP library answers this one for a head of HTTP/1.1.
    HEAD_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE, Client, true, "header_fields_too_large",
        "The head of the request is too long or has too many lines.";
    /// The HTTP library answers this one.
    BAD_HEAD = BAD_REQUEST, Client, true, "bad_head", "What came is no request of HTTP.";
    /// `limits.requests` (RFC 9110 section 15.6.4).
    OVERLOADED = SERVICE_UNAVAILABLE, Proxy, false, "overloaded",
        "This proxy has as many requests under way as it may have; ask again soon.";
    /// One client's share of `limits.requests`.
    SHARE_TAKEN = SERVICE_UNAVAILABLE, Proxy, false, "client_share_taken",
        "This client has as many requests under way as one client may have; ask again soon.";
    /// `limits.connections`. Written by hand: there is no request yet.
    TOO_MANY_CONNECTIONS = SERVICE_UNAVAILABLE, Proxy, true, "too_many_connections",
        "This proxy has as many connections as it may have; ask again soon.";
    BODY_STALLED = REQUEST_TIMEOUT, Client, true, "request_timeout", "The rest of the request body did not arrive.";
    /// The system gave no descriptor for a connection to the upstream.
    NO_DESCRIPTOR = SERVICE_UNAVAILABLE, Proxy, false, "out_of_descriptors",
        "This proxy has as many files open as the system lets it; ask again soon.";
    UNREACHABLE = BAD_GATEWAY, Upstream, false, "upstream_unreachable",
        "The server behind this proxy cannot be reached.";
    NO_TRUST = BAD_GATEWAY, Upstream, false, "upstream_certificate",
        "The server behind this proxy could not prove its identity with TLS.";
    CUT_OFF = BAD_GATEWAY, Upstream, false, "upstream_closed",
        "The server behind this proxy ended the connection before it answered.";
    BAD_ANSWER = BAD_GATEWAY, Upstream, false, "upstream_bad_answer",
        "The server behind this proxy sent an answer that is not HTTP.";
    CONNECT_TIMEOUT = GATEWAY_TIMEOUT, Upstream, false, "upstream_connect_timeout",
        "The server behind this proxy did not accept the connection in time.";
    ANSWER_TIMEOUT = GATEWAY_TIMEOUT, Upstream, false, "upstream_timeout",
        "The server behind this proxy did not begin to answer in time.";
    INTERNAL = INTERNAL_SERVER_ERROR, Proxy, true, "internal_error", "This proxy failed; the fault has been logged.";
}

impl Refusal {
    /// The answer, before repairs (which make it readable to pages).
    #[must_use]
    pub fn reply(&self) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = Object::new([
            ("error", json!(self.name)),
            ("error_description", json!(self.description)),
            ("fault", json!(self.fault.name())),
            ("answered_by", json!("mcp-mend")),
        ]);
        // An upstream that lets one question wait may answer others.
        let cut_off = *self != ANSWER_TIMEOUT;
        Reply { body: ReplyBody::Json(body), cut_off, ..Reply::new(self.status, headers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_fault_agree() {
        for refusal in ALL {
            let expected = match refusal.fault {
                Fault::Client => refusal.status.is_client_error() || refusal.status == StatusCode::NOT_IMPLEMENTED,
                Fault::Proxy => {
                    matches!(refusal.status, StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE)
                }
                Fault::Upstream => {
                    matches!(refusal.status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
                }
            };
            assert!(expected, "{refusal:?}");
        }
    }
}
