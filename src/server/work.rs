//! One worker thread: it accepts connections, serves them and lets them end.

use std::io;
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::crew::Crew;
use super::{StdListener, Stop};
use crate::connection::stalled::{self, Stalled};
use crate::connection::{Connection, Timed};
use crate::proxy;
use crate::refuse;

/// Header lines of a request or an answer; more are refused.
const MAX_HEADERS: usize = 100;
/// After the drain time: how long streams may take to write their end.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// How often idle upstream connections are looked through, and a reload is noticed where nobody asks.
const TICK: Duration = Duration::from_secs(2);

/// Where a worker gets its connections from.
pub(super) enum Source {
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

/// Serves until the order to stop has come and all has ended.
pub(super) async fn work(source: Source, crew: Arc<Crew>, stop: &Stop, open: Arc<AtomicUsize>) {
    let connections = match source {
        Source::Listener(listener) => TcpListener::from_std(listener).map(Connections::Listener),
        Source::Inbox(inbox) => Ok(Connections::Inbox(inbox)),
    };
    let tracker = TaskTracker::new();
    match connections {
        Ok(connections) => {
            crew.refresh();
            let keeper = tokio::spawn(keep(crew.clone()));
            accept(connections, &crew, stop, &open, &tracker).await;
            drain(stop, crew.sites().first().bounds.drain, &tracker).await;
            keeper.abort();
        }
        Err(error) => tracing::error!(%error, "a worker cannot use its listener"),
    }
}

async fn accept(
    mut connections: Connections,
    crew: &Arc<Crew>,
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
                if !crew.note_arrival(guard.before) {
                    crew.sites().first().counters.refused(&refuse::TOO_MANY_CONNECTIONS);
                    turn_away(&stream);
                    continue;
                }
                let (crew, accepting) = (crew.clone(), stop.accepting.clone());
                tracker.spawn(async move {
                    let _guard = guard;
                    serve(stream, crew, accepting).await;
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

async fn serve(stream: TcpStream, crew: Arc<Crew>, stopping: CancellationToken) {
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    stalled::heed_progress(&stream);
    let sites = crew.sites();
    let connection = Arc::new(Connection::new(peer.ip(), sites.first().trusts(peer.ip())));
    let (bounds, counters) = (sites.first().bounds, sites.first().counters.clone());
    drop(sites);
    let timed = Timed::new(stream, connection.clone(), bounds.patience);
    let io = TokioIo::new(Stalled::new(timed, connection.clone(), bounds.stalled));
    let client = connection.clone();
    let service = service_fn(move |request| {
        // Boxed, so that a stream that runs for hours does not hold the memory of how it began.
        let worker = crew.worker(&connection, &request);
        Box::pin(proxy::serve(worker, connection.clone(), request))
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
        client.note_end(&error, &counters);
    }
}

/// Requests finish, streams go on until the drain time is over, and then end between two events.
async fn drain(stop: &Stop, limit: Duration, tracker: &TaskTracker) {
    tracker.close();
    if tokio::time::timeout(limit, tracker.wait()).await.is_ok() {
        return;
    }
    stop.streams.cancel();
    if tokio::time::timeout(LAST_WORDS, tracker.wait()).await.is_err() {
        tracing::warn!(connections = tracker.len(), "connections were cut: they did not end in the drain time");
    }
}

/// Closes idle upstream connections that are too old and takes up reloads, whether or not there is traffic.
async fn keep(crew: Arc<Crew>) {
    let mut every = tokio::time::interval(TICK);
    loop {
        every.tick().await;
        crew.refresh();
        crew.prune();
    }
}

/// Accepts, and hands connections to the workers in turn.
pub(super) async fn hand_over(listener: StdListener, workers: Vec<mpsc::UnboundedSender<StdStream>>, stop: &Stop) {
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
