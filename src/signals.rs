//! Waiting for the order to stop, and the one look at the upstream at the start.

use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use crate::upstream::Target;

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

/// Says so if the upstream cannot be reached at the start. Nothing waits for it: the proxy serves 502 until it is
/// there.
pub fn report_upstream(target: &Target) {
    let (host, port, origin) =
        (target.origin.host().to_string(), target.origin.port(), target.origin.as_str().to_owned());
    let _ = std::thread::Builder::new().name("first-look".into()).spawn(move || {
        let host = host.trim_matches(['[', ']']);
        let addresses = (host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
        let reached =
            addresses.iter().any(|address| TcpStream::connect_timeout(address, Duration::from_secs(2)).is_ok());
        if !reached {
            tracing::warn!(upstream = %origin, "the upstream cannot be reached; clients get 502 until it is back");
        }
    });
}
