//! `mcp-mend config`: is a configuration right, what does it come to, and what may be in one.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::config::budget::Budget;
use crate::config::layers::{Given, Layers};
use crate::config::overload;
use crate::config::settings::{self, Kind, SETTINGS, Setting};
use crate::config::{Complaint, Config};
use crate::server;
use crate::terminal::{GOOD, NAME, QUIET};

/// What is to be done with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Check { json: bool },
    Show { json: bool },
}

/// The command; `settings` adds what a run may be told.
pub(super) fn command(settings: impl Fn(Command) -> Command, json: &Arg) -> Command {
    let file =
        || Arg::new("FILE").value_name("FILE").value_parser(value_parser!(PathBuf)).help("The file, as with --config");
    let of_a_run = |name: &'static str| settings(Command::new(name)).arg(file()).arg(json.clone());
    Command::new("config")
        .about("Check a configuration, show what it comes to, or print its JSON Schema")
        .subcommand_required(true)
        .max_term_width(80)
        .subcommand(
            of_a_run("check")
                .about("Say everything that is wrong, files and certificates included")
                .after_help("Exit codes: 0 it can be used, 2 it cannot."),
        )
        .subcommand(of_a_run("show").about("Print every setting as it would be used, and where it comes from"))
        .subcommand(Command::new("schema").about("Print the JSON Schema of the file, for editors that check TOML"))
}

/// Which of the two, and its flags. `None`: the schema.
pub(super) fn wish(matches: &ArgMatches) -> Option<(Wish, &ArgMatches)> {
    match matches.subcommand() {
        Some(("check", sub)) => Some((Wish::Check { json: sub.get_flag("json") }, sub)),
        Some(("show", sub)) => Some((Wish::Show { json: sub.get_flag("json") }, sub)),
        _ => None,
    }
}

/// Does it.
#[must_use]
pub fn run(wish: Wish, layers: &Layers, complaints: Vec<Complaint>) -> ExitCode {
    match wish {
        Wish::Check { json } => check(layers, complaints, json),
        Wish::Show { json: true } => {
            anstream::println!("{:#}", show_json(layers));
            ExitCode::SUCCESS
        }
        Wish::Show { json: false } => {
            anstream::print!("{}", show(layers));
            ExitCode::SUCCESS
        }
    }
}

fn check(layers: &Layers, complaints: Vec<Complaint>, json: bool) -> ExitCode {
    let checked = Config::check(layers, complaints).and_then(|config| match server::try_out(&config) {
        Ok(()) => Ok(config),
        Err(error) => Err(vec![Complaint { place: "files".into(), message: error.to_string() }]),
    });
    if json {
        let list = |all: &[Complaint]| -> Value {
            all.iter().map(|one| json!({ "place": one.place, "message": one.message })).collect()
        };
        let (warnings, complaints) = match &checked {
            Ok(config) => (list(&config.warnings), json!([])),
            Err(complaints) => (json!([]), list(complaints)),
        };
        anstream::println!("{:#}", json!({ "ok": checked.is_ok(), "errors": complaints, "warnings": warnings }));
    }
    match checked {
        Ok(config) if !json => {
            for warning in &config.warnings {
                anstream::eprintln!("{NAME}warning:{NAME:#} {warning}");
            }
            anstream::print!("{}", summary(&config));
            ExitCode::SUCCESS
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(_) if json => ExitCode::from(2),
        Err(complaints) => super::reject(&complaints),
    }
}

fn summary(config: &Config) -> String {
    let mut out = format!("{GOOD}ok{GOOD:#}\n");
    for site in config.sites.iter() {
        let public = site.public.as_ref().map_or("every host", |public| public.as_str());
        let _ = writeln!(out, "  {public}{} -> {}, MCP at {}", site.prefix, site.upstream, site.mcp_path);
    }
    out
}

/// What a setting is, as the file would write it, and where that was said.
fn effective<'a>(setting: &Setting, given: Option<&'a Given>, budget: &Budget) -> (String, &'a str) {
    let Some(given) = given else {
        return match budget.limit(setting.key) {
            Some(number) => (number.to_string(), "from the memory"),
            None => (setting.default.to_owned(), "default"),
        };
    };
    let place = given.values.last().map_or("an empty list", |value| value.place.as_str());
    let quoted = |text: &str| Value::from(text).to_string();
    let text = given.values.last().map_or("", |value| value.text.as_str());
    let written = match setting.kind {
        _ if settings::is_secret(setting.key) && !given.values.is_empty() => quoted("***"),
        Kind::List => {
            let all: Vec<String> = given.values.iter().map(|value| quoted(&value.text)).collect();
            format!("[{}]", all.join(", "))
        }
        Kind::Number | Kind::Switch => text.to_owned(),
        Kind::Text | Kind::Modes => quoted(text),
    };
    (written, place)
}

