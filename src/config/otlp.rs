//! `[otlp]`: whether traces and metrics are sent to a collector, and how.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::{Checker, Complaint};
use crate::edit::origin::{Origin, after_origin};

/// Where collectors speak gRPC, by convention.
const GRPC_PORT: u16 = 4317;

/// What the operator wants sent, and where.
#[derive(Clone, Debug)]
pub struct Setup {
    pub endpoint: Origin,
    /// The path before `/v1/traces`, without a slash at its end.
    pub path: String,
    /// Marked as sensitive: they are never printed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Which part of the traces that begin here is sent, from 0 to 1.
    pub sample: f64,
    pub service: String,
    pub attributes: Vec<(String, String)>,
    /// How often metrics are sent.
    pub interval: Duration,
}

impl Checker<'_> {
    /// `None` if nothing is to be sent, or if something is wrong, which was said then.
    pub(super) fn otlp(&mut self) -> Option<Setup> {
        let headers = self.otlp_headers();
        let sample = self.one("otlp.sample", |text| match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err("write a share of all traces from 0 to 1, such as 0.1".into()),
        });
        let interval = self.one("otlp.metrics_seconds", |text| match text.parse::<f64>() {
            Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
            _ => Err("write seconds, from 0.1 to 3600".into()),
        });
        let service = self.one("otlp.service_name", |text| match text {
            "" => Err("write a name, such as mcp-mend".into()),
            text => Ok(text.to_owned()),
        });
        let attributes = self.many("otlp.resource_attributes", |text| match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
            _ => Err("write KEY=VALUE, such as deployment.environment.name=production".into()),
        });
        let (endpoint, path) = self.optional("otlp.endpoint", |text| {
            let wanted = "write it like http://localhost:4318";
            match (Origin::of(text), after_origin(text)) {
                (Ok(origin), Some(rest)) if !rest.contains(['?', '#']) => {
                    Ok((origin, rest.trim_end_matches('/').to_owned()))
                }
                (Ok(_), _) => Err(format!("a collector has no user name, query or fragment; {wanted}")),
                (Err(error), _) => Err(format!("{error}; {wanted}")),
            }
        })?;
        if endpoint.port() == GRPC_PORT
            && let Some(value) = self.values("otlp.endpoint").last().cloned()
        {
            let message = "collectors speak gRPC at port 4317, and this speaks http/protobuf; write port 4318".into();
            self.warnings.push(Complaint { place: value.place, message });
        }
        Some(Setup { endpoint, path, headers, sample: sample?, service: service?, attributes, interval: interval? })
    }

    /// Fields with credentials in them: what is wrong with one is said without it.
    fn otlp_headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for value in self.values("otlp.headers").to_vec() {
            let field = value.text.split_once('=').and_then(|(name, text)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                let mut text = HeaderValue::from_str(text.trim()).ok()?;
                text.set_sensitive(true);
                Some((name, text))
            });
            match field {
                Some(field) => headers.push(field),
                None => {
                    let message = "`otlp.headers` has a field that is none: write NAME=VALUE, such as \
                                   authorization=Bearer ..."
                        .to_owned();
                    self.complaints.push(Complaint { place: value.place, message });
                }
            }
        }
        headers
    }
}
