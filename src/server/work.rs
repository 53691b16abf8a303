//! One worker thread: it accepts connections, serves them and lets them end.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::Stop;
use super::gate::{ConnectionGate, Permit};
use super::listen::Listener;
use super::serve::{ClientConnection, serve};
use super::worker_sites::WorkerSites;
use crate::config::budget::with_room;
use crate::connection::Connection;
use crate::connection::socket::{Socket, Timed};
use crate::edit::json::Object;
use crate::refuse;
use crate::runtime::Bounds;

/// After the drain time: how long streams may take to write their end.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// How often idle upstream connections are looked through, and a reload is noticed where nobody asks.
const TICK: Duration = Duration::from_secs(2);

/// How long a connection that was turned away may take to read why.
const PARTING: Duration = Duration::from_secs(1);

/// Where a worker gets its connections from.
pub(super) enum Source {
    Listener(Listener),
    Inbox(mpsc::UnboundedReceiver<Handed>),
}

/// A listener that this thread waits for.
enum Accepting {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection on its way from one thread to another.
pub(super) enum Handed {
    Tcp(StdTcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

enum Connections {
    Listener(Accepting),
    Inbox(mpsc::UnboundedReceiver<Handed>),
}

impl Accepting {
    fn of(listener: Listener) -> io::Result<Self> {
        match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(Self::Tcp),
            #[cfg(unix)]
            Listener::Unix(listener) => UnixListener::from_std(listener).map(Self::Unix),
        }
    }

    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => Ok(Socket::Tcp(listener.accept().await?.0)),
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Socket::Unix(listener.accept().await?.0)),
        }
    }
}

impl Handed {
    fn of(socket: Socket) -> io::Result<Self> {
        match socket {
            Socket::Tcp(stream) => stream.into_std().map(Self::Tcp),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.into_std().map(Self::Unix),
        }
    }

    fn take(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Socket::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => UnixStream::from_std(stream).map(Socket::Unix),
        }
    }
}

impl Connections {
    /// The next connection; `None` when there are no more after the order to stop.
    async fn next(&mut self, stop: &Stop) -> io::Result<Option<Socket>> {
        match self {
            Self::Listener(listener) => tokio::select! {
                biased;
                () = stop.accepting.cancelled() => Ok(None),
                socket = listener.accept() => socket.map(Some),
            },
            // It ends when the other thread has stopped. What that thread has accepted is served: the client is connected.
            Self::Inbox(inbox) => match inbox.recv().await {
                Some(handed) => handed.take().map(Some),
                None => Ok(None),
            },
        }
    }
}

/// Serves until the order to stop has come and all has ended.
pub(super) async fn work(source: Source, worker_sites: Arc<WorkerSites>, gate: Arc<ConnectionGate>, stop: &Stop) {
    let connections = match source {
        Source::Listener(listener) => Accepting::of(listener).map(Connections::Listener),
        Source::Inbox(inbox) => Ok(Connections::Inbox(inbox)),
    };
    let tracker = TaskTracker::new();
    match connections {
        Ok(connections) => {
            worker_sites.refresh();
            let keeper = tokio::spawn(keep(worker_sites.clone()));
            accept(connections, &worker_sites, &gate, stop, &tracker).await;
            drain(stop, worker_sites.sites().no_site().bounds.drain, &tracker).await;
            keeper.abort();
        }
        Err(error) => tracing::error!(%error, "a worker cannot use its listener"),
    }
}

