//! Configuration: as written -> checked. Every error is reported at once, with its place and what to write instead.

mod access;
mod address;
mod admin;
pub mod budget;
mod capture;
pub mod layers;
mod limits;
pub mod listen;
mod otlp;
pub mod overload;
mod process;
pub mod settings;
mod site;
mod telemetry;
pub mod tls;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use address::Address;
pub use capture::Bounds;
use layers::{Given, Layers, Value};
pub use limits::Limits;
pub use otlp::Setup;
pub use overload::Overload;
pub use process::ProcessConfig;
use settings::SETTINGS;
pub use site::{SiteConfig, SiteList};
pub use telemetry::Format;
pub use upstream::{Health, Http2, Reach, Trust};

pub use crate::complaint::Complaint;

/// The checked configuration: what the process is told once, and what each site is told.
#[derive(Clone, Debug)]
pub struct Config {
    pub process: ProcessConfig,
    pub sites: SiteList,
    /// What was understood, but is not as the operator may think.
    pub warnings: Vec<Complaint>,
    /// What all this was made of.
    pub layers: Layers,
}

impl Config {
    /// Checks what was given.
    ///
    /// # Errors
    /// Every complaint, those that earlier layers have gathered included.
    pub fn check(layers: &Layers, complaints: Vec<Complaint>) -> Result<Self, Vec<Complaint>> {
        let mut found = Found { complaints, warnings: Vec::new() };
        let process = found.check(layers, Scope::Process, |checker| checker.process());
        let sites = site::check(layers, process.as_ref(), &mut found);
        let Found { mut complaints, warnings } = found;
        complaints.sort_by(|a, b| natural(&a.place).cmp(&natural(&b.place)));
        match (process, sites) {
            (Some(process), Some(sites)) if complaints.is_empty() => {
                Ok(Self { process, sites, warnings, layers: layers.clone() })
            }
            _ => Err(complaints),
        }
    }
}

/// What was found wrong or odd so far, over all parts of the configuration.
struct Found {
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
}

impl Found {
    /// Checks one part. A finding that several parts share is kept once.
    fn check<T>(
        &mut self,
        layers: &Layers,
        scope: Scope,
        check: impl FnOnce(&mut Checker<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut checker = Checker::new(layers, scope);
        let checked = check(&mut checker);
        for (all, some) in [(&mut self.complaints, checker.complaints), (&mut self.warnings, checker.warnings)] {
            for one in some {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        checked
    }
}

/// Orders `file:9` before `file:10`.
fn natural(place: &str) -> (&str, usize) {
    place.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))).unwrap_or((place, 0))
}

/// Which settings a check may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Those that are the same for all sites.
    Process,
    /// Those of a site, as the top of the file states them.
    Top,
    /// Those of a site, as a `[[site]]` states them.
    Listed,
}

struct Checker<'a> {
    layers: &'a Layers,
    complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
    scope: Scope,
}

impl<'a> Checker<'a> {
    fn new(layers: &'a Layers, scope: Scope) -> Self {
        Self { layers, complaints: Vec::new(), warnings: Vec::new(), scope }
    }
}

impl Checker<'_> {
    /// What was given, if anything was. A check of a site reads settings of sites alone, and that of the process all others.
    fn given(&self, key: &str) -> Option<&Given> {
        debug_assert_eq!(
            settings::is_of_a_site(key),
            self.scope != Scope::Process,
            "`{key}` is read by the wrong check"
        );
        self.layers.given.get(key)
    }

    fn values(&self, key: &str) -> &[Value] {
        self.given(key).map_or(&[], |given| &given.values)
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
        let values = match self.given(key) {
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
