//! Whether hosted clients get to the server at all: what the address says of itself, and whether somebody before the server
//! treats them otherwise than others (field report, F, and section 7).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{Method, StatusCode};
use tokio_util::task::AbortOnDropHandle;
use url::Host;

use super::probes::{self, Caller};
use super::signs::{self, Wall};
use super::stand::{Probe, Seen, Stand};
use super::walk::{Line, Walked};
use crate::client::CLIENTS;
use crate::config::SiteConfig;
use crate::edit::origin::Origin;
use crate::endpoint;

/// How long hosted clients wait for an answer while they log in.
const HOSTED_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may take here.
const CONNECT: Duration = Duration::from_secs(5);

impl Line {
    fn pass(id: &'static str, what: impl Into<String>) -> Self {
        Self { id, verdict: "pass", what: what.into(), cure: None, stops_all: false }
    }

    fn fail(id: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { id, verdict: "fail", what: what.into(), cure: Some(cure.into()), stops_all: false }
    }

    fn not_applicable(id: &'static str, what: impl Into<String>) -> Self {
        Self { verdict: "not-applicable", ..Self::pass(id, what) }
    }

    fn not_testable(id: &'static str, what: impl Into<String>) -> Self {
        Self { verdict: "not-testable", ..Self::pass(id, what) }
    }
}

/// Everything that decides it.
pub async fn look(stand: &Arc<Stand>, site: &SiteConfig, walked: &Walked) -> Vec<Line> {
    let (origin, seen) = (&site.upstream, &walked.seen[..]);
    let mut lines = vec![endpoint(walked, &site.mcp_path)];
    // Of a server that does not answer, nothing is known but its address.
    if walked.is_reached() {
        lines.extend([agents(stand).await, walls(seen), redirects(seen, origin), time(seen)]);
    }
    let here = "on this machine or in a private network: hosted clients cannot come here";
    if is_private(origin) {
        let ids = ["reach.port", "reach.address", "reach.certificate"];
        lines.extend(ids.map(|id| Line::not_applicable(id, here)));
        return lines;
    }
    lines.push(port(origin));
    lines.push(addresses(origin).await);
    lines.push(certificate(site).await);
    lines
}

/// Whether there is an MCP server at all.
fn endpoint(walked: &Walked, path: &str) -> Line {
    const ID: &str = "reach.endpoint";
    if !walked.is_reached() {
        let cure = "start the server, and see that address and port are right";
        return Line { stops_all: true, ..Line::fail(ID, "the server does not answer", cure) };
    }
    let Some(came) = walked.no_endpoint() else {
        return Line::pass(ID, format!("something that speaks MCP is at {path}"));
    };
    let kind = came.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().filter(|kind| kind.len() <= 40 && kind.bytes().all(is_of_a_type));
    let kind = kind.filter(|kind| !kind.is_empty()).map_or_else(String::new, |kind| format!(" ({kind})"));
    let what = format!("no MCP server is at {path}: a message was answered with {}{kind}", came.status.as_u16());
    let cure = "give the whole address of the MCP endpoint, with its path, as in https://mcp.example.com/mcp";
    Line { stops_all: true, ..Line::fail(ID, what, cure) }
}

/// Of a media type (RFC 6838 section 4.2).
fn is_of_a_type(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte)
}

/// Whether the address says by itself that it is nobody else's.
fn is_private(origin: &Origin) -> bool {
    match origin.host() {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost"
                || !name.contains('.')
                || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
        }
        Host::Ipv4(address) => !is_public(IpAddr::V4(*address)),
        Host::Ipv6(address) => !is_public(IpAddr::V6(*address)),
    }
}

/// Whether an address is reached from everywhere (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_reserved = a == 0 || a >= 240 || (a, b, c) == (192, 0, 0) || (a == 198 && (b == 18 || b == 19));
            !(four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_documentation()
                || four.is_multicast()
                || is_shared
                || is_reserved)
        }
        IpAddr::V6(six) => {
            let first = six.segments()[0];
            !(six.is_loopback()
                || six.is_unspecified()
                || six.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || (first == 0x2001 && six.segments()[1] == 0xdb8))
        }
    }
}

