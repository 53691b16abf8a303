//! Listeners: one for each worker or one for all, and how much the limit on open files allows.

#[cfg(unix)]
mod unix;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener as StdTcpListener};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::Balance;
use crate::config::listen::Listen;
use crate::connection::socket::set_buffers;

/// Pending connections that the system holds for a listener.
const BACKLOG: i32 = 1024;
/// Descriptors that are no connections: listeners, logs, the runtimes' own, and some to refuse with.
const OTHER_FILES: u64 = 64;

/// Where clients of a socket without an address are.
pub(super) const HERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// A socket that accepts.
pub(super) enum Listener {
    Tcp(StdTcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// Where connections come from now.
pub(super) struct Bound {
    pub(super) listeners: Vec<Listener>,
    /// Where clients are: for sockets that have no address, this machine.
    pub(super) address: SocketAddr,
    /// What it is called.
    pub(super) name: String,
    pub(super) balance: Balance,
    /// Goes with the proxy.
    pub(super) file: Option<SocketFile>,
}

#[cfg(unix)]
pub(super) use unix::SocketFile;
#[cfg(not(unix))]
pub(super) struct SocketFile;

/// What descriptors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// Connections of clients.
    pub(super) connections: usize,
    /// Requests under way: each may have a connection to the upstream.
    pub(super) requests: usize,
    /// Connections to the upstream that wait for the next request.
    pub(super) kept: usize,
}

impl Files {
    /// As many connections and requests as were stated (no requests: as many as connections), if the limit on open files
    /// allows.
    pub(super) fn of(connections: usize, requests: usize, is_start: bool) -> Self {
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
        let divided = Self::divided(files, connections, requests);
        if is_start && divided.connections < connections {
            let (stated, possible) = (connections, divided.connections);
            tracing::info!(
                stated,
                possible,
                "the limit on open files allows fewer connections than limits.connections"
            );
        }
        divided
    }

    /// Two fifths at most are for connections, and as many for requests.
    fn divided(files: u64, connections: usize, requests: usize) -> Self {
        let all = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        let connections = connections.min((all / 5 * 2).max(1));
        let requests = if requests == 0 { connections } else { requests.min((all / 5 * 2).max(1)) };
        let kept = all.saturating_sub(connections.saturating_add(requests)).clamp(1, connections);
        Self { connections, requests, kept }
    }
}

/// Has connections begin with buffers of this size: how much may be on its way is agreed on before they are accepted.
pub(super) fn size(listeners: &[Listener], buffers: Option<usize>) {
    let Some(bytes) = buffers else { return };
    for listener in listeners {
        if let Listener::Tcp(listener) = listener
            && let Err(error) = set_buffers(SockRef::from(listener), bytes)
        {
            tracing::debug!(%error, "the system does not bound the buffers of a listener");
        }
    }
}

/// Opens what is stated.
pub(super) fn listen(listen: &Listen, threads: usize, balance: Balance) -> io::Result<Bound> {
    match listen {
        Listen::Tcp(address) => {
            let (listeners, address) = tcp(*address, threads, balance)?;
            let listeners = listeners.into_iter().map(Listener::Tcp).collect();
            Ok(Bound { listeners, address, name: address.to_string(), balance, file: None })
        }
        #[cfg(unix)]
        Listen::Unix(path) => {
            let (listener, file) = unix::bind(path, BACKLOG)?;
            let name = listen.to_string();
            Ok(Bound { listeners: vec![Listener::Unix(listener)], name, file: Some(file), ..Bound::local() })
        }
        #[cfg(unix)]
        Listen::Systemd => {
            let (listeners, names) = unix::passed_on()?;
            let address = listeners.iter().find_map(|listener| match listener {
                Listener::Tcp(listener) => listener.local_addr().ok(),
                Listener::Unix(_) => None,
            });
            let local = Bound::local();
            Ok(Bound { listeners, name: names.join(", "), address: address.unwrap_or(local.address), ..local })
        }
        #[cfg(not(unix))]
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl Bound {
    /// Of sockets that are only this machine's, and not shared by workers.
    fn local() -> Self {
        Self { listeners: Vec::new(), address: HERE, name: String::new(), balance: Balance::HandOver, file: None }
    }
}

/// One listener for each worker, or one for all, on the same port.
fn tcp(address: SocketAddr, threads: usize, balance: Balance) -> io::Result<(Vec<StdTcpListener>, SocketAddr)> {
    let count = if balance == Balance::Kernel { threads } else { 1 };
    let mut address = address;
    let mut listeners: Vec<StdTcpListener> = Vec::with_capacity(count);
    for _ in 0..count {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if listeners.is_empty() && count > 1 && address.port() != 0 {
            drop(claim(address)?);
        }
        socket.set_reuse_address(true)?;
        share_port(&socket, count > 1)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener: StdTcpListener = socket.into();
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok((listeners, address))
}

/// A socket that is bound to `address` and shares it with nobody: an error if another process serves there.
///
/// Only the threads of this process may share a port. The socket does not listen: a client that connects before the
/// real listeners are there is refused and tries again. A queue that is dropped would reset it.
fn claim(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

#[cfg(unix)]
fn share_port(socket: &Socket, share: bool) -> io::Result<()> {
    if share { socket.set_reuse_port(true) } else { Ok(()) }
}

#[cfg(not(unix))]
fn share_port(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_client_that_connects_too_early_is_refused_and_not_reset() {
        let claimed = claim(HERE).unwrap();
        let address = claimed.local_addr().unwrap().as_socket().unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_port_that_another_process_serves_is_taken() {
        let server = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = tcp(server.local_addr().unwrap(), 2, Balance::Kernel).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn all_descriptors_together_are_no_more_than_there_are() {
        for (files, connections, requests, expected) in [
            (1_000_000, 10_000, 0, (10_000, 10_000, 10_000)),
            (1024, 10_000, 0, (384, 384, 192)),
            (1024, 10_000, 100, (384, 100, 384)),
            (1024, 100, 10_000, (100, 384, 100)),
            (400, 10_000, 0, (134, 134, 68)),
            (84, 5000, 0, (8, 8, 4)),
            (60, 5000, 0, (1, 1, 1)),
        ] {
            let Files { connections, requests, kept } = Files::divided(files, connections, requests);
            assert_eq!((connections, requests, kept), expected, "{files}");
            assert!(files < OTHER_FILES || connections + requests + kept <= (files - OTHER_FILES) as usize);
        }
    }
}
