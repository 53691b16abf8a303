use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, StatusCode};

use super::*;
use crate::edit::json::Object;
use crate::example;
use crate::exchange::edits::Edits;
use crate::exchange::{At, Event, Outcome};
use crate::knowledge::Knowledge;
use crate::repair::SiteKind;

const CALL: &str = "POST /mcp\nX-A: 1\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}";
const REFUSAL: &str = "401\nX-A: 1\nContent-Type: text/event-stream";
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a"}]}}"#;

const fn of_requests(id: &'static str, run: fn(&Site<'_>, &Request) -> Outcome) -> Repair {
    Repair::bare(id, Hook::Request { needs: Needs::Head, when: |_| true, run, goes_on: false })
}

const fn of_replies(id: &'static str, run: fn(&Site<'_>, &Request, &Reply) -> Outcome) -> Repair {
    Repair::bare(id, Hook::Reply { needs: Needs::Head, when: |_, _| true, run })
}

const fn of_messages(id: &'static str, run: fn(&Site<'_>, &Request, &Object) -> Outcome) -> Repair {
    Repair::bare(id, Hook::Message { when: |_, _| true, run })
}

const fn of_events(id: &'static str, run: fn(&Site<'_>, &Request, &Event) -> Outcome) -> Repair {
    Repair::bare(id, Hook::Event { when: |_, _| true, run })
}

const fn of_silences(id: &'static str, run: fn(&Site<'_>, &Request, &Event) -> Outcome) -> Repair {
    Repair::bare(id, Hook::Silence { when: |_, _| true, run })
}

/// The changes that a function makes.
fn edits(make: impl FnOnce(&mut Edits)) -> Edits {
    let mut edits = Edits::new();
    make(&mut edits);
    edits
}

fn with_member(message: &Object, name: &str, value: serde_json::Value) -> Edits {
    let mut message = message.clone();
    message.set(name, value);
    Edits::to_document(message)
}

/// Does something that is allowed, before the one that is tested.
static OTHER_REQUEST: Repair = of_requests("test.other", |_, _| {
    Outcome::mended("found", edits(|edits| edits.set(http::header::ACCEPT, HeaderValue::from_static("*/*"))))
});
static OTHER_REPLY: Repair = of_replies("test.other", |_, _, _| {
    Outcome::mended("found", edits(|edits| edits.set(HeaderName::from_static("x-b"), HeaderValue::from_static("1"))))
});
static OTHER_MESSAGE: Repair =
    of_messages("test.other", |_, _, message| Outcome::mended("found", with_member(message, "x", 1.into())));
static OTHER_EVENT: Repair = of_events("test.other", |_, _, event| {
    Outcome::mended("found", Edits::to_text(crate::sse::with_field(&event.text, "event", "message")))
});

/// What a list came to: its report, and the message as text before and after.
#[derive(Debug)]
struct Ran {
    report: Report,
    came: String,
    left: String,
    /// Whether the upstream is asked again, or the request answered.
    is_ended: bool,
}

fn event() -> Event {
    // Not of the plain form, so that event repairs see it.
    Event::arrived(Bytes::from(format!("event: answer\r\ndata: {ANSWER}\r\n\r\n")))
}

