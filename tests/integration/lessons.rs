//! What passing traffic teaches (`mcp_mend::lesson`): every kind from its evidence, and none from what a stranger can cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_mend::lesson::Lesson;
use serde_json::{Value, json as value};

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, json, post, reply, soon};

const SERVER: &str = "/.well-known/oauth-authorization-server";
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
const DISCOVERED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}"#;
const JSON: &str = "Content-Type: application/json";
const BOTH: &str = "Accept: application/json, text/event-stream";
const NEWEST: &str = "Mcp-Protocol-Version: 2026-07-28";
const IN_NOBODYS_NAME: &str = "client_id=a&response_type=code&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&state=s";

fn is_evil(request: &Message) -> bool {
    request.get("x-evil").is_some()
}

/// Which of several evil answers the caller wants: the number in `X-Evil`.
fn number(request: &Message) -> usize {
    request.get("x-evil").and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn here(request: &Message) -> String {
    format!("http://{}", request.get("host").unwrap_or_default())
}

fn server_document(request: &Message) -> Vec<u8> {
    let here = here(request);
    let document = value!({
        "issuer": here, "authorization_endpoint": format!("{here}/authorize"), "token_endpoint": format!("{here}/token"),
        "registration_endpoint": format!("{here}/register"), "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"], "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": true,
    });
    json("200 OK", &document.to_string())
}

/// A server with a login, whose other answers the function gives.
async fn server(answer: impl Fn(&Message) -> Option<Vec<u8>> + Send + Sync + 'static) -> (Upstream, Proxy) {
    let upstream = Upstream::answering(move |request| {
        let given = answer(request);
        given.unwrap_or_else(|| match request.target() {
            SERVER => server_document(request),
            "/mcp" => reply("401 Unauthorized", &[], ""),
            _ => reply("404 Not Found", &[], ""),
        })
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    (upstream, proxy)
}

fn holds(proxy: &Proxy, lesson: Lesson) -> bool {
    let sites = proxy.running.as_ref().unwrap().sites();
    sites.first().learner.lessons().get(lesson).is_some()
}

/// How often something became of a lesson.
fn counted(proxy: &Proxy, lesson: Lesson, fate: &str) -> u64 {
    let sites = proxy.running.as_ref().unwrap().sites();
    sites.first().counters.by_lesson().find(|one| (one.0, one.1) == (lesson.id(), fate)).map_or(0, |one| one.2)
}

/// Waits until something has become of a lesson so often. What passes meanwhile teaches nothing.
async fn until(proxy: &Proxy, lesson: Lesson, fate: &str, times: u64) {
    soon(async {
        while counted(proxy, lesson, fate) < times {
            proxy.ask(get("/x", &[])).await;
        }
    })
    .await;
}

fn message(text: &str, headers: &[&str]) -> Vec<u8> {
    post("/mcp", &[&[JSON, BOTH], headers].concat(), text)
}

fn discover() -> String {
    value!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "a", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }}})
    .to_string()
}

/// What is said of `member` in the metadata.
async fn said(proxy: &Proxy, member: &str) -> Value {
    proxy.ask(get(SERVER, &[])).await.json()[member].clone()
}

#[tokio::test]
async fn no_stranger_teaches_anything() {
    for lesson in Lesson::ALL {
        // Another kind of lesson is another line here.
        match lesson {
            Lesson::Moved => moved_by_a_stranger().await,
            Lesson::Legacy => legacy_by_a_stranger().await,
            Lesson::SendsIss => iss_by_a_stranger().await,
            Lesson::RefusesDocuments => documents_by_a_stranger().await,
            Lesson::ReturnsDirectly => way_back_by_a_stranger().await,
        }
    }
}

#[tokio::test]
async fn each_is_learned_from_its_evidence_and_shown() {
    for lesson in Lesson::ALL {
        let (_upstream, proxy) = match lesson {
            Lesson::Moved => moved().await,
            Lesson::Legacy => legacy().await,
            Lesson::SendsIss => sends_iss().await,
            Lesson::RefusesDocuments => refuses_documents().await,
            Lesson::ReturnsDirectly => returns_directly().await,
        };
        until(&proxy, lesson, "learned", 1).await;
        assert!(holds(&proxy, lesson), "{}", lesson.id());
        let shown = proxy.running.as_ref().unwrap().vitals().lessons();
        let shown: Vec<&Value> = shown.as_array().unwrap().iter().filter(|one| one["lesson"] == lesson.id()).collect();
        assert_eq!(shown.len(), 1, "{}", lesson.id());
        for member in ["site", "changes", "evidence", "learned", "until", "forgotten"] {
            assert!(shown[0][member].is_string(), "{}: {member}", lesson.id());
        }
    }
}

