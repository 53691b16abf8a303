//! What those get who watch the proxy: probes, metrics, the access log.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::net::TcpStream;

use crate::kit::{Binary, Message, Proxy, Upstream, Wire, chunk, get, json, ok, post, reply, request, run, soon};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// Asks an admin address on loopback.
async fn ask(address: &str, target: &str, headers: &[&str]) -> Message {
    ask_by(address, "localhost", target, headers).await
}

/// Asks by a name, as Prometheus and kubelet do.
async fn ask_by(address: &str, host: &str, target: &str, headers: &[&str]) -> Message {
    let mut wire = Wire::new(soon(TcpStream::connect(address)).await.unwrap());
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    wire.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n")).await;
    wire.reply().await
}

/// Every sample by name and labels as they are written.
async fn metrics(address: &str) -> BTreeMap<String, f64> {
    let answer = ask(address, "/metrics", &[]).await;
    assert_eq!(answer.get("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap())).unwrap())
        .collect()
}

async fn started(upstream: &Upstream, more: &[&str]) -> (Binary, String) {
    let url = format!("http://{}", upstream.address);
    let mut all = vec![url.as_str(), "--admin", "127.0.0.1:0", "--no-probe"];
    all.extend(more);
    let mut binary = Binary::start(&all).await;
    let address = binary.said("admin page   http://").await;
    (binary, address)
}

#[tokio::test]
async fn what_happens_is_counted_by_class_code_and_fault() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/mcp" => json("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#),
        "/broken" => ok("").replace_status("500 Oh"),
        _ => ok("four"),
    })
    .await;
    let (binary, admin) = started(&upstream, &["--public-url", "https://mcp.example.com"]).await;
    let mut client = binary.connect().await;
    for request in [get("/x", &[]), get("/x", &[]), get("/broken", &[])] {
        client.send(request).await;
        client.reply().await;
    }
    client.send(post("/mcp", &["Content-Type: application/json"], CALL)).await;
    assert_eq!(client.reply().await.status(), 200);
    client.send("GET /x HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.reply().await.status(), 400);
    let site = "site=\"https://mcp.example.com\"";
    let all = soon(async {
        loop {
            let all = metrics(&admin).await;
            // What a client has got may be written down a moment later.
            if all.get(&format!("mcp_mend_requests_in_flight{{{site}}}")) == Some(&0.0) {
                return all;
            }
        }
    })
    .await;
    for (name, expected) in [
        ("mcp_mend_requests_total{SITE,class=\"other\",code=\"200\",fault=\"none\"}", 2.0),
        ("mcp_mend_requests_total{SITE,class=\"other\",code=\"500\",fault=\"upstream\"}", 1.0),
        ("mcp_mend_requests_total{SITE,class=\"other\",code=\"400\",fault=\"client\"}", 1.0),
        ("mcp_mend_requests_total{SITE,class=\"mcp\",code=\"200\",fault=\"none\"}", 1.0),
        ("mcp_mend_refusals_total{SITE,reason=\"bad_host\",fault=\"client\"}", 1.0),
        ("mcp_mend_request_duration_seconds_count{SITE,class=\"mcp\"}", 1.0),
        ("mcp_mend_upstream_first_byte_seconds_count{SITE}", 4.0),
        ("mcp_mend_body_bytes_total{SITE,direction=\"up\"}", CALL.len() as f64),
        ("mcp_mend_event_streams_open{SITE}", 0.0),
        ("mcp_mend_connections_accepted_total", 1.0),
        ("mcp_mend_draining", 0.0),
        ("mcp_mend_config_last_reload_ok", 1.0),
        ("mcp_mend_access_log_dropped_lines_total", 0.0),
        (concat!("mcp_mend_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        let name = name.replace("SITE", site);
        assert_eq!(all.get(&name), Some(&expected), "{name} in {all:#?}");
    }
    assert!(all["process_resident_memory_bytes"] > 1e6 && all["process_open_fds"] > 3.0);
    assert!(all[&format!("mcp_mend_body_bytes_total{{{site},direction=\"down\"}}")] >= 8.0);
    let open = ask(&admin, "/metrics", &["Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1"]).await;
    assert_eq!(open.get("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text().ends_with("# EOF\n"));
    assert_eq!(
        ask_by(&admin, "mcp-mend.default.svc:8809", "/api/state", &[]).await.status(),
        421,
        "the page answers to no such name"
    );
}

trait ReplaceStatus {
    fn replace_status(self, status: &str) -> Vec<u8>;
}

impl ReplaceStatus for Vec<u8> {
    fn replace_status(self, status: &str) -> Vec<u8> {
        String::from_utf8(self).unwrap().replacen("200 OK", status, 1).into_bytes()
    }
}

#[tokio::test]
async fn nobody_is_sent_to_a_proxy_that_stops_and_it_says_so_to_the_end() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        conn.send(chunk("data: 1\n\n")).await;
        conn.until_closed().await;
    })
    .await;
    let (binary, admin) = started(&upstream, &["--limit-drain-seconds", "2"]).await;
    let ready = ask(&admin, "/readyz", &[]).await;
    assert_eq!((ready.status(), ready.get("content-type")), (200, Some("application/json")));
    let detail = ready.json();
    assert_eq!((&detail["ready"], &detail["draining"]), (&true.into(), &false.into()));
    assert_eq!(detail["sites"][0]["site"], format!("http://{}", binary.address));
    assert_eq!(detail["sites"][0]["upstream"][0]["address"], upstream.address.to_string());
    let brief = ask(&admin, "/readyz", &["Accept: text/plain"]).await;
    assert_eq!((brief.status(), brief.text().as_str()), (200, "ready\n"));
    let mut client = binary.connect().await;
    client.send(get("/sse", &["Accept: text/event-stream"])).await;
    client.head().await.unwrap();
    let open = format!("mcp_mend_event_streams_open{{site=\"http://{}\"}}", binary.address);
    assert_eq!(metrics(&admin).await[&open], 1.0);
    binary.terminate();
    soon(async { while ask(&admin, "/readyz", &[]).await.status() != 503 {} }).await;
    assert_eq!(ask(&admin, "/readyz", &["Accept: text/plain"]).await.text(), "draining\n");
    assert_eq!(ask(&admin, "/healthz", &[]).await.status(), 200);
    assert_eq!(metrics(&admin).await["mcp_mend_draining"], 1.0);
    let (code, _, errors) = binary.ended().await;
    assert_eq!((code, errors.as_str()), (0, ""));
}

#[tokio::test]
async fn without_the_page_an_open_address_is_no_alarm_and_shows_no_flow() {
    let upstream = Upstream::sound().await;
    let url = format!("http://{}", upstream.address);
    let mut binary = Binary::start(&[&url, "--admin", "0.0.0.0:0", "--no-admin-page", "--no-probe"]).await;
    let address = binary.said("admin        http://").await.replace("0.0.0.0", "127.0.0.1");
    for target in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask_by(&address, "mcp-mend.default.svc:8809", target, &[]).await.status(), 200, "{target}");
    }
    for target in ["/", "/api/state", "/api/events", "/api/check"] {
        let answer = ask_by(&address, "mcp-mend.default.svc:8809", target, &[]).await;
        assert!(matches!(answer.status(), 404 | 421), "{target}");
    }
    binary.terminate();
    let (code, _, errors) = binary.ended().await;
    assert_eq!((code, errors.as_str()), (0, ""));
}

