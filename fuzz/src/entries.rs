//! What is fuzzed, a function each. They hold what must be true of any input; `cargo test` runs them too, over the seeds and
//! what little changes make of those.

use bytes::Bytes;
use http::Method;
use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::uri::PathAndQuery;
use mcp_mend::coding::{self, Coding, Decoder};
use mcp_mend::config::Config;
use mcp_mend::config::layers::Layers;
use mcp_mend::edit::challenge::Challenges;
use mcp_mend::edit::json::Object;
use mcp_mend::edit::params;
use mcp_mend::endpoint::guard::Asked;
use mcp_mend::endpoint::{self, Endpoints};
use mcp_mend::exchange::{Event, Opening, Reply, ReplyBody, Site};
use mcp_mend::jsonrpc::Envelope;
use mcp_mend::plan::Plan;
use mcp_mend::repair::{Hook, SiteKind};
use mcp_mend::repairs::REPAIRS;
use mcp_mend::{example, headers, sse};

/// A target: its name, and what is run over any input.
pub type Entry = (&'static str, fn(&[u8]));

/// All of them.
pub const ENTRIES: [Entry; 9] = [
    ("path_class", path_class),
    ("json", json),
    ("challenge", challenge),
    ("sse", sse),
    ("config_file", config_file),
    ("coding", coding),
    ("forwarded", forwarded),
    ("jsonrpc", jsonrpc),
    ("params", params),
];

const SITES: [SiteKind; 4] = [SiteKind::Cohosted, SiteKind::Foreign, SiteKind::Open, SiteKind::Bare];
const REQUESTS: [&str; 7] = [
    "GET /.well-known/oauth-protected-resource/mcp",
    "GET /.well-known/oauth-authorization-server",
    "GET /.well-known/openid-configuration\nOrigin: https://claude.ai",
    "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
    "POST /token\n\ngrant_type=refresh_token&refresh_token=r&client_id=c",
    "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}",
    "GET /sse",
];
const STATUSES: [u16; 6] = [200, 201, 400, 401, 404, 500];

/// The first bytes choose, the rest is the text.
fn choice<const N: usize>(data: &[u8]) -> ([usize; N], &[u8]) {
    let mut chosen = [0; N];
    for (slot, byte) in chosen.iter_mut().zip(data) {
        *slot = usize::from(*byte);
    }
    (chosen, data.get(N..).unwrap_or_default())
}

/// A path has one class; documents are only what every server reads as one.
pub fn path_class(data: &[u8]) {
    let Ok(target) = PathAndQuery::try_from(data) else { return };
    let endpoints = Endpoints::default();
    for mcp_path in ["/mcp", "/", "/a/b"] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let class = endpoint::classify_request(&method, &target, &HeaderMap::new(), mcp_path, &endpoints);
            let path = target.path();
            if class.is_metadata() {
                assert!(endpoint::is_plain(path), "{path}");
                assert!(path.contains("/.well-known/"), "{path}");
                assert!(!path.contains(['%', ';', '\\']) && !path.contains("//") && !path.contains("/../"), "{path}");
            }
            let query = target.query().unwrap_or_default();
            let asked = Asked { class, method: &method, path, query };
            let rules = asked.classes(mcp_path, &endpoints);
            assert!(rules.contains(class), "{path}");
            if class.is_metadata() && endpoint::canonical::is_below(path, mcp_path) {
                let is_exact = endpoint::resource_metadata_places(mcp_path)
                    .iter()
                    .chain(&endpoint::server_metadata_places(mcp_path))
                    .any(|place| place == path);
                assert!(is_exact || rules.has_messages(), "{path}");
            }
            assert!(path.ends_with(endpoint::site_path(path)) || endpoint::site_path(path) == "/");
        }
    }
}

