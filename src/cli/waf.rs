//! `mcp-mend waf`: reads what is wanted and the files, and hands both to the rules.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValue, value_parser};
use serde_json::Value;

use crate::config::Complaint;
use crate::endpoint::is_plain;
use crate::ranges::{Ranges, Vendor};
use crate::waf::{self, TARGETS, Target, Wanted};

/// What was asked for.
#[derive(Debug)]
pub struct Wish {
    target: &'static Target,
    vendors: Vec<String>,
    mcp_path: String,
    paths: Vec<String>,
    files: Vec<PathBuf>,
    agents: bool,
    pub json: bool,
}

/// Rules to be printed.
#[derive(Debug)]
pub struct Rules {
    target: &'static Target,
    wanted: Wanted,
}

impl Rules {
    #[must_use]
    pub fn text(&self) -> String {
        waf::text(self.target, &self.wanted)
    }

    #[must_use]
    pub fn json(&self) -> Value {
        waf::json(self.target, &self.wanted)
    }
}

/// The subcommand.
#[must_use]
pub fn command(json: Arg) -> Command {
    let targets = TARGETS.map(|target| PossibleValue::new(target.name).help(target.about));
    let many =
        |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value).action(ArgAction::Append);
    Command::new("waf")
        .about("Print firewall rules that let the hosted clients in, by address, to the paths of a login")
        .arg(Arg::new("TARGET").required(true).value_parser(targets).help("The firewall that the rules are for"))
        .arg(many("vendor", "NAME").help("Whose clients: anthropic, openai; several may be named [default: all]"))
        .arg(
            Arg::new("mcp-path")
                .long("mcp-path")
                .value_name("PATH")
                .default_value("/mcp")
                .help("The path of the MCP endpoint"),
        )
        .arg(many("path", "PATH").help("A further path, such as a token endpoint elsewhere; several may be named"))
        .arg(many("ranges", "FILE").value_parser(value_parser!(PathBuf)).help(
            "A newer list: TOML with vendor, date, source and egress, or OpenAI's chatgpt-connectors.json as it is",
        ))
        .arg(
            Arg::new("user-agent")
                .long("user-agent")
                .action(ArgAction::SetTrue)
                .help("The user agent has to fit as well; never instead of the address: anybody can send one"),
        )
        .arg(json)
}

/// Reads the command line.
#[must_use]
pub fn wish(matches: &ArgMatches) -> Wish {
    let many = |name: &str| matches.get_many::<String>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let target = matches.get_one::<String>("TARGET").and_then(|name| waf::find(name));
    Wish {
        target: target.unwrap_or(TARGETS[0]),
        vendors: many("vendor"),
        mcp_path: matches.get_one::<String>("mcp-path").cloned().unwrap_or_default(),
        paths: many("path"),
        files: matches.get_many::<PathBuf>("ranges").into_iter().flatten().cloned().collect(),
        agents: matches.get_flag("user-agent"),
        json: matches.get_flag("json"),
    }
}

/// Reads the files and makes the rules.
///
/// # Errors
/// Everything that is wrong.
pub fn rules(wish: &Wish) -> Result<Rules, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let complaint = |place: &str, message: String| Complaint { place: place.into(), message };
    let mut ranges = Ranges::default();
    for file in &wish.files {
        super::take_ranges(file, &mut ranges, &mut complaints);
    }
    for (place, path) in
        wish.paths.iter().map(|path| ("--path", path)).chain(std::iter::once(("--mcp-path", &wish.mcp_path)))
    {
        if !is_plain(path) {
            let message = format!("`{path}` cannot be a path: it begins with `/` and has no `//`, `%`, `?` or blank");
            complaints.push(complaint(place, message));
        }
    }
    if wish.agents && !wish.target.sees_http {
        let name = wish.target.name;
        complaints.push(complaint("--user-agent", format!("{name} sees no user agents; leave it out")));
    }
    let names: Vec<&str> = match wish.vendors.as_slice() {
        [] => ranges.vendors().iter().map(|vendor| vendor.name.as_str()).collect(),
        named => named.iter().map(String::as_str).collect(),
    };
    let mut vendors = Vec::new();
    for name in names {
        match ranges.find(name) {
            Some(vendor) => vendors.push(vendor.clone()),
            None => {
                let known = ranges.names();
                let message = format!("`{name}` is not known; write one of {known}, or add it with --ranges FILE");
                complaints.push(complaint("--vendor", message));
            }
        }
    }
    if complaints.is_empty() && vendors.iter().all(Vendor::is_unknown) {
        complaints.extend(vendors.iter().map(|vendor| {
            let Vendor { name, source, .. } = vendor;
            complaint(
                "--vendor",
                format!("no addresses are known of `{name}`: get {source} and pass it with --ranges FILE"),
            )
        }));
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let wanted = Wanted::new(vendors, &wish.mcp_path, &wish.paths, wish.agents);
    Ok(Rules { target: wish.target, wanted })
}
