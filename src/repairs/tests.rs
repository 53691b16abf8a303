//! What every repair is held to, written once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{REPAIRS, RETIRED, find, nearest};
use crate::endpoint::Class;
use crate::example;
use crate::exchange::{Ask, Event, Facts, Reply, ReplyBody, Request, RequestBody, Site};
use crate::fence;
use crate::knowledge::{Knowledge, strings};
use crate::plan::{Plan, Report};
use crate::repair::{Example, Hook, Mode, Repair, SiteKind, Then};

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
        Hook::Event { .. } => {
            let mut event = Event { text: Bytes::copy_from_slice(reply.as_bytes()) };
            let report = plan.mend_event(&site, request.class, &mut event);
            Played {
                report,
                ask: None,
                answered: false,
                request,
                text: String::from_utf8(event.text.to_vec()).unwrap(),
            }
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
    if matches!(hook, Hook::Event { .. }) { text.to_owned() } else { example::normalised(text).unwrap() }
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
        if first.ask.is_some() || first.answered {
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
        assert_eq!(observed.ask, None, "{name}");
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

#[test]
fn the_fence_holds_for_every_example() {
    for_each_example(|repair, example, name| {
        let stage = Stage::new(example.site);
        let request = stage.request(example);
        if let Hook::Reply { run, .. } = repair.hook {
            let before = example::reply(example.reply).unwrap();
            let mut after = before.clone();
            run(&stage.site(), &request, &mut after);
            assert_eq!(fence::check_reply(&stage.site(), &request, &before, &after), Ok(()), "{name}");
        }
    });
}

fn any_site() -> impl Strategy<Value = SiteKind> {
    prop::sample::select(vec![
        SiteKind::Cohosted,
        SiteKind::Pathed,
        SiteKind::NoResourceMetadata,
        SiteKind::Foreign,
        SiteKind::Open,
        SiteKind::Scoped,
        SiteKind::Confidential,
        SiteKind::Bare,
        SiteKind::HalfOpen,
    ])
}

fn any_request() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "POST /mcp",
        "GET /mcp",
        "OPTIONS /mcp",
        "GET /sse",
        "GET /.well-known/oauth-protected-resource",
        "GET /.well-known/oauth-protected-resource/mcp",
        "OPTIONS /.well-known/oauth-protected-resource/mcp",
        "GET /.well-known/oauth-authorization-server",
        "HEAD /.well-known/openid-configuration",
        "POST /register",
        "POST /token",
        "GET /authorize?resource=https%3A%2F%2Fmcp.example.com%2Fmcp",
        "POST /auth/consent",
    ]);
    let registered = prop::option::of(any_registration());
    let origin = prop::option::of(prop::sample::select(vec![
        "https://claude.ai",
        "https://evil.example",
        "null",
        "https://mcp.example.com",
    ]));
    let asked = prop::option::of("(POST|DELETE|[a-z]{0,3})");
    (line, origin, asked, registered).prop_map(|(line, origin, asked, registered)| {
        let mut text = line.to_owned();
        if let Some(origin) = origin {
            text.push_str(&format!("\nOrigin: {origin}"));
        }
        if let Some(asked) = asked {
            text.push_str(&format!(
                "\nAccess-Control-Request-Method: {asked}\nAccess-Control-Request-Headers: a,{asked}"
            ));
        }
        if let Some(body) = registered.filter(|_| line == "POST /register") {
            text.push_str(&format!("\n\n{body}"));
        }
        text
    })
}

/// A registration as clients send it, more or less.
fn any_registration() -> impl Strategy<Value = String> {
    let uris = prop::sample::subsequence(
        vec![
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
            "http://localhost:1/cb",
            "http://localhost:1/cb2",
            "cursor://a/cb",
            "no url",
        ],
        0..4,
    )
    .prop_map(|uris| json!(uris));
    let method = prop::sample::select(vec!["none", "client_secret_post", "private_key_jwt", ""]).prop_map(Value::from);
    let other = (prop::sample::select(vec!["scope", "grant_types", "software_id", "jwks", "type"]), any_value());
    (prop_oneof![uris, any_value()], prop::option::of(method), prop::option::of(other)).prop_map(
        |(uris, method, other)| {
            let mut body = json!({ "redirect_uris": uris });
            if let Some(method) = method {
                body["token_endpoint_auth_method"] = method;
            }
            if let Some((name, value)) = other {
                body[name] = value;
            }
            body.to_string()
        },
    )
}

fn any_url() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "http://localhost:3000/mcp",
        "http://127.0.0.1:3000",
        "https://mcp.example.com/",
        "https://login.example.net/t?iss=x&code=1",
        "http://h/cb?code=1&iss=http%3A%2F%2Flocalhost%3A3000%2F",
        "/relative",
        "http://localhost:3000@evil.example/",
        "",
    ])
    .prop_map(str::to_owned)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["1.5", "0.0", "-1e3", "1e999", "1749600000000"])
            .prop_map(|text| serde_json::from_str(text).unwrap()),
        any_url().prop_map(Value::from),
        prop::sample::select(vec!["none", "client_secret_post", "a b", "0", "2025-06-11"]).prop_map(Value::from),
        any_refusal().prop_map(Value::from),
        Just(json!({ "client_id": "w", "client_secret": "s" })),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            inner.prop_map(|value| json!({ "a": value })),
        ]
    })
}

