//! The sites that are served, and which of them a request is for. A reload makes another table; who has begun with one
//! ends with it.

use std::sync::Arc;

use crate::endpoint;
use crate::runtime::Runtime;

/// All sites, at one moment.
pub struct Sites {
    places: Vec<Place>,
    /// The one that answers what is for nobody.
    first: Arc<Runtime>,
}

/// Where a site is.
struct Place {
    /// The host that clients use, in lower case; `None`: every host.
    host: Option<String>,
    /// The path that all of its paths begin with, without a slash at its end.
    prefix: String,
    runtime: Arc<Runtime>,
}

impl Sites {
    /// One site, for every host and path.
    #[must_use]
    pub fn one(runtime: Arc<Runtime>) -> Self {
        Self { places: vec![Place { host: None, prefix: String::new(), runtime: runtime.clone() }], first: runtime }
    }

    /// Several sites. The first serves every host too that no other names, if `is_catch_all`.
    #[must_use]
    pub fn new(first: Arc<Runtime>, is_catch_all: bool, others: Vec<Arc<Runtime>>) -> Self {
        let named = |runtime: Arc<Runtime>| Place {
            host: Some(runtime.facts.public.host().to_string().to_ascii_lowercase()),
            prefix: runtime.prefix.clone(),
            runtime,
        };
        let mut places: Vec<Place> = others.into_iter().map(named).collect();
        if is_catch_all {
            places.push(Place { host: None, prefix: String::new(), runtime: first.clone() });
        } else {
            places.push(named(first.clone()));
        }
        // Who names a host comes before who names none, and a longer path before a shorter one.
        places.sort_by_key(|place| (place.host.is_none(), std::cmp::Reverse(place.prefix.len())));
        Self { places, first }
    }

    /// The site of a host (with or without a port) and a path as it came.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Runtime>> {
        if let [place] = self.places.as_slice()
            && place.host.is_none()
        {
            return Some(&place.runtime);
        }
        let host = without_port(host);
        let path = endpoint::site_path(path);
        let place = self
            .places
            .iter()
            .find(|place| place.host.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(host)) && place.holds(path));
        place.map(|place| &place.runtime)
    }

    /// Whether some site is on this host.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        let host = without_port(host);
        self.places.iter().any(|place| place.host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host)))
    }

    /// Whether a host has to be looked at in order to find a site.
    #[must_use]
    pub fn is_one(&self) -> bool {
        matches!(self.places.as_slice(), [place] if place.host.is_none())
    }

    /// The site that speaks for the proxy where no site is asked for.
    #[must_use]
    pub fn first(&self) -> &Arc<Runtime> {
        &self.first
    }

    /// All of them, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Runtime>> {
        self.places.iter().map(|place| &place.runtime)
    }
}

impl Place {
    fn holds(&self, path: &str) -> bool {
        // A path that two servers may read in two ways belongs to whoever has all paths of the host.
        self.prefix.is_empty()
            || (endpoint::is_plain(path)
                && path.strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

/// A host without its port; the brackets of an IPv6 address stay (RFC 3986 section 3.2.2).
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
