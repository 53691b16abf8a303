use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::files::{Bounds, Files, captures_in, create, flow_of};
use super::form::{Capture, Entry, Head, Recorded};
use super::read;
use crate::example;
use crate::redact::Message;
use crate::repair::{Mode, SiteKind};
use crate::tape::SiteFacts;
use crate::telemetry::capture::known;

fn site() -> Arc<SiteFacts> {
    Arc::new(SiteFacts {
        name: "https://mcp.example.com".into(),
        facts: example::facts(SiteKind::Scoped),
        modes: vec![("stream.silence".into(), Mode::Off)],
    })
}

fn head() -> Head {
    Head {
        version: "0.1.0".into(),
        site: Some(site()),
        flow: 3,
        began: "2026-11-24T10:11:12.123Z".into(),
        client: "203.0.113.7".into(),
        agent: "python-httpx/0.28.1".into(),
    }
}

fn line() -> impl Strategy<Value = String> {
    "[ -~é]{0,12}"
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n\r\t\u{1b}é]{0,40}",
        Just("=== 1 x\n--- request\n\\=== 2".to_owned()),
        Just("data: 1\r\n\r\ndata: \\u{41}\n\n".to_owned()),
        Just("\n\n\n".to_owned()),
    ]
}

prop_compose! {
    fn message()(start in "[A-Z0-9]{1,5}( /[a-z?=%#]{0,9})?", headers in prop::collection::vec(("[a-z-]{1,9}", line()), 0..3), body in body()) -> Message {
        Message { start, headers, body }
    }
}

