//! An upstream that does on each connection what its script says, and keeps what it was asked.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::wire::{Message, Wire};
use super::{ok, soon};

/// Where the upstream listens and what it has seen. It ends when this is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    seen: watch::Receiver<Vec<Message>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

/// A connection of the upstream.
pub struct Conn {
    wire: Wire,
    /// Which connection this is, from 0.
    pub index: usize,
    seen: watch::Sender<Vec<Message>>,
}

impl Upstream {
    /// Runs the script on each connection.
    pub async fn script<F, Fut>(script: F) -> Self
    where
        F: Fn(Conn) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::script_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    /// As [`Upstream::script`], on a listener that is there already.
    pub fn script_on<F, Fut>(listener: TcpListener, script: F) -> Self
    where
        F: Fn(Conn) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let (sender, seen) = watch::channel(Vec::new());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let index = count.fetch_add(1, Ordering::SeqCst);
                running.spawn(script(Conn { wire: Wire::new(stream), index, seen: sender.clone() }));
            }
        });
        Self { address, seen, connections, task }
    }

    /// Answers each request on each connection with what the function says.
    pub async fn answering(answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::script(move |mut conn| {
            let answer = answer.clone();
            async move {
                while let Some(request) = conn.next().await {
                    conn.send(answer(&request)).await;
                }
            }
        })
        .await
    }

    /// Gives every request the same answer.
    pub async fn always(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::answering(move |_| reply.clone()).await
    }

    /// An address where nothing listens. It stays bound for as long as the tests run, so that no other test gets it. Whoever wants
    /// to listen there later still can (SO_REUSEADDR, socket(7)).
    pub async fn down() -> SocketAddr {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        std::mem::forget(socket);
        address
    }

    /// An upstream that greets.
    pub async fn sound() -> Self {
        Self::always(ok("hello")).await
    }

    /// Every request begun, in order, those that never ended included.
    pub fn begun(&self) -> Vec<Message> {
        self.seen.borrow().clone()
    }

    /// Every whole request.
    pub fn seen(&self) -> Vec<Message> {
        self.begun().into_iter().filter(|message| message.whole).collect()
    }

    /// Every whole request of a target.
    pub fn seen_at(&self, target: &str) -> Vec<Message> {
        self.seen().into_iter().filter(|message| message.target() == target).collect()
    }

    /// Waits until what it has seen is enough.
    pub async fn wait(&self, enough: impl FnMut(&Vec<Message>) -> bool) {
        soon(self.seen.clone().wait_for(enough)).await.unwrap();
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Conn {
    /// The next whole request; `None` when the proxy has closed or broken off. Either is kept.
    pub async fn next(&mut self) -> Option<Message> {
        let request = self.wire.request().await?;
        self.note(&request);
        request.whole.then_some(request)
    }

    /// Keeps a request that the script has read by itself.
    pub fn note(&self, request: &Message) {
        self.seen.send_modify(|seen| seen.push(request.clone()));
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.wire.reset();
    }
}

impl Deref for Conn {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
