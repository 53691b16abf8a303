//! What every repair is held to, written once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use self::any::{
    any_document, any_form, any_message, any_odd_text, any_refusing_reply, any_reply, any_request, any_site, with_form,
};
use super::{REPAIRS, RETIRED, find, nearest};
use crate::endpoint::Class;
use crate::example;
use crate::exchange::{Ask, Facts, Reply, Request, RequestBody, Site};
use crate::knowledge::{Knowledge, strings};
use crate::plan::{Bug, Plan, Report};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};

mod any;
mod fidelity;
mod gates;
mod messages;
mod weight;

struct Stage {
    facts: Facts,
    known: Knowledge,
}

impl Stage {
    fn new(kind: SiteKind) -> Self {
        Self { facts: example::facts(kind), known: example::knowledge(kind) }
    }

    fn site(&self) -> Site<'_> {
        Site { facts: &self.facts, known: &self.known }
    }

    fn request(&self, example: &Example) -> Request {
        example::request(example.request, &self.facts, &self.known).unwrap_or_else(|e| panic!("{}: {e}", example.note))
    }
}

/// What a list of repairs made of an example.
struct Played {
    report: Report,
    ask: Option<Ask>,
    answered: bool,
    request: Request,
    text: String,
}

fn play(plan: &Plan, stage: &Stage, hook: &Hook, request: &Request, reply: &str) -> Played {
    let (site, mut request) = (stage.site(), request.clone());
    match hook {
        Hook::Request { .. } => {
            let (report, answer) = plan.mend_request(&site, &mut request);
            let text = match &answer {
                Some(answer) => example::write_reply(answer),
                None => example::write_request(&request, None),
            };
            Played { report, ask: None, answered: answer.is_some(), request, text }
        }
        Hook::Reply { .. } => {
            let mut reply = example::reply(reply).unwrap();
            let (report, ask) = plan.mend_reply(&site, &request, &mut reply, true);
            Played { report, ask, answered: false, request, text: example::write_reply(&reply) }
        }
        Hook::Event { .. } | Hook::Silence { .. } => {
            let mut event = example::event(reply);
            let head = example::reply("200\nContent-Type: text/event-stream").unwrap();
            let report = match hook {
                Hook::Silence { .. } => plan.mend_silence(&site, &request, &head, &mut event),
                _ => plan.mend_event(&site, &request, &head, &mut event).0,
            };
            Played { report, ask: None, answered: false, request, text: example::write_event(&event) }
        }
        Hook::Message { .. } => {
            let text = Bytes::copy_from_slice(reply.as_bytes());
            let (report, mended) = plan.mend_message(&site, &request, &text);
            let text = String::from_utf8(mended.unwrap_or(text).to_vec()).unwrap();
            Played { report, ask: None, answered: false, request, text }
        }
    }
}

fn only(repair: &'static Repair, mode: Mode) -> Plan {
    Plan::new(&[repair], &BTreeMap::from([(repair.id, mode)]))
}

fn all() -> Plan {
    Plan::new(REPAIRS, &BTreeMap::new())
}

fn input<'a>(hook: &Hook, example: &'a Example) -> &'a str {
    if matches!(hook, Hook::Request { .. }) { example.request } else { example.reply }
}

fn comparable(hook: &Hook, text: &str) -> String {
    match hook {
        Hook::Request { .. } | Hook::Reply { .. } => example::normalised(text).unwrap(),
        Hook::Event { .. } | Hook::Silence { .. } | Hook::Message { .. } => text.to_owned(),
    }
}