prop_compose! {
    fn recorded()(
        (number, ms, bytes) in (1..999_u64, 0..9_u64, 0..9_u64),
        ending in prop::option::of(Just("whole".to_owned())),
        is_expired in any::<bool>(),
        refused in prop::option::of(Just(("bad-host".to_owned(), "client".to_owned()))),
        fired in prop::collection::vec(("[a-z.-]{1,9}", Just("fix".to_owned()), line()), 0..3),
        with_known in any::<bool>(),
        (asked, answered) in (message(), message()),
        turns in prop::collection::vec((message(), prop::option::of(message())), 0..3),
    ) -> Recorded {
        // As it comes back from text.
        let known = with_known.then(|| known::read(&known::write(&example::knowledge(SiteKind::Pathed))).unwrap());
        Recorded {
            number,
            at: "2026-11-24T10:11:12.123Z".into(),
            client: "::1".into(),
            class: "mcp".into(),
            first_byte_ms: ms,
            total_ms: ms,
            bytes,
            ending,
            is_expired,
            untouched: None,
            refused,
            fired,
            known,
            asked,
            turns,
            answered,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_can_be_read(list in prop::collection::vec(recorded(), 0..4), note in body()) {
        let mut entries: Vec<Entry> = list.into_iter().map(|one| Entry::Exchange(Box::new(one))).collect();
        let note: String = note.chars().filter(|c| !c.is_control() || *c == '\n').collect();
        entries.push(Entry::Note { at: "2026-11-24T10:12:12.000Z".into(), text: note });
        entries.rotate_right(1);
        let text = entries.iter().fold(head().write(), |text, entry| text + &entry.write());
        let back = read::capture(&text).map_err(|error| TestCaseError::fail(format!("{error} in\n{text}")))?;
        prop_assert_eq!(back, Capture { head: head(), entries }, "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[=\\-# a:\n]{0,60}", cut in 0..400_usize) {
        let _ = read::capture(&text);
        let whole = head().write() + &text;
        let cut = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        let _ = read::capture(&whole[..cut]);
        let _ = read::capture(&whole);
    }
}

#[test]
fn errors_say_where_they_are() {
    for (text, error) in [
        ("x", "line 1: a capture begins with `mcp-mend capture 1`"),
        ("mcp-mend capture 1\nversion: 1\n", "line 2: the head of the capture has no `public`"),
    ] {
        assert_eq!(read::capture(text).unwrap_err(), error);
    }
    let text = head().write() + "\n=== 1 x\nclass: mcp\n--- nothing\n";
    assert!(read::capture(&text).unwrap_err().ends_with("no section is called `nothing`"));
}

#[test]
fn only_captures_are_taken_for_such() {
    for (name, flow) in [
        ("20261124T101112Z-flow-3.txt", Some(3)),
        ("20261124T101112Z-flow-3-2.txt", Some(3)),
        ("20261124T101112Z-flow-.txt", None),
        ("notes-flow-3.txt", None),
        ("20261124T101112Z-flow-3.md", None),
        ("20261124T101112Z.txt", None),
    ] {
        assert_eq!(flow_of(Path::new(name)), flow, "{name}");
    }
}

/// An exchange with so long a body.
fn redacted(length: usize) -> crate::redact::Redacted {
    let site = site();
    let mut redacted =
        crate::redact::Redactor::new([0; 32]).knowing(&site.facts).redact(&crate::tape::RecordedExchange {
            number: 1,
            began: SystemTime::UNIX_EPOCH,
            site: Some(site.clone()),
            client: "::1".parse().unwrap(),
            class: crate::endpoint::Class::Mcp,
            asked: crate::tape::Asked {
                method: http::Method::GET,
                target: "/mcp".parse().unwrap(),
                headers: http::HeaderMap::new(),
                body: crate::tape::Text::default(),
            },
            turns: Vec::new(),
            answered: crate::tape::Came {
                status: http::StatusCode::OK,
                headers: http::HeaderMap::new(),
                body: crate::tape::Text::default(),
            },
            fired: Vec::new(),
            known: std::sync::Arc::default(),
            untouched: None,
            refused: None,
            first_byte: Duration::ZERO,
            total: Duration::ZERO,
            bytes: 0,
            ending: None,
        });
    redacted.answered.body = "a".repeat(length);
    redacted
}

fn sizes(dir: &Path) -> Vec<u64> {
    let mut all = captures_in(dir).unwrap();
    all.sort();
    all.into_iter().map(|(_, _, bytes)| bytes).collect()
}

#[test]
fn files_are_bounded_alone_and_together() {
    let dir = tempfile::tempdir().unwrap();
    // What is nobody's capture is left alone.
    fs::write(dir.path().join("notes.txt"), "x".repeat(100_000)).unwrap();
    let bounds =
        Bounds { dir: dir.path().to_owned(), max_bytes: 20_000, max_age: Duration::from_secs(3600), file_bytes: 7_000 };
    let mut files = Files::new(bounds.clone()).unwrap();
    let start = SystemTime::now();
    for flow in 0..10_u64 {
        for _ in 0..5 {
            files.exchange(flow, &redacted(1500), start + Duration::from_secs(flow), head).unwrap();
            let all = sizes(dir.path());
            assert!(all.iter().sum::<u64>() <= 20_000 && all.iter().all(|bytes| *bytes <= 7_000), "{all:?}");
        }
    }
    assert!(sizes(dir.path()).len() >= 2 && fs::metadata(dir.path().join("notes.txt")).is_ok());
    // Each that is left can be read.
    for (path, _, _) in captures_in(dir.path()).unwrap() {
        read::capture(&fs::read_to_string(path).unwrap()).unwrap();
    }
    for (path, _, _) in captures_in(dir.path()).unwrap() {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(start - Duration::from_secs(4000)).unwrap();
    }
    files.exchange(99, &redacted(10), start, head).unwrap();
    drop(Files::new(bounds).unwrap());
    assert_eq!(sizes(dir.path()).len(), 1, "the others are too old");
}

#[test]
fn two_files_of_a_name_are_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds { dir: dir.path().to_owned(), max_bytes: 1 << 20, max_age: Duration::MAX, file_bytes: 1 << 20 };
    let now = SystemTime::now();
    for _ in 0..2 {
        Files::new(bounds.clone()).unwrap().exchange(3, &redacted(10), now, head).unwrap();
    }
    assert_eq!(sizes(dir.path()).len(), 2);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("20261124T101112Z-flow-3.txt"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert_eq!(create(&link).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert!(!target.exists());
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let bounds = Bounds { dir: file, max_bytes: 1, max_age: Duration::MAX, file_bytes: 1 };
    assert!(Files::new(bounds).is_err());
}

#[test]
fn a_head_of_no_site_and_one_from_before_sites_were_named_are_read() {
    let nobody = Head { site: None, ..head() };
    assert_eq!(read::capture(&nobody.write()).unwrap().head, nobody);
    let old = head().write().replace("site: https://mcp.example.com\n", "");
    let read = read::capture(&old).unwrap().head.site.unwrap();
    assert_eq!((&read.name, &read.facts), (&read.facts.public.to_string(), &site().facts));
    assert_eq!(read.modes, site().modes);
}

#[test]
fn a_file_is_of_one_site_as_it_was_configured() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        dir: dir.path().to_owned(),
        max_bytes: 1 << 20,
        max_age: Duration::from_secs(3600),
        file_bytes: 1 << 20,
    };
    let mut files = Files::new(bounds).unwrap();
    let changed = Arc::new(SiteFacts { modes: Vec::new(), ..(*site()).clone() });
    // The last two are equal, but not the same: a reload that changed nothing.
    for site in [Some(site()), Some(changed.clone()), Some(Arc::new((*changed).clone())), None] {
        let exchange = crate::redact::Redacted { site: site.clone(), ..redacted(10) };
        files.exchange(3, &exchange, SystemTime::UNIX_EPOCH, || Head { site, ..head() }).unwrap();
    }
    let mut all = captures_in(dir.path()).unwrap();
    all.sort();
    let found: Vec<_> = all
        .iter()
        .map(|(path, _, _)| {
            let capture = read::capture(&fs::read_to_string(path).unwrap()).unwrap();
            let count = capture.entries.iter().filter(|entry| matches!(entry, Entry::Exchange(_))).count();
            (capture.head.site, count)
        })
        .collect();
    for expected in [(Some(site()), 1), (Some(changed), 2), (None, 1)] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
    assert_eq!(found.len(), 3);
}
