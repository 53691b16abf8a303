//! The sites that are served, and which of them a request is for. A reload makes another table; who has begun with one
//! ends with it.

use std::sync::Arc;

use crate::endpoint;
use crate::endpoint::canonical::{is_at, is_below, readings};
use crate::hosts::bare;
use crate::runtime::Runtime;
use crate::tape::SiteFacts;

/// All sites, at one moment.
pub struct Sites {
    places: Vec<Place>,
    /// The first of the configuration: what the start is told about.
    first: Arc<Runtime>,
    /// What stands in where no site is.
    no_site: Arc<Runtime>,
    recorded: Vec<Arc<SiteFacts>>,
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
    /// All sites. The one at `catch_all` (counted from the first) serves every host too that no other names; where there
    /// is none, `no_site` answers.
    #[must_use]
    pub fn new(first: Arc<Runtime>, rest: Vec<Arc<Runtime>>, catch_all: Option<usize>, no_site: Arc<Runtime>) -> Self {
        let place = |(index, runtime): (usize, Arc<Runtime>)| match catch_all {
            Some(all) if all == index => Place { host: None, prefix: String::new(), runtime },
            _ => Place {
                host: Some(runtime.facts.public.host().to_string().to_ascii_lowercase()),
                prefix: runtime.prefix.clone(),
                runtime,
            },
        };
        let recorded = std::iter::once(&first).chain(&rest).filter_map(|runtime| runtime.recorded.clone()).collect();
        let mut places: Vec<Place> = std::iter::once(first.clone()).chain(rest).enumerate().map(place).collect();
        // Who names a host comes before who names none, and a longer path before a shorter one.
        places.sort_by_key(|place| (place.host.is_none(), std::cmp::Reverse(place.prefix.len())));
        Self { places, first, no_site, recorded }
    }

    /// The site of a host (with or without a port) and a path as it came. Nothing where lenient servers could read the path
    /// as one of another site: neither of the two rules would be the right one.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Runtime>> {
        if let Some(only) = self.only() {
            return Some(only);
        }
        let host = bare(host);
        let on_host = || self.places.iter().filter(|place| place.is_on(host));
        let as_it_came = on_host().find(|place| place.holds(endpoint::site_path(path)))?;
        let is_same = |reading: &String| {
            let read = on_host().find(|place| place.may_hold(endpoint::site_path(reading)));
            read.is_some_and(|read| std::ptr::eq(read, as_it_came))
        };
        let is_sure =
            on_host().all(|place| place.prefix.is_empty()) || readings(path).is_some_and(|all| all.iter().all(is_same));
        is_sure.then_some(&as_it_came.runtime)
    }

    /// Whether a path is this site's too, for who asks on a host of its own: where a redirect leads inside.
    #[must_use]
    pub fn keeps(&self, site: &Arc<Runtime>, path: &str) -> bool {
        let Some(own) = self.places.iter().find(|place| Arc::ptr_eq(&place.runtime, site)) else { return false };
        if let Some(host) = &own.host {
            return self.find(host, path).is_some_and(|found| Arc::ptr_eq(found, site));
        }
        // It serves hosts of others as well, where these have nothing at the path.
        let others = || self.places.iter().filter(|place| place.host.is_some() && !place.prefix.is_empty());
        let is_theirs = |reading: &String| others().any(|place| place.may_hold(endpoint::site_path(reading)));
        readings(path).is_some_and(|all| !all.iter().any(is_theirs))
    }

    /// Whether some site is on this host.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        let host = bare(host);
        self.places.iter().any(|place| place.host.is_some() && place.is_on(host))
    }

    /// The only site, if it serves every host: then no host has to be looked at.
    #[must_use]
    pub fn only(&self) -> Option<&Arc<Runtime>> {
        match self.places.as_slice() {
            [place] if place.host.is_none() => Some(&place.runtime),
            _ => None,
        }
    }

    /// What stands in for a site as long as it is not known, and where there is none: the process.
    #[must_use]
    pub fn no_site(&self) -> &Arc<Runtime> {
        &self.no_site
    }

    /// The site that the configuration names first: the start shows its addresses. No request is decided by it.
    #[must_use]
    pub fn first(&self) -> &Arc<Runtime> {
        &self.first
    }

    /// What recorded exchanges say of each, in the order of the configuration.
    #[must_use]
    pub fn recorded(&self) -> Vec<Arc<SiteFacts>> {
        self.recorded.clone()
    }

    /// All of them, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Runtime>> {
        self.places.iter().map(|place| &place.runtime)
    }
}

