//! Starting and stopping: listeners, one worker thread for each core, and the order in which things end.

mod gate;
mod listen;
mod serve;
mod work;
mod worker_sites;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::gate::ConnectionGate;
use self::listen::{Bound, Files, SocketFile};
use self::work::Source;
use self::worker_sites::WorkerSites;
use crate::config::listen::Listen;
use crate::config::{Config, SiteConfig};
use crate::edit::origin::Origin;
use crate::hosts::Hosts;
use crate::notify::Watchdog;
use crate::otlp::OtlpError;
use crate::runtime::{Common, Runtime};
use crate::sites::Sites;
use crate::tape::Recorder;
use crate::telemetry::access::{AccessLog, Format};
use crate::telemetry::span::Tracer;
use crate::tls::server::{Certificates, ServerTlsError};
use crate::upstream::TargetError;
use crate::vitals::Vitals;

/// Bytes of the futures that serve a connection over HTTP/1.1, and one exchange on it. `benches/budget` keeps them small.
#[must_use]
pub fn sizes_of_futures() -> [usize; 2] {
    serve::sizes()
}

/// How connections get to the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Every worker listens; the kernel spreads connections over them (SO_REUSEPORT on Linux).
    Kernel,
    /// One thread accepts and hands over in turn.
    HandOver,
}

impl Balance {
    /// Only Linux spreads connections over sockets that share a port; elsewhere the last one gets them all.
    pub const DEFAULT: Self = if cfg!(target_os = "linux") { Self::Kernel } else { Self::HandOver };
}

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: Listen, source: io::Error },
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    #[error(transparent)]
    ServerTls(#[from] ServerTlsError),
    #[error("the upstream's name cannot stand in a Host header")]
    Authority,
    #[error("this system has no random numbers")]
    Randomness,
}

/// Where what is seen goes.
pub struct Outlets {
    pub access: AccessLog,
    /// Who gets whole exchanges.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// Who gets spans.
    pub tracer: Option<Arc<Tracer>>,
}

impl From<AccessLog> for Outlets {
    fn from(access: AccessLog) -> Self {
        Self { access, recorder: None, tracer: None }
    }
}

/// A proxy at work.
pub struct Running {
    /// Where clients are: for a socket without an address, this machine and no port.
    pub address: SocketAddr,
    /// What it listens on, as one would write it.
    pub name: String,
    /// What all sites share, over every reload.
    pub common: Common,
    /// The site that the configuration names first, as it was at the start.
    pub runtime: Arc<Runtime>,
    recorder: Option<Arc<dyn Recorder>>,
    sites: Arc<ArcSwap<Sites>>,
    gate: Arc<ConnectionGate>,
    stop: Stop,
    workers: Vec<JoinHandle<()>>,
    /// The file of the socket goes with the proxy.
    _file: Option<SocketFile>,
}

/// The two orders to stop, in turn.
#[derive(Clone)]
struct Stop {
    accepting: CancellationToken,
    streams: CancellationToken,
}

/// Starts the proxy. When this returns, connections are accepted.
///
/// # Errors
/// When the address is taken, a thread cannot be had or the TLS files cannot be read.
pub fn start(config: &Config, outlets: impl Into<Outlets>, balance: Balance) -> Result<Running, StartError> {
    let Outlets { access, recorder, tracer } = outlets.into();
    let process = &config.process;
    let threads = match process.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        stated => stated,
    };
    let Bound { listeners, address, name, balance, file } = listen::listen(&process.listen, threads, balance)
        .map_err(|source| StartError::Listen { address: process.listen.clone(), source })?;
    listen::size(&listeners, process.overload.socket_bytes);
    let common = Common { tracer, ..Common::new(access) };
    let sites = sites(config, address, &common, None)?;
    let runtime = sites.first().clone();
    if let Some(recorder) = &recorder {
        recorder.sites(sites.recorded());
    }
    let gate = ConnectionGate::new(config.process.tls.as_ref(), &public_host(&runtime), common.life.clone())?;
    let (sites, gate) = (Arc::new(ArcSwap::from_pointee(sites)), Arc::new(gate));
    let stop = Stop { accepting: CancellationToken::new(), streams: CancellationToken::new() };
    let watchdog = Watchdog::asked();
    let mut workers = Vec::with_capacity(threads + 1);
    let mut inboxes = Vec::new();
    let mut listeners = listeners.into_iter();
    for index in 0..threads {
        let source = match balance {
            Balance::Kernel => match listeners.next() {
                Some(listener) => Source::Listener(listener),
                None => break,
            },
            Balance::HandOver => {
                let (outbox, inbox) = mpsc::unbounded_channel();
                inboxes.push(outbox);
                Source::Inbox(inbox)
            }
        };
        let (stop, gate) = (stop.clone(), gate.clone());
        let worker_sites = Arc::new(WorkerSites::new(sites.clone(), stop.streams.clone(), recorder.clone()));
        let run = move || async move { work::work(source, worker_sites, gate, &stop).await };
        workers.push(spawn(format!("worker-{index}"), watchdog.as_ref(), run)?);
    }
    for (index, listener) in listeners.enumerate() {
        let (stop, inboxes) = (stop.clone(), inboxes.clone());
        let run = move || async move { work::hand_over(listener, inboxes, &stop).await };
        workers.push(spawn(format!("acceptor-{index}"), watchdog.as_ref(), run)?);
    }
    if let Some(watchdog) = watchdog {
        watchdog.watch();
    }
    Ok(Running { address, name, common, runtime, recorder, sites, gate, stop, workers, _file: file })
}

