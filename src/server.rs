//! Starting and stopping: listeners, one worker thread for each core, and the order in which things end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::inbox::Inboxes;
use crate::config::Config;
use crate::connection::{Connection, Patience, Timed};
use crate::edit::origin::Origin;
use crate::exchange::Facts;
use crate::learn::{self, Learner};
use crate::plan::Plan;
use crate::proxy::{self, Worker};
use crate::repairs::REPAIRS;
use crate::runtime::{Bounds, Runtime};
use crate::telemetry::access::AccessLog;
use crate::telemetry::counters::Counters;
use crate::telemetry::tape::Recorder;
use crate::upstream::{Target, TargetError, Upstream};

/// Header lines of a request or an answer; more are refused.
const MAX_HEADERS: usize = 100;
/// Pending connections that the system holds for a listener.
const BACKLOG: i32 = 1024;
/// How long the stream of an answer may be silent before anything has come; one that a GET opens, not at all.
const FIRST_SILENCE: Duration = Duration::from_millis(200);
/// Descriptors that are no connections: listeners, logs, the runtimes' own.
const OTHER_FILES: u64 = 64;
/// After the drain time: how long streams may take to write their end.
const LAST_WORDS: Duration = Duration::from_millis(700);

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
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
    #[error(transparent)]
    Target(#[from] TargetError),
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
}

impl From<AccessLog> for Outlets {
    fn from(access: AccessLog) -> Self {
        Self { access, recorder: None }
    }
}

/// A proxy at work.
pub struct Running {
    pub address: SocketAddr,
    pub runtime: Arc<Runtime>,
    stop: Stop,
    workers: Vec<JoinHandle<()>>,
}

/// The two orders to stop, in turn.
#[derive(Clone)]
struct Stop {
    accepting: CancellationToken,
    streams: CancellationToken,
    drain: Duration,
}

/// Starts the proxy. When this returns, connections are accepted.
///
/// # Errors
/// When the address is taken, a thread cannot be had or the TLS files cannot be read.
pub fn start(config: &Config, outlets: impl Into<Outlets>, balance: Balance) -> Result<Running, StartError> {
    let Outlets { access, recorder } = outlets.into();
    let threads = match config.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        stated => stated,
    };
    let (listeners, address) = listen(config.listen, threads, balance)
        .map_err(|source| StartError::Listen { address: config.listen, source })?;
    let public = config.public.clone().unwrap_or_else(|| default_public(address, &config.upstream));
    let mut runtime = runtime(config, public, address.ip().is_loopback(), access)?;
    runtime.bounds.connections = connections(config.limits.connections);
    let runtime = Arc::new(runtime);
    if let Some(recorder) = &recorder {
        recorder.site(&runtime.facts);
    }
    let stop =
        Stop { accepting: CancellationToken::new(), streams: CancellationToken::new(), drain: config.limits.drain };
    let open = Arc::new(AtomicUsize::new(0));
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
        let (stop, open) = (stop.clone(), open.clone());
        let worker = Worker {
            runtime: runtime.clone(),
            upstream: Upstream::new(runtime.target.clone()),
            stop_streams: stop.streams.clone(),
            recorder: recorder.clone(),
        };
        workers.push(spawn(format!("worker-{index}"), move || async move { work(source, worker, &stop, open).await })?);
    }
    if let (Balance::HandOver, Some(listener)) = (balance, listeners.next()) {
        let stop = stop.clone();
        workers.push(spawn("acceptor".into(), move || async move { hand_over(listener, inboxes, &stop).await })?);
    }
    Ok(Running { address, runtime, stop, workers })
}

/// A thread with a runtime of its own. The runtime is made here, so that its errors are the start's.
fn spawn<F: Future<Output = ()>>(
    name: String,
    run: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
    std::thread::Builder::new().name(name).spawn(move || tokio.block_on(run())).map_err(StartError::Worker)
}