/// The same request, as each hosted client calls itself, as nobody, and as this program.
async fn agents(stand: &Arc<Stand>) -> Line {
    const ID: &str = "reach.user-agent";
    let path = stand.runtime().facts.mcp_path.clone();
    let document = endpoint::resource_metadata_path(&path);
    let caller = Caller { path, ..Caller::default() };
    let plain = [
        caller.post("a message, by another name", &probes::request("ping", &serde_json::json!({}))),
        Probe::new("a document, by another name", Method::GET, document),
    ];
    let mut names: Vec<Option<&str>> = vec![None];
    for agent in CLIENTS.iter().filter(|client| client.is_hosted).flat_map(|client| client.user_agents) {
        if !names.contains(&Some(agent)) {
            names.push(Some(agent));
        }
    }
    let (mut odd, mut is_answered) = (Vec::new(), false);
    for probe in &plain {
        let Some(usual) = first_status(&stand.ask(probe.clone()).await) else { continue };
        is_answered = true;
        let asking: Vec<_> = names
            .iter()
            .map(|agent| {
                let (stand, named) = (stand.clone(), probe.clone().header(USER_AGENT, agent.unwrap_or_default()));
                AbortOnDropHandle::new(tokio::spawn(async move { stand.ask(named).await }))
            })
            .collect();
        for (agent, seen) in names.iter().zip(asking) {
            let came = seen.await.ok().as_ref().and_then(first_status);
            if came != Some(usual) {
                let came = came.map_or("no answer".to_owned(), |status| status.as_u16().to_string());
                let agent = agent.map_or("no User-Agent".to_owned(), |agent| format!("`{agent}`"));
                odd.push(format!(
                    "{} {}: {came} for {agent}, {} for others",
                    probe.method,
                    probe.target,
                    usual.as_u16()
                ));
            }
        }
    }
    if !is_answered {
        return Line::not_testable(ID, "the server did not answer");
    }
    if odd.is_empty() {
        return Line::pass(ID, format!("{} user agents of hosted clients are answered like others", names.len()));
    }
    Line::fail(ID, odd.join("; "), "let the hosted clients in by address, not by name: mcp-mend waf --help")
}

/// What the server itself said; `None` if it said nothing.
fn first_status(seen: &Seen) -> Option<StatusCode> {
    seen.taped.as_ref()?.turns.first()?.came.as_ref().map(|came| came.status)
}

/// Whether somebody before the server has answered instead of it.
fn walls(seen: &[Seen]) -> Line {
    const ID: &str = "reach.firewall";
    let found = seen.iter().find_map(|seen| {
        let came = seen.taped.as_ref()?.turns.first()?.came.as_ref()?;
        let wall: Wall = signs::wall(came.status, &came.headers, &came.body.bytes)?;
        Some((wall, seen.probe, came.status))
    });
    match found {
        Some((wall, probe, status)) => {
            Line::fail(ID, format!("{} answered {probe} with {}", wall.name, status.as_u16()), wall.cure)
        }
        None => Line::pass(ID, "no sign of a firewall or a login wall that answers instead of the server"),
    }
}

/// A redirect to another host, behind which clients do not send their token.
fn redirects(seen: &[Seen], origin: &Origin) -> Line {
    const ID: &str = "reach.redirect";
    let away = seen.iter().filter_map(|seen| seen.taped.as_ref()).find_map(|taped| {
        let came = taped.turns.first()?.came.as_ref().filter(|_| taped.class.has_messages())?;
        let to = came.headers.get(LOCATION)?.to_str().ok().filter(|_| came.status.is_redirection())?;
        Origin::of(to).ok().filter(|other| other != origin)
    });
    match away {
        Some(other) => Line::fail(
            ID,
            format!("the endpoint redirects to {other}: clients do not send their token to another host"),
            format!("give clients the address that it leads to, {other}"),
        ),
        None => Line::pass(ID, "the endpoint does not redirect to another host"),
    }
}

/// The slowest answer.
fn time(seen: &[Seen]) -> Line {
    const ID: &str = "reach.time";
    let short = seen.iter().filter_map(|seen| {
        let taped = seen.taped.as_ref()?;
        let is_login = taped.class.is_metadata() || taped.class.is_oauth();
        is_login.then_some((taped.first_byte, seen.probe))
    });
    match short.max_by_key(|(time, _)| *time) {
        Some((time, probe)) if time >= HOSTED_PATIENCE / 2 => Line::fail(
            ID,
            format!("{probe} took {:.1} s; hosted clients wait 10 s for each step", time.as_secs_f64()),
            "answer discovery, registration and token requests within a second or two",
        ),
        Some((time, _)) => Line::pass(ID, format!("the slowest step of a login took {:.2} s", time.as_secs_f64())),
        None => Line::not_testable(ID, "nothing answered"),
    }
}

fn port(origin: &Origin) -> Line {
    const ID: &str = "reach.port";
    if origin.is_secure() && origin.port() == 443 {
        return Line::pass(ID, "https on port 443");
    }
    let what = format!("{} on port {}: hosted clients come by https on port 443 alone", origin.scheme(), origin.port());
    Line::fail(ID, what, "serve it with TLS on port 443")
}

