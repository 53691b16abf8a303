//! Captures: what is in them, what is not, and that they replay.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_mend::demo::broken::{self, Broken};
use mcp_mend::demo::defects;
use mcp_mend::replay::{recorded_ids, replay_all};
use mcp_mend::telemetry::capture::form::Capture;
use mcp_mend::telemetry::capture::read;
use tokio::net::TcpListener;

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, json, post, reply, run, soon};

/// Every secret of a login, each recognisable.
const SECRETS: [&str; 14] = [
    "s3cret-code/1+x",
    "s3cret-verifier-2",
    "s3cret-client-3",
    "s3cret-refresh-4",
    "s3cret-access-5",
    "s3cret-state-6",
    "s3cret-cookie-7",
    "s3cret-key-8",
    "s3cret-session-9",
    "s3cret-registration-10",
    "s3cret-argument-11",
    "s3cret-answer-12",
    "s3cret client\"13",
    "s3cret-path-14",
];

fn login_answer(request: &Message) -> Vec<u8> {
    let own = format!("http://{}", request.get("host").unwrap_or_default());
    let path = request.target().split('?').next().unwrap_or_default();
    match path {
        "/.well-known/oauth-protected-resource/mcp" => {
            json("200 OK", &format!(r#"{{"resource":"{own}/mcp","authorization_servers":["{own}"]}}"#))
        }
        "/.well-known/oauth-authorization-server" => json(
            "200 OK",
            &format!(
                r#"{{"issuer":"{own}","authorization_endpoint":"{own}/authorize","token_endpoint":"{own}/token","registration_endpoint":"{own}/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}}"#
            ),
        ),
        "/register" => json(
            "201 Created",
            r#"{"client_id":"s3cret client\"13","client_secret":"s3cret-client-3","client_secret_expires_at":1900000000.5,"redirect_uris":["https://a.example/cb"],"registration_access_token":"s3cret-registration-10"}"#,
        ),
        "/authorize" => reply(
            "302 Found",
            &[
                "Location: https://a.example/cb?code=s3cret-code%2F1%2Bx&state=s3cret-state-6",
                "Set-Cookie: a=s3cret-cookie-7",
            ],
            "",
        ),
        "/token" if request.text().contains("s3cret-verifier-2") => json(
            "200 OK",
            r#"{"access_token":"s3cret-access-5","refresh_token":"s3cret-refresh-4","token_type":"bearer","expires_in":3600}"#,
        ),
        "/token" => json(
            "400 Bad Request",
            r#"{"error":"invalid_grant","error_description":"code s3cret-code/1+x (czNjcmV0LWNvZGUvMSt4) was used"}"#,
        ),
        "/mcp" if request.get("authorization").is_none() => reply("401 Unauthorized", &[], "no s3cret-key-8"),
        "/mcp" if request.text().contains("stream") => reply(
            "200 OK",
            &["Content-Type: text/event-stream", "Mcp-Session-Id: s3cret-session-9"],
            "id: s3cret-session-9\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"a\":\"s3cret-answer-12\"}}\n\n",
        ),
        "/mcp" => json(
            "200 OK",
            r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":\"s3cret-answer-12\"}"}]}}"#,
        ),
        _ => reply("404 Not Found", &[], "no s3cret-path-14"),
    }
}

/// A login with all of them, through the proxy.
async fn log_in(proxy: &Proxy) {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let agent = "User-Agent: agent/1";
    let is_json = "Content-Type: application/json";
    let bearer =
        ["Authorization: Bearer s3cret-access-5", "Mcp-Session-Id: s3cret-session-9", "X-Api-Key: s3cret-key-8"];
    let message = |method: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"arguments":{{"a":"s3cret-argument-11"}}}}}}"#
        )
    };
    let code = "grant_type=authorization_code&code=s3cret-code%2F1%2Bx&client_id=s3cret+client%2213&client_secret=s3cret-client-3";
    for request in [
        post("/mcp", &[agent, is_json], &message("initialize")),
        get("/.well-known/oauth-authorization-server", &[agent]),
        post(
            "/register",
            &[agent, is_json, "Authorization: Bearer s3cret-registration-10"],
            r#"{"redirect_uris":["https://a.example/cb"]}"#,
        ),
        get(
            "/authorize?response_type=code&client_id=s3cret+client%2213&state=s3cret-state-6&code_challenge=abc",
            &["User-Agent: browser/1", "Cookie: a=s3cret-cookie-7"],
        ),
        post("/token", &[agent, form], &format!("{code}&code_verifier=s3cret-verifier-2")),
        post("/token", &[agent, form], code),
        post(
            "/token",
            &[agent, form, "Authorization: Basic czNjcmV0IGNsaWVudCIxMzpzM2NyZXQtY2xpZW50LTM="],
            "refresh_token=s3cret-refresh-4",
        ),
        post("/mcp", &[&[agent, is_json][..], &bearer].concat(), &message("tools/call")),
        post("/mcp?key=s3cret-key-8", &[&[agent, is_json][..], &bearer].concat(), &message("stream")),
        get(
            "/files/s3cret-path-14?a=s3cret-key-8#x",
            &[agent, "Referer: https://u:s3cret-key-8@a.example/#s3cret-code%2F1%2Bx"],
        ),
    ] {
        let answer = proxy.ask(&request).await;
        assert!(answer.status() != 0);
    }
}

