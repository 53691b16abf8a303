//! Exchanges tied together: what a client did, from the first challenge to the first tool, and where it stopped.
//!
//! Taped exchanges come in on the data path and are handed to a thread, which redacts them, finds the flow that each
//! belongs to, writes captures and tells whoever watches. Nothing is kept here that is not redacted.

pub mod book;
pub mod flow;
mod show;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::broadcast;

use super::capture::files::{Bounds, Files};
use super::capture::form::Head;
use super::stamp;
use crate::config::{Config, budget};
use crate::redact::{Redacted, Redactor};
use crate::secret;
use crate::tape::{RecordedExchange, Recorder, SiteFacts};
use book::{FlowIndex, Hosted, by_ranges};
use flow::{NOBODY, Sentence};

/// So many exchanges wait to be looked at; what comes beyond that is dropped and counted.
const WAITING: usize = 1024;
/// How often it is asked what can be said because time has passed.
const TICK: Duration = Duration::from_secs(2);
/// Who watches and is so far behind misses some.
const BACKLOG: usize = 256;

/// How flows are kept.
pub struct Setup {
    /// Where captures go, if they are written.
    pub capture: Option<Bounds>,
    pub hosted: Option<Hosted>,
    pub started: SystemTime,
    /// Bytes of memory that the process has; `None`: nobody knows.
    pub memory: Option<u64>,
}

/// Who watches over all flows.
pub struct Flows {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    book: Mutex<FlowIndex>,
    /// The sites that are served now.
    sites: ArcSwap<Vec<Arc<SiteFacts>>>,
    watchers: broadcast::Sender<Arc<str>>,
    waiting: AtomicUsize,
    most_waiting: usize,
    dropped: AtomicU64,
    /// Captures that could not be written.
    failed: AtomicU64,
}

enum Job {
    Opened(Box<RecordedExchange>),
    Ended(Box<RecordedExchange>),
    /// All that came before is done.
    Flush(Sender<()>),
    Stop,
}