fn for_each_example(mut run: impl FnMut(&'static Repair, &Example, &str)) {
    for repair in REPAIRS {
        for example in repair.examples {
            run(repair, example, &format!("{} / {}", repair.id, example.note));
        }
    }
}

#[test]
fn examples_come_out_as_they_say() {
    for_each_example(|repair, example, name| {
        let stage = Stage::new(example.site);
        let request = stage.request(example);
        assert!(repair.on.contains(&request.class), "{name}: the path is of class {:?}", request.class);
        let played = play(&only(repair, Mode::Fix), &stage, &repair.hook, &request, example.reply);
        let findings = played.report.fired.len();
        assert_eq!(played.report.bugs, [], "{name}");
        match example.then {
            Then::Sound => {
                assert_eq!(played.text, comparable(&repair.hook, input(&repair.hook, example)), "{name}");
                assert_eq!((findings, played.ask), (0, None), "{name}: found something in a sound example");
            }
            Then::Becomes(after) => {
                assert_eq!(played.text, comparable(&repair.hook, after), "{name}");
                assert_eq!((findings, played.ask), (1, None), "{name}");
            }
            Then::Answers(answer) => {
                assert!(played.answered, "{name}: is not answered");
                assert_eq!(played.text, example::normalised(answer).unwrap(), "{name}");
                assert_eq!((findings, played.ask), (1, None), "{name}");
            }
            Then::Asks(again) => {
                let ask = played.ask.unwrap_or_else(|| panic!("{name}: does not ask again"));
                let text = example::write_request(&played.request, Some(&ask));
                assert_eq!(text, example::normalised(again).unwrap(), "{name}");
                assert_eq!(findings, 1, "{name}");
            }
        }
    });
}

#[test]
fn a_second_pass_finds_nothing() {
    for_each_example(|repair, example, name| {
        let stage = Stage::new(example.site);
        let request = stage.request(example);
        let first = play(&all(), &stage, &repair.hook, &request, example.reply);
        assert_eq!(first.report.bugs, [], "{name}");
        if first.ask.is_some() || first.answered {
            return;
        }
        // What is said into a silence ends it.
        if matches!(repair.hook, Hook::Silence { .. }) {
            return;
        }
        let second = play(&all(), &stage, &repair.hook, &first.request, &first.text);
        assert_eq!(second.report, Report::default(), "{name}\n{}", first.text);
        assert_eq!(second.text, first.text, "{name}");
    });
}

#[test]
fn observe_changes_nothing_and_reports_the_same() {
    for_each_example(|repair, example, name| {
        let stage = Stage::new(example.site);
        let request = stage.request(example);
        let fixed = play(&only(repair, Mode::Fix), &stage, &repair.hook, &request, example.reply);
        let observed = play(&only(repair, Mode::Observe), &stage, &repair.hook, &request, example.reply);
        assert_eq!(observed.text, comparable(&repair.hook, input(&repair.hook, example)), "{name}");
        assert_eq!((observed.ask, &observed.report.bugs), (None, &Vec::new()), "{name}");
        let findings = |report: &Report| report.fired.iter().map(|f| f.finding.clone()).collect::<Vec<_>>();
        assert_eq!(findings(&observed.report), findings(&fixed.report), "{name}");
        assert!(!observed.report.mended(), "{name}");
    });
}

#[test]
fn every_repair_is_whole() {
    let mut ids = BTreeSet::new();
    for repair in REPAIRS {
        let id = repair.id;
        assert!(ids.insert(id), "{id}: given twice");
        assert!(id.split_once('.').is_some_and(|(group, name)| !group.is_empty() && !name.is_empty()), "{id}");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-'), "{id}");
        for text in [repair.summary, repair.why, repair.hits, repair.remedy, repair.advice] {
            assert!(text.len() > 10, "{id}: something is not said");
        }
        assert!(!repair.rows.is_empty(), "{id}: no row of the catalogue");
        assert!(!repair.basis.is_empty() && repair.basis.iter().all(|b| b.url.starts_with("https://")), "{id}");
        assert!(repair.examples.iter().any(|e| matches!(e.then, Then::Sound)), "{id}: no sound example");
        assert!(repair.examples.iter().any(|e| !matches!(e.then, Then::Sound)), "{id}: no broken example");
        assert!(std::ptr::eq(find(id).unwrap(), *repair));
    }
    for (retired, _) in RETIRED {
        assert!(!ids.contains(retired), "{retired}: a retired id lives again");
    }
}

#[test]
fn a_mistyped_id_is_recognised() {
    assert_eq!(nearest("auth.chalenge-missing"), Some("auth.challenge-missing"));
    assert_eq!(nearest("zzz"), None);
}

/// No panic, no promise broken, sound if and only if unchanged, and the second pass is clean.
fn is_mended_once(kind: SiteKind, request: &str, reply: Reply) -> Result<(), TestCaseError> {
    let stage = Stage::new(kind);
    let request = example::request(request, &stage.facts, &stage.known).unwrap();
    for repair in REPAIRS {
        let mut after = reply.clone();
        let (report, ask) = only(repair, Mode::Fix).mend_reply(&stage.site(), &request, &mut after, true);
        prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
        let changed = example::write_reply(&after) != example::write_reply(&reply);
        prop_assert_eq!(report.mended() && ask.is_none(), changed, "{}: {:?}", repair.id, report);
        if let (Class::Register, Some(ask)) = (request.class, &ask) {
            registers_no_more(&request, ask)?;
        }
    }
    let mut first = reply;
    let (report, _) = all().mend_reply(&stage.site(), &request, &mut first, false);
    prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
    let mut second = first.clone();
    let (report, _) = all().mend_reply(&stage.site(), &request, &mut second, false);
    prop_assert_eq!(report, Report::default(), "{}", example::write_reply(&first));
    prop_assert_eq!(example::write_reply(&first), example::write_reply(&second));
    Ok(())
}

/// Never more redirect URIs than were asked for, and never none of them.
fn registers_no_more(request: &Request, ask: &Ask) -> Result<(), TestCaseError> {
    let asked = request.json().map(|asked| strings(asked.get("redirect_uris")).unwrap_or_default());
    let again = match &ask.body {
        Some(RequestBody::Json(again)) => strings(again.get("redirect_uris")).unwrap_or_default(),
        _ => asked.clone().unwrap_or_default(),
    };
    let asked = asked.unwrap_or_default();
    prop_assert!(again.iter().all(|uri| asked.contains(uri)), "{again:?}");
    prop_assert!(!again.is_empty() || asked.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_reply_is_mended_once(kind in any_site(), request in any_request(), form in any_form(), reply in any_reply()) {
        is_mended_once(kind, &with_form(request, &form), reply)?;
    }

    #[test]
    fn any_refusal_is_mended_once(kind in any_site(), request in any_message(), reply in any_refusing_reply()) {
        is_mended_once(kind, &request, reply)?;
    }

    /// What nobody has asked for stays as it was written, whatever else is mended in the document.
    #[test]
    fn an_unknown_member_stays_to_the_byte(
        kind in any_site(),
        request in any_request(),
        form in any_form(),
        status in prop::sample::select(vec![200, 201, 400]),
        document in any_document(),
        odd in any_odd_text(),
    ) {
        let stage = Stage::new(kind);
        let request = example::request(&with_form(request, &form), &stage.facts, &stage.known).unwrap();
        let member = format!("\"x_unknown\" : {odd}");
        let text = document.replacen('{', &format!("{{{member}, "), 1).replace(", }", "}");
        let mut reply = example::reply(&format!("{status}\nContent-Type: application/json\n\n{text}")).unwrap();
        all().mend_reply(&stage.site(), &request, &mut reply, false);
        if let Some(after) = reply.json().filter(|after| after.has("x_unknown")) {
            let printed = String::from_utf8(after.to_bytes().to_vec()).unwrap();
            prop_assert!(printed.contains(&member), "{printed}");
        }
    }

    /// What `sse::plain_message` lets pass unseen, no event repair has anything to find in.
    #[test]
    fn a_plain_event_is_sound(
        name in prop::sample::select(vec!["", "event: message\n"]),
        id in prop::sample::select(vec!["", "id: 7\n", "id: \n"]),
        result in prop_oneof![any_document(), any_odd_text().prop_map(str::to_owned)],
        request in prop::sample::select(vec!["POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}", "GET /sse", "GET /mcp"]),
    ) {
        let stage = Stage::new(SiteKind::Open);
        let request = example::request(request, &stage.facts, &stage.known).unwrap();
        let text = Bytes::from(format!("{name}{id}data: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}\n\n"));
        prop_assert!(crate::sse::plain_message(&text).is_some(), "{text:?}");
        for repair in REPAIRS {
            if let Hook::Event { run, .. } = repair.hook {
                let event = crate::exchange::Event::arrived(text.clone());
                prop_assert_eq!(run(&stage.site(), &request, &event), crate::exchange::Outcome::Sound, "{}", repair.id);
            }
        }
    }

    #[test]
    fn any_request_is_mended_once(kind in any_site(), request in any_request(), junk in "[a-z=&%]{0,20}", form in any_form()) {
        let stage = Stage::new(kind);
        let text = with_form(request, &if form.is_empty() { junk } else { form });
        let mut first = example::request(&text, &stage.facts, &stage.known).unwrap();
        let (report, answer) = all().mend_request(&stage.site(), &mut first);
        prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
        if answer.is_some() {
            return Ok(());
        }
        let before = example::normalised(&text).unwrap();
        prop_assert_eq!(report.mended(), example::write_request(&first, None) != before);
        let mut second = first.clone();
        prop_assert_eq!(all().mend_request(&stage.site(), &mut second), (Report::default(), None));
    }
}
