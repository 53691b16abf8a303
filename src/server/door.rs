//! What all workers share of the listening side: TLS, and how much there may be at a time.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio_rustls::TlsAcceptor;

use super::StartError;
use crate::config::tls::Tls;
use crate::connection::Budget;
use crate::telemetry::life::{self, Life};
use crate::tls::server::{Certificates, ServerTlsError, Set, server_config};

/// One for the process.
pub(super) struct Door {
    pub(super) tls: ArcSwapOption<Lock>,
    /// Exchanges of HTTP/2.
    pub(super) budget: Arc<Budget>,
}

/// How TLS is spoken.
pub(super) struct Lock {
    settings: Tls,
    pub(super) acceptor: TlsAcceptor,
    pub(super) certificates: Arc<Certificates>,
}

/// What a reload will do to TLS, checked and still to be done.
pub(super) enum Change {
    Keep,
    Certificates(Arc<Lock>, Set),
    Lock(Option<Arc<Lock>>),
}

impl Door {
    pub(super) fn new(settings: Option<&Tls>, public_host: &str, most: usize) -> Result<Self, StartError> {
        let lock = settings.map(|settings| Lock::new(settings, public_host)).transpose()?;
        Ok(Self { tls: ArcSwapOption::new(lock.map(Arc::new)), budget: Arc::new(Budget::new(most)) })
    }

    /// What a reload asks for. Nothing is changed yet.
    pub(super) fn change(&self, settings: Option<&Tls>, public_host: &str) -> Result<Change, StartError> {
        let now = self.tls.load_full();
        Ok(match (settings, now) {
            (None, None) => Change::Keep,
            (Some(settings), Some(lock)) if lock.settings == *settings => match lock.certificates.load(public_host)? {
                Some(set) => Change::Certificates(lock, set),
                None => Change::Keep,
            },
            (settings, _) => {
                Change::Lock(settings.map(|settings| Lock::new(settings, public_host)).transpose()?.map(Arc::new))
            }
        })
    }

    pub(super) fn apply(&self, change: Change, life: &Life) {
        match change {
            Change::Keep => {}
            Change::Certificates(lock, set) => lock.certificates.replace(set),
            Change::Lock(lock) => self.tls.store(lock),
        }
        self.show(life);
    }

    /// Reads the certificates again, and says whether they have changed.
    pub(super) fn reload(&self, life: &Life) -> Result<bool, ServerTlsError> {
        let Some(lock) = self.tls.load_full() else { return Ok(false) };
        let is_changed = lock.certificates.reload()?;
        self.show(life);
        Ok(is_changed)
    }

    pub(super) fn certificates(&self) -> Option<Arc<Certificates>> {
        self.tls.load().as_ref().map(|lock| lock.certificates.clone())
    }

    /// Lets readiness and metrics know which certificates are shown.
    pub(super) fn show(&self, life: &Life) {
        let Some(certificates) = self.certificates() else { return life.show_certificates(Vec::new()) };
        let set = certificates.current();
        let one = |certificate: &crate::tls::server::Certificate| life::Certificate {
            name: certificate.names.first().cloned().unwrap_or_default(),
            not_after: certificate.not_after,
        };
        life.show_certificates(set.all().iter().map(one).collect());
    }
}

impl Lock {
    fn new(settings: &Tls, public_host: &str) -> Result<Self, ServerTlsError> {
        let set = Set::load(&settings.source, public_host)?;
        let certificates = Certificates::new(settings.source.clone(), set);
        let acceptor = TlsAcceptor::from(server_config(settings, certificates.clone())?);
        Ok(Self { settings: settings.clone(), acceptor, certificates })
    }
}
