//! What the repairs of messages, events and silences are held to, whatever comes.

use bytes::Bytes;
use proptest::prelude::*;

use super::any::messages::{
    UNKNOWN, UNKNOWN_VALUES, any_answer, any_call, any_exchange, any_stream_text, sound_stream_text,
};
use super::{Stage, all, is_mended_once, only};
use crate::example;
use crate::exchange::{At, Event, Reply, Request};
use crate::plan::{Bug, Plan, Report};
use crate::repair::{Hook, Mode, SiteKind};
use crate::repairs::REPAIRS;
use crate::sse::Splitter;

fn stage_and(request: &str) -> (Stage, Request) {
    let stage = Stage::new(SiteKind::Open);
    let request = example::request(request, &stage.facts, &stage.known).unwrap();
    (stage, request)
}

fn stream_head() -> Reply {
    example::reply("200\nContent-Type: text/event-stream").unwrap()
}

/// What comes to be looked at when a stream comes in these pieces, and then ends.
fn moments(pieces: &[Bytes]) -> Vec<Event> {
    let mut splitter = Splitter::default();
    let mut found = Vec::new();
    for piece in pieces {
        splitter.push(piece.clone());
        while let Some(text) = splitter.next_event() {
            found.push(Event::arrived(text));
        }
    }
    found.push(Event::at(At::End { open: false }, splitter.take_rest()));
    found
}

/// A text cut at these places, each a share of its length.
fn cut(text: &str, places: &[f64]) -> Vec<Bytes> {
    let mut ends: Vec<usize> = places.iter().map(|share| (share * text.len() as f64) as usize).collect();
    ends.push(text.len());
    ends.sort_unstable();
    let mut from = 0;
    ends.into_iter()
        .map(|end| Bytes::copy_from_slice(&text.as_bytes()[std::mem::replace(&mut from, end)..end]))
        .collect()
}

/// What a plan lets out of a stream, and what it found.
fn relayed(plan: &Plan, stage: &Stage, request: &Request, pieces: &[Bytes]) -> (Vec<u8>, Report) {
    let (mut out, mut all) = (Vec::new(), Report::default());
    for mut event in moments(pieces) {
        let (report, _) = plan.mend_event(&stage.site(), request, &stream_head(), &mut event);
        all.fired.extend(report.fired);
        all.bugs.extend(report.bugs);
        out.extend_from_slice(&event.text);
    }
    (out, all)
}

fn places() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.0..1.0, 0..12)
}