/// Every address that the name has, and whether hosted clients can use it.
async fn addresses(origin: &Origin) -> Line {
    const ID: &str = "reach.address";
    let host = origin.host().to_string();
    let name = host.trim_matches(['[', ']']).to_owned();
    let asked = tokio::time::timeout(CONNECT, tokio::net::lookup_host((name.as_str(), origin.port())));
    let found: Vec<IpAddr> = match asked.await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => return Line::fail(ID, format!("the name {host} leads nowhere: {error}"), "give it an A record"),
    };
    let four: Vec<&IpAddr> = found.iter().filter(|address| address.is_ipv4()).collect();
    if four.is_empty() {
        return Line::fail(ID, format!("{host} has IPv6 addresses alone; hosted clients use IPv4"), "add an A record");
    }
    if let Some(private) = found.iter().find(|address| !is_public(**address)) {
        let what = format!("{host} also leads to {private}, which nobody outside can reach");
        return Line::fail(ID, what, "take private addresses out of the public name");
    }
    Line::pass(ID, format!("{} public IPv4 addresses", four.len()))
}

/// Whether the certificate is trusted and for this name, over both versions of TLS that clients speak.
async fn certificate(site: &SiteConfig) -> Line {
    const ID: &str = "reach.certificate";
    let origin = &site.upstream;
    if !origin.is_secure() {
        return Line::not_applicable(ID, "no TLS");
    }
    let mut spoken = Vec::new();
    let mut failed = Vec::new();
    for (version, name) in [(&rustls::version::TLS13, "1.3"), (&rustls::version::TLS12, "1.2")] {
        match handshake(site, version).await {
            Ok(()) => spoken.push(name),
            Err(why) => failed.push(format!("TLS {name}: {why}")),
        }
    }
    if spoken.is_empty() {
        return Line::fail(
            ID,
            failed.join("; "),
            "use a certificate of a public authority for this name, with its whole chain",
        );
    }
    Line::pass(ID, format!("a trusted certificate for {}, TLS {}", origin.host(), spoken.join(" and ")))
}

async fn handshake(site: &SiteConfig, version: &'static rustls::SupportedProtocolVersion) -> Result<(), String> {
    let origin = site.upstream.clone();
    let client = site.trust().of_version(version).map_err(|error| error.to_string())?;
    let host = origin.host().to_string();
    let name = host.trim_matches(['[', ']']).to_owned();
    let connect = async {
        let stream =
            tokio::net::TcpStream::connect((name.as_str(), origin.port())).await.map_err(|error| error.to_string())?;
        let server = rustls_pki_types::ServerName::try_from(name.clone()).map_err(|error| error.to_string())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        connector.connect(server, stream).await.map(drop).map_err(|error| error.to_string())
    };
    tokio::time::timeout(CONNECT, connect).await.unwrap_or_else(|_| Err("no handshake within 5 s".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_public_or_not() {
        for private in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
            "203.0.113.7",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["160.79.104.1", "8.8.8.8", "2607:6bc0::1", "100.128.0.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_name_without_a_domain_is_private() {
        for (url, private) in [
            ("http://localhost:3000", true),
            ("http://server", true),
            ("https://mcp.corp.internal", true),
            ("https://mcp.example.com", false),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(is_private(&Origin::of(url).unwrap()), private, "{url}");
        }
    }

    #[test]
    fn hosted_clients_need_port_443() {
        assert_eq!(port(&Origin::of("https://h.example").unwrap()).verdict, "pass");
        assert_eq!(port(&Origin::of("https://h.example:8443").unwrap()).verdict, "fail");
        assert_eq!(port(&Origin::of("http://h.example").unwrap()).verdict, "fail");
    }

    /// A server on loopback with a certificate of its own for `localhost`, and that certificate as PEM.
    async fn serve() -> (u16, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let private = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], private.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(acceptor.accept(stream).await);
            }
        });
        (port, own.pem())
    }

    fn site(url: &str, ca_file: Option<&std::path::Path>) -> SiteConfig {
        let mut layers = crate::config::layers::Layers::default();
        let value = |text: String| vec![crate::config::layers::Value { text, place: "test".into() }];
        layers.set(crate::config::settings::find("upstream.url").unwrap(), value(url.into()));
        if let Some(file) = ca_file {
            layers.set(crate::config::settings::find("upstream.ca_file").unwrap(), value(file.display().to_string()));
        }
        crate::config::Config::check(&layers, Vec::new()).unwrap().sites.first().clone()
    }

    #[tokio::test]
    async fn a_certificate_is_trusted_for_its_name_or_not() {
        let (port, pem) = serve().await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pem).unwrap();
        let trusted = certificate(&site(&format!("https://localhost:{port}"), Some(file.path()))).await;
        assert_eq!((trusted.verdict, trusted.what.ends_with("TLS 1.3")), ("pass", true), "{}", trusted.what);
        let other_name = certificate(&site(&format!("https://127.0.0.1:{port}"), Some(file.path()))).await;
        assert_eq!(other_name.verdict, "fail", "{}", other_name.what);
        let unknown = certificate(&site(&format!("https://localhost:{port}"), None)).await;
        assert_eq!(unknown.verdict, "fail", "{}", unknown.what);
        assert_eq!(certificate(&site("http://localhost:1", None)).await.verdict, "not-applicable");
    }
}
