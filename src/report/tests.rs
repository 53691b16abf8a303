use std::sync::Arc;

use super::*;
use crate::telemetry::capture::read;

/// A capture that was made with the demo.
fn login() -> Capture {
    read::capture(include_str!("../../tests/vectors/issue-page-login.txt")).unwrap()
}

fn about(captures: &[Capture]) -> About<'_> {
    About {
        ofid: Some("ofid_1a2b"),
        url: None,
        now: "2026-11-24T10:11:12.123Z".into(),
        captures,
        has_looked: true,
        left_out: 0,
        check: None,
        hosted: None,
    }
}

#[test]
fn it_has_what_the_tracker_asks_for() {
    let captures = [login()];
    let text = markdown(&About { check: Some("12 of 40 fail".into()), left_out: 2, ..about(&captures) });
    for part in [
        "- Reference: `ofid_1a2b`",
        "- Requests (UTC): ",
        "- Client: python-httpx/0.28.1",
        "2 older flows",
        "register.timestamp-type",
        "### Challenge",
        "### Metadata",
        "### Registration",
        "### Authorization",
        "### Token",
        "### Access log",
        "## Check\n\n12 of 40 fail",
        TRACKER,
        "client_id_issued_at\":",
        "grant_type=authorization_code",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let upstream = captures[0].head.site.as_ref().unwrap().facts.upstream.authority();
    assert!(!text.contains(upstream) && text.contains(INTERNAL), "{text}");
    // Whose address it is, is not told.
    assert!(!text.contains("| 127.0.0.1 |") && text.contains("| 127.0.0.x |"), "{text}");
    assert_eq!(text.matches("```").count() % 2, 0);
}

#[test]
fn it_says_when_nobody_came() {
    let text = markdown(&about(&[]));
    assert!(text.contains(NOBODY), "{text}");
    assert!(!markdown(&About { has_looked: false, ..about(&[]) }).contains(NOBODY));
    let captures = [login()];
    assert!(!markdown(&about(&captures)).contains(NOBODY));
    let strangers: Hosted = Arc::new(|_| None);
    assert!(markdown(&About { hosted: Some(strangers), ..about(&captures) }).contains(NOBODY));
    let hosted: Hosted = Arc::new(|_| Some("Anthropic".into()));
    let text = markdown(&About { hosted: Some(hosted), ..about(&captures) });
    assert!(!text.contains(NOBODY) && text.contains("127.0.0.1 (Anthropic)"), "{text}");
}

#[test]
fn nothing_in_a_capture_is_markup() {
    let mut capture = login();
    capture.head.agent = "<img src=x> | `a` **b** [c](d)".into();
    capture.entries.push(Entry::Note { at: "t".into(), text: "<script>\n# x".into() });
    if let Entry::Exchange(one) = &mut capture.entries[0] {
        one.asked.body = "````\n# out of the fence".into();
        one.fired.clear();
    }
    let text = markdown(&about(&[capture]));
    assert!(!text.contains("<img") || text.contains("\\<img"), "{text}");
    assert!(text.contains("\\<script\\> # x") && text.contains("`````http"), "{text}");
}

#[test]
fn a_reference_is_a_word() {
    for (text, is) in [("ofid_1a2b", true), ("ofid_", false), ("1a2b", false), ("ofid_a b", false), ("ofid_a`", false)]
    {
        assert_eq!(is_reference(text), is, "{text}");
    }
}
