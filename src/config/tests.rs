use std::collections::BTreeMap;
use std::path::PathBuf;

use super::settings::{SETTINGS, example_file};
use super::*;
use crate::repair::Mode;

fn check(file: &str, flags: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let mut layers = Layers::default();
    let mut complaints = Vec::new();
    layers.take_file("p.toml", file, &mut complaints);
    for (key, text) in flags {
        let setting = settings::find(key).unwrap();
        let place = format!("--{}", setting.flag);
        layers.set(setting, vec![Value { text: (*text).to_owned(), place }]);
    }
    Config::check(&layers, complaints).map_err(|all| all.iter().map(ToString::to_string).collect())
}

#[test]
fn an_upstream_is_enough() {
    let config = check("upstream = \"http://localhost:3000\"", &[]).unwrap();
    assert_eq!(config.sites.first().upstream.as_str(), "http://localhost:3000");
    assert_eq!(config.process.listen.to_string(), "127.0.0.1:8808");
    assert_eq!(config.sites.first().mcp_path, "/mcp");
    assert_eq!(config.sites.first().origins.len(), 2);
    assert_eq!(config.process.limits.body_bytes, 1 << 20);
    assert!(config.warnings.is_empty());
}

#[test]
fn later_layers_win_and_modes_add_up() {
    let file = "listen = \"127.0.0.1:1\"\n[upstream]\nurl = \"http://a\"\n[repairs]\ncors.origin = \"off\"\n";
    let config =
        check(file, &[("listen", ":2"), ("upstream.url", "b:3/api"), ("repairs", "cors.expose=observe")]).unwrap();
    assert_eq!(config.process.listen.to_string(), "0.0.0.0:2");
    assert_eq!(config.sites.first().upstream.as_str(), "http://b:3");
    assert_eq!(config.sites.first().mcp_path, "/api");
    assert_eq!(
        config.sites.first().modes,
        BTreeMap::from([("cors.origin", Mode::Off), ("cors.expose", Mode::Observe)])
    );
}

#[test]
fn every_error_at_once_with_its_line() {
    let file = "listen = 5\npublic_url = \"mcp.example.com\"\nmcp_pth = \"/mcp\"\norigins = [\"*\", 3]\n\
                scopes = [\"a b\"]\n[limits]\nbody_bytes = \"1M\"\nhead_seconds = -1\n[repairs]\n\
                auth.chalenge-missing = \"off\"\ncors.origin = \"on\"\n[nonsense]\n";
    let complaints = check(file, &[("mcp_path", "mcp//")]).unwrap_err();
    let expected = [
        "--mcp-path: a path begins",
        "p.toml:1: `listen` must be a string",
        "p.toml:2: `public_url` cannot be `mcp.example.com`",
        "p.toml:3: `mcp_pth` is no setting; did you mean `mcp_path`?",
        "p.toml:4: `origins` holds strings",
        "p.toml:4: `origins` cannot have `*`",
        "p.toml:5: `scopes` cannot have `a b`",
        "p.toml:7: `limits.body_bytes` must be a number",
        "p.toml:8: `limits.head_seconds` cannot be `-1`",
        "p.toml:10: `auth.chalenge-missing` is no repair; did you mean `auth.challenge-missing`?",
        "p.toml:11: `on` is no mode of `cors.origin`",
        "p.toml:12: `nonsense` is no setting",
        "upstream: no upstream",
    ];
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(expected), "{complaint} / {expected}");
    }
}

#[test]
fn broken_toml_names_its_line() {
    let complaints = check("listen = \"127.0.0.1:1\"\nupstream = \n", &[]).unwrap_err();
    assert!(complaints.iter().any(|complaint| complaint.starts_with("p.toml:2: ")), "{complaints:?}");
}

