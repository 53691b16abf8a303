//! How the upstream is reached: its URL or socket, several addresses, TLS, HTTP/2, health.

use std::path::PathBuf;
use std::time::Duration;

use url::Host;

use super::address::Address;
use super::{Checker, Complaint, Scope};
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint;

/// What a server behind a Unix socket takes for its own address.
const UNIX_ORIGIN: &str = "http://localhost";

/// How the upstream is reached, beside its URL.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// The socket that `upstream.url` names.
    pub unix: Option<Address>,
    /// Where connections go; nothing: to the host of the URL.
    pub addresses: Vec<Address>,
    pub http2: Http2,
    /// Certificate and key of a client.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the certificate has to be for, if it is not the host of the URL.
    pub server_name: Option<String>,
    pub accepts_any_certificate: bool,
    pub health: Option<Health>,
}

/// When HTTP/2 is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http2 {
    /// Where both sides agree on it in the TLS handshake (RFC 9113 section 3.2).
    #[default]
    Auto,
    Never,
    /// Always, with TLS or without (RFC 9113 section 3.3).
    PriorKnowledge,
}

/// What is asked to see whether an address does well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub path: String,
    pub every: Duration,
}

/// Whom to believe, and as whom to appear.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key of a client, for an upstream that asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether any certificate will do.
    pub accepts_any: bool,
}

impl Checker<'_> {
    /// The upstream's origin, and the path if the URL has one.
    pub(super) fn upstream(&mut self) -> Option<(Origin, Option<String>)> {
        let Some(value) = self.values("upstream.url").last().cloned() else {
            let place = if self.scope == Scope::Listed { self.layers.place.clone() } else { "upstream".into() };
            self.complaints.push(Complaint {
                place,
                message: "no upstream: say which server to stand in front of, as in `mcp-mend http://localhost:3000`"
                    .into(),
            });
            return None;
        };
        // `localhost:3000` is what people type; nothing else can be meant.
        let typed = value.text.trim();
        if let Some(unix) = Address::unix(typed) {
            return match unix {
                Ok(_) => Some((Origin::of(UNIX_ORIGIN).ok()?, None)),
                Err(message) => self.complain(&value, message),
            };
        }
        let url = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
        match (Origin::of(&url), after_origin(&url)) {
            (Ok(origin), Some(rest)) if !rest.contains(['?', '#']) => {
                let path = rest.trim_end_matches('/');
                Some((origin, (!path.is_empty()).then(|| path.to_owned())))
            }
            (Ok(_), _) => self.complain(&value, "an upstream has no user name, query or fragment".into()),
            (Err(error), _) => self.complain(&value, format!("{error}; write it like http://localhost:3000")),
        }
    }

    pub(super) fn reach(&mut self, upstream: Option<&Origin>) -> Reach {
        let unix = self.values("upstream.url").last().and_then(|value| Address::unix(value.text.trim()));
        let mut addresses = self.many("upstream.addresses", Address::parse);
        addresses.dedup();
        let http2 = self.one("upstream.http2", |text| match text {
            "auto" => Ok(Http2::Auto),
            "never" => Ok(Http2::Never),
            "prior-knowledge" => Ok(Http2::PriorKnowledge),
            _ => Err("write auto, never or prior-knowledge".into()),
        });
        let reach = Reach {
            unix: unix.and_then(Result::ok),
            addresses,
            http2: http2.unwrap_or_default(),
            identity: self.identity(),
            server_name: self.optional("upstream.server_name", server_name),
            accepts_any_certificate: self.switch("upstream.dangerously_accept_any_certificate"),
            health: self.health(),
        };
        if let Some(upstream) = upstream {
            self.warn_of_tls(upstream, &reach);
        }
        reach
    }

    /// Certificate and key: both or none.
    fn identity(&mut self) -> Option<(PathBuf, PathBuf)> {
        let mut file = |key| {
            let value = self.values(key).last().cloned();
            let path = self.optional(key, |text| {
                if text.is_empty() { Err("write the name of a PEM file".into()) } else { Ok(PathBuf::from(text)) }
            });
            value.zip(path)
        };
        match (file("upstream.cert_file"), file("upstream.key_file")) {
            (Some((_, certificate)), Some((_, key))) => Some((certificate, key)),
            (Some((value, _)), None) => {
                self.complain(&value, "a certificate needs its key: write upstream.key_file as well".into())
            }
            (None, Some((value, _))) => {
                self.complain(&value, "a key needs its certificate: write upstream.cert_file as well".into())
            }
            (None, None) => None,
        }
    }

    fn health(&mut self) -> Option<Health> {
        let every = self.seconds("upstream.health_seconds");
        let path = self.optional("upstream.health_path", |text| {
            let (path, query) = text.split_once('?').unwrap_or((text, ""));
            let is_query = query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
            if endpoint::is_plain(path) && is_query { Ok(text.to_owned()) } else { Err("write it like /health".into()) }
        });
        Some(Health { path: path?, every: every.unwrap_or(Duration::from_secs(10)) })
    }

    /// What was stated about TLS and does nothing, or more than anybody should want.
    fn warn_of_tls(&mut self, upstream: &Origin, reach: &Reach) {
        let mut warn = |key: &str, message: String| {
            let place = self.values(key).last().map_or_else(|| key.to_owned(), |value| value.place.clone());
            self.warnings.push(Complaint { place, message });
        };
        if reach.accepts_any_certificate {
            let message = "ANY certificate of the upstream is accepted: whoever sits between reads and changes \
                           everything, tokens included. Name its authority with upstream.ca_file instead";
            warn("upstream.dangerously_accept_any_certificate", message.into());
        }
        let stated =
            [("upstream.server_name", reach.server_name.is_some()), ("upstream.cert_file", reach.identity.is_some())];
        for (key, _) in stated.iter().filter(|(_, is_stated)| *is_stated && !upstream.is_secure()) {
            warn(key, format!("`{key}` does nothing: {upstream} is asked without TLS"));
        }
    }
}

fn server_name(text: &str) -> Result<String, String> {
    match Host::parse(text.trim_matches(['[', ']'])) {
        Ok(Host::Domain(name)) => Ok(name),
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        _ if text.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok() => {
            Ok(text.trim_matches(['[', ']']).to_owned())
        }
        _ => Err("write a host name, as in mcp.internal".into()),
    }
}
