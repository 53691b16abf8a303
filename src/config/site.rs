//! `[[site]]`: several servers behind one proxy, each with its own facts and repairs. What a site does not say is as it is
//! at the top of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use super::layers::{Layers, SiteLayer};
use super::upstream::Trust;
use super::{Checker, Complaint, Found, ProcessConfig, Reach, Scope, default};
use crate::admission::Admission;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint;
use crate::repair::Mode;
use crate::repairs;

/// What a site never takes from the top of the file: it is what makes a site another.
const OWN: [&str; 3] = ["upstream.", "public_url", "mcp_path"];

/// The settings that a `[[site]]` may state (`settings::is_of_a_site`).
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// The path that all paths of this site begin with, without a slash at its end; empty if it has the whole host.
    pub prefix: String,
    pub upstream: Origin,
    pub ca_file: Option<PathBuf>,
    /// How the upstream is reached, beside its URL.
    pub reach: Reach,
    pub preserve_host: bool,
    /// What the operator stated; the default depends on the port that `listen` gets.
    pub public: Option<Origin>,
    pub mcp_path: String,
    pub origins: Vec<Origin>,
    pub scopes: Vec<String>,
    /// Who may ask; nothing: everybody.
    pub admission: Option<Admission>,
    pub modes: BTreeMap<&'static str, Mode>,
    pub show_repairs: bool,
}

impl SiteConfig {
    /// A site before this server, with nothing else stated.
    #[must_use]
    pub fn before(upstream: Origin) -> Self {
        Self {
            prefix: String::new(),
            upstream,
            ca_file: None,
            reach: Reach::default(),
            preserve_host: false,
            public: None,
            mcp_path: default("mcp_path").unwrap_or_default(),
            origins: Vec::new(),
            scopes: Vec::new(),
            admission: None,
            modes: BTreeMap::new(),
            show_repairs: false,
        }
    }

    /// The repairs whose stated mode is not their default.
    pub fn stated_modes(&self) -> impl Iterator<Item = (&'static str, Mode)> {
        let is_news = |id: &str, mode: Mode| repairs::find(id).is_some_and(|repair| repair.default != mode);
        self.modes.iter().map(|(id, mode)| (*id, *mode)).filter(move |(id, mode)| is_news(id, *mode))
    }
}

/// All sites in the order of the file: at least one.
#[derive(Clone, Debug)]
pub struct SiteList {
    pub(super) first: SiteConfig,
    pub(super) rest: Vec<SiteConfig>,
}

impl SiteList {
    /// The site at the top of the file, if that names an upstream; otherwise the first `[[site]]`.
    #[must_use]
    pub fn first(&self) -> &SiteConfig {
        &self.first
    }

    /// The sites after the first.
    #[must_use]
    pub fn rest(&self) -> &[SiteConfig] {
        &self.rest
    }

    pub fn iter(&self) -> impl Iterator<Item = &SiteConfig> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// Checks all sites: the top of the file, if that names an upstream or there is no `[[site]]`, and each `[[site]]`.
pub(super) fn check(layers: &Layers, process: Option<&ProcessConfig>, found: &mut Found) -> Option<SiteList> {
    let has_top = layers.sites.is_empty() || layers.names_upstream();
    let top = has_top.then(|| found.check(layers, Scope::Top, |checker| checker.site(process)));
    let mut check = |site| found.check(&of_site(layers, site), Scope::Listed, |checker| checker.site(process));
    let listed: Vec<_> = layers.sites.iter().map(&mut check).collect();
    said_twice(&layers.sites, &mut found.complaints);
    let mut all = top.into_iter().chain(listed).collect::<Option<Vec<SiteConfig>>>()?.into_iter();
    Some(SiteList { first: all.next()?, rest: all.collect() })
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

impl SiteConfig {
    /// Whom to believe behind TLS, and as whom to appear.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            ca_file: self.ca_file.clone(),
            identity: self.reach.identity.clone(),
            accepts_any: self.reach.accepts_any_certificate,
        }
    }
}

impl Checker<'_> {
    pub(super) fn site(&mut self, process: Option<&ProcessConfig>) -> Option<SiteConfig> {
        let upstream = self.upstream();
        let (public, prefix) = self.public();
        let mcp_path = self.mcp_path_of_site(&prefix, upstream.as_ref().and_then(|(_, path)| path.as_deref()));
        let origins = self.many("origins", |text| {
            if text == "*" {
                return Err("`*` would let every page use the endpoints that take credentials; list the origins".into());
            }
            Origin::exactly(text).map_err(|error| format!("{error}; write it like https://claude.ai"))
        });
        let scopes = self.many("scopes", |text| {
            let token = !text.is_empty() && text.bytes().all(|b| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~'));
            if token {
                Ok(text.to_owned())
            } else {
                Err("a scope is one word of visible ASCII (RFC 6749 section 3.3)".into())
            }
        });
        let admission = self.admission();
        if let Some(process) = process {
            self.warn_of_listen(&process.listen, admission.as_ref(), &process.trusted_proxies);
        }
        let modes = self.modes();
        let ca_file = self.optional("upstream.ca_file", |text| Ok(PathBuf::from(text)));
        Some(SiteConfig {
            prefix,
            reach: self.reach(upstream.as_ref().map(|(origin, _)| origin)),
            upstream: upstream?.0,
            ca_file,
            preserve_host: self.switch("upstream.preserve_host"),
            public,
            mcp_path: mcp_path?,
            origins,
            scopes,
            admission,
            modes,
            show_repairs: self.switch("show_repairs"),
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

    /// The origin that clients use, and the path that all paths of the site begin with.
    pub(super) fn public(&mut self) -> (Option<Origin>, String) {
        if self.scope != Scope::Listed {
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
