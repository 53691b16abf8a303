//! A configuration that changes while the proxy runs, and several sites behind one proxy.

use std::path::Path;

use tempfile::TempDir;
use tokio::sync::Notify;

use crate::kit::{Binary, Upstream, chunk, get, json, ok, post, run, soon};

const SETTINGS: &str = "no_probe = true\nrepairs.stream.silence = \"off\"\n";

/// A configuration file that the proxy was started with.
struct File {
    dir: TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let file = Self { dir: tempfile::tempdir().unwrap() };
        file.write(text);
        file
    }

    /// Puts a whole new file in the place of the old one, as editors do.
    fn write(&self, text: &str) {
        let next = self.dir.path().join("next");
        std::fs::write(&next, format!("{SETTINGS}{text}")).unwrap();
        std::fs::rename(next, self.path()).unwrap();
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("proxy.toml")
    }
}

async fn start(file: &Path) -> Binary {
    Binary::start(&["--config", file.to_str().unwrap(), "--log-level", "info", "--limit-drain-seconds", "1"]).await
}

fn to(upstream: &Upstream) -> String {
    format!("upstream = \"http://{}\"\n", upstream.address)
}

#[tokio::test]
async fn a_changed_file_counts_from_the_next_request_on_and_a_stream_goes_on() {
    let first = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.target() == "/sse" {
                conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await;
                conn.send(chunk("data: 1\n\n")).await;
                GO_ON.notified().await;
                conn.send(chunk("data: 2\n\n")).await;
                conn.send("0\r\n\r\n").await;
            } else {
                conn.send(ok("first")).await;
            }
        }
    })
    .await;
    static GO_ON: Notify = Notify::const_new();
    let second = Upstream::always(ok("second")).await;
    let file = File::new(&to(&first));
    let mut proxy = start(&file.path()).await;
    let mut kept = proxy.connect().await;
    kept.send(get("/", &[])).await;
    assert_eq!(kept.reply().await.text(), "first");
    let mut stream = proxy.connect().await;
    stream.send(get("/sse", &[])).await;
    assert_eq!(stream.head().await.unwrap().status(), 200);
    assert_eq!(stream.chunk().await, Some(Some(b"data: 1\n\n".to_vec())));

    // Nobody tells it: the file is watched.
    file.write(&format!("{}threads = 1\nlog.format = \"json\"\n", to(&second)));
    let waiting = proxy.complained("wait for a restart").await;
    assert!(waiting.contains("log.format, threads"), "{waiting}");
    proxy.complained("reloaded").await;
    kept.send(get("/", &[])).await;
    assert_eq!(kept.reply().await.text(), "second");
    GO_ON.notify_one();
    assert_eq!(stream.chunk().await, Some(Some(b"data: 2\n\n".to_vec())));
    assert_eq!(stream.chunk().await, Some(None));

    // And by a signal, even if nothing has changed.
    proxy.signal("HUP");
    proxy.complained("reloaded").await;
    proxy.terminate();
    assert_eq!(proxy.ended().await.0, 0);
}

#[tokio::test]
async fn a_mistake_changes_nothing_and_is_told() {
    let upstream = Upstream::always(ok("as before")).await;
    let file = File::new(&to(&upstream));
    let mut proxy = start(&file.path()).await;
    let good = to(&upstream);
    for (bad, told) in [
        ("".to_owned(), "no upstream"),
        ("upstream = \"ftp://h\"\n".to_owned(), "ftp"),
        ("[upstream\n".to_owned(), ":3"),
        (format!("{good}mcp_pth = \"/x\"\n"), "`mcp_path`"),
        (format!("{good}mcp_path = \"x\"\n"), "a path begins with"),
        (format!("{good}public_url = \"x\"\n"), "public_url"),
        (format!("{good}origins = [\"*\"]\n"), "`*`"),
        (format!("{good}scopes = [\"a b\"]\n"), "one word"),
        (format!("{good}trusted_proxies = [\"all\"]\n"), "trusted_proxies"),
        (format!("{good}threads = -1\n"), "threads"),
        (format!("{good}admin = \"x\"\n"), "admin"),
        (format!("{good}[limits]\nbody_bytes = 1\n"), "body_bytes"),
        (format!("{good}[limits]\nbody_bytes = \"1M\"\n"), "must be a number"),
        (format!("{good}[limits]\nhead_seconds = 0\n"), "head_seconds"),
        (format!("{good}[repairs]\nno.such = \"off\"\n"), "is no repair"),
        (format!("{good}[repairs]\ncors.expose = \"loud\"\n"), "is no mode"),
        (format!("{good}[log]\nformat = \"xml\"\n"), "log.format"),
        (format!("{good}[access]\nallow = [\"nobody\"]\n"), "access.allow"),
        (format!("{good}site = 1\n"), "list of tables"),
        (format!("{good}[[site]]\nupstream = \"http://h\"\n"), "needs a public_url"),
        ("upstream = { url = \"https://h\", ca_file = \"/no/such.pem\" }\n".to_owned(), "/no/such.pem"),
    ] {
        file.write(&bad);
        let line = proxy.complained(told).await;
        assert!(line.contains("nothing was reloaded"), "{line}, after\n{bad}");
        let mut client = proxy.connect().await;
        client.send(get("/", &[])).await;
        assert_eq!(client.reply().await.text(), "as before", "after {bad}");
        let (code, out, errors) = run(&["config", "check", file.path().to_str().unwrap()]).await;
        assert!(code == 2 && out.is_empty() && errors.contains(told), "{code} {out} {errors}");
    }
    file.write(&good);
    proxy.complained("reloaded").await;
}

