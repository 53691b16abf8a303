//! Server-sent events: the whole state first, then every change in order. Who comes back gets the state anew, so that
//! nothing has to be remembered for anybody, and who cannot keep up is let go.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::source::Source;

/// Readers of the event stream at a time.
pub const MOST_LISTENERS: usize = 32;
/// Events that wait for a reader; the changes behind them wait in the watch.
const QUEUE: usize = 16;
/// How long a reader may take to make room for one more.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how much silence a comment says that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether the counters or the check have changed.
const SAMPLE: Duration = Duration::from_secs(1);
/// How soon a browser comes back.
const RETRY: &str = "retry: 2000\n\n";

/// The body of an event stream.
pub struct Events(mpsc::Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Begins a stream. It ends with the order to stop; a reader that is too slow loses its connection through `cut`.
pub fn start(
    source: Arc<dyn Source>,
    place: OwnedSemaphorePermit,
    stop: CancellationToken,
    cut: CancellationToken,
) -> Events {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let _place = place;
        let reader = Reader { sender: sender.clone(), last: Instant::now(), counters: Value::Null, check: None };
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Ended::Stopped,
            () = sender.closed() => Ended::Left,
            Err(ended) = tell(source.as_ref(), reader) => ended,
        };
        if ended == Ended::Slow {
            tracing::debug!("a reader of the admin page was too slow");
            cut.cancel();
        }
    });
    Events(receiver)
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    Left,
    Slow,
}

/// One reader, and what it was told last.
struct Reader {
    sender: mpsc::Sender<Bytes>,
    last: Instant,
    counters: Value,
    check: Option<Arc<Value>>,
}

/// Tells one reader until it leaves or is too slow.
async fn tell(source: &dyn Source, mut reader: Reader) -> Result<std::convert::Infallible, Ended> {
    // Watched first, read second: what happens in between is told twice rather than never.
    let mut watch = Some(source.watch());
    reader.send(RETRY.into()).await?;
    reader.send(event("state", &source.snapshot().to_string())).await?;
    let mut sample = tokio::time::interval(SAMPLE);
    sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            change = next(&mut watch) => match change {
                Ok(change) => reader.send(event("flow", &change)).await?,
                Err(RecvError::Lagged(_)) => return Err(Ended::Slow),
                // The counters go on.
                Err(RecvError::Closed) => watch = None,
            },
            _ = sample.tick() => reader.sample(source).await?,
        }
    }
}

/// The next change; never, if there will be none.
async fn next(watch: &mut Option<broadcast::Receiver<Arc<str>>>) -> Result<Arc<str>, RecvError> {
    match watch {
        Some(watch) => watch.recv().await,
        None => std::future::pending().await,
    }
}

impl Reader {
    async fn send(&mut self, bytes: Bytes) -> Result<(), Ended> {
        self.last = Instant::now();
        match tokio::time::timeout(PATIENCE, self.sender.send(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Left),
            Err(_) => Err(Ended::Slow),
        }
    }

    /// What has changed since it was last told; a comment if nothing has for long.
    async fn sample(&mut self, source: &dyn Source) -> Result<(), Ended> {
        let counters = source.counters();
        if counters != self.counters {
            self.send(event("counters", &counters.to_string())).await?;
            self.counters = counters;
        }
        let check = source.check();
        if let Some(check) = &check
            && !self.check.as_ref().is_some_and(|last| Arc::ptr_eq(last, check))
        {
            self.send(event("check", &check.to_string())).await?;
        }
        self.check = check;
        if self.last.elapsed() >= HEARTBEAT {
            self.send(Bytes::from_static(b": still here\n\n")).await?;
        }
        Ok(())
    }
}

/// An event. Data with line breaks take a field for each line (HTML section 9.2.6).
fn event(name: &str, data: &str) -> Bytes {
    let mut text = format!("event: {name}\n");
    for line in data.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}
