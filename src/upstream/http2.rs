//! HTTP/2 to the upstream (RFC 9113): one connection for all exchanges of a thread, up to as many streams as the other
//! side takes, then another.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, Parts};
use http::{Request, Uri};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval};

use super::health::Place;
use super::socket::Socket;
use super::target::Target;
use super::{Failure, Upstream};
use crate::body::RequestBody;
use crate::body::pieces::Pieces;
use crate::refuse::{self, Refusal};

/// Streams of one connection, even where the other side takes more.
const STREAMS: usize = 25;
/// What may be on its way on one stream before the reader has taken it.
const WINDOW: u32 = 256 * 1024;
/// The same where memory is small.
const SMALL_WINDOW: u32 = 32 * 1024;
/// What is held of an upload that the other side does not take.
const SEND_BUFFER: usize = 64 * 1024;
/// A connection with open streams on which nothing came for so long is asked for a sign of life,
const PING_AFTER: Duration = Duration::from_secs(10);
/// and given up when none comes.
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// How often a new connection is looked at until the other side's settings have come.
const LOOK_FOR_SETTINGS: Duration = Duration::from_millis(1);

/// A connection that exchanges share.
pub(super) struct Shared {
    place: Arc<Place>,
    sender: http2::SendRequest<Pieces<RequestBody>>,
    use_: Arc<Use>,
    opened: Instant,
}

/// How much a connection is used.
struct Use {
    streams: AtomicUsize,
    /// What the other side takes; 0 until it has said.
    most: AtomicUsize,
}

/// One stream of a shared connection.
pub(super) struct Stream {
    pub(super) sender: http2::SendRequest<Pieces<RequestBody>>,
    use_: Arc<Use>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.use_.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn is_usable(&self, now: Instant, target: &Target) -> bool {
        !self.sender.is_closed() && now.saturating_duration_since(self.opened) <= target.limits.age
    }

    /// A stream, if there is room for one.
    fn stream(&self) -> Option<Stream> {
        let most = self.use_.most.load(Ordering::Relaxed).min(STREAMS);
        // Only its own thread adds to it.
        if self.use_.streams.load(Ordering::Relaxed) >= most {
            return None;
        }
        self.use_.streams.fetch_add(1, Ordering::Relaxed);
        Some(Stream { sender: self.sender.clone(), use_: self.use_.clone() })
    }
}

/// Lets one of several exchanges make the connection that all of them need. Holds the last attempt that failed: who
/// waited for it has failed as well.
pub(super) type Gate = Arc<tokio::sync::Mutex<Option<(Instant, Refusal)>>>;

impl Upstream {
    /// A stream of a connection that is there, if one has room.
    pub(super) fn share(self: &Arc<Self>, place: &Arc<Place>, now: Instant) -> Option<Stream> {
        let shared = self.shared.lock().ok()?;
        let usable = shared.iter().filter(|one| Arc::ptr_eq(&one.place, place) && one.is_usable(now, &self.target));
        usable.filter_map(Shared::stream).next()
    }

