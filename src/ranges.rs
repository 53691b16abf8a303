//! Where hosted clients come from: address ranges as data with a date and a source, shipped and replaced by the
//! operator's own files. Nothing is ever fetched, and no number is scraped from a page.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::complaint::Complaint;

/// The shipped files, one a vendor.
const SHIPPED: &[(&str, &str)] =
    &[("anthropic.toml", include_str!("ranges/anthropic.toml")), ("openai.toml", include_str!("ranges/openai.toml"))];

/// The vendor whose own form of a list is read too.
const OPENAI: &str = "openai";

const KEYS: &str = "vendor, date, source, note, egress, inbound, removed and agents";

/// What is known of one vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    pub name: String,
    /// The day on which the source said so.
    pub date: Date,
    /// Where the vendor says it, or where the list is to be had.
    pub source: String,
    pub note: String,
    /// What its clients ask from.
    pub egress: Vec<IpNet>,
    /// What it is asked at: no client comes from there.
    pub inbound: Vec<IpNet>,
    /// What was its egress once and has to be taken out.
    pub removed: Vec<IpNet>,
    /// What its clients' user agents contain.
    pub agents: Vec<String>,
}

impl Vendor {
    /// Whether its list has to be fetched by the operator.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.egress.is_empty()
    }
}

/// What is known of all vendors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    vendors: Vec<Vendor>,
}

impl Default for Ranges {
    /// What is shipped. That it can be read is proved by a test.
    fn default() -> Self {
        let mut ranges = Self { vendors: Vec::new() };
        for (name, text) in SHIPPED {
            ranges.take(name, text, &mut Vec::new());
        }
        ranges
    }
}

