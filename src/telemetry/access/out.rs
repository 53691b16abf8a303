//! The thread that writes lines, and the file that somebody may move away while it does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{BUFFER_BYTES, Shared};

/// How long a line may wait for others to be written with it.
const BATCH: Duration = Duration::from_millis(20);
/// How often it is looked whether the file is still where it was.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is said that lines are lost.
const SAY: Duration = Duration::from_secs(30);

/// Where lines go.
pub(super) enum Out {
    Stream(Box<dyn Write + Send>),
    File(File),
}

/// A log file.
pub(super) struct File {
    path: PathBuf,
    file: std::fs::File,
    looked: Instant,
}

impl File {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: append_to(path)?, looked: Instant::now() })
    }

    /// Opens what is there now; if that cannot be, goes on with what it has.
    fn reopen(&mut self) {
        self.looked = Instant::now();
        match append_to(&self.path) {
            Ok(file) => self.file = file,
            Err(error) => tracing::error!(file = %self.path.display(), %error, "the access log cannot be opened again"),
        }
    }

    /// Whether the path leads to another file, or nowhere.
    #[cfg(unix)]
    fn has_moved(&mut self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        if self.looked.elapsed() < LOOK {
            return false;
        }
        self.looked = Instant::now();
        let same =
            |there: std::fs::Metadata, here: std::fs::Metadata| (there.dev(), there.ino()) == (here.dev(), here.ino());
        match (std::fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(here)) => !same(there, here),
            (Err(error), _) => error.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        }
    }

    #[cfg(not(unix))]
    fn has_moved(&mut self) -> bool {
        false
    }
}

fn append_to(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    // It names clients: nobody's business but the operator's.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stream(out) => out,
            Self::File(file) => &mut file.file,
        }
    }

    fn reopen(&mut self) {
        if let Self::File(file) = self {
            file.reopen();
        }
    }

    fn follow(&mut self) {
        if let Self::File(file) = self
            && file.has_moved()
        {
            file.reopen();
        }
    }
}

/// Writes until the log is closed.
pub(super) fn write(shared: &Shared, mut out: Out) {
    let mut batch = String::new();
    let mut writer = Writer::default();
    while let Some(reopen) = next(shared, &mut batch) {
        if reopen {
            out.reopen();
        }
        if !batch.is_empty() {
            out.follow();
            let lost = writer.write(out.writer(), &batch);
            shared.dropped.fetch_add(lost, Ordering::Relaxed);
            writer.say(shared.dropped.load(Ordering::Relaxed));
        }
        batch.clear();
        if batch.capacity() > BUFFER_BYTES {
            batch = String::new();
        }
        let Ok(state) = shared.state.lock() else { break };
        if !state.closed {
            let _ = shared.filled.wait_timeout_while(state, BATCH, |state| !state.closed && !state.reopen);
        }
    }
    if let Ok(mut state) = shared.state.lock() {
        state.ended = true;
    }
    shared.ended.notify_all();
}

/// Waits for something to do, and takes the lines; says whether the file is to be opened again. `None`: that was all.
fn next(shared: &Shared, batch: &mut String) -> Option<bool> {
    let state = shared.state.lock().ok()?;
    let idle = |state: &mut super::State| state.buffer.is_empty() && !state.closed && !state.reopen;
    let mut state = shared.filled.wait_while(state, idle).ok()?;
    let reopen = std::mem::take(&mut state.reopen);
    if state.buffer.is_empty() && !reopen {
        return None;
    }
    std::mem::swap(&mut state.buffer, batch);
    Some(reopen)
}

/// Writes whole lines, whatever happens.
#[derive(Default)]
struct Writer {
    /// The last thing written was a part of a line.
    torn: bool,
    said: Option<Instant>,
    told: u64,
}

impl Writer {
    /// Writes the lines; answers how many were lost.
    fn write(&mut self, out: &mut dyn Write, lines: &str) -> u64 {
        let mut left = lines.as_bytes();
        if self.torn && out.write_all(b"\n").is_err() {
            return count(left);
        }
        self.torn = false;
        while !left.is_empty() {
            match out.write(left) {
                Ok(written) if written > 0 => {
                    self.torn = left.get(written - 1) != Some(&b'\n');
                    left = left.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A full disk, a pipe that nobody reads: the next batch may fare better.
                _ => return count(left),
            }
        }
        let _ = out.flush();
        0
    }

    /// Says that lines are lost, not more often than somebody can read.
    fn say(&mut self, dropped: u64) {
        let quiet = self.said.is_some_and(|said| said.elapsed() < SAY);
        if dropped > self.told && !quiet {
            tracing::warn!(dropped, "lines of the access log are lost: what takes them is full, too slow or gone");
            (self.said, self.told) = (Some(Instant::now()), dropped);
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, and then fails.
    struct Disk {
        room: usize,
        has: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let fits = self.room.min(bytes.len());
            if fits == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.room -= fits;
            self.has.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them() {
        let mut disk = Disk { room: 8, has: Vec::new() };
        let mut writer = Writer::default();
        assert_eq!(writer.write(&mut disk, "one\ntwo\n"), 0);
        assert_eq!(writer.write(&mut disk, "three\nfour\n"), 2);
        disk.room = 3;
        assert_eq!(writer.write(&mut disk, "five\nsix\n"), 2);
        disk.room = 100;
        assert_eq!(writer.write(&mut disk, "seven\n"), 0);
        // What was torn is a line of its own, so that none runs into the next.
        assert_eq!(String::from_utf8(disk.has).unwrap(), "one\ntwo\nfiv\nseven\n");
    }
}
