//! One connection: what is spoken on it is found out, and then spoken until it ends.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::worker_sites::WorkerSites;
use crate::body::pieces::Pieces;
use crate::config::budget;
use crate::connection::Connection;
use crate::connection::socket::{Opening, Stream, Timed};
use crate::connection::stalled::Stalled;
use crate::connection::window::{Streams, Window};
use crate::counters::CloseReason;
use crate::lazy_timer::LazyTimer;
use crate::proxy::{self, admit};
use crate::runtime::Bounds;

/// What of an answer may wait to be written for a client that reads slowly.
const SEND_BUFFER: usize = 32 * 1024;
/// What of an answer may wait in TLS to be written.
const TLS_BUFFER: usize = 16 * 1024;
/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// Streams that a client may have reset by its own errors, in the life of a connection (CVE-2025-8671).
const MOST_RESETS: usize = 1024;
/// How long a client may go on after GOAWAY if nothing is under way.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a connection that came just before the order to stop may take to ask something. Its request is on its way, and
/// who sent it could not know that nobody has seen it.
const FIRST_WORD: Duration = Duration::from_millis(300);

/// What is said on a TLS port to who speaks plain HTTP.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 58\r\n\
    Connection: close\r\n\r\nThis port speaks TLS: use https:// instead of http:// here";

/// One connection's surroundings.
pub(super) struct ClientConnection {
    pub(super) worker_sites: Arc<WorkerSites>,
    pub(super) connection: Arc<Connection>,
    pub(super) bounds: Bounds,
    /// Whether there is room for as many streams as clients may want.
    pub(super) has_room: bool,
    /// Cancelled when the order to stop has come.
    pub(super) stopping: CancellationToken,
}

/// Bytes of the futures that serve a connection over HTTP/1.1, and one exchange on it.
pub(super) fn sizes() -> [usize; 2] {
    const fn of_two<A, B, F>(_: &impl Fn(A, B) -> F) -> usize {
        size_of::<F>()
    }
    const fn of_three<A, B, C, F>(_: &impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
    [of_two(&serve_h1), of_three(&proxy::serve)]
}

/// Serves a connection to its end.
pub(super) async fn serve(timed: Timed, client: ClientConnection, tls: Option<TlsAcceptor>) {
    // Each part is boxed, so that a connection does not hold the memory of how it began.
    match Box::pin(meet(timed, tls, client.stopping.clone())).await {
        Ok(Some((stream, Opening::Http2))) => Box::pin(serve_h2(stream, client)).await,
        Ok(Some((stream, _))) => Box::pin(serve_h1(stream, client)).await,
        Ok(None) => {}
        Err(error) => {
            if error.kind() == std::io::ErrorKind::TimedOut {
                client.worker_sites.sites().no_site().counters.hung_up(CloseReason::HeadSlow);
            }
            tracing::debug!(%error, peer = %client.connection.peer, "a connection ended before its first request")
        }
    }
}

/// Waits for the first bytes, and shakes hands if TLS is spoken here. `None`: there is nothing to serve.
async fn meet(
    mut timed: Timed,
    tls: Option<TlsAcceptor>,
    stopping: CancellationToken,
) -> std::io::Result<Option<(Stream, Opening)>> {
    let met = async {
        let opening = timed.opening().await?;
        let Some(acceptor) = tls else { return Ok(Some((Stream::Plain(timed), opening))) };
        if opening != Opening::Tls {
            timed.write_all(SPEAK_TLS).await?;
            timed.shutdown().await?;
            return Ok(None);
        }
        let mut stream = acceptor.accept(timed).await?;
        stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
        let opening = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Opening::Http2,
            _ => Opening::Http1,
        };
        Ok(Some((Stream::Tls(Box::new(stream)), opening)))
    };
    let mut met = pin!(met);
    tokio::select! {
        biased;
        met = met.as_mut() => met,
        () = stopping.cancelled() => tokio::time::timeout(FIRST_WORD, met).await.unwrap_or(Ok(None)),
    }
}

