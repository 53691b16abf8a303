//! The demo.

use std::process::ExitCode;

/// Runs it.
#[must_use]
pub fn run(_listen: Option<&str>, _once: bool) -> ExitCode {
    ExitCode::SUCCESS
}