async fn accept(
    mut connections: Connections,
    worker_sites: &Arc<WorkerSites>,
    gate: &Arc<ConnectionGate>,
    stop: &Stop,
    tracker: &TaskTracker,
) {
    loop {
        match connections.next(stop).await {
            Ok(Some(socket)) => {
                let Some((connection, bounds)) = meet(&socket, worker_sites) else { continue };
                // A number that is stated is meant for clients with an address of their own.
                let is_local = socket.is_local() && bounds.connections_per_peer.is_some();
                let is_limited = !connection.trusted && !is_local;
                match gate.enter(Some(connection.peer).filter(|_| is_limited), connection.trusted, &bounds) {
                    Some(permit) => {
                        let (stopping, has_room) = (stop.accepting.clone(), permit.has_room);
                        let client = ClientConnection {
                            worker_sites: worker_sites.clone(),
                            connection,
                            bounds,
                            has_room,
                            stopping,
                        };
                        tracker.spawn(receive(socket, client, gate.acceptor(), permit));
                    }
                    None => {
                        worker_sites.sites().no_site().counters.refused(&refuse::TOO_MANY_CONNECTIONS);
                        // Who speaks TLS could read nothing before a handshake, which costs more than a request.
                        if gate.acceptor().is_none() {
                            turn_away(socket, gate);
                        }
                    }
                }
            }
            Ok(None) => return,
            Err(error) => wait_out(&error).await,
        }
    }
}

/// Out of descriptors, most likely: waits for some to be given back, and does not spin.
async fn wait_out(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Who connects. `None`: somebody who has gone again.
fn meet(socket: &Socket, worker_sites: &WorkerSites) -> Option<(Arc<Connection>, Bounds)> {
    let peer = socket.peer()?;
    let sites = worker_sites.sites();
    let process = sites.no_site();
    let connection = Connection::new(peer, process.trusts(peer));
    Some((Arc::new(connection), process.bounds))
}

/// Serves a connection to its end.
async fn receive(socket: Socket, client: ClientConnection, tls: Option<TlsAcceptor>, permit: Permit) {
    let buffers = client.bounds.socket_bytes;
    socket.prepare(if permit.has_room { buffers.map(with_room) } else { buffers });
    let timed = Timed::new(socket, client.connection.clone(), client.bounds.patience);
    serve(timed, client, tls).await;
    drop(permit);
}

/// One connection too many: says so and hangs up, if there are not too many of those either. What the client had sent is read first, as it would not see the answer
/// otherwise (RFC 9112 section 9.6).
fn turn_away(mut socket: Socket, gate: &Arc<ConnectionGate>) {
    let Some(lingering) = gate.linger() else { return };
    tokio::spawn(async move {
        let _lingering = lingering;
        let reply = refuse::TOO_MANY_CONNECTIONS.reply();
        let body = reply.json().map(Object::to_bytes).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json\r\n\
             Cache-Control: no-store\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let text = [head.as_bytes(), &body].concat();
        let said = async {
            socket.write_all(&text).await?;
            socket.shutdown().await?;
            let mut rest = [0; 1024];
            while socket.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(PARTING, said).await;
    });
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
async fn keep(worker_sites: Arc<WorkerSites>) {
    let mut every = tokio::time::interval(TICK);
    loop {
        every.tick().await;
        worker_sites.refresh();
        worker_sites.prune();
    }
}

/// Accepts, and hands connections to the workers in turn.
pub(super) async fn hand_over(listener: Listener, workers: Vec<mpsc::UnboundedSender<Handed>>, stop: &Stop) {
    let Ok(listener) = Accepting::of(listener) else { return };
    for worker in workers.iter().cycle() {
        let socket = tokio::select! {
            biased;
            () = stop.accepting.cancelled() => return,
            socket = listener.accept() => socket,
        };
        match socket.and_then(Handed::of) {
            Ok(handed) => {
                let _ = worker.send(handed);
            }
            Err(error) => wait_out(&error).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// The client is connected, and may have sent its request: dropped, it would see a reset.
    #[tokio::test]
    async fn what_was_accepted_before_the_order_to_stop_is_served() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let (outbox, inbox) = mpsc::unbounded_channel();
        assert!(outbox.send(Handed::Tcp(accepted)).is_ok());
        drop(outbox);
        let stop = Stop { accepting: CancellationToken::new(), streams: CancellationToken::new() };
        stop.accepting.cancel();
        let mut connections = Connections::Inbox(inbox);
        let both = async { (connections.next(&stop).await, connections.next(&stop).await) };
        let (first, then) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert!(matches!((first, then), (Ok(Some(_)), Ok(None))));
    }
}
