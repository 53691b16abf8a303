//! Where the upstream is and how it is reached, made from the configuration: at the start and at each reload anew.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use url::Host;

use super::health::Report;
use super::places::Places;
use super::socket::Dial;
use crate::config::Address;
pub use crate::config::{Health, Http2};
use crate::config::{ProcessConfig, SiteConfig};
use crate::edit::origin::Origin;
use crate::tls::client::{Digest, Offer, TlsError, Trust};

/// Where the upstream is and how it is reached. Shared by all workers, never changed.
pub struct Target {
    pub origin: Origin,
    /// What its Host header says.
    pub authority: HeaderValue,
    pub limits: Limits,
    pub(super) http2: Http2,
    pub(super) tls: Option<Tls>,
    pub(super) places: Arc<Places>,
    /// The same as `authority`, for HTTP/2.
    pub(super) uri_authority: Authority,
    pub(super) health: Option<Health>,
    /// Whether somebody looks at the health paths already.
    pub(super) watched: AtomicBool,
    /// Who makes connections, if not the system.
    pub(super) dial: Option<Arc<dyn Dial>>,
}

/// How long the upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connect: Duration,
    /// From the end of the upload to the first byte of the answer.
    pub first_byte: Duration,
    /// Bytes of an answer's head.
    pub head_bytes: usize,
    /// An idle connection older than this is not used again.
    pub idle: Duration,
    /// A connection older than this is not used again, so that a change of address is noticed.
    pub age: Duration,
    /// Bytes of each socket buffer; `None`: the system chooses.
    pub socket_bytes: Option<usize>,
}

/// TLS, and the name that the certificate has to be for.
pub(super) struct Tls {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
    /// All that was read for it, to see whether that has changed.
    digest: Digest,
}

/// Why the upstream cannot be reached in the way that was stated.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("the upstream's name cannot stand in a Host header")]
    Authority,
    #[error("`{0}` is no name that a certificate can be for; state upstream.server_name")]
    ServerName(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Target {
    /// What the configuration says. Reads the files that it names.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn of(process: &ProcessConfig, site: &SiteConfig) -> Result<Self, TargetError> {
        let (limits, reach) = (&process.limits, &site.reach);
        let limits = Limits {
            connect: limits.connect,
            first_byte: limits.first_byte,
            head_bytes: limits.head_bytes,
            idle: limits.pool_idle,
            age: limits.pool_age,
            socket_bytes: process.overload.socket_bytes,
        };
        let mut target =
            Self::with(site.upstream.clone(), limits, reach.http2, &site.trust(), reach.server_name.as_deref())?;
        target.places = Arc::new(match (&reach.addresses[..], &reach.unix) {
            ([], None) => Places::one(Address::of(&site.upstream)),
            ([], Some(unix)) => Places::one(unix.clone()),
            ([only], _) if !matches!(only, Address::Name(..)) => Places::one(only.clone()),
            (several, _) => Places::several(several.to_vec()),
        });
        target.health.clone_from(&reach.health);
        Ok(target)
    }

    /// A server that its own URL leads to.
    ///
    /// # Errors
    /// As [`Target::of`].
    pub fn to(origin: Origin, limits: Limits, trust: &Trust) -> Result<Self, TargetError> {
        Self::with(origin, limits, Http2::Auto, trust, None)
    }

    fn with(
        origin: Origin,
        limits: Limits,
        http2: Http2,
        trust: &Trust,
        server_name: Option<&str>,
    ) -> Result<Self, TargetError> {
        let authority = HeaderValue::from_str(origin.authority()).map_err(|_| TargetError::Authority)?;
        let uri_authority = Authority::try_from(origin.authority()).map_err(|_| TargetError::Authority)?;
        let tls = if origin.is_secure() {
            let offer = match http2 {
                Http2::Auto => Offer::Both,
                Http2::Never => Offer::Http1,
                Http2::PriorKnowledge => Offer::Http2,
            };
            let (config, digest) = trust.config(offer)?;
            let connector = TlsConnector::from(Arc::new(config));
            Some(Tls { connector, name: name_of(&origin, server_name)?, digest })
        } else {
            // A file that cannot be used is told all the same.
            trust.check_files()?;
            None
        };
        let places = Arc::new(Places::one(Address::of(&origin)));
        Ok(Self {
            origin,
            authority,
            limits,
            http2,
            tls,
            places,
            uri_authority,
            health: None,
            watched: AtomicBool::new(false),
            dial: None,
        })
    }

    /// Whether connections to one serve the other as well.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let tls = |target: &Self| target.tls.as_ref().map(|tls| (tls.name.clone(), tls.digest));
        let dial = |target: &Self| target.dial.as_ref().map(|dial| Arc::as_ptr(dial).cast::<()>());
        self.origin == other.origin
            && self.limits == other.limits
            && self.http2 == other.http2
            && self.health == other.health
            && self.places.listed() == other.places.listed()
            && self.places.sole().is_some() == other.places.sole().is_some()
            && tls(self) == tls(other)
            && dial(self) == dial(other)
    }

    /// Has somebody else make the connections.
    #[must_use]
    pub fn dialled_by(mut self, dial: Arc<dyn Dial>) -> Self {
        self.dial = Some(dial);
        self
    }

    /// How each address does.
    #[must_use]
    pub fn report(&self) -> Vec<Report> {
        self.places.report()
    }

    /// The addresses as they were written; names stand for all that they resolve to.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        self.places.listed()
    }

    /// Whether an exchange may get a stream of a connection that is there already.
    pub(super) fn may_share(&self) -> bool {
        match self.http2 {
            Http2::Auto => self.tls.is_some(),
            Http2::Never => false,
            Http2::PriorKnowledge => true,
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("origin", &self.origin).field("places", &self.places).finish_non_exhaustive()
    }
}

/// The name that the certificate has to be for: the stated one, or the host of the URL.
fn name_of(origin: &Origin, stated: Option<&str>) -> Result<ServerName<'static>, TargetError> {
    let text = match (stated, origin.host()) {
        (Some(stated), _) => stated.to_owned(),
        (None, Host::Domain(name)) => name.clone(),
        (None, Host::Ipv4(address)) => address.to_string(),
        (None, Host::Ipv6(address)) => address.to_string(),
    };
    ServerName::try_from(text.clone()).map_err(|_| TargetError::ServerName(text))
}