impl Running {
    /// Stops: accepts no more, lets requests finish and streams go on for the drain time, then ends streams between
    /// two events. Returns when all is done.
    pub fn stop(self) {
        self.stop.accepting.cancel();
        for worker in self.workers {
            let _ = worker.join();
        }
        self.runtime.access.close();
    }
}

/// What workers share, for clients that use `public`, on a loopback address or not.
pub(crate) fn runtime(
    config: &Config,
    public: Origin,
    is_loopback: bool,
    access: AccessLog,
) -> Result<Runtime, StartError> {
    let limits = &config.limits;
    let stated_host = match &config.public {
        Some(public) => Some(HeaderValue::from_str(public.authority()).map_err(|_| StartError::Authority)?),
        None => None,
    };
    let target = Target::of(config)?;
    Ok(Runtime {
        facts: Facts {
            public,
            upstream: config.upstream.clone(),
            mcp_path: config.mcp_path.clone(),
            origins: config.origins.clone(),
            loopback_origins: is_loopback,
            scopes: config.scopes.clone(),
        },
        plan: Plan::new(REPAIRS, &config.modes),
        target: Arc::new(target),
        bounds: Bounds {
            patience: Patience { head: limits.head, idle: limits.idle, body: limits.body },
            head_bytes: limits.head_bytes,
            target_bytes: limits.target_bytes,
            request_bytes: limits.request_bytes,
            body_bytes: limits.body_bytes,
            body_time: limits.mend,
            learned: limits.learned,
            first_silence: FIRST_SILENCE,
            silence: limits.silence,
            connections: limits.connections,
            drain: limits.drain,
        },
        stated_host,
        preserve_host: config.preserve_host,
        trusted_proxies: config.trusted_proxies.clone(),
        admission: config.admission.clone(),
        show_repairs: config.show_repairs,
        ca_file: config.ca_file.clone(),
        probe: config.probe,
        as_client: false,
        learner: Learner::default(),
        inboxes: Inboxes::default(),
        counters: Counters::default(),
        checked: ArcSwapOption::empty(),
        access,
    })
}

/// The address that clients use when nobody states it: where we listen, as far as that can be called.
fn default_public(address: SocketAddr, fallback: &Origin) -> Origin {
    let host = match address {
        address if !address.ip().is_unspecified() => address.ip(),
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    Origin::of(&format!("http://{}", SocketAddr::new(host, address.port()))).unwrap_or_else(|_| fallback.clone())
}

/// As many connections as were stated, if the limit on open files allows: each needs one to the upstream too.
fn connections(stated: usize) -> usize {
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return stated };
    let possible = usize::try_from(files.saturating_sub(OTHER_FILES) / 2).unwrap_or(usize::MAX).max(1);
    if possible < stated {
        tracing::info!(stated, possible, "the limit on open files allows fewer connections than limits.connections");
    }
    stated.min(possible)
}

/// One listener for each worker, or one for all, on the same port.
fn listen(address: SocketAddr, threads: usize, balance: Balance) -> io::Result<(Vec<StdListener>, SocketAddr)> {
    let count = if balance == Balance::Kernel { threads } else { 1 };
    let mut address = address;
    let mut listeners: Vec<StdListener> = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if listeners.is_empty() && count > 1 && address.port() != 0 {
            // Sharing a port is for our own threads: a port that another process serves is taken.
            StdListener::bind(address)?;
        }
        socket.set_reuse_address(true)?;
        share_port(&socket, count > 1)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener: StdListener = socket.into();
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok((listeners, address))
}

#[cfg(unix)]
fn share_port(socket: &Socket, share: bool) -> io::Result<()> {
    if share { socket.set_reuse_port(true) } else { Ok(()) }
}

