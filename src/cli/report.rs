//! `mcp-mend report`: what is typed, and writing the file.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::check;
use crate::ranges::Ranges;
use crate::report::{self, About};
use crate::telemetry::capture::form::Capture;
use crate::telemetry::capture::{files, read};
use crate::telemetry::flows::book::by_ranges;
use crate::telemetry::stamp;
use crate::terminal::{BAD, GOOD};

/// The newest captures of a folder go into a report, so many of them.
const MOST: usize = 5;

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub ofid: Option<String>,
    pub capture: Option<PathBuf>,
    pub url: Option<String>,
    pub output: Option<PathBuf>,
}

pub(super) fn command() -> Command {
    let path = |name: &'static str, what: &'static str| {
        Arg::new(name).long(name).value_name(what).value_parser(value_parser!(PathBuf))
    };
    Command::new("report")
        .about("Write one file that can be filed as it is: who came when, where it stopped, what was said")
        .after_help(
            "Nothing is sent anywhere. Failures of Claude connectors are filed at\n\
             https://github.com/anthropics/claude-ai-mcp/issues, not at claude-code.",
        )
        .arg(
            Arg::new("ofid")
                .long("ofid")
                .value_name("OFID")
                .help("The reference on the error card, as in ofid_1a2b3c4d"),
        )
        .arg(path("capture", "DIR").help("Where `--capture` has written; or one of the files there"))
        .arg(Arg::new("url").long("url").value_name("URL").help("The address that clients use; it is checked, too"))
        .arg(path("output", "FILE").help("Where to write; - is the terminal [default: mcp-report-TIME.md]"))
}

impl Wish {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        Self {
            ofid: matches.get_one::<String>("ofid").cloned(),
            capture: matches.get_one::<PathBuf>("capture").cloned(),
            url: matches.get_one::<String>("url").cloned(),
            output: matches.get_one::<PathBuf>("output").cloned(),
        }
    }
}

/// Writes the report.
#[must_use]
pub fn run(wish: &Wish) -> ExitCode {
    if let Some(ofid) = wish.ofid.as_deref().filter(|ofid| !report::is_reference(ofid)) {
        return complain(&format!("`{ofid}` is no reference; write it as the error card does, like ofid_1a2b3c4d"));
    }
    if let Some(url) = wish.url.as_deref().filter(|url| crate::edit::origin::Origin::of(url).is_err()) {
        return complain(&format!("`{url}` is no address; write it like https://mcp.example.com/mcp"));
    }
    let (captures, left_out) = match wish.capture.as_deref().map(captures) {
        None => (Vec::new(), 0),
        Some(Ok(found)) => found,
        Some(Err(error)) => return complain(&error),
    };
    let now = SystemTime::now();
    let text = report::markdown(&About {
        ofid: wish.ofid.as_deref(),
        url: wish.url.as_deref(),
        now: stamp(now),
        captures: &captures,
        has_looked: wish.capture.is_some(),
        left_out,
        check: wish.url.as_deref().and_then(check_markdown),
        hosted: Some(by_ranges(Ranges::default())),
    });
    let name = format!("mcp-report-{}.md", stamp(now).replace([':', '.'], "-"));
    let output = wish.output.clone().unwrap_or_else(|| PathBuf::from(name));
    if output == Path::new("-") {
        anstream::print!("{text}");
        return ExitCode::SUCCESS;
    }
    match write(&output, &text) {
        Ok(()) => {
            anstream::println!(
                "{GOOD}{}{GOOD:#}\nRead it through, then file it at {}",
                output.display(),
                report::TRACKER
            );
            ExitCode::SUCCESS
        }
        Err(error) => complain(&format!("{}: {error}; name another file with --output", output.display())),
    }
}

/// What a check of the server comes to, as markdown. It changes nothing there.
fn check_markdown(url: &str) -> Option<String> {
    anstream::eprintln!("Checking {url} ...");
    match check::report(&check::Asked { url: url.to_owned(), ..check::Asked::default() }) {
        Ok(report) => Some(crate::check::show::markdown(&report)),
        Err(complaints) => complaints.first().map(|complaint| format!("It could not be checked: {complaint}")),
    }
}

fn complain(text: &str) -> ExitCode {
    anstream::eprintln!("{BAD}error:{BAD:#} {text}");
    ExitCode::from(2)
}

/// What was captured, oldest first, and how many older ones there are.
fn captures(place: &Path) -> Result<(Vec<Capture>, usize), String> {
    let say = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let about = std::fs::metadata(place).map_err(|error| say(place, &error))?;
    let mut files = if about.is_dir() {
        let found = files::captures_in(place).map_err(|error| say(place, &error))?;
        found.into_iter().map(|(path, _, _)| path).collect()
    } else {
        vec![place.to_owned()]
    };
    files.sort();
    let left_out = files.len().saturating_sub(MOST);
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| say(path, &error))?;
        read::capture(&text).map_err(|error| say(path, &error))
    };
    Ok((files[left_out..].iter().map(read).collect::<Result<_, _>>()?, left_out))
}

/// Writes a new file that only its owner can read.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}