#[tokio::test]
async fn the_program_asks_after_its_own_health() {
    let upstream = Upstream::sound().await;
    let (binary, admin) = started(&upstream, &[]).await;
    for arguments in [&["health", &admin][..], &["health", &format!("http://{admin}"), "--ready"]] {
        let (code, out, errors) = run(arguments).await;
        assert_eq!((code, out, errors), (0, format!("ok {admin}\n"), String::new()));
    }
    let (code, out, _) = run(&["health", &admin, "--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["ok"], &said["said"]), (0, &true.into(), &"ok".into()));
    // By the configuration: the admin address, or the public one.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.toml");
    let file_name = file.to_str().unwrap();
    std::fs::write(&file, format!("admin = \"{admin}\"\nwrong = 1\n")).unwrap();
    assert_eq!(run(&["health", "--config", file_name]).await.0, 0);
    std::fs::write(&file, format!("upstream = \"http://localhost:1\"\nlisten = \"{}\"\n", binary.address)).unwrap();
    assert_eq!(run(&["health", "--config", file_name]).await.0, 0);
    assert!(upstream.seen().is_empty(), "its health is nothing to ask the upstream about");
    let (code, _, errors) = run(&["health", "--config", file_name, "--ready"]).await;
    assert_eq!(code, 2, "{errors}");
    binary.terminate();
    binary.ended().await;
    let (code, out, errors) = run(&["health", &admin]).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.starts_with(&format!("error: {admin}: no answer: ")), "{errors}");
    assert_eq!(run(&["health", "--config", file_name]).await.0, 1);
}

async fn lines(path: &Path, enough: usize) -> Vec<String> {
    soon(async {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if text.lines().count() >= enough {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn the_log_goes_to_a_file_and_follows_it_when_it_is_moved() {
    let upstream = Upstream::sound().await;
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let more = ["--log-file", path.to_str().unwrap(), "--log-format", "combined", "--trusted-proxy", "127.0.0.1"];
    let (binary, _) = started(&upstream, &more).await;
    let mut client = binary.connect().await;
    let headers = [
        "User-Agent: A \"b\" c",
        "Referer: https://a.example/x?code=secret",
        "X-Forwarded-For: 203.0.113.9",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ];
    client.send(get("/x?token=secret", &headers)).await;
    client.reply().await;
    let line = lines(&path, 1).await.remove(0);
    assert!(line.starts_with("203.0.113.9 - - [") && line.contains(" +0000] \"GET /x HTTP/1.1\" 200 "), "{line}");
    assert!(line.ends_with(" \"https://a.example/x\" \"A \\\"b\\\" c\"") && !line.contains("secret"), "{line}");
    std::fs::rename(&path, &old).unwrap();
    // It is noticed within a second that the file is gone.
    soon(async {
        // Not as fast as it goes: the page of flows is told of each and says so when it cannot follow.
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
        while !path.exists() {
            pace.tick().await;
            client.send(get("/y", &[])).await;
            client.reply().await;
        }
    })
    .await;
    assert!(lines(&path, 1).await.iter().all(|line| line.contains("GET /y")));
    binary.terminate();
    let (code, out, errors) = binary.ended().await;
    assert!((code, errors.as_str()) == (0, "") && !out.contains("GET"), "{out} {errors}");
    let wrong = dir.path().join("none/access.log");
    let (code, _, errors) = run(&["http://localhost:1", "--log-file", wrong.to_str().unwrap()]).await;
    assert!(code == 2 && errors.contains("log.file: ") && errors.contains("write a file in a folder"), "{errors}");
}

#[tokio::test]
async fn a_client_that_leaves_before_its_answer_is_in_the_log() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.until_closed().await;
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    client.send(get("/left", &[parent])).await;
    upstream.wait(|seen| seen.len() == 1).await;
    assert_eq!(upstream.seen()[0].get("traceparent"), Some(&parent[13..]));
    drop(client);
    let line: serde_json::Value = serde_json::from_str(&proxy.logged("/left").await).unwrap();
    assert_eq!((&line["status"], &line["ending"]), (&499.into(), &"client-left".into()));
    assert_eq!((&line["trace_id"], &line["asked"]), (&"0af7651916cd43dd8448eb211c80319c".into(), &1.into()));
    let counters = &proxy.running.as_ref().unwrap().runtime.counters;
    let cells: Vec<_> = counters.requests().map(|cell| (cell.code, cell.fault, cell.count)).collect();
    assert_eq!(cells, [("499", "client", 1)]);
}

/// Over HTTP/1.1 its body is left out, and nobody has left.
#[tokio::test]
async fn an_answer_to_head_ends_as_it_should() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            let document = r#"{"resource":"https://mcp.example.com/mcp","authorization_servers":[]}"#;
            let is_document = request.target().starts_with("/.well-known/oauth-protected-resource");
            conn.send(if is_document { json("200 OK", document) } else { reply("404 Not Found", &[], "") }).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(request("HEAD", "/.well-known/oauth-protected-resource/mcp", &[], "")).await;
    let answer = client.head().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.get("content-length").is_some_and(|length| length != "0"), "as a GET would have it");
    let line: serde_json::Value = serde_json::from_str(&proxy.logged("HEAD").await).unwrap();
    assert_eq!((&line["status"], &line["ending"]), (&200.into(), &"whole".into()));
    client.send(get("/.well-known/oauth-protected-resource/mcp", &[])).await;
    assert_eq!(client.reply().await.status(), 200, "the connection goes on");
}
