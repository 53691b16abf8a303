//! The command line: what is typed, and what is printed.

pub mod check;
pub mod config;
pub mod documents;
pub mod first;
pub mod health;
pub mod limits;
pub mod manual;
pub mod replay;
pub mod report;
pub mod seal;
pub mod show;
pub mod waf;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::layers::{Layers, Value};
use crate::config::settings::{self, ENV_PREFIX, Kind, SETTINGS};
use crate::config::{Complaint, Config};
use crate::demo::Wish;
use crate::memory;
use crate::ranges::Ranges;
use crate::terminal;

/// What was asked for.
#[derive(Debug)]
pub enum Asked {
    Run(Box<Layers>, Vec<Complaint>),
    Demo(Wish),
    DemoList { json: bool },
    Repairs { json: bool },
    Explain { id: String, json: bool },
    Replay { file: PathBuf, json: bool },
    Report(report::Wish),
    Check(Box<check::Asked>),
    Waf(waf::Wish),
    Health(health::Wish),
    Config(config::Wish, Box<Layers>, Vec<Complaint>),
    ConfigSchema,
    Manual(manual::Wish),
}

/// The command, with a flag for each setting.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new("mcp-mend")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Stands in front of a remote MCP server and mends its answers, so that every client connects.")
        .after_help(
            "Each flag has a variable: --listen is MCP_MEND_LISTEN. Flags win over variables, variables over the file.\n\
             Exit codes: 0 done, 1 a check fell short or the proxy could not start, 2 wrong usage or configuration.",
        )
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .max_term_width(80)
        .arg(Arg::new("UPSTREAM").value_name("UPSTREAM").help("The MCP server, as in http://localhost:3000"));
    command = of_a_run(command);
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    command
        .subcommand(Command::new("repairs").about("List every repair and its default").arg(json()))
        .subcommand(
            Command::new("explain")
                .about("Say all there is to know about one repair: what, why, who is hit, and the cure")
                .arg(Arg::new("ID").required_unless_present("capture").help("The repair, as in auth.challenge-missing"))
                .arg(replay::arg())
                .arg(json()),
        )
        .subcommand(report::command())
        .subcommand(check::command(json()))
        .subcommand(config::command(of_a_run, &json()))
        .subcommand(waf::command(json()))
        .subcommand(health::command(of_a_run, json()))
        .subcommand(demo(json()))
        .subcommands(manual::commands())
}

/// What a run may be told: a file, and a flag for each setting.
fn of_a_run(command: Command) -> Command {
    let mut command = command.arg(
        Arg::new("config")
            .long("config")
            .short('c')
            .value_name("FILE")
            .value_parser(value_parser!(std::path::PathBuf))
            .help("A TOML file with settings (see proxy.example.toml)"),
    );
    for setting in SETTINGS {
        let heading = setting.key.starts_with("limits.").then_some("Limits");
        let arg = Arg::new(setting.key).long(setting.flag).help(help(setting)).help_heading(heading);
        let arg = arg.value_hint(manual::hint(setting.value));
        // What other proxies call it.
        let arg = if setting.key == "public_url" { arg.alias("external-url") } else { arg };
        command = command.arg(match setting.kind {
            Kind::Switch => arg.action(ArgAction::SetTrue),
            Kind::List | Kind::Modes => arg.value_name(setting.value).action(ArgAction::Append),
            Kind::Text | Kind::Number => arg.value_name(setting.value),
        });
    }
    command
}

fn demo(json: Arg) -> Command {
    Command::new("demo")
        .about("Show it on a built-in, deliberately broken server: a table, and both keep serving")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("HOST:PORT")
                .help("Where the proxy listens [default: 127.0.0.1:8808]"),
        )
        .arg(
            Arg::new("admin")
                .long("admin")
                .value_name("HOST:PORT")
                .conflicts_with("once")
                .help("Where to show the page of flows, as in 127.0.0.1:8809"),
        )
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .help("End after the table or the defects; 1 if something is not mended"),
        )
        .arg(
            Arg::new("server")
                .long("server")
                .value_name("URL")
                .conflicts_with_all(["listen", "admin", "once"])
                .help("Only the broken server, at this URL, for a proxy started apart: http://server:3000"),
        )
        .arg(
            Arg::new("defect")
                .long("defect")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("A sound server with this defect alone; several may be named"),
        )
        .arg(
            Arg::new("list")
                .long("list")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["listen", "admin", "once", "server", "defect"])
                .help("List the defects that can be shown"),
        )
        .arg(json.requires("list"))
}

fn help(setting: &settings::Setting) -> String {
    let default = setting.default.replace(['"', '[', ']'], "");
    let shown = !default.is_empty() && setting.kind != Kind::Switch;
    if shown { format!("{} [default: {default}]", setting.help) } else { setting.help.to_owned() }
}

