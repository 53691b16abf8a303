//! Rules for what stands before the MCP server: they let the hosted clients in, by address, to the paths that a login
//! and messages need. One file a kind of firewall; each is a pure function of what is wanted.

mod aws;
mod cloudflare;
mod haproxy;
mod nftables;
mod nginx;
mod ufw;

use std::fmt::Write as _;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::config::settings::wrap;
use crate::endpoint::{self, Endpoints};
use crate::ranges::Vendor;

/// A kind of firewall.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// What it is, for the help.
    pub about: &'static str,
    /// Whether it sees HTTP, and so paths and user agents; else addresses and ports alone.
    pub sees_http: bool,
    /// The rules as text, ready to be used.
    text: fn(&Wanted) -> String,
    /// The rules as its API takes them, if it has one.
    rules: fn(&Wanted) -> Option<Value>,
}

pub const TARGETS: [&Target; 6] =
    [&cloudflare::TARGET, &aws::TARGET, &nginx::TARGET, &haproxy::TARGET, &ufw::TARGET, &nftables::TARGET];

/// The kind of firewall with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// Who is to be let in, and where to.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub vendors: Vec<Vendor>,
    pub paths: Vec<String>,
    /// Whether the user agent has to fit as well.
    pub agents: bool,
}

impl Wanted {
    /// The clients of these vendors, to all that a login and messages need.
    #[must_use]
    pub fn new(vendors: Vec<Vendor>, mcp_path: &str, further: &[String], agents: bool) -> Self {
        let mut paths = endpoint::places_of_a_login(mcp_path, &Endpoints::default());
        for path in further {
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        Self { vendors, paths, agents }
    }

    /// Every network with its vendor, each once.
    fn networks(&self) -> Vec<(IpNet, &Vendor)> {
        let mut all: Vec<(IpNet, &Vendor)> = Vec::new();
        for vendor in &self.vendors {
            for network in &vendor.egress {
                if !all.iter().any(|(have, _)| have == network) {
                    all.push((*network, vendor));
                }
            }
        }
        all
    }

    fn v4(&self) -> Vec<String> {
        self.networks().iter().filter(|(net, _)| net.addr().is_ipv4()).map(|(net, _)| net.to_string()).collect()
    }

    fn v6(&self) -> Vec<String> {
        self.networks().iter().filter(|(net, _)| net.addr().is_ipv6()).map(|(net, _)| net.to_string()).collect()
    }

    /// What user agents must contain; none if they do not matter.
    fn agents(&self) -> Vec<&str> {
        let all = self.vendors.iter().filter(|_| self.agents).filter(|vendor| !vendor.is_unknown());
        all.flat_map(|vendor| vendor.agents.iter().map(String::as_str)).collect()
    }

    /// When the addresses were true: the oldest date among them.
    fn date(&self) -> String {
        let known = self.vendors.iter().filter(|vendor| !vendor.is_unknown());
        known.map(|vendor| vendor.date).min().map(|date| date.to_string()).unwrap_or_default()
    }
}

/// The rules as text: what to know first, as comments, then the rules.
#[must_use]
pub fn text(target: &Target, wanted: &Wanted) -> String {
    let mut out = String::new();
    for note in notes(target, wanted) {
        comment(&mut out, &note);
        out.push_str("#\n");
    }
    out.push_str(&(target.text)(wanted));
    out
}

/// The same as JSON.
#[must_use]
pub fn json(target: &Target, wanted: &Wanted) -> Value {
    let strings = |list: &[IpNet]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let vendors: Vec<Value> = wanted
        .vendors
        .iter()
        .map(|vendor| {
            json!({
                "vendor": vendor.name, "date": vendor.date.to_string(), "source": vendor.source, "note": vendor.note.trim(),
                "egress": strings(&vendor.egress), "removed": strings(&vendor.removed), "agents": vendor.agents,
            })
        })
        .collect();
    json!({
        "target": target.name,
        "vendors": vendors,
        "paths": if target.sees_http { wanted.paths.clone() } else { Vec::new() },
        "notes": notes(target, wanted),
        "rules": (target.rules)(wanted).unwrap_or_else(|| (target.text)(wanted).into()),
    })
}

/// What an operator has to know, a paragraph each.
fn notes(target: &Target, wanted: &Wanted) -> Vec<String> {
    let mut notes = vec![format!("mcp-mend waf {}: lets the hosted MCP clients in.", target.name)];
    for vendor in &wanted.vendors {
        let Vendor { name, date, source, .. } = vendor;
        let mut note = if vendor.is_unknown() {
            format!("{name}: NOT in these rules, no addresses are known: get {source} and pass it with --ranges FILE.")
        } else {
            let networks = count(vendor.egress.len());
            format!("{name}: {networks} as of {date}, from {source} (--ranges FILE takes a newer list).")
        };
        if !vendor.note.trim().is_empty() {
            let _ = write!(note, " {}", vendor.note.trim());
        }
        notes.push(note);
        if !vendor.removed.is_empty() {
            let removed: Vec<String> = vendor.removed.iter().map(plain).collect();
            notes.push(format!(
                "Take these out wherever they were let in; they are {}'s no longer: {}.",
                vendor.name,
                removed.join(", ")
            ));
        }
    }
    notes.push(
        "Both have to admit these clients: the host of the MCP server and that of the authorization server. A login \
         fails where either refuses. The user's browser comes to the authorization page from the user's own address: \
         leave that open to everybody."
            .into(),
    );
    notes.push(agents_note(target, wanted));
    if !target.sees_http {
        notes.push(format!(
            "{} sees addresses and ports, not paths: these clients may reach all of port 443.",
            target.name
        ));
    }
    notes
}

fn agents_note(target: &Target, wanted: &Wanted) -> String {
    let agents = wanted.agents();
    if target.sees_http && !agents.is_empty() {
        return format!(
            "The user agent has to contain one of: {}. Anybody can send these, so they count only together with the \
             addresses. They change without notice, and what comes with another one (the check when a connector is \
             saved comes as Ruby) stays out: without --user-agent the addresses alone decide.",
            agents.join(", ")
        );
    }
    "No rule by user agent alone: anybody can send one. A rule that looks for Claude in it also misses most of these \
     clients' requests, which come as python-httpx."
        .into()
}

fn count(networks: usize) -> String {
    if networks == 1 { "1 network".into() } else { format!("{networks} networks") }
}

/// A network, or the address if it is only one.
fn plain(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// Writes a paragraph as comment lines of at most 80 characters.
fn comment(out: &mut String, text: &str) {
    for line in wrap(text, 78) {
        let _ = writeln!(out, "# {line}");
    }
}

#[cfg(test)]
mod tests;
