//! The built program: what it prints, how it ends, and that nothing starts with a wrong configuration.

use std::io::Write;

use crate::kit::{Binary, Upstream, get, run};

#[tokio::test]
async fn every_config_error_is_told_at_once_with_its_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let address = Upstream::down().await;
    let text = format!(
        "listen = \"{address}\"\npublic_url = \"mcp.example.com\"\nmcp_pth = \"/x\"\n\n[upstream]\nurl = \"ftp://h\"\n\n\
         [limits]\nhead_seconds = \"ten\"\nbody_seconds = -1\n\n[repairs]\ncors.orign = \"off\"\ncors.expose = \"loud\"\n"
    );
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().to_str().unwrap();
    let (code, out, errors) = run(&["--config", name, "--scope", "a b"]).await;
    assert_eq!((code, out.as_str()), (2, ""));
    for place in [":2:", ":3:", ":6:", ":9:", ":10:", ":13:", ":14:"] {
        assert!(errors.contains(&format!("{name}{place}")), "{place} is missing in {errors}");
    }
    assert!(
        errors.contains("--scope:") && errors.contains("`mcp_path`") && errors.contains("`cors.origin`"),
        "{errors}"
    );
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    for arguments in [
        &[][..],
        &["--no-such-flag"],
        &["http://a:1", "http://b:2"],
        &["http://a:1", "--listen", "nowhere"],
        &["http://a:1", "--trusted-proxy", "everyone"],
        &["http://a:1", "--origin", "*"],
        &["http://a:1", "--log-level", "loud"],
        &["http://user:pass@a:1"],
        &["http://a:1/?q"],
        &["--config", "/no/such/file.toml"],
        &["explain", "cors.orign"],
        &["explain"],
    ] {
        let (code, _, errors) = run(arguments).await;
        assert!(code == 2 && !errors.is_empty(), "{arguments:?}: {code} {errors}");
        assert!(!errors.contains("user:pass"), "{errors}");
    }
}

#[tokio::test]
async fn a_taken_address_ends_with_1() {
    let upstream = Upstream::sound().await;
    let address = upstream.address.to_string();
    let (code, _, errors) = run(&["http://localhost:1", "--listen", &address]).await;
    assert!(code == 1 && errors.contains(&address), "{code} {errors}");
}

#[tokio::test]
async fn the_repairs_are_listed_and_explained() {
    let (code, out, _) = run(&["repairs", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|repair| repair["id"].as_str().unwrap()).collect();
    assert!(code == 0 && ids.len() > 20);
    let (code, plain, _) = run(&["repairs"]).await;
    assert!(code == 0 && ids.iter().all(|id| plain.contains(id)) && !plain.contains('\u{1b}'));
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
    let (code, out, _) = run(&["explain", ids[0]]).await;
    assert!(code == 0 && out.contains(ids[0]) && out.contains("Why it matters"));
    let (code, out, _) = run(&["explain", ids[0], "--json"]).await;
    let one: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &one["id"]), (0, &ids[0].into()));
    let (_, out, _) = run(&["explain", "register.null-members"]).await;
    assert!(out.contains("\nStops\n") && out.contains("Claude Code") && out.contains("at the registration"), "{out}");
    let (_, out, _) = run(&["explain", "register.null-members", "--json"]).await;
    let one: serde_json::Value = serde_json::from_str(&out).unwrap();
    let stops = one["stops"].as_array().unwrap();
    assert!(stops.contains(&"ts2".into()) && !stops.contains(&"rmcp".into()) && one["step"] == "registration", "{out}");
    assert!(list.as_array().unwrap().iter().all(|repair| repair["stops"].is_array() && repair["step"].is_string()));
}

#[tokio::test]
async fn the_demo_shows_that_all_is_well() {
    let (code, out, errors) = run(&["demo", "--once"]).await;
    assert!(code == 0 && !errors.contains("error"), "{out}\n{errors}");
    assert!(out.lines().count() > 5);
}

#[tokio::test]
async fn flags_win_over_the_file() {
    let upstream = Upstream::sound().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"upstream = \"http://localhost:1\"\nlisten = \"256.0.0.1:1\"\n").unwrap();
    let url = format!("http://{}", upstream.address);
    let proxy = Binary::start(&["--config", file.path().to_str().unwrap(), "--upstream", &url]).await;
    let mut client = proxy.connect().await;
    client.send(get("/x", &[])).await;
    assert_eq!(client.reply().await.status(), 200);
}
