//! `[[site]]`: several servers behind one proxy, each with its own facts and repairs. What a site does not say is as it is
//! at the top of the file.

use std::collections::BTreeSet;

use super::layers::{Layers, SiteLayer};
use super::{Checker, Complaint, Config, Origin};
use crate::edit::origin::after_origin;
use crate::endpoint;

/// What a site never takes from the top of the file: it is what makes a site another.
const OWN: [&str; 3] = ["upstream.", "public_url", "mcp_path"];

/// Checks all sites. The first one is the top of the file if that names an upstream, and serves every other host then.
pub(super) fn check(layers: &Layers, complaints: &mut Vec<Complaint>, warnings: &mut Vec<Complaint>) -> Option<Config> {
    let mut one = |layers: &Layers, is_site: bool| {
        let mut checker = Checker { layers, complaints: Vec::new(), warnings: Vec::new(), is_site };
        let config = checker.config();
        // What is common to all is said once.
        for (all, some) in [(&mut *complaints, checker.complaints), (&mut *warnings, checker.warnings)] {
            for one in some {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        config
    };
    if layers.sites.is_empty() {
        return one(layers, false);
    }
    let has_top = layers.given.contains_key("upstream.url");
    let top = if has_top { Some(one(layers, false)) } else { None };
    let sites: Vec<_> = layers.sites.iter().map(|site| one(&of_site(layers, site), true)).collect();
    said_twice(&layers.sites, complaints);
    let mut all = top.into_iter().chain(sites).collect::<Option<Vec<Config>>>()?.into_iter();
    let first = all.next()?;
    Some(Config { is_catch_all: has_top, others: all.collect(), layers: layers.clone(), ..first })
}

/// The settings of one site.
fn of_site(layers: &Layers, site: &SiteLayer) -> Layers {
    let mut own = Layers { sites: Vec::new(), ..layers.clone() };
    own.given.retain(|key, _| !OWN.iter().any(|prefix| key.starts_with(prefix)));
    own.place.clone_from(&site.place);
    for (key, given) in &site.given {
        if *key == "repairs" {
            own.given.entry(key).or_default().values.extend(given.values.clone());
        } else {
            own.given.insert(key, given.clone());
        }
    }
    own
}

fn said_twice(sites: &[SiteLayer], complaints: &mut Vec<Complaint>) {
    let mut seen = BTreeSet::new();
    for site in sites {
        let stated = site.given.get("public_url").and_then(|given| given.values.last());
        let Some((origin, prefix)) = stated.and_then(|value| public_url(&value.text).ok()) else { continue };
        let place = format!("{}{prefix}", origin.host());
        if !seen.insert(place.clone()) {
            let message = format!("another site is at `{place}` already; give each a host or a path of its own");
            complaints.push(Complaint { place: site.place.clone(), message });
        }
    }
}

/// Origin and path of a site; the path without a slash at its end.
fn public_url(text: &str) -> Result<(Origin, String), String> {
    let wanted = "write it like https://mcp.example.com or https://mcp.example.com/tasks";
    let origin = Origin::of(text).map_err(|error| format!("{error}; {wanted}"))?;
    let path = after_origin(text).unwrap_or_default();
    let prefix = path.trim_end_matches('/');
    if text.contains(['@', '?', '#']) || !(prefix.is_empty() || endpoint::is_plain(prefix)) {
        return Err(wanted.into());
    }
    Ok((origin, prefix.to_owned()))
}

impl Checker<'_> {
    /// The origin that clients use, and the path that all paths of the site begin with.
    pub(super) fn public(&mut self) -> (Option<Origin>, String) {
        if !self.is_site {
            let public = self.optional("public_url", |text| {
                Origin::exactly(text).map_err(|error| format!("{error}; write it like https://mcp.example.com"))
            });
            return (public, String::new());
        }
        if self.values("public_url").is_empty() {
            let message = "a site needs a public_url: by its host, and its path if it has one, requests find it".into();
            self.complaints.push(Complaint { place: self.layers.place.clone(), message });
            return (None, String::new());
        }
        let parsed = self.optional("public_url", public_url);
        parsed.map_or((None, String::new()), |(origin, prefix)| (Some(origin), prefix))
    }

    /// The endpoint of a site is among its paths; without a word about it, it is `/mcp` there.
    pub(super) fn mcp_path_of_site(&mut self, prefix: &str, in_url: Option<&str>) -> Option<String> {
        if prefix.is_empty() {
            return self.mcp_path(in_url);
        }
        if in_url.is_none() && self.values("mcp_path").is_empty() {
            return Some(format!("{prefix}/mcp"));
        }
        let path = self.mcp_path(in_url)?;
        if path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/')) {
            return Some(path);
        }
        let key = if self.values("mcp_path").is_empty() { "upstream.url" } else { "mcp_path" };
        let value = self.values(key).last().cloned()?;
        let message = format!(
            "`{path}` is not below `{prefix}`, the path of public_url: paths go to the server as they come; give the site a \
             host of its own, or let the server serve `{prefix}/mcp`"
        );
        self.complain(&value, message)
    }
}