/// Runs repairs over a message of the kind that the last of them is about.
fn play(repairs: &[&'static Repair], mode: Mode) -> Ran {
    let (facts, known): (_, Knowledge) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
    let site = Site { facts: &facts, known: &known };
    let mut request = example::request(CALL, &facts, &known).unwrap();
    let mut reply = example::reply(REFUSAL).unwrap();
    let last = repairs.last().unwrap();
    let plan = Plan::new(repairs, &BTreeMap::from([(last.id, mode)]));
    match last.hook {
        Hook::Request { .. } => {
            let came = example::write_request(&request, None);
            let (report, answer) = plan.mend_request(&site, &mut request);
            Ran { report, came, left: example::write_request(&request, None), is_ended: answer.is_some() }
        }
        Hook::Reply { .. } => {
            let came = example::write_reply(&reply);
            let (report, ask) = plan.mend_reply(&site, &request, &mut reply, true);
            Ran { report, came, left: example::write_reply(&reply), is_ended: ask.is_some() }
        }
        Hook::Message { .. } => {
            let (report, mended) = plan.mend_message(&site, &request, &Bytes::from_static(ANSWER.as_bytes()));
            let left = mended.map_or(ANSWER.to_owned(), |text| String::from_utf8(text.to_vec()).unwrap());
            Ran { report, came: ANSWER.to_owned(), left, is_ended: false }
        }
        Hook::Event { .. } => {
            let mut event = event();
            let came = example::write_event(&event);
            let (report, is_answer) = plan.mend_event(&site, &request, &reply, &mut event);
            assert!(!is_answer, "no message is looked at");
            Ran { report, came, left: example::write_event(&event), is_ended: false }
        }
        Hook::Silence { .. } => {
            let mut event = Event::at(At::Silence { answered: false }, Bytes::new());
            let came = example::write_event(&event);
            let report = plan.mend_silence(&site, &request, &reply, &mut event);
            Ran { report, came, left: example::write_event(&event), is_ended: false }
        }
    }
}

fn bugs(report: &Report) -> Vec<(&'static str, BugKind)> {
    report.bugs.iter().map(|bug| (bug.id, bug.kind)).collect()
}

/// Repairs with a bug, each behind one that does its work well, and the promise that it breaks.
fn breaking() -> Vec<(Vec<&'static Repair>, &'static str)> {
    static REQUEST: Repair = of_requests("test.broken", |_, _| {
        Outcome::mended("sent it elsewhere", edits(|edits| edits.set(HOST, HeaderValue::from_static("elsewhere"))))
    });
    static REPLY: Repair = of_replies("test.broken", |_, _, _| {
        Outcome::mended("opened the door", edits(|edits| edits.status(StatusCode::OK)))
    });
    static MESSAGE: Repair = of_messages("test.broken", |_, _, message| {
        let silent = with_member(message, "result", serde_json::json!({ "content": [] }));
        Outcome::mended("made the tool say nothing", silent)
    });
    static EVENT: Repair =
        of_events("test.broken", |_, _, _| Outcome::mended("dropped the answer", Edits::to_text(Bytes::new())));
    static SILENCE: Repair =
        of_silences("test.broken", |_, _, _| Outcome::mended("said something", Edits::to_text("data: {}\n\n")));
    static MISPLACED: Repair =
        of_events("test.broken", |_, _, _| Outcome::mended("answered", edits(|edits| edits.status(StatusCode::OK))));
    static ASK: Repair =
        of_replies("test.broken", |_, _, _| Outcome::again("asked elsewhere", Ask::at("https://evil.example/")));
    static OWN_ANSWER: Repair = of_requests("test.broken", |_, _| {
        Outcome::answer("let somebody in", Reply::new(StatusCode::OK, http::HeaderMap::new()))
    });
    vec![
        (vec![&OTHER_REQUEST, &REQUEST], "a header field was touched that no repair needs"),
        (vec![&OTHER_REPLY, &REPLY], "a refusal of the MCP endpoint became a success"),
        (vec![&OTHER_MESSAGE, &MESSAGE], "what a tool has said was touched"),
        (vec![&OTHER_EVENT, &EVENT], "a message was changed, dropped, doubled or moved"),
        (vec![&SILENCE], "something else than a comment was said into a silence"),
        (vec![&OTHER_REPLY, &ASK], "a further ask leaves the upstream"),
        (vec![&OTHER_REQUEST, &OWN_ANSWER], "a request was let in without asking the upstream"),
        (vec![&OTHER_EVENT, &MISPLACED], "an edit does not fit the kind of message"),
    ]
}

#[test]
fn a_violation_restores_the_message_and_is_reported() {
    for (repairs, promise) in breaking() {
        let ran = play(&repairs, Mode::Fix);
        assert_eq!(bugs(&ran.report), [("test.broken", BugKind::Violation(promise))]);
        assert_eq!(ran.report.bugs[0].slot, repairs.len() - 1, "{promise}");
        assert_eq!(ran.left, ran.came, "{promise}");
        assert!(ran.report.fired.is_empty() && !ran.is_ended, "{promise}: {ran:?}");
    }
}

#[test]
fn a_violation_is_laid_to_the_repair_that_made_it() {
    for (mut repairs, promise) in breaking() {
        repairs.reverse();
        let ran = play(&repairs, Mode::Fix);
        let found: Vec<_> = ran.report.bugs.iter().map(|bug| (bug.id, bug.slot, bug.kind)).collect();
        assert_eq!(found, [("test.broken", 0, BugKind::Violation(promise))]);
        assert_eq!(ran.left, ran.came, "{promise}");
    }
}

#[test]
fn a_violation_of_one_that_observes_is_reported_and_stops_nobody() {
    for (repairs, promise) in breaking() {
        let ran = play(&repairs, Mode::Observe);
        assert_eq!(bugs(&ran.report), [("test.broken", BugKind::Violation(promise))]);
        let others = if repairs.len() > 1 { vec!["test.other"] } else { Vec::new() };
        assert_eq!(ran.report.fired.iter().map(|fired| fired.id).collect::<Vec<_>>(), others, "{promise}");
        let alone = play(
            &repairs[..repairs.len().saturating_sub(1).max(1)],
            if repairs.len() > 1 { Mode::Fix } else { Mode::Off },
        );
        assert_eq!(ran.left, alone.left, "{promise}");
    }
}

#[test]
fn two_changes_are_judged_together() {
    static CLOSED: Repair = of_replies("test.other", |_, _, _| {
        Outcome::mended("called it missing", edits(|edits| edits.status(StatusCode::NOT_FOUND)))
    });
    static OPENED: Repair =
        of_replies("test.broken", |_, _, _| Outcome::mended("found it", edits(|edits| edits.status(StatusCode::OK))));
    let ran = play(&[&CLOSED, &OPENED], Mode::Fix);
    let promise = BugKind::Violation("a refusal of the MCP endpoint became a success");
    assert_eq!((bugs(&ran.report), &ran.left), (vec![("test.broken", promise)], &ran.came));
}

/// The same repair of each kind, panicking when it runs.
fn panicking() -> Vec<Vec<&'static Repair>> {
    static REQUEST: Repair = of_requests("test.broken", |_, _| panic!("bug in a repair"));
    static REPLY: Repair = of_replies("test.broken", |_, _, _| panic!("bug in a repair"));
    static MESSAGE: Repair = of_messages("test.broken", |_, _, _| panic!("bug in a repair"));
    static EVENT: Repair = of_events("test.broken", |_, _, _| panic!("bug in a repair"));
    static SILENCE: Repair = of_silences("test.broken", |_, _, _| panic!("bug in a repair"));
    vec![
        vec![&OTHER_REQUEST, &REQUEST],
        vec![&OTHER_REPLY, &REPLY],
        vec![&OTHER_MESSAGE, &MESSAGE],
        vec![&OTHER_EVENT, &EVENT],
        vec![&SILENCE],
    ]
}