async fn moved() -> (Upstream, Proxy) {
    let (upstream, proxy) = server(|request| match request.target() {
        "/mcp" => Some(reply("307 Temporary Redirect", &["Location: /mcp/"], "")),
        "/mcp/" => Some(json("200 OK", RESULT)),
        _ => None,
    })
    .await;
    assert_eq!(proxy.ask(message(CALL, &["Authorization: Bearer a"])).await.status(), 200);
    (upstream, proxy)
}

/// Redirects that one caller causes, by a token or a header of his own, send nobody else anywhere: not even those of a tenant
/// whose messages are taken where the redirect leads.
async fn moved_by_a_stranger() {
    const PLACES: [&str; 6] = ["/", "/evil/mcp", "/mcp/?tenant=evil", "/mcp//", "/evil/mcp/", "/mcp/"];
    let (upstream, proxy) = server(|request| match request.target() {
        "/mcp" if is_evil(request) => {
            Some(reply("307 Temporary Redirect", &[&format!("Location: {}", PLACES[number(request)])], ""))
        }
        "/mcp" => Some(json("200 OK", RESULT)),
        _ if is_evil(request) => Some(json("200 OK", RESULT)),
        // The last is the place of one tenant alone.
        "/mcp/" => Some(reply("403 Forbidden", &[], "")),
        _ => None,
    })
    .await;
    for (evil, place) in PLACES.iter().enumerate() {
        proxy.ask(message(CALL, &[&format!("X-Evil: {evil}")])).await;
        if *place == "/mcp/" {
            until(&proxy, Lesson::Moved, "rejected", 1).await;
        }
        assert!(!holds(&proxy, Lesson::Moved), "{place}");
        let answer = proxy.ask(message(CALL, &["Authorization: Bearer victim"])).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, RESULT), "{place}");
    }
    let victims = upstream.seen();
    let mut victims = victims.iter().filter(|seen| seen.get("authorization") == Some("Bearer victim"));
    assert!(victims.all(|seen| seen.target() == "/mcp"));
}

