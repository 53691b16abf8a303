//! Orders from outside: stop, reload. And the one look at the upstream at the start.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::upstream::Target;

/// What a process may be told while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// SIGTERM or SIGINT: finish what is under way, and end. A second one ends the process at once.
    Stop,
    /// SIGHUP, or a file has changed.
    Reload,
}

/// Orders as they come.
pub struct Orders {
    sender: Sender<Order>,
    orders: Receiver<Order>,
}

impl Orders {
    /// The next order; waits for it.
    #[must_use]
    pub fn next(&self) -> Option<Order> {
        self.orders.recv().ok()
    }

    /// For whoever else gives orders.
    #[must_use]
    pub fn sender(&self) -> Sender<Order> {
        self.sender.clone()
    }
}

/// Takes signals from now on.
///
/// # Errors
/// When no runtime or thread can be had.
pub fn orders() -> io::Result<Orders> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _guard = tokio.enter();
        Signals::new()?
    };
    let (sender, orders) = channel();
    let to = sender.clone();
    std::thread::Builder::new().name("signals".into()).spawn(move || tokio.block_on(listen(signals, to)))?;
    Ok(Orders { sender, orders })
}

async fn listen(mut signals: Signals, to: Sender<Order>) {
    let mut stopping = false;
    loop {
        let order = signals.next().await;
        if order == Order::Stop && stopping {
            std::process::exit(130);
        }
        stopping |= order == Order::Stop;
        if to.send(order).is_err() && !stopping {
            return;
        }
    }
}

/// Waits for the order to stop.
#[must_use]
pub fn wait() -> ExitCode {
    let Ok(orders) = orders() else { return ExitCode::FAILURE };
    while let Some(order) = orders.next() {
        if order == Order::Stop {
            break;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(unix)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hang_up.recv() => Order::Reload,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Order {
        let _ = tokio::signal::ctrl_c().await;
        Order::Stop
    }
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
