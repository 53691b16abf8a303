//! Configuration: as written -> checked. Every error is reported at once, with its place and what to write instead.

mod access;
mod admin;
mod capture;
pub mod layers;
pub mod listen;
mod otlp;
mod overload;
pub mod settings;
mod site;
mod telemetry;
pub mod tls;
mod upstream;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::admission::Admission;
use crate::edit::origin::Origin;
use crate::endpoint;
use crate::ranges::{self, Ranges};
use crate::repair::Mode;
use crate::repairs;
use crate::telemetry::access::Format;
use crate::telemetry::capture::files::Bounds;
use crate::telemetry::otlp::Setup;
use layers::{Layers, Value};
pub use overload::Overload;
use settings::SETTINGS;
pub use upstream::Reach;

/// Something that cannot be used as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// File and line, variable or flag.
    pub place: String,
    pub message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The path that all paths of this site begin with, without a slash at its end; empty if it has the whole host.
    pub prefix: String,
    /// Whether this site serves hosts too that no other names.
    pub is_catch_all: bool,
    /// The other sites (`[[site]]`). What is no matter of a site is the same in each.
    pub others: Vec<Config>,
    pub upstream: Origin,
    pub ca_file: Option<PathBuf>,
    /// How the upstream is reached, beside its URL.
    pub reach: Reach,
    pub preserve_host: bool,
    pub listen: listen::Listen,
    /// How TLS is spoken to clients; nothing: plain HTTP.
    pub tls: Option<tls::Tls>,
    /// Where the page of flows is, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Whether the page of flows is there, beside health and metrics.
    pub admin_page: bool,
    /// What the operator stated; the default depends on the port that `listen` gets.
    pub public: Option<Origin>,
    pub mcp_path: String,
    pub origins: Vec<Origin>,
    /// Hosts that are answered on this machine, beside the public one.
    pub hosts: Vec<String>,
    pub scopes: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    /// Who may ask; nothing: everybody.
    pub admission: Option<Admission>,
    pub modes: BTreeMap<&'static str, Mode>,
    pub show_repairs: bool,
    /// Whether the upstream is asked about itself at the start.
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
    /// What was understood, but is not as the operator may think.
    pub warnings: Vec<Complaint>,
    /// What all this was made of.
    pub layers: Layers,
}

/// Limits as they are stated: see `config/settings.rs` for each.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_peer: usize,
    pub head_bytes: usize,
    pub target_bytes: usize,
    pub request_bytes: u64,
    pub body_bytes: usize,
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub connect: Duration,
    pub first_byte: Duration,
    pub mend: Duration,
    pub learned: Duration,
    pub silence: Duration,
    pub pool_idle: Duration,
    pub pool_age: Duration,
    pub drain: Duration,
}

impl Config {
    /// Checks what was given.
    ///
    /// # Errors
    /// Every complaint, those that earlier layers have gathered included.
    pub fn check(layers: &Layers, complaints: Vec<Complaint>) -> Result<Self, Vec<Complaint>> {
        let (mut complaints, mut warnings) = (complaints, Vec::new());
        let config = site::check(layers, &mut complaints, &mut warnings);
        complaints.sort_by(|a, b| natural(&a.place).cmp(&natural(&b.place)));
        match config {
            Some(config) if complaints.is_empty() => Ok(Self { warnings, ..config }),
            _ => Err(complaints),
        }
    }
}

/// Orders `file:9` before `file:10`.
fn natural(place: &str) -> (&str, usize) {
    place.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))).unwrap_or((place, 0))
}

struct Checker<'a> {
    layers: &'a Layers,
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
    /// Whether this is about one of several sites.
    is_site: bool,
}

