//! What all workers share of the listening side: TLS, and how much there may be at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use tokio_rustls::TlsAcceptor;

use super::StartError;
use crate::config::tls::Tls;
use crate::overload::shares::{Share, client_of};
use crate::runtime::Bounds;
use crate::telemetry::life::{self, Life};
use crate::tls::server::{Certificates, ServerTlsError, Set, server_config};

/// One for the process.
pub(super) struct ConnectionGate {
    tls: ArcSwapOption<TlsState>,
    life: Arc<Life>,
    /// Connections by peer, if they are limited.
    peers: Mutex<HashMap<IpAddr, usize>>,
    /// Connections of trusted proxies.
    fronts: AtomicUsize,
    /// Connections that were turned away and are about to read why.
    lingering: AtomicUsize,
}

/// So many of them may there be in all: they take descriptors that others need (see `OTHER_FILES` in `listen.rs`).
const MOST_LINGERING: usize = 16;

/// A connection that was turned away, until this is dropped.
pub(super) struct LingeringClose(Arc<ConnectionGate>);

impl Drop for LingeringClose {
    fn drop(&mut self) {
        self.0.lingering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that may come in. It is counted for as long as this lives.
pub(super) struct Permit {
    /// Whether there is room for large buffers.
    pub(super) has_room: bool,
    gate: Arc<ConnectionGate>,
    peer: Option<IpAddr>,
    is_front: bool,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.life.connections.open.fetch_sub(1, Ordering::Relaxed);
        if self.is_front {
            self.gate.fronts.fetch_sub(1, Ordering::Relaxed);
        }
        let Some(peer) = &self.peer else { return };
        let Ok(mut peers) = self.gate.peers.lock() else { return };
        if let Some(count) = peers.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                peers.remove(peer);
            }
        }
    }
}

/// How TLS is spoken.
pub(super) struct TlsState {
    settings: Tls,
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
}

/// What a reload will do to TLS, checked and still to be done.
pub(super) enum Change {
    Keep,
    Certificates(Arc<TlsState>, Set),
    TlsState(Option<Arc<TlsState>>),
}

impl ConnectionGate {
    pub(super) fn new(settings: Option<&Tls>, public_host: &str, life: Arc<Life>) -> Result<Self, StartError> {
        let lock = settings.map(|settings| TlsState::new(settings, public_host)).transpose()?;
        let gate = Self {
            tls: ArcSwapOption::new(lock.map(Arc::new)),
            life,
            peers: Mutex::default(),
            fronts: AtomicUsize::new(0),
            lingering: AtomicUsize::new(0),
        };
        gate.show();
        Ok(gate)
    }

    /// Lets a connection in, if there are not too many, in all or of its peer. A peer that is not limited
    /// by itself is `None`; what comes from this machine may be a proxy in front, and leaves some room for others.
    /// `is_front`: the peer is a trusted proxy. It brings many clients on few connections, so the first of these have room
    /// for large buffers whoever else is there.
    pub(super) fn enter(self: &Arc<Self>, peer: Option<IpAddr>, is_front: bool, bounds: &Bounds) -> Option<Permit> {
        let count = &self.life.connections;
        count.accepted.fetch_add(1, Ordering::Relaxed);
        let before = count.open.fetch_add(1, Ordering::Relaxed);
        let is_early_front = is_front && self.fronts.fetch_add(1, Ordering::Relaxed) < bounds.roomy;
        let has_room = before < bounds.roomy || is_early_front;
        let mut permit = Permit { has_room, gate: self.clone(), peer: None, is_front };
        let is_free = before < bounds.connections && self.count(peer, before, bounds, &mut permit);
        if !is_free {
            count.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_free.then_some(permit)
    }

    /// Whether there is room for one more that reads why it was turned away.
    pub(super) fn linger(self: &Arc<Self>) -> Option<LingeringClose> {
        let before = self.lingering.fetch_add(1, Ordering::Relaxed);
        let lingering = LingeringClose(self.clone());
        (before < MOST_LINGERING).then_some(lingering)
    }

    fn count(&self, peer: Option<IpAddr>, before: usize, bounds: &Bounds, permit: &mut Permit) -> bool {
        let Some(peer) = peer.map(client_of) else { return true };
        let Ok(mut peers) = self.peers.lock() else { return true };
        let count = peers.entry(peer).or_insert(0);
        let left_by_others = bounds.connections.saturating_sub(before.saturating_sub(*count));
        let most = match bounds.connections_per_peer {
            None if peer.is_loopback() => Share::Most.of(left_by_others),
            None => Share::Half.of(left_by_others),
            Some(0) => return true,
            Some(stated) => stated,
        };
        if *count >= most {
            return false;
        }
        *count += 1;
        permit.peer = Some(peer);
        true
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
            (settings, _) => Change::TlsState(
                settings.map(|settings| TlsState::new(settings, public_host)).transpose()?.map(Arc::new),
            ),
        })
    }

    pub(super) fn apply(&self, change: Change) {
        match change {
            Change::Keep => {}
            Change::Certificates(lock, set) => lock.certificates.replace(set),
            Change::TlsState(lock) => self.tls.store(lock),
        }
        self.show();
    }

    /// Reads the certificates again, and says whether they have changed.
    pub(super) fn reload(&self) -> Result<bool, ServerTlsError> {
        let Some(lock) = self.tls.load_full() else { return Ok(false) };
        let is_changed = lock.certificates.reload()?;
        self.show();
        Ok(is_changed)
    }

    /// Who shakes hands, if TLS is spoken.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.load().as_ref().map(|lock| lock.acceptor.clone())
    }

    pub(super) fn certificates(&self) -> Option<Arc<Certificates>> {
        self.tls.load().as_ref().map(|lock| lock.certificates.clone())
    }

    /// Lets readiness and metrics know which certificates are shown.
    fn show(&self) {
        let life = &self.life;
        let Some(certificates) = self.certificates() else { return life.show_certificates(Vec::new()) };
        let set = certificates.current();
        let one = |certificate: &crate::tls::server::Certificate| life::Certificate {
            name: certificate.names.first().cloned().unwrap_or_default(),
            not_after: certificate.not_after,
        };
        life.show_certificates(set.all().iter().map(one).collect());
    }
}

