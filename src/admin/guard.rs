//! Who may read: programs and pages of this listener, under a name that nobody else can hold.
//!
//! A page of another site cannot read our answers without CORS, which is never granted, but it may try to get under our
//! origin by pointing a name of its own at this address (DNS rebinding). So the name that was asked for must be one
//! that no resolver hands out: a loopback name or address, or the very address that was connected to.

use std::net::IpAddr;

use http::{HeaderMap, Uri, header};

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It names another host.
    Host,
    /// It comes from a page of another site.
    Site,
}

/// Lets a request in. `is_page` says whether it is for the page itself, which a link elsewhere may lead to.
pub fn admit(uri: &Uri, headers: &HeaderMap, local: IpAddr, is_page: bool) -> Result<(), Stranger> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Stranger::Host) };
    let named = host.to_str().is_ok_and(|host| is_ours(host, local));
    // A target in absolute form wins over Host (RFC 9112 section 3.2.2): it must not name another one either.
    let aimed = uri.authority().is_none_or(|authority| is_ours(authority.as_str(), local));
    if !named || !aimed {
        return Err(Stranger::Host);
    }
    let own_origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        let host = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        host.is_some_and(|host| is_ours(host, local))
    });
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Fetch Metadata: browsers say where a request comes from; what is no browser says nothing.
    let own_site = match text("sec-fetch-site") {
        "" | "none" | "same-origin" => true,
        _ => is_page && text("sec-fetch-mode") == "navigate" && text("sec-fetch-dest") == "document",
    };
    if own_origin && own_site { Ok(()) } else { Err(Stranger::Site) }
}

/// Whether `host`, with or without a port, is a loopback name or the address that was connected to. The port does not
/// matter: it may be forwarded.
fn is_ours(host: &str, local: IpAddr) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            if port.parse::<u16>().is_err() {
                return false;
            }
            name
        }
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse().map(IpAddr::V6),
        None => name.parse().map(IpAddr::V4),
    };
    address.is_ok_and(|address| address.is_loopback() || address == local.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(target: &str, headers: &[(&'static str, &str)]) -> Result<(), Stranger> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap()));
        admit(&target.parse().unwrap(), &headers.collect(), "192.0.2.1".parse().unwrap(), target == "/")
    }

    #[test]
    fn only_names_that_nobody_can_point_here() {
        for host in
            ["127.0.0.1:8809", "127.0.0.1", "127.1.2.3:1", "LOCALHOST:80", "[::1]:8809", "[::1]", "192.0.2.1:8809"]
        {
            assert_eq!(ask("/api/state", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "evil.test:8809",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "192.0.2.2",
            "::1",
            "[::2]",
            "127.0.0.1:x",
            "127.0.0.1:",
            "user@127.0.0.1",
        ] {
            assert_eq!(ask("/api/state", &[("host", host)]), Err(Stranger::Host), "{host}");
        }
        assert_eq!(ask("/", &[]), Err(Stranger::Host));
        assert_eq!(ask("/", &[("host", "127.0.0.1"), ("host", "127.0.0.1")]), Err(Stranger::Host));
        assert_eq!(ask("http://evil.test/", &[("host", "127.0.0.1")]), Err(Stranger::Host));
        assert_eq!(ask("http://127.0.0.1:1/", &[("host", "127.0.0.1:1")]), Ok(()));
    }

    #[test]
    fn pages_of_other_sites_may_lead_here_and_no_more() {
        let host = ("host", "127.0.0.1:8809");
        for site in ["cross-site", "same-site", "anything"] {
            let site = ("sec-fetch-site", site);
            assert_eq!(ask("/api/state", &[host, site]), Err(Stranger::Site));
            assert_eq!(ask("/", &[host, site]), Err(Stranger::Site));
            let mode = ("sec-fetch-mode", "navigate");
            assert_eq!(ask("/", &[host, site, mode, ("sec-fetch-dest", "document")]), Ok(()));
            assert_eq!(ask("/", &[host, site, mode, ("sec-fetch-dest", "iframe")]), Err(Stranger::Site));
            assert_eq!(ask("/api/state", &[host, site, mode, ("sec-fetch-dest", "document")]), Err(Stranger::Site));
        }
        assert_eq!(ask("/api/state", &[host, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(ask("/api/state", &[host, ("origin", "http://127.0.0.1:8809")]), Ok(()));
        for origin in ["http://evil.test", "null", "https://127.0.0.1"] {
            assert_eq!(ask("/api/state", &[host, ("origin", origin)]), Err(Stranger::Site));
        }
    }
}