#[test]
fn variables_are_a_layer() {
    let mut layers = Layers::default();
    layers.take_environment(|name| match name {
        "MCP_MEND_UPSTREAM" => Some("http://u".into()),
        "MCP_MEND_ORIGIN" => Some("https://a.example, https://b.example".into()),
        "MCP_MEND_LIMIT_BODY_BYTES" => Some("x".into()),
        _ => None,
    });
    let complaints = Config::check(&layers, Vec::new()).unwrap_err();
    assert_eq!(complaints.len(), 1);
    assert_eq!(complaints[0].place, "MCP_MEND_LIMIT_BODY_BYTES");
}

#[test]
fn the_example_file_is_the_default_configuration() {
    let text = example_file();
    for setting in SETTINGS {
        let name = setting.key.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("{name} =")) || text.contains("[repairs]"), "{}", setting.key);
    }
    let config = check(&text, &[("upstream.url", "http://localhost:3000")]).unwrap();
    let plain = check("", &[("upstream.url", "http://localhost:3000")]).unwrap();
    let first = SiteConfig { modes: plain.sites.first.modes.clone(), ..config.sites.first };
    let sites = SiteList { first, rest: Vec::new() };
    let with_modes = Config { sites, layers: plain.layers.clone(), ..config };
    assert_eq!(format!("{with_modes:?}"), format!("{plain:?}"));
}

#[test]
fn who_may_ask_is_a_list_of_addresses_and_vendors() {
    let url = ("upstream.url", "http://localhost:3000");
    let file = "[access]\nallow = [\"anthropic\", \"10.0.0.0/8\", \"::1\"]\nclasses = [\"token\"]\n";
    let config = check(&format!("trusted_proxies = [\"127.0.0.1\"]\n{file}"), &[url]).unwrap();
    let admission = config.sites.first().admission.clone().unwrap();
    for (client, is_in) in [("160.79.106.38", true), ("10.9.9.9", true), ("::1", true), ("127.0.0.1", false)] {
        assert_eq!(admission.admits(Some(client.parse().unwrap())), is_in, "{client}");
    }
    assert!(config.warnings.is_empty());
    assert_eq!(check("", &[url]).unwrap().sites.first().admission, None);
    // Behind nobody on a loopback address it lets nobody in, and says so.
    let config = check("", &[url, ("access.allow", "anthropic")]).unwrap();
    assert!(config.warnings[0].to_string().starts_with("--allow: nobody is let in"), "{:?}", config.warnings);
    for flags in [[("listen", ":1"), ("access.allow", "anthropic")], [("listen", ":1"), ("access.allow", "127.0.0.1")]]
    {
        assert!(check("", &[&[url][..], &flags].concat()).unwrap().warnings.is_empty());
    }
}

#[test]
fn a_wrong_list_of_who_may_ask_is_told_with_its_line() {
    let file = "upstream = \"http://a\"\n[access]\nallow = [\n  \"openai\",\n  \"everyone\"\n]\nclasses = [\"mpc\"]\n";
    let complaints = check(file, &[]).unwrap_err();
    for (complaint, expected) in complaints.iter().zip([
        "p.toml:4: `access.allow` cannot have `openai`: no addresses are known of it; get https://openai.com/",
        "p.toml:5: `access.allow` cannot have `everyone`: write an address or a network, such as 10.0.0.0/8, or one of",
        "p.toml:7: `access.classes` cannot have `mpc`: write one of mcp, ",
    ]) {
        assert!(complaint.starts_with(expected), "{complaint}");
    }
    assert_eq!(complaints.len(), 3);
}

#[test]
fn the_page_is_off_apart_and_on_this_machine() {
    let admin = |text| check("upstream = \"http://a\"", &[("admin", text)]);
    assert_eq!(check("upstream = \"http://a\"", &[]).unwrap().process.admin, None);
    for (written, meant) in [("127.0.0.1:0", "127.0.0.1:0"), (":9", "127.0.0.1:9"), ("[::1]:9", "[::1]:9")] {
        let config = admin(written).unwrap();
        assert_eq!((config.process.admin, config.warnings), (Some(meant.parse().unwrap()), Vec::new()));
    }
    let open = admin("0.0.0.0:9").unwrap();
    assert_eq!(open.process.admin, Some("0.0.0.0:9".parse().unwrap()));
    assert!(
        open.warnings[0].to_string().starts_with("--admin: everybody who reaches 0.0.0.0:9"),
        "{:?}",
        open.warnings
    );
    assert!(admin("127.0.0.1:8808").unwrap_err()[0].contains("that is `listen`"));
    assert!(admin("nowhere").unwrap_err()[0].starts_with("--admin: `admin` cannot be `nowhere`"));
}

