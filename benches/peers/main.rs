//! mcp-mend beside nginx and HAProxy under the same load: what each costs in CPU time.
//!
//!     cargo bench --bench peers
//!     cargo bench --bench peers -- --quick
//!     cargo bench --bench peers -- --rounds 9 --json out.json small register
//!     cargo bench --bench peers -- --baseline OTHER/mcp-mend
//!
//! Every proxy has one worker on CPU 0. The upstream (a child process) and the load share CPU 1; together they cost less
//! than any proxy, so that it is the proxy that is busy. In each round every proxy gets every workload once, in an
//! order that turns; the figure is the proxy's own CPU clock over the requests, and a ratio is the median of the
//! ratios within the rounds, so that a machine that others use as well does little harm. Nothing here fails for being
//! slow.
//!
//! The peers get the fix-ups of the known issue page as far as they go: the challenge on 401 and its exposure, CORS,
//! preflight and Cache-Control on metadata, whole seconds in registrations (nginx with Lua or njs; HAProxy with a
//! regular expression). They keep no access log; mcp-mend does everything it does by default and writes its own to
//! /dev/null.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot run shall say so and end")]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

mod configs;
#[path = "../kit/mod.rs"]
mod kit;
mod load;
mod process;
mod report;
mod target;
mod workload;

use process::{Child, Pins};
use report::Table;
use target::Target;
use workload::{WORKLOADS, Workload};

/// The argument by which this program becomes the upstream.
const AS_UPSTREAM: &str = "--as-upstream";

struct Options {
    rounds: usize,
    /// Requests are divided by this.
    share: usize,
    json: Option<PathBuf>,
    baseline: Option<PathBuf>,
    filters: Vec<String>,
    /// `--test`: once through with mcp-mend alone, to see that all of it works.
    smoke: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter.as_str()))
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options { rounds: 5, share: 1, json: None, baseline: None, filters: Vec::new(), smoke: false };
    let (mut benching, mut rounds) = (false, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--bench" => benching = true,
            "--test" => options.smoke = true,
            "--quick" => (options.rounds, options.share) = (3, 4),
            "--rounds" => rounds = Some(value()?.parse().map_err(|_| "--rounds needs a number")?),
            "--json" => options.json = Some(value()?.into()),
            "--baseline" => options.baseline = Some(value()?.into()),
            // What cargo or other benches understand.
            flag if flag.starts_with('-') => eprintln!("peers: {flag} means nothing here"),
            filter => options.filters.push(filter.to_owned()),
        }
    }
    if options.smoke {
        (options.rounds, options.share) = (1, 200);
    }
    options.rounds = rounds.unwrap_or(options.rounds).max(1);
    // `cargo test --benches` runs it without `--bench`: nothing is to be measured then.
    Ok((benching || options.smoke).then_some(options))
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(AS_UPSTREAM) {
        return be_upstream();
    }
    match options() {
        Ok(Some(options)) => {
            run(&options);
            ExitCode::SUCCESS
        }
        Ok(None) => {
            println!("peers: measures only with --bench, as `cargo bench` calls it");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("peers: {complaint}");
            ExitCode::from(2)
        }
    }
}

/// The upstream: says its port and serves until it is ended.
fn be_upstream() -> ExitCode {
    let address = kit::upstream::start().expect("an upstream");
    println!("{}", address.port());
    std::io::stdout().flush().expect("somebody who reads the port");
    loop {
        std::thread::park();
    }
}

fn run(options: &Options) {
    // The load, the upstream and two for each stream in a proxy: whatever the system gives.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let pins = Pins::find();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (upstream, port) = Child::upstream(&pins, AS_UPSTREAM);
    // From here on this process stays beside the upstream; children go where they are told.
    pins.stay();
    let targets = Target::all(options.baseline.as_deref(), options.smoke, port, directory.path(), &pins);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut table = Table::new(&targets, &pins);

    if WORKLOADS.iter().any(|workload| options.wants(workload.name)) {
        measure_load(options, &targets, &tokio, &mut table);
    }
    if ["streams", "start", "rss"].iter().any(|name| options.wants(name)) {
        measure_fresh(options, &targets, &tokio, &mut table);
    }
    drop(upstream);
    print!("{}", table.text());
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", table.json())).expect("a file to write to");
    }
}

/// The targets in the order of a round.
fn turned<'a, 'b>(targets: &'a [Target<'b>], round: usize) -> impl Iterator<Item = (usize, &'a Target<'b>)> {
    (0..targets.len()).map(move |place| (place + round) % targets.len()).map(|index| (index, &targets[index]))
}

/// All workloads on proxies that run from beginning to end.
fn measure_load(options: &Options, targets: &[Target], tokio: &tokio::runtime::Runtime, table: &mut Table) {
    let running: Vec<target::Running> = targets.iter().map(Target::start).collect();
    let workloads: Vec<&Workload> = WORKLOADS.iter().filter(|workload| options.wants(workload.name)).collect();
    for round in 0..options.rounds {
        for workload in &workloads {
            let requests = (workload.requests / options.share).max(workload.connections);
            for (index, target) in turned(targets, round) {
                if workload.rewrites && !target.rewrites {
                    table.skip(workload.name, index);
                    continue;
                }
                let running = &running[index];
                let host = running.address.to_string();
                let warm_up = (requests / 10).max(workload.connections);
                let session = load::Session { address: running.address, workload, request: (workload.request)(&host) };
                let mut connections = tokio.block_on(session.connect());
                let warm = tokio.block_on(session.run(&mut connections, warm_up));
                let before = running.child.cpu();
                let measured = tokio.block_on(session.run(&mut connections, requests));
                let spent = running.child.cpu().saturating_sub(before);
                drop(connections);
                if let Some(complaint) = warm.complaint.or(measured.complaint) {
                    table.complain(&format!("{} on {}: {complaint}", workload.name, target.name));
                    table.skip(workload.name, index);
                    continue;
                }
                let micros = spent.as_secs_f64() * 1e6 / measured.answers as f64;
                table.note(workload.name, index, micros);
            }
        }
        progress(&format!("load: round {} of {}", round + 1, options.rounds));
    }
}

/// What is a property of a process that has just begun: how soon it serves, and what it and its streams hold.
fn measure_fresh(options: &Options, targets: &[Target], tokio: &tokio::runtime::Runtime, table: &mut Table) {
    let streams = (workload::STREAMS / options.share).max(50);
    for round in 0..options.rounds {
        for (index, target) in turned(targets, round) {
            let running = target.start();
            let idle = running.child.rss();
            table.note(report::START, index, running.began.as_secs_f64() * 1e3);
            table.note(report::RSS, index, idle as f64 / 1024.0);
            if !options.wants("streams") {
                continue;
            }
            let address = running.address;
            let request = kit::requests::listen(&address.to_string());
            let held = tokio.block_on(load::hold(address, &request, streams));
            let grown = running.child.rss().saturating_sub(idle);
            match held {
                Ok(held) => {
                    table.note(report::STREAMS, index, grown as f64 / held.len() as f64);
                }
                Err(complaint) => {
                    table.complain(&format!("streams on {}: {complaint}", target.name));
                    table.skip(report::STREAMS, index);
                }
            }
        }
        progress(&format!("fresh processes: round {} of {}", round + 1, options.rounds));
    }
}

fn progress(text: &str) {
    eprintln!("peers: {text}");
}