async fn serve_h1(stream: Stream, client: ClientConnection) {
    let ClientConnection { worker_sites, connection, bounds, stopping, .. } = client;
    let (counters, client) = (worker_sites.sites().no_site().counters.clone(), connection.clone());
    let crowd = worker_sites.sites().no_site().crowd();
    let service = service_fn(move |request: http::Request<Incoming>| {
        // Boxed, so that a stream that runs for hours does not hold the memory of how it began.
        let worker = worker_sites.worker(&connection, &request);
        Box::pin(proxy::serve(worker, connection.clone(), request))
    });
    let stalled = Stalled::new(stream, client.clone(), bounds.stalled).making_room(crowd);
    let mut serving = pin!(
        http1::Builder::new()
            .header_read_timeout(None)
            .max_headers(admit::MAX_HEADERS)
            .max_header_size(bounds.head_bytes)
            .max_buf_size(bounds.head_bytes)
            .serve_connection(TokioIo::new(stalled), service)
    );
    let ended = tokio::select! {
        // First what has come already: a request that is there is answered.
        biased;
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

/// HTTP/2 (RFC 9113). When it is told to stop, or nothing was under way for too long, it says GOAWAY with NO_ERROR, and
/// what is under way ends as it would have.
async fn serve_h2(stream: Stream, client: ClientConnection) {
    let ClientConnection { worker_sites, connection, bounds, stopping, has_room } = client;
    connection.multiplex();
    let is_front = connection.trusted;
    let sites = worker_sites.sites();
    let (counters, crowd) = (sites.no_site().counters.clone(), sites.no_site().crowd());
    let of = connection.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let serving = proxy::serve(worker_sites.worker(&of, &request), of.clone(), request);
        Box::pin(async { serving.await.map(|answer| answer.map(|body| Pieces::of(body, Window::current()))) })
    });
    let mut stalled = Stalled::new(stream, connection.clone(), bounds.stalled).making_room(crowd);
    if !has_room {
        stalled = stalled.in_turns();
    }
    let streams = Streams::new(bounds.stalled, crowd, counters.clone());
    let (stream_window, connection_window) = budget::windows(has_room);
    // What one client of a trusted proxy does wrong must not end the connection of its other clients.
    let most_resets = (!is_front).then_some(MOST_RESETS);
    let mut serving = pin!(
        http2::Builder::new(streams)
            .timer(TokioTimer::new())
            // A stream with `:protocol` is refused by itself (RFC 8441), and does not end the connection of all others.
            .enable_connect_protocol()
            .max_local_error_reset_streams(most_resets)
            .max_concurrent_streams(if has_room { budget::MOST_STREAMS } else { bounds.streams })
            .initial_stream_window_size(stream_window)
            .initial_connection_window_size(connection_window)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_PATIENCE)
            .serve_connection(TokioIo::new(stalled), service)
    );
    let mut stopped = pin!(stopping.cancelled());
    let (mut quiet, mut is_leaving) = (LazyTimer::default(), false);
    let ended = std::future::poll_fn(|cx| {
        // First what has come already: a request that is there is answered.
        if let Poll::Ready(ended) = serving.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        if !is_leaving && stopped.as_mut().poll(cx).is_ready() {
            is_leaving = true;
            serving.as_mut().graceful_shutdown();
        }
        loop {
            if let Poll::Ready(ended) = serving.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            let more = if is_leaving { FAREWELL } else { Duration::ZERO };
            if quiet.poll(cx, || connection.quiet_until(&bounds.patience) + more).is_pending() {
                return Poll::Pending;
            }
            if is_leaving {
                return Poll::Ready(Ok(()));
            }
            is_leaving = true;
            counters.hung_up(if connection.had_streams() { CloseReason::Idle } else { CloseReason::HeadSlow });
            serving.as_mut().graceful_shutdown();
        }
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "client connection ended");
        connection.note_end(&error, &counters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_answer_says_how_long_it_is() {
        let text = std::str::from_utf8(SPEAK_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
