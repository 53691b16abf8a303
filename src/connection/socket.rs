//! The client's socket: TCP or Unix, with the clock on it, and TLS above that.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::server::TlsStream;

use super::stalled::heed_progress;
use super::{Connection, Patience, Phase};
use crate::lazy_timer::LazyTimer;

/// How a connection begins over HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The content type of a TLS handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// So much is read of a connection in order to see what it is: the whole head of most requests.
const FIRST_READ: usize = 4096;

/// A connection as it was accepted.
pub enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// Who is at the other end; `None` if nobody is any more. At a Unix socket it is this machine.
    #[must_use]
    pub fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            #[cfg(unix)]
            Self::Unix(_) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        }
    }

    /// Whether it has no network in it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    /// Small writes go out at once, the system tells soon when a client has taken something, and holds no more than this
    /// many bytes in each of its buffers if that is stated.
    pub fn prepare(&self, buffers: Option<usize>) {
        let sized = match self {
            Self::Tcp(stream) => {
                let _ = stream.set_nodelay(true);
                heed_progress(stream);
                buffers.map(|bytes| set_buffers(SockRef::from(stream), bytes))
            }
            #[cfg(unix)]
            Self::Unix(stream) => buffers.map(|bytes| set_buffers(SockRef::from(stream), bytes)),
        };
        if let Some(Err(error)) = sized {
            tracing::debug!(%error, "the system does not bound the buffers of a socket");
        }
    }
}

/// Has the system hold so many bytes at most that were not read, and as many that were not sent. It reckons twice that, for
/// its own account (socket(7)).
///
/// # Errors
/// When the system does not do it.
pub fn set_buffers(socket: SockRef<'_>, bytes: usize) -> io::Result<()> {
    socket.set_recv_buffer_size(bytes)?;
    socket.set_send_buffer_size(bytes)
}

/// What a client begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Tls,
    Http1,
    Http2,
}

impl Opening {
    /// `None` while it may still be either.
    fn of(start: &[u8]) -> Option<Self> {
        let length = start.len().min(PREFACE.len());
        match start.first() {
            None => None,
            Some(&HANDSHAKE) => Some(Self::Tls),
            Some(_) if start[..length] != PREFACE[..length] => Some(Self::Http1),
            Some(_) => (length == PREFACE.len()).then_some(Self::Http2),
        }
    }
}

/// The socket, with the clock on it: a read that waits longer than the phase allows fails.
pub struct Timed {
    socket: Socket,
    connection: Arc<Connection>,
    patience: Patience,
    alarm: LazyTimer,
    /// What was read in order to see what it is, and is still to be read.
    start: Bytes,
}

impl Timed {
    #[must_use]
    pub fn new(socket: Socket, connection: Arc<Connection>, patience: Patience) -> Self {
        Self { socket, connection, patience, alarm: LazyTimer::default(), start: Bytes::new() }
    }

    /// Waits until it can be told what the client speaks. Whoever hangs up before that speaks HTTP/1.1.
    ///
    /// # Errors
    /// When the connection breaks or the client takes too long.
    pub async fn opening(&mut self) -> io::Result<Opening> {
        let mut start = BytesMut::with_capacity(FIRST_READ);
        loop {
            let is_over = self.read_buf(&mut start).await? == 0;
            let opening = Opening::of(&start);
            if is_over || opening.is_some() {
                self.start = start.freeze();
                return Ok(opening.unwrap_or(Opening::Http1));
            }
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(deadline) = self.connection.deadline(&self.patience) else { return Poll::Pending };
        let connection = &self.connection;
        let patience = &self.patience;
        self.alarm
            .poll(cx, || connection.deadline(patience).unwrap_or(deadline))
            .map(|()| io::Error::new(io::ErrorKind::TimedOut, "the client took too long"))
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.start.is_empty() {
            let length = self.start.len().min(buf.remaining());
            buf.put_slice(&self.start[..length]);
            self.start.advance(length);
            if self.start.is_empty() {
                // Its memory is not held for as long as the connection lives.
                self.start = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.socket).poll_read(cx, buf) {
            Poll::Pending => self.poll_deadline(cx).map(Err),
            ready => {
                if self.connection.phase() == Phase::Idle {
                    self.connection.enter(Phase::Head);
                }
                ready
            }
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Behind an answer nothing is read before something comes: the clock of an idle client is set here.
        if self.connection.phase() == Phase::Idle
            && let Poll::Ready(error) = self.poll_deadline(cx)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// What HTTP is spoken over.
pub enum Stream {
    Plain(Timed),
    Tls(Box<TlsStream<Timed>>),
}

/// Reads and writes as whichever of them it is.
macro_rules! delegate {
    ($of:ident: $($(#[$attribute:meta])* $variant:ident),*) => {
        impl AsyncRead for $of {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$attribute])* Self::$variant(stream) => Pin::new(stream).poll_read(cx, buf),)*
                }
            }
        }

        impl AsyncWrite for $of {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$attribute])* Self::$variant(stream) => Pin::new(stream).poll_write(cx, buf),)*
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$attribute])* Self::$variant(stream) => Pin::new(stream).poll_flush(cx),)*
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$attribute])* Self::$variant(stream) => Pin::new(stream).poll_shutdown(cx),)*
                }
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$attribute])* Self::$variant(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),)*
                }
            }

            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    };
}

delegate!(Socket: Tcp, #[cfg(unix)] Unix);
delegate!(Stream: Plain, Tls);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        for (start, expected) in [
            (&b""[..], None),
            (b"G", Some(Opening::Http1)),
            (b"P", None),
            (b"PO", Some(Opening::Http1)),
            (b"PR", None),
            (b"PRO", Some(Opening::Http1)),
            (b"PRI * HTTP/2.0\r\n", None),
            (b"PRI * HTTP/1.1\r\n", Some(Opening::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSX", Some(Opening::Http1)),
            (PREFACE, Some(Opening::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", Some(Opening::Http2)),
            (b"\x16\x03\x01", Some(Opening::Tls)),
            (b"\r\nGET", Some(Opening::Http1)),
        ] {
            assert_eq!(Opening::of(start), expected, "{start:?}");
        }
    }
}
