//! `mcp-mend explain --capture FILE`: which repairs fire on what was recorded.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, value_parser};
use serde_json::{Value, json};

use crate::config::settings::wrap;
use crate::replay::{Replayed, recorded_ids, replay_all};
use crate::telemetry::capture::form::{Capture, Recorded};
use crate::telemetry::capture::read;
use crate::terminal::{BAD, GOOD, NAME, QUIET};

/// Columns that the output fits.
const WIDTH: usize = 80;

pub(super) fn arg() -> Arg {
    Arg::new("capture")
        .long("capture")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .conflicts_with("ID")
        .help("Say instead which repairs fire on a login that was captured; 1 if others than then")
}

/// Reads the capture and prints what fires.
#[must_use]
pub fn run(file: &Path, json: bool) -> ExitCode {
    let capture =
        std::fs::read_to_string(file).map_err(|error| error.to_string()).and_then(|text| read::capture(&text));
    let capture = match capture {
        Ok(capture) => capture,
        Err(error) => {
            anstream::eprintln!("{BAD}error:{BAD:#} {}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    let all = replay_all(&capture);
    if json {
        anstream::println!("{:#}", value(&capture, &all));
    } else {
        anstream::print!("{}", text(&capture, &all));
    }
    let differs = all.iter().any(|(recorded, replayed)| replayed.agrees(recorded) == Some(false));
    if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// As JSON.
#[must_use]
pub fn value(capture: &Capture, all: &[(&Recorded, Replayed)]) -> Value {
    let exchanges: Vec<Value> = all
        .iter()
        .map(|(recorded, replayed)| {
            let fired: Vec<Value> = replayed
                .fired
                .iter()
                .map(|fired| json!({ "id": fired.id, "what": fired.finding.what, "mode": fired.mode.to_string() }))
                .collect();
            json!({
                "number": recorded.number,
                "at": recorded.at,
                "method": recorded.asked.method(),
                "path": recorded.asked.path(),
                "class": recorded.class,
                "status": recorded.answered.status(),
                "fires": fired,
                "recorded": recorded_ids(recorded),
                "agrees": replayed.agrees(recorded),
                "unclear": replayed.unclear,
            })
        })
        .collect();
    json!({ "version": capture.head.version, "site": capture.head.site.as_ref().map(|site| &site.name), "flow": capture.head.flow,
            "exchanges": exchanges })
}

/// For people.
#[must_use]
pub fn text(capture: &Capture, all: &[(&Recorded, Replayed)]) -> String {
    let head = &capture.head;
    let mut out = String::new();
    let _ = writeln!(out, "{NAME}Flow {}{NAME:#}, begun {} by {}", head.flow, head.began, head.client);
    for (recorded, replayed) in all {
        let time = recorded.at.get(11..23).unwrap_or(&recorded.at);
        let line = format!("{} {}", recorded.asked.method(), recorded.asked.path());
        let line: String = line.chars().take(WIDTH - 24).collect();
        let _ = writeln!(out, "\n{QUIET}{time}{QUIET:#} {} {NAME}{line}{NAME:#}", recorded.answered.start);
        for fired in &replayed.fired {
            let _ = writeln!(out, "  {GOOD}{}{GOOD:#}", fired.id);
            for line in wrap(&fired.finding.what, WIDTH - 4) {
                let _ = writeln!(out, "    {line}");
            }
        }
        match (&replayed.unclear, replayed.agrees(recorded)) {
            (Some(why), _) => {
                let _ = writeln!(out, "  {QUIET}cannot be gone through: {why}{QUIET:#}");
            }
            (None, Some(false)) => differences(&mut out, recorded, replayed),
            _ if replayed.fired.is_empty() => {
                let _ = writeln!(out, "  {QUIET}nothing{QUIET:#}");
            }
            _ => {}
        }
    }
    let differs = all.iter().filter(|(recorded, replayed)| replayed.agrees(recorded) == Some(false)).count();
    let verdict = match differs {
        0 => format!("{GOOD}as recorded{GOOD:#}"),
        differs => format!("{BAD}{differs} not as recorded{BAD:#}"),
    };
    let _ = writeln!(out, "\n{} exchanges, {verdict}", all.len());
    out
}

fn differences(out: &mut String, recorded: &Recorded, replayed: &Replayed) {
    let (then, now) = (recorded_ids(recorded), replayed.ids());
    for id in then.iter().filter(|id| !now.contains(id)) {
        let _ = writeln!(out, "  {BAD}{id}{BAD:#} fired then");
    }
    for id in now.iter().filter(|id| !then.contains(id)) {
        let _ = writeln!(out, "  {BAD}{id}{BAD:#} did not fire then");
    }
}