#[test]
fn sites_have_settings_of_their_own_and_share_the_rest() {
    let file = "mcp_path = \"/top\"\norigins = [\"https://o.test\"]\nrepairs.cors.origin = \"off\"\n\
                [[site]]\npublic_url = \"https://a.test\"\nupstream = \"http://a\"\nrepairs.cors.expose = \"off\"\n\
                [[site]]\npublic_url = \"https://b.test/x/\"\nupstream.url = \"http://b\"\norigins = []\n";
    let config = check(file, &[]).unwrap();
    assert_eq!(config.process.catch_all, None);
    assert_eq!(
        (
            config.sites.first().upstream.as_str(),
            config.sites.first().mcp_path.as_str(),
            config.sites.first().prefix.as_str()
        ),
        ("http://a", "/mcp", "")
    );
    assert_eq!(config.sites.first().modes, BTreeMap::from([("cors.origin", Mode::Off), ("cors.expose", Mode::Off)]));
    assert_eq!(config.sites.first().origins.len(), 1);
    let [other] = config.sites.rest() else { panic!("one more") };
    assert_eq!((other.mcp_path.as_str(), other.prefix.as_str()), ("/x/mcp", "/x"));
    assert_eq!(other.modes, BTreeMap::from([("cors.origin", Mode::Off)]));
    assert!(other.origins.is_empty());
}

#[test]
fn every_error_of_every_site_at_once() {
    let file = "threads = -1\n\n[[site]]\nupstream = \"http://a\"\n\n[[site]]\npublic_url = \"https://b.test\"\n\
                listen = \":1\"\n\n[[site]]\npublic_url = \"https://c.test/z\"\nupstream = \"http://c/mcp\"\n\n\
                [[site]]\npublic_url = \"https://c.test/x\"\nupstream = \"http://d\"\n\n\
                [[site]]\npublic_url = \"https://c.test/x\"\nupstream = \"http://d\"\n\n[[site]]\nnonsense = 1\n\
                public_url = \"https://e.test/%78\"\nupstream = \"http://e\"\n";
    let complaints = check(file, &[]).unwrap_err();
    let expected = [
        "p.toml:1: `threads` cannot be `-1`",
        "p.toml:3: a site needs a public_url",
        "p.toml:6: no upstream",
        "p.toml:8: `listen` is the same for all sites",
        "p.toml:12: `/mcp` is not below `/z`",
        "p.toml:18: another site is at `c.test/x`",
        "p.toml:23: `nonsense` is no setting",
        "p.toml:24: `public_url` cannot be `https://e.test/%78`",
    ];
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(expected), "{complaint} is not {expected}");
    }
}

