//! Listeners: one for each worker or one for all, and how many connections the limit on open files allows.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Balance;

/// Pending connections that the system holds for a listener.
const BACKLOG: i32 = 1024;
/// Descriptors that are no connections: listeners, logs, the runtimes' own.
const OTHER_FILES: u64 = 64;

/// As many connections as were stated, if the limit on open files allows: each needs one to the upstream too.
pub(super) fn connections(stated: usize, is_start: bool) -> usize {
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return stated };
    let possible = usize::try_from(files.saturating_sub(OTHER_FILES) / 2).unwrap_or(usize::MAX).max(1);
    if is_start && possible < stated {
        tracing::info!(stated, possible, "the limit on open files allows fewer connections than limits.connections");
    }
    stated.min(possible)
}

/// One listener for each worker, or one for all, on the same port.
pub(super) fn listen(
    address: SocketAddr,
    threads: usize,
    balance: Balance,
) -> io::Result<(Vec<StdListener>, SocketAddr)> {
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
