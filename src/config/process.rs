//! What the process is told once: it is the same for all sites.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::Setup;
use super::limits::Limits;
use super::{Checker, Overload, listen, tls};
use crate::ranges::{self, Ranges};
use crate::seal::SealKeys;
use crate::telemetry::access::Format;
use crate::telemetry::capture::files::Bounds;

/// The settings that no `[[site]]` may state (`settings::is_of_a_site` has those that it may).
#[derive(Clone, Debug)]
pub struct ProcessConfig {
    pub listen: listen::Listen,
    /// How TLS is spoken to clients; nothing: plain HTTP.
    pub tls: Option<tls::Tls>,
    /// Where the page of flows is, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Whether the page of flows is there, beside health and metrics.
    pub admin_page: bool,
    /// Hosts that are answered on this machine, beside the public ones.
    pub hosts: Vec<String>,
    /// Keys for session ids, from `seal.key_files`; empty: the process makes one.
    pub seal: SealKeys,
    /// The peers whose word about their clients counts. A peer is known before the site of its request is.
    pub trusted_proxies: Vec<IpNet>,
    /// Which of the sites also serves the hosts that no site names; `None`: such a host gets 421.
    pub catch_all: Option<usize>,
    /// Whether upstreams are asked about themselves at the start.
    pub probe: bool,
    /// 0: as many as there are cores.
    pub threads: usize,
    pub log_format: Format,
    /// Where the access log goes, if not to standard output.
    pub log_file: Option<PathBuf>,
    pub log_level: String,
    /// Where traces and metrics are sent, if anywhere.
    pub otlp: Option<Setup>,
    pub limits: Limits,
    pub overload: Overload,
    /// Where captures go, if they are wanted, and how much of them is kept.
    pub capture: Option<Bounds>,
    /// Whose addresses are whose, the operator's own files included.
    pub ranges: Ranges,
}

impl Checker<'_> {
    pub(super) fn process(&mut self) -> Option<ProcessConfig> {
        let listen = self.one("listen", listen::parse);
        let admin = self.admin(listen.as_ref().and_then(listen::Listen::tcp));
        let hosts = self.hosts();
        let trusted_proxies = self.many("trusted_proxies", ranges::network);
        let threads = self.number("threads", 0..=1024);
        let (log_format, log_file) = (self.log_format(), self.log_file());
        let log_level = self.one("log.level", |text| match text {
            "error" | "warn" | "info" | "debug" | "trace" => Ok(text.to_owned()),
            _ => Err("write error, warn, info or debug".into()),
        });
        let limits = self.limits();
        let tls = self.tls();
        let overload = self.overload(limits.as_ref());
        let has_top = self.layers.sites.is_empty() || self.layers.names_upstream();
        let (capture, otlp) = (self.capture(), self.otlp());
        Some(ProcessConfig {
            listen: listen?,
            tls,
            admin,
            admin_page: !self.switch("no_admin_page"),
            hosts,
            seal: self.layers.seal.clone(),
            trusted_proxies,
            catch_all: has_top.then_some(0),
            probe: !self.switch("no_probe"),
            threads: threads?,
            log_format: log_format?,
            log_file,
            log_level: log_level?,
            otlp,
            limits: limits?,
            overload: overload?,
            capture,
            ranges: self.layers.ranges.clone(),
        })
    }

    fn limits(&mut self) -> Option<Limits> {
        let connections = self.number_or_budget("limits.connections", 1..=1_000_000);
        let connections_per_peer = self.connections_per_peer();
        let head_bytes = self.number("limits.head_bytes", 8192..=1 << 20);
        let target_bytes = self.number("limits.target_bytes", 256..=65_000);
        let request_bytes = self.number("limits.request_bytes", 1..=1 << 40);
        let body_bytes = self.number("limits.body_bytes", 1024..=1 << 28);
        let mut seconds = |key| self.seconds(key);
        let (head, body, idle) =
            (seconds("limits.head_seconds"), seconds("limits.body_seconds"), seconds("limits.idle_seconds"));
        let (connect, first_byte) = (seconds("limits.connect_seconds"), seconds("limits.first_byte_seconds"));
        let (pool_idle, pool_age) = (seconds("limits.pool_idle_seconds"), seconds("limits.pool_age_seconds"));
        let (mend, drain) = (seconds("limits.mend_seconds"), seconds("limits.drain_seconds"));
        let (learned, silence) = (seconds("limits.learned_seconds"), seconds("limits.silence_seconds"));
        Some(Limits {
            connections: connections?,
            connections_per_peer: connections_per_peer?,
            head_bytes: head_bytes?,
            target_bytes: target_bytes?,
            request_bytes: u64::try_from(request_bytes?).ok()?,
            body_bytes: body_bytes?,
            head: head?,
            body: body?,
            idle: idle?,
            connect: connect?,
            first_byte: first_byte?,
            mend: mend?,
            learned: learned?,
            silence: silence?,
            pool_idle: pool_idle?,
            pool_age: pool_age?,
            drain: drain?,
        })
    }
}
