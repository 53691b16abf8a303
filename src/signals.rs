//! Orders from outside: stop, reload. And the one look at the upstream at the start.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::upstream::{Address, Target};

/// What a process may be told while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// SIGTERM or SIGINT: finish what is under way, and end. A second one ends the process at once.
    Stop,
    /// SIGHUP, or a file has changed.
    Reload,
    /// SIGUSR1: log files were moved away.
    Reopen,
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
    user_1: Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hang_up.recv() => Order::Reload,
            _ = self.user_1.recv() => Order::Reopen,
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