impl Checker<'_> {
    fn config(&mut self) -> Option<Config> {
        let upstream = self.upstream();
        let listen = self.one("listen", listen::parse);
        let admin = self.admin(listen.as_ref().and_then(listen::Listen::tcp));
        let (public, prefix) = self.public();
        let mcp_path = self.mcp_path_of_site(&prefix, upstream.as_ref().and_then(|(_, path)| path.as_deref()));
        let origins = self.many("origins", |text| {
            if text == "*" {
                return Err("`*` would let every page use the endpoints that take credentials; list the origins".into());
            }
            Origin::exactly(text).map_err(|error| format!("{error}; write it like https://claude.ai"))
        });
        let hosts = self.hosts();
        let scopes = self.many("scopes", |text| {
            let token = !text.is_empty() && text.bytes().all(|b| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~'));
            if token {
                Ok(text.to_owned())
            } else {
                Err("a scope is one word of visible ASCII (RFC 6749 section 3.3)".into())
            }
        });
        let trusted_proxies = self.many("trusted_proxies", ranges::network);
        let admission = self.admission();
        if let Some(listen) = &listen {
            self.warn_of_listen(listen, admission.as_ref(), &trusted_proxies);
        }
        let modes = self.modes();
        let threads = self.number("threads", 0..=1024);
        let (log_format, log_file) = (self.log_format(), self.log_file());
        let log_level = self.one("log.level", |text| match text {
            "error" | "warn" | "info" | "debug" | "trace" => Ok(text.to_owned()),
            _ => Err("write error, warn, info or debug".into()),
        });
        let limits = self.limits();
        let tls = self.tls();
        let overload = self.overload(limits.as_ref());
        let ca_file = self.optional("upstream.ca_file", |text| Ok(PathBuf::from(text)));
        Some(Config {
            prefix,
            is_catch_all: true,
            others: Vec::new(),
            reach: self.reach(upstream.as_ref().map(|(origin, _)| origin)),
            upstream: upstream?.0,
            ca_file,
            preserve_host: self.switch("upstream.preserve_host"),
            listen: listen?,
            tls,
            admin,
            admin_page: !self.switch("no_admin_page"),
            public,
            mcp_path: mcp_path?,
            origins,
            hosts,
            scopes,
            trusted_proxies,
            admission,
            modes,
            show_repairs: self.switch("show_repairs"),
            probe: !self.switch("no_probe"),
            threads: threads?,
            log_format: log_format?,
            log_file,
            log_level: log_level?,
            limits: limits?,
            overload: overload?,
            capture: self.capture(),
            otlp: self.otlp(),
            ranges: self.layers.ranges.clone(),
            warnings: Vec::new(),
            layers: self.layers.clone(),
        })
    }

    fn mcp_path(&mut self, in_url: Option<&str>) -> Option<String> {
        let stated = self.values("mcp_path").last().cloned();
        let check = |path: &str| endpoint::is_plain(path) && (path == "/" || !path.ends_with('/'));
        match (stated, in_url) {
            (Some(stated), Some(path)) if stated.text != path => {
                self.complain(&stated, format!("the upstream URL says the MCP endpoint is at `{path}`; state it once"))
            }
            (Some(stated), _) if !check(&stated.text) => {
                self.complain(&stated, "a path begins with `/`, has no `//`, no `%`, and no `/` at its end".into())
            }
            (Some(stated), _) => Some(stated.text),
            (None, Some(path)) if !check(path) => {
                let value = self.values("upstream.url").last().cloned()?;
                self.complain(&value, format!("`{path}` cannot be the path of the MCP endpoint"))
            }
            (None, Some(path)) => Some(path.to_owned()),
            (None, None) => default("mcp_path"),
        }
    }

    fn modes(&mut self) -> BTreeMap<&'static str, Mode> {
        let mut modes = BTreeMap::new();
        for value in self.values("repairs").to_vec() {
            let Some((id, mode)) = value.text.split_once('=') else {
                let _: Option<()> = self.complain(&value, "write ID=off, ID=observe or ID=fix".into());
                continue;
            };
            let (id, mode) = (id.trim(), mode.trim());
            if let Some((_, fate)) = repairs::RETIRED.iter().find(|(retired, _)| *retired == id) {
                self.warnings.push(Complaint { place: value.place, message: format!("`{id}` is retired: {fate}") });
                continue;
            }
            let Some(repair) = repairs::find(id) else {
                let hint = repairs::nearest(id).map_or_else(
                    || "; `mcp-mend repairs` lists them".to_owned(),
                    |near| format!("; did you mean `{near}`?"),
                );
                let _: Option<()> = self.complain(&value, format!("`{id}` is no repair{hint}"));
                continue;
            };
            match Mode::from_str(mode) {
                Ok(mode) => {
                    modes.insert(repair.id, mode);
                }
                Err(()) => {
                    let _: Option<()> =
                        self.complain(&value, format!("`{mode}` is no mode of `{id}`; write off, observe or fix"));
                }
            }
        }
        modes
    }

    fn limits(&mut self) -> Option<Limits> {
        let connections = self.number("limits.connections", 1..=1_000_000);
        let connections_per_peer = self.number("limits.connections_per_peer", 0..=1_000_000);
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

    fn values(&self, key: &str) -> &[Value] {
        self.layers.given.get(key).map_or(&[], |given| &given.values)
    }

    fn complain<T>(&mut self, value: &Value, message: String) -> Option<T> {
        self.complaints.push(Complaint { place: value.place.clone(), message });
        None
    }

    /// The last value given, or the default.
    fn one<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = match self.values(key).last() {
            Some(value) => value.clone(),
            None => Value { text: default(key)?, place: key.to_owned() },
        };
        match parse(value.text.trim()) {
            Ok(parsed) => Some(parsed),
            Err(message) => self.complain(&value, format!("`{key}` cannot be `{}`: {message}", value.text)),
        }
    }

    /// The last value given, if any was.
    fn optional<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if self.values(key).is_empty() { None } else { self.one(key, parse) }
    }

    /// All values given, or those of the default.
    fn many<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let values = match self.layers.given.get(key) {
            Some(given) => given.values.clone(),
            None => default_list(key),
        };
        values
            .iter()
            .filter_map(|value| match parse(value.text.trim()) {
                Ok(parsed) => Some(parsed),
                Err(message) => self.complain(value, format!("`{key}` cannot have `{}`: {message}", value.text)),
            })
            .collect()
    }

    fn switch(&mut self, key: &'static str) -> bool {
        let parsed = self.one(key, |text| match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("write true or false".into()),
        });
        parsed.unwrap_or_default()
    }

    fn number(&mut self, key: &'static str, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
        self.one(key, |text| match text.parse::<usize>() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(format!("write a whole number from {} to {}", range.start(), range.end())),
        })
    }

    fn seconds(&mut self, key: &'static str) -> Option<Duration> {
        self.one(key, |text| match text.parse::<f64>() {
            Ok(seconds) if (0.001..=86_400.0 * 7.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
            _ => Err("write seconds, from 0.001 to a week".into()),
        })
    }
}

/// A setting's default without the quotes that the file wants.
fn default(key: &str) -> Option<String> {
    let setting = SETTINGS.iter().find(|setting| setting.key == key)?;
    (!setting.default.is_empty()).then(|| setting.default.trim_matches('"').to_owned())
}

fn default_list(key: &str) -> Vec<Value> {
    let text = default(key).unwrap_or_default();
    text.trim_matches(['[', ']'])
        .split(',')
        .map(|part| part.trim().trim_matches('"'))
        .filter(|part| !part.is_empty())
        .map(|part| Value { text: part.to_owned(), place: key.to_owned() })
        .collect()
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let wanted = "write it like 127.0.0.1:8808, [::1]:8808, 0.0.0.0:8808 or :8808";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or(wanted)?;
    let port = port.parse().map_err(|_| wanted)?;
    match host {
        "" => Ok(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port)),
        "localhost" => Ok(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)),
        _ => Err(wanted.into()),
    }
}

#[cfg(test)]
mod tests;
