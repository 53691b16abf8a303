//! `mcp-mend check`: what is typed, and running it.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::check::report::Report;
use crate::check::{self, Call, Profile, Wish};
use crate::client;
use crate::config::layers::{Layers, Value};
use crate::config::settings::{self, ENV_PREFIX};
use crate::config::{Complaint, Config};
use crate::memory;
use crate::terminal::BAD;

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Text,
    Json,
    Markdown,
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub url: String,
    pub register: bool,
    pub login: bool,
    pub token: Option<String>,
    pub calls: Vec<String>,
    /// The id of a client.
    pub client: Option<String>,
    pub callback_port: u16,
    pub mcp_path: Option<String>,
    pub ca_file: Option<String>,
    pub form: Form,
    pub all: bool,
    pub write_config: Option<PathBuf>,
}

pub(super) fn command(json: Arg) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let value = |name: &'static str, what: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(what).help(help)
    };
    Command::new("check")
        .about("Ask a server what clients ask: what is wrong, which clients it stops, and the cure")
        .after_help(
            "Nothing is changed at the server without --register, --login or --token.\n\
             Exit codes: 0 sound, 1 a MUST is broken or a client is stopped, 2 something could not be tested.",
        )
        .arg(Arg::new("URL").required(true).help("The MCP endpoint, as in https://mcp.example.com/mcp"))
        .arg(flag("register", "Register one client as well. This leaves a client at the server"))
        .arg(flag("login", "Log in: registers a client and opens the page (or prints its address)"))
        .arg(value(
            "as",
            "CLIENT",
            "Register, log in and call yourself as claude, chatgpt, vscode, cursor, inspector, sdk, ...",
        ))
        .arg(value(
            "token",
            "TOKEN",
            "Send messages with this token; @FILE reads it from a file, and MCP_MEND_TOKEN may hold it",
        ))
        .arg(value("call", "TOOL[=JSON]", "Call this tool, too, once; only harmless ones").action(ArgAction::Append))
        .arg(
            value("callback-port", "PORT", "Where on 127.0.0.1 the login comes back to [default: any free port]")
                .value_parser(value_parser!(u16)),
        )
        .arg(value("mcp-path", "PATH", "The path of the MCP endpoint, if the URL does not say it [default: /mcp]"))
        .arg(value("ca-file", "FILE", "Certificates (PEM) to trust beside those of the platform"))
        .arg(flag("all", "List what passed and what does not apply, too"))
        .arg(
            value("write-config", "FILE", "Write a configuration that mends this server")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(value("format", "FORMAT", "text, json or markdown").value_parser(["text", "json", "markdown"]))
        .arg(json.conflicts_with("format").help("The same as --format json"))
}