#[test]
fn a_listener_may_have_no_address() {
    for (text, expected) in [
        ("unix:/run/x.sock", Ok("unix:/run/x.sock")),
        ("unix:///run/x.sock", Ok("unix:/run/x.sock")),
        ("unix:x.sock", Ok("unix:x.sock")),
        ("systemd", Ok("systemd")),
        (":8080", Ok("0.0.0.0:8080")),
        ("unix:", Err("write the path of a socket file")),
        ("/run/x.sock", Err("or unix:/run/mcp-mend.sock, or systemd")),
        ("http://a:1", Err("write it like 127.0.0.1:8808")),
    ] {
        let file = format!("listen = \"{text}\"\nupstream = \"http://a\"\n");
        match (check(&file, &[]), expected) {
            (Ok(config), Ok(expected)) => assert_eq!(config.process.listen.to_string(), expected),
            (Err(complaints), Err(expected)) => {
                assert!(complaints.len() == 1 && complaints[0].contains(expected), "{complaints:?}");
            }
            (got, expected) => panic!("{text}: {:?} / {expected:?}", got.map(|config| config.process.listen)),
        }
    }
    let long = format!("listen = \"unix:/{}\"\nupstream = \"http://a\"\n", "x".repeat(120));
    assert!(check(&long, &[]).unwrap_err()[0].contains("has at most 103 bytes"));
    let config = check("listen = \"unix:/run/x.sock\"\nupstream = \"http://a\"\n", &[]).unwrap();
    assert!(config.warnings[0].to_string().contains("write public_url"), "{:?}", config.warnings);
    let file = "listen = \"unix:/run/x.sock\"\npublic_url = \"https://a.example\"\nupstream = \"http://a\"\n";
    assert!(check(file, &[]).unwrap().warnings.is_empty());
}

#[test]
fn certificates_and_keys_come_in_pairs() {
    let checked = |tls: &str| check(&format!("upstream = \"http://a\"\n[tls]\n{tls}\n"), &[]);
    assert_eq!(checked("min_version = \"1.3\"").unwrap().process.tls, None);
    let tls =
        checked("cert_file = [\"a.crt\", \"b.crt\"]\nkey_file = [\"a.key\", \"b.key\"]").unwrap().process.tls.unwrap();
    let pair = |name: &str| (PathBuf::from(format!("{name}.crt")), PathBuf::from(format!("{name}.key")));
    assert_eq!(
        tls,
        tls::Tls { source: tls::Source::Files(vec![pair("a"), pair("b")]), min_version: tls::Version::Tls12 }
    );
    let made = checked("self_signed = true").unwrap();
    assert_eq!(made.process.tls.unwrap().source, tls::Source::SelfSigned);
    assert!(made.warnings[0].to_string().contains("nobody vouches for it"));
    for (file, expected) in [
        (
            "cert_file = [\"a\", \"b\"]\nkey_file = [\"a\"]",
            "2 certificate file(s), 1 key file(s): write one tls.key_file",
        ),
        ("key_file = [\"a\"]", "write one tls.cert_file for each tls.key_file"),
        ("self_signed = true\ncert_file = [\"a\"]\nkey_file = [\"a\"]", "leave tls.self_signed out"),
        ("min_version = \"1.1\"", "write \"1.2\" or \"1.3\""),
    ] {
        let complaints = checked(file).unwrap_err();
        assert!(complaints.len() == 1 && complaints[0].contains(expected), "{complaints:?}");
    }
}

#[test]
fn one_site_at_most_serves_the_hosts_that_no_site_names() {
    let site = "[[site]]\npublic_url = \"https://a.test\"\nupstream = \"http://a\"\n";
    for (file, catch_all, upstreams) in [
        ("upstream = \"http://top\"\n".to_owned(), Some(0), &["http://top"][..]),
        (format!("upstream = \"http://top\"\n{site}"), Some(0), &["http://top", "http://a"]),
        (site.to_owned(), None, &["http://a"]),
    ] {
        let config = check(&file, &[]).unwrap();
        let found: Vec<&str> = config.sites.iter().map(|site| site.upstream.as_str()).collect();
        assert_eq!((config.process.catch_all, found.as_slice()), (catch_all, upstreams), "{file}");
    }
}

/// `settings::is_of_a_site` alone says which of the two parts a setting belongs to.
#[test]
#[cfg(debug_assertions)]
fn no_part_reads_a_setting_of_the_other() {
    let layers = Layers::default();
    for setting in SETTINGS {
        for scope in [Scope::Process, Scope::Top, Scope::Listed] {
            let read = || Checker::new(&layers, scope).values(setting.key).len();
            let may_read = settings::is_of_a_site(setting.key) == (scope != Scope::Process);
            assert_eq!(std::panic::catch_unwind(read).is_ok(), may_read, "{} {scope:?}", setting.key);
        }
    }
}
