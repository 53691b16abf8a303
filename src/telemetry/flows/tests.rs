use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::book::Placed;
use super::flow::MOST_EXCHANGES;
use super::*;
use crate::body::Ending;
use crate::endpoint::Class;
use crate::example;
use crate::ranges::Ranges;
use crate::repair::SiteKind;
use crate::tape::{Asked, Came, Text};

const T0: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(T0 + seconds)
}

fn headers(text: &str) -> HeaderMap {
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    text.lines().filter(|line| !line.is_empty()).map(line).collect()
}

fn site() -> Arc<SiteFacts> {
    let facts = example::facts(SiteKind::Open);
    Arc::new(SiteFacts { name: facts.public.to_string(), facts, modes: Vec::new() })
}

struct Story {
    book: FlowIndex,
    redactor: Redactor,
    number: u64,
}

impl Story {
    fn new() -> Self {
        Self {
            book: FlowIndex::new(Some(by_ranges(Ranges::default())), at(0), 48 << 20),
            redactor: Redactor::new([1; 32]),
            number: 0,
        }
    }

    fn taped(&mut self, client: &str, class: Class, start: &str, body: &str, answer: &str) -> RecordedExchange {
        self.number += 1;
        let (client, agent) = client.split_once(' ').unwrap();
        let (start, lines) = start.split_once('\n').unwrap_or((start, ""));
        let (method, target) = start.split_once(' ').unwrap();
        let (head, text) = answer.split_once("\n\n").unwrap_or((answer, ""));
        let (status, came) = head.split_once('\n').unwrap_or((head, ""));
        let mut lines = headers(lines);
        lines.insert("user-agent", agent.parse().unwrap());
        let whole = |text: &str| Text::whole(&bytes::Bytes::copy_from_slice(text.as_bytes()));
        RecordedExchange {
            site: Some(site()),
            number: self.number,
            began: at(0),
            client: client.parse().unwrap(),
            class,
            asked: Asked {
                method: method.parse().unwrap(),
                target: target.parse().unwrap(),
                headers: lines,
                body: whole(body),
            },
            turns: Vec::new(),
            answered: Came {
                status: StatusCode::from_bytes(status.as_bytes()).unwrap(),
                headers: headers(came),
                body: whole(text),
            },
            fired: Vec::new(),
            known: std::sync::Arc::default(),
            untouched: None,
            refused: None,
            first_byte: Duration::ZERO,
            total: Duration::from_millis(12),
            bytes: 0,
            ending: Some(Ending::Whole),
        }
    }

    fn redacted(&mut self, client: &str, class: Class, start: &str, body: &str, answer: &str) -> Redacted {
        let taped = self.taped(client, class, start, body, answer);
        self.redactor.redact(&taped)
    }

    fn play(&mut self, seconds: u64, step: Step) -> Placed {
        let taped = step.taped(self);
        self.book.take(&self.redactor.redact(&taped), at(seconds))
    }

    fn sentence(&mut self, seconds: u64, flow: u64) -> Option<String> {
        self.book.tick(at(seconds));
        self.book.flow(flow).unwrap().sentence.map(Sentence::text)
    }
}

const BACKEND: &str = "203.0.113.7 python-httpx/0.28.1";
const BROWSER: &str = "198.51.100.1 Mozilla/5.0";

/// Steps of a login. The letter is whose.
#[derive(Clone, Copy)]
enum Step {
    Challenge,
    Document,
    Register(char),
    Page(char),
    Code(char),
    Token(char),
    Initialize(char),
    Tools(char),
    Refused(char),
}