/// A secret in the forms in which it may be written.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let percent = secret.replace('/', "%2F").replace('+', "%2B").replace(' ', "%20").replace('"', "%22");
    let json = serde_json::Value::from(secret).to_string();
    vec![
        secret.to_owned(),
        percent.clone(),
        percent.replace("%20", "+"),
        percent.replace('%', "%25"),
        json[1..json.len() - 1].to_owned(),
        STANDARD_NO_PAD.encode(secret),
    ]
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for secret in SECRETS {
        for form in forms(secret) {
            assert!(!text.contains(&form), "{secret} as {form} in {what}:\n{text}");
        }
    }
    assert!(!text.contains("s3cret"), "{what}:\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_gets_into_a_capture_a_flow_or_a_report() {
    let upstream = Upstream::answering(login_answer).await;
    let dir = tempfile::tempdir().unwrap();
    let captures = dir.path().join("captures");
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("capture.dir", captures.display()).start();
    let flows = proxy.flows.clone().unwrap();
    let mut news = flows.watch();
    log_in(&proxy).await;
    let watching = flows.clone();
    tokio::task::spawn_blocking(move || watching.flush()).await.unwrap();
    let files = files(&captures);
    // The browser joins by its state, its client and its code.
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert_clean("the capture", &text);
    assert!(
        text.contains("agent/1") && text.contains("invalid_grant") && text.contains("client_secret_expires_at"),
        "{text}"
    );
    assert_is_private(&captures, 0o700);
    assert_is_private(&files[0], 0o600);

    let snapshot = flows.snapshot();
    assert_clean("the snapshot", &snapshot.to_string());
    let flow = &snapshot["flows"][0];
    assert_eq!(flow["exchanges"].as_array().unwrap().len(), 10, "{flow:#}");
    assert_eq!(flow["phases"]["registration"], "ok");
    assert_eq!(flow["exchanges"][2]["repairs"][0]["mode"], "fix");
    let mut told = 0;
    while let Ok(text) = news.try_recv() {
        assert_clean("what watchers are told", &text);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(
            value["flow"]["id"].is_u64()
                && value["flow"]["exchanges"].is_null()
                && value["exchange"]["number"].is_u64()
        );
        told += 1;
    }
    // An event stream is told of when it begins and when it has ended.
    assert_eq!(told, 11);

    // The same code is the same text, wherever it stands.
    let code = text.split("code=%23").nth(1).unwrap()[..8].to_owned();
    assert!(text.matches(&format!("code=%23{code}")).count() >= 4, "{code} in {text}");
    assert!(text.contains(&format!("code #{code} (#{code}) was used")), "{text}");

    let (differ, output) = (differences(&capture(&files[0])).2, dir.path().join("report.md"));
    assert!(differ.is_empty(), "{differ:?}");
    let paths = (captures.to_str().unwrap(), output.to_str().unwrap());
    let (exit, out, errors) = run(&[
        "report",
        "--ofid",
        "ofid_1a2b",
        "--capture",
        paths.0,
        "--url",
        "https://u:p@mcp.example.com/mcp?k=v",
        "--output",
        paths.1,
    ])
    .await;
    assert_eq!(exit, 0, "{out}{errors}");
    let report = std::fs::read_to_string(&output).unwrap();
    assert_clean("the report", &report);
    assert_is_private(&output, 0o600);
    for part in [
        "`ofid_1a2b`",
        "https://mcp.example.com/mcp",
        "timeline",
        "### Registration",
        "### Token",
        "### Metadata",
        "invalid_grant",
        "Access log",
    ] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
    // Where the upstream really is, is nobody's business.
    assert!(
        !report.contains(&upstream.address.to_string()) && !report.contains("u:p@") && !report.contains("k=v"),
        "{report}"
    );
    let (exit, out, errors) = run(&["explain", "--capture", files[0].to_str().unwrap()]).await;
    assert!(exit == 0 && out.contains("as recorded") && out.contains("register.timestamp-type"), "{out}{errors}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let (exit, out, _) = run(&["explain", "--json", "--capture", files[0].to_str().unwrap()]).await;
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(exit == 0 && value["exchanges"].as_array().unwrap().iter().all(|one| one["agrees"] != false), "{out}");
}

#[cfg(unix)]
#[track_caller]
fn assert_is_private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    let found = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(found, mode, "{}", path.display());
}

