//! Several sites behind one proxy: what is recorded and counted of each, and of what belongs to none.

use std::net::SocketAddr;
use std::path::Path;

use crate::captures::{capture, differences, files};
use crate::kit::{Message, Proxy, Upstream, json, post, reply, soon};

const AGENT: &str = "User-Agent: agent/1";
const JSON: &str = "Content-Type: application/json";
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
/// Names and a path that are hashed unless they are the operator's own.
const FIRST: &str = "k7q2x9v4m1z8r5t3k7q2x9v4.first.test";
const SECOND: &str = "p3w8n5j2b6y9c4d7p3w8n5j2.second.test";
const OWN_PATH: &str = "/Zq8vKw3xTn5rLm2b/mcp";

/// A `[[site]]` with more of its settings in `rest`.
fn site(public: &str, upstream: SocketAddr, rest: &str) -> String {
    format!("[[site]]\npublic_url = \"https://{public}\"\nupstream = \"http://{upstream}\"\n{rest}\n")
}

/// A message to the endpoint of a host.
fn message(host: &str, path: &str, headers: &[&str]) -> Vec<u8> {
    let request = post(path, &[&[AGENT, JSON][..], headers].concat(), LIST);
    String::from_utf8(request).unwrap().replace("mcp.test", host).into_bytes()
}

