//! `check` against the demo's server: each defect alone is found, and nothing else.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use mcp_mend::check::report::Report;
use mcp_mend::check::{self, Call, Profile, Wish};
use mcp_mend::coding::{self, Coding};
use mcp_mend::config::Config;
use mcp_mend::config::layers::{Layers, Value};
use mcp_mend::config::settings;
use mcp_mend::demo::broken::{self, Broken};
use mcp_mend::demo::defects::{self, Defect};
use mcp_mend::repairs;
use serde_json::json as value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::kit::{Binary, Proxy, Upstream, json, reply, run, soon};

/// After how much silence the proxy sends a comment, and after how much (and a little more) a check complains of none: so
/// far apart that a busy machine does not bring them together, and so short that nobody waits long.
const COMMENT_SECONDS: &str = "2";
const COMPLAINT_SECONDS: &str = "5";

/// What is found of each defect: the repairs for its row of the catalogue, and what follows from it. Written down, so that
/// a change is seen.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/check.expected.json");
/// Found by a repair for another row: where there is the older transport, 404 for a message leads there.
const OTHERWISE: &[&str] = &["ping-404"];
/// So many at a time.
static TURNS: Semaphore = Semaphore::const_new(24);

/// The configuration for a server at an address.
pub fn config(url: &str) -> Config {
    let mut layers = Layers::default();
    for (name, text) in [("upstream.url", url), ("limits.silence_seconds", COMPLAINT_SECONDS)] {
        layers.set(settings::find(name).unwrap(), vec![Value { text: text.to_owned(), place: "test".into() }]);
    }
    Config::check(&layers, Vec::new()).unwrap()
}