/// Reads the command line and, for a run, the file and the environment.
#[must_use]
pub fn asked(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Asked {
    match matches.subcommand() {
        Some(("repairs", sub)) => Asked::Repairs { json: sub.get_flag("json") },
        Some(("explain", sub)) if sub.contains_id("capture") => Asked::Replay {
            file: sub.get_one::<PathBuf>("capture").cloned().unwrap_or_default(),
            json: sub.get_flag("json"),
        },
        Some(("report", sub)) => Asked::Report(report::Wish::of(sub)),
        Some(("explain", sub)) => {
            Asked::Explain { id: sub.get_one::<String>("ID").cloned().unwrap_or_default(), json: sub.get_flag("json") }
        }
        Some(("check", sub)) => Asked::Check(Box::new(check::asked(sub, lookup))),
        Some(("config", sub)) => match config::wish(sub) {
            Some((wish, sub)) => {
                let (layers, complaints) = gather(sub, lookup);
                Asked::Config(wish, Box::new(layers), complaints)
            }
            None => Asked::ConfigSchema,
        },
        Some(("waf", sub)) => Asked::Waf(waf::wish(sub)),
        Some(("health", sub)) => Asked::Health(health::wish(sub, lookup)),
        Some(("man" | "completions", sub)) => Asked::Manual(manual::wish(sub)),
        Some(("demo", sub)) if sub.get_flag("list") => Asked::DemoList { json: sub.get_flag("json") },
        Some(("demo", sub)) => Asked::Demo(Wish {
            listen: sub.get_one::<String>("listen").cloned(),
            admin: sub.get_one::<String>("admin").cloned(),
            once: sub.get_flag("once"),
            server: sub.get_one::<String>("server").cloned(),
            defects: sub.get_many::<String>("defect").into_iter().flatten().cloned().collect(),
        }),
        _ => {
            let (layers, complaints) = gather(matches, lookup);
            Asked::Run(Box::new(layers), complaints)
        }
    }
}

/// What the file, the environment and the flags say.
#[must_use]
pub fn gather(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> (Layers, Vec<Complaint>) {
    let mut layers = Layers { memory: memory::found(), ..Layers::default() };
    let mut complaints = Vec::new();
    let named = |id: &str| matches.try_get_one::<PathBuf>(id).ok().flatten().cloned();
    let file =
        named("config").or_else(|| named("FILE")).or_else(|| lookup(&format!("{ENV_PREFIX}CONFIG")).map(Into::into));
    if let Some(file) = file {
        take_file(&file, &mut layers, &mut complaints);
    }
    layers.take_environment(lookup);
    for setting in SETTINGS {
        let values: Vec<String> = match setting.kind {
            Kind::Switch if matches.get_flag(setting.key) => vec!["true".into()],
            Kind::Switch => continue,
            _ => matches.get_many::<String>(setting.key).into_iter().flatten().cloned().collect(),
        };
        if !values.is_empty() {
            let place = format!("--{}", setting.flag);
            layers.set(setting, values.into_iter().map(|text| Value { text, place: place.clone() }).collect());
        }
    }
    let upstream = matches.try_get_one::<String>("UPSTREAM").ok().flatten();
    if let (Some(text), Some(setting)) = (upstream, settings::find("upstream.url")) {
        if matches.contains_id(setting.key) {
            let place = format!("--{}", setting.flag);
            complaints.push(Complaint { place, message: "the upstream is given twice; leave one out".into() });
        }
        layers.set(setting, vec![Value { text: text.clone(), place: "UPSTREAM".into() }]);
    }
    let files = layers.given.get("access.ranges_files").map(|given| given.values.clone()).unwrap_or_default();
    for file in files {
        take_ranges(Path::new(&file.text), &mut layers.ranges, &mut complaints);
    }
    seal::take_keys(&mut layers, &mut complaints);
    (layers, complaints)
}

fn take_file(file: &Path, layers: &mut Layers, complaints: &mut Vec<Complaint>) {
    let name = file.display().to_string();
    layers.files.push(file.to_owned());
    match std::fs::read_to_string(file) {
        Ok(text) => layers.take_file(&name, &text, complaints),
        Err(error) => complaints.push(Complaint { place: name, message: format!("cannot be read: {error}") }),
    }
}

/// Takes a list of address ranges in.
pub(crate) fn take_ranges(file: &Path, ranges: &mut Ranges, complaints: &mut Vec<Complaint>) {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => ranges.take(&name, &text, complaints),
        Err(error) => complaints.push(Complaint { place: name, message: format!("cannot be read: {error}") }),
    }
}

/// Wrong usage: everything that is wrong, and nothing starts.
#[must_use]
pub fn reject(complaints: &[Complaint]) -> ExitCode {
    for complaint in complaints {
        anstream::eprintln!("{}error:{:#} {complaint}", terminal::BAD, terminal::BAD);
    }
    ExitCode::from(2)
}

/// The checked configuration of a run.
///
/// # Errors
/// Every complaint.
pub fn configure(layers: &Layers, complaints: Vec<Complaint>) -> Result<Config, Vec<Complaint>> {
    Config::check(layers, complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Asked {
        asked(&command().try_get_matches_from(line.split(' ')).unwrap(), |_| None)
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn an_upstream_runs_and_a_word_is_a_command() {
        let Asked::Run(layers, complaints) = ask("mcp-mend http://h:1 --repair a=off --repair b=fix --show-repairs")
        else {
            panic!()
        };
        assert!(complaints.is_empty());
        assert_eq!(layers.given["upstream.url"].values[0].text, "http://h:1");
        assert_eq!(layers.given["repairs"].values.len(), 2);
        let Asked::Demo(wish) = ask("mcp-mend demo --once --defect a --defect b") else { panic!() };
        assert_eq!((wish.once, wish.defects), (true, vec!["a".to_owned(), "b".to_owned()]));
        assert!(matches!(ask("mcp-mend demo --list --json"), Asked::DemoList { json: true }));
        assert!(matches!(ask("mcp-mend explain x"), Asked::Explain { .. }));
        assert!(matches!(ask("mcp-mend explain --capture f --json"), Asked::Replay { json: true, .. }));
        assert!(matches!(ask("mcp-mend report --ofid ofid_1"), Asked::Report(_)));
    }

    #[test]
    fn two_upstreams_are_one_too_many() {
        let Asked::Run(_, complaints) = ask("mcp-mend http://h:1 --upstream http://h:2") else { panic!() };
        assert_eq!(complaints.len(), 1);
    }
}