/// A server that refuses messages without saying how to log in, and answers those with a token.
async fn server() -> Upstream {
    Upstream::answering(|request: &Message| match request.get("authorization") {
        Some(_) => json("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#),
        None => reply("401 Unauthorized", &[], ""),
    })
    .await
}

fn texts(dir: &Path) -> Vec<String> {
    files(dir).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// The value of a line of the head of a capture.
fn stated<'a>(capture: &'a str, name: &str) -> Option<&'a str> {
    let head = capture.split("\n\n").next().unwrap_or_default();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The sum of the samples of a metric that have all of these labels.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let found = metrics.lines().filter(of_it).filter(|line| labels.iter().all(|label| line.contains(label)));
    found.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_holds_the_facts_and_modes_of_its_own_site() {
    let (first, second) = (server().await, server().await);
    let dir = tempfile::tempdir().unwrap();
    let own = format!("mcp_path = \"{OWN_PATH}\"\nrepairs.auth.challenge-missing = \"off\"");
    let sites = site(FIRST, first.address, "") + &site(SECOND, second.address, &own);
    let proxy = Proxy::of_sites(&sites).set("capture.dir", dir.path().display()).start();
    let secret = "Cookie: s=s3cret-cookie-1";
    assert_eq!(proxy.ask(message(SECOND, OWN_PATH, &[secret])).await.status(), 401);
    proxy.flush().await;
    let [text] = &texts(dir.path())[..] else { panic!("one flow") };
    let second_url = format!("https://{SECOND}");
    for (name, value) in [
        ("site", second_url.as_str()),
        ("public", &second_url),
        ("upstream", &format!("http://{}", second.address)),
        ("mcp_path", OWN_PATH),
        ("modes", "auth.challenge-missing=off stream.silence=off"),
    ] {
        assert_eq!(stated(text, name), Some(value), "{name} in\n{text}");
    }
    assert!(text.contains(&format!("POST {OWN_PATH}\n")) && text.contains(&format!("host: {SECOND}\n")), "{text}");
    assert!(!text.contains(FIRST) && !text.contains(&first.address.to_string()), "{text}");
    assert!(!text.contains("s3cret"), "{text}");

    assert_eq!(proxy.ask(message(FIRST, "/mcp", &[&format!("Referer: {second_url}/")])).await.status(), 401);
    proxy.flush().await;
    let all = files(dir.path());
    let texts = texts(dir.path());
    assert_eq!(stated(&texts[1], "public"), Some(&*format!("https://{FIRST}")));
    assert!(!texts[1].contains(SECOND), "a name of another site is nobody's business:\n{}", texts[1]);
    assert!(texts[1].contains("fired: auth.challenge-missing") && !texts[0].contains("challenge-missing fix"));
    for file in all {
        let (count, unclear, differ) = differences(&capture(&file));
        assert_eq!((count, unclear, differ), (1, 0, Vec::new()), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reload_the_next_capture_says_what_is_served_now() {
    let (before, after) = (server().await, server().await);
    let dir = tempfile::tempdir().unwrap();
    let proxy = Proxy::of_sites(&site("a.test", before.address, "")).set("capture.dir", dir.path().display()).start();
    let ask = async |host: &str| {
        let answer = proxy.ask(message(host, "/mcp", &[])).await;
        proxy.flush().await;
        answer.get("www-authenticate").is_some()
    };
    assert!(ask("a.test").await);
    // The same client goes on: a head that says something else begins another file.
    let off = "repairs.auth.challenge-missing = \"off\"";
    proxy.reload(&site("a.test", after.address, off));
    assert!(!ask("a.test").await);
    // Nothing of the site has changed.
    proxy.reload(&site("a.test", after.address, off));
    assert!(!ask("a.test").await);
    proxy.reload(&site("b.test", after.address, ""));
    assert!(ask("b.test").await);
    let texts = texts(dir.path());
    let mut heads: Vec<_> =
        texts.iter().map(|text| ["public", "upstream", "modes"].map(|name| stated(text, name))).collect();
    heads.sort_unstable();
    let (old, new) = (format!("http://{}", before.address), format!("http://{}", after.address));
    let silent = Some("stream.silence=off");
    let mut expected = [
        [Some("https://a.test"), Some(&*old), silent],
        [Some("https://a.test"), Some(&*new), Some("auth.challenge-missing=off stream.silence=off")],
        [Some("https://b.test"), Some(&*new), silent],
    ];
    expected.sort_unstable();
    assert_eq!(heads, expected, "{texts:#?}");
    for file in files(dir.path()) {
        assert_eq!(differences(&capture(&file)).2, Vec::<String>::new(), "{}", file.display());
    }
    let state = proxy.flows.as_ref().unwrap().snapshot();
    let served: Vec<_> = state["sites"].as_array().unwrap().iter().map(|site| site["name"].as_str().unwrap()).collect();
    assert_eq!((served, state["public"].as_str()), (vec!["https://b.test"], Some("https://b.test")), "{state:#}");
    assert_eq!(state["upstream"], new.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_of_two_sites_are_never_one_flow() {
    let (first, second) = (server().await, server().await);
    let dir = tempfile::tempdir().unwrap();
    let sites = site("first.test", first.address, "") + &site("second.test", second.address, "");
    let proxy = Proxy::of_sites(&sites).set("capture.dir", dir.path().display()).start();
    // The same client, the same token, the same session.
    let headers = ["Authorization: Bearer the-same-token", "Mcp-Session-Id: the-same-session"];
    for host in ["first.test", "second.test", "first.test"] {
        assert_eq!(proxy.ask(message(host, "/mcp", &headers)).await.status(), 200);
    }
    proxy.flush().await;
    let state = proxy.flows.as_ref().unwrap().snapshot();
    let flows: Vec<_> = state["flows"].as_array().unwrap().iter().collect();
    let found: Vec<_> =
        flows.iter().map(|flow| (flow["site"].as_str(), flow["exchanges"].as_array().unwrap().len())).collect();
    assert_eq!(found, [(Some("https://first.test"), 2), (Some("https://second.test"), 1)], "{state:#}");
    let named: Vec<_> = state["sites"].as_array().unwrap().iter().map(|site| &site["endpoint"]).collect();
    assert_eq!(named, ["https://first.test/mcp", "https://second.test/mcp"]);
    assert_eq!(files(dir.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_no_site_is_for_counts_for_none_of_them() {
    let (first, second) = (server().await, server().await);
    let dir = tempfile::tempdir().unwrap();
    let own = format!("mcp_path = \"{OWN_PATH}\"");
    let sites = site(FIRST, first.address, &own) + &site("second.test/x", second.address, "");
    let proxy = Proxy::of_sites(&sites).set("capture.dir", dir.path().display()).start();
    let referer = &format!("Referer: https://{FIRST}/");
    let answer = proxy.ask(message("other.test", OWN_PATH, &[referer])).await;
    assert_eq!((answer.status(), answer.json()["error"].as_str()), (421, Some("misdirected_request")));
    let answer = proxy.ask(message("second.test", "/y", &[])).await;
    assert_eq!((answer.status(), answer.json()["error"].as_str()), (404, Some("no_such_path")));
    let line: serde_json::Value = serde_json::from_str(&proxy.logged("no_such_path").await).unwrap();
    assert!(line["site"].is_null() && line["status"] == 404, "{line}");

    let metrics = proxy.metrics();
    let refused = |labels: &[&str]| sum(&metrics, "mcp_mend_refusals_total", labels);
    for reason in ["reason=\"misdirected_request\"", "reason=\"no_such_path\""] {
        assert_eq!((refused(&[reason]), refused(&[reason, "site=\"\""])), (1.0, 1.0), "{metrics}");
    }
    for (code, count) in [("code=\"421\"", 1.0), ("code=\"404\"", 1.0)] {
        assert_eq!(sum(&metrics, "mcp_mend_requests_total", &[code, "site=\"\""]), count, "{metrics}");
    }
    for name in [&format!("https://{FIRST}"), "https://second.test/x"] {
        assert_eq!(sum(&metrics, "mcp_mend_requests_total", &[&format!("site=\"{name}\"")]), 0.0, "{metrics}");
    }
    // What has to do with an upstream is there for sites alone.
    assert!(!metrics.contains("mcp_mend_upstream_connect_seconds_count{site=\"\"}"), "{metrics}");

    proxy.flush().await;
    let state = proxy.flows.as_ref().unwrap().snapshot();
    for flow in state["flows"].as_array().unwrap() {
        assert!(flow["site"].is_null(), "{flow:#}");
    }
    let texts = texts(dir.path());
    assert!(!texts.is_empty());
    for (text, file) in texts.iter().zip(files(dir.path())) {
        assert_eq!((stated(text, "site"), stated(text, "public")), (Some(""), None), "{text}");
        // Nobody's own names are left readable.
        assert!(!text.contains(FIRST) && !text.contains("Zq8vKw3xTn5rLm2b"), "{text}");
        assert!(!text.contains(&first.address.to_string()), "{text}");
        assert_eq!(differences(&capture(&file)).2, Vec::<String>::new(), "{text}");
    }
    assert!(first.begun().is_empty() && second.begun().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_befalls_a_connection_counts_for_the_process() {
    let upstream = server().await;
    let sites = site("first.test", upstream.address, "");
    let proxy = Proxy::of_sites(&sites).set("limits.head_seconds", 0.2).start();
    assert_eq!(proxy.ask("GET / HTTP/1.1\r\nbad head\r\n\r\n").await.status(), 400);
    refused_by_the_process(&proxy, "bad_head").await;
    let mut slow = proxy.connect().await;
    slow.send("GET / HTTP/1.1\r\n").await;
    assert_eq!(soon(slow.until_closed()).await, b"");
    let ledger = &proxy.running.as_ref().unwrap().common.ledger;
    let hung_up = |name: &str| -> u64 { ledger.of(name).by_hanging_up().map(|(_, count)| count).sum() };
    assert_eq!((hung_up(""), hung_up("https://first.test")), (1, 0));
    assert_eq!(ledger.sum().to_json()["hung_up"]["head-slow"], 1);

    let proxy = Proxy::of_sites(&sites).set("limits.connections", 1).start();
    let mut kept = proxy.connect().await;
    kept.send(message("first.test", "/mcp", &[])).await;
    assert_eq!(kept.reply().await.status(), 401);
    assert_eq!(proxy.ask(message("first.test", "/mcp", &[])).await.status(), 503);
    refused_by_the_process(&proxy, "too_many_connections").await;
}

/// Waits until one refusal is counted, and sees that it is counted for no site.
async fn refused_by_the_process(proxy: &Proxy, reason: &str) {
    let label = format!("reason=\"{reason}\"");
    let count = |labels: &[&str]| sum(&proxy.metrics(), "mcp_mend_refusals_total", labels);
    soon(async {
        while count(&[&label]) < 1.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((count(&[&label]), count(&[&label, "site=\"\""])), (1.0, 1.0), "{reason} in\n{}", proxy.metrics());
}
