//! `check` against the demo's server: each defect alone is found, and nothing else.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use mcp_mend::check::report::Report;
use mcp_mend::check::{self, Call, Wish};
use mcp_mend::config::Config;
use mcp_mend::config::layers::{Layers, Value};
use mcp_mend::config::settings;
use mcp_mend::demo::broken::{self, Broken};
use mcp_mend::demo::defects::{self, Defect};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What is found of each defect: the ids, sorted. Written down, so that a change is seen.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/check.expected.json");
/// So many at a time.
const TOGETHER: usize = 8;

/// The configuration for a server at an address.
fn config(url: &str) -> Config {
    let mut layers = Layers::default();
    let setting = settings::find("upstream.url").unwrap();
    layers.set(setting, vec![Value { text: url.to_owned(), place: "test".into() }]);
    Config::check(&layers, Vec::new()).unwrap()
}

/// Answers one request, and says what came: status line, head, body.
fn http(url: &str, method: &str, body: Option<&str>) -> (String, String, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nAccept: text/html\r\n");
    if let Some(body) = body {
        head += &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes()).unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head.lines().next().unwrap_or_default().to_owned(), head.to_owned(), body.to_owned())
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

/// Somebody who opens the page, presses its button and is sent back.
fn browse(url: &str) {
    let url = url.to_owned();
    std::thread::spawn(move || {
        let (_, _, page) = http(&url, "GET", None);
        let origin = &url[..url[8..].find('/').map_or(url.len(), |at| at + 8)];
        let Some(action) = between(&page, "action=\"", "\"") else { return };
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for field in page.split("<input").skip(1).chain(page.split("<button").skip(1)) {
            if let (Some(name), Some(value)) = (between(field, "name=\"", "\""), between(field, "value=\"", "\"")) {
                form.append_pair(name, &value.replace("&amp;", "&"));
            }
        }
        let action = action.replace("&amp;", "&");
        let target = if action.starts_with('/') { format!("{origin}{action}") } else { action };
        let (_, head, _) = http(&target, "POST", Some(&form.finish()));
        let to = head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
        if let Some((_, to)) = to {
            http(to, "GET", None);
        }
    });
}

/// A check of a server with these defects, as far as a check can go.
async fn checked(defects: &[&'static Defect]) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), defects))));
    let call = |tool: &str, arguments| Call { tool: tool.into(), arguments };
    let wish = Wish {
        register: true,
        login: true,
        calls: vec![call("echo", json!({"text": "hello"})), call("count", json!({})), call("forget", json!({}))],
        show_page: Box::new(browse),
        ..Wish::default()
    };
    let report = check::check(&config(&origin), &origin, &wish).await.unwrap();
    server.abort();
    report
}

fn found(report: &Report) -> Vec<&'static str> {
    report.lines("fail").map(|line| line.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_server_has_no_defects() {
    let report = checked(&[]).await;
    let fails: Vec<_> = report
        .lines("fail")
        .map(|line| {
            format!(
                "{} | {:?} | {:?}\n{}",
                line.id,
                line.question,
                line.what,
                line.evidence.clone().unwrap_or_default()
            )
        })
        .collect();
    assert!(fails.is_empty(), "{}", fails.join("\n"));
    let untested: Vec<_> = report.lines("not-testable").map(|line| (line.id, line.what.clone())).collect();
    if std::env::var_os("SHOW").is_some() {
        eprintln!(
            "{} questions in {} s; missing {:?}\nuntested {untested:#?}",
            report.questions, report.seconds, report.missing
        );
        for line in report.lines("not-applicable") {
            eprintln!("n/a {} {:?}", line.id, line.what);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_is_found_and_nothing_else() {
    let turns = Arc::new(Semaphore::new(TOGETHER));
    let only = std::env::var("ONLY").unwrap_or_default();
    let running: Vec<_> = defects::all()
        .filter(|defect| defect.name.contains(&only))
        .map(|defect| {
            let turns = turns.clone();
            tokio::spawn(async move {
                let _turn = turns.acquire().await.unwrap();
                let report = checked(&[defect]).await;
                (defect, found(&report), report)
            })
        })
        .collect();
    let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in running {
        let (defect, mut ids, report) = one.await.unwrap();
        ids.sort_unstable();
        if std::env::var_os("SHOW").is_some() {
            eprintln!("{:5} {:40} {ids:?} {:?} {}", defect.row, defect.name, report.missing, report.seconds);
            if std::env::var_os("SHOW_ALL").is_some() {
                for line in report.lines("fail") {
                    eprintln!(
                        "   {} {:?} {:?}\n{}",
                        line.id,
                        line.question,
                        line.what,
                        line.evidence.clone().unwrap_or_default()
                    );
                }
            }
        }
        seen.insert(defect.name, ids);
    }
    if !only.is_empty() {
        return;
    }
    let text = format!("{:#}\n", json!(seen));
    let expected = std::fs::read_to_string(EXPECTED).unwrap_or_default();
    std::fs::write(EXPECTED, &text).unwrap();
    assert_eq!(text, expected, "rewritten; read the difference");
}
