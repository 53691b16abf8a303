//! Where connections come from: an address, a Unix socket, or sockets that the service manager has opened.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::{Checker, Complaint};
use crate::admission::Admission;

/// Where to accept connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    /// A socket file. Who is at its other end is of this machine: for lists of addresses that is loopback.
    Unix(PathBuf),
    /// Sockets that systemd passes on (sd_listen_fds(3)).
    Systemd,
}

impl Listen {
    /// The address, if it is one.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Systemd => None,
        }
    }

    /// Whose address the peers of this listener have, if that is known: for a Unix socket, this machine's.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix(_) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Self::Systemd => None,
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd => f.write_str("systemd"),
        }
    }
}

/// The longest path of a socket that every system takes (sockaddr_un: 104 bytes and a NUL).
const LONGEST_PATH: usize = 103;

/// Reads what `listen` says.
pub(super) fn parse(text: &str) -> Result<Listen, String> {
    if text == "systemd" {
        return on_unix(Listen::Systemd);
    }
    let Some(path) = text.strip_prefix("unix:") else {
        let other = "; or unix:/run/mcp-mend.sock, or systemd";
        return super::listen_address(text).map(Listen::Tcp).map_err(|wanted| format!("{wanted}{other}"));
    };
    // `unix:///run/x.sock` is what some write, and can mean nothing else.
    let path = path.strip_prefix("//").unwrap_or(path);
    match path {
        "" | "/" => Err("write the path of a socket file, as in unix:/run/mcp-mend.sock".into()),
        path if path.len() > LONGEST_PATH => {
            Err(format!("the path of a socket has at most {LONGEST_PATH} bytes; write a shorter one"))
        }
        path => on_unix(Listen::Unix(PathBuf::from(path))),
    }
}

fn on_unix(listen: Listen) -> Result<Listen, String> {
    if cfg!(unix) { Ok(listen) } else { Err("this system has no such sockets; write an address".into()) }
}

impl Checker<'_> {
    /// Hosts that are answered besides the public one: names or addresses, without scheme, port and path.
    pub(super) fn hosts(&mut self) -> Vec<String> {
        self.many("hosts", |text| match url::Host::parse(text) {
            Ok(host) if host.to_string().eq_ignore_ascii_case(text) => Ok(text.to_owned()),
            _ => Err("write a host alone, like mcp-mend or 192.0.2.7, without scheme, port and path".into()),
        })
    }

    /// What follows from where connections come from.
    pub(super) fn warn_of_listen(&mut self, listen: &Listen, admission: Option<&Admission>, proxies: &[IpNet]) {
        if let (Some(admission), Some(ip)) = (admission, listen.ip()) {
            self.warn_of_loopback(admission, ip, proxies);
        }
        if matches!(listen, Listen::Unix(_)) && self.values("public_url").is_empty() {
            let place = self.layers.place_of("listen");
            let message = "a socket file has no address that clients could use: http://localhost stands in metadata and \
                           challenges; write public_url with the address that they do use";
            self.warnings.push(Complaint { place, message: message.into() });
        }
    }
}