/// Asks, and says what came: head and body.
fn http(url: &str, method: &str, body: Option<&str>) -> (String, String) {
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
    let end = text.windows(4).position(|four| four == b"\r\n\r\n").map_or(text.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&text[..end]).into_owned();
    let body = bytes::Bytes::copy_from_slice(&text[end..]);
    let body = match head.to_ascii_lowercase().contains("content-encoding: gzip") {
        true => coding::decode(Coding::Gzip, &body, 1 << 20).unwrap_or_default(),
        false => body,
    };
    (head, String::from_utf8_lossy(&body).into_owned())
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

/// Somebody who opens the page, presses its button and is sent back.
fn browse(url: &str) {
    let url = url.to_owned();
    std::thread::spawn(move || {
        let (_, page) = http(&url, "GET", None);
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
        let (head, _) = http(&target, "POST", Some(&form.finish()));
        let to = head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
        if let Some((_, to)) = to {
            // 307 keeps the method (RFC 9110 section 15.4.8).
            let kept = head.starts_with("HTTP/1.1 307");
            http(to, if kept { "POST" } else { "GET" }, kept.then_some(""));
        }
    });
}

/// A check of a server with these defects, as far as a check can go.
async fn checked(defects: &[&'static Defect], profile: Profile) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), defects))));
    let report = checked_at(&origin, profile).await;
    server.abort();
    report
}

/// The same through a proxy.
async fn checked_through(defects: &[&'static Defect], profile: Profile) -> Report {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), defects))));
    let proxy = Proxy::to_url(&origin)
        .set("repairs", "stream.silence=fix")
        .set("limits.silence_seconds", COMMENT_SECONDS)
        .start();
    let report = checked_at(&format!("http://{}", proxy.address), profile).await;
    server.abort();
    report
}

async fn checked_at(origin: &str, profile: Profile) -> Report {
    let call = |tool: &str, arguments| Call { tool: tool.into(), arguments };
    let wish = Wish {
        register: true,
        login: true,
        calls: vec![call("echo", value!({"text": "hello"})), call("count", value!({})), call("forget", value!({}))],
        profile,
        show_page: Box::new(browse),
        // Many at once on a busy machine.
        time: std::time::Duration::from_secs(600),
        ..Wish::default()
    };
    check::check(&config(origin), origin, &wish).await.unwrap()
}

/// Defects that only some clients meet in their registration, and such a client.
fn profile_of(defect: &str) -> Profile {
    let plain = Profile::default();
    match defect {
        "registration-scheme-refused" => {
            Profile { redirect_uris: vec!["cursor://anysphere.cursor-mcp/oauth/callback".into()], ..plain }
        }
        "registration-expiry-missing"
        | "registration-secret-refused"
        | "secret-in-body-only"
        | "secret-in-header-only" => Profile {
            auth_method: Some(if defect == "secret-in-body-only" {
                "client_secret_basic"
            } else {
                "client_secret_post"
            }),
            ..plain
        },
        "registration-public-refused" | "registration-method-without-secret" | "registration-secret-empty" => {
            Profile { auth_method: Some("none"), ..plain }
        }
        _ => plain,
    }
}

fn found(report: &Report) -> Vec<&'static str> {
    report.lines("fail").map(|line| line.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_server_has_no_defects() {
    let report = checked(&[], Profile::default()).await;
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
    assert!(untested.is_empty() && report.missing.is_empty(), "{untested:#?}{:?}", report.missing);
    assert_eq!((report.exit, report.command.as_ref()), (0, None));
    assert!(report.clients.iter().all(|row| row.connects && row.repair.is_none()));
}

/// A server with one defect, for as long as the answer is kept.
async fn serve(defect: &str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let broken = Broken::with(origin.clone(), &[defects::find(defect).unwrap()]);
    (origin, tokio::spawn(broken::serve(listener, Arc::new(broken))))
}

#[tokio::test]
async fn a_defect_is_told_with_its_bytes_and_whom_it_stops() {
    let (origin, server) = serve("challenge-missing").await;
    let (code, out, errors) = run(&["check", &origin]).await;
    assert!(code == 1 && errors.is_empty(), "{code}\n{out}\n{errors}");
    for text in [
        "✗ auth.challenge-missing  MUST",
        "stops claude, chatgpt",
        "+ www-authenticate: Bearer",
        "no, stops at the challenge",
        "Send `WWW-Authenticate",
    ] {
        assert!(out.contains(text), "{text} is missing in {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert!(!out.contains('\x1b'), "colour where no terminal is");
    let (code, out, _) = run(&["check", &origin, "--format", "markdown"]).await;
    assert!(code == 1 && out.contains("```diff\nPOST /mcp\n+ www-authenticate"), "{out}");
    server.abort();
}

#[tokio::test]
async fn through_the_proxy_nothing_is_found() {
    let (origin, server) = serve("registration-time-fraction").await;
    let proxy = Proxy::to_url(&origin).start();
    let fails = |out: &str| -> Vec<String> {
        let report: serde_json::Value = serde_json::from_str(out).unwrap();
        let lines = report["verdicts"].as_array().unwrap();
        assert_eq!(lines.len(), repairs::REPAIRS.len());
        lines.iter().filter(|line| line["verdict"] == "fail").map(|line| line["id"].to_string()).collect()
    };
    let (code, out, _) = run(&["check", &origin, "--register", "--json"]).await;
    assert_eq!((code, fails(&out)), (1, vec!["\"register.timestamp-type\"".to_owned()]));
    let through = format!("http://{}/mcp", proxy.address);
    let (code, out, _) = run(&["check", &through, "--register", "--json"]).await;
    // Nobody has logged in: that much could not be tested.
    assert_eq!((code, fails(&out)), (2, Vec::new()));
    server.abort();
}

#[tokio::test]
async fn a_firewall_that_minds_a_name_is_found() {
    let upstream = Upstream::answering(|request| match request.get("user-agent") {
        Some(agent) if agent.contains("Claude-User") => reply(
            "403 Forbidden",
            &["Server: cloudflare", "Content-Type: text/html"],
            "<html>Attention Required! | Cloudflare",
        ),
        _ => json("404 Not Found", r#"{"error":"not_found"}"#),
    })
    .await;
    let url = format!("http://{}", upstream.address);
    let report = soon(check::check(&config(&url), &url, &Wish::default())).await.unwrap();
    let line = report.reach.iter().find(|line| line.id == "reach.user-agent").unwrap();
    assert!(line.verdict == "fail" && line.what.contains("403 for `Claude-User`, 404 for others"), "{}", line.what);
    let row = |id: &str| report.clients.iter().find(|row| row.id == id).unwrap();
    assert_eq!((row("claude").connects, row("claude").repair), (false, Some("reach.user-agent")));
    assert_ne!(row("ts2").repair, Some("reach.user-agent"));
    assert_eq!(report.exit, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_looks_at_its_own_places() {
    let looked = |report: &Report| -> Vec<String> {
        let own = report.asked.iter().filter(|asked| asked.question.contains("as the client looks"));
        own.map(|asked| asked.path.clone()).collect()
    };
    let rmcp = checked(&[], Profile::of(mcp_mend::client::find("rmcp").unwrap())).await;
    let python = checked(&[], Profile::of(mcp_mend::client::find("py2").unwrap())).await;
    // The challenge leads to the document; then that of the listed issuer.
    let resource = "/.well-known/oauth-protected-resource/mcp";
    let server = "/.well-known/oauth-authorization-server";
    assert_eq!(
        (looked(&rmcp), looked(&python)),
        (vec![resource.into(), server.into()], vec![resource.into(), server.into()])
    );
}

#[tokio::test]
async fn a_configuration_is_written_once() {
    let (origin, server) = serve("challenge-missing").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let file = file.to_str().unwrap();
    let (code, _, errors) = run(&["check", &origin, "--write-config", file]).await;
    assert!(code == 1 && errors.contains("is written"), "{errors}");
    let mut layers = Layers::default();
    let mut complaints = Vec::new();
    layers.take_file(file, &std::fs::read_to_string(file).unwrap(), &mut complaints);
    let config = Config::check(&layers, complaints).unwrap();
    assert_eq!(config.sites.first().upstream.as_str(), origin);
    // Before anything is asked.
    let (code, out, errors) = run(&["check", &origin, "--write-config", file]).await;
    assert!(code == 2 && out.is_empty() && errors.contains("is there already"), "{out}{errors}");
    server.abort();
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let nobody = format!("http://{}", Upstream::down().await);
    let (code, out, _) = run(&["check", &nobody]).await;
    assert!(code == 2 && out.contains("the server could not be reached"), "{code} {out}");
    for (arguments, hint) in [
        (["--as", "cladue"], "did you mean `claude`"),
        (["--call", "x=1"], "no JSON object"),
        (["--token", "@/no/such/file"], "cannot be read"),
    ] {
        let (code, out, errors) = run(&[&["check", nobody.as_str()][..], &arguments].concat()).await;
        assert!(code == 2 && out.is_empty() && errors.contains(hint), "{errors}");
    }
}

#[tokio::test]
async fn the_proxy_says_at_its_start_what_it_has_found() {
    let (origin, server) = serve("challenge-missing").await;
    let mut proxy = Binary::start(&[&origin, "--repair", "auth.challenge-missing=off"]).await;
    assert!(soon(proxy.line_with("found 1 defect")).await.contains("mending 0"));
    assert!(soon(proxy.line_with("auth.challenge-missing")).await.contains("a 401 from"));
    proxy.terminate();
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_proxy_no_defect_is_found() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let running: Vec<_> = defects::all()
        .filter(|defect| defect.name.contains(&only))
        .map(|defect| {
            tokio::spawn(async move {
                let _turn = TURNS.acquire().await.unwrap();
                (defect, checked_through(&[defect], profile_of(defect.name)).await)
            })
        })
        .collect();
    let mut left = Vec::new();
    for one in running {
        let (defect, report) = one.await.unwrap();
        for line in report.lines("fail") {
            let evidence = line.evidence.clone().unwrap_or_default();
            left.push(format!("{}: {} by {:?}\n{evidence}", defect.name, line.id, line.question));
        }
        if !report.missing.is_empty() {
            left.push(format!("{}: {:?}", defect.name, report.missing));
        }
    }
    assert!(left.is_empty(), "{} things are left:\n{}", left.len(), left.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_is_found_and_nothing_else() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let running: Vec<_> = defects::all()
        .filter(|defect| defect.name.contains(&only))
        .map(|defect| {
            tokio::spawn(async move {
                let _turn = TURNS.acquire().await.unwrap();
                let report = checked(&[defect], profile_of(defect.name)).await;
                (defect, found(&report), report)
            })
        })
        .collect();
    let known: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(EXPECTED).unwrap_or_default()).unwrap_or_default();
    let mut seen = BTreeMap::new();
    let mut missed = Vec::new();
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
        let is_of_its_row = |id: &&&str| repairs::find(id).is_some_and(|repair| repair.rows.contains(&defect.row));
        // What users have reported has no row in the catalogue.
        let has_row = !defect.row.starts_with("R-") && !OTHERWISE.contains(&defect.name);
        if has_row && !ids.iter().any(|id| is_of_its_row(&id)) {
            missed.push(format!("{} {}: {ids:?} {:?}", defect.row, defect.name, report.missing));
        }
        let (its, follows): (Vec<&str>, Vec<&str>) = ids.iter().partition(is_of_its_row);
        seen.insert(defect.name, value!({"found": its, "follows": follows}));
    }
    if !only.is_empty() {
        return;
    }
    assert!(missed.is_empty(), "not found:\n{}", missed.join("\n"));
    if value!(seen) != known {
        std::fs::write(EXPECTED, format!("{:#}\n", value!(seen))).unwrap();
        panic!("{EXPECTED} is rewritten; read the difference");
    }
}