impl Flows {
    /// What the configuration asks for; `None` if nobody wants to see flows.
    ///
    /// # Errors
    /// As [`Flows::start`].
    pub fn of(config: &Config) -> io::Result<Option<Arc<Self>>> {
        let process = &config.process;
        let has_page = process.admin.is_some() && process.admin_page;
        if process.capture.is_none() && !has_page {
            return Ok(None);
        }
        Self::start(Setup {
            capture: process.capture.clone(),
            hosted: Some(by_ranges(process.ranges.clone())),
            started: SystemTime::now(),
            memory: process.overload.memory.bytes,
        })
        .map(Some)
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// When the folder for captures cannot be used, or a thread or random bytes cannot be had.
    pub fn start(setup: Setup) -> io::Result<Arc<Self>> {
        let files = setup.capture.map(Files::new).transpose()?;
        let (jobs, inbox) = sync_channel(WAITING);
        let (most_waiting, most_shown) = budget::recorded(setup.memory);
        let shared = Arc::new(Shared {
            book: Mutex::new(FlowIndex::new(setup.hosted, setup.started, most_shown)),
            sites: ArcSwap::default(),
            watchers: broadcast::channel(BACKLOG).0,
            waiting: AtomicUsize::new(0),
            most_waiting,
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let key = secret::key().map_err(|_| io::Error::other("no random bytes can be had"))?;
        let keeper = Keeper { shared: shared.clone(), redactor: Redactor::new(key), known: None, files };
        let thread = std::thread::Builder::new().name("flows".into()).spawn(move || keeper.run(&inbox))?;
        Ok(Arc::new(Self { jobs, shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Everything that is known now.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let sites = self.shared.sites.load();
        match self.shared.book.lock() {
            Ok(book) => book.snapshot(SystemTime::now(), &sites),
            Err(_) => Value::Null,
        }
    }

    /// What happens from now on, each as a JSON text.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        self.shared.watchers.subscribe()
    }

    /// Waits until all that was taped so far has been looked at and written.
    pub fn flush(&self) {
        let (done, wait) = channel();
        if self.jobs.send(Job::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// How many exchanges were dropped because too many waited.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Hands on without ever waiting.
    fn hand_on(&self, taped: RecordedExchange, job: impl FnOnce(Box<RecordedExchange>) -> Job) {
        let size = size(&taped);
        let waiting = self.shared.waiting.fetch_add(size, Ordering::Relaxed);
        if waiting + size > self.shared.most_waiting || self.jobs.try_send(job(Box::new(taped))).is_err() {
            self.shared.waiting.fetch_sub(size, Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Recorder for Flows {
    fn sites(&self, sites: Vec<Arc<SiteFacts>>) {
        self.shared.sites.store(Arc::new(sites));
    }

    fn opened(&self, taped: &RecordedExchange) {
        self.hand_on(taped.clone(), Job::Opened);
    }

    fn ended(&self, taped: RecordedExchange) {
        self.hand_on(taped, Job::Ended);
    }
}

impl Drop for Flows {
    fn drop(&mut self) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if self.jobs.send(Job::Stop).is_ok()
            && let Some(thread) = thread
        {
            let _ = thread.join();
        }
        let (dropped, failed) = (self.dropped(), self.shared.failed.load(Ordering::Relaxed));
        if dropped + failed > 0 {
            tracing::warn!(dropped, failed, "exchanges are missing from flows or captures");
        }
    }
}

/// What a taped exchange takes while it waits.
fn size(taped: &RecordedExchange) -> usize {
    let bodies = taped
        .turns
        .iter()
        .map(|turn| turn.asked.body.bytes.len() + turn.came.as_ref().map_or(0, |came| came.body.bytes.len()));
    taped.asked.body.bytes.len() + taped.answered.body.bytes.len() + bodies.sum::<usize>() + 1024
}

/// What the thread has to itself.
struct Keeper {
    shared: Arc<Shared>,
    redactor: Redactor,
    /// The site whose names the redactor leaves readable.
    known: Option<Arc<SiteFacts>>,
    files: Option<Files>,
}

impl Keeper {
    fn run(mut self, inbox: &Receiver<Job>) {
        let mut ticked = Instant::now();
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Job::Opened(taped)) => self.take(&taped, false),
                Ok(Job::Ended(taped)) => self.take(&taped, true),
                Ok(Job::Flush(done)) => drop(done.send(())),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick(SystemTime::now());
            }
        }
    }

    fn take(&mut self, taped: &RecordedExchange, has_ended: bool) {
        self.shared.waiting.fetch_sub(size(taped), Ordering::Relaxed);
        if !SiteFacts::is_same(self.known.as_ref(), taped.site.as_ref()) {
            self.redactor.know(taped.site.as_deref().map(|site| &site.facts));
            self.known.clone_from(&taped.site);
        }
        let redacted = self.redactor.redact(taped);
        let now = SystemTime::now();
        let Ok(mut book) = self.shared.book.lock() else { return };
        let placed = book.take(&redacted, now);
        let about = book.flow(placed.flow).map(|flow| (stamp(flow.began), flow.client, flow.agent.clone()));
        drop(book);
        for other in &placed.merged {
            self.try_to(|files| files.close(*other, placed.flow, now));
        }
        if let (true, Some(about)) = (has_ended, about) {
            let head = head(taped.site.clone(), placed.flow, about);
            self.write(placed.flow, &redacted, now, head);
        }
        self.tell(&placed.news);
        if let Some(sentence) = placed.sentence {
            self.say(placed.flow, sentence, now);
        }
    }

    fn write(&mut self, flow: u64, redacted: &Redacted, now: SystemTime, head: Head) {
        self.try_to(|files| files.exchange(flow, redacted, now, || head));
    }

    fn tick(&mut self, now: SystemTime) {
        let Ok(mut book) = self.shared.book.lock() else { return };
        let (said, is_missed) = (book.tick(now), book.misses_hosted(now));
        drop(book);
        // To loopback addresses none can come.
        let is_public = self.shared.sites.load().iter().any(|site| !site.facts.public.is_loopback());
        if is_missed && is_public {
            tracing::warn!("{NOBODY}");
        }
        for (flow, sentence, news) in said {
            self.tell(&news);
            self.say(flow, sentence, now);
        }
    }

    fn tell(&self, news: &Value) {
        if self.shared.watchers.receiver_count() > 0 {
            let _ = self.shared.watchers.send(news.to_string().into());
        }
    }

    /// Says what can be said of a flow, once.
    fn say(&mut self, flow: u64, sentence: Sentence, now: SystemTime) {
        let text = sentence.text();
        if sentence.is_urgent() {
            tracing::warn!(flow, "{text}");
        }
        self.try_to(|files| files.note(flow, &text, now));
    }

    fn try_to(&mut self, write: impl FnOnce(&mut Files) -> io::Result<()>) {
        let Some(files) = &mut self.files else { return };
        if let Err(error) = write(files)
            && self.shared.failed.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::warn!(%error, "a capture cannot be written");
        }
    }
}

fn head(site: Option<Arc<SiteFacts>>, flow: u64, about: (String, IpAddr, String)) -> Head {
    let (began, client, agent) = about;
    Head { version: env!("CARGO_PKG_VERSION").to_owned(), site, flow, began, client: client.to_string(), agent }
}
