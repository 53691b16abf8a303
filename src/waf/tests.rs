use super::*;
use crate::ranges::Ranges;

fn wanted(agents: bool) -> Wanted {
    Wanted::new(Ranges::default().vendors().to_vec(), "/mcp", &["/oauth/token".into()], agents)
}

/// With addresses of both families, as many as OpenAI has.
fn many() -> Wanted {
    let prefixes: Vec<Value> =
        (0..250).map(|n| json!({ "ipv4Prefix": format!("198.51.{n}.0/28") })).collect::<Vec<_>>();
    let mut list = json!({ "creationTime": "2026-11-20T00:00:00", "prefixes": prefixes });
    list["prefixes"].as_array_mut().unwrap().push(json!({ "ipv6Prefix": "2001:db8:1::/48" }));
    let (mut ranges, mut complaints) = (Ranges::default(), Vec::new());
    ranges.take("list.json", &list.to_string(), &mut complaints);
    assert!(complaints.is_empty(), "{complaints:?}");
    Wanted::new(ranges.vendors().to_vec(), "/mcp", &[], true)
}

#[test]
fn every_target_says_what_has_to_be_known() {
    for target in TARGETS {
        let out = text(target, &wanted(false));
        let flat = out.replace("\n# ", " ");
        for said in [
            "160.79.104.0/21",
            "1 network as of 2026-08-23, from https://platform.claude.com/docs/en/api/ip-addresses",
            "no longer: 34.162.46.92, 34.162.102.82",
            "get https://openai.com/chatgpt-connectors.json and pass it with --ranges FILE",
            "Both have to admit these clients",
            "No rule by user agent alone",
        ] {
            assert!(flat.contains(said), "{}: {said} is missing in {out}", target.name);
        }
        // An ARN and an expression of a JSON document cannot be broken.
        let is_long = |line: &str| line.chars().count() > 80 && !line.trim_start().starts_with('"');
        assert!(!out.lines().any(is_long), "{out}");
        // Addresses at which the vendor is asked are no clients; a page is never fed to a firewall.
        assert!(!out.contains("160.79.104.0/23") && !out.contains("2607:6bc0") && !out.contains("curl -"), "{out}");
    }
}

#[test]
fn every_target_holds_all_addresses_and_paths() {
    let many = many();
    for target in TARGETS {
        let out = text(target, &many);
        for (network, _) in many.networks() {
            assert!(out.contains(&network.to_string()), "{}: {network}", target.name);
        }
        for path in &many.paths {
            let is_there = out.replace('\\', "").contains(path.as_str());
            assert_eq!(is_there, target.sees_http, "{}: {path}", target.name);
        }
        let value = json(target, &many);
        assert_eq!(value["vendors"][1]["egress"].as_array().unwrap().len(), 251);
        assert!(value["rules"].is_string() || value["rules"].is_object());
    }
}

#[test]
fn an_agent_counts_only_beside_the_addresses() {
    for target in TARGETS.into_iter().filter(|target| target.sees_http) {
        let (without, with) = ((target.text)(&wanted(false)), (target.text)(&wanted(true)));
        assert!(!without.contains("python-httpx/") && with.contains("python-httpx/"), "{with}");
        // A vendor without addresses has no agent that could be let in.
        assert!(!with.contains("openai-mcp/"), "{with}");
        assert!(text(target, &wanted(true)).replace("\n# ", " ").contains("Anybody can send these"));
    }
    let rule = (cloudflare::TARGET.rules)(&wanted(true)).unwrap();
    let expression = rule["rule"]["expression"].as_str().unwrap();
    assert!(expression.starts_with("(ip.src in $mcp_hosted_clients and http.request.uri.path in {"), "{expression}");
    let end = "} and (http.user_agent contains \"python-httpx/\" or http.user_agent contains \"Claude-User\"))";
    let flat = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.ends_with(end), "{flat}");
}

#[test]
fn the_rules_of_aws_keep_to_its_limits() {
    let long: Vec<String> = (0..20).map(|n| format!("/a/rather/long/path/of/some/tenant/number/{n}/token")).collect();
    for wanted in [wanted(false), many(), Wanted { paths: long, ..wanted(true) }] {
        let rules = (aws::TARGET.rules)(&wanted).unwrap();
        let sets = rules["ip_sets"].as_array().unwrap();
        assert_eq!(sets.len(), usize::from(!wanted.v4().is_empty()) + usize::from(!wanted.v6().is_empty()));
        let mut expressions = Vec::new();
        walk(&rules["rule"], &mut |key, value| match key {
            "RegexString" => expressions.push(value.as_str().unwrap().to_owned()),
            "Statements" => assert!(value.as_array().unwrap().len() >= 2, "{value}"),
            _ => {}
        });
        assert!(expressions.iter().all(|one| one.len() <= 512 && one.matches('|').count() < 5), "{expressions:?}");
        for path in &wanted.paths {
            assert!(expressions.iter().any(|one| one.contains(&path.replace('.', "\\."))), "{path}");
        }
    }
}

fn walk(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                see(key, value);
                walk(value, see);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}

#[test]
fn ufw_deletes_what_it_let_in_once() {
    let out = (ufw::TARGET.text)(&wanted(false));
    assert_eq!(out.matches("ufw prepend allow proto tcp from ").count(), 1);
    assert_eq!(out.matches("ufw delete allow from 34.162.").count(), 5);
    assert!(!out.contains("/32"), "{out}");
}