impl Place {
    fn is_on(&self, host: &str) -> bool {
        self.host.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether a path as it came is one of the site's.
    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a lenient reading of a path is one of the site's.
    fn may_hold(&self, reading: &str) -> bool {
        let prefix = self.prefix.to_ascii_lowercase();
        prefix.is_empty() || is_at(reading, &prefix) || is_below(reading, &prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::Layers;
    use crate::config::{Config, SiteConfig};
    use crate::runtime::Common;
    use crate::telemetry::access::{AccessLog, Format};

    fn sites(file: &str) -> Sites {
        let mut layers = Layers::default();
        layers.take_file("p.toml", file, &mut Vec::new());
        let config = Config::check(&layers, Vec::new()).unwrap();
        let common = Common::new(AccessLog::start(Format::Off, std::io::sink()));
        let site = |site: &SiteConfig| {
            let public = site.public.clone().unwrap_or_else(|| site.upstream.clone());
            Arc::new(Runtime::of(&config.process, site, public, true, &common).unwrap())
        };
        let rest = config.sites.rest().iter().map(site).collect();
        let no_site = Arc::new(Runtime::of_no_site(&config.process, &common).unwrap());
        Sites::new(site(config.sites.first()), rest, config.process.catch_all, no_site)
    }

    fn found(sites: &Sites, host: &str, path: &str) -> Option<String> {
        sites.find(host, path).map(|site| site.facts.upstream.host().to_string())
    }

    const TWO_HOSTS: &str = "[[site]]\npublic_url = \"https://A.test\"\nupstream = \"http://a\"\n\
        [[site]]\npublic_url = \"https://b.test\"\nupstream = \"http://b\"\n\
        [[site]]\npublic_url = \"https://b.test/x\"\nupstream = \"http://x\"\n\
        [[site]]\npublic_url = \"https://b.test/x/y\"\nupstream = \"http://y\"\n";

    #[test]
    fn a_request_goes_to_the_site_of_its_host_and_longest_path() {
        let sites = sites(TWO_HOSTS);
        for (host, path, expected) in [
            ("a.test", "/mcp", Some("a")),
            ("A.TEST:8443", "/", Some("a")),
            ("b.test", "/mcp", Some("b")),
            ("b.test", "/x", Some("x")),
            ("b.test", "/x/mcp", Some("x")),
            ("b.test", "/xy/mcp", Some("b")),
            ("b.test", "/x/y/mcp", Some("y")),
            ("b.test", "/.well-known/oauth-protected-resource/x/mcp", Some("x")),
            ("b.test", "/.well-known/oauth-authorization-server/x/y", Some("y")),
            ("b.test", "/.well-known/oauth-protected-resource", Some("b")),
            ("b.test", "/.well-known/oauth-protected-resourceful/x", Some("b")),
            ("b.test.", "/x/mcp", Some("x")),
            ("b.test", "/x//mcp;v=1/%61", Some("x")),
            ("b.test", "/z/%61;v//", Some("b")),
            // What a server may read as a path of another site is nobody's.
            ("b.test", "//x/mcp", None),
            ("b.test", "//h/x/mcp", None),
            ("b.test", "/\\h/x/mcp", None),
            ("b.test", "/X/mcp", None),
            ("b.test", "/x/Y/mcp", None),
            ("b.test", "/x//y", None),
            ("b.test", "/x.json", None),
            ("b.test", "/x/../mcp", None),
            ("b.test", "/z/..;/x/mcp", None),
            ("b.test", "/%78/mcp", None),
            ("b.test", "/x%2fmcp", None),
            ("b.test", "/z/%2e%2e/x/%252e%252e/z", None),
            ("b.test", "//.well-known/oauth-protected-resource/x/mcp", None),
            ("b.test", "/.well-known/oauth-protected-resource/X/mcp", None),
            ("c.test", "/mcp", None),
            ("a.test.evil", "/mcp", None),
            ("", "/mcp", None),
        ] {
            assert_eq!(found(&sites, host, path).as_deref(), expected, "{host} {path}");
        }
        assert!(sites.has_host("b.test:1") && !sites.has_host("c.test"));
    }

    #[test]
    fn a_redirect_inside_stays_on_its_site() {
        let sites = sites(&format!("upstream = \"http://top\"\n{TWO_HOSTS}"));
        for (host, path, to, expected) in [
            ("a.test", "/mcp", "/x/mcp", true),
            ("b.test", "/mcp", "/mcp/", true),
            ("b.test", "/mcp", "/z", true),
            ("b.test", "/mcp", "/x/mcp", false),
            ("b.test", "/mcp", "/X/mcp", false),
            ("b.test", "/x/mcp", "/x/z", true),
            ("b.test", "/x/mcp", "/x/y/mcp", false),
            ("b.test", "/x/mcp", "/mcp", false),
            ("c.test", "/mcp", "/mcp/", true),
            ("c.test", "/mcp", "/x/y/mcp", false),
        ] {
            let site = sites.find(host, path).unwrap();
            assert_eq!(sites.keeps(site, to), expected, "{host} {path} {to}");
        }
    }

    #[test]
    fn the_top_of_the_file_serves_every_other_host() {
        let sites = sites(&format!("upstream = \"http://top\"\n{TWO_HOSTS}"));
        assert_eq!(found(&sites, "c.test", "/mcp").as_deref(), Some("top"));
        assert_eq!(found(&sites, "a.test", "/mcp").as_deref(), Some("a"));
        assert_eq!(sites.first().facts.upstream.as_str(), "http://top");
    }
}
