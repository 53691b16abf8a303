//! The table of cases against rmcp's own login code.
//!
//! `cargo test` runs it alone: every case without the proxy and through it. With `--answer` it is a client of
//! `tests/interop/parsers/run`, as the programs in `clients` are: one question a line, one answer a line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]
#![allow(clippy::print_stdout, reason = "what it prints is its result")]

mod cases;
mod client;
mod proxy;
mod upstream;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::ExitCode;

use serde_json::{Value, json};

use cases::Case;
use client::{Answer, Question};
use proxy::Proxy;
use upstream::Upstream;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::args().any(|argument| argument == "--answer") {
        runtime.block_on(answer_all());
        return ExitCode::SUCCESS;
    }
    // As with other tests, words on the command line choose what is run.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    if words.peek().is_some() && !words.any(|word| "parsers".contains(&word)) {
        println!("parsers: not chosen");
        return ExitCode::SUCCESS;
    }
    if proxied() {
        return without_proxies();
    }
    runtime.block_on(run_all())
}

/// The variables by which rmcp would send loopback traffic elsewhere.
const PROXIES: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

fn proxied() -> bool {
    PROXIES.iter().any(|name| std::env::var_os(name).is_some())
}

/// Starts itself again in a better environment.
fn without_proxies() -> ExitCode {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    for name in PROXIES {
        again.env_remove(name);
    }
    let done = again.args(std::env::args().skip(1)).status().unwrap();
    if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Answers questions until there are no more.
async fn answer_all() {
    for line in std::io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = client::ask(&Question::read(&line)).await;
        println!("{}", json!({ "id": line["id"], "ok": answer.ok, "error": answer.error, "code": answer.code }));
    }
}

async fn run_all() -> ExitCode {
    let upstream = Upstream::start().await;
    let mut proxy: Option<(Proxy, String)> = None;
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases::all() {
        // First of all: the proxy looks at the upstream as soon as it starts.
        upstream.select(case.clone());
        // What the proxy has learned from the metadata of one case would help it with the next.
        let fresh = proxy.as_ref().is_none_or(|(_, group)| *group != case.group) || case.group.ends_with("-metadata");
        if fresh {
            drop(proxy.take());
            proxy = Some((Proxy::start(&upstream.origin).await, case.group.clone()));
        }
        let (proxy, _) = proxy.as_ref().unwrap();
        let direct = client::ask(&Question::about(&case, &upstream.origin)).await;
        let mended = client::ask(&Question::about(&case, &proxy.origin)).await;
        let verdict = judge(&case, &direct, &mended);
        if verdict == verdict.to_uppercase() {
            println!("{}: {verdict}: {}", case.id, mended.error.unwrap_or_default());
            *count.entry("failed").or_default() += 1;
        }
        *count.entry(verdict).or_default() += 1;
    }
    println!("rmcp: {count:?}");
    // If it refused nothing, nothing was tested.
    let sound = !count.contains_key("failed") && count.contains_key("mended");
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What two answers to one case, without the proxy and through it, come to. In capitals: a failure.
fn judge(case: &Case, direct: &Answer, mended: &Answer) -> &'static str {
    match (accepts(case, direct), accepts(case, mended)) {
        (true, true) => "ok",
        (true, false) => "BROKEN",
        (false, true) if case.unmendable => "MADE UP",
        (false, true) => "mended",
        (false, false) if case.unmendable => "not mendable",
        (false, false) => "REFUSED",
    }
}

/// Where the upstream refuses, a client accepts that if it knows it for an OAuth error with its code.
fn accepts(case: &Case, answer: &Answer) -> bool {
    match (&case.error, &answer.code) {
        (None, _) => answer.ok,
        (Some(wanted), Some(code)) => !answer.ok && (wanted == "*" || wanted == code),
        (Some(_), None) => false,
    }
}
