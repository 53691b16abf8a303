//! The thin binary: reads the command line, starts, waits for a signal, stops.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use mcp_mend::admin::source::Live;
use mcp_mend::admin::{self, Admin};
use mcp_mend::cli::{self, Asked, show};
use mcp_mend::config::{Complaint, Config, settings};
use mcp_mend::otlp::{Exporter, Otlp};
use mcp_mend::server::{self, Balance, Outlets, Running, StartError};
use mcp_mend::signals::{self, Order, Orders};
use mcp_mend::telemetry::access::{AccessLog, Format};
use mcp_mend::telemetry::flows::Flows;
use mcp_mend::terminal;
use mcp_mend::watch::{Watch, watch};
use mcp_mend::{demo, notify, reload, repairs};

/// How long the last spans may take, however long the last exchanges took.
const LAST_SPANS: Duration = Duration::from_millis(500);

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A panic's message may hold what it was about; its place is enough to find the bug.
    std::panic::set_hook(Box::new(|info| match info.location() {
        Some(place) => eprintln!("mcp-mend: panic at {}:{}", place.file(), place.line()),
        None => eprintln!("mcp-mend: panic"),
    }));
    let matches = cli::command().get_matches();
    match cli::asked(&matches, |name| std::env::var(name).ok()) {
        Asked::Run(layers, complaints) => match cli::configure(&layers, complaints) {
            Ok(config) => run(config, &matches),
            Err(complaints) => cli::reject(&complaints),
        },
        Asked::Config(wish, layers, complaints) => cli::config::run(wish, &layers, complaints),
        Asked::ConfigSchema => print(true, String::new, settings::schema),
        Asked::Check(asked) => cli::check::run(&asked),
        Asked::Demo(wish) => demo::run(&wish),
        Asked::DemoList { json } => print(json, demo::show::list, demo::show::list_json),
        Asked::Waf(wish) => match cli::waf::rules(&wish) {
            Ok(rules) => print(wish.json, || rules.text(), || rules.json()),
            Err(complaints) => cli::reject(&complaints),
        },
        Asked::Manual(wish) => match wish.text(cli::command()) {
            Ok(text) => {
                anstream::print!("{text}");
                ExitCode::SUCCESS
            }
            Err(message) => cli::reject(&[Complaint { place: "man".into(), message }]),
        },
        Asked::Health(wish) => cli::health::run(wish).unwrap_or_else(|complaints| cli::reject(&complaints)),
        Asked::Repairs { json } => print(json, show::repairs, show::repairs_json),
        Asked::Replay { file, json } => cli::replay::run(&file, json),
        Asked::Report(wish) => cli::report::run(&wish),
        Asked::Explain { id, json } => match repairs::find(&id) {
            Some(repair) => print(json, || show::explain(repair), || show::explain_json(repair)),
            None => {
                let hint = repairs::nearest(&id).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                cli::reject(&[Complaint { place: "explain".into(), message: format!("`{id}` is no repair{hint}") }])
            }
        },
    }
}

fn print(json: bool, text: impl Fn() -> String, value: impl Fn() -> serde_json::Value) -> ExitCode {
    if json {
        anstream::println!("{:#}", value());
    } else {
        anstream::print!("{}", text());
    }
    ExitCode::SUCCESS
}

/// Everything that runs.
struct Started {
    running: Running,
    admin: Option<Admin>,
    exporter: Option<Exporter>,
}

/// The proxy, and what is beside it.
fn start(config: &Config, access: AccessLog, flows: Option<Arc<Flows>>) -> Result<Started, StartError> {
    let listener = admin::bind(config.process.admin)?;
    let otlp = config.process.otlp.as_ref().map(Otlp::new).transpose()?;
    let tracer = otlp.as_ref().map(|otlp| otlp.tracer.clone());
    let outlets = Outlets { access, recorder: flows.clone().map(|flows| flows as _), tracer };
    let running = server::start(config, outlets, Balance::DEFAULT)?;
    let live = |flows| Arc::new(Live::new(running.vitals(), flows)) as _;
    let page = flows.filter(|_| config.process.admin_page).map(live);
    let admin = listener.map(|listener| admin::start(listener, running.vitals(), page)).transpose()?;
    let exporter = otlp.map(|otlp| otlp.start(running.vitals())).transpose()?;
    Ok(Started { running, admin, exporter })
}

/// Where the access log goes.
fn access_log(config: &Config) -> Result<AccessLog, Complaint> {
    let Some(path) = &config.process.log_file else {
        return Ok(AccessLog::start(config.process.log_format, std::io::stdout()));
    };
    AccessLog::to_file(config.process.log_format, path).map_err(|error| Complaint {
        place: "log.file".into(),
        message: format!("{} cannot be written: {error}; write a file in a folder that can be used", path.display()),
    })
}

