use proptest::prelude::*;

use super::form::{Capture, Entry, Head, Recorded};
use super::read;
use crate::example;
use crate::redact::Message;
use crate::repair::{Mode, SiteKind};
use crate::telemetry::capture::known;

fn head() -> Head {
    Head {
        version: "0.1.0".into(),
        facts: example::facts(SiteKind::Scoped),
        modes: vec![("stream.silence".into(), Mode::Off)],
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
        ("mcp-mend capture 1\nversion: 1\n", "line 2: the head of the capture has no `modes`"),
    ] {
        assert_eq!(read::capture(text).unwrap_err(), error);
    }
    let text = head().write() + "\n=== 1 x\nclass: mcp\n--- nothing\n";
    assert!(read::capture(&text).unwrap_err().ends_with("no section is called `nothing`"));
}