#[test]
fn a_panic_restores_the_message_and_is_reported() {
    for repairs in panicking() {
        let ran = play(&repairs, Mode::Fix);
        assert_eq!(bugs(&ran.report), [("test.broken", BugKind::Panic)]);
        assert_eq!(ran.left, ran.came);
        assert!(ran.report.fired.is_empty(), "{ran:?}");
        let observed = play(&repairs, Mode::Observe);
        assert_eq!(bugs(&observed.report), [("test.broken", BugKind::Panic)]);
        assert_eq!(observed.report.fired.len(), repairs.len() - 1, "the others did their work");
    }
}

#[test]
fn a_panic_in_when_passes_over_that_repair_alone() {
    static REQUEST: Repair = Repair::bare(
        "test.broken",
        Hook::Request { needs: Needs::Json, when: |_| panic!("bug"), run: |_, _| Outcome::Sound, goes_on: false },
    );
    static REPLY: Repair = Repair::bare(
        "test.broken",
        Hook::Reply { needs: Needs::Json, when: |_, _| panic!("bug"), run: |_, _, _| Outcome::Sound },
    );
    static MESSAGE: Repair =
        Repair::bare("test.broken", Hook::Message { when: |_, _| panic!("bug"), run: |_, _, _| Outcome::Sound });
    static EVENT: Repair =
        Repair::bare("test.broken", Hook::Event { when: |_, _| panic!("bug"), run: |_, _, _| Outcome::Sound });
    static SILENCE: Repair =
        Repair::bare("test.broken", Hook::Silence { when: |_, _| panic!("bug"), run: |_, _, _| Outcome::Sound });
    static COMMENT: Repair = of_silences("test.other", |_, _, _| Outcome::mended("found", Edits::to_text(":\n\n")));
    for (broken, other) in [
        (&REQUEST, &OTHER_REQUEST),
        (&REPLY, &OTHER_REPLY),
        (&MESSAGE, &OTHER_MESSAGE),
        (&EVENT, &OTHER_EVENT),
        (&SILENCE, &COMMENT),
    ] {
        let ran = play(&[broken, other], Mode::Fix);
        assert_eq!(bugs(&ran.report), [("test.broken", BugKind::Panic)]);
        assert_eq!(ran.report.fired.iter().map(|fired| fired.id).collect::<Vec<_>>(), ["test.other"]);
        assert_ne!(ran.left, ran.came);
    }
    let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
    let request = example::request(CALL, &facts, &known).unwrap();
    let reply = example::reply(REFUSAL).unwrap();
    let plan = Plan::new(&[&REQUEST, &REPLY, &EVENT, &SILENCE], &BTreeMap::new());
    assert_eq!((plan.request_needs(&request), plan.reply_needs(&request, &reply)), (Needs::Head, Needs::Head));
    // The run over the first event is what tells of it.
    assert!(plan.wants_events(&request, &reply) && plan.heeds_silence(&request, &reply));
}

#[test]
fn observe_reports_and_changes_nothing() {
    let ran = play(&[&OTHER_REPLY], Mode::Observe);
    assert_eq!((ran.report.fired.len(), &ran.left), (1, &ran.came));
    assert!(!ran.report.mended());
    assert!(play(&[&OTHER_REPLY], Mode::Off).report.fired.is_empty());
}

#[test]
fn who_asks_is_the_last_that_fired() {
    static ASK: Repair = of_replies("test.asks", |_, _, _| Outcome::again("asked again", Ask::at("/other")));
    let mut ran = play(&[&OTHER_REPLY, &ASK], Mode::Fix);
    assert!(ran.is_ended);
    assert_eq!(ran.report.take_asking(None), None);
    assert_eq!(ran.report.take_asking(Some(&Ask::default())).map(|fired| fired.id), Some("test.asks"));
    assert_eq!(ran.report.fired.iter().map(|fired| fired.id).collect::<Vec<_>>(), ["test.other"]);
}
