//! An address of the upstream as it is written: a name or an IP address with a port, or a Unix socket.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use url::Host;

use crate::edit::origin::Origin;

/// Before the path of a Unix socket.
const UNIX: &str = "unix:";

/// Where connections go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A name, looked up for each connection, and a port.
    Name(String, u16),
    Ip(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// Where the URL of an upstream leads.
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        let port = origin.port();
        match origin.host() {
            Host::Domain(name) => Self::Name(name.clone(), port),
            Host::Ipv4(address) => Self::Ip(SocketAddr::new((*address).into(), port)),
            Host::Ipv6(address) => Self::Ip(SocketAddr::new((*address).into(), port)),
        }
    }

    /// The Unix socket that a text names; `None` if it names none.
    ///
    /// # Errors
    /// What to write instead.
    pub fn unix(text: &str) -> Option<Result<Self, String>> {
        let path = text.strip_prefix(UNIX)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(match path {
            _ if !cfg!(unix) => Err("this system has no Unix sockets; write host and port".into()),
            path if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') => {
                Ok(Self::Unix(PathBuf::from(path)))
            }
            _ => Err("write the whole path of the socket, as in unix:/run/mcp.sock".into()),
        })
    }

    /// Reads `10.0.0.1:3000`, `[::1]:3000`, `name:3000` or `unix:/run/mcp.sock`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(unix) = Self::unix(text) {
            return unix;
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() == 0 { Err("port 0 is none".into()) } else { Ok(Self::Ip(address)) };
        }
        if text.parse::<Ipv6Addr>().is_ok() || text.parse::<IpAddr>().is_ok() {
            return Err("the port is missing; write it like 10.0.0.1:3000 or [fd00::1]:3000".into());
        }
        let wanted = "write it like 10.0.0.1:3000, [fd00::1]:3000, mcp.internal:3000 or unix:/run/mcp.sock";
        let (name, port) = text.rsplit_once(':').ok_or(wanted)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(wanted)?;
        match Host::parse(name) {
            Ok(Host::Domain(name)) if !name.contains('_') || name.is_ascii() => Ok(Self::Name(name, port)),
            _ => Err(wanted.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for text in ["10.0.0.1:3000", "[fd00::1]:3000", "tasks.mcp:3000", "my_service:80", "unix:/run/x.sock"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("unix:///run/x").unwrap(), Address::Unix("/run/x".into()));
        assert_eq!(Address::parse("LocalHost:1").unwrap(), Address::Name("localhost".into(), 1));
    }

    #[test]
    fn what_is_no_address_says_what_is() {
        for text in [
            "",
            "name",
            "name:",
            "name:0",
            "10.0.0.1",
            "fd00::1",
            "10.0.0.1:0",
            "unix:run/x",
            "unix:/run/",
            "http://a:1",
            "a b:1",
        ] {
            let said = Address::parse(text).unwrap_err();
            assert!(said.contains("write") || said.contains("port 0"), "{text}: {said}");
        }
    }

    #[test]
    fn a_url_leads_to_its_host() {
        let of = |url: &str| Address::of(&Origin::of(url).unwrap()).to_string();
        assert_eq!(of("https://mcp.example.com"), "mcp.example.com:443");
        assert_eq!(of("http://[::1]:8000"), "[::1]:8000");
    }
}
