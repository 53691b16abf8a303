//! The second listener: health, readiness, metrics, the page of flows and its data. Never on the public port; off unless it is asked for.
//!
//! It has a thread and a runtime of its own, so that no reader of the page costs an exchange anything.

mod events;
mod guard;
mod page;
mod routes;
pub mod source;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::server::StartError;
use crate::vitals::Vitals;
pub use events::MOST_LISTENERS;
use routes::Desk;
use source::Source;

/// Connections at a time: every listener one, and some for everything else.
const MOST_CONNECTIONS: usize = 2 * MOST_LISTENERS;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// How long a request's head may take, the wait for the next one included.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// After the order to stop: how long answers may take to get out.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// The listener at work.
pub struct Admin {
    pub address: SocketAddr,
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

/// Takes the address, if one is stated; nothing is served yet. So a port that is taken shows before anything has begun.
///
/// # Errors
/// When the address cannot be had.
pub fn bind(address: Option<SocketAddr>) -> Result<Option<StdListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let listener = StdListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map(Some).map_err(|source| StartError::Listen { address: address.into(), source })
}

/// Serves on a bound listener: the page too, if there is something to show on it.
///
/// # Errors
/// When a thread or a runtime cannot be had.
pub fn start(listener: StdListener, vitals: Arc<Vitals>, source: Option<Arc<dyn Source>>) -> Result<Admin, StartError> {
    let address = listener.local_addr().map_err(StartError::Worker)?;
    let stop = CancellationToken::new();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
    let desk = Arc::new(Desk::new(vitals, source, address.ip(), stop.clone()));
    let thread = std::thread::Builder::new()
        .name("admin".into())
        .spawn(move || tokio.block_on(serve(listener, desk)))
        .map_err(StartError::Worker)?;
    Ok(Admin { address, stop, thread })
}

impl Admin {
    /// Ends the event streams, lets answers get out, and stops.
    pub fn stop(self) {
        self.stop.cancel();
        let _ = self.thread.join();
    }
}

async fn serve(listener: StdListener, desk: Arc<Desk>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin page cannot use its listener"),
    };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = desk.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // One too many is hung up on: whoever holds that many is no person with a browser.
                let Ok(place) = places.clone().try_acquire_owned() else { continue };
                let desk = desk.clone();
                tracker.spawn(async move {
                    let _place = place;
                    connection(stream, desk).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the admin page");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    tracker.close();
    let _ = tokio::time::timeout(LAST_WORDS, tracker.wait()).await;
}

async fn connection(stream: TcpStream, desk: Arc<Desk>) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    // Who takes an event stream too slowly loses the connection, not only the events.
    let cut = CancellationToken::new();
    let stop = desk.stop.clone();
    let service = {
        let cut = cut.clone();
        service_fn(move |request| {
            let answer = desk.answer(&request, local.ip(), &cut);
            async move { Ok::<_, std::convert::Infallible>(answer) }
        })
    };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = cut.cancelled() => return,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection to the admin page ended");
    }
}
