//! The access log: one line an exchange, written by a thread of its own so that no exchange waits for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use jiff::Timestamp;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde_json::json;

use crate::body::Ending;
use crate::endpoint::Class;
use crate::plan::Fired;
use crate::repair::Mode;
use crate::telemetry::counters::Untouched;

/// Longer paths are cut in the log.
const PATH_CHARS: usize = 120;
/// When the buffer is this full and the writer does not come after, lines are dropped and counted.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// How long a line may wait for others to be written with it.
const BATCH: Duration = Duration::from_millis(20);

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    Off,
}

/// What one exchange came to.
pub struct Record<'a> {
    pub peer: IpAddr,
    pub class: Class,
    pub method: Method,
    pub path: &'a str,
    pub status: StatusCode,
    pub fired: Vec<Fired>,
    pub untouched: Option<Untouched>,
    /// The name of the refusal and whose fault it was, if the proxy answered itself.
    pub refused: Option<(&'static str, &'static str)>,
    pub first_byte: Duration,
    pub total: Duration,
    pub bytes: u64,
    pub ending: Ending,
}

/// Takes lines from all workers.
pub struct AccessLog {
    format: Format,
    shared: Arc<Shared>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    buffer: String,
    /// The second whose date is formatted in `date`.
    second: u64,
    date: String,
    dropped: u64,
    closed: bool,
}

impl AccessLog {
    /// Starts the writer.
    #[must_use]
    pub fn start(format: Format, out: impl std::io::Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let writer = (format != Format::Off)
            .then(|| std::thread::Builder::new().name("access-log".into()).spawn(move || write_out(&theirs, out)).ok())
            .flatten();
        let format = if writer.is_some() { format } else { Format::Off };
        Self { format, shared, writer: Mutex::new(writer) }
    }

    /// Takes in one exchange.
    pub fn line(&self, record: &Record<'_>) {
        if self.format == Format::Off {
            return;
        }
        let Ok(mut state) = self.shared.state.lock() else { return };
        if state.buffer.len() > BUFFER_BYTES {
            state.dropped += 1;
            return;
        }
        let was_empty = state.buffer.is_empty();
        let millis = state.tell_time();
        let State { buffer, date, .. } = &mut *state;
        match self.format {
            Format::Json => json_line(buffer, date, millis, record),
            _ => text_line(buffer, date, millis, record),
        }
        drop(state);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }

    /// Writes what is there and ends the writer.
    pub fn close(&self) {
        if let Ok(mut state) = self.shared.state.lock() {
            state.closed = true;
        }
        self.shared.filled.notify_one();
        if let Some(writer) = self.writer.lock().ok().and_then(|mut writer| writer.take()) {
            let _ = writer.join();
        }
    }
}

impl State {
    /// Formats the date once a second; answers the milliseconds within it.
    fn tell_time(&mut self) -> u32 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs() != self.second {
            self.second = now.as_secs();
            self.date.clear();
            let time = i64::try_from(now.as_secs()).ok().and_then(|second| Timestamp::from_second(second).ok());
            let _ = write!(self.date, "{}", time.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S"));
        }
        now.subsec_millis()
    }
}

fn write_out(shared: &Shared, mut out: impl std::io::Write) {
    let mut batch = String::new();
    loop {
        {
            let Ok(mut state) = shared.state.lock() else { return };
            while state.buffer.is_empty() && !state.closed {
                state = match shared.filled.wait(state) {
                    Ok(state) => state,
                    Err(_) => return,
                };
            }
            if state.buffer.is_empty() {
                return;
            }
            std::mem::swap(&mut state.buffer, &mut batch);
            if state.dropped > 0 {
                let _ = writeln!(batch, "# {} lines were dropped: the log was written too slowly", state.dropped);
                state.dropped = 0;
            }
        }
        // Nobody reads it any more: there is nobody to tell either.
        let _ = out.write_all(batch.as_bytes()).and_then(|()| out.flush());
        batch.clear();
        if batch.capacity() > BUFFER_BYTES {
            batch = String::new();
        }
        let Ok(state) = shared.state.lock() else { return };
        if !state.closed {
            let _ = shared.filled.wait_timeout_while(state, BATCH, |state| !state.closed);
        }
    }
}

fn ids<'a>(record: &'a Record<'_>, mode: Mode) -> impl Iterator<Item = &'static str> + 'a {
    record.fired.iter().filter(move |fired| fired.mode == mode).map(|fired| fired.id)
}

