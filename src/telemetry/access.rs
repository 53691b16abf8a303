//! The access log: one line an exchange, written by a thread of its own so that no exchange waits for a terminal or a disk.
//! What cannot be written is dropped and counted.

mod forms;
mod out;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, Method, StatusCode, Version};
use jiff::Timestamp;

use self::out::{File, Out};
pub use crate::config::Format;
use crate::counters::SkipReason;
use crate::ending::Ending;
use crate::endpoint::Class;
use crate::plan::Fired;

/// When the buffer is this full and the writer does not come after, lines are dropped and counted.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// How long the last lines may take to be written at the end, if nobody reads them.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What one exchange came to.
pub struct Record<'a> {
    /// `None`: no site is where the request went.
    pub site: Option<&'a str>,
    pub peer: IpAddr,
    /// Who asks, if that is somebody behind the peer.
    pub client: Option<IpAddr>,
    pub class: Class,
    pub method: &'a Method,
    pub path: &'a str,
    pub version: Version,
    pub status: StatusCode,
    pub fired: &'a [Fired],
    pub untouched: Option<SkipReason>,
    /// The name of the refusal and whose fault it was, if the proxy answered itself.
    pub refused: Option<(&'static str, &'static str)>,
    pub first_byte: Duration,
    pub total: Duration,
    pub bytes: u64,
    pub ending: Ending,
    /// How often the upstream was asked.
    pub asked: u8,
    /// The address of the upstream that answered, where there are several.
    pub upstream: Option<&'a str>,
    /// The trace that the exchange is part of.
    pub trace: Option<u128>,
    /// What the client said of itself and where it came from: only the combined form has them.
    pub agent: Option<&'a HeaderValue>,
    pub referer: Option<&'a HeaderValue>,
}

/// Takes lines from all workers.
pub struct AccessLog {
    format: Format,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    /// Notified when the writer has ended.
    ended: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    buffer: String,
    /// The second whose date is formatted in `date`.
    second: u64,
    date: String,
    closed: bool,
    /// The file may have been moved away: it is to be opened again.
    reopen: bool,
    ended: bool,
}

impl AccessLog {
    /// Starts the writer.
    #[must_use]
    pub fn start(format: Format, out: impl std::io::Write + Send + 'static) -> Self {
        Self::write_to(format, Out::Stream(Box::new(out)))
    }

    /// Writes to the end of a file, which is opened again when somebody moves it or asks for that.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn to_file(format: Format, path: &Path) -> std::io::Result<Self> {
        Ok(Self::write_to(format, Out::File(File::open(path)?)))
    }

    fn write_to(format: Format, out: Out) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let write = move || out::write(&theirs, out);
        let writes =
            format != Format::Off && std::thread::Builder::new().name("access-log".into()).spawn(write).is_ok();
        Self { format: if writes { format } else { Format::Off }, shared }
    }

    /// Whether lines are written at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.format != Format::Off
    }

    /// Whether lines show what clients say of themselves.
    #[must_use]
    pub fn shows_agents(&self) -> bool {
        self.format == Format::Combined
    }

    /// Takes in one exchange.
    pub fn line(&self, record: &Record<'_>) {
        if self.format == Format::Off {
            return;
        }
        let Ok(mut state) = self.shared.state.lock() else { return };
        if state.buffer.len() > BUFFER_BYTES {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = state.buffer.is_empty();
        let millis = state.tell_time(self.format);
        let State { buffer, date, .. } = &mut *state;
        match self.format {
            Format::Json => forms::json(buffer, date, millis, record),
            Format::Combined => forms::combined(buffer, date, record),
            Format::Text | Format::Off => forms::text(buffer, date, millis, record),
        }
        drop(state);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }

    /// Opens the file again, for whoever has moved it away (SIGUSR1, SIGHUP).
    pub fn reopen(&self) {
        if let Ok(mut state) = self.shared.state.lock() {
            state.reopen = true;
        }
        self.shared.filled.notify_one();
    }

    /// Lines that were lost so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Writes what is there and ends the writer; does not wait for a reader that has stopped reading.
    pub fn close(&self) {
        let Ok(mut state) = self.shared.state.lock() else { return };
        state.closed = true;
        self.shared.filled.notify_one();
        if self.is_on() {
            let _ = self.shared.ended.wait_timeout_while(state, LAST_LINES, |state| !state.ended);
        }
    }
}

impl State {
    /// Formats the date once a second; answers the milliseconds within it.
    fn tell_time(&mut self, format: Format) -> u32 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.date.clear();
            let time = i64::try_from(now.as_secs()).ok().and_then(|second| Timestamp::from_second(second).ok());
            let form = match format {
                Format::Combined => "%d/%b/%Y:%H:%M:%S +0000",
                _ => "%Y-%m-%dT%H:%M:%S",
            };
            let _ = write!(self.date, "{}", time.unwrap_or_default().strftime(form));
        }
        now.subsec_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(log: &AccessLog) {
        log.line(&Record {
            site: Some("https://mcp.example.com"),
            peer: "127.0.0.1".parse().unwrap(),
            client: None,
            class: Class::Mcp,
            method: &Method::POST,
            path: "/mcp",
            version: Version::HTTP_11,
            status: StatusCode::OK,
            fired: &[],
            untouched: None,
            refused: None,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            bytes: 0,
            ending: Ending::Whole,
            asked: 1,
            upstream: None,
            trace: None,
            agent: None,
            referer: None,
        });
    }

    #[test]
    fn every_line_is_written_before_it_closes_and_a_moved_file_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
        let access = AccessLog::to_file(Format::Text, &path).unwrap();
        let lines = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
        for _ in 0..100 {
            log(&access);
        }
        while lines(&path) < 100 {
            std::thread::yield_now();
        }
        std::fs::rename(&path, &old).unwrap();
        access.reopen();
        while !path.exists() {
            std::thread::yield_now();
        }
        log(&access);
        access.close();
        assert_eq!((lines(&old), lines(&path), access.dropped()), (100, 1, 0));
    }

    /// Takes nothing, ever.
    struct Stuck(std::sync::mpsc::Receiver<()>);

    impl std::io::Write for Stuck {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(0)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_stopped_holds_nobody_up() {
        let (_gate, stuck) = std::sync::mpsc::channel();
        let access = AccessLog::start(Format::Json, Stuck(stuck));
        let before = std::time::Instant::now();
        for _ in 0..40_000 {
            log(&access);
        }
        assert!(access.dropped() > 0);
        access.close();
        assert!(before.elapsed() < Duration::from_secs(30), "{:?}", before.elapsed());
    }
}
