//! OpenTelemetry: a span for each exchange and all metrics, sent to a collector over OTLP (http/protobuf). Nothing of it is
//! there until an endpoint is configured.
//!
//! The SDK's own pipeline is not used: it cannot
//! be given histograms that were counted elsewhere, and does not say how many spans it lost.

mod client;
mod messages;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use self::client::{Client, Undelivered};
use self::messages::Writer;
pub use crate::config::Setup;
use crate::telemetry::span::{Inbox, Span, Tracer};
use crate::tls::client::{Offer, TlsError, Trust};
use crate::vitals::Vitals;

/// Spans that go in one message.
const BATCH: usize = 512;
/// How long a span may wait for others.
const LINGER: Duration = Duration::from_secs(2);
/// How long the collector may take for one message.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before a message is sent again that the collector could not take just then.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// How often it is said that the collector takes nothing.
const SAY: Duration = Duration::from_secs(60);

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot start the thread that sends to the collector: {0}")]
    Thread(#[source] io::Error),
}

/// Everything that is needed to send, before there is something to send.
pub struct Otlp {
    pub tracer: Arc<Tracer>,
    inbox: Inbox,
    client: Client,
    writer: Writer,
    interval: Duration,
}

/// The thread that sends.
pub struct Exporter {
    stop: CancellationToken,
    last_words: watch::Sender<Option<Instant>>,
    thread: JoinHandle<()>,
}

impl Otlp {
    /// Makes ready.
    ///
    /// # Errors
    /// When there is nothing to trust the collector's certificate by.
    pub fn new(setup: &Setup) -> Result<Self, OtlpError> {
        let (tracer, inbox) = Tracer::new(setup.sample);
        let config = || Trust::default().config(Offer::Http1).map(|(config, _)| Arc::new(config));
        let tls = setup.endpoint.is_secure().then(config).transpose()?;
        let client = Client::new(setup, tls);
        Ok(Self { tracer, inbox, client, writer: Writer::new(setup), interval: setup.interval })
    }

    /// Begins to send.
    ///
    /// # Errors
    /// When a thread or a runtime cannot be had.
    pub fn start(self, vitals: Arc<Vitals>) -> Result<Exporter, OtlpError> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(OtlpError::Thread)?;
        let stop = CancellationToken::new();
        let (last_words, until) = watch::channel(None);
        let Self { tracer, inbox, client, writer, interval } = self;
        let sender = Sender { tracer, client, writer, vitals, stop: stop.clone(), said: None, pending: None };
        let thread = std::thread::Builder::new()
            .name("otlp".into())
            .spawn(move || tokio.block_on(sender.run(inbox, interval, until)))
            .map_err(OtlpError::Thread)?;
        Ok(Exporter { stop, last_words, thread })
    }
}

impl Exporter {
    /// Sends what is left, until then at the latest.
    pub fn stop(self, until: Instant) {
        let _ = self.last_words.send(Some(until));
        self.stop.cancel();
        let _ = self.thread.join();
    }
}

struct Sender {
    tracer: Arc<Tracer>,
    client: Client,
    writer: Writer,
    vitals: Arc<Vitals>,
    stop: CancellationToken,
    said: Option<Instant>,
    /// Spans that are being sent, as a message, and how many: the order to stop may come in between.
    pending: Option<(Bytes, u64)>,
}

impl Sender {
    async fn run(mut self, mut inbox: Inbox, interval: Duration, until: watch::Receiver<Option<Instant>>) {
        let mut batch = Vec::with_capacity(BATCH);
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.work(&mut inbox, &mut batch, interval) => {}
        }
        inbox.close();
        let until = until.borrow().unwrap_or_else(Instant::now);
        if tokio::time::timeout_at(until.into(), self.finish(&mut inbox, &mut batch)).await.is_err() {
            let waiting = self.pending.as_ref().map_or(0, |(_, count)| *count) + (batch.len() + inbox.len()) as u64;
            self.tracer.dropped.fetch_add(waiting, Ordering::Relaxed);
            tracing::warn!(spans = waiting, "the OTLP collector was too slow for the last spans and metrics");
        }
    }

    /// Sends what comes, for ever.
    async fn work(&mut self, inbox: &mut Inbox, batch: &mut Vec<Span>, interval: Duration) {
        let (mut linger, mut metrics) = (tokio::time::interval(LINGER), tokio::time::interval(interval));
        for every in [&mut linger, &mut metrics] {
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            every.reset();
        }
        loop {
            let room = BATCH - batch.len();
            tokio::select! {
                biased;
                _ = linger.tick() => self.spans(batch).await,
                _ = metrics.tick() => self.metrics().await,
                _ = inbox.recv_many(batch, room) => {}
            }
            if batch.len() == BATCH {
                self.spans(batch).await;
            }
        }
    }

    /// Sends what is left. What was under way when the order to stop came goes first.
    async fn finish(&mut self, inbox: &mut Inbox, batch: &mut Vec<Span>) {
        self.send_pending().await;
        loop {
            while batch.len() < BATCH
                && let Ok(span) = inbox.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                break;
            }
            self.spans(batch).await;
        }
        self.metrics().await;
    }

    async fn spans(&mut self, batch: &mut Vec<Span>) {
        if !batch.is_empty() {
            let count = batch.len() as u64;
            self.pending = Some((self.writer.spans(batch.drain(..)).into(), count));
            self.send_pending().await;
        }
    }

    async fn send_pending(&mut self) {
        let Some((message, count)) = self.pending.clone() else { return };
        let rejected = match self.deliver("/v1/traces", message).await {
            Ok(answer) => messages::rejected(&answer).min(count),
            Err(()) => count,
        };
        self.pending = None;
        self.tracer.dropped.fetch_add(rejected, Ordering::Relaxed);
        self.tracer.sent.fetch_add(count - rejected, Ordering::Relaxed);
    }

    async fn metrics(&mut self) {
        let message = self.writer.metrics(&self.vitals.families(), self.vitals.started());
        // The next ones say the same and more.
        let _ = self.deliver("/v1/metrics", message.into()).await;
    }

    /// Sends a message, and again if the collector could not take it just then.
    async fn deliver(&mut self, path: &str, message: Bytes) -> Result<Bytes, ()> {
        let mut pauses = AGAIN.iter();
        loop {
            let why = match tokio::time::timeout(PATIENCE, self.client.post(path, message.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(why)) => why,
                Err(_) => Undelivered::for_now("no answer in time"),
            };
            self.client.hang_up();
            let pause = pauses.next().filter(|_| why.may_be_sent_again && !self.stop.is_cancelled());
            let Some(pause) = pause else {
                self.say(&why);
                return Err(());
            };
            tokio::time::sleep(*pause).await;
        }
    }

    /// Says that nothing arrives, not more often than somebody can read.
    fn say(&mut self, why: &Undelivered) {
        if self.said.is_none_or(|said| said.elapsed() > SAY) {
            self.said = Some(Instant::now());
            let dropped = self.tracer.dropped.load(Ordering::Relaxed);
            tracing::warn!(why = %why.what, dropped, "the OTLP collector takes nothing; traffic goes on");
        }
    }
}
