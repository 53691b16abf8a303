//! The few paths of the listener, and what every answer carries.
//!
//! The page and its data answer only to names that nobody else can hold (`guard`). The three that probes and metrics are
//! for, `/healthz`, `/readyz` and `/metrics`, answer to every name where this does not listen on a loopback address: kubelet
//! and Prometheus ask by address or by the name of a service. On loopback only `/healthz` does, which tells nothing. Pages of
//! other sites get nothing either way.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::events::{self, Events, MOST_LISTENERS};
use super::guard::{self, Stranger};
use super::page;
use super::source::Source;
use crate::telemetry::metrics::text::Form;
use crate::vitals::Vitals;

/// A whole body or an event stream.
pub type Answer = Response<Either<Full<Bytes>, Events>>;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What stands on every answer, besides the policy.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];
/// The policy of whatever is no page.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// What all connections share.
pub struct Desk {
    vitals: Arc<Vitals>,
    /// What the page shows, if there is one.
    source: Option<Arc<dyn Source>>,
    listeners: Arc<Semaphore>,
    /// Whether this listens on a loopback address.
    is_local: bool,
    pub stop: CancellationToken,
}

impl Desk {
    pub fn new(vitals: Arc<Vitals>, source: Option<Arc<dyn Source>>, listen: IpAddr, stop: CancellationToken) -> Self {
        let is_local = listen.to_canonical().is_loopback();
        Self { vitals, source, listeners: Arc::new(Semaphore::new(MOST_LISTENERS)), is_local, stop }
    }

    /// Answers one request. `cut` ends the connection it came on.
    pub fn answer<B>(&self, request: &Request<B>, local: IpAddr, cut: &CancellationToken) -> Answer {
        let path = request.uri().path();
        let admitted = guard::admit(request.uri(), request.headers(), local, path == "/");
        let mut answer = match (is_for_machines(path), admitted) {
            (true, Ok(())) => self.for_machines(request, path),
            // On a loopback address alone, a page may have pointed its own name there.
            (true, Err(Stranger::Host)) if path == "/healthz" || !self.is_local => self.for_machines(request, path),
            (_, Err(why)) => turned_away(why),
            (false, Ok(())) => self.route(request.method(), path, cut),
        };
        let policy = if path == "/" { page::POLICY.clone() } else { None };
        let headers: &mut HeaderMap = answer.headers_mut();
        headers.extend(ALWAYS);
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.unwrap_or(NOTHING));
        answer
    }

    /// What probes and metrics ask for.
    fn for_machines<B>(&self, request: &Request<B>, path: &str) -> Answer {
        if !is_read(request.method()) {
            return only_read();
        }
        let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match path {
            "/metrics" => {
                let form = Form::of(accept);
                let kind = HeaderValue::from_static(form.content_type());
                whole(StatusCode::OK, kind, self.vitals.metrics(form).into())
            }
            "/readyz" => {
                let is_ready = self.vitals.is_ready();
                let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                match accept.starts_with("text/plain") {
                    true => text(status, if is_ready { "ready\n" } else { "draining\n" }),
                    false => json_of(status, &self.vitals.readiness()),
                }
            }
            // Who answers lives.
            _ => text(StatusCode::OK, "ok\n"),
        }
    }

    fn route(&self, method: &Method, path: &str, cut: &CancellationToken) -> Answer {
        let Some(source) = &self.source else {
            return text(StatusCode::NOT_FOUND, "Here are /healthz, /readyz and /metrics.\n");
        };
        match path {
            "/" | "/api/state" | "/api/events" | "/api/check" if !is_read(method) => only_read(),
            "/" => whole(StatusCode::OK, HTML, Bytes::from_static(page::PAGE.as_bytes())),
            "/api/state" => {
                let mut state = source.snapshot();
                if let Some(members) = state.as_object_mut() {
                    members.insert("counters".into(), source.counters());
                }
                json_of(StatusCode::OK, &state)
            }
            "/api/check" => match source.check() {
                Some(check) => json_of(StatusCode::OK, &check),
                None => json_of(StatusCode::NOT_FOUND, &json!({})),
            },
            "/api/events" => self.events(source, method, cut),
            _ => text(StatusCode::NOT_FOUND, "Nothing is here. The page is at /.\n"),
        }
    }

    fn events(&self, source: &Arc<dyn Source>, method: &Method, cut: &CancellationToken) -> Answer {
        if method == Method::HEAD {
            return whole(StatusCode::OK, EVENTS, Bytes::new());
        }
        let Ok(place) = self.listeners.clone().try_acquire_owned() else {
            let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open; close one.\n");
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            return answer;
        };
        let events = events::start(source.clone(), place, self.stop.clone(), cut.clone());
        let mut answer = Response::new(Either::Right(events));
        answer.headers_mut().insert(header::CONTENT_TYPE, EVENTS);
        answer
    }
}

fn is_for_machines(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn only_read() -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "This is only read: GET or HEAD.\n");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

fn turned_away(why: Stranger) -> Answer {
    match why {
        Stranger::Host => text(
            StatusCode::MISDIRECTED_REQUEST,
            "This page answers to localhost, 127.0.0.1, [::1] and the address it listens on. Use one of these.\n",
        ),
        Stranger::Site => text(StatusCode::FORBIDDEN, "Pages of other sites may not read this one.\n"),
    }
}

fn whole(status: StatusCode, kind: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    whole(status, TEXT, Bytes::from_static(body.as_bytes()))
}

fn json_of(status: StatusCode, value: &Value) -> Answer {
    whole(status, JSON, value.to_string().into())
}
