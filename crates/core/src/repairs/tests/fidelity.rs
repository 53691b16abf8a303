//! JSON of every kind through everything that mends JSON: what all readers take keeps its bytes wherever nobody has asked
//! for a change, what no reader takes is nobody's document, and nothing panics.

use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::Stage;
use super::any::any_site;
use crate::edit::json::Object;
use crate::example;
use crate::exchange::{Event, Opening, Reply, ReplyBody, Request, RequestBody};
use crate::jsonrpc::Envelope;
use crate::plan::{Plan, Report};
use crate::repair::SiteKind;

/// The whole registry. Made once: making it takes longer than running it.
fn all() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(super::all)
}

/// Where JSON is mended in answers, and with which status it comes.
const ANSWERS: [(&str, u16); 11] = [
    ("GET /.well-known/oauth-protected-resource/mcp", 200),
    ("GET /.well-known/oauth-protected-resource", 404),
    ("GET /.well-known/oauth-authorization-server", 200),
    ("GET /.well-known/openid-configuration", 200),
    ("GET /.well-known/jwks.json", 200),
    ("POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}", 201),
    ("POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}", 400),
    ("POST /token\n\ngrant_type=refresh_token&refresh_token=r&client_id=c", 200),
    ("POST /token\n\ngrant_type=refresh_token&refresh_token=r&client_id=c", 400),
    ("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", 200),
    ("POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", 401),
];
const REQUESTS: [&str; 3] = ["POST /register", "POST /token", "POST /mcp"];

/// A document in which something is mended at every place, with an odd member in the middle.
fn with_member(odd: &[u8]) -> Vec<u8> {
    let before = br#"{"issuer":"http://localhost:3000/", "client_id_issued_at":1.5 ,"scope":null, "x_odd" : "#;
    let after = br#" , "resource":"http://localhost:3000/mcp","authorization_endpoint":"http://localhost:3000/authorize",
        "token_endpoint":"http://localhost:3000/token","client_id":"c","client_secret":"s","client_secret_expires_at":0.0,
        "access_token":"t","token_type":"bearer","expires_in":"60","jsonrpc":"2.0","id":1}"#;
    [before, odd, after].concat()
}

fn as_answer(status: u16, text: &Bytes) -> Reply {
    let mut reply = example::reply(&status.to_string()).unwrap();
    reply.headers.insert("content-type", HeaderValue::from_static("application/json"));
    reply.opening = Opening::of(text);
    reply.message = Envelope::peek(text);
    reply.body = match Object::parse(text.clone()) {
        Ok(object) => ReplyBody::Json(object),
        Err(_) => ReplyBody::Text(text.clone()),
    };
    reply
}

