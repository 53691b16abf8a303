//! What one worker thread serves with: for each site, what all threads share and upstream connections of its own.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use http::Request;
use http::header::HOST;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::headers;
use crate::learn;
use crate::proxy::Worker;
use crate::refuse::{self, Refusal};
use crate::runtime::Runtime;
use crate::sites::Sites;
use crate::tape::Recorder;
use crate::upstream::Upstream;

/// One thread's.
pub(super) struct WorkerSites {
    sites: Arc<ArcSwap<Sites>>,
    stop_streams: CancellationToken,
    recorder: Option<Arc<dyn Recorder>>,
    /// The table that `workers` are made for. Only this thread takes the lock.
    cache: Mutex<WorkerCache>,
}

#[derive(Default)]
struct WorkerCache {
    of: Option<Arc<Sites>>,
    workers: Vec<Worker>,
}

impl WorkerSites {
    pub(super) fn new(
        sites: Arc<ArcSwap<Sites>>,
        stop_streams: CancellationToken,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Self {
        Self { sites, stop_streams, recorder, cache: Mutex::default() }
    }

    /// The sites as they are now.
    pub(super) fn sites(&self) -> Arc<Sites> {
        self.sites.load_full()
    }

    /// Who answers a request: the worker of its site.
    pub(super) fn worker<B>(&self, connection: &Connection, request: &Request<B>) -> Worker {
        let sites = self.sites.load();
        if let Some(only) = sites.only() {
            return self.of(&sites, only);
        }
        let host = host_of(connection, request, &sites);
        match sites.find(host, request.uri().path()) {
            Some(runtime) => Worker { sites: Some(Arc::clone(&sites)), ..self.of(&sites, runtime) },
            None => Worker { stray: Some(stray(&sites, host)), ..self.of(&sites, sites.no_site()) },
        }
    }

    fn of(&self, sites: &Arc<Sites>, runtime: &Arc<Runtime>) -> Worker {
        let Ok(mut cache) = self.cache.lock() else { return self.new_worker(runtime, None) };
        cache.take_up(self, sites);
        match cache.workers.iter().find(|worker| Arc::ptr_eq(&worker.runtime, runtime)) {
            Some(worker) => worker.clone(),
            None => self.new_worker(runtime, None),
        }
    }

    /// Takes up a reload. Connections to an upstream that is the same stay.
    pub(super) fn refresh(&self) {
        if let Ok(mut cache) = self.cache.lock() {
            cache.take_up(self, &self.sites.load());
        }
    }

    fn new_worker(&self, runtime: &Arc<Runtime>, upstream: Option<Arc<Upstream>>) -> Worker {
        Worker {
            runtime: runtime.clone(),
            upstream: upstream.unwrap_or_else(|| {
                Upstream::counted(runtime.target.clone(), runtime.counters.clone(), Some(runtime.load))
            }),
            stop_streams: self.stop_streams.clone(),
            recorder: self.recorder.clone(),
            sites: None,
            stray: None,
        }
    }

    /// Closes the connections that nobody may use again.
    pub(super) fn prune(&self) {
        if let Ok(cache) = self.cache.lock() {
            for worker in &cache.workers {
                worker.upstream.prune();
            }
        }
    }
}

impl WorkerCache {
    fn take_up(&mut self, worker_sites: &WorkerSites, sites: &Arc<Sites>) {
        if self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, sites)) {
            return;
        }
        let before = std::mem::take(&mut self.workers);
        for runtime in sites.iter().chain([sites.no_site()]) {
            let same = before.iter().find(|worker| Arc::ptr_eq(&worker.runtime.target, &runtime.target));
            let worker = worker_sites.new_worker(runtime, same.map(|worker| worker.upstream.clone()));
            if runtime.probe {
                learn::first(&worker.runtime, &worker.upstream);
            }
            self.workers.push(worker);
        }
        self.of = Some(sites.clone());
    }
}

/// The host that a client asks for: of the target where it has one (RFC 9112 section 3.2.2), else of the Host field. If no
/// site is on that, the last host that a trusted proxy names, if a site is on it: many proxies pass on what a client says
/// was the host before, and it must not lead past the Host that they have looked at.
fn host_of<'a, B>(connection: &Connection, request: &'a Request<B>, sites: &Sites) -> &'a str {
    let text = |value: &'a http::HeaderValue| value.to_str().unwrap_or_default().trim();
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str().rsplit('@').next().unwrap_or_default(),
        None => request.headers().get(HOST).map(text).unwrap_or_default(),
    };
    if !connection.trusted || sites.has_host(host) {
        return host;
    }
    let before = request.headers().get_all(headers::X_FORWARDED_HOST).iter().next_back().map(text).unwrap_or_default();
    let before = before.rsplit(',').next().unwrap_or_default().trim();
    if sites.has_host(before) { before } else { host }
}

/// What is said to who asks for what no site has (RFC 9110 sections 15.5.5 and 15.5.20).
fn stray(sites: &Sites, host: &str) -> Refusal {
    if sites.has_host(host) { refuse::NO_SITE } else { refuse::MISDIRECTED }
}