/// The end of a stream behind its answer depends on it (F-23).
#[test]
fn an_answer_that_gets_its_id_is_known_for_the_answer() {
    let (stage, request) = stage_and("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    for (id, answers) in [("1", true), ("\"1\"", true), ("null", true), ("2", false)] {
        for before in ["data: ", "id: 7\nevent: response\ndata:"] {
            let text = format!("{before}{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n\n");
            let mut event = Event::arrived(text.into());
            let (_, is_answer) = all().mend_event(&stage.site(), &request, &stream_head(), &mut event);
            assert_eq!(is_answer, answers, "{before}{id}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// No panic, no promise broken, sound if and only if unchanged, the second pass clean.
    #[test]
    fn any_message_is_mended_once((request, message) in any_exchange()) {
        let (stage, request) = stage_and(&request);
        let message = Bytes::from(message);
        for repair in REPAIRS.iter().filter(|repair| matches!(repair.hook, Hook::Message { .. })) {
            let (report, mended) = only(repair, Mode::Fix).mend_message(&stage.site(), &request, &message);
            prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
            prop_assert_eq!(report.mended(), mended.is_some_and(|mended| mended != message), "{}", repair.id);
            let (observed, mended) = only(repair, Mode::Observe).mend_message(&stage.site(), &request, &message);
            prop_assert_eq!((observed.fired.len(), mended), (report.fired.len(), None), "{}", repair.id);
        }
        let (report, first) = all().mend_message(&stage.site(), &request, &message);
        prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
        let first = first.unwrap_or(message);
        let (report, second) = all().mend_message(&stage.site(), &request, &first);
        prop_assert_eq!((report, second), (Report::default(), None), "{}", String::from_utf8_lossy(&first));
    }

    /// What no schema names stays as it was written, null or not, at whatever depth.
    #[test]
    fn an_unknown_member_of_a_result_stays_to_the_byte((request, message) in any_exchange()) {
        // What a tool returned without `content` is told as a text; a member given twice counts once.
        let is_given_twice = message.matches("\"result\"").count() > 1;
        if request.contains("tools/call") || is_given_twice {
            return Ok(());
        }
        let (stage, request) = stage_and(&request);
        let (_, mended) = all().mend_message(&stage.site(), &request, &Bytes::from(message.clone()));
        let mended = mended.map_or(message.clone(), |mended| String::from_utf8(mended.to_vec()).unwrap());
        let spellings = |text: &str| {
            let value = |rest: &str| {
                let rest = rest.trim_start_matches(['"', ' ', ':']);
                UNKNOWN_VALUES.iter().position(|value| rest.starts_with(value.trim_start_matches('"')))
            };
            let mut found: Vec<Option<usize>> = text.split(UNKNOWN).skip(1).map(value).collect();
            found.sort();
            found
        };
        prop_assert_eq!(spellings(&mended), spellings(&message), "{}", mended);
    }

    /// The answer as a whole: its status, its form, and a list of messages in it.
    #[test]
    fn any_answer_to_a_message_is_mended_once(request in any_call(), answer in any_answer()) {
        if let Ok(reply) = example::reply(&answer) {
            is_mended_once(SiteKind::Open, &request, reply)?;
        }
    }

    #[test]
    fn any_stream_is_mended_once(request in any_call(), text in any_stream_text(), places in places()) {
        let (stage, request) = stage_and(&request);
        let pieces = cut(&text, &places);
        for repair in REPAIRS.iter().filter(|repair| matches!(repair.hook, Hook::Event { .. })) {
            for event in moments(&pieces) {
                let mut after = event.clone();
                let (report, _) = only(repair, Mode::Fix).mend_event(&stage.site(), &request, &stream_head(), &mut after);
                prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
                prop_assert_eq!(report.mended(), after != event, "{}: {:?}", repair.id, event);
            }
        }
        let (first, report) = relayed(&all(), &stage, &request, &pieces);
        prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
        let (second, report) = relayed(&all(), &stage, &request, &[Bytes::from(first.clone())]);
        prop_assert_eq!(report, Report::default(), "{:?}", String::from_utf8_lossy(&first));
        prop_assert_eq!(second, first);
    }

    #[test]
    fn a_sound_stream_comes_out_to_the_byte_however_it_is_cut(
        request in prop::sample::select(vec![
            "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"own/method\"}",
            "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\"}",
            "POST /mcp\nMcp-Protocol-Version: 2026-07-28\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/list\"}",
            "GET /mcp",
            "GET /sse",
        ]),
        text in sound_stream_text(),
        places in places(),
    ) {
        let (stage, request) = stage_and(request);
        let (out, report) = relayed(&all(), &stage, &request, &cut(&text, &places));
        prop_assert_eq!(report, Report::default());
        prop_assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    /// A stream all of whose lines end in CR comes out with LF, as if it had been written so.
    #[test]
    fn a_stream_of_bare_cr_is_one_of_lf_however_it_is_cut(text in sound_stream_text(), places in places()) {
        let (stage, request) = stage_and("GET /mcp");
        let lines = text.replace("\r\n", "\n").trim_start_matches('\n').to_owned();
        let pieces = cut(&lines.replace('\n', "\r"), &places);
        let (out, _) = relayed(&all(), &stage, &request, &pieces);
        let out = String::from_utf8(out).unwrap();
        prop_assert_eq!(out.trim_end(), lines.trim_end());
    }

    /// Into a silence a comment is said, or the stream ends; nothing else.
    #[test]
    fn any_silence_is_broken_by_a_comment_or_by_the_end(request in any_call(), answered in any::<bool>()) {
        let (stage, request) = stage_and(&request);
        let mut event = Event::at(At::Silence { answered }, Bytes::new());
        let report = all().mend_silence(&stage.site(), &request, &stream_head(), &mut event);
        prop_assert_eq!(&report.bugs, &Vec::<Bug>::new());
        let is_changed = event.ends || !event.text.is_empty();
        prop_assert_eq!(report.mended(), is_changed);
        prop_assert!(event.text.is_empty() || &event.text[..] == b":\n\n");
        prop_assert!(!event.ends || (answered && request.asks() && !request.is_modern() && event.text.is_empty()));
    }
}
