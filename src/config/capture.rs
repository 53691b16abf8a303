//! `[capture]`: where captures go, and how much of them is kept.

use std::path::PathBuf;
use std::time::Duration;

use super::Checker;

/// Where captures go, and how much of them is kept.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub dir: PathBuf,
    /// Over all files.
    pub max_bytes: u64,
    pub max_age: Duration,
    /// Of one file.
    pub file_bytes: u64,
}

impl Checker<'_> {
    /// `None` if captures are not wanted, or if something is wrong, which was said then.
    pub(super) fn capture(&mut self) -> Option<Bounds> {
        let max_bytes = self.number("capture.max_bytes", 64 * 1024..=1 << 40);
        let file_bytes = self.number("capture.file_bytes", 16 * 1024..=1 << 32);
        let hours = self.number("capture.max_age_hours", 1..=24 * 366);
        let dir = self.optional("capture.dir", |text| match text {
            "" => Err("write a folder, as in captures".into()),
            text => Ok(PathBuf::from(text)),
        });
        Some(Bounds {
            dir: dir?,
            max_bytes: u64::try_from(max_bytes?).ok()?,
            max_age: Duration::from_secs(3600 * u64::try_from(hours?).ok()?),
            file_bytes: u64::try_from(file_bytes?).ok()?,
        })
    }
}
