//! Taking up a changed configuration while the proxy runs: checked whole before anything changes. A mistake changes nothing
//! and is told: in the log, in the metrics, in the detail of readiness.

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::config::layers::Layers;
use crate::config::settings::needs_restart;
use crate::config::{Complaint, Config};
use crate::server::Running;
use crate::telemetry::life::Reload;

/// Takes up what the files say now.
///
/// # Errors
/// All that is wrong; then everything goes on as before.
pub fn reload(
    running: &Running,
    started_with: &Layers,
    config: Result<Config, Vec<Complaint>>,
) -> Result<Config, Vec<Complaint>> {
    let outcome = config.and_then(|config| match running.reload(&config) {
        Ok(()) => Ok(config),
        Err(error) => Err(vec![Complaint { place: "reload".into(), message: error.to_string() }]),
    });
    let life = &running.common.life;
    let at = SystemTime::now();
    match &outcome {
        Ok(config) => {
            for warning in &config.warnings {
                tracing::warn!("{warning}");
            }
            let waiting = waiting(started_with, &config.layers);
            if !waiting.is_empty() {
                tracing::warn!(settings = waiting.join(", "), "these changes wait for a restart");
            }
            tracing::info!(sites = config.sites.iter().count(), "reloaded");
            life.note_reload(Reload { at, complaints: Vec::new(), waiting });
        }
        Err(complaints) => {
            for complaint in complaints {
                tracing::error!("nothing was reloaded: {complaint}");
            }
            let complaints = complaints.iter().map(ToString::to_string).collect();
            life.note_reload(Reload { at, complaints, waiting: Vec::new() });
        }
    }
    outcome
}

/// The settings that are others now than at the start, and cannot change while the process runs.
fn waiting(before: &Layers, now: &Layers) -> Vec<String> {
    let said = |layers: &Layers, key: &str| {
        layers.given.get(key).map(|given| given.values.iter().map(|value| value.text.clone()).collect::<Vec<_>>())
    };
    let keys: BTreeSet<&str> = before.given.keys().chain(now.given.keys()).copied().collect();
    keys.into_iter()
        .filter(|key| needs_restart(key) && said(before, key) != said(now, key))
        .map(str::to_owned)
        .collect()
}
