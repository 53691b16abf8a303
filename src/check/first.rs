//! The look that the proxy takes at its upstream when it starts: the harmless questions of a check, once. Nothing waits
//! for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::report::Report;
use super::stand::Stand;
use super::verdict::{Found, verdicts};
use super::walk::{Walk, Walked};
use super::{Wish, redactor};
use crate::config::{ProcessConfig, SiteConfig};
use crate::repair::{Mode, Repair};
use crate::server::StartError;

/// An upstream that starts beside the proxy may take a while: it is asked again, later and later.
const PATIENCE: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// What the first look has found.
pub struct FirstLook {
    pub report: Report,
    pub found: Vec<Defect>,
}

/// A defect of the upstream, and what becomes of it.
pub struct Defect {
    pub repair: &'static Repair,
    pub mode: Mode,
}

impl FirstLook {
    /// How many of the defects are mended.
    #[must_use]
    pub fn mending(&self) -> usize {
        self.found.iter().filter(|defect| defect.mode == Mode::Fix).count()
    }
}

/// Looks at the upstream of a site; `None` if it does not answer for a good while.
///
/// # Errors
/// When the upstream's address or the TLS files cannot be used.
pub async fn look(process: &ProcessConfig, site: &SiteConfig) -> Result<Option<FirstLook>, StartError> {
    let began = Instant::now();
    // What the operator has switched off is found all the same.
    let plain = SiteConfig { modes: std::collections::BTreeMap::new(), ..site.clone() };
    let stand = Arc::new(Stand::new(process, &plain)?);
    let wish = Wish::default();
    let Some(walked) = walk(&stand, &wish).await else { return Ok(None) };
    let mode = |repair: &Repair| site.modes.get(repair.id).copied().unwrap_or(repair.default);
    let found = verdicts(&walked)
        .into_iter()
        .filter(|verdict| matches!(verdict.found, Found::Fail(_)))
        .map(|verdict| Defect { repair: verdict.repair, mode: mode(verdict.repair) })
        .collect();
    let url = format!("{}{}", site.upstream, site.mcp_path);
    let report = Report::of(site, &url, &wish, &walked, &redactor(&stand, &walked)?, began.elapsed());
    Ok(Some(FirstLook { report, found }))
}

async fn walk(stand: &Arc<Stand>, wish: &Wish) -> Option<Walked> {
    for wait in PATIENCE {
        let walked = Walk::new(stand.clone(), wish).harmless_alone().await;
        if walked.is_reached() {
            return Some(walked);
        }
        tokio::time::sleep(wait).await;
    }
    None
}