/// A file that says the same as all that was given, with where each value comes from.
fn show(layers: &Layers) -> String {
    let budget = overload::budget(layers);
    let mut out = String::new();
    let plain = SETTINGS.iter().filter(|setting| !setting.key.contains('.') && setting.kind != Kind::Modes);
    let tabled = SETTINGS.iter().filter(|setting| setting.key.contains('.'));
    let mut table = "";
    for setting in plain.chain(tabled) {
        let (group, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if group != table {
            table = group;
            let _ = writeln!(out, "\n[{group}]");
        }
        let (written, place) = effective(setting, layers.given.get(setting.key), &budget);
        if !written.is_empty() {
            let _ = writeln!(out, "{name} = {written}  {QUIET}# {place}{QUIET:#}");
        }
    }
    modes(&mut out, "[repairs]", "", layers.given.get("repairs"));
    for site in &layers.sites {
        let _ = writeln!(out, "\n[[site]]  {QUIET}# {}{QUIET:#}", site.place);
        for (key, given) in site.given.iter().filter(|(key, _)| **key != "repairs") {
            if let Some(setting) = settings::find(key) {
                let (written, place) = effective(setting, Some(given), &budget);
                let _ = writeln!(out, "{key} = {written}  {QUIET}# {place}{QUIET:#}");
            }
        }
        modes(&mut out, "", "repairs.", site.given.get("repairs"));
    }
    out
}

fn modes(out: &mut String, head: &str, prefix: &str, given: Option<&Given>) {
    let Some(given) = given else { return };
    if !head.is_empty() {
        let _ = writeln!(out, "\n{head}");
    }
    for value in &given.values {
        if let Some((id, mode)) = value.text.split_once('=') {
            let mode = Value::from(mode.trim());
            let _ = writeln!(out, "{prefix}{} = {mode}  {QUIET}# {}{QUIET:#}", id.trim(), value.place);
        }
    }
}

/// The same as JSON: for each setting its value as TOML writes it, and its place.
fn show_json(layers: &Layers) -> Value {
    let budget = overload::budget(layers);
    let mut all = Map::new();
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Modes) {
        let (written, place) = effective(setting, layers.given.get(setting.key), &budget);
        let value = serde_json::from_str(&written).unwrap_or(Value::Null);
        all.insert(setting.key.to_owned(), json!({ "value": value, "from": place }));
    }
    let modes = |given: Option<&Given>| -> Map<String, Value> {
        let values = given.into_iter().flat_map(|given| &given.values);
        let pairs = values.filter_map(|value| Some((value.text.split_once('=')?, &value.place)));
        pairs.map(|((id, mode), place)| (id.to_owned(), json!({ "value": mode, "from": place }))).collect()
    };
    all.insert("repairs".into(), modes(layers.given.get("repairs")).into());
    let sites = layers.sites.iter().map(|site| {
        let mut own = Map::new();
        for (key, given) in site.given.iter().filter(|(key, _)| **key != "repairs") {
            if let Some(setting) = settings::find(key) {
                let (written, place) = effective(setting, Some(given), &budget);
                let value = serde_json::from_str(&written).unwrap_or(Value::Null);
                own.insert((*key).to_owned(), json!({ "value": value, "from": place }));
            }
        }
        own.insert("repairs".into(), modes(site.given.get("repairs")).into());
        Value::Object(own)
    });
    all.insert("site".into(), sites.collect());
    all.into()
}
