use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderName, HeaderValue};

use super::*;
use crate::edit::json::List;
use crate::example;
use crate::exchange::edits::Edits;
use crate::exchange::{Ask, Outcome, RequestBody};
use crate::repair::{Hook, Needs, Repair, SiteKind};

/// Of an answer whose body nobody reads.
struct Unread;

impl Body for Unread {
    fn nothing() -> Self {
        Self
    }

    fn text(&self) -> Option<Bytes> {
        None
    }
}

const CALL: &str = "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}";
const LIST: &str = r#"[{"jsonrpc":"2.0","id":1,"method":"m1"},{"jsonrpc":"2.0","method":"m2"},{"jsonrpc":"2.0","id":3,"method":"m3"}]"#;
const OK: &str = "200\nContent-Type: application/json\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";

fn is_not_found(_: &Request, reply: &Reply) -> bool {
    reply.status == 404
}

static LOOKS_ELSEWHERE: Repair = Repair::bare(
    "test.elsewhere",
    Hook::Reply {
        needs: Needs::Head,
        when: is_not_found,
        run: |_, _, _| {
            let ask = Ask::one_of([Ask::at("/a"), Ask::at("/b"), Ask::at("/c")].into_iter());
            Outcome::again("not there", ask.unwrap())
        },
    },
);
static FOLLOWS: Repair = Repair::bare(
    "test.follows",
    Hook::Reply {
        needs: Needs::Head,
        when: |_, reply| reply.status.is_redirection(),
        run: |_, _, reply| {
            let to = reply.headers.get(LOCATION).unwrap().to_str().unwrap();
            Outcome::again("it is elsewhere", Ask::at(to))
        },
    },
);
static ASKS_ONE_BY_ONE: Repair = Repair::bare(
    "test.parts",
    Hook::Reply {
        needs: Needs::Head,
        when: is_not_found,
        run: |_, request, _| {
            let RequestBody::Whole(list) = &request.body else { return Outcome::Sound };
            let parts = List::parse(list.clone()).map(|list| list.iter().collect()).unwrap_or_default();
            Outcome::again("a list", Ask { parts, ..Ask::default() })
        },
    },
);
static ANSWERS: Repair = Repair::bare(
    "test.answers",
    Hook::Request {
        needs: Needs::Head,
        when: |request| request.calls("ping"),
        run: |_, _| Outcome::answer("known", example::reply("404\nContent-Type: application/json\n\n{}").unwrap()),
        goes_on: false,
    },
);
static MARKS: Repair = Repair::bare(
    "test.marks",
    Hook::Reply {
        needs: Needs::Head,
        when: |_, _| true,
        run: |_, _, reply| {
            let name = HeaderName::from_static("x-seen");
            if reply.headers.contains_key(&name) {
                return Outcome::Sound;
            }
            let mut edits = Edits::new();
            edits.set(name, HeaderValue::from_static("1"));
            Outcome::mended("unmarked", edits)
        },
    },
);

/// An exchange with these repairs on, and what it asks next.
struct Played {
    plan: Plan,
    request: Request,
    machine: Machine<Unread>,
}