/// What was typed; a token may stand in the environment.
pub(super) fn asked(sub: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Asked {
    let text = |name: &str| sub.get_one::<String>(name).cloned();
    let form = match text("format").as_deref() {
        Some("markdown") => Form::Markdown,
        Some("json") => Form::Json,
        _ if sub.get_flag("json") => Form::Json,
        _ => Form::Text,
    };
    Asked {
        url: text("URL").unwrap_or_default(),
        register: sub.get_flag("register"),
        login: sub.get_flag("login"),
        token: text("token").or_else(|| lookup(&format!("{ENV_PREFIX}TOKEN"))),
        calls: sub.get_many::<String>("call").into_iter().flatten().cloned().collect(),
        client: text("as"),
        callback_port: sub.get_one::<u16>("callback-port").copied().unwrap_or_default(),
        mcp_path: text("mcp-path"),
        ca_file: text("ca-file"),
        form,
        all: sub.get_flag("all"),
        write_config: sub.get_one::<PathBuf>("write-config").cloned(),
    }
}

/// Runs a check and prints what it came to.
#[must_use]
pub fn run(asked: &Asked) -> ExitCode {
    let _log = crate::telemetry::init("error", false);
    if let Some(file) = asked.write_config.as_ref().filter(|file| file.exists()) {
        anstream::eprintln!("{BAD}error:{BAD:#} {}", not_written(file, "the file is there already; name another"));
        return ExitCode::from(2);
    }
    match report(asked) {
        Ok(report) => {
            print(asked, &report);
            match asked.write_config.as_ref().map(|file| write_config(file, asked, &report)) {
                Some(Err(complaint)) => {
                    anstream::eprintln!("{BAD}error:{BAD:#} {complaint}");
                    ExitCode::from(2)
                }
                _ => ExitCode::from(report.exit),
            }
        }
        Err(complaints) => {
            for complaint in complaints {
                anstream::eprintln!("{BAD}error:{BAD:#} {complaint}");
            }
            ExitCode::from(2)
        }
    }
}

fn print(asked: &Asked, report: &Report) {
    let text = match asked.form {
        Form::Json => format!("{:#}\n", serde_json::to_value(report).unwrap_or_default()),
        Form::Text => check::show::text(report, asked.all),
        Form::Markdown => check::show::markdown(report),
    };
    // Who does not read on is told by the exit code.
    let _ = anstream::stdout().write_all(text.as_bytes());
}

fn not_written(file: &Path, why: impl std::fmt::Display) -> Complaint {
    Complaint { place: format!("--write-config {}", file.display()), message: why.to_string() }
}

/// Writes a configuration that mends the server; never over a file that is there.
fn write_config(file: &Path, asked: &Asked, report: &Report) -> Result<(), Complaint> {
    let cannot = |error: std::io::Error| not_written(file, error);
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(cannot)?;
    out.write_all(check::show::config_file(report, asked.ca_file.as_deref()).as_bytes()).map_err(cannot)?;
    anstream::eprintln!("{} is written: mcp-mend --config {}", file.display(), file.display());
    Ok(())
}

/// Runs a check.
pub(super) fn report(asked: &Asked) -> Result<Report, Vec<Complaint>> {
    let complain = |place: &str, message: String| vec![Complaint { place: place.into(), message }];
    let config = config(asked)?;
    let wish = Wish {
        register: asked.register,
        login: asked.login,
        token: asked.token.as_deref().map(token).transpose().map_err(|message| complain("--token", message))?,
        calls: asked
            .calls
            .iter()
            .map(|text| call(text))
            .collect::<Result<_, _>>()
            .map_err(|message| complain("--call", message))?,
        profile: profile(asked.client.as_deref()).map_err(|message| complain("--as", message))?,
        callback_port: asked.callback_port,
        time: check::TIME,
        show_page: Box::new(show_page),
    };
    let site = config.sites.first();
    let url = format!("{}{}", site.upstream, site.mcp_path);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| complain("check", error.to_string()))?;
    tokio.block_on(check::check(&config, &url, &wish)).map_err(|error| complain("check", error.to_string()))
}

/// The configuration of a proxy before that server.
fn config(asked: &Asked) -> Result<Config, Vec<Complaint>> {
    let mut layers = Layers { memory: memory::found(), ..Layers::default() };
    let given = [
        ("upstream.url", "URL", Some(asked.url.clone())),
        ("mcp_path", "--mcp-path", asked.mcp_path.clone()),
        ("upstream.ca_file", "--ca-file", asked.ca_file.clone()),
    ];
    for (key, place, text) in given {
        if let (Some(setting), Some(text)) = (settings::find(key), text) {
            layers.set(setting, vec![Value { text, place: place.into() }]);
        }
    }
    Config::check(&layers, Vec::new())
}

/// The client that somebody names; `sdk` is the usual one.
fn profile(id: Option<&str>) -> Result<Profile, String> {
    let Some(id) = id else { return Ok(Profile::default()) };
    let found = if id == "sdk" { Some(check::USUAL) } else { client::find(id) };
    found.map(Profile::of).ok_or_else(|| {
        let known: Vec<&str> = client::CLIENTS.iter().map(|client| client.id).collect();
        let hint = client::nearest(id).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("`{id}` is no client{hint}; write sdk or one of {}", known.join(", "))
    })
}

fn token(text: &str) -> Result<String, String> {
    let token = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file} cannot be read: {error}"))?,
        None => text.to_owned(),
    };
    let token = token.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(token.to_owned()) } else { Err("a token is one word of visible ASCII".into()) }
}

fn call(text: &str) -> Result<Call, String> {
    let (tool, arguments) = text.split_once('=').unwrap_or((text, "{}"));
    let arguments =
        serde_json::from_str::<serde_json::Value>(arguments).ok().filter(serde_json::Value::is_object).ok_or_else(
            || format!("the arguments of `{tool}` are no JSON object; write --call '{tool}={{\"name\": 1}}'"),
        )?;
    Ok(Call { tool: tool.to_owned(), arguments })
}

/// Tells where to log in, and opens the page where there is a screen.
fn show_page(url: &str) {
    anstream::eprintln!("Open this page to log in; the check goes on when it comes back:\n\n  {url}\n");
    let has_screen = cfg!(not(target_os = "linux"))
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|name| !name.is_empty()));
    if has_screen && std::io::stderr().is_terminal() {
        // Where that fails, the address is on the screen.
        let _ = open::that_detached(url);
    }
}
