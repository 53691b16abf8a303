//! What the process itself takes up.

/// At one moment; nothing where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub memory_bytes: u64,
    pub open_files: u64,
    pub most_files: Option<u64>,
}

/// Reads it from `/proc`.
#[cfg(target_os = "linux")]
#[must_use]
pub fn usage() -> Option<Usage> {
    let own = procfs::process::Process::myself().ok()?;
    let stat = own.stat().ok()?;
    Some(Usage {
        cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        memory_bytes: stat.rss * procfs::page_size(),
        open_files: own.fd_count().ok()? as u64,
        most_files: rlimit::getrlimit(rlimit::Resource::NOFILE).ok().map(|(soft, _)| soft),
    })
}

#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn usage() -> Option<Usage> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn it_is_this_process() {
        let usage = usage().unwrap();
        assert!(usage.memory_bytes > 100_000 && usage.open_files > 2, "{usage:?}");
        assert!(usage.most_files.unwrap() >= usage.open_files, "{usage:?}");
    }
}