#[tokio::test]
async fn each_site_has_its_own_upstream_facts_and_repairs() {
    let challenge = || json("401 Unauthorized", "{}");
    let tasks = Upstream::answering(move |request| match request.target() {
        "/.well-known/oauth-protected-resource/mcp" => {
            json("200 OK", r#"{"resource":"https://tasks.test/mcp","authorization_servers":["https://as.test"]}"#)
        }
        _ => challenge(),
    })
    .await;
    let notes = Upstream::always(challenge()).await;
    let file = File::new(&format!(
        "[[site]]\npublic_url = \"https://tasks.test\"\n{}[[site]]\npublic_url = \"https://mcp.test/notes\"\n{}\
         repairs.auth.challenge-missing = \"off\"\n",
        to(&tasks),
        to(&notes)
    ));
    let proxy = start(&file.path()).await;
    let mut client = proxy.connect().await;
    let mut ask = async |host: &str, path: &str| {
        let request = String::from_utf8(post(path, &[], "{}")).unwrap().replace("mcp.test", host);
        client.send(request).await;
        client.reply().await
    };
    let answer = ask("tasks.test", "/mcp").await;
    let challenge = answer.get("www-authenticate").unwrap_or_default().to_owned();
    let pointer = "resource_metadata=\"https://tasks.test/.well-known/oauth-protected-resource/mcp\"";
    assert!(answer.status() == 401 && challenge.contains(pointer), "{answer:?}");
    let answer = ask("mcp.test:443", "/notes/mcp").await;
    assert!(answer.status() == 401 && answer.get("www-authenticate").is_none(), "{answer:?}");
    let asked = |of: &Upstream, target| of.seen_at(target).iter().any(|one| one.method() == "POST");
    assert!(asked(&tasks, "/mcp") && asked(&notes, "/notes/mcp"));
    // Nobody's host and nobody's path reach nobody.
    for (host, path, status, error) in [
        ("other.test", "/mcp", 421, "misdirected_request"),
        ("mcp.test", "/mcp", 404, "no_such_path"),
        ("mcp.test", "//notes/mcp", 404, "no_such_path"),
        ("mcp.test", "/x/../notes/mcp", 404, "no_such_path"),
    ] {
        let answer = ask(host, path).await;
        assert_eq!((answer.status(), answer.json()["error"].as_str().unwrap()), (status, error), "{host} {path}");
    }
    for target in ["/mcp", "//notes/mcp", "/x/../notes/mcp"] {
        assert!(notes.begun().iter().all(|one| one.target() != target), "{target}");
    }
}

#[tokio::test]
async fn a_configuration_is_checked_and_shown_without_starting() {
    let upstream = Upstream::sound().await;
    let file = File::new(&format!("{}public_url = \"https://mcp.example.com\"\n", to(&upstream)));
    let name = file.path();
    let name = name.to_str().unwrap();
    let (code, out, errors) = soon(run(&["config", "check", "--config", name])).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(out.starts_with("ok\n") && out.contains("https://mcp.example.com"), "{out}");
    let (code, out, _) = run(&["config", "show", name, "--listen", "127.0.0.1:9", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(shown["listen"], serde_json::json!({ "value": "127.0.0.1:9", "from": "--listen" }));
    assert_eq!(shown["public_url"]["from"], format!("{name}:4"));
    // What is shown is a file that comes to the same.
    let (_, shown, _) = run(&["config", "show", name]).await;
    let again = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(again.path(), &shown).unwrap();
    let again = again.path().to_str().unwrap();
    let (_, shown_again, _) = run(&["config", "show", again]).await;
    let values =
        |text: &str| text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&shown), values(&shown_again));
    let (code, out, _) = run(&["config", "schema"]).await;
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && schema["properties"]["site"]["type"] == "array");
    assert_eq!(upstream.connections(), 0);
}