impl Step {
    fn taped(self, story: &mut Story) -> RecordedExchange {
        let json = |body: String| format!("200\ncontent-type: application/json\n\n{body}");
        match self {
            Self::Challenge => {
                story.taped(BACKEND, Class::Mcp, "POST /mcp", r#"{"id":1,"method":"initialize"}"#, "401")
            }
            Self::Document => story.taped(BACKEND, Class::ServerMetadata, "GET /.well-known/x", "", "200"),
            Self::Register(c) => story.taped(
                BACKEND,
                Class::Register,
                "POST /register",
                "{}",
                &json(format!(r#"{{"client_id":"client-{c}"}}"#)),
            ),
            Self::Page(c) => {
                let target = format!("GET /authorize?client_id=client-{c}&state=state-{c}");
                story.taped(BROWSER, Class::Authorize, &target, "", "200")
            }
            Self::Code(c) => story.taped(
                BROWSER,
                Class::Other,
                &format!("POST /consent/{c}"),
                "",
                &format!("302\nlocation: https://a.example/cb?code=code-x-{c}&state=state-{c}"),
            ),
            Self::Token(c) => story.taped(
                BACKEND,
                Class::Token,
                "POST /token",
                &format!("grant_type=authorization_code&code=code-x-{c}&client_id=client-{c}"),
                &json(format!(r#"{{"access_token":"access-{c}"}}"#)),
            ),
            Self::Initialize(c) | Self::Tools(c) | Self::Refused(c) => {
                let method = if matches!(self, Self::Tools(_)) { "tools/list" } else { "initialize" };
                let start = format!("POST /mcp\nauthorization: Bearer access-{c}");
                let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
                let answer = json(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into());
                let answer = if matches!(self, Self::Refused(_)) { "401".into() } else { answer };
                story.taped(BACKEND, Class::Mcp, &start, &body, &answer)
            }
        }
    }
}

#[test]
fn a_login_is_one_flow_with_the_browser_in_it() {
    let mut story = Story::new();
    let steps = [
        Step::Challenge,
        Step::Document,
        Step::Register('a'),
        Step::Page('a'),
        Step::Code('a'),
        Step::Token('a'),
        Step::Initialize('a'),
        Step::Tools('a'),
    ];
    for (index, step) in steps.into_iter().enumerate() {
        assert_eq!(story.play(index as u64, step).flow, 1, "{index}");
    }
    let snapshot = story.book.snapshot(at(9), &[site()]);
    assert_eq!(snapshot["flows"].as_array().unwrap().len(), 1);
    let flow = &snapshot["flows"][0];
    for phase in ["discovery", "registration", "authorize", "token", "initialize", "tools"] {
        assert_eq!(flow["phases"][phase], "ok", "{phase}");
    }
    assert_eq!(flow["exchanges"].as_array().unwrap().len(), 8);
    assert_eq!(flow["exchanges"][3]["phase"], "authorize");
    assert_eq!(flow["agent"], "python-httpx/0.28.1");
    assert_eq!(story.sentence(600, 1), None);
    let text = snapshot.to_string();
    for secret in ["client-a", "state-a", "code-x-a", "access-a"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn two_logins_from_one_address_are_two_flows() {
    let mut story = Story::new();
    assert_eq!(story.play(0, Step::Register('a')).flow, 1);
    assert_eq!(story.play(1, Step::Register('b')).flow, 2);
    assert_eq!(story.play(2, Step::Page('a')).flow, 1);
    assert_eq!(story.play(3, Step::Page('b')).flow, 2);
    assert_eq!(story.play(4, Step::Code('b')).flow, 2);
    assert_eq!(story.play(5, Step::Code('a')).flow, 1);
    assert_eq!(story.play(6, Step::Token('a')).flow, 1);
    assert_eq!(story.play(7, Step::Initialize('a')).flow, 1);
    // After a while the address says nothing any more, the token still does.
    assert_eq!(story.play(2000, Step::Challenge).flow, 3);
    assert_eq!(story.play(2001, Step::Tools('a')).flow, 1);
}

#[test]
fn what_turns_out_to_be_one_login_becomes_one_flow() {
    let mut story = Story::new();
    // A client that is known beforehand: nobody has seen it when the browser comes.
    assert_eq!(story.play(0, Step::Challenge).flow, 1);
    assert_eq!(story.play(1, Step::Page('a')).flow, 2);
    assert_eq!(story.play(2, Step::Code('a')).flow, 2);
    let placed = story.play(3, Step::Token('a'));
    assert_eq!((placed.flow, placed.merged), (1, vec![2]));
    let snapshot = story.book.snapshot(at(4), &[]);
    let numbers: Vec<u64> =
        snapshot["flows"][0]["exchanges"].as_array().unwrap().iter().map(|e| e["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn sentences_say_where_it_stopped() {
    for (steps, before, after) in [
        (vec![Step::Challenge], None, Some(Sentence::AfterChallenge)),
        (vec![Step::Challenge, Step::Document], None, None),
        (vec![Step::Register('a')], None, Some(Sentence::NeverAuthorized)),
        (vec![Step::Register('a'), Step::Page('a')], None, None),
        (vec![Step::Register('a'), Step::Page('a'), Step::Code('a')], None, Some(Sentence::NoTokenRequest)),
        (
            vec![Step::Register('a'), Step::Page('a'), Step::Code('a'), Step::Token('a')],
            None,
            Some(Sentence::AfterToken),
        ),
        (vec![Step::Token('a'), Step::Initialize('a')], None, None),
        // A token from elsewhere is not its own.
        (vec![Step::Token('a'), Step::Refused('b')], None, None),
        (
            vec![Step::Token('a'), Step::Refused('a')],
            Some(Sentence::TokenRefused { ms: 12 }),
            Some(Sentence::TokenRefused { ms: 12 }),
        ),
    ] {
        let mut story = Story::new();
        let mut flow = 0;
        for (index, step) in steps.into_iter().enumerate() {
            flow = story.play(index as u64, step).flow;
        }
        assert_eq!(story.sentence(50, flow), before.map(Sentence::text));
        assert_eq!(story.sentence(70, flow), after.map(Sentence::text));
    }
    assert!(Sentence::AfterToken.text().starts_with("token 200, then nothing for 60 s"));
    assert_eq!(Sentence::NeverAuthorized.text(), "registered, then nothing: the authorize page was never opened");
    assert_eq!(Sentence::TokenRefused { ms: 7 }.text(), "401 with a token, 7 ms: the server refuses its own token");
}

#[test]
fn each_sentence_is_said_once_of_a_flow() {
    let mut story = Story::new();
    story.play(0, Step::Token('a'));
    assert_eq!(story.book.tick(at(59)).len(), 0);
    let said = story.book.tick(at(61));
    assert_eq!(said.len(), 1);
    assert!(said[0].1.is_urgent() && said[0].2["flow"]["sentence"].is_string() && said[0].2["exchange"].is_null());
    assert_eq!(story.book.tick(at(70)).len(), 0);
    // It comes back after all.
    story.play(80, Step::Initialize('a'));
    assert_eq!(story.sentence(81, 1), None);
}

#[test]
fn a_hosted_client_is_one_by_its_address() {
    let mut story = Story::new();
    story.play(0, Step::Challenge);
    assert_eq!(story.book.snapshot(at(1), &[])["sentences"][0], NOBODY);
    story.book = FlowIndex::new(Some(by_ranges(Ranges::default())), at(0), 48 << 20);
    let hosted = story.redacted("160.79.106.35 python-httpx/0.28.1", Class::Mcp, "POST /mcp", "{}", "401");
    story.book.take(&hosted, at(0));
    let snapshot = story.book.snapshot(at(1), &[]);
    assert_eq!(snapshot["flows"][0]["hosted"], "Anthropic");
    assert_eq!(snapshot["sentences"].as_array().unwrap().len(), 0);
    // Who does not know the addresses says so only if nobody came at all.
    story.book = FlowIndex::new(None, at(0), 48 << 20);
    assert_eq!(story.book.sentences(), [NOBODY]);
    story.play(0, Step::Challenge);
    assert_eq!(story.book.sentences().len(), 0);
}

#[test]
fn it_is_said_once_that_no_hosted_client_came() {
    let mut story = Story::new();
    story.play(0, Step::Challenge);
    assert!(!story.book.misses_hosted(at(599)));
    assert!(story.book.misses_hosted(at(601)));
    assert!(!story.book.misses_hosted(at(700)));
}

#[test]
fn what_can_be_said_is_written_into_the_capture() {
    let dir = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        dir: dir.path().to_owned(),
        max_bytes: 1 << 20,
        max_age: Duration::from_secs(3600),
        file_bytes: 1 << 20,
    };
    let mut story = Story::new();
    let step = Step::Register('a').taped(&mut story);
    let shared = Arc::new(Shared {
        book: Mutex::new(FlowIndex::new(None, at(0), 48 << 20)),
        sites: ArcSwap::default(),
        watchers: broadcast::channel(8).0,
        waiting: AtomicUsize::new(0),
        most_waiting: 1 << 20,
        dropped: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    let mut news = shared.watchers.subscribe();
    let files = Some(Files::new(bounds).unwrap());
    let mut keeper = Keeper { shared: shared.clone(), redactor: Redactor::new([1; 32]), known: None, files };
    keeper.take(&step, true);
    keeper.tick(SystemTime::now() + Duration::from_secs(61));
    keeper.tick(SystemTime::now() + Duration::from_secs(70));
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert_eq!(text.matches("registered, then nothing: the authorize page was never opened").count(), 1, "{text}");
    assert!(news.try_recv().unwrap().contains("\"exchange\":{"));
    assert!(news.try_recv().unwrap().contains("registered, then nothing"));
    assert!(news.try_recv().is_err());
    assert_eq!(shared.failed.load(Ordering::Relaxed), 0);
}

#[test]
fn nobody_waits_for_a_keeper_that_is_behind() {
    let setup = Setup { capture: None, hosted: None, started: at(0), memory: None };
    let flows = Flows::start(setup).unwrap();
    let mut story = Story::new();
    let taped = Step::Tools('a').taped(&mut story);
    // The book is taken, so that the keeper cannot go on.
    let book = flows.shared.book.lock().unwrap();
    for _ in 0..3000 {
        flows.ended(taped.clone());
    }
    assert!(flows.dropped() >= 3000 - 1024 - 1, "{}", flows.dropped());
    drop(book);
    flows.flush();
    assert_eq!(flows.snapshot()["flows"][0]["exchanges"].as_array().unwrap().len(), 1);
}

#[test]
fn an_open_stream_is_the_same_exchange_when_it_ends() {
    let mut story = Story::new();
    let mut open = story.redacted(BACKEND, Class::Mcp, "GET /mcp\nauthorization: Bearer access-a", "", "200");
    let ended = open.clone();
    open.ending = None;
    story.book.take(&open, at(0));
    story.play(1000, Step::Challenge);
    story.book.take(&ended, at(2000));
    let snapshot = story.book.snapshot(at(2000), &[]);
    assert_eq!(snapshot["flows"].as_array().unwrap().len(), 2);
    assert_eq!(snapshot["flows"][0]["exchanges"].as_array().unwrap().len(), 1);
    assert_eq!(snapshot["flows"][0]["exchanges"][0]["ending"], "whole");
}

#[test]
fn what_ties_exchanges_together_does_so_at_one_site_alone() {
    let mut story = Story::new();
    let other = Arc::new(SiteFacts { name: "https://other.example".into(), ..(*site()).clone() });
    for (second, site, flow) in
        [(0, Some(site()), 1), (1, Some(other.clone()), 2), (2, None, 3), (3, None, 3), (4, Some(other), 2)]
    {
        let taped = RecordedExchange { site, ..Step::Tools('a').taped(&mut story) };
        assert_eq!(story.book.take(&story.redactor.redact(&taped), at(second)).flow, flow, "{second}");
    }
}

#[test]
fn nothing_grows_without_end() {
    let mut story = Story::new();
    for round in 0..(MOST_EXCHANGES as u64 + 50) {
        story.play(round, Step::Tools('a'));
    }
    let snapshot = story.book.snapshot(at(300), &[]);
    assert_eq!(snapshot["flows"][0]["exchanges"].as_array().unwrap().len(), MOST_EXCHANGES);
    for round in 0..300_u64 {
        // Each long after the one before.
        story.play(1000 + round * 400, Step::Challenge);
    }
    let flows = story.book.snapshot(at(130_000), &[])["flows"].as_array().unwrap().len();
    assert!(flows <= 200, "{flows}");
    story.book.tick(at(400_000));
    assert_eq!(story.book.snapshot(at(400_000), &[])["flows"].as_array().unwrap().len(), 0);
}
