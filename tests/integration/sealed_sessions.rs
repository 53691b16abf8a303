//! Session ids that hold the upstream's own id and cookies: nobody reads one, nobody makes one, and each opens at its own
//! site with its own key alone.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::kit::{Binary, Message, PUBLIC, Proxy, Setup, Upstream, json, reply, request, run};

const CALL: &str = r#"{"jsonrpc":"2.0","id":"c7","method":"tools/list"}"#;
const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":"c7","result":{"tools":[]}}"#;
const COOKIE: &str = "sid=s3cret-cookie-value";

fn message(session: Option<&str>, body: &str) -> Vec<u8> {
    let session = session.map(|id| format!("Mcp-Session-Id: {id}"));
    let mut headers = vec!["Content-Type: application/json", "Accept: application/json, text/event-stream"];
    headers.extend(session.as_deref());
    request("POST", "/mcp", &headers, body)
}

/// A server whose sessions have this id and are tied to an instance by a cookie.
async fn server(id: &'static str) -> Upstream {
    Upstream::answering(move |request| {
        if request.text() == INITIALIZE {
            let session = format!("Mcp-Session-Id: {id}");
            let cookie = format!("Set-Cookie: {COOKIE}; Path=/; HttpOnly");
            return reply("200 OK", &["Content-Type: application/json", &session, &cookie], RESULT);
        }
        let is_known = request.get("mcp-session-id") == Some(id) && request.get("cookie") == Some(COOKIE);
        if is_known { json("200 OK", RESULT) } else { reply("400 Bad Request", &[], "another instance") }
    })
    .await
}

/// Begins a session; answers the id that the client gets.
async fn begun(proxy: &Proxy) -> String {
    let answer = proxy.ask(message(None, INITIALIZE)).await;
    assert_eq!(answer.get("set-cookie"), Some(format!("{COOKIE}; Path=/; HttpOnly").as_str()));
    answer.get("mcp-session-id").unwrap().to_owned()
}

/// A private file with a secret.
fn key(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, format!("{name:x>32}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    path
}

fn setup(upstream: &Upstream, files: &[&PathBuf]) -> Setup {
    let setup = Proxy::to(upstream).set("public_url", PUBLIC);
    if files.is_empty() {
        return setup;
    }
    let files = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(",");
    setup.set("seal.key_files", files)
}

fn with_keys(upstream: &Upstream, files: &[&PathBuf]) -> Proxy {
    setup(upstream, files).start()
}

fn is_unknown(answer: &Message, id: &str) -> bool {
    let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32001,"message":"Session not found"}}}}"#);
    answer.status() == 404 && answer.text() == expected && answer.get("content-type") == Some("application/json")
}

#[tokio::test]
async fn a_cookie_travels_in_the_id_and_nobody_reads_it_there() {
    for id in ["s1", "a b", "mend-7"] {
        let upstream = server(id).await;
        let proxy = Proxy::to(&upstream).start();
        let session = begun(&proxy).await;
        let letters = session.strip_prefix("mend-").unwrap();
        let plain = URL_SAFE_NO_PAD.decode(letters).unwrap();
        let holds = |hidden: &str| plain.windows(hidden.len()).any(|window| window == hidden.as_bytes());
        assert!(!holds("sid=") && !holds("s3cret") && !holds(id), "{session}");
        assert_eq!(proxy.ask(message(Some(&session), CALL)).await.text(), RESULT, "{id}");
        assert!(!proxy.log().contains(letters) && !proxy.log().contains("s3cret"), "{}", proxy.log());
    }
}

#[tokio::test]
async fn a_forged_id_is_an_unknown_session_and_sets_no_cookie() {
    let upstream = server("s1").await;
    let proxy = Proxy::to(&upstream).start();
    let session = begun(&proxy).await;
    let asked = upstream.seen().len();
    let plain = URL_SAFE_NO_PAD.encode("s1\0sid=s3cret-cookie-value");
    let forged = [
        "mend-".to_owned(),
        format!("mend-{plain}"),
        format!("mend-id-{}", URL_SAFE_NO_PAD.encode("s1")),
        session[..session.len() - 1].to_owned(),
        format!("{session}A"),
        format!("{session}.mend-{}", URL_SAFE_NO_PAD.encode("role=admin")),
    ];
    for forged in &forged {
        let line = format!("Mcp-Session-Id: {forged}");
        assert!(is_unknown(&proxy.ask(message(Some(forged), CALL)).await, "\"c7\""), "{forged}");
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert!(is_unknown(&proxy.ask(message(Some(forged), note)).await, "null"), "{forged}");
        for method in ["GET", "DELETE"] {
            let answer = proxy.ask(request(method, "/mcp", &["Accept: text/event-stream", &line], "")).await;
            assert!(is_unknown(&answer, "null"), "{method} {forged}");
        }
    }
    assert_eq!(upstream.seen().len(), asked, "the upstream is not asked");
    // What is not marked as ours goes up as it is, and brings no cookie with it.
    for plain in [format!("s1.mend-{}", URL_SAFE_NO_PAD.encode("role=admin")), format!("s1, {session}")] {
        proxy.ask(message(Some(&plain), CALL)).await;
        let seen = upstream.seen().into_iter().rfind(|seen| seen.text() == CALL).unwrap();
        assert_eq!((seen.get("mcp-session-id"), seen.get("cookie")), (Some(plain.as_str()), None));
    }
    assert_eq!(proxy.ask(message(Some(&session), CALL)).await.text(), RESULT, "the session itself goes on");
}

