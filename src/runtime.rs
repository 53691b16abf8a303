//! The checked configuration, resolved once: what every exchange reads and nobody changes.

pub mod seal;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::admission::Admission;
use crate::body::inbox::Inboxes;
use crate::config::budget::{self, Memory};
use crate::config::{ProcessConfig, SiteConfig};
use crate::connection::Patience;
use crate::counters::{Counters, MetricsRegistry};
use crate::edit::origin::Origin;
use crate::exchange::Facts;
use crate::hosts::Hosts;
use crate::learner::Learner;
use crate::overload::shares::Share;
use crate::overload::{Crowd, Load};
use crate::plan::Plan;
use crate::rate::Rates;
use crate::repairs::REPAIRS;
use crate::runtime::seal::OwnSeal;
use crate::seal::SealKeys;
use crate::tape::SiteFacts;
use crate::telemetry::access::AccessLog;
use crate::telemetry::life::Life;
use crate::telemetry::span::Tracer;
use crate::upstream::{Target, TargetError};

/// How long the stream of an answer may be silent before anything has come; one that a GET opens, not at all.
const FIRST_SILENCE: Duration = Duration::from_millis(200);

/// One site: everything that workers share about it.
pub struct Runtime {
    /// What it is called in metrics: the address that clients use. Empty for what stands in where no site is.
    pub name: String,
    /// The path that all paths of the site begin with, without a slash at its end; empty if it has the whole host.
    pub prefix: String,
    pub facts: Facts,
    /// What recorded exchanges say of it; `None` for what stands in where no site is.
    pub recorded: Option<Arc<SiteFacts>>,
    pub plan: Plan,
    pub target: Arc<Target>,
    pub bounds: Bounds,
    /// The host that clients use, if the operator stated it; otherwise what each client says.
    pub stated_host: Option<HeaderValue>,
    /// The hosts that are answered.
    pub hosts: Hosts,
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
    /// How often one address may ask for what costs most.
    pub rates: Arc<Rates>,
    pub learner: Arc<Learner>,
    /// The streams of the HTTP+SSE transport that run through this process.
    pub inboxes: Inboxes,
    /// What the last check of the upstream said, as `mcp-mend check --json` writes it.
    pub checked: Arc<ArcSwapOption<serde_json::Value>>,
    pub counters: Arc<Counters>,
    pub ledger: Arc<MetricsRegistry>,
    pub access: Arc<AccessLog>,
    pub life: Arc<Life>,
    /// Who takes spans, if somebody does.
    pub tracer: Option<Arc<Tracer>>,
    pub load: &'static Load,
    /// The key of the process, whether or not this site seals with it.
    pub own_seal: Arc<OwnSeal>,
}

/// What all sites share, over every reload.
#[derive(Clone)]
pub struct Common {
    pub ledger: Arc<MetricsRegistry>,
    pub access: Arc<AccessLog>,
    pub life: Arc<Life>,
    pub tracer: Option<Arc<Tracer>>,
    /// What the process has on its hands.
    pub load: &'static Load,
    /// What session ids are sealed with, if no key file is stated.
    pub own_seal: Arc<OwnSeal>,
}

impl Common {
    #[must_use]
    pub fn new(access: AccessLog) -> Self {
        // Never given up: nobody who counts something there has to count who counts.
        let load = Box::leak(Box::default());
        let (ledger, life, own_seal) = (Arc::default(), Arc::default(), Arc::default());
        Self { ledger, access: Arc::new(access), life, tracer: None, load, own_seal }
    }
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
    /// Of one peer; 0: as many as in all; `None`: its share.
    pub connections_per_peer: Option<usize>,
    /// Streams at a time of a connection over HTTP/2 that came when there was no room for more.
    pub streams: u32,
    /// Requests under way at a time.
    pub requests: usize,
    /// Bytes of all bodies that are held.
    pub held_bytes: u64,
    /// How long a client may take nothing of its answer.
    pub stalled: Duration,
    /// How long event streams may go on after the order to stop.
    pub drain: Duration,
    /// Requests under way, and connections, up to which there is room for large buffers.
    pub roomy: usize,
    /// Bytes of each socket buffer; `None`: the system chooses.
    pub socket_bytes: Option<usize>,
}

impl Bounds {
    /// One line for the start: how much memory there is and which limits hold.
    #[must_use]
    pub fn fits(&self, memory: &Memory) -> String {
        let Self { connections, requests, held_bytes, .. } = self;
        let mut line = format!("{memory}: {connections} connections");
        let of_one = self.connections_per_peer.unwrap_or(Share::Half.of(*connections));
        if of_one > 0 {
            line.push_str(&format!(", {of_one} of one address"));
        }
        if requests != connections {
            line.push_str(&format!(", {requests} requests"));
        }
        line.push_str(&format!(", {} MiB held", held_bytes >> 20));
        match self.socket_bytes {
            Some(bytes) => line + &format!(", {} KiB a socket buffer", bytes >> 10),
            None => line,
        }
    }
}

impl Bounds {
    /// What the configuration says.
    #[must_use]
    pub fn of(process: &ProcessConfig) -> Self {
        let (limits, overload) = (&process.limits, &process.overload);
        Self {
            patience: Patience { head: limits.head, idle: limits.idle, body: limits.body },
            head_bytes: limits.head_bytes,
            target_bytes: limits.target_bytes,
            request_bytes: limits.request_bytes,
            body_bytes: limits.body_bytes,
            body_time: limits.mend,
            learned: limits.learned,
            first_silence: FIRST_SILENCE,
            silence: limits.silence,
            connections: limits.connections,
            connections_per_peer: limits.connections_per_peer,
            streams: budget::streams(overload.memory.bytes, limits.connections),
            requests: if overload.requests == 0 { limits.connections } else { overload.requests },
            held_bytes: overload.held_bytes,
            stalled: overload.stalled,
            drain: limits.drain,
            roomy: overload.roomy,
            socket_bytes: overload.socket_bytes,
        }
    }
}

