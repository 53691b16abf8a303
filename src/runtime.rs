//! The checked configuration, resolved once: what every exchange reads and nobody changes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use ipnet::IpNet;

use crate::admission::Admission;
use crate::body::inbox::Inboxes;
use crate::connection::Patience;
use crate::exchange::Facts;
use crate::learn::Learner;
use crate::plan::Plan;
use crate::telemetry::access::AccessLog;
use crate::telemetry::counters::Counters;
use crate::upstream::Target;

/// Everything that workers share.
pub struct Runtime {
    pub facts: Facts,
    pub plan: Plan,
    pub target: Arc<Target>,
    pub bounds: Bounds,
    /// The host that clients use, if the operator stated it; otherwise what each client says.
    pub stated_host: Option<HeaderValue>,
    /// Whether the upstream sees the client's Host instead of its own.
    pub preserve_host: bool,
    pub trusted_proxies: Vec<IpNet>,
    /// Who may ask; nothing: everybody.
    pub admission: Option<Admission>,
    /// Whether mended answers carry a `mcp-mend` header that names the repairs.
    pub show_repairs: bool,
    /// Certificates to trust beside the platform's.
    pub ca_file: Option<std::path::PathBuf>,
    /// Whether the upstream is asked about itself before anybody needs it.
    pub probe: bool,
    /// Whether this stands in for a client, as in `check`: then nothing is added to requests, and nothing is registered in
    /// order to learn.
    pub as_client: bool,
    pub learner: Learner,
    /// The streams of the HTTP+SSE transport that run through this process.
    pub inboxes: Inboxes,
    pub counters: Counters,
    /// What the last check of the upstream said, as `mcp-mend check --json` writes it.
    pub checked: ArcSwapOption<serde_json::Value>,
    pub access: AccessLog,
}

/// Limits on what clients send and on what is held.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub patience: Patience,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Bytes of a request's target.
    pub target_bytes: usize,
    /// Bytes of a request's body.
    pub request_bytes: u64,
    /// Bytes of a body that is read whole in order to be mended; longer ones pass untouched.
    pub body_bytes: usize,
    /// How long reading such a body may take.
    pub body_time: Duration,
    /// How long something learned about the upstream is believed.
    pub learned: Duration,
    /// After how much silence an answer's event stream in which nothing has come gets a comment.
    pub first_silence: Duration,
    /// After how much silence an event stream gets a comment.
    pub silence: Duration,
    /// Client connections at a time.
    pub connections: usize,
    /// How long event streams may go on after the order to stop.
    pub drain: Duration,
}

impl Runtime {
    /// Whether the peer is a proxy whose word about its clients counts.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// By what the limits on single questions are multiplied.
    #[must_use]
    pub fn patience(&self) -> u32 {
        if self.as_client { 2 } else { 1 }
    }

    /// The scheme that clients use, as far as this process can know.
    #[must_use]
    pub fn proto(&self) -> &'static str {
        if self.stated_host.is_some() { self.facts.public.scheme() } else { "http" }
    }
}
