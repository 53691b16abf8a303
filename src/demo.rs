//! `mcp-mend demo`: a deliberately broken server, the proxy before it, and the known issue page's checks through both.

pub mod broken;
pub mod checks;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use tokio::net::TcpListener;

use crate::cli::show::{BAD, GOOD, NAME, QUIET};
use crate::config::layers::{Layers, Value};
use crate::config::{Complaint, Config, settings};
use crate::server::{self, Balance, Running};
use crate::signals;
use crate::telemetry::access::{AccessLog, Format};
use broken::Broken;
use checks::{CHECKS, Seen};

/// What the demo failed at.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the broken server cannot start: {0}")]
    Broken(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] server::StartError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<Complaint>),
}

/// Runs the demo. With `once` it ends after the table, and fails if a line fell short; otherwise both servers go on
/// until a signal.
#[must_use]
pub fn run(listen: Option<&str>, once: bool) -> ExitCode {
    crate::telemetry::init("warn", false);
    match play(listen, once) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("{BAD}error:{BAD:#} {error}");
            if matches!(error, DemoError::Start(server::StartError::Listen { .. })) {
                eprintln!("Another address: mcp-mend demo --listen 127.0.0.1:0");
            }
            ExitCode::FAILURE
        }
    }
}

fn play(listen: Option<&str>, once: bool) -> Result<bool, DemoError> {
    let upstream = start_broken().map_err(DemoError::Broken)?;
    // A table alone needs no known address; somebody who wants to connect a client does.
    let listen = listen.unwrap_or(if once { "127.0.0.1:0" } else { "127.0.0.1:8808" });
    let quiet = AccessLog::start(Format::Off, std::io::sink());
    let running = server::start(&config(listen, upstream)?, quiet, Balance::DEFAULT)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DemoError::Broken)?;
    let (direct, proxy) = (format!("http://{upstream}"), format!("http://{}", running.address));
    let before = tokio.block_on(checks::walk(&direct));
    let after = tokio.block_on(checks::walk(&proxy));
    anstream::print!("{}", report(&direct, &proxy, &before, &after));
    let all_well = after.iter().all(|seen| seen.ok);
    if !once {
        serve_on(running, upstream, &proxy)?;
        return Ok(true);
    }
    running.stop();
    Ok(all_well)
}

/// The broken server, on a thread of its own.
fn start_broken() -> std::io::Result<SocketAddr> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = tokio.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    let broken = Arc::new(Broken::new(format!("http://{address}")));
    std::thread::Builder::new()
        .name("broken-server".into())
        .spawn(move || tokio.block_on(broken::serve(listener, broken)))?;
    Ok(address)
}

fn config(listen: &str, upstream: SocketAddr) -> Result<Config, DemoError> {
    let mut layers = Layers::default();
    for (key, text) in [("listen", listen.to_owned()), ("upstream.url", format!("http://{upstream}"))] {
        if let Some(setting) = settings::find(key) {
            layers.set(setting, vec![Value { text, place: format!("--{}", setting.flag) }]);
        }
    }
    Config::check(&layers, Vec::new()).map_err(DemoError::Config)
}

/// Keeps serving, now with an access log, so that a real client can be pointed at it.
fn serve_on(running: Running, upstream: SocketAddr, proxy: &str) -> Result<(), DemoError> {
    let listen = running.address.to_string();
    running.stop();
    let log = AccessLog::start(Format::Text, std::io::stdout());
    let running = server::start(&config(&listen, upstream)?, log, Balance::DEFAULT)?;
    anstream::println!(
        "\nBoth keep serving until Ctrl-C. Point a client at {NAME}{proxy}/mcp{NAME:#} (mended) or at\n\
         http://{upstream}/mcp (broken), and watch what is mended:\n"
    );
    let _ = signals::wait();
    running.stop();
    Ok(())
}

/// The table: what the page asks, what came directly, what came through the proxy.
fn report(direct: &str, proxy: &str, before: &[Seen], after: &[Seen]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(80);
    table.set_constraints([31, 22, 25].map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    table.set_header(vec!["the known issue page asks", "broken server", "through mcp-mend"]);
    for ((check, before), after) in CHECKS.iter().zip(before).zip(after) {
        table.add_row(vec![check.page.to_owned(), cell(before), cell(after)]);
    }
    let count = |seen: &[Seen]| seen.iter().filter(|seen| seen.ok).count();
    let (was, is, all) = (count(before), count(after), CHECKS.len());
    let style = if is == all { GOOD } else { BAD };
    let mut out = format!("{NAME}mcp-mend demo{NAME:#}\n");
    let _ = writeln!(out, "  broken server  {direct}   {QUIET}every defect of the known issue page{QUIET:#}");
    let _ = writeln!(out, "  proxy          {proxy}   {QUIET}mcp-mend {direct}{QUIET:#}\n");
    let _ = writeln!(out, "{table}");
    let _ =
        writeln!(out, "\n{style}{is} of {all} as the page asks through mcp-mend{style:#}, {was} of {all} without it.");
    out
}

fn cell(seen: &Seen) -> String {
    format!("{} {}", if seen.ok { "ok:" } else { "FAIL:" }, seen.text)
}