impl Runtime {
    /// A site, for clients that use `public`, on a loopback address or not.
    ///
    /// # Errors
    /// When a file that is needed cannot be used.
    pub fn of(
        process: &ProcessConfig,
        site: &SiteConfig,
        public: Origin,
        is_loopback: bool,
        common: &Common,
    ) -> Result<Self, TargetError> {
        let name = format!("{public}{}", site.prefix);
        let facts = Facts {
            public,
            upstream: site.upstream.clone(),
            mcp_path: site.mcp_path.clone(),
            origins: site.origins.clone(),
            loopback_origins: is_loopback,
            scopes: site.scopes.clone(),
            seal: if process.seal.is_empty() { common.own_seal.keys.clone() } else { process.seal.clone() },
        };
        let modes = site.stated_modes().map(|(id, mode)| (id.to_owned(), mode)).collect();
        let recorded = SiteFacts { name: name.clone(), facts: facts.clone(), modes };
        Ok(Self { recorded: Some(Arc::new(recorded)), ..Self::with(process, site, name, facts, common)? })
    }

    /// What stands in for a site where a request is for none: it refuses, and knows nothing of any site. Its counters and
    /// bounds are those of connections too, as long as nobody knows which site they are for.
    ///
    /// # Errors
    /// Never, since no file is read.
    pub fn of_no_site(process: &ProcessConfig, common: &Common) -> Result<Self, TargetError> {
        let nowhere = Origin::of("http://localhost").map_err(|_| TargetError::Authority)?;
        let site = SiteConfig::before(nowhere.clone());
        let facts = Facts {
            public: nowhere.clone(),
            upstream: nowhere,
            mcp_path: site.mcp_path.clone(),
            origins: Vec::new(),
            loopback_origins: false,
            scopes: Vec::new(),
            seal: SealKeys::default(),
        };
        let nothing = Plan::new(&[], &site.modes);
        Ok(Self { plan: nothing, probe: false, ..Self::with(process, &site, String::new(), facts, common)? })
    }

    fn with(
        process: &ProcessConfig,
        site: &SiteConfig,
        name: String,
        facts: Facts,
        common: &Common,
    ) -> Result<Self, TargetError> {
        let overload = &process.overload;
        let stated_host = match &site.public {
            Some(public) => Some(HeaderValue::from_str(public.authority()).map_err(|_| TargetError::Authority)?),
            None => None,
        };
        let counters = common.ledger.of(&name);
        Ok(Self {
            prefix: site.prefix.clone(),
            facts,
            recorded: None,
            plan: Plan::new(REPAIRS, &site.modes),
            target: Arc::new(Target::of(process, site)?),
            bounds: Bounds::of(process),
            stated_host,
            hosts: Hosts::default(),
            preserve_host: site.preserve_host,
            trusted_proxies: process.trusted_proxies.clone(),
            admission: site.admission.clone(),
            show_repairs: site.show_repairs,
            ca_file: site.ca_file.clone(),
            probe: process.probe,
            as_client: false,
            rates: Arc::new(
                Rates::new(overload.register_per_minute, overload.token_per_minute)
                    .sparing_local(overload.spares_local),
            ),
            learner: Arc::new(Learner::new(counters.clone())),
            inboxes: Inboxes::default(),
            checked: Arc::default(),
            counters,
            name,
            ledger: common.ledger.clone(),
            access: common.access.clone(),
            life: common.life.clone(),
            tracer: common.tracer.clone(),
            load: common.load,
            own_seal: common.own_seal.clone(),
        })
    }

    /// What it is called in logs; nothing where no site is.
    #[must_use]
    pub fn site_name(&self) -> Option<&str> {
        self.recorded.as_ref().map(|site| site.name.as_str())
    }

    /// Keeps what a site before a reload had, where it is about the same: connections, what was learned, open streams.
    pub fn go_on_from<'a>(&mut self, before: impl IntoIterator<Item = &'a Self>) {
        let place = |site: &Self| (site.facts.public.clone(), site.facts.upstream.clone(), site.facts.mcp_path.clone());
        let Some(site) = before.into_iter().find(|site| place(site) == place(self)) else { return };
        if site.target.is_like(&self.target) {
            self.target = site.target.clone();
        }
        if site.rates.is_like(&self.rates) {
            self.rates = site.rates.clone();
        }
        self.learner = site.learner.clone();
        self.inboxes = site.inboxes.clone();
        self.checked = site.checked.clone();
    }

    /// Warns of a sealed session id that only this process can open.
    pub fn watch_seal(&self, answer: &HeaderMap) {
        if !self.as_client {
            self.own_seal.watch(&self.facts.seal, answer);
        }
    }

    /// Whether the peer is a proxy whose word about its clients counts.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// Tells whether so much is under way that who holds things up has less time.
    #[must_use]
    pub fn crowd(&self) -> Crowd {
        Crowd::new(self.load, self.bounds.requests, self.bounds.held_bytes)
    }

    /// By what the limits on single questions are multiplied.
    #[must_use]
    pub fn patience(&self) -> u32 {
        if self.as_client { 2 } else { 1 }
    }

    /// The scheme that clients use, as far as this process can know.
    #[must_use]
    pub fn proto(&self) -> &'static str {
        self.facts.public.scheme()
    }
}
