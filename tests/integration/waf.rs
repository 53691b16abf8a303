//! What `mcp-mend waf` prints, judged by the programs that it is for. A program that is not installed is named; CI installs
//! nginx, haproxy and nft.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::kit::{run, soon};

/// Runs a program if it is there: whether it was content, and what it said.
async fn judged_by(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let Some(found) = places.iter().map(|place| place.join(program)).find(|file| file.is_file()) else {
        eprintln!("skipped: {program} is not installed");
        return None;
    };
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_DEFAULT_REGION", "eu-west-1")];
    let quick = [("AWS_MAX_ATTEMPTS", "1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let mut command = Command::new(found);
    command.args(arguments).envs(keys).envs(quick).stdin(Stdio::null()).kill_on_drop(true);
    let output = soon(command.output()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// What `waf` prints, with a list of OpenAI's as well, in all the forms that matter.
async fn printed(target: &str, directory: &Path) -> Vec<String> {
    let list = directory.join("chatgpt-connectors.json");
    let prefixes: Vec<serde_json::Value> =
        (0..300).map(|n| serde_json::json!({ "ipv4Prefix": format!("198.51.{}.{}/29", n / 32, n % 32 * 8) })).collect();
    let mut text = serde_json::json!({ "creationTime": "2026-11-20T00:00:00.000000", "prefixes": prefixes });
    text["prefixes"].as_array_mut().unwrap().push(serde_json::json!({ "ipv6Prefix": "2001:db8:1::/48" }));
    std::fs::write(&list, text.to_string()).unwrap();
    let list = list.to_str().unwrap();
    let long = format!("/{}/mcp", "a-rather-long-tenant/".repeat(6).trim_end_matches('/'));
    let mut all = Vec::new();
    for arguments in [
        &["waf", target][..],
        &["waf", target, "--vendor", "anthropic"],
        &["waf", target, "--ranges", list],
        &["waf", target, "--ranges", list, "--mcp-path", &long, "--path", "/oauth2/v1.0/token", "--user-agent"],
    ] {
        let (code, out, errors) = run(arguments).await;
        let sees_agents = !["ufw", "nftables"].contains(&target);
        if arguments.contains(&"--user-agent") && !sees_agents {
            assert!(code == 2 && errors.contains("sees no user agents"), "{errors}");
            continue;
        }
        assert_eq!((code, errors.as_str()), (0, ""));
        all.push(out);
    }
    all
}

fn write(file: &Path, text: &str) {
    std::fs::File::create(file).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn nginx_takes_its_file() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path().display();
    for rules in printed("nginx", home.path()).await {
        write(&home.path().join("rules"), &rules);
        let config = format!(
            "pid {at}/pid;\nevents {{}}\nhttp {{\naccess_log off;\ninclude {at}/rules;\n\
             map $mcp_let_in:$http_user_agent $refused {{ default 0; \"~*^0:.*(bot|python|curl)\" 1; }}\n\
             server {{ listen unix:{at}/socket; location / {{ if ($refused) {{ return 403; }} return 204; }} }}\n}}\n"
        );
        let file = home.path().join("nginx.conf");
        write(&file, &config);
        let arguments = ["-t", "-e", "stderr", "-p", home.path().to_str().unwrap(), "-c", file.to_str().unwrap()];
        let Some((is_content, said)) = judged_by("nginx", &arguments).await else { return };
        assert!(is_content && !said.contains("[warn]"), "{said}");
        write(&file, &config.replace("location /", "locution /"));
        assert!(!judged_by("nginx", &arguments).await.unwrap().0, "it takes anything");
    }
}

#[tokio::test]
async fn haproxy_takes_its_lines() {
    let home = tempfile::tempdir().unwrap();
    for rules in printed("haproxy", home.path()).await {
        let file = home.path().join("haproxy.cfg");
        let config = format!(
            "global\n  maxconn 10\ndefaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  \
             timeout connect 1s\nfrontend f\n  bind unix@{}/socket\n{rules}    http-request deny\n  default_backend b\n\
             backend b\n  http-request return status 204\n",
            home.path().display()
        );
        write(&file, &config);
        let arguments = ["-c", "-f", file.to_str().unwrap()];
        let Some((is_content, said)) = judged_by("haproxy", &arguments).await else { return };
        assert!(is_content && !said.contains("WARNING"), "{said}");
        write(&file, &config.replace("acl mcp_hosted_client src", "acl mcp_hosted_client srk"));
        assert!(!judged_by("haproxy", &arguments).await.unwrap().0, "it takes anything");
    }
}

#[tokio::test]
async fn nft_takes_its_file() {
    let home = tempfile::tempdir().unwrap();
    for rules in printed("nftables", home.path()).await {
        let file = home.path().join("rules.nft");
        write(&file, &rules);
        let arguments = ["-c", "-f", file.to_str().unwrap()];
        let Some((is_content, said)) = judged_by("nft", &arguments).await else { return };
        if said.contains("Operation not permitted") || said.contains("cache initialization failed") {
            return eprintln!("skipped: nft may not ask the kernel here: {said}");
        }
        assert!(is_content && said.is_empty(), "{said}");
        write(&file, &rules.replace("flags interval", "flags integral"));
        assert!(!judged_by("nft", &arguments).await.unwrap().0, "it takes anything");
    }
}

#[tokio::test]
async fn the_aws_command_line_takes_its_objects() {
    let home = tempfile::tempdir().unwrap();
    for agents in [&[][..], &["--user-agent"]] {
        let (code, out, _) = run(&[&["waf", "aws", "--json"], agents].concat()).await;
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 0);
        let (set, rule) = (home.path().join("set.json"), home.path().join("rule.json"));
        write(&set, &value["rules"]["ip_sets"][0].to_string());
        write(&rule, &serde_json::json!([value["rules"]["rule"]]).to_string());
        let (set, rule) = (format!("file://{}", set.display()), format!("file://{}", rule.display()));
        // It judges what it sends before it sends it, here to nobody.
        let nobody = ["--endpoint-url", "http://127.0.0.1:1"];
        for arguments in [
            &["wafv2", "create-ip-set", "--cli-input-json", &set][..],
            &["wafv2", "check-capacity", "--scope", "REGIONAL", "--rules", &rule],
        ] {
            let Some((_, said)) = judged_by("aws", &[arguments, &nobody].concat()).await else { return };
            assert!(said.contains("Could not connect to the endpoint"), "{said}");
        }
    }
}

#[tokio::test]
async fn the_commands_for_ufw_are_a_script() {
    let home = tempfile::tempdir().unwrap();
    for rules in printed("ufw", home.path()).await {
        write(&home.path().join("ufw.sh"), &rules);
        let said = judged_by("sh", &["-n", home.path().join("ufw.sh").to_str().unwrap()]).await;
        assert_eq!(said, Some((true, String::new())));
        for (line, next) in rules.lines().zip(rules.lines().skip(1)).filter(|(line, _)| !line.starts_with('#')) {
            let is_rule = line.is_empty() || line.starts_with("ufw delete allow from ");
            let is_long =
                line.starts_with("ufw prepend allow proto tcp from ") && next.starts_with("  to any port 443 ");
            assert!(is_rule || is_long || line.starts_with("  to any port 443 comment 'mcp "), "{line}");
        }
    }
}

#[tokio::test]
async fn json_holds_the_same_and_wrong_usage_is_told_at_once() {
    for target in ["cloudflare", "aws", "nginx", "haproxy", "ufw", "nftables"] {
        let (code, out, _) = run(&["waf", target, "--json"]).await;
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &value["target"]), (0, &target.into()));
        assert_eq!(value["vendors"][0]["egress"][0], "160.79.104.0/21");
        assert!(value["notes"].as_array().unwrap().len() >= 5 && !value["rules"].is_null());
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"vendor = \"acme\"\negress = [\"10.0.0.0/99\"]\n").unwrap();
    let name = file.path().to_str().unwrap();
    let arguments =
        ["waf", "ufw", "--ranges", name, "--vendor", "x", "--path", "a b", "--mcp-path", "//", "--user-agent"];
    let (code, out, errors) = run(&arguments).await;
    assert_eq!((code, out.as_str()), (2, ""));
    for part in
        [&format!("{name}:2: `egress`"), "`date` is missing", "--vendor: `x`", "--path:", "--mcp-path:", "--user"]
    {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
    let (code, _, errors) = run(&["waf", "nginx", "--vendor", "openai"]).await;
    assert!(code == 2 && errors.contains("get https://openai.com/chatgpt-connectors.json"), "{errors}");
    assert_eq!(run(&["waf", "iptables"]).await.0, 2);
}
