use super::*;

fn take(text: &str) -> Result<Ranges, Vec<String>> {
    let (mut ranges, mut complaints) = (Ranges::default(), Vec::new());
    ranges.take("r", text, &mut complaints);
    if complaints.is_empty() { Ok(ranges) } else { Err(complaints.iter().map(ToString::to_string).collect()) }
}

fn is_public(network: IpNet) -> bool {
    match network {
        IpNet::V4(v4) => {
            let reserved = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"];
            let more = ["172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"];
            reserved.iter().chain(&more).all(|other| !overlap(other.parse().unwrap(), IpNet::V4(v4)))
        }
        IpNet::V6(v6) => "2000::/3".parse::<IpNet>().unwrap().contains(&IpNet::V6(v6)),
    }
}

#[test]
fn what_is_shipped_can_be_used() {
    for (name, text) in SHIPPED {
        let mut complaints = Vec::new();
        let mut ranges = Ranges { vendors: Vec::new() };
        ranges.take(name, text, &mut complaints);
        assert!(complaints.is_empty(), "{complaints:?}");
        let vendor = ranges.find(name.strip_suffix(".toml").unwrap()).expect("the file is named after the vendor");
        assert!(vendor.date >= "2026-08-23".parse().unwrap() && !vendor.agents.is_empty());
        for network in vendor.egress.iter().chain(&vendor.inbound).chain(&vendor.removed) {
            assert!(is_public(*network), "{network}");
        }
        for (index, network) in vendor.egress.iter().enumerate() {
            assert!(vendor.removed.iter().all(|removed| !overlap(*removed, *network)), "{network}");
            assert!(vendor.egress[..index].iter().all(|other| !overlap(*other, *network)), "{network} twice");
        }
    }
    assert_eq!(Ranges::default().vendors().len(), SHIPPED.len());
}

#[test]
fn anthropics_clients_are_known_and_inbound_addresses_are_none() {
    let ranges = Ranges::default();
    let anthropic = ranges.find("anthropic").unwrap();
    let is_in =
        |list: &[IpNet], address: &str| list.iter().any(|net| net.contains(&address.parse::<IpAddr>().unwrap()));
    // Seen in claude-ai-mcp#354 and #680: outside the inbound /23.
    for seen in ["160.79.106.38", "160.79.106.177"] {
        assert!(is_in(&anthropic.egress, seen) && !is_in(&anthropic.inbound, seen));
    }
    assert!(!is_in(&anthropic.egress, "2607:6bc0::1"));
    assert_eq!(anthropic.removed.len(), 5);
    assert!(is_in(&anthropic.removed, "34.162.46.92") && !is_in(&anthropic.egress, "34.162.46.92"));
    let openai = ranges.find("openai").unwrap();
    assert!(openai.is_unknown() && openai.source == "https://openai.com/chatgpt-connectors.json");
}

#[test]
fn a_file_replaces_or_adds_a_vendor() {
    let file =
        "vendor = \"anthropic\"\ndate = \"2027-01-02\"\nsource = \"https://x.example\"\negress = [\"192.0.2.9/24\"]";
    let ranges = take(file).unwrap();
    let anthropic = ranges.find("anthropic").unwrap();
    assert_eq!(anthropic.egress, ["192.0.2.0/24".parse::<IpNet>().unwrap()]);
    assert!(anthropic.removed.is_empty() && anthropic.date == "2027-01-02".parse().unwrap());
    let ranges = take(&file.replace("anthropic", "acme-2")).unwrap();
    assert_eq!(ranges.names(), "anthropic, openai, acme-2");
}

#[test]
fn openais_own_form_is_read() {
    let file = r#"{"creationTime": "2026-11-20T10:00:00.000000", "prefixes": [
        {"ipv4Prefix": "192.0.2.0/28"}, {"ipv6Prefix": "2001:db8::/40"}]}"#;
    let ranges = take(file).unwrap();
    let openai = ranges.find("openai").unwrap();
    assert_eq!(openai.egress.len(), 2);
    assert_eq!(openai.date, "2026-11-20".parse().unwrap());
    assert_eq!((openai.is_unknown(), openai.agents.len()), (false, 1));
    assert!(ranges.find("anthropic").is_some());
}

#[test]
fn every_error_at_once_with_its_line() {
    let file = "vendor = \"A;b\"\ndate = \"yesterday\"\nsource = \"x\"\nnote = 3\negres = []\n\
                inbound = \"192.0.2.0/24\"\nremoved = [\n  \"192.0.2.0/33\",\n  7\n]\nagents = [\"a\\\" b\"]\n";
    let complaints = take(file).unwrap_err();
    let expected = [
        "r:1: `vendor` must be a word",
        "r:2: `date` must be a day",
        "r:3: `source` must be the list's address",
        "r:4: `note` must be a string",
        "r:5: `egres` is not known here",
        "r:6: `inbound` must be a list",
        "r:8: `removed` cannot have `192.0.2.0/33`: write an address",
        "r:9: `removed` holds strings",
        "r:11: `agents` cannot have `a\" b`",
        "r:12: `egress` is missing: write egress",
    ];
    for expected in expected {
        assert!(complaints.iter().any(|one| one.starts_with(expected)), "{expected} is not in {complaints:#?}");
    }
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
}

#[test]
fn the_published_form_is_judged_as_strictly() {
    let file = "{\"creationTime\": \"soon\", \"prefixes\": [\n{\"ipv4Prefix\": \"192.0.2.0/28\"},\n\
                {\"ipv4Prefix\": \"0.0.0.0/0\"},\n{\"prefix\": \"x\"},\n{\"ipv6Prefix\": \"::/3\"}]}";
    let complaints = take(file).unwrap_err();
    for (complaint, place) in complaints.iter().zip(["r:1: `creationTime`", "r:3: `ipv4Prefix`", "r:4: a pre", "r:5: "])
    {
        assert!(complaint.starts_with(place), "{complaint}");
    }
    assert_eq!(complaints.len(), 4);
    for file in ["{\"prefixes\": []}", "{\"creationTime\": \"2026-11-20T1\", \"prefixes\": []}", "{\n\"a\": \n}"] {
        assert_eq!(take(file).unwrap_err().len(), 1, "{file}");
    }
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let (mut ranges, mut complaints) = (Ranges::default(), Vec::new());
    let overlapping = "vendor = \"anthropic\"\ndate = \"2027-01-02\"\nsource = \"https://x.example\"\n\
                       egress = [\"192.0.2.0/24\"]\nremoved = [\"192.0.2.7\"]";
    ranges.take("r", overlapping, &mut complaints);
    assert!(complaints.len() == 1 && complaints[0].place == "r:4", "{complaints:?}");
    assert_eq!(ranges, Ranges::default());
}

#[test]
fn a_network_is_one_however_it_is_written() {
    for (text, expected) in [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::1", "::1/128"),
    ] {
        assert_eq!(network(text).unwrap(), expected.parse::<IpNet>().unwrap(), "{text}");
    }
    for text in ["", "everyone", "10.0.0.0/33", "10.0.0", "fe80::1%eth0"] {
        assert!(network(text).is_err(), "{text}");
    }
}

#[test]
fn the_form_that_the_readme_shows_is_read() {
    let readme = include_str!("../../README.md");
    let begin = readme.find("vendor = ").expect("the README shows the form");
    let file = readme[begin..].split("```").next().unwrap();
    let ranges = take(file).unwrap();
    let acme = ranges.find("acme").unwrap();
    assert_eq!((acme.egress.len(), acme.removed.len(), acme.agents.len()), (1, 1, 1));
}