impl Played {
    fn new(repairs: &[&'static Repair], request: &str) -> Self {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        let request = example::request(request, &facts, &known).unwrap();
        Self { plan: Plan::new(repairs, &BTreeMap::new()), request, machine: Machine::default() }
    }

    fn decide<T>(&mut self, decide: impl FnOnce(&mut Machine<Unread>, &Rules<'_>, &mut Request) -> T) -> T {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        let rules = Rules {
            plan: &self.plan,
            site: Site { facts: &facts, known: &known },
            may_ask_at: &|_, target| target != "/b",
        };
        decide(&mut self.machine, &rules, &mut self.request)
    }

    /// What is done next, in a few words.
    fn came(&mut self, answer: &str) -> String {
        let answer = Answer { reply: example::reply(answer).unwrap(), body: Unread };
        let step = self.decide(|machine, rules, request| machine.came(rules, request, answer));
        self.told(&step)
    }

    fn failed(&mut self, was_sent: bool) -> String {
        match self.decide(|machine, rules, request| machine.failed(rules, request, was_sent)) {
            Some(step) => self.told(&step),
            None => "no step".to_owned(),
        }
    }

    fn told(&self, step: &Step<Unread>) -> String {
        match step {
            Step::Ask(outgoing) => {
                let body = outgoing.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
                format!("ask {} {}", outgoing.target, body.unwrap_or_default())
            }
            Step::Bridge(at) => format!("bridge {at}"),
            Step::Gather(_) => "gather".to_owned(),
            Step::Relay(answer) => {
                let fired: Vec<&str> = self.machine.findings.fired().iter().map(|fired| fired.id).collect();
                let body = answer.text().map(|body| String::from_utf8_lossy(&body).into_owned());
                format!("relay {} {:?} {}", answer.reply.status.as_u16(), fired, body.unwrap_or_default())
            }
        }
    }
}

#[test]
fn a_sound_answer_is_relayed() {
    let mut played = Played::new(&[&LOOKS_ELSEWHERE], CALL);
    assert!(matches!(played.decide(|machine, rules, request| machine.begin(rules, request)), Begun::Ask(None)));
    assert!(played.came(OK).starts_with("relay 200 []"));
    assert_eq!(played.failed(true), "no step");
}

#[test]
fn a_request_may_be_answered_at_once_and_its_answer_is_mended() {
    let mut played = Played::new(&[&ANSWERS, &MARKS], &CALL.replace("tools/call", "ping"));
    let begun = played.decide(|machine, rules, request| machine.begin(rules, request));
    let Begun::Answer(answer) = begun else { panic!("it is known") };
    assert!(answer.reply.status == 404 && answer.reply.headers.contains_key("x-seen"));
    let fired: Vec<&str> = played.machine.findings.fired().iter().map(|fired| fired.id).collect();
    assert_eq!(fired, ["test.answers", "test.marks"]);
}

#[test]
fn a_better_answer_counts_and_what_is_found_in_it() {
    let mut played = Played::new(&[&LOOKS_ELSEWHERE, &MARKS], CALL);
    assert!(played.came("404").starts_with("ask /a "));
    assert!(played.came(OK).starts_with(r#"relay 200 ["test.elsewhere", "test.marks"]"#));
}

#[test]
fn what_cannot_be_asked_is_passed_over_and_without_a_better_answer_the_first_stands() {
    let mut played = Played::new(&[&LOOKS_ELSEWHERE, &MARKS], CALL);
    assert!(played.came("404").starts_with("ask /a "));
    // The client may not ask at /b.
    assert!(played.came("404\nX-Other: 1").starts_with("ask /c "));
    assert_eq!(played.failed(false), r#"relay 404 ["test.marks"] "#);
    assert_eq!(played.failed(false), "no step");
}

#[test]
fn a_message_that_may_have_been_acted_on_is_asked_no_more() {
    for answer in
        ["500", "302\nLocation: /login", "200\nContent-Type: application/json\n\n{\"error\":{\"code\":-32000}}"]
    {
        let mut played = Played::new(&[&LOOKS_ELSEWHERE], CALL);
        assert!(played.came("404").starts_with("ask /a "));
        let next = played.came(answer);
        match answer {
            "302\nLocation: /login" => assert!(next.starts_with("ask /c "), "it was sent elsewhere: {next}"),
            _ => assert!(next.starts_with(&format!("relay {} [\"test.elsewhere\"]", &answer[..3])), "{next}"),
        }
    }
    // Without an answer nobody knows. That is what the client gets.
    let mut played = Played::new(&[&LOOKS_ELSEWHERE], CALL);
    assert!(played.came("404").starts_with("ask /a "));
    assert_eq!(played.failed(true), "no step");
    assert!(played.machine.findings.fired().is_empty());
    // Reading twice does no harm.
    let mut played = Played::new(&[&LOOKS_ELSEWHERE], &CALL.replace("call", "list"));
    assert!(played.came("404").starts_with("ask /a ") && played.came("500").starts_with("ask /c "));
    assert_eq!(played.failed(true), "relay 404 [] ");
}

#[test]
fn there_are_three_further_asks_and_no_more() {
    let mut played = Played::new(&[&FOLLOWS], CALL);
    // Each redirect is better than the one before: it leads on.
    for (hop, step) in ["ask /1 ", "ask /2 ", "ask /3 ", "relay 307 "].into_iter().enumerate() {
        let next = played.came(&format!("307\nLocation: /{}", hop + 1));
        assert!(next.starts_with(step), "{next}");
    }
}

#[test]
fn a_list_is_asked_message_by_message() {
    let mut played = Played::new(&[&ASKS_ONE_BY_ONE], &format!("POST /mcp\n\n{LIST}"));
    assert_eq!(played.came("404"), r#"ask /mcp {"jsonrpc":"2.0","id":1,"method":"m1"}"#);
    assert_eq!(played.came(OK), r#"ask /mcp {"jsonrpc":"2.0","method":"m2"}"#);
    // Nobody answers a notification; a stream may have the answer inside.
    assert_eq!(played.came("202\n\n(empty)"), r#"ask /mcp {"jsonrpc":"2.0","id":3,"method":"m3"}"#);
    assert_eq!(played.came("200\nContent-Type: text/event-stream"), "gather");
    let message = Bytes::from(r#"{"jsonrpc":"2.0","id":3,"result":[]}"#);
    let step = played.decide(|machine, rules, request| machine.gathered(rules, request, Some(message))).unwrap();
    let answers = r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":3,"result":[]}]"#;
    assert_eq!(played.told(&step), format!(r#"relay 200 ["test.parts"] {answers}"#));
    assert_eq!(played.request.body, RequestBody::Whole(LIST.into()), "the request is the list again");
}

#[test]
fn what_a_list_has_brought_is_told_when_one_of_its_messages_fails() {
    let mut played = Played::new(&[&ASKS_ONE_BY_ONE], &format!("POST /mcp\n\n{LIST}"));
    played.came("404");
    assert!(played.came(OK).ends_with(r#""m2"}"#));
    let told = played.failed(true);
    assert!(told.starts_with(r#"relay 200 ["test.parts"] [{"jsonrpc":"2.0","id":1,"result":{}},{"#), "{told}");
    assert!(told.contains(r#""id":3"#) && told.contains("The message was not sent"), "{told}");
}

#[test]
fn a_list_of_which_nothing_was_sent_stays_refused() {
    let mut played = Played::new(&[&ASKS_ONE_BY_ONE], &format!("POST /mcp\n\n{LIST}"));
    played.came("404");
    assert_eq!(played.failed(false), "relay 404 [] ");
    assert_eq!(played.request.body, RequestBody::Whole(LIST.into()));
}

#[test]
fn nothing_of_a_list_is_sent_behind_an_answer_that_could_not_be_read() {
    let mut played = Played::new(&[&ASKS_ONE_BY_ONE], &format!("POST /mcp\n\n{LIST}"));
    played.came("404");
    assert_eq!(played.came("200\nContent-Type: text/event-stream"), "gather");
    let step = played.decide(|machine, rules, request| machine.gathered(rules, request, None)).unwrap();
    let told = played.told(&step);
    assert!(told.contains("could be read\"}},{") && told.contains("The message was not sent"), "{told}");
}