    /// Speaks HTTP/2 over a new socket. Ready when the other side has said how many streams it takes: before that, more
    /// could be begun than it will ever look at.
    pub(super) async fn shared(self: &Arc<Self>, place: &Arc<Place>, socket: Socket) -> Result<Stream, Failure> {
        let head_bytes = u32::try_from(self.target.limits.head_bytes).unwrap_or(u32::MAX);
        let window = if self.target.limits.socket_bytes.is_some() { SMALL_WINDOW } else { WINDOW };
        let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(window)
            // More than the windows of all streams: those whose readers stand still cannot hold up the others. And much more,
            // because h2 gives up a connection on which more small frames wait than fit into half of its window, at 256 bytes
            // a frame. That is four windows a stream, so that events of 50 bytes fit.
            .initial_connection_window_size(8 * STREAMS as u32 * window)
            .initial_max_send_streams(0)
            .max_header_list_size(head_bytes)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_PATIENCE)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| Failure::new(refuse::UNREACHABLE, error))?;
        let use_ = Arc::new(Use { streams: AtomicUsize::new(0), most: AtomicUsize::new(0) });
        let (told, settings) = oneshot::channel();
        let (mut waiting, used) = (Some((told, interval(LOOK_FOR_SETTINGS))), use_.clone());
        tokio::spawn(async move {
            let ended = std::future::poll_fn(|cx| {
                let polled = Pin::new(&mut connection).poll(cx);
                let most = connection.current_max_send_streams();
                used.most.store(most, Ordering::Relaxed);
                if most > 0 {
                    if let Some((told, _)) = waiting.take() {
                        let _ = told.send(());
                    }
                } else if let Some((_, look)) = &mut waiting {
                    // hyper does not say that settings have come.
                    while look.poll_tick(cx).is_ready() {}
                }
                polled
            })
            .await;
            drop(waiting);
            if let Err(error) = ended {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        settings.await.map_err(|_| Failure::new(refuse::BAD_ANSWER, "no HTTP/2 is spoken there"))?;
        let shared = Shared { place: place.clone(), sender, use_, opened: Instant::now() };
        let stream = shared.stream().ok_or_else(|| Failure::from(refuse::UNREACHABLE))?;
        if let Ok(mut all) = self.shared.lock() {
            all.push(shared);
        }
        Ok(stream)
    }

    pub(super) fn prune_shared(&self, now: Instant) {
        if let Ok(mut shared) = self.shared.lock() {
            // Streams that are open go on: each holds its connection.
            shared.retain(|one| one.is_usable(now, &self.target));
        }
    }

    pub(super) fn gate(&self, place: &Arc<Place>) -> Gate {
        let Ok(mut gates) = self.gates.lock() else { return Gate::default() };
        if let Some((_, gate)) = gates.iter().find(|(of, _)| Arc::ptr_eq(of, place)) {
            return gate.clone();
        }
        let gate = Gate::default();
        // Addresses that are gone need none.
        gates.retain(|(of, _)| Arc::strong_count(of) > 1);
        gates.push((place.clone(), gate.clone()));
        gate
    }
}

/// Names the upstream as HTTP/2 does: `:authority` instead of Host (RFC 9113 section 8.3.1).
pub(super) fn address(request: &mut Request<RequestBody>, target: &Target) {
    if request.uri().authority().is_some() {
        return;
    }
    // HTTP/2 frames by itself (RFC 9113 section 8.2.2).
    request.headers_mut().remove(TRANSFER_ENCODING);
    let authority = match request.headers_mut().remove(HOST) {
        Some(host) if host != target.authority => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    };
    let mut parts = Parts::default();
    parts.scheme = Some(target.scheme());
    parts.authority = Some(authority.unwrap_or_else(|| target.uri_authority.clone()));
    parts.path_and_query = request.uri().path_and_query().cloned();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// The same, back: a request that HTTP/2 did not take may go over HTTP/1.1.
pub(super) fn unaddress(request: &mut Request<RequestBody>) {
    let Some(authority) = request.uri().authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
}

/// Whether the other side says that it has done nothing about a request (RFC 9113 section 8.7): it refused the stream, or
/// it is going away and the stream is above the last one that it looked at.
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|error| {
        error.is_remote()
            && (error.is_go_away() || (error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM)))
    })
}

/// Whether the stream was given up by the other side: the connection is not at fault, and to ask again on another would
/// be to ask twice.
pub(super) fn is_of_stream(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|error| error.is_reset())
}

/// Whether what came was no answer (RFC 9113 section 8.1.1): our own side gave up.
pub(super) fn is_bad_answer(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|error| !error.is_remote() && (error.is_reset() || error.is_go_away()))
}

fn cause(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref::<h2::Error>()
}
