//! TLS on the listening side: certificates by name (SNI, RFC 6066 section 3), read again while connections go on.

mod files;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::config::tls::{Source, Tls, Version};

/// What a self-signed certificate is good for, beside the public host.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Days for which a self-signed certificate is made: it lives no longer than the process, which may live long.
const SELF_SIGNED_DAYS: u64 = 365;
const DAY: u64 = 24 * 60 * 60;

/// A certificate or key that cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}; {cure}")]
pub struct Unusable {
    /// The setting and the file.
    pub place: String,
    pub fault: String,
    pub cure: String,
}

/// Why TLS cannot be had on the listening side.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n       "))]
    Unusable(Vec<Unusable>),
    #[error("no self-signed certificate can be made: {0}")]
    SelfSigned(#[from] rcgen::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    /// The host names that it is for, in small letters; `*.` stands for one label.
    pub names: Vec<String>,
    /// Where it came from; nothing if it was made here.
    pub file: Option<PathBuf>,
    /// Seconds since 1970 between which it is valid.
    pub not_before: i64,
    pub not_after: i64,
}

/// A set of certificates, checked as a whole.
#[derive(Debug)]
pub struct Set {
    all: Vec<Certificate>,
    by_name: HashMap<String, usize>,
}

/// The certificates in use. They may be exchanged at any time: a handshake takes what is there when it begins, and
/// connections that stand are not touched.
#[derive(Debug)]
pub struct Certificates {
    now: ArcSwap<Set>,
    source: Source,
}

impl Set {
    /// Reads and checks what is stated. Files are checked all, so that all errors are told at once.
    ///
    /// # Errors
    /// What cannot be used, each with its cure.
    pub fn load(source: &Source, public_host: &str) -> Result<Self, ServerTlsError> {
        let all = match source {
            Source::Files(pairs) => {
                let (mut all, mut faults) = (Vec::new(), Vec::new());
                for (certificate, key) in pairs {
                    match files::read(certificate, key, seconds_now()) {
                        Ok(read) => all.push(read),
                        Err(found) => faults.extend(found),
                    }
                }
                if !faults.is_empty() {
                    return Err(ServerTlsError::Unusable(faults));
                }
                all
            }
            Source::SelfSigned => vec![self_signed(public_host)?],
        };
        let mut by_name = HashMap::new();
        for (index, certificate) in all.iter().enumerate() {
            for name in &certificate.names {
                by_name.entry(name.clone()).or_insert(index);
            }
        }
        Ok(Self { all, by_name })
    }

    /// The certificate for a name; the first one if none is for it or the client names nobody.
    fn find(&self, name: Option<&str>) -> Option<&Certificate> {
        let index = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
            self.by_name.get(&name).or_else(|| self.by_name.get(&wildcard()?))
        });
        self.all.get(index.copied().unwrap_or(0))
    }

    /// All of them, in the order in which they were stated.
    #[must_use]
    pub fn all(&self) -> &[Certificate] {
        &self.all
    }

    /// Seconds since 1970 when the first of them ends.
    #[must_use]
    pub fn not_after(&self) -> Option<i64> {
        self.all.iter().map(|certificate| certificate.not_after).min()
    }

    fn is_same(&self, other: &Self) -> bool {
        let chains = |set: &Self| set.all.iter().map(|certificate| certificate.key.cert.clone()).collect::<Vec<_>>();
        chains(self) == chains(other)
    }
}

impl Certificates {
    #[must_use]
    pub fn new(source: Source, set: Set) -> Arc<Self> {
        Arc::new(Self { now: ArcSwap::from_pointee(set), source })
    }

    /// Reads the files again; `None` if they hold what is in use already.
    ///
    /// # Errors
    /// As [`Set::load`].
    pub fn load(&self, public_host: &str) -> Result<Option<Set>, ServerTlsError> {
        if self.source == Source::SelfSigned {
            return Ok(None);
        }
        let set = Set::load(&self.source, public_host)?;
        Ok((!set.is_same(&self.now.load())).then_some(set))
    }

    /// Reads the files again, and says whether that changed anything. What cannot be used as a whole changes nothing.
    ///
    /// # Errors
    /// As [`Set::load`]; the old certificates stay.
    pub fn reload(&self) -> Result<bool, ServerTlsError> {
        let set = self.load("")?;
        let is_changed = set.is_some();
        set.into_iter().for_each(|set| self.replace(set));
        Ok(is_changed)
    }

    /// Goes on with others that were checked when they were loaded.
    pub fn replace(&self, set: Set) {
        self.now.store(Arc::new(set));
    }

    /// Those in use.
    #[must_use]
    pub fn current(&self) -> Arc<Set> {
        self.now.load_full()
    }

    /// The files that they come from: when one changes, [`Certificates::reload`] is to be called.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.source {
            Source::Files(pairs) => pairs.iter().flat_map(|(one, other)| [one.clone(), other.clone()]).collect(),
            Source::SelfSigned => Vec::new(),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.now.load().find(hello.server_name()).map(|certificate| certificate.key.clone())
    }
}

/// What handshakes are made with: HTTP/2 before HTTP/1.1 (ALPN, RFC 7301; RFC 9113 section 3.2).
///
/// # Errors
/// When this build cannot speak the versions that are wanted, or has no random numbers.
pub fn server_config(settings: &Tls, certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, ServerTlsError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match settings.min_version {
        Version::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        Version::Tls13 => &[&rustls::version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions are the client's to keep: nothing is held for those who never come back, and workers share no table.
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate that nobody has vouched for, made here and now.
fn self_signed(public_host: &str) -> Result<Certificate, ServerTlsError> {
    let host = public_host.trim_matches(['[', ']']);
    let mut names: Vec<String> = LOCAL.iter().map(|name| (*name).to_owned()).collect();
    if !host.is_empty() && !names.iter().any(|name| name == host) {
        names.insert(0, host.to_owned());
    }
    let now = seconds_now().unsigned_abs();
    let mut params = CertificateParams::new(names.clone())?;
    params.distinguished_name.push(DnType::CommonName, "mcp-mend (self-signed)");
    // Clocks differ: one that is behind ours must not find it made in the future.
    let (not_before, not_after) = (now.saturating_sub(DAY), now.saturating_add(SELF_SIGNED_DAYS * DAY));
    let moment = |seconds: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (params.not_before, params.not_after) = (moment(not_before), moment(not_after));
    let key = KeyPair::generate()?;
    let der = params.self_signed(&key)?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = Arc::new(CertifiedKey::from_der(vec![der], key, &provider())?);
    let names = names.into_iter().filter(|name| name.parse::<std::net::IpAddr>().is_err()).collect();
    Ok(Certificate { key, names, file: None, not_before: not_before.cast_signed(), not_after: not_after.cast_signed() })
}

/// Seconds since 1970.
fn seconds_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn place(setting: &str, file: &Path) -> String {
    format!("{setting} {}", file.display())
}

#[cfg(test)]
mod tests;
