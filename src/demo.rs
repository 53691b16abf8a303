//! `mcp-mend demo`: a deliberately broken server, the proxy before it, and what a client meets at both: the checks of
//! the known issue page, or single defects.

pub mod broken;
pub mod checks;
pub mod client;
pub mod defects;
mod events;
mod mended;
mod parts;
pub mod show;
mod visit;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::process::ExitCode;
use std::sync::Arc;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use tokio::net::TcpListener;

use crate::admin::{self, source::Live};
use crate::config::layers::{Layers, Value};
use crate::config::{Complaint, Config, ProcessConfig, settings};
use crate::edit::origin::Origin;
use crate::memory;
use crate::server::{self, Balance, Outlets, Running};
use crate::signals;
use crate::telemetry::access::{AccessLog, Format};
use crate::telemetry::flows::Flows;
use crate::terminal::{BAD, GOOD, NAME, QUIET};
use broken::Broken;
use checks::CHECKS;
use defects::{ALL_OF_THE_PAGE, Defect};
use show::Seen;

/// What the demo failed at.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the broken server cannot start: {0}")]
    Broken(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] server::StartError),
    #[error("`{name}` is no defect{}", hint(name))]
    Unknown { name: String },
    #[error("--server: `{0}` is no address of a server; write it as in http://server:3000")]
    Server(String),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<Complaint>),
}

fn hint(name: &str) -> String {
    match defects::nearest(name) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => "; mcp-mend demo --list has them all".to_owned(),
    }
}

/// What to show.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Where the proxy listens.
    pub listen: Option<String>,
    /// Where the page of flows is, once both keep serving.
    pub admin: Option<String>,
    /// End after the report, and fail if something is not mended; otherwise both servers go on until a signal.
    pub once: bool,
    /// Only the broken server, known by this URL, for a proxy that is started apart.
    pub server: Option<String>,
    /// These defects alone, by name; none: all of the known issue page, as a table.
    pub defects: Vec<String>,
}

/// Runs the demo.
#[must_use]
pub fn run(wish: &Wish) -> ExitCode {
    let _log = crate::telemetry::init("warn", false);
    match play(wish) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("{BAD}error:{BAD:#} {error}");
            match error {
                DemoError::Unknown { .. } | DemoError::Server(_) => return ExitCode::from(2),
                DemoError::Start(server::StartError::Listen { .. }) => {
                    eprintln!("Another address: mcp-mend demo --listen 127.0.0.1:0");
                }
                _ => {}
            }
            ExitCode::FAILURE
        }
    }
}

fn play(wish: &Wish) -> Result<bool, DemoError> {
    let wished = wished(&wish.defects)?;
    if let Some(url) = &wish.server {
        return alone(&wished, url).map(|()| true);
    }
    let upstream = start_broken(&wished, None).map_err(DemoError::Broken)?;
    // A report alone needs no known address; somebody who wants to connect a client does.
    let listen = wish.listen.as_deref().unwrap_or(if wish.once { "127.0.0.1:0" } else { "127.0.0.1:8808" });
    let config = config(listen, upstream, wish.admin.as_deref())?;
    let page = admin::bind(config.process.admin)?;
    let quiet = AccessLog::start(Format::Off, std::io::sink());
    let running = server::start(&config, quiet, Balance::DEFAULT)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DemoError::Broken)?;
    let (direct, proxy) = (format!("http://{upstream}"), format!("http://{}", running.address));
    let (report, all_well) = match &wished {
        Wished::Page => tokio.block_on(whole_page(&direct, &proxy)),
        Wished::Some(defects) => tokio.block_on(each(defects, &direct, &proxy)),
    };
    anstream::print!("{report}");
    if !wish.once {
        serve_on(running, config, page)?;
        return Ok(true);
    }
    running.stop();
    Ok(all_well)
}

