//! Which hosts a proxy on this machine answers to. A page may point a name of its own at a loopback address and would then
//! be of the same origin as the proxy (DNS rebinding); the name that it asks for gives it away.

use std::net::{IpAddr, SocketAddr};

use url::Host;

use crate::edit::origin::Origin;

/// The hosts that are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Nothing: every host.
    known: Option<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// Where connections are accepted.
    listen: IpAddr,
    /// In lower case, without port.
    names: Vec<String>,
}

impl Hosts {
    /// The hosts of a site that clients use at `public`, and those that the operator lists. All of them unless the address
    /// that is listened on or the public one is a loopback address: elsewhere a page gains nothing by a name of its own.
    #[must_use]
    pub fn of(listen: SocketAddr, public: &Origin, listed: &[String]) -> Self {
        if !(listen.ip().to_canonical().is_loopback() || public.is_loopback()) {
            return Self::default();
        }
        let public = public.host().to_string();
        let names = std::iter::once(&public).chain(listed).map(|name| name.to_ascii_lowercase()).collect();
        Self { known: Some(Known { listen: listen.ip().to_canonical(), names }) }
    }

    /// Whether some hosts are not answered.
    #[must_use]
    pub fn are_checked(&self) -> bool {
        self.known.is_some()
    }

    /// Whether a Host (with or without a port, which may be forwarded) is answered.
    #[must_use]
    pub fn answers_to(&self, host: &str) -> bool {
        let Some(known) = &self.known else { return true };
        let name = bare(host).to_ascii_lowercase();
        if known.names.contains(&name) {
            return true;
        }
        match Host::parse(&name) {
            Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Ok(Host::Ipv4(address)) => known.is_address(address.into()),
            Ok(Host::Ipv6(address)) => known.is_address(address.into()),
            Err(_) => false,
        }
    }
}

impl Known {
    /// Whether this is an address of ours. Where all addresses of the machine are listened on, any may be; a page that was
    /// loaded from an address cannot be pointed elsewhere.
    fn is_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || address == self.listen || self.listen.is_unspecified()
    }
}

/// A host without its port and the dot of the root; the brackets of an IPv6 address stay (RFC 3986 section 3.2.2).
#[must_use]
pub fn bare(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listen: &str, public: &str) -> Hosts {
        let listed = ["Tunnel.example".to_owned(), "mcp-mend".to_owned()];
        Hosts::of(listen.parse().unwrap(), &Origin::of(public).unwrap(), &listed)
    }

    #[test]
    fn on_loopback_only_names_that_nobody_else_can_hold_or_that_are_listed() {
        for (listen, public) in [
            ("127.0.0.1:8808", "http://127.0.0.1:8808"),
            ("127.0.0.1:8808", "https://mcp.example.com"),
            ("0.0.0.0:8808", "http://localhost:8808"),
            ("[::1]:8808", "http://[::1]:8808"),
        ] {
            let hosts = hosts(listen, public);
            let own = Origin::of(public).unwrap();
            for host in [
                own.authority(),
                "localhost",
                "LOCALHOST:1",
                "a.localhost",
                "localhost.",
                "127.0.0.1:9",
                "127.9.9.9",
                "[::1]:8808",
                "tunnel.example",
                "TUNNEL.example.:443",
                "mcp-mend:8808",
            ] {
                assert!(hosts.answers_to(host), "{listen} {public} {host}");
            }
            for host in [
                "evil.test",
                "evil.test:8808",
                "localhost.evil.test",
                "127.0.0.1.evil.test",
                "localhost@evil.test",
                "",
                "x",
            ] {
                assert!(!hosts.answers_to(host), "{listen} {public} {host}");
            }
        }
        assert!(!hosts("127.0.0.1:1", "http://localhost").answers_to("192.0.2.7"));
        assert!(hosts("0.0.0.0:1", "http://localhost").answers_to("192.0.2.7:1"));
    }

    #[test]
    fn elsewhere_every_host_is_answered() {
        let hosts = hosts("0.0.0.0:8808", "https://mcp.example.com");
        assert!(hosts.answers_to("evil.test") && hosts.answers_to(""));
    }
}