/// A document: one member changed keeps the others; the whole registry over it panics nowhere and changes nothing unseen.
pub fn json(data: &[u8]) {
    let ([site, request, status], text) = choice(data);
    let text = Bytes::copy_from_slice(text);
    let parsed = Object::parse(text.clone());
    if let Ok(object) = &parsed {
        assert_eq!(object.to_bytes(), text);
        let mut changed = object.clone();
        changed.set("issuer", serde_json::json!("https://a.example"));
        changed.remove("scope");
        let after = Object::parse_message(changed.to_bytes()).expect("what was printed is no object");
        assert!(after.has("issuer") && !after.has("scope"));
        for name in object.names().iter().filter(|name| *name != "issuer" && *name != "scope") {
            assert_eq!(object.raw(name), after.raw(name), "{name}");
        }
    }
    let mut reply = example::reply(&STATUSES[status % STATUSES.len()].to_string()).expect("a status");
    reply.headers.insert("content-type", HeaderValue::from_static("application/json"));
    (reply.opening, reply.message) = (Opening::of(&text), Envelope::peek(&text));
    reply.body = parsed.map_or_else(|_| ReplyBody::Text(text.clone()), ReplyBody::Json);
    mend(site, request, reply);
}

/// Runs the whole registry over an answer.
fn mend(site: usize, request: usize, mut reply: Reply) {
    let kind = SITES[site % SITES.len()];
    let (facts, known) = (example::facts(kind), example::knowledge(kind));
    let request = example::request(REQUESTS[request % REQUESTS.len()], &facts, &known).expect("an example");
    let before = reply.clone();
    let site = Site { facts: &facts, known: &known };
    let (report, _) = plan().mend_reply(&site, &request, &mut reply, false);
    assert!(report.bugs.is_empty(), "{:?}", report.bugs);
    if !report.mended() {
        assert_eq!((before.status, &before.headers, &before.body), (reply.status, &reply.headers, &reply.body));
    }
}

fn plan() -> &'static Plan {
    static PLAN: std::sync::OnceLock<Plan> = std::sync::OnceLock::new();
    PLAN.get_or_init(|| Plan::new(REPAIRS, &std::collections::BTreeMap::new()))
}

/// The challenges as the lines of a head.
fn write(challenges: &Challenges, headers: &mut HeaderMap) {
    headers.remove(WWW_AUTHENTICATE);
    for line in challenges.lines() {
        headers.append(WWW_AUTHENTICATE, line);
    }
}

/// Challenges: what was read is written so that it is read the same.
pub fn challenge(data: &[u8]) {
    let ([site, status], text) = choice(data);
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(20) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    let first = Challenges::read(&headers);
    let mut written = HeaderMap::new();
    write(&first, &mut written);
    let second = Challenges::read(&written);
    let mut again = HeaderMap::new();
    write(&second, &mut again);
    assert_eq!(written, again);
    for line in written.get_all(WWW_AUTHENTICATE) {
        let is_visible = line.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte));
        let has_come = |came: &HeaderValue| came.as_bytes().windows(line.len()).any(|part| part == line.as_bytes());
        assert!(is_visible || headers.get_all(WWW_AUTHENTICATE).iter().any(has_come), "{line:?}");
    }
    let mut reply = example::reply(&STATUSES[status % STATUSES.len()].to_string()).expect("a status");
    for line in headers.get_all(WWW_AUTHENTICATE) {
        reply.headers.append(WWW_AUTHENTICATE, line.clone());
    }
    mend(site, 5, reply);
}

/// Streams: however they come in pieces, the same bytes go out, and events end in a blank line.
pub fn sse(data: &[u8]) {
    let ([first, second], text) = choice(data);
    let mut splitter = sse::Splitter::default();
    let mut out = Vec::new();
    let mut rest = text;
    let sizes = [first % 7 + 1, second % 50 + 1];
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(rest.len().min(*size));
        rest = behind;
        splitter.push(Bytes::copy_from_slice(piece));
        if first == 255 && splitter.len() > 100 && !splitter.is_passing() {
            out.extend_from_slice(&splitter.let_pass());
        }
        while let Some(event) = if splitter.is_passing() { splitter.next_passing() } else { splitter.next_event() } {
            assert!(splitter.is_passing() || event.ends_with(b"\n") || event.ends_with(b"\r"), "{event:?}");
            out.extend_from_slice(&event);
            if splitter.is_passing() {
                break;
            }
        }
    }
    out.extend_from_slice(&splitter.take_rest());
    assert_eq!(out, text);
    let whole = Bytes::copy_from_slice(text);
    for event in sse::events(&whole) {
        for name in ["data", "event", "id"] {
            if sse::field(&event, name).is_none() {
                continue;
            }
            let set = sse::with_field(&event, name, "a");
            assert_eq!(sse::field(&set, name).as_deref(), Some("a"), "{:?}", String::from_utf8_lossy(&set));
            assert_eq!(sse::field(&sse::without_field(&event, name), name), None);
        }
        mend_event(&event);
    }
}