impl Ranges {
    #[must_use]
    pub fn vendors(&self) -> &[Vendor] {
        &self.vendors
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Vendor> {
        self.vendors.iter().find(|vendor| vendor.name == name)
    }

    /// The vendors' names, for a message.
    #[must_use]
    pub fn names(&self) -> String {
        self.vendors.iter().map(|vendor| vendor.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Takes in a file, in place of what was known of its vendor, if all of it can be used.
    pub fn take(&mut self, file: &str, text: &str, complaints: &mut Vec<Complaint>) {
        let mut reader = Reader { file, text, complaints: Vec::new() };
        let read =
            if text.trim_start().starts_with('{') { reader.published(self.find(OPENAI)) } else { reader.own_form() };
        match read {
            Some(vendor) if reader.complaints.is_empty() => {
                match self.vendors.iter_mut().find(|have| have.name == vendor.name) {
                    Some(have) => *have = vendor,
                    None => self.vendors.push(vendor),
                }
            }
            _ => complaints.append(&mut reader.complaints),
        }
    }
}

/// A network, an IPv4 one that is written as IPv6 included (RFC 4291 section 2.5.5.2), without the bits beyond its
/// length; or an address alone.
///
/// # Errors
/// What to write instead.
pub fn network(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "write an address or a network, such as 10.0.0.0/8".to_owned())?;
    let network = network.trunc();
    let mapped = match network {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let mapped = mapped.and_then(|(v4, length)| Ipv4Net::new(v4, length).ok());
    Ok(mapped.map_or(network, IpNet::V4))
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    complaints: Vec<Complaint>,
}

impl<'a> Reader<'a> {
    fn complain(&mut self, at: usize, message: String) {
        let line = self.text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        self.complaints.push(Complaint { place: format!("{}:{line}", self.file), message });
    }

    /// The form of the shipped files.
    fn own_form(&mut self) -> Option<Vendor> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.complain(error.span().map_or(0, |span| span.start), error.message().to_owned());
        }
        let mut found = Found::default();
        for (key, value) in table.get_ref() {
            self.member(key.get_ref(), key.span().start, value, &mut found);
        }
        for (key, is_there) in [
            ("vendor = \"acme\"", found.name.is_some()),
            ("date = \"2026-11-24\"", found.date.is_some()),
            ("source = \"https://...\"", found.source.is_some()),
            ("egress = [\"192.0.2.0/24\"]", found.has_egress),
        ] {
            let name = key.split(' ').next().unwrap_or_default();
            let is_complained_of = self.complaints.iter().any(|one| one.message.starts_with(&format!("`{name}`")));
            if !is_there && !is_complained_of {
                self.complain(self.text.len(), format!("`{name}` is missing: write {key}"));
            }
        }
        for (network, at) in &found.egress {
            if let Some((removed, _)) = found.removed.iter().find(|(removed, _)| overlap(*removed, *network)) {
                self.complain(*at, format!("`{network}` overlaps `{removed}` of `removed`; take one of them out"));
            }
        }
        let networks = |list: Vec<(IpNet, usize)>| list.into_iter().map(|(network, _)| network).collect();
        Some(Vendor {
            name: found.name?,
            date: found.date?,
            source: found.source?,
            note: found.note,
            egress: networks(found.egress),
            inbound: networks(found.inbound),
            removed: networks(found.removed),
            agents: found.agents,
        })
    }

    fn member(&mut self, key: &str, at: usize, value: &Spanned<DeValue<'_>>, found: &mut Found) {
        match key {
            "vendor" => found.name = self.string(key, value, is_name, "a word such as \"acme\""),
            "source" => found.source = self.string(key, value, is_source, "the list's address, \"https://...\""),
            "note" => found.note = self.string(key, value, |_| true, "a string").unwrap_or_default(),
            "date" => {
                let date = self.string(key, value, |text| text.parse::<Date>().is_ok(), "a day, \"2026-11-24\"");
                found.date = date.and_then(|text| text.parse().ok());
            }
            "egress" => {
                found.has_egress = true;
                found.egress = self.networks(key, value);
            }
            "inbound" => found.inbound = self.networks(key, value),
            "removed" => found.removed = self.networks(key, value),
            "agents" => {
                for (agent, at) in self.strings(key, value) {
                    if is_agent(&agent) {
                        found.agents.push(agent);
                    } else {
                        let wanted = "write part of a user agent: letters, digits, `.`, `_`, `/` and `-`";
                        self.complain(at, format!("`agents` cannot have `{agent}`: {wanted}"));
                    }
                }
            }
            _ => self.complain(at, format!("`{key}` is not known here: a file has {KEYS}")),
        }
    }

    fn string(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        is_good: impl Fn(&str) -> bool,
        wanted: &str,
    ) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if is_good(text) => return Some(text.to_string()),
            _ => self.complain(value.span().start, format!("`{key}` must be {wanted}")),
        }
        None
    }

    fn strings(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Vec<(String, usize)> {
        let DeValue::Array(list) = value.get_ref() else {
            self.complain(value.span().start, format!("`{key}` must be a list of strings, such as [\"...\"]"));
            return Vec::new();
        };
        let mut strings = Vec::new();
        for member in list {
            match member.get_ref() {
                DeValue::String(text) => strings.push((text.to_string(), member.span().start)),
                _ => self.complain(member.span().start, format!("`{key}` holds strings, such as \"...\"")),
            }
        }
        strings
    }

    fn networks(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Vec<(IpNet, usize)> {
        let strings = self.strings(key, value);
        strings.into_iter().filter_map(|(text, at)| self.network(key, &text, at).map(|network| (network, at))).collect()
    }

    fn network(&mut self, key: &str, text: &str, at: usize) -> Option<IpNet> {
        let network = network(text).and_then(|network| {
            if is_too_wide(network) {
                Err("no vendor has that much; write its own networks".into())
            } else {
                Ok(network)
            }
        });
        match network {
            Ok(network) => return Some(network),
            Err(wanted) => self.complain(at, format!("`{key}` cannot have `{text}`: {wanted}")),
        }
        None
    }

    /// The form in which OpenAI publishes its list. What is shipped says the rest.
    fn published(&mut self, shipped: Option<&Vendor>) -> Option<Vendor> {
        let wanted = "write {\"creationTime\": \"2026-11-24T...\", \"prefixes\": [{\"ipv4Prefix\": \"192.0.2.0/28\"}]}";
        let list: Published<'a> = match serde_json::from_str(self.text) {
            Ok(list) => list,
            Err(error) => {
                let place = format!("{}:{}", self.file, error.line().max(1));
                self.complaints.push(Complaint { place, message: format!("{error}; {wanted}") });
                return None;
            }
        };
        let date = list.creation_time.get(..10).and_then(|day| day.parse::<Date>().ok());
        if date.is_none() {
            let at = self.text.find("creationTime").unwrap_or_default();
            self.complain(at, format!("`creationTime` cannot be `{}`: write a time", list.creation_time));
        }
        let mut egress = Vec::new();
        for raw in &list.prefixes {
            let at = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
            let prefix = serde_json::from_str::<Prefix>(raw.get()).ok();
            match prefix.map(|prefix| (prefix.v4, prefix.v6)) {
                Some((Some(text), None)) => egress.extend(self.network("ipv4Prefix", &text, at)),
                Some((None, Some(text))) => egress.extend(self.network("ipv6Prefix", &text, at)),
                _ => self.complain(at, "a prefix has an `ipv4Prefix` or an `ipv6Prefix`, a string".into()),
            }
        }
        if egress.is_empty() && self.complaints.is_empty() {
            self.complain(0, format!("the list is empty; {wanted}"));
        }
        let shipped = shipped?.clone();
        Some(Vendor { date: date?, note: String::new(), egress, removed: Vec::new(), ..shipped })
    }
}

/// What a file said so far, and where.
#[derive(Default)]
struct Found {
    name: Option<String>,
    date: Option<Date>,
    source: Option<String>,
    note: String,
    has_egress: bool,
    egress: Vec<(IpNet, usize)>,
    inbound: Vec<(IpNet, usize)>,
    removed: Vec<(IpNet, usize)>,
    agents: Vec<String>,
}

#[derive(Deserialize)]
struct Published<'a> {
    #[serde(rename = "creationTime")]
    creation_time: String,
    #[serde(borrow)]
    prefixes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Prefix {
    #[serde(rename = "ipv4Prefix")]
    v4: Option<String>,
    #[serde(rename = "ipv6Prefix")]
    v6: Option<String>,
}

/// What is said of a vendor ends up in rules of other programs: nothing in it may have a meaning there.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_source(text: &str) -> bool {
    text.starts_with("https://") && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_agent(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b))
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// `0.0.0.0/0` in a list would open the door to all.
fn is_too_wide(network: IpNet) -> bool {
    match network {
        IpNet::V4(v4) => v4.prefix_len() < 8 || v4.addr() == Ipv4Addr::UNSPECIFIED,
        IpNet::V6(v6) => v6.prefix_len() < 16,
    }
}

#[cfg(test)]
mod tests;
