//! The files of captures: one a flow, readable by their owner alone, and never more of them than was stated.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::form::{Entry, Head, Recorded};
pub use crate::config::Bounds;
use crate::knowledge::Knowledge;
use crate::redact::Redacted;
use crate::tape::SiteFacts;
use crate::telemetry::stamp;

/// So many files are kept open; of one that was closed, a second part is begun.
const MOST_OPEN: usize = 64;

/// How often it is looked which files are too old.
const COUNT_AGAIN: Duration = Duration::from_secs(600);

/// Writes captures.
pub struct Files {
    bounds: Bounds,
    open: HashMap<u64, Open>,
    /// The flows whose files are open, oldest first.
    order: VecDeque<u64>,
    /// Bytes of all files, and when they were last counted.
    total: u64,
    counted: SystemTime,
}

struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    is_full: bool,
    /// What its head says of the site.
    site: Option<Arc<SiteFacts>>,
    /// What was written last of what is known of the upstream.
    known: Option<Knowledge>,
}

impl Files {
    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or something else is there.
    pub fn new(bounds: Bounds) -> io::Result<Self> {
        make_dir(&bounds.dir)?;
        let counted = SystemTime::now();
        let mut files = Self { bounds, open: HashMap::new(), order: VecDeque::new(), total: 0, counted };
        files.clean(counted, 0)?;
        Ok(files)
    }

    /// Writes an exchange to the file of its flow. `head` is asked for a new one; that is begun too when the site of the flow
    /// was configured anew, since a head holds for a whole file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn exchange(
        &mut self,
        flow: u64,
        exchange: &Redacted,
        now: SystemTime,
        head: impl FnOnce() -> Head,
    ) -> io::Result<()> {
        let is_another = |open: &Open| !SiteFacts::is_same(open.site.as_ref(), exchange.site.as_ref());
        if self.open.get(&flow).is_some_and(is_another) {
            self.note(flow, "its site was configured anew: this flow goes on in another file", now)?;
            self.forget(flow);
        }
        self.open(flow, now, head)?;
        let Some(open) = self.open.get_mut(&flow) else { return Ok(()) };
        let is_news = open.known.as_ref() != Some(&*exchange.known);
        if is_news {
            open.known = Some((*exchange.known).clone());
        }
        let text = Entry::Exchange(Box::new(Recorded::of(exchange, is_news))).write();
        self.write(flow, &text, now)
    }

    /// Writes what can be said of a flow, if it has a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&mut self, flow: u64, text: &str, now: SystemTime) -> io::Result<()> {
        if !self.open.contains_key(&flow) {
            return Ok(());
        }
        let text = Entry::Note { at: stamp(now), text: text.to_owned() }.write();
        self.write(flow, &text, now)
    }

    /// Nothing more comes for a flow: what follows is with another.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn close(&mut self, flow: u64, goes_on_in: u64, now: SystemTime) -> io::Result<()> {
        self.note(flow, &format!("this is the same login as flow {goes_on_in}: it goes on there"), now)?;
        self.forget(flow);
        Ok(())
    }

    fn forget(&mut self, flow: u64) {
        self.open.remove(&flow);
        self.order.retain(|have| *have != flow);
    }

    fn open(&mut self, flow: u64, now: SystemTime, head: impl FnOnce() -> Head) -> io::Result<()> {
        if self.open.contains_key(&flow) {
            return Ok(());
        }
        while self.order.len() >= MOST_OPEN {
            if let Some(oldest) = self.order.pop_front() {
                self.open.remove(&oldest);
            }
        }
        let time = jiff::Timestamp::try_from(now).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
        let names = (1..100).map(|part| match part {
            1 => format!("{time}-flow-{flow}.txt"),
            part => format!("{time}-flow-{flow}-{part}.txt"),
        });
        let mut error = io::Error::from(io::ErrorKind::AlreadyExists);
        for name in names {
            let path = self.bounds.dir.join(name);
            match create(&path) {
                Ok(file) => {
                    let head = head();
                    let text = head.write();
                    let open = Open { path, file, bytes: 0, is_full: false, site: head.site, known: None };
                    self.open.insert(flow, open);
                    self.order.push_back(flow);
                    return self.write(flow, &text, now);
                }
                Err(found) if found.kind() == io::ErrorKind::AlreadyExists => error = found,
                Err(found) => return Err(found),
            }
        }
        Err(error)
    }

    fn write(&mut self, flow: u64, text: &str, now: SystemTime) -> io::Result<()> {
        let length = text.len() as u64;
        let is_due = now.duration_since(self.counted).is_ok_and(|time| time >= COUNT_AGAIN);
        if is_due || self.total + length > self.bounds.max_bytes {
            self.clean(now, length)?;
        }
        let (file_bytes, max_bytes) = (self.bounds.file_bytes, self.bounds.max_bytes);
        let Some(open) = self.open.get_mut(&flow) else { return Ok(()) };
        let is_too_much = open.bytes + length > file_bytes.min(max_bytes);
        if open.is_full {
            return Ok(());
        }
        if is_too_much {
            open.is_full = true;
            tracing::info!(flow, "a capture is full: what follows of this flow is not written");
            return Ok(());
        }
        open.file.write_all(text.as_bytes())?;
        open.bytes += length;
        self.total += length;
        Ok(())
    }

    /// Removes files that are too old, and the oldest until `coming` bytes more may be written.
    fn clean(&mut self, now: SystemTime, coming: u64) -> io::Result<()> {
        let mut all = captures_in(&self.bounds.dir)?;
        let mut total: u64 = all.iter().map(|(_, _, bytes)| bytes).sum();
        // By name: it begins with the time.
        all.sort();
        for (path, modified, bytes) in all {
            let is_old = now.duration_since(modified).is_ok_and(|age| age > self.bounds.max_age);
            if !is_old && total + coming <= self.bounds.max_bytes {
                continue;
            }
            fs::remove_file(&path)?;
            total = total.saturating_sub(bytes);
            // A flow of an earlier process may have had the same number.
            if let Some(flow) = flow_of(&path).filter(|flow| self.open.get(flow).is_some_and(|open| open.path == path))
            {
                self.forget(flow);
            }
        }
        (self.total, self.counted) = (total, now);
        Ok(())
    }
}

/// The captures in a folder: path, time of the last change, length.
///
/// # Errors
/// When the folder cannot be read.
pub fn captures_in(dir: &Path) -> io::Result<Vec<(PathBuf, SystemTime, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_file() && flow_of(&entry.path()).is_some() {
            found.push((entry.path(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len()));
        }
    }
    Ok(found)
}

/// The flow that a file is of, by its name: only what is named so is ever removed.
pub(super) fn flow_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".txt")?;
    let (time, rest) = name.split_once("-flow-")?;
    let is_time = time.len() == 16 && time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z'));
    let (flow, part) = rest.split_once('-').unwrap_or((rest, "1"));
    (is_time && part.parse::<u64>().is_ok()).then(|| flow.parse().ok())?
}

/// A new file that only its owner can read. Whatever has the name already, a link included, is left alone (O_EXCL).
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn make_dir(dir: &Path) -> io::Result<()> {
    match fs::metadata(dir) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::NotADirectory, "there is something else of this name")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(dir)
        }
        Err(error) => Err(error),
    }
}