#[tokio::test]
async fn where_messages_moved_to_is_forgotten_when_it_is_gone() {
    let gone = ["404 Not Found", "500 Internal Server Error", "307 Temporary Redirect"].map(|gone| async move {
        let is_back = Arc::new(AtomicBool::new(false));
        let back = is_back.clone();
        let upstream = Upstream::answering(move |request| match (request.target(), back.load(Ordering::SeqCst)) {
            ("/mcp", false) => reply("307 Temporary Redirect", &["Location: /mcp/"], ""),
            ("/mcp", true) | ("/mcp/", false) => json("200 OK", RESULT),
            ("/mcp/", true) => reply(gone, &["Location: /mcp"], ""),
            _ => reply("404 Not Found", &[], ""),
        })
        .await;
        // So that there may be a doubt after a sixteenth of a minute.
        let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).set("limits.learned_seconds", "30").start();
        let call = || message(CALL, &[]);
        proxy.ask(call()).await;
        until(&proxy, Lesson::Moved, "learned", 1).await;
        is_back.store(true, Ordering::SeqCst);
        soon(async {
            // What is redirected the other way is learned anew.
            let is_over =
                || counted(&proxy, Lesson::Moved, "forgotten") == 1 || counted(&proxy, Lesson::Moved, "learned") == 2;
            while !is_over() {
                proxy.ask(call()).await;
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(proxy.ask(call()).await.text(), RESULT, "{gone}");
    });
    let [one, two, three] = gone;
    tokio::join!(one, two, three);
}

/// A server that lets no stranger in refuses the proxy's own ping. What a stranger sends there, and any other bad message, changes
/// nothing for those who log in: long messages are not held here, so that a redirect would reach the client.
#[tokio::test]
async fn where_messages_moved_to_is_known_at_servers_with_a_login_and_kept_when_messages_fail() {
    const OWN: &str = "Authorization: Bearer a";
    let (_upstream, proxy) = server(|request| match request.target() {
        "/mcp" => Some(reply("307 Temporary Redirect", &["Location: /mcp/"], "")),
        "/mcp/" if request.get("authorization").is_none() => Some(reply("401 Unauthorized", &[], "")),
        "/mcp/" if request.text() == "{" => Some(reply("400 Bad Request", &[], "")),
        "/mcp/" if is_evil(request) => Some(reply("500 Internal Server Error", &[], "")),
        "/mcp/" => Some(json("200 OK", RESULT)),
        _ => None,
    })
    .await;
    assert_eq!(proxy.ask(message(CALL, &[OWN])).await.status(), 200);
    until(&proxy, Lesson::Moved, "learned", 1).await;
    for (text, headers, status) in
        [("{", &[OWN][..], 400), (CALL, &[], 401), ("{", &[], 401), (CALL, &[OWN, "X-Evil: 0"], 500)]
    {
        assert_eq!(proxy.ask(message(text, headers)).await.status(), status, "{text} {headers:?}");
        assert!(holds(&proxy, Lesson::Moved), "{text} {headers:?}");
    }
    let long = CALL.replace("tools/list", &format!("tools/list\",\"x\":\"{}", "x".repeat(3 << 20)));
    assert_eq!(proxy.ask(message(&long, &[OWN])).await.status(), 200);
}

/// Only of strangers is it known that they are redirected: a caller with a token may be served elsewhere.
#[tokio::test]
async fn a_caller_for_whom_nothing_moved_is_served_where_he_asks() {
    let (upstream, proxy) = server(|request| match (request.target(), request.get("authorization")) {
        ("/mcp", None) => Some(reply("307 Temporary Redirect", &["Location: /mcp/"], "")),
        ("/mcp/", None) => Some(json("200 OK", RESULT)),
        ("/mcp", Some(_)) => Some(json("200 OK", RESULT)),
        ("/mcp/", Some(_)) => Some(reply("500 Internal Server Error", &[], "")),
        _ => None,
    })
    .await;
    proxy.ask(message(CALL, &[])).await;
    until(&proxy, Lesson::Moved, "learned", 1).await;
    for _ in 0..3 {
        assert_eq!(proxy.ask(message(CALL, &["Authorization: Bearer victim"])).await.text(), RESULT);
        assert_eq!(proxy.ask(message(CALL, &[])).await.text(), RESULT);
        assert!(holds(&proxy, Lesson::Moved));
    }
    let seen = upstream.seen();
    let last: Vec<&str> = seen.iter().rev().take(6).map(Message::target).collect();
    assert_eq!(last, ["/mcp/", "/mcp", "/mcp/", "/mcp", "/mcp/", "/mcp"], "a stranger goes there at once");
}

async fn legacy() -> (Upstream, Proxy) {
    let (upstream, proxy) = server(|request| {
        let unknown = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
        (request.target() == "/mcp").then(|| match request.text().contains("server/discover") {
            true => json("404 Not Found", unknown),
            false => json("200 OK", RESULT),
        })
    })
    .await;
    proxy.ask(message(&discover(), &[NEWEST])).await;
    (upstream, proxy)
}

/// Probes that are answered badly, because of what is in them or of who asks, change nothing for other probes.
async fn legacy_by_a_stranger() {
    const CODES: [i32; 5] = [-32600, -32601, -32000, -32700, -32602];
    let (upstream, proxy) = server(|request| {
        let error = value!({"jsonrpc": "2.0", "id": 1, "error": {"code": CODES[number(request)], "message": "no"}});
        let evil = || json("400 Bad Request", &error.to_string());
        (request.target() == "/mcp").then(|| match () {
            () if is_evil(request) => evil(),
            // As the SDKs answer.
            () if request.text().contains("\"1.0\"") => evil(),
            () => json("200 OK", DISCOVERED),
        })
    })
    .await;
    let malformed = discover().replace("\"2.0\"", "\"1.0\"");
    for evil in 0..CODES.len() {
        for text in [discover(), malformed.clone()] {
            proxy.ask(message(&text, &[NEWEST, &format!("X-Evil: {evil}")])).await;
        }
        proxy.ask(message(&malformed, &[NEWEST])).await;
        let answer = proxy.ask(message(&discover(), &[NEWEST, "Authorization: Bearer victim"])).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, DISCOVERED), "{evil}");
    }
    // Its answer to the proxy's own probe has come: the upstream knows it.
    upstream
        .wait(|seen| seen.iter().any(|seen| seen.text().contains(r#""id":"mcp-mend","method":"server/discover""#)))
        .await;
    let answer = proxy.ask(message(&discover(), &[NEWEST, "Authorization: Bearer victim"])).await;
    assert_eq!(answer.text(), DISCOVERED);
    assert!(!holds(&proxy, Lesson::Legacy) && counted(&proxy, Lesson::Legacy, "learned") == 0);
}

/// One caller's probe hangs: the proxy's own is answered.
#[tokio::test]
async fn a_silence_that_one_caller_causes_is_nobody_elses() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if is_evil(&request) {
                conn.until_closed().await;
                return;
            }
            conn.send(json("200 OK", DISCOVERED)).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    proxy.ask(message(&discover(), &[NEWEST, "X-Evil: 1"])).await;
    upstream
        .wait(|seen| seen.iter().any(|seen| seen.text().contains(r#""id":"mcp-mend","method":"server/discover""#)))
        .await;
    assert_eq!(proxy.ask(message(&discover(), &[NEWEST])).await.text(), DISCOVERED);
    assert!(!holds(&proxy, Lesson::Legacy));
}

fn iss(request: &Message) -> String {
    here(request).replace(':', "%3A").replace('/', "%2F")
}

async fn sends_iss() -> (Upstream, Proxy) {
    let (upstream, proxy) = server(|request| {
        let to = format!("Location: https://client.example/cb?code=0123456789&state=s&iss={}", iss(request));
        request.target().starts_with("/authorize?").then(|| reply("302 Found", &[&to], ""))
    })
    .await;
    assert_eq!(said(&proxy, "authorization_response_iss_parameter_supported").await, Value::Null);
    proxy.ask(get(&format!("/authorize?{IN_NOBODYS_NAME}"), &[])).await;
    assert_eq!(said(&proxy, "authorization_response_iss_parameter_supported").await, true);
    (upstream, proxy)
}

/// The value of a parameter, decoded.
fn parameter(text: &str, name: &str) -> Option<String> {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
}

/// Responses that the caller wrote himself, into a redirect URI or a form, promise nothing.
async fn iss_by_a_stranger() {
    let (upstream, proxy) = server(|request| {
        let body = request.text();
        let carried = parameter(request.target(), "redirect_uri").or_else(|| parameter(&body, "next"));
        let registered = format!("https://evil.example/cb?iss={}&code=0123456789&state=s", iss(request));
        let to = match (request.target().split('?').next(), carried) {
            (Some("/authorize" | "/approve"), None) => registered,
            (Some("/authorize"), Some(to)) if to.contains('?') => format!("{to}&error=access_denied"),
            (Some("/authorize"), Some(to)) => format!("{to}?error=invalid_scope&state=s&iss={}", iss(request)),
            (Some("/go" | "/login"), Some(to)) => to,
            (Some("/back"), _) => request.get("referer").unwrap_or_default().to_owned(),
            _ => return None,
        };
        Some(reply("302 Found", &[&format!("Location: {to}")], ""))
    })
    .await;
    let own = iss(&Message { headers: vec![("host".into(), upstream.address.to_string())], ..Message::default() });
    let response = format!("https://evil.example/cb?code=0123456789&state=s&iss={own}");
    let encoded: String = url::form_urlencoded::byte_serialize(response.as_bytes()).collect();
    let form = "Content-Type: application/x-www-form-urlencoded";
    for request in [
        get(&format!("/authorize?client_id=a&redirect_uri={encoded}"), &[]),
        get(&format!("/authorize?{IN_NOBODYS_NAME}"), &[]),
        // The redirect URI that it has registered has an `iss` in its query.
        get("/authorize?client_id=a&response_type=code&state=s", &[]),
        post("/approve", &[form], "transaction=1&approve=yes"),
        get(&format!("/go?redirect_uri={encoded}"), &[]),
        post(&format!("/go?redirect_uri={encoded}"), &[form], "a=b"),
        post("/login", &[form], &format!("next={encoded}")),
        post("/login", &["Content-Type: text/plain"], &format!("next={encoded}")),
        post("/back", &[form, &format!("Referer: {response}")], "a=b"),
    ] {
        let answer = proxy.ask(&request).await;
        assert_eq!(answer.status(), 302, "{}", String::from_utf8_lossy(&request));
        let flag = said(&proxy, "authorization_response_iss_parameter_supported").await;
        assert_eq!(flag, Value::Null, "{}", String::from_utf8_lossy(&request));
        assert!(!holds(&proxy, Lesson::SendsIss));
    }
}

/// Once it is promised, the responses that lack it get it, successes and errors alike, as long as it is promised. So a
/// promise that somebody brought about by a trick harms nobody.
#[tokio::test]
async fn what_the_proxy_promises_comes() {
    let (_upstream, proxy) = server(|request| {
        let to = match request.target().split('?').next() {
            Some("/authorize") => format!("code=0123456789&state=s&iss={}", iss(request)),
            Some("/denied") => "error=access_denied&state=s".to_owned(),
            Some("/without") => "code=0123456789&state=s".to_owned(),
            _ => return None,
        };
        Some(reply("302 Found", &[&format!("Location: https://client.example/cb?{to}")], ""))
    })
    .await;
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let ask = |target: &'static str| proxy.ask(post(target, &form, "approve=yes"));
    said(&proxy, "issuer").await;
    let iss = |answer: Message| parameter(answer.get("location").unwrap(), "iss");
    assert_eq!(iss(ask("/denied").await), None);
    let response = proxy.ask(get(&format!("/authorize?{IN_NOBODYS_NAME}"), &[])).await;
    assert_eq!(iss(response).as_deref(), Some(PUBLIC));
    assert_eq!(iss(ask("/denied").await).as_deref(), Some(PUBLIC));
    assert!(holds(&proxy, Lesson::SendsIss));
    for _ in 0..3 {
        assert_eq!(iss(ask("/without").await).as_deref(), Some(PUBLIC));
        assert_eq!(said(&proxy, "authorization_response_iss_parameter_supported").await, true);
    }
    assert!(holds(&proxy, Lesson::SendsIss));
}

async fn refuses_documents() -> (Upstream, Proxy) {
    let (upstream, proxy) = server(|request| {
        request.target().starts_with("/authorize").then(|| json("400 Bad Request", r#"{"error":"invalid_client"}"#))
    })
    .await;
    assert_eq!(said(&proxy, "client_id_metadata_document_supported").await, true);
    proxy.ask(get("/authorize?response_type=code&client_id=https%3A%2F%2Fclient.example%2Fid.json", &[])).await;
    until(&proxy, Lesson::RefusesDocuments, "learned", 1).await;
    assert_eq!(said(&proxy, "client_id_metadata_document_supported").await, false);
    let asked = upstream.seen();
    let mut asked = asked.iter().filter(|seen| seen.get("user-agent").is_some_and(|agent| agent.contains("mcp-mend")));
    assert!(asked.all(|seen| !seen.target().contains("client.example")), "nothing of the stranger's is asked");
    (upstream, proxy)
}

/// Documents that are refused because they are no good, or at a bad moment, say nothing of good ones.
async fn documents_by_a_stranger() {
    for status in ["200 OK", "302 Found", "401 Unauthorized", "503 Service Unavailable", "429 Too Many Requests"] {
        let (upstream, proxy) = server(move |request| {
            let client = parameter(request.target(), "client_id")?;
            let location = ["Location: https://client.example/cb?error=x"];
            match client.as_str() {
                "https://x.invalid/c" => Some(json("400 Bad Request", r#"{"error":"invalid_client"}"#)),
                _ => Some(reply(status, &location, "<p>")),
            }
        })
        .await;
        assert_eq!(said(&proxy, "client_id_metadata_document_supported").await, true);
        for _ in 0..3 {
            let answer = proxy.ask(get("/authorize?client_id=https%3A%2F%2Fx.invalid%2Fc", &[])).await;
            assert_eq!(answer.status(), 400);
        }
        let own = |seen: &Message| seen.target().starts_with("/authorize?response_type=code&client_id=https");
        upstream.wait(|seen| seen.iter().any(own)).await;
        assert_eq!(said(&proxy, "client_id_metadata_document_supported").await, true, "{status}");
        assert!(!holds(&proxy, Lesson::RefusesDocuments), "{status}");
        assert_eq!(upstream.seen().iter().filter(|seen| own(seen)).count(), 1, "{status}: it is asked once");
    }
}

async fn returns_directly() -> (Upstream, Proxy) {
    let (upstream, proxy) = server(|request| {
        let to = format!("Location: https://login.example.net/?client_id=b&redirect_uri={}%2Fcallback", iss(request));
        request.target().starts_with("/authorize").then(|| reply("302 Found", &[&to], ""))
    })
    .await;
    proxy.ask(get(&format!("/authorize?{IN_NOBODYS_NAME}"), &[])).await;
    (upstream, proxy)
}

async fn way_back_by_a_stranger() {
    let (upstream, proxy) = server(|request| {
        let to = parameter(request.target(), "redirect_uri")?;
        Some(reply("302 Found", &[&format!("Location: {to}&error=x")], ""))
    })
    .await;
    let to = format!("https://evil.example/?redirect_uri=http%3A%2F%2F{}%2Fcallback", upstream.address);
    let encoded: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
    let answer = proxy.ask(get(&format!("/authorize?client_id=a&redirect_uri={encoded}"), &[])).await;
    assert_eq!(answer.status(), 302);
    assert!(!holds(&proxy, Lesson::ReturnsDirectly));
}
