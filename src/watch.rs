//! Noticing that a file has another content. Folders are watched, not files: editors and Kubernetes (`..data`) put a new file
//! in the place of the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest as _, Sha256};

/// After the first sign of a change: how long to wait for the rest of it.
const SETTLE: Duration = Duration::from_millis(200);
/// How often files are looked at where the system does not tell.
const POLL: Duration = Duration::from_secs(5);

/// Watches until it is dropped.
pub struct Watch {
    /// Ends the thread.
    _stop: Sender<()>,
}

/// Calls `changed` after any of the files has another content.
///
/// # Errors
/// When no thread can be had.
pub fn watch(files: Vec<PathBuf>, changed: impl Fn() + Send + 'static) -> std::io::Result<Watch> {
    let (stop, stopped) = channel::<()>();
    let (sender, signs) = channel::<()>();
    let watcher = watcher(&files, sender);
    let mut before = contents(&files);
    std::thread::Builder::new().name("watch".into()).spawn(move || {
        let _watcher = watcher;
        loop {
            // Without a sign it is looked now and then all the same: a link far up the path may have been turned.
            match signs.recv_timeout(POLL) {
                Ok(()) => std::thread::sleep(SETTLE),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL),
            }
            while signs.try_recv().is_ok() {}
            if let Err(std::sync::mpsc::TryRecvError::Disconnected) = stopped.try_recv() {
                return;
            }
            let now = contents(&files);
            if now != before {
                before = now;
                changed();
            }
        }
    })?;
    Ok(Watch { _stop: stop })
}

/// Whoever tells of changes in the folders of these files: the system, or if it cannot, a look every few seconds.
fn watcher(files: &[PathBuf], sender: Sender<()>) -> Option<Box<dyn Watcher + Send>> {
    let folders: BTreeSet<PathBuf> = files.iter().map(|file| folder(file)).collect();
    let tell = {
        let sender = sender.clone();
        move |_| {
            let _ = sender.send(());
        }
    };
    let all = |watcher: &mut dyn Watcher| {
        folders.iter().all(|folder| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok())
    };
    if let Ok(mut watcher) = RecommendedWatcher::new(tell, Config::default())
        && all(&mut watcher)
    {
        return Some(Box::new(watcher));
    }
    let tell = move |_| {
        let _ = sender.send(());
    };
    let mut watcher = PollWatcher::new(tell, Config::default().with_poll_interval(POLL)).ok()?;
    all(&mut watcher).then(|| Box::new(watcher) as _)
}

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What is in each file, as a hash: some of them are keys.
fn contents(files: &[PathBuf]) -> BTreeMap<PathBuf, Option<[u8; 32]>> {
    let hash = |file: &PathBuf| std::fs::read(file).ok().map(|content| Sha256::digest(content).into());
    files.iter().map(|file| (file.clone(), hash(file))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_linked_anew_is_noticed_and_one_that_is_touched_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(&file, "1").unwrap();
        let (sender, changes) = channel();
        let _watch = watch(vec![file.clone()], move || sender.send(()).unwrap_or(())).unwrap();
        let soon = Duration::from_secs(20);
        std::fs::write(&file, "2").unwrap();
        changes.recv_timeout(soon).unwrap();
        let next = dir.path().join("b.toml");
        std::fs::write(&next, "3").unwrap();
        std::fs::rename(&next, &file).unwrap();
        changes.recv_timeout(soon).unwrap();
        // The same again changes nothing; what comes after it does, once.
        std::fs::write(&file, "3").unwrap();
        std::fs::remove_file(&file).unwrap();
        #[cfg(unix)]
        {
            std::fs::write(&next, "4").unwrap();
            std::os::unix::fs::symlink(&next, &file).unwrap();
        }
        changes.recv_timeout(soon).unwrap();
    }
}