fn run(config: Config, matches: &ArgMatches) -> ExitCode {
    let _log = mcp_mend::telemetry::init(&config.process.log_level, config.process.log_format == Format::Json);
    let orders = match signals::orders() {
        Ok(orders) => orders,
        Err(error) => return failed(&error),
    };
    let watch = watched(&config, &orders);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let flows = match Flows::of(&config) {
        Ok(flows) => flows,
        Err(error) => {
            let message = format!("captures cannot be written: {error}; write a folder that can be used");
            return cli::reject(&[Complaint { place: "capture.dir".into(), message }]);
        }
    };
    let access = match access_log(&config) {
        Ok(access) => access,
        Err(complaint) => return cli::reject(&[complaint]),
    };
    let Started { running, admin, exporter } = match start(&config, access, flows) {
        Ok(started) => started,
        Err(error) => return failed(&error),
    };
    greet(&config, &running, admin.as_ref());
    cli::first::look(&config.process, config.sites.first(), &running.runtime);
    signals::report_upstream(&running.runtime.target);
    notify::ready(&serving(&config, &running));
    obey(&orders, &running, config, watch, matches);
    let drain = running.sites().no_site().bounds.drain;
    notify::stopping(drain, "draining: requests and event streams end");
    let ledger = running.common.ledger.clone();
    let asked = Instant::now();
    running.stop();
    // What the last exchanges left goes out in what is left of the drain time.
    if let Some(exporter) = exporter {
        exporter.stop((asked + drain).max(Instant::now() + LAST_SPANS));
    }
    // Last, so that one can watch the others end.
    if let Some(admin) = admin {
        admin.stop();
    }
    mcp_mend::telemetry::summary(&ledger.sum());
    ExitCode::SUCCESS
}

/// Takes up what changes, until the order to stop comes.
fn obey(orders: &Orders, running: &Running, mut config: Config, mut watch: Option<Watch>, matches: &ArgMatches) {
    let gather = || cli::gather(matches, |name| std::env::var(name).ok());
    let started_with = config.layers.clone();
    if watch.is_some() && !gather().0.is_like(&started_with) {
        // Changed after it was read, and before anybody watched.
        let _ = orders.sender().send(Order::Reload);
    }
    while let Some(order) = orders.next().filter(|order| *order != Order::Stop) {
        running.common.access.reopen();
        if order == Order::Reopen {
            continue;
        }
        notify::reloading();
        let (layers, complaints) = gather();
        match reload::reload(running, &started_with, cli::configure(&layers, complaints)) {
            Ok(next) => {
                if next.layers.all_files() != config.layers.all_files() {
                    watch = watched(&next, orders);
                }
                config = next;
                notify::ready(&serving(&config, running));
            }
            Err(complaints) => {
                let why = complaints.first().map(ToString::to_string).unwrap_or_default();
                notify::ready(&format!("serving as before, the new configuration is wrong: {why}"));
            }
        }
    }
    drop(watch);
}

/// What the service manager shows.
fn serving(config: &Config, running: &Running) -> String {
    format!("serving {} for {}", running.name, config.sites.first().upstream)
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    anstream::eprintln!("{}error:{:#} {error}", terminal::BAD, terminal::BAD);
    ExitCode::FAILURE
}

/// Watches the files of a configuration, if it has any.
fn watched(config: &Config, orders: &Orders) -> Option<Watch> {
    let files = config.layers.all_files();
    if files.is_empty() {
        return None;
    }
    let orders = orders.sender();
    match watch(files, move || {
        let _ = orders.send(Order::Reload);
    }) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "files are not watched; SIGHUP reloads them");
            None
        }
    }
}

/// Says where it listens and what it stands before.
fn greet(config: &Config, running: &Running, admin: Option<&Admin>) {
    let admin = admin.map(|admin| admin.address);
    if config.process.log_format == Format::Json {
        let admin = admin.map(tracing::field::display);
        let memory = running.runtime.bounds.fits(&config.process.overload.memory);
        tracing::info!(listen = %running.name, upstream = %config.sites.first().upstream, admin, memory, "started");
    } else {
        anstream::print!("{}", show::banner(config, &running.runtime, &running.name, admin));
    }
    if config.sites.first().public.is_none() && running.address.ip().is_unspecified() {
        tracing::warn!(
            public_url = %running.runtime.facts.public,
            "listening on every address without a public_url: clients elsewhere need --public-url"
        );
    }
}