fn printed(body: &ReplyBody) -> Option<Bytes> {
    match body {
        ReplyBody::Json(object) => Some(object.to_bytes()),
        ReplyBody::Text(text) => Some(text.clone()),
        ReplyBody::Stream | ReplyBody::Empty => None,
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// What must hold of a text that was a document and may have been mended.
fn check(before: &Bytes, after: Option<&Bytes>, report: &Report, kept: Option<&[u8]>) -> Result<(), String> {
    if !report.bugs.is_empty() {
        return Err(format!("{:?} panicked", report.bugs));
    }
    let Some(after) = after else { return Ok(()) };
    if !report.mended() && before != after {
        return Err(format!("nobody mended it, and it became {:?}", String::from_utf8_lossy(after)));
    }
    // An answer may be replaced as a whole, as a refusal is; then the member is gone with the rest.
    let has_member = Object::parse_message(after.clone()).is_ok_and(|object| object.has("x_odd"));
    if let Some(kept) = kept
        && has_member
        && !holds(after, &[br#""x_odd" : "#, kept, b" "].concat())
    {
        return Err(format!("the member was touched: {:?}", String::from_utf8_lossy(after)));
    }
    Ok(())
}

/// One text as an answer, everywhere where answers are mended.
fn in_answers(stage: &Stage, text: &Bytes, kept: Option<&[u8]>) -> Result<(), String> {
    for (request, status) in ANSWERS {
        let request = example::request(request, &stage.facts, &stage.known).unwrap();
        let mut reply = as_answer(status, text);
        let (report, _) = all().mend_reply(&stage.site(), &request, &mut reply, false);
        check(text, printed(&reply.body).as_ref(), &report, kept)
            .map_err(|why| format!("{}: {why}", request.target))?;
    }
    Ok(())
}

fn in_requests(stage: &Stage, text: &Bytes, kept: Option<&[u8]>) -> Result<(), String> {
    let Ok(object) = Object::parse(text.clone()) else { return Ok(()) };
    for line in REQUESTS {
        let mut request = example::request(line, &stage.facts, &stage.known).unwrap();
        (request.body, request.sent) = (RequestBody::Json(object.clone()), RequestBody::Json(object.clone()));
        let (report, _) = all().mend_request(&stage.site(), &mut request);
        let after = match &request.body {
            RequestBody::Json(object) => Some(object.to_bytes()),
            _ => None,
        };
        check(text, after.as_ref(), &report, kept).map_err(|why| format!("{line}: {why}"))?;
    }
    Ok(())
}

fn message_request(stage: &Stage) -> Request {
    example::request(ANSWERS[9].0, &stage.facts, &stage.known).unwrap()
}

/// One text as the result of a message, alone and as an event: what a tool has said stays, and so does what nobody knows.
fn in_messages(stage: &Stage, value: &[u8], is_sound: bool) -> Result<(), String> {
    let request = message_request(stage);
    let head = example::reply("200\nContent-Type: text/event-stream").unwrap();
    for (start, end) in [
        (
            &br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a"}],"isError":null,"x_odd" : "#[..],
            &b" }}"[..],
        ),
        (br#"{"jsonrpc":"2.0","id":"1","result":{"tools":[{"name":"a","inputSchema":null,"x_odd" : "#, b" }]}}"),
        (br#"{"id":1,"error":{"code":"-1","message":null,"x_odd" : "#, b" }}"),
        (br#"{"jsonrpc":2.0,"id":1.0,"result":"#, b"}"),
    ] {
        let text = Bytes::from([start, value, end].concat());
        let (report, mended) = all().mend_message(&stage.site(), &request, &text);
        if !report.bugs.is_empty() {
            return Err(format!("{:?} panicked", report.bugs));
        }
        let after = mended.unwrap_or(text.clone());
        let odd = [br#""x_odd" : "#, value, b" "].concat();
        if is_sound && holds(&text, br#""x_odd""#) && holds(&after, br#""x_odd""#) && !holds(&after, &odd) {
            return Err(format!("the member was touched: {:?}", String::from_utf8_lossy(&after)));
        }
        let mut event = Event::arrived(Bytes::from([b"data: ", &text[..], b"\n\n"].concat()));
        let (report, _) = all().mend_event(&stage.site(), &request, &head, &mut event);
        if !report.bugs.is_empty() {
            return Err(format!("{:?} panicked at an event", report.bugs));
        }
    }
    Ok(())
}

fn everywhere(stage: &Stage, value: &[u8], is_sound: bool) -> Result<(), String> {
    let (whole, member) = (Bytes::copy_from_slice(value), Bytes::from(with_member(value)));
    let kept = is_sound.then_some(value);
    in_answers(stage, &whole, None)?;
    in_answers(stage, &member, kept)?;
    in_requests(stage, &whole, None)?;
    in_requests(stage, &member, kept)?;
    in_messages(stage, value, is_sound)
}

/// The corpus: what every reader must do with a text, and the text.
fn corpus() -> Vec<(char, Vec<u8>)> {
    let lines = include_str!("documents.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| (line.chars().next().unwrap(), unfolded(&mut &line.as_bytes()[2..], false))).collect()
}

/// Undoes `<XX>` and `<N*TEXT>`, up to the end or the bracket that closes.
fn unfolded(text: &mut &[u8], nested: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((first, rest)) = text.split_first() {
        *text = rest;
        match first {
            b'>' if nested => break,
            b'<' => {
                let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let word = std::str::from_utf8(&text[..digits]).unwrap();
                let mark = text[digits];
                *text = &text[digits + 1..];
                match mark {
                    b'*' => bytes.extend(unfolded(text, true).repeat(word.parse().unwrap())),
                    _ => bytes.push(u8::from_str_radix(word, 16).unwrap()),
                }
            }
            other => bytes.push(*other),
        }
    }
    bytes
}

#[test]
fn the_corpus_is_what_it_says() {
    let corpus = corpus();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    for (kind, text) in corpus {
        let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
        let is_read = serde_json::from_slice::<serde_json::Value>(&text).is_ok();
        assert!(kind == 'i' || is_read == (kind == 'y'), "{kind} {shown}");
        // A document that no reader takes is none of ours either; one that all take is, if it is an object.
        let is_object = Object::parse_message(Bytes::from(text.clone())).is_ok();
        let starts_one = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        assert!(kind == 'i' || is_object == (kind == 'y' && starts_one), "{kind} {shown}");
    }
}

#[test]
fn every_document_is_kept_but_for_what_is_mended() {
    let (stage, mut failed) = (Stage::new(SiteKind::Cohosted), Vec::new());
    let corpus = corpus();
    for (kind, text) in &corpus {
        if let Err(why) = everywhere(&stage, text, *kind == 'y') {
            let shown = String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
            failed.push(format!("{kind} {shown}\n    {}", &why[..why.len().min(300)]));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), corpus.len(), failed.join("\n"));
}

#[test]
fn an_object_changed_in_one_member_keeps_the_others() {
    for (_, text) in corpus().into_iter().filter(|(kind, _)| *kind == 'y') {
        let member = Bytes::from(with_member(&text));
        let mut object = Object::parse(member.clone()).unwrap();
        object.set("issuer", serde_json::json!("https://a.example"));
        object.remove("scope");
        object.set("new", serde_json::json!([1]));
        let after = object.to_bytes();
        assert!(holds(&after, &[br#""x_odd" : "#, &text[..], b" "].concat()));
        assert!(Object::parse(after).is_ok_and(|after| after.has("new") && !after.has("scope")));
    }
}

/// A value as somebody might write it: blanks, escapes and numbers in all of their forms.
fn any_text() -> impl Strategy<Value = String> {
    let blank = || prop::sample::select(vec!["", "", "", " ", "\t", "\n  ", " \r\n"]);
    let string = prop_oneof![
        "[ !#-\\[\\]-~]{0,12}".prop_map(|text| format!("\"{text}\"")),
        r#"(a|\\n|\\u00e9|\\/|\\\\|\\"|\\ud83d\\ude00|é|😀|[0-9]){0,8}"#.prop_map(|text| format!("\"{text}\"")),
    ];
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        string.clone(),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let padded = (blank(), inner, blank()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let member =
            (string.clone(), blank(), padded.clone()).prop_map(|(name, blank, value)| format!("{name}{blank}:{value}"));
        prop_oneof![
            prop::collection::vec(padded, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(" ,"))),
        ]
    })
}

/// As many as `MCP_MEND_DOCUMENTS` says; a few where nobody says so.
#[test]
fn generated_documents_are_kept_but_for_what_is_mended() {
    let stated = std::env::var("MCP_MEND_DOCUMENTS").ok().and_then(|count| count.parse().ok());
    let cases = stated.unwrap_or(1000);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = (any_site(), any_text(), prop::option::of((0..200_usize, any::<u8>())));
    let run = TestRunner::new(config).run(&strategy, |(kind, text, damage)| {
        let stage = Stage::new(kind);
        let mut bytes = BytesMut::from(text.as_bytes());
        let is_sound = damage.is_none();
        if let Some((place, byte)) = damage {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        everywhere(&stage, &bytes, is_sound).map_err(|why| TestCaseError::fail(format!("{text:?}: {why}")))
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}