/// What the broken server has.
enum Wished {
    /// Every defect of the known issue page.
    Page,
    Some(Vec<&'static Defect>),
}

fn wished(names: &[String]) -> Result<Wished, DemoError> {
    if names.iter().all(|name| name == ALL_OF_THE_PAGE) {
        return Ok(Wished::Page);
    }
    let mut defects: Vec<&'static Defect> = Vec::new();
    for name in names {
        let found = match defects::find(name) {
            Some(defect) => vec![defect],
            None if name == ALL_OF_THE_PAGE => defects::of_the_page(),
            None => return Err(DemoError::Unknown { name: name.clone() }),
        };
        for defect in found {
            if !defects.iter().any(|have| have.name == defect.name) {
                defects.push(defect);
            }
        }
    }
    Ok(Wished::Some(defects))
}

async fn whole_page(direct: &str, proxy: &str) -> (String, bool) {
    let before = checks::walk(direct).await;
    let after = checks::walk(proxy).await;
    (report(direct, proxy, &before, &after), after.iter().all(|seen| seen.ok))
}

/// Each defect, directly and through the proxy, one after the other.
async fn each(defects: &[&'static Defect], direct: &str, proxy: &str) -> (String, bool) {
    let mut out = String::new();
    let mut mended = 0;
    for defect in defects {
        let before = Seen::of(defect, direct).await;
        let after = Seen::of(defect, proxy).await;
        mended += usize::from(after.verdict.is_ok());
        out.push_str(&show::defect(defect, direct, proxy, &before, &after));
        out.push('\n');
    }
    let all = defects.len();
    let style = if mended == all { GOOD } else { BAD };
    let _ = writeln!(out, "{style}{mended} of {all} mended by mcp-mend.{style:#}");
    (out, mended == all)
}

/// The broken server without a proxy, until a signal.
fn alone(wished: &Wished, url: &str) -> Result<(), DemoError> {
    let origin = Origin::of(url).ok().filter(|origin| !origin.is_secure());
    let origin = origin.ok_or_else(|| DemoError::Server(url.to_owned()))?;
    start_broken(wished, Some(&origin)).map_err(DemoError::Broken)?;
    let url = origin.as_str();
    anstream::println!(
        "The broken server is {NAME}{url}/mcp{NAME:#}, until Ctrl-C. Put a proxy before it:\n  mcp-mend {url}"
    );
    let _ = signals::wait();
    Ok(())
}

/// The broken server, on a thread of its own: on any port of this machine, or where its URL says. Its name may be
/// one that only other machines know it by, and then it is for them.
fn start_broken(wished: &Wished, known: Option<&Origin>) -> std::io::Result<SocketAddr> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ip = if known.is_none_or(Origin::is_loopback) { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let listener = tokio.block_on(TcpListener::bind((ip, known.map_or(0, Origin::port))))?;
    let address = listener.local_addr()?;
    let origin = known.map_or_else(|| format!("http://{address}"), |known| known.as_str().to_owned());
    let broken = Arc::new(match wished {
        Wished::Page => Broken::new(origin),
        Wished::Some(defects) => Broken::with(origin, defects),
    });
    std::thread::Builder::new()
        .name("broken-server".into())
        .spawn(move || tokio.block_on(broken::serve(listener, broken)))?;
    Ok(address)
}

fn config(listen: &str, upstream: SocketAddr, admin: Option<&str>) -> Result<Config, DemoError> {
    let mut layers = Layers { memory: memory::found(), ..Layers::default() };
    let given = [("listen", listen.to_owned()), ("upstream.url", format!("http://{upstream}"))];
    for (key, text) in given.into_iter().chain(admin.map(|admin| ("admin", admin.to_owned()))) {
        if let Some(setting) = settings::find(key) {
            layers.set(setting, vec![Value { text, place: format!("--{}", setting.flag) }]);
        }
    }
    Config::check(&layers, Vec::new()).map_err(DemoError::Config)
}

/// Keeps serving, now with an access log, so that a real client can be pointed at it.
fn serve_on(running: Running, config: Config, page: Option<StdListener>) -> Result<(), DemoError> {
    let process = ProcessConfig { listen: running.address.into(), ..config.process };
    let config = Config { process, ..config };
    running.stop();
    let log = AccessLog::start(Format::Text, std::io::stdout());
    let flows = Flows::of(&config).map_err(DemoError::Broken)?;
    let outlets = Outlets { recorder: flows.clone().map(|flows| flows as _), ..log.into() };
    let running = server::start(&config, outlets, Balance::DEFAULT)?;
    let live = |flows| Arc::new(Live::new(running.vitals(), flows));
    let page = page
        .zip(flows)
        .map(|(listener, flows)| admin::start(listener, running.vitals(), Some(live(flows))))
        .transpose()?;
    let (proxy, upstream) = (&running.runtime.facts.public, &config.sites.first().upstream);
    anstream::println!(
        "\nBoth keep serving until Ctrl-C. Point a client at {NAME}{proxy}/mcp{NAME:#} (mended) or at\n\
         {upstream}/mcp (broken), and watch what is mended:\n"
    );
    if let Some(page) = &page {
        anstream::println!("  admin page   {NAME}http://{}{NAME:#}\n", page.address);
    }
    let _ = signals::wait();
    running.stop();
    if let Some(page) = page {
        page.stop();
    }
    Ok(())
}

/// The table: what the page asks, what came directly, what came through the proxy.
fn report(direct: &str, proxy: &str, before: &[checks::Seen], after: &[checks::Seen]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(80);
    table.set_constraints([31, 22, 25].map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    table.set_header(vec!["the known issue page asks", "broken server", "through mcp-mend"]);
    for ((check, before), after) in CHECKS.iter().zip(before).zip(after) {
        table.add_row(vec![check.page.to_owned(), cell(before), cell(after)]);
    }
    let count = |seen: &[checks::Seen]| seen.iter().filter(|seen| seen.ok).count();
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

fn cell(seen: &checks::Seen) -> String {
    format!("{} {}", if seen.ok { "ok:" } else { "FAIL:" }, seen.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Option<Vec<&'static str>> {
        match wished(&asked.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap() {
            Wished::Page => None,
            Wished::Some(defects) => Some(defects.iter().map(|defect| defect.name).collect()),
        }
    }

    #[test]
    fn the_page_is_shown_unless_defects_are_named() {
        assert_eq!((names(&[]), names(&[ALL_OF_THE_PAGE])), (None, None));
        assert_eq!(names(&["token-form", "token-form"]).unwrap(), ["token-form"]);
        let both = names(&[ALL_OF_THE_PAGE, "token-form", "challenge-missing"]).unwrap();
        assert_eq!(both.len(), defects::of_the_page().len() + 1);
        assert!(matches!(wished(&["no".to_owned()]), Err(DemoError::Unknown { .. })));
    }
}
