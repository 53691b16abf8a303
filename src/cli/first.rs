//! What the proxy says of its upstream just after the start, and running that look beside the proxy.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::check::first::{self, FirstLook};
use crate::config::settings::wrap;
use crate::config::{ProcessConfig, SiteConfig};
use crate::repair::Mode;
use crate::runtime::Runtime;
use crate::telemetry::access::Format;
use crate::terminal::{GOOD, NAME, QUIET};

const WIDTH: usize = 80;

/// Looks at the upstream of a site on a thread of its own, and says what it has found.
pub fn look(process: &ProcessConfig, site: &SiteConfig, runtime: &Arc<Runtime>) {
    if !process.probe {
        return;
    }
    let (process, site, runtime) = (process.clone(), site.clone(), runtime.clone());
    let _ = std::thread::Builder::new().name("first-look".into()).spawn(move || {
        let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        match tokio.block_on(first::look(&process, &site)) {
            Ok(Some(look)) => {
                let report = serde_json::to_value(&look.report).unwrap_or_default();
                runtime.checked.store(Some(Arc::new(report)));
                say(process.log_format, &look);
            }
            Ok(None) => tracing::warn!("the upstream did not answer, and nothing was checked"),
            Err(error) => tracing::warn!(%error, "the upstream could not be checked"),
        }
    });
}

fn say(format: Format, look: &FirstLook) {
    if format != Format::Json {
        anstream::print!("{}", text(look));
        return;
    }
    let ids = |mode: Mode| {
        let defects = look.found.iter().filter(|defect| defect.mode == mode).map(|defect| defect.repair.id);
        defects.collect::<Vec<_>>().join(", ")
    };
    let (found, mending) = (look.found.len(), look.mending());
    let (mended, observed, off) = (ids(Mode::Fix), ids(Mode::Observe), ids(Mode::Off));
    tracing::info!(found, mending, mended, observed, off, "looked at the upstream");
}

/// One line each.
#[must_use]
pub fn text(look: &FirstLook) -> String {
    let found = look.found.len();
    let word = if found == 1 { "defect" } else { "defects" };
    let mut out = format!("  {NAME}found {found} {word}, mending {}{NAME:#}\n", look.mending());
    let widest = look.found.iter().map(|defect| defect.repair.id.len()).max().unwrap_or(0);
    for defect in &look.found {
        let indent = widest + 6;
        let note = match defect.mode {
            Mode::Fix => String::new(),
            mode => format!(" ({mode})"),
        };
        let lines = wrap(&format!("{}{note}", defect.repair.summary), WIDTH - indent);
        let style = if defect.mode == Mode::Fix { GOOD } else { QUIET };
        let id = defect.repair.id;
        let _ = writeln!(out, "    {style}{id:widest$}{style:#}  {}", lines.join(&format!("\n{}", " ".repeat(indent))));
    }
    let _ = writeln!(out, "    {QUIET}mcp-mend check {} says more{QUIET:#}", look.report.url);
    out
}