impl TlsState {
    fn new(settings: &Tls, public_host: &str) -> Result<Self, ServerTlsError> {
        let set = Set::load(&settings.source, public_host)?;
        let certificates = Certificates::new(settings.source.clone(), set);
        let acceptor = TlsAcceptor::from(server_config(settings, certificates.clone())?);
        Ok(Self { settings: settings.clone(), acceptor, certificates })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::layers::Layers;

    fn gate() -> (Arc<ConnectionGate>, Bounds) {
        let text = "upstream = \"http://localhost:3000\"\nlimits.connections = 120";
        let (mut layers, mut complaints) = (Layers::default(), Vec::new());
        layers.take_file("proxy.toml", text, &mut complaints);
        let config = Config::check(&layers, complaints).unwrap();
        (Arc::new(ConnectionGate::new(None, "localhost", Arc::default()).unwrap()), Bounds::of(&config.process))
    }

    /// As many connections of an address as come in.
    fn fill(gate: &Arc<ConnectionGate>, bounds: &Bounds, peer: &str) -> Vec<Permit> {
        let peer = peer.parse().unwrap();
        std::iter::from_fn(|| gate.enter(Some(peer), false, bounds)).collect()
    }

    #[test]
    fn the_first_connections_of_a_trusted_proxy_have_room_beside_those_of_others() {
        let (gate, bounds) = gate();
        let bounds = Bounds { roomy: 3, ..bounds };
        let room = |entries: &[Permit]| entries.iter().filter(|permit| permit.has_room).count();
        let others = fill(&gate, &bounds, "192.0.2.1");
        let enter = || gate.enter(None, true, &bounds).unwrap();
        let fronts: Vec<Permit> = (0..20).map(|_| enter()).collect();
        assert_eq!((room(&others), room(&fronts)), (3, 3));
        drop(fronts);
        assert!(enter().has_room);
    }

    #[test]
    fn each_address_leaves_half_of_what_others_leave() {
        let (gate, bounds) = gate();
        let held = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|peer| fill(&gate, &bounds, peer));
        assert_eq!(held.each_ref().map(Vec::len), [60, 30, 15]);
        let [first, ..] = held;
        drop(first);
        assert_eq!(fill(&gate, &bounds, "192.0.2.4").len(), 38, "what is over is free again");
    }

    #[test]
    fn what_comes_from_this_machine_leaves_an_eighth() {
        let (gate, bounds) = gate();
        let held = ["127.0.0.1", "192.0.2.1"].map(|peer| fill(&gate, &bounds, peer));
        assert_eq!(held.map(|held| held.len()), [105, 8]);
    }

    #[test]
    fn a_number_that_is_stated_holds() {
        let (gate, bounds) = gate();
        let stated = Bounds { connections_per_peer: Some(100), ..bounds };
        let held = fill(&gate, &stated, "192.0.2.1");
        let unlimited = Bounds { connections_per_peer: Some(0), ..bounds };
        assert_eq!((held.len(), fill(&gate, &unlimited, "192.0.2.2").len()), (100, 20));
    }
}