fn any_document() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "client_id",
        "client_secret",
        "client_secret_expires_at",
        "client_id_issued_at",
        "token_endpoint_auth_method",
        "redirect_uris",
        "grant_types",
        "scope",
        "contacts",
        "client_uri",
        "registration_client_uri",
        "resource",
        "authorization_servers",
        "issuer",
        "scopes_supported",
        "url",
        "error",
        "own",
        "error_description",
        "message",
        "detail",
        "errors",
        "success",
        "data",
        "clientId",
        "clientSecret",
        "redirectUris",
        "client_name",
        "software_version",
        "jwks",
    ]);
    prop::collection::vec((name, any_value()), 0..8).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", members.join(" , "))
    })
}

/// What servers say of registrations.
fn any_refusal() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "redirect_uris.1 is not a valid URL",
        "unsupported token_endpoint_auth_method",
        "invalid_scope",
        "Unrecognized field",
        "client_name is required",
        "expected x-www-form-urlencoded",
        "<p>No \"way\"</p><script",
        "",
    ])
    .prop_map(str::to_owned)
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let status = prop::sample::select(vec![200, 201, 202, 204, 301, 302, 400, 401, 403, 404, 415, 422, 429, 500, 503]);
    let headers = prop::collection::vec(
        prop_oneof![
            "[a-zA-Z ,=\"]{0,30}".prop_map(|value| ("www-authenticate", value)),
            Just(("www-authenticate", "Bearer realm=\"r\"".to_owned())),
            any_url().prop_map(|url| ("location", url)),
            any_url().prop_map(|url| ("link", format!("<{url}>; rel=x, <"))),
            prop::sample::select(vec!["*", "https://claude.ai", "https://evil.example", "null", "a, b"])
                .prop_map(|value| ("access-control-allow-origin", value.to_owned())),
            Just(("access-control-allow-credentials", "true".to_owned())),
            prop::sample::select(vec!["*", "authorization", "a"])
                .prop_map(|value| ("access-control-allow-headers", value.to_owned())),
            prop::sample::select(vec!["no-store", "public"]).prop_map(|value| ("cache-control", value.to_owned())),
            prop::sample::select(vec!["20", "0"]).prop_map(|length| ("content-length", length.to_owned())),
            Just(("vary", "*".to_owned())),
            Just(("set-cookie", "a=b".to_owned())),
        ],
        0..6,
    );
    let kind = prop::option::of(prop::sample::select(vec!["text/html", "text/plain"]));
    let document = prop_oneof![
        3 => any_document().prop_map(Some),
        1 => Just(None),
        1 => any_refusal().prop_map(Some),
    ];
    (status, headers, document, kind).prop_map(|(status, headers, document, kind)| {
        let mut reply = example::reply(&status.to_string()).unwrap();
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                reply.headers.append(name, value);
            }
        }
        if let Some(document) = document {
            reply.headers.insert("content-type", kind.unwrap_or("application/json").parse().unwrap());
            reply.body = match crate::edit::json::Object::parse(Bytes::from(document.clone())) {
                Ok(object) => ReplyBody::Json(object),
                Err(_) => ReplyBody::Text(Bytes::from(document)),
            };
        }
        reply
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// No panic, sound if and only if unchanged, and the second pass is clean, for any reply to any request.
    #[test]
    fn any_reply_is_mended_once(kind in any_site(), request in any_request(), reply in any_reply()) {
        let stage = Stage::new(kind);
        let request = example::request(&request, &stage.facts, &stage.known).unwrap();
        for repair in REPAIRS {
            let mut after = reply.clone();
            let (report, ask) = only(repair, Mode::Fix).mend_reply(&stage.site(), &request, &mut after, true);
            prop_assert_eq!(&report.panicked, &Vec::<&str>::new());
            let changed = example::write_reply(&after) != example::write_reply(&reply);
            prop_assert_eq!(report.mended() && ask.is_none(), changed, "{}: {:?}", repair.id, report);
            if let (Class::Register, Some(ask)) = (request.class, &ask) {
                // Never more redirect URIs than were asked for, and never none of them.
                let asked = request.json().map(|asked| strings(asked.get("redirect_uris")).unwrap_or_default());
                let again = match &ask.body {
                    Some(RequestBody::Json(again)) => strings(again.get("redirect_uris")).unwrap_or_default(),
                    _ => asked.clone().unwrap_or_default(),
                };
                let asked = asked.unwrap_or_default();
                prop_assert!(again.iter().all(|uri| asked.contains(uri)), "{}: {again:?}", repair.id);
                prop_assert!(!again.is_empty() || asked.is_empty(), "{}", repair.id);
            }
        }
        let mut first = reply;
        all().mend_reply(&stage.site(), &request, &mut first, false);
        let mut second = first.clone();
        let (report, _) = all().mend_reply(&stage.site(), &request, &mut second, false);
        prop_assert_eq!(report, Report::default(), "{}", example::write_reply(&first));
        prop_assert_eq!(example::write_reply(&first), example::write_reply(&second));
    }

    #[test]
    fn any_request_is_mended_once(kind in any_site(), request in any_request(), form in "[a-z=&%]{0,20}(&resource=https://mcp.example.com/mcp)?") {
        let stage = Stage::new(kind);
        let text = if request.starts_with("POST /token") { format!("{request}\n\n{form}") } else { request };
        let mut first = example::request(&text, &stage.facts, &stage.known).unwrap();
        let (report, answer) = all().mend_request(&stage.site(), &mut first);
        prop_assert_eq!(&report.panicked, &Vec::<&str>::new());
        if answer.is_some() {
            return Ok(());
        }
        let before = example::normalised(&text).unwrap();
        prop_assert_eq!(report.mended(), example::write_request(&first, None) != before);
        let mut second = first.clone();
        prop_assert_eq!(all().mend_request(&stage.site(), &mut second), (Report::default(), None));
    }
}
