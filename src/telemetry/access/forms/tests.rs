use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::endpoint::Class;
use crate::exchange::Finding;
use crate::plan::Fired;
use crate::repairs::REPAIRS;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn fired(id: &'static str) -> Fired {
    let slot = REPAIRS.iter().position(|repair| repair.id == id).unwrap();
    Fired { id, slot, mode: Mode::Fix, finding: Finding { what: "x".into(), ..Finding::default() }, parts: Vec::new() }
}

fn record<'a>(fired: &'a [Fired], method: &'a Method, path: &'a str) -> Record<'a> {
    Record {
        site: Some("https://mcp.example.com"),
        peer: PEER,
        client: None,
        class: Class::Mcp,
        method,
        path,
        version: Version::HTTP_11,
        status: StatusCode::UNAUTHORIZED,
        fired,
        untouched: None,
        refused: None,
        first_byte: Duration::from_millis(2),
        total: Duration::from_millis(3),
        bytes: 20,
        ending: Ending::Whole,
        asked: 1,
        upstream: None,
        trace: None,
        agent: None,
        referer: None,
    }
}

#[test]
fn a_line_reads_well() {
    let fired = [fired("auth.challenge-missing"), fired("cors.expose")];
    let record = record(&fired, &Method::POST, "/mcp");
    let mut out = String::new();
    text(&mut out, "2026-01-02T03:04:05", 6, &record);
    assert_eq!(out, "2026-01-02T03:04:05.006Z 401 POST /mcp 3ms 20B mended auth.challenge-missing, cors.expose\n");
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut out = String::new();
    json(
        &mut out,
        "2026-01-02T03:04:05",
        6,
        &Record { trace: u128::from_str_radix(trace, 16).ok(), upstream: Some("10.0.0.1:80"), ..record },
    );
    let line: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&line["mended"][1], &line["client"]), (&"cors.expose".into(), &"127.0.0.1".into()));
    assert_eq!(
        (&line["trace_id"], &line["upstream"], &line["asked"]),
        (&trace.into(), &"10.0.0.1:80".into(), &1.into())
    );
    assert!(out.ends_with('\n') && out.matches('\n').count() == 1);
}

#[test]
fn combined_is_what_apache_writes() {
    let agent = HeaderValue::from_bytes(b"Mozilla \"5.0\" \\ \xff").unwrap();
    let referer = HeaderValue::from_static("https://a.example/cb?code=secret");
    let base = record(&[], &Method::GET, "/a\"b/x;token=secret/mcp");
    let client = Some("203.0.113.9".parse().unwrap());
    let mut out = String::new();
    combined(
        &mut out,
        "24/Nov/2026:16:22:01 +0000",
        &Record { agent: Some(&agent), referer: Some(&referer), client, ..base },
    );
    assert_eq!(
        out,
        "203.0.113.9 - - [24/Nov/2026:16:22:01 +0000] \"GET /*/*/mcp HTTP/1.1\" 401 20 \"https://a.example/cb\" \
         \"Mozilla \\\"5.0\\\" \\\\ \\xff\"\n"
    );
    let mut out = String::new();
    combined(&mut out, "d", &Record { bytes: 0, ..record(&[], &Method::GET, "/") });
    assert_eq!(out, "127.0.0.1 - - [d] \"GET / HTTP/1.1\" 401 - \"-\" \"-\"\n");
}

#[test]
fn a_referer_is_named_without_what_it_may_give_away() {
    for (url, shown) in [
        ("https://u:p@a.example/cb?code=c", Some("https://a.example/cb")),
        ("https://u@p@a.example:8443", Some("https://a.example:8443/")),
        ("https://a.example/@x/y;token=t/z#f", Some("https://a.example/*/*/z")),
        ("https://a.example/?x=//u:p@b", Some("https://a.example/")),
        ("android-app://a", Some("android-app://a")),
        ("//u:p@a.example/", None),
        ("u:p@a.example/x", None),
        ("", None),
    ] {
        assert_eq!(place(&HeaderValue::from_static(url)).as_deref(), shown, "{url}");
    }
}

#[test]
fn a_long_method_is_cut() {
    let long = Method::from_bytes("X".repeat(1000).as_bytes()).unwrap();
    let mut out = String::new();
    text(&mut out, "d", 0, &record(&[], &long, "/"));
    assert!(out.len() < 80, "{out}");
}

proptest! {
    /// Whatever a client sends: one line, visible ASCII, and fields that cannot be mistaken for others.
    #[test]
    fn no_line_is_two(path in "(?s).{0,300}", agent in prop::collection::vec(any::<u8>(), 0..300)) {
        let agent = HeaderValue::from_bytes(&agent).ok();
        let record = Record { agent: agent.as_ref(), referer: agent.as_ref(), ..record(&[], &Method::GET, &path) };
        let forms: [&dyn Fn(&mut String); 3] = [
            &|out| text(out, "d", 1, &record),
            &|out| json(out, "d", 1, &record),
            &|out| combined(out, "d", &record),
        ];
        for form in forms {
            let mut out = String::new();
            form(&mut out);
            let (line, end) = out.split_at(out.len() - 1);
            prop_assert_eq!(end, "\n");
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{:?}", line);
        }
        let mut out = String::new();
        combined(&mut out, "d", &record);
        let quotes = out.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        prop_assert_eq!(quotes, 6);
    }
}
