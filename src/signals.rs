//! Waiting for the order to stop, and the one look at the upstream at the start.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::upstream::{Address, Target};

/// Waits for SIGTERM or SIGINT. A second one ends the process at once.
#[must_use]
pub fn wait() -> ExitCode {
    let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    tokio.block_on(signal());
    let _ = std::thread::Builder::new().name("second-signal".into()).spawn(move || {
        tokio.block_on(signal());
        std::process::exit(130);
    });
    ExitCode::SUCCESS
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

/// Says so if no address of the upstream can be reached at the start. Nothing waits for it: the proxy serves 502 until
/// one is there.
pub fn report_upstream(target: &Target) {
    let (addresses, origin) = (target.addresses().to_vec(), target.origin.as_str().to_owned());
    let _ = std::thread::Builder::new().name("first-look".into()).spawn(move || {
        if !addresses.iter().any(is_there) {
            tracing::warn!(upstream = %origin, "the upstream cannot be reached; clients get 502 until it is back");
        }
    });
}

fn is_there(address: &Address) -> bool {
    let connects = |address: &SocketAddr| TcpStream::connect_timeout(address, Duration::from_secs(2)).is_ok();
    match address {
        Address::Ip(address) => connects(address),
        Address::Name(name, port) => {
            (name.as_str(), *port).to_socket_addrs().is_ok_and(|mut addresses| addresses.any(|at| connects(&at)))
        }
        #[cfg(unix)]
        Address::Unix(path) => std::os::unix::net::UnixStream::connect(path).is_ok(),
        #[cfg(not(unix))]
        Address::Unix(_) => false,
    }
}