fn mend_event(text: &Bytes) {
    let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
    for request in [REQUESTS[5], REQUESTS[6]] {
        let request = example::request(request, &facts, &known).expect("an example");
        let head = example::reply("200\nContent-Type: text/event-stream").expect("a status");
        let mut event = Event::arrived(text.clone());
        let site = Site { facts: &facts, known: &known };
        let (report, _) = plan().mend_event(&site, &request, &head, &mut event);
        assert!(report.bugs.is_empty(), "{:?}", report.bugs);
        assert!(report.mended() || event.text == *text);
    }
}

/// A configuration file: settings or complaints, each of one line.
pub fn config_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (mut layers, mut complaints) = (Layers::default(), Vec::new());
    layers.take_file("proxy.toml", text, &mut complaints);
    if let Err(complaints) = Config::check(&layers, complaints) {
        assert!(!complaints.is_empty());
        for complaint in complaints {
            assert!(!complaint.message.is_empty() && !complaint.place.is_empty(), "{complaint:?}");
        }
    }
}

/// Codings: never more than the cap, and the same in pieces.
pub fn coding(data: &[u8]) {
    const MOST: usize = 256 * 1024;
    let ([kind, size], body) = choice(data);
    let coding = [Coding::Gzip, Coding::Deflate, Coding::Brotli][kind % 3];
    let whole = coding::decode(coding, body, MOST);
    if let Ok(plain) = &whole {
        assert!(plain.len() <= MOST);
    }
    let (mut decoder, mut pieces) = (Decoder::new(coding), Vec::new());
    let mut all = || {
        for piece in body.chunks(size % 40 + 1) {
            pieces.extend_from_slice(&decoder.push(piece, MOST)?);
        }
        pieces.extend_from_slice(&decoder.finish(MOST)?);
        Ok::<_, coding::Undecodable>(())
    };
    if let (Ok(()), Ok(plain)) = (all(), whole) {
        assert_eq!(pieces, plain);
    }
}

/// Who the client is: never somebody behind a hop that nobody trusts.
pub fn forwarded(data: &[u8]) {
    const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    let mut headers = HeaderMap::new();
    for (number, line) in data.split(|byte| *byte == b'\n').take(6).enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(if number % 2 == 0 { X_FORWARDED_FOR } else { FORWARDED }, value);
        }
    }
    let peer = "10.0.0.1".parse().expect("an address");
    let nobody = headers::forwarded::client(peer, &headers, |_| false);
    let own = headers::forwarded::client(peer, &headers, |address| address == peer);
    if headers.is_empty() {
        assert_eq!((nobody, own), (Some(peer), Some(peer)));
    }
    // Whoever is named is written down somewhere, if it is not the peer.
    let text = String::from_utf8_lossy(data).into_owned();
    for found in [nobody, own].into_iter().flatten().filter(|found| *found != peer && found.is_ipv4()) {
        let octets = found.to_string();
        let last = octets.rsplit('.').next().unwrap_or_default();
        assert!(text.contains(last), "{found} in {text:?}");
    }
}