/// The path as the log shows it: visible ASCII, so that nobody writes to a terminal through it; and whether it was cut.
fn shown(path: &str) -> (Cow<'_, str>, bool) {
    let shown: Cow<'_, str> = utf8_percent_encode(path, CONTROLS).into();
    match (shown.len() > PATH_CHARS, shown) {
        (false, shown) => (shown, false),
        (true, Cow::Borrowed(shown)) => (Cow::Borrowed(&shown[..PATH_CHARS]), true),
        (true, Cow::Owned(mut shown)) => {
            shown.truncate(PATH_CHARS);
            (Cow::Owned(shown), true)
        }
    }
}

fn text_line(out: &mut String, date: &str, millis: u32, record: &Record<'_>) {
    let (path, cut) = shown(record.path);
    let cut = if cut { "..." } else { "" };
    let mut digits = itoa::Buffer::new();
    out.push_str(date);
    out.push('.');
    // Three digits, zeros in front: the last three of a thousand and the rest.
    out.push_str(&digits.format(1000 + millis)[1..]);
    out.push_str("Z ");
    for part in [record.status.as_str(), " ", record.method.as_str(), " ", &path, cut, " "] {
        out.push_str(part);
    }
    out.push_str(digits.format(record.total.as_millis()));
    out.push_str("ms ");
    out.push_str(digits.format(record.bytes));
    out.push('B');
    for (label, mode) in [(" mended", Mode::Fix), (" observed", Mode::Observe)] {
        let mut label = Some(label);
        for id in ids(record, mode) {
            out.push_str(label.take().unwrap_or(","));
            out.push(' ');
            out.push_str(id);
        }
    }
    if let Some(why) = record.untouched {
        let _ = write!(out, " untouched ({})", why.name());
    }
    if let Some((name, fault)) = record.refused {
        let _ = write!(out, " refused: {name} (fault: {fault})");
    }
    match record.ending {
        Ending::Whole => {}
        Ending::UpstreamCut => out.push_str(" cut off by the upstream"),
        Ending::ClientLeft => out.push_str(" client left"),
        Ending::ClientStalled => out.push_str(" client took nothing"),
        Ending::Drained => out.push_str(" ended for shutdown"),
    }
    out.push('\n');
}

fn json_line(out: &mut String, date: &str, millis: u32, record: &Record<'_>) {
    let line = json!({
        "time": format!("{date}.{millis:03}Z"),
        "peer": record.peer.to_string(),
        "class": record.class.name(),
        "method": record.method.as_str(),
        "path": shown(record.path).0,
        "status": record.status.as_u16(),
        "mended": ids(record, Mode::Fix).collect::<Vec<_>>(),
        "observed": ids(record, Mode::Observe).collect::<Vec<_>>(),
        "untouched": record.untouched.map(Untouched::name),
        "refused": record.refused.map(|(name, _)| name),
        "fault": record.refused.map(|(_, fault)| fault),
        "first_byte_ms": u64::try_from(record.first_byte.as_millis()).unwrap_or(u64::MAX),
        "total_ms": u64::try_from(record.total.as_millis()).unwrap_or(u64::MAX),
        "bytes": record.bytes,
        "ending": record.ending.name(),
    });
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Finding;

    fn record() -> Record<'static> {
        Record {
            peer: "127.0.0.1".parse().unwrap(),
            class: Class::Mcp,
            method: Method::POST,
            path: "/mcp",
            status: StatusCode::UNAUTHORIZED,
            fired: vec![
                Fired {
                    id: "auth.challenge-missing",
                    slot: 0,
                    mode: Mode::Fix,
                    finding: Finding { what: "x".into(), ..Finding::default() },
                },
                Fired {
                    id: "cors.expose",
                    slot: 0,
                    mode: Mode::Fix,
                    finding: Finding { what: "x".into(), ..Finding::default() },
                },
            ],
            untouched: None,
            refused: None,
            first_byte: Duration::from_millis(2),
            total: Duration::from_millis(3),
            bytes: 20,
            ending: Ending::Whole,
        }
    }

    #[test]
    fn a_line_reads_well() {
        let mut out = String::new();
        text_line(&mut out, "2026-01-02T03:04:05", 6, &record());
        assert_eq!(out, "2026-01-02T03:04:05.006Z 401 POST /mcp 3ms 20B mended auth.challenge-missing, cors.expose\n");
        let mut out = String::new();
        json_line(&mut out, "2026-01-02T03:04:05", 6, &record());
        let line: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(line["mended"][1], "cors.expose");
        assert!(out.ends_with('\n') && out.matches('\n').count() == 1);
    }

    #[test]
    fn every_line_is_written_before_it_closes() {
        #[derive(Clone, Default)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::default();
        let log = AccessLog::start(Format::Text, sink.clone());
        for _ in 0..100 {
            log.line(&record());
        }
        log.close();
        assert_eq!(String::from_utf8(sink.0.lock().unwrap().clone()).unwrap().lines().count(), 100);
    }
}
