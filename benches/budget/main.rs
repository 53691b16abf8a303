//! What a request costs in user instructions and allocations, and a silent stream and the futures in memory, held to a table.
//!
//!     cargo bench --bench budget
//!     cargo bench --bench budget -- --write
//!     cargo bench --bench budget -- --baseline OTHER/mcp-mend small
//!
//! Callgrind counts what the delivered program executes, with every default feature on. Each workload is counted in two
//! runs of different length. The difference between the runs, divided by the requests between them, is the cost of one
//! request without the start. The count is the same whatever else the machine does, but it does depend on the compiler and the
//! C library. It fails if a workload costs 2 % more than `budget.json` says, or memory 5 %, and asks for `--write` if it costs
//! so much less. The sizes of the two futures are what the compiler makes of them. With `--baseline` it also shows which functions make the difference to another build.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot run shall say so and end")]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod callgrind;
#[path = "../kit/mod.rs"]
mod kit;
mod profile;
mod streams;
mod table;

use kit::requests;
use profile::Profile;
use table::{Cost, Table};

/// Requests of the two runs.
const SHORT: usize = 200;
const LONG: usize = 1200;
/// What is not counted in instructions.
const STREAM: &str = "silent-stream";
const FUTURES: &str = "futures";
/// Functions that are shown with `--baseline`.
const SHOWN: usize = 25;

struct Workload {
    name: &'static str,
    request: fn(&str) -> Vec<u8>,
    status: u16,
    /// By what the cost of a request is divided.
    parts: u64,
}

const WORKLOADS: [Workload; 5] = [
    Workload { name: "small-json", request: |host| requests::message(host, ""), status: 200, parts: 1 },
    Workload { name: "one-event", request: |host| requests::message(host, "?event"), status: 200, parts: 1 },
    Workload { name: "refusal-401", request: requests::stranger, status: 401, parts: 1 },
    Workload { name: "registration", request: requests::register, status: 201, parts: 1 },
    Workload {
        name: "relayed-event",
        request: |host| requests::message(host, "?burst"),
        status: 200,
        parts: kit::upstream::BURST as u64,
    },
];

#[derive(Default)]
struct Options {
    benching: bool,
    write: bool,
    baseline: Option<PathBuf>,
    filters: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => options.benching = true,
            "--write" => options.write = true,
            "--baseline" => options.baseline = Some(args.next().ok_or("--baseline needs a program")?.into()),
            flag if flag.starts_with('-') => return Err(format!("{flag} means nothing here")),
            filter => options.filters.push(filter.to_owned()),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options() {
        // `cargo test --benches` runs it without `--bench`.
        Ok(options) if !options.benching => {
            println!("budget: counts only with --bench, as `cargo bench` calls it");
            ExitCode::SUCCESS
        }
        Ok(options) => run(&options),
        Err(complaint) => {
            eprintln!("budget: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> ExitCode {
    let upstream = kit::upstream::start().expect("an upstream");
    let own = Path::new(env!("CARGO_BIN_EXE_mcp-mend"));
    let mut table = Table::read();
    let mut is_kept = true;
    let is_wanted =
        |name: &str| options.filters.is_empty() || options.filters.iter().any(|filter| name.contains(filter));
    Table::print_heading();
    for workload in WORKLOADS.iter().filter(|workload| is_wanted(workload.name)) {
        let profile = count(own, upstream, workload);
        let cost =
            Cost { instructions: profile.instructions(), allocations: profile.allocations(), visits: profile.visits() };
        is_kept &= table.compare(workload.name, cost);
        if let Some(baseline) = &options.baseline {
            profile.print_difference(&count(baseline, upstream, workload), SHOWN);
        }
    }
    if is_wanted(STREAM) {
        is_kept &= table.compare_stream(streams::bytes_each(own, upstream));
        if let Some(baseline) = &options.baseline {
            println!("  {} bytes in the other build", streams::bytes_each(baseline, upstream));
        }
    }
    if is_wanted(FUTURES) {
        for (name, bytes) in ["connection", "exchange"].into_iter().zip(mcp_mend::server::sizes_of_futures()) {
            is_kept &= table.compare_future(name, bytes as u64);
        }
    }
    if options.write {
        table.write();
    } else if !is_kept {
        eprintln!("budget: see above; `cargo bench --bench budget -- --write` sets a new budget");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The cost of one request, or of one part of it.
fn count(program: &Path, upstream: std::net::SocketAddr, workload: &Workload) -> Profile {
    let [short, long] = [SHORT, LONG].map(|requests| callgrind::run(program, upstream, workload, requests));
    long.minus(&short).divided_by((LONG - SHORT) as u64 * workload.parts)
}