#[cfg(not(unix))]
fn assert_is_private(_: &Path, _: u32) {}

#[tokio::test]
async fn without_a_request_a_report_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let (exit, out, errors) = run(&["report", "--capture", path, "--output", "-"]).await;
    assert_eq!(exit, 0, "{errors}");
    assert!(out.contains("no request has reached us from a hosted client"), "{out}");
    let (exit, out, _) = run(&["report", "--output", "-"]).await;
    assert!(exit == 0 && out.contains("Nothing was captured") && !out.contains("no request has reached"), "{out}");
    for wrong in
        [&["report", "--ofid", "1a2b|x"][..], &["report", "--capture", "/nowhere/at/all"], &["report", "--url", "x"]]
    {
        let (exit, _, errors) = run(wrong).await;
        assert!(exit == 2 && errors.contains("error:"), "{wrong:?}: {errors}");
    }
}

/// The captures in a folder, oldest first.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

pub fn capture(file: &Path) -> Capture {
    let text = std::fs::read_to_string(file).unwrap();
    read::capture(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// How a replay differs from what was recorded.
pub fn differences(capture: &Capture) -> (usize, usize, Vec<String>) {
    let (mut all, mut unclear, mut found) = (0, 0, Vec::new());
    for (recorded, replayed) in replay_all(capture) {
        all += 1;
        unclear += usize::from(replayed.unclear.is_some());
        if replayed.agrees(recorded) == Some(false) {
            let (then, now) = (recorded_ids(recorded), replayed.ids());
            found.push(format!("{} {}: recorded {then:?}, replayed {now:?}", recorded.number, recorded.asked.start));
        }
    }
    (all, unclear, found)
}

#[test]
fn every_vector_replays_as_recorded() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let files = files(&dir);
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let capture = capture(&file);
        let (all, unclear, differ) = differences(&capture);
        assert!(differ.is_empty(), "{}:\n{}", file.display(), differ.join("\n"));
        assert!(all > unclear, "{}: nothing of it can be replayed", file.display());
        let fired = replay_all(&capture).iter().map(|(_, replayed)| replayed.fired.len()).sum::<usize>();
        assert!(fired > 0, "{}: nothing fires", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_defect_of_the_demo_replays_as_recorded() {
    let (mut all, mut unclear, mut differ) = (0, 0, Vec::new());
    for defect in defects::all() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), &[defect]))));
        let dir = tempfile::tempdir().unwrap();
        let proxy = Proxy::to_url(&origin).set("no_probe", "false").set("capture.dir", dir.path().display());
        let proxy = proxy.set("repairs", "stream.silence=fix").set("limits.silence_seconds", "1").start();
        let _ = soon(defect.visit(&format!("http://{}", proxy.address))).await;
        let flows = proxy.flows.clone().unwrap();
        // What a client has just left ends a moment later.
        proxy.logged("\"status\"").await;
        tokio::task::spawn_blocking(move || flows.flush()).await.unwrap();
        server.abort();
        for file in files(dir.path()) {
            let (some, dark, found) = differences(&capture(&file));
            (all, unclear) = (all + some, unclear + dark);
            differ.extend(found.iter().map(|found| format!("{}: {found}", defect.name)));
        }
    }
    assert!(unclear * 50 < all, "{unclear} of {all} cannot be gone through");
    assert!(differ.is_empty(), "{} of {all}:\n{}", differ.len(), differ.join("\n"));
}