/// Whether a configuration could be served: reads every file that is needed, and starts nothing.
///
/// # Errors
/// When one cannot be used.
pub fn try_out(config: &Config) -> Result<(), StartError> {
    let common = Common::new(AccessLog::start(Format::Off, io::sink()));
    let address = config.process.listen.tcp().unwrap_or(listen::HERE);
    let sites = sites(config, address, &common, None)?;
    ConnectionGate::new(config.process.tls.as_ref(), &public_host(sites.first()), common.life).map(|_| ())
}

/// All sites of a configuration. What `before` has and is still the same goes on: what was learned, connections.
fn sites(config: &Config, address: SocketAddr, common: &Common, before: Option<&Sites>) -> Result<Sites, StartError> {
    common.load.set_roomy(config.process.overload.roomy);
    let process = &config.process;
    let files = Files::of(process.limits.connections, process.overload.requests, before.is_none());
    common.load.set_most_kept(files.kept);
    let one = |site: &SiteConfig| {
        let public = site.public.clone().unwrap_or_else(|| {
            let scheme = if process.tls.is_some() { "https" } else { "http" };
            default_public(scheme, address, &site.upstream)
        });
        // Pages of this machine may call a proxy that this machine's clients use, and no others may.
        let is_local = address.ip().is_loopback() || public.is_loopback();
        let mut runtime = Runtime::of(process, site, public, is_local, common)?;
        (runtime.bounds.connections, runtime.bounds.requests) = (files.connections, files.requests);
        // A socket file has no port, and no page can reach it.
        if address.port() != 0 {
            runtime.hosts = Hosts::of(address, &runtime.facts.public, &process.hosts);
        }
        if let Some(before) = before {
            runtime.go_on_from(before.iter().map(|site| &**site));
        }
        Ok::<_, StartError>(Arc::new(runtime))
    };
    let rest = config.sites.rest().iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let first = one(config.sites.first())?;
    let mut no_site = Runtime::of_no_site(process, common)?;
    // Connections are counted there, and what is held up is told to make room by its bounds.
    (no_site.bounds.connections, no_site.bounds.requests) = (files.connections, files.requests);
    Ok(Sites::new(first, rest, process.catch_all, Arc::new(no_site)))
}

/// For whom a certificate is made, if one has to be.
fn public_host(runtime: &Runtime) -> String {
    runtime.facts.public.host().to_string()
}

/// A thread with a runtime of its own. The runtime is made here, so that its errors are the start's.
fn spawn<F: Future<Output = ()>>(
    name: String,
    watchdog: Option<&Watchdog>,
    run: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
    let pulse = watchdog.map(Watchdog::pulse);
    let work = move || {
        if let Some(pulse) = pulse {
            tokio.spawn(pulse.beat());
        }
        tokio.block_on(run());
    };
    std::thread::Builder::new().name(name).spawn(work).map_err(StartError::Worker)
}

impl Running {
    /// Serves what this configuration says from the next request on; exchanges under way end as they began.
    ///
    /// # Errors
    /// When a file cannot be used; then nothing has changed.
    pub fn reload(&self, config: &Config) -> Result<(), StartError> {
        let before = self.sites.load_full();
        let sites = sites(config, self.address, &self.common, Some(&before))?;
        let change = self.gate.change(config.process.tls.as_ref(), &public_host(sites.first()))?;
        let recorded = sites.recorded();
        self.sites.store(Arc::new(sites));
        if let Some(recorder) = &self.recorder {
            recorder.sites(recorded);
        }
        self.gate.apply(change);
        Ok(())
    }

    /// Reads the certificates again, and says whether they have changed. Connections that stand are not touched; who
    /// connects from now on is shown the new ones.
    ///
    /// # Errors
    /// When one of them cannot be used: then the old ones stay.
    pub fn reload_certificates(&self) -> Result<bool, ServerTlsError> {
        self.gate.reload()
    }

    /// The certificates that clients are shown, if TLS is spoken; their files are to be watched.
    #[must_use]
    pub fn certificates(&self) -> Option<Arc<Certificates>> {
        self.gate.certificates()
    }

    /// How it fares, for those who watch.
    #[must_use]
    pub fn vitals(&self) -> Arc<Vitals> {
        Arc::new(Vitals::new(self.common.clone(), Some(self.sites.clone())))
    }

    /// The sites as they are now.
    #[must_use]
    pub fn sites(&self) -> Arc<Sites> {
        self.sites.load_full()
    }

    /// Stops: accepts no more, lets requests finish and streams go on for the drain time, then ends streams between
    /// two events. Returns when all is done.
    pub fn stop(self) {
        self.common.life.drain();
        self.stop.accepting.cancel();
        for worker in self.workers {
            let _ = worker.join();
        }
        self.common.access.close();
    }
}

/// The address that clients use when nobody states it: where we listen, as far as that can be called.
fn default_public(scheme: &str, address: SocketAddr, fallback: &Origin) -> Origin {
    if address.port() == 0 {
        return Origin::of(&format!("{scheme}://localhost")).unwrap_or_else(|_| fallback.clone());
    }
    let host = match address {
        address if !address.ip().is_unspecified() => address.ip(),
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    Origin::of(&format!("{scheme}://{}", SocketAddr::new(host, address.port()))).unwrap_or_else(|_| fallback.clone())
}