#[cfg(not(unix))]
fn share_port(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

/// Where a worker gets its connections from.
enum Source {
    Listener(StdListener),
    Inbox(mpsc::UnboundedReceiver<StdStream>),
}

enum Connections {
    Listener(TcpListener),
    Inbox(mpsc::UnboundedReceiver<StdStream>),
}

impl Connections {
    async fn next(&mut self) -> io::Result<Option<TcpStream>> {
        match self {
            Self::Listener(listener) => Ok(Some(listener.accept().await?.0)),
            Self::Inbox(inbox) => match inbox.recv().await {
                Some(stream) => TcpStream::from_std(stream).map(Some),
                None => Ok(None),
            },
        }
    }
}

async fn work(source: Source, worker: Worker, stop: &Stop, open: Arc<AtomicUsize>) {
    let connections = match source {
        Source::Listener(listener) => TcpListener::from_std(listener).map(Connections::Listener),
        Source::Inbox(inbox) => Ok(Connections::Inbox(inbox)),
    };
    let tracker = TaskTracker::new();
    match connections {
        Ok(connections) => {
            if worker.runtime.probe {
                learn::start(&worker.runtime, &worker.upstream);
            }
            let keeper = tokio::spawn(worker.upstream.clone().keep());
            accept(connections, &worker, stop, &open, &tracker).await;
            drain(stop, &tracker).await;
            keeper.abort();
        }
        Err(error) => tracing::error!(%error, "a worker cannot use its listener"),
    }
}

async fn accept(
    mut connections: Connections,
    worker: &Worker,
    stop: &Stop,
    open: &Arc<AtomicUsize>,
    tracker: &TaskTracker,
) {
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.accepting.cancelled() => return,
            stream = connections.next() => stream,
        };
        match stream {
            Ok(Some(stream)) => {
                let guard = Open::new(open);
                if guard.before >= worker.runtime.bounds.connections {
                    turn_away(&stream);
                    continue;
                }
                let (worker, accepting) = (worker.clone(), stop.accepting.clone());
                tracker.spawn(async move {
                    let _guard = guard;
                    serve(stream, worker, accepting).await;
                });
            }
            Ok(None) => return,
            Err(error) => {
                // Out of descriptors, most likely: wait for some to be given back, and do not spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Counts an open connection.
struct Open {
    count: Arc<AtomicUsize>,
    before: usize,
}

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        Self { before: count.fetch_add(1, Ordering::Relaxed), count: count.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection too many: says so, if that costs no waiting, and hangs up.
fn turn_away(stream: &TcpStream) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = stream.try_write(BUSY);
}

async fn serve(stream: TcpStream, worker: Worker, stopping: CancellationToken) {
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    let connection = Arc::new(Connection::new(peer.ip(), worker.runtime.trusts(peer.ip())));
    let bounds = worker.runtime.bounds;
    let io = TokioIo::new(Timed::new(stream, connection.clone(), bounds.patience));
    let service = service_fn(move |request| {
        // Boxed, so that a stream that runs for hours does not hold the memory of how it began.
        Box::pin(proxy::serve(worker.clone(), connection.clone(), request))
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_headers(MAX_HEADERS)
            .max_header_size(bounds.head_bytes)
            .serve_connection(io, service)
    );
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "client connection ended");
    }
}

/// Requests finish, streams go on until the drain time is over, and then end between two events.
async fn drain(stop: &Stop, tracker: &TaskTracker) {
    tracker.close();
    if tokio::time::timeout(stop.drain, tracker.wait()).await.is_ok() {
        return;
    }
    stop.streams.cancel();
    if tokio::time::timeout(LAST_WORDS, tracker.wait()).await.is_err() {
        tracing::warn!(connections = tracker.len(), "connections were cut: they did not end in the drain time");
    }
}

/// Accepts, and hands connections to the workers in turn.
async fn hand_over(listener: StdListener, workers: Vec<mpsc::UnboundedSender<StdStream>>, stop: &Stop) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    for worker in workers.iter().cycle() {
        let stream = tokio::select! {
            biased;
            () = stop.accepting.cancelled() => return,
            stream = listener.accept() => stream,
        };
        match stream.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => {
                let _ = worker.send(stream);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