#[tokio::test]
async fn replicas_share_a_key_and_keys_are_rotated() {
    let upstream = server("s1").await;
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (key(dir.path(), "old"), key(dir.path(), "new"));
    let (one, replica) = (with_keys(&upstream, &[&old]), with_keys(&upstream, &[&old]));
    let (rotating, rotated) = (with_keys(&upstream, &[&new, &old]), with_keys(&upstream, &[&new]));
    let session = begun(&one).await;
    for proxy in [&one, &replica, &rotating] {
        assert_eq!(proxy.ask(message(Some(&session), CALL)).await.text(), RESULT);
    }
    assert!(is_unknown(&rotated.ask(message(Some(&session), CALL)).await, "\"c7\""));
    let renewed = begun(&rotating).await;
    assert_eq!(rotated.ask(message(Some(&renewed), CALL)).await.text(), RESULT);
    assert!(is_unknown(&one.ask(message(Some(&renewed), CALL)).await, "\"c7\""));
}

#[tokio::test]
async fn without_a_key_file_each_process_has_a_key_of_its_own_and_says_so_once() {
    let upstream = server("s1").await;
    let url = format!("http://{}", upstream.address);
    let mut one = Binary::start(&["--no-probe", "--public-url", "http://mcp.test", &url]).await;
    let mut client = one.connect().await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        client.send(message(None, INITIALIZE)).await;
        sessions.push(client.reply().await.get("mcp-session-id").unwrap().to_owned());
    }
    assert!(sessions[0] == sessions[1] && one.complained("seal.key_files").await.contains("WARN"));
    let other = Binary::start(&["--no-probe", "--public-url", "http://mcp.test", &url]).await;
    let mut client = other.connect().await;
    client.send(message(Some(&sessions[0]), CALL)).await;
    assert!(is_unknown(&client.reply().await, "\"c7\""));
    for process in [one, other] {
        process.terminate();
        let (code, _, errors) = process.ended().await;
        assert!(code == 0 && !errors.contains("seal.key_files"), "{errors}");
    }
}

#[tokio::test]
async fn an_id_of_another_site_does_not_open() {
    let upstream = server("s1").await;
    let dir = tempfile::tempdir().unwrap();
    let key = key(dir.path(), "key");
    let at = |public: &'static str, path: &'static str| {
        let setup = Proxy::to(&upstream).set("public_url", public).set("mcp_path", path);
        setup.set("seal.key_files", key.display()).start()
    };
    let session = begun(&at("https://mcp.example.com", "/mcp")).await;
    let same = at("https://mcp.example.com", "/mcp");
    assert_eq!(same.ask(message(Some(&session), CALL)).await.text(), RESULT);
    let asked = upstream.seen().len();
    let other = at("https://other.example.com", "/mcp");
    assert!(is_unknown(&other.ask(message(Some(&session), CALL)).await, "\"c7\""));
    let moved = at("https://mcp.example.com", "/");
    let elsewhere = String::from_utf8(message(Some(&session), CALL)).unwrap().replacen("/mcp", "/", 1);
    assert!(is_unknown(&moved.ask(elsewhere).await, "\"c7\""));
    assert_eq!(upstream.seen().len(), asked);
}

#[tokio::test]
async fn a_reload_keeps_the_sessions_and_takes_up_other_keys() {
    let upstream = server("s1").await;
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (key(dir.path(), "old"), key(dir.path(), "new"));
    let proxy = setup(&upstream, &[]).start();
    let reload = |files: &[&PathBuf]| {
        proxy.running.as_ref().unwrap().reload(&setup(&upstream, files).config()).unwrap();
    };
    let of_process = begun(&proxy).await;
    reload(&[]);
    assert_eq!(proxy.ask(message(Some(&of_process), CALL)).await.text(), RESULT, "the key of the process stays");
    reload(&[&old]);
    assert!(is_unknown(&proxy.ask(message(Some(&of_process), CALL)).await, "\"c7\""));
    let of_old = begun(&proxy).await;
    reload(&[&new, &old]);
    assert_eq!(proxy.ask(message(Some(&of_old), CALL)).await.text(), RESULT);
    reload(&[&new]);
    assert!(is_unknown(&proxy.ask(message(Some(&of_old), CALL)).await, "\"c7\""));
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_named_with_its_line_before_anything_starts() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let open = key(dir.path(), "open");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (config, missing) = (dir.path().join("proxy.toml"), dir.path().join("missing"));
    let text = format!(
        "upstream = \"http://127.0.0.1:1\"\n[seal]\nkey_files = [\n {:?},\n {:?},\n]\n",
        open.display().to_string(),
        missing.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    for command in [&["--listen", "127.0.0.1:0", "--config", &config][..], &["config", "check", "--config", &config]] {
        let (code, _, errors) = run(command).await;
        assert_eq!(code, 2, "{command:?}: {errors}");
        for expected in [format!("{config}:4: "), "mode 0644".into(), format!("{config}:5: "), "No such file".into()] {
            assert!(errors.contains(&expected), "{command:?}: {expected} in {errors}");
        }
    }
    let (code, _, errors) = run(&["--seal-key-file", &open.display().to_string(), "http://127.0.0.1:1"]).await;
    assert!(code == 2 && errors.contains("--seal-key-file: "), "{errors}");
}
