//! The span of each exchange: a bounded queue takes it, and nobody ever waits for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Version};
use tokio::sync::mpsc;

use super::trace::Context;
use crate::ending::Ending;
use crate::endpoint::Class;

/// Spans that wait for the collector; what comes beyond is dropped and counted.
const QUEUE: usize = 4096;

/// Where spans come out.
pub type Inbox = mpsc::Receiver<Span>;

/// Takes spans from all workers.
pub struct Tracer {
    sample: f64,
    queue: mpsc::Sender<Span>,
    pub sent: AtomicU64,
    pub dropped: AtomicU64,
}

/// The part of a trace that one exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the upstream gets for its parent.
    pub own: Context,
    /// What the client sent, if that could be read.
    pub parent: Option<Context>,
    pub started: SystemTime,
}

/// One exchange, for the collector. As in the access log there is no query, no header field and no body in it.
#[derive(Clone, Debug)]
pub struct Span {
    pub trace: Trace,
    /// `None`: no site is where the request went.
    pub site: Option<String>,
    pub client: String,
    pub class: Class,
    pub method: Method,
    pub path: String,
    pub version: Version,
    pub status: StatusCode,
    pub mended: Vec<&'static str>,
    pub observed: Vec<&'static str>,
    pub untouched: Option<&'static str>,
    pub refused: Option<&'static str>,
    pub fault: &'static str,
    pub first_byte: Duration,
    pub total: Duration,
    pub bytes: u64,
    pub asked: u8,
    pub ending: Ending,
}

impl Tracer {
    /// A tracer, and where its spans come out.
    #[must_use]
    pub fn new(sample: f64) -> (Arc<Self>, Inbox) {
        let (queue, inbox) = mpsc::channel(QUEUE);
        (Arc::new(Self { sample, queue, sent: AtomicU64::new(0), dropped: AtomicU64::new(0) }), inbox)
    }

    /// Begins a span in the client's trace, or in a new one. Whether it is sent is the client's word (the sampled flag),
    /// or a share of the traces that begin here.
    #[must_use]
    pub fn begin(&self, parent: Option<Context>) -> Trace {
        let own = match parent {
            Some(parent) => Context { span: span_id(), ..parent },
            None => {
                let trace = fastrand::u128(1..);
                // The random part of an id is at its end (Trace Context level 2, section 3.2.2.3).
                let share = (trace as u64 >> 11) as f64 / (1_u64 << 53) as f64;
                Context { trace, span: span_id(), sampled: share < self.sample }
            }
        };
        Trace { own, parent, started: SystemTime::now() }
    }

    /// Takes a span that has ended, if there is room.
    pub fn take(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn span_id() -> u64 {
    fastrand::u64(1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_trace_goes_on_and_its_word_counts() {
        let (tracer, _inbox) = Tracer::new(0.0);
        for sampled in [true, false] {
            let parent = Context { trace: 7, span: 9, sampled };
            let trace = tracer.begin(Some(parent));
            assert_eq!((trace.own.trace, trace.own.sampled, trace.parent), (7, sampled, Some(parent)));
            assert_ne!(trace.own.span, 9);
        }
        assert!(!tracer.begin(None).own.sampled);
    }

    #[test]
    fn a_share_of_new_traces_is_sent() {
        let (all, _inbox) = Tracer::new(1.0);
        assert!((0..1000).all(|_| all.begin(None).own.sampled));
        let (half, _inbox) = Tracer::new(0.5);
        let sampled = (0..10_000).filter(|_| half.begin(None).own.sampled).count();
        assert!((4_000..6_000).contains(&sampled), "{sampled}");
    }
}
