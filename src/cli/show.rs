//! What the commands print: 80 columns, colour only where the terminal wants it.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::config::Config;
use crate::config::settings::wrap;
use crate::endpoint::Class;
use crate::repair::{Hook, Mode, Repair};
use crate::repairs::REPAIRS;
use crate::runtime::Runtime;
use crate::steps::Step;
use crate::terminal::{GOOD, NAME, QUIET, WIDTH};

/// The registry as a list.
#[must_use]
pub fn repairs() -> String {
    let mut out = String::new();
    let widest = REPAIRS.iter().map(|repair| repair.id.len()).max().unwrap_or(0);
    for repair in REPAIRS {
        let indent = widest + 11;
        let lines = wrap(repair.summary, WIDTH.saturating_sub(indent));
        let _ = write!(out, "{NAME}{:widest$}{NAME:#}  {:7}  ", repair.id, repair.default.to_string());
        let _ = writeln!(out, "{}", lines.join(&format!("\n{}", " ".repeat(indent))));
    }
    let _ = writeln!(out, "\n{QUIET}mcp-mend explain ID says all about one.{QUIET:#}");
    out
}

/// The registry as JSON.
#[must_use]
pub fn repairs_json() -> Value {
    REPAIRS
        .iter()
        .map(|repair| {
            json!({
                "id": repair.id, "rows": repair.rows, "summary": repair.summary, "default": repair.default.to_string(),
                "stops": repair.stops.ids(), "step": Step::of(repair).name(),
            })
        })
        .collect()
}

/// One repair, all of it.
#[must_use]
pub fn explain(repair: &Repair) -> String {
    let mut out = String::new();
    let _ =
        writeln!(out, "{NAME}{}{NAME:#}  (default: {}; rows {})", repair.id, repair.default, repair.rows.join(", "));
    let _ = writeln!(out, "{}", paragraph(&format!("{}.", repair.summary)));
    for (title, text) in [
        ("Why it matters", repair.why),
        ("Who is hit", repair.hits),
        ("Stops", &stops(repair)),
        ("What mcp-mend does", repair.remedy),
        ("How to mend the server itself", repair.advice),
    ] {
        let _ = writeln!(out, "\n{NAME}{title}{NAME:#}\n{}", paragraph(text));
    }
    let _ = writeln!(out, "\n{NAME}Where{NAME:#}\n{}", paragraph(&places(repair)));
    let _ = writeln!(out, "\n{NAME}Basis{NAME:#}");
    for basis in repair.basis {
        let _ = writeln!(out, "  {} ({})\n  {QUIET}{}{QUIET:#}", basis.text, basis.level, basis.url);
    }
    let _ = writeln!(out, "\n{NAME}Turn it off{NAME:#}\n  mcp-mend ... --repair {}=off", repair.id);
    out
}

/// Who gives up there, and how far that is.
fn stops(repair: &Repair) -> String {
    match repair.stops.is_empty() {
        true => format!("{}: it hurts in part", repair.stops),
        false => format!("{}: {}", Step::of(repair).at(), repair.stops),
    }
}

fn places(repair: &Repair) -> String {
    let what = match repair.hook {
        Hook::Request { .. } => "requests",
        Hook::Reply { .. } => "answers",
        Hook::Event { .. } => "events of a stream",
        Hook::Silence { .. } => "event streams that are silent",
        Hook::Message { .. } => "messages",
    };
    if repair.on.len() == Class::ALL.len() {
        return format!("{what} of every path");
    }
    format!("{what} of: {}", repair.on.iter().map(|class| class.name()).collect::<Vec<_>>().join(", "))
}

fn paragraph(text: &str) -> String {
    wrap(text, WIDTH - 2).iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// One repair as JSON.
#[must_use]
pub fn explain_json(repair: &Repair) -> Value {
    json!({
        "id": repair.id,
        "rows": repair.rows,
        "summary": repair.summary,
        "why": repair.why,
        "hits": repair.hits,
        "stops": repair.stops.ids(),
        "step": Step::of(repair).name(),
        "remedy": repair.remedy,
        "advice": repair.advice,
        "default": repair.default.to_string(),
        "where": places(repair),
        "basis": repair.basis.iter().map(|basis| json!({
            "text": basis.text, "url": basis.url, "level": basis.level.to_string(),
        })).collect::<Vec<_>>(),
    })
}

/// The few lines of a start.
#[must_use]
pub fn banner(config: &Config, runtime: &Runtime, listens: &str, admin: Option<SocketAddr>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{NAME}mcp-mend {}{NAME:#}", env!("CARGO_PKG_VERSION"));
    let scheme = if config.process.tls.is_some() { "https" } else { "http" };
    let _ = match config.process.listen.tcp() {
        Some(_) => writeln!(out, "  listens on   {scheme}://{listens}"),
        None => writeln!(out, "  listens on   {listens} ({scheme})"),
    };
    let known = crate::knowledge::Knowledge::default();
    let endpoint = crate::exchange::Site { facts: &runtime.facts, known: &known }.resource();
    let first = config.sites.first();
    let _ = writeln!(out, "  sends to     {}", first.upstream);
    if first.reach.unix.is_some() || !first.reach.addresses.is_empty() {
        for address in runtime.target.addresses() {
            let _ = writeln!(out, "    at         {address}");
        }
    }
    let _ = writeln!(out, "  clients use  {GOOD}{endpoint}{GOOD:#}");
    for site in config.sites.rest() {
        let public = site.public.as_ref().map_or("", |public| public.as_str());
        let _ = writeln!(out, "  and site     {GOOD}{public}{}{GOOD:#} for {}", site.mcp_path, site.upstream);
    }
    if let Some(admin) = admin {
        let label = if config.process.admin_page { "admin page   " } else { "admin        " };
        let _ = writeln!(out, "  {label}http://{admin}");
    }
    let _ = writeln!(out, "  memory       {}", runtime.bounds.fits(&config.process.overload.memory));
    let mode = |repair: &Repair| first.modes.get(repair.id).copied().unwrap_or(repair.default);
    let _ = writeln!(out, "  repairs      {}\n               {QUIET}mcp-mend repairs lists them{QUIET:#}", tally(mode));
    out
}

/// How many repairs mend, and which are only observed or off.
#[must_use]
pub fn tally(mode: impl Fn(&Repair) -> Mode) -> String {
    let in_mode = |wanted: Mode| REPAIRS.iter().copied().filter(|repair| mode(repair) == wanted).collect::<Vec<_>>();
    let mut out = format!("{} on", in_mode(Mode::Fix).len());
    for (wanted, word) in [(Mode::Observe, "observed"), (Mode::Off, "off")] {
        let names: Vec<&str> = in_mode(wanted).iter().map(|repair| repair.id).collect();
        if !names.is_empty() {
            let _ = write!(out, ", {} {word} ({})", names.len(), names.join(", "));
        }
    }
    out
}