/// Messages: a peek says what parsing says, and its beginning never more than the whole.
pub fn jsonrpc(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    let start = Envelope::peek_start(&text);
    let _ = (start.is_request(), start.is_response(), start.has_id());
    let Some(envelope) = Envelope::peek(&text) else { return };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    if let Some(method) = value.get("method").and_then(serde_json::Value::as_str) {
        assert!(envelope.is(method), "{method}");
    }
    if envelope.has_id() {
        assert!(value.get("id").is_some_and(|id| !id.is_null()));
    }
    let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
    let request = example::request(REQUESTS[5], &facts, &known).expect("an example");
    let site = Site { facts: &facts, known: &known };
    let (report, _) = plan().mend_message(&site, &request, &text);
    assert!(report.bugs.is_empty(), "{:?}", report.bugs);
}

/// Parameters: one that is set is read back, and the others stay.
pub fn params(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut set = params::without(text, "code").unwrap_or(text.to_owned());
    set = params::with(&set, "code", "a b&c=%");
    assert_eq!(params::get(&set, "code").as_deref(), Some("a b&c=%"), "{set}");
    let without = params::without(&set, "code").unwrap_or(set);
    assert!(!params::has(&without, "code"), "{without}");
    for name in params::names(text).filter(|name| !name.is_empty() && name != "code") {
        assert_eq!(params::get(text, &name), params::get(&without, &name), "{name}");
    }
}

/// What the registry's examples are to a target.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for example in REPAIRS.iter().flat_map(|repair| repair.examples.iter().map(move |example| (repair, example))) {
        let (repair, example) = example;
        let (request, reply) = (example.request, example.reply);
        let body = |text: &str| text.split_once("\n\n").map(|(_, body)| body.to_owned());
        let line = request.lines().next().unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        match target {
            "path_class" => seeds.push(path.into()),
            "params" => seeds.extend(path.split_once('?').map(|(_, query)| query.into())),
            "json" => seeds.extend([body(request), body(reply)].into_iter().flatten().map(|body| {
                let request = REQUESTS.iter().position(|known| known.starts_with(line)).unwrap_or(5);
                [&[0, request as u8, 0][..], body.as_bytes()].concat()
            })),
            "challenge" => {
                let lines = reply.lines().filter_map(|line| line.strip_prefix("WWW-Authenticate: "));
                let lines: Vec<&str> = lines.collect();
                if !lines.is_empty() {
                    seeds.push(format!("\0\x03{}", lines.join("\n")).into());
                }
            }
            "sse" if matches!(repair.hook, Hook::Event { .. } | Hook::Silence { .. }) => {
                seeds.push(format!("\x02\x09{reply}").into());
            }
            "jsonrpc" => seeds.extend([body(request), body(reply)].into_iter().flatten().map(Into::into)),
            _ => {}
        }
    }
    match target {
        "config_file" => seeds.push(include_bytes!("../../proxy.example.toml").to_vec()),
        "coding" => seeds.extend(CODED.iter().map(|seed| seed.to_vec())),
        "forwarded" => seeds.extend(FORWARDING.iter().map(|seed| seed.as_bytes().to_vec())),
        "sse" => seeds.push(b"\x03\x10: hi\r\n\r\ndata: a\rdata: b\r\rid: 1\nevent: message\ndata\n\n\n".to_vec()),
        _ => {}
    }
    seeds.sort();
    seeds.dedup();
    seeds
}

/// `{"a":1}` in each coding, and what they begin with.
const CODED: [&[u8]; 4] = [
    b"\x00\x05\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabVJT\xb22\xac\x05\x00\x81\xc5\xad\xda\x07\x00\x00\x00",
    b"\x01\x05x\x9c\xabVJT\xb22\xac\x05\x00\x08\xd7\x02\x11",
    b"\x01\x05\xabVJT\xb22\xac\x05\x00",
    b"\x02\x05\x0b\x03\x80{\"a\":1}\x03",
];
const FORWARDING: [&str; 4] = [
    "9.9.9.9, 8.8.8.8\nfor=8.8.8.8",
    "\"[2001:db8::1]:80\"\nfor=\"[2001:db8::1]:80\";proto=https, for=_hidden",
    "unknown\nfor=unknown",
    "10.0.0.1:80\nFor=10.0.0.1;by=\"a;b,c\"\n1.2.3.4",
];
