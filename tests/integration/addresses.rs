//! Several addresses of one upstream, and Unix sockets: sessions stay where they began, what fails is left out, and nothing
//! is sent twice.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::kit::{Message, Proxy, Upstream, get, json, ok, post, reply, soon};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;

/// An upstream that keeps its sessions in memory.
async fn with_sessions(name: usize) -> Upstream {
    let (sessions, next) = (Mutex::new(HashSet::new()), AtomicUsize::new(0));
    Upstream::answering(move |request| {
        let mut sessions = sessions.lock().unwrap();
        match request.get("mcp-session-id") {
            None if request.text().contains("initialize") => {
                let id = format!("{name}-{}", next.fetch_add(1, Ordering::SeqCst));
                sessions.insert(id.clone());
                let result = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
                reply("200 OK", &["Content-Type: application/json", &format!("Mcp-Session-Id: {id}")], result)
            }
            Some(id) if sessions.contains(id) => json("200 OK", PONG),
            _ => json("404 Not Found", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#),
        }
    })
    .await
}

fn among(upstreams: &[&Upstream]) -> Proxy {
    let addresses: Vec<String> = upstreams.iter().map(|upstream| upstream.address.to_string()).collect();
    Proxy::to_url("http://mcp.internal:9").set("upstream.addresses", addresses.join(",")).start()
}

fn message(text: &str, session: Option<&str>) -> Vec<u8> {
    let session = session.map(|id| format!("Mcp-Session-Id: {id}"));
    let mut headers = vec!["Content-Type: application/json", "Accept: application/json, text/event-stream"];
    headers.extend(session.as_deref());
    post("/mcp", &headers, text)
}

#[tokio::test]
async fn sessions_stay_where_they_began_and_the_loss_of_one_loses_its_own() {
    let upstreams = [with_sessions(0).await, with_sessions(1).await, with_sessions(2).await];
    let all: Vec<&Upstream> = upstreams.iter().collect();
    let replicas = [among(&all), among(&all)];
    let mut clients = [replicas[0].connect().await, replicas[1].connect().await];
    let mut sessions: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..300 {
        let client = &mut clients[number % 2];
        client.send(message(INITIALIZE, None)).await;
        let answer = client.reply().await;
        let id = answer.get("mcp-session-id").unwrap().to_owned();
        let at = id.split('-').next().unwrap().parse().unwrap();
        sessions.insert(id, at);
    }
    assert_eq!(sessions.len(), 300);
    for at in 0..3 {
        assert_eq!(sessions.values().filter(|have| **have == at).count(), 100, "turns are taken");
    }
    for client in &mut clients {
        for id in sessions.keys() {
            client.send(message(PING, Some(id))).await;
            assert_eq!(client.reply().await.status(), 200, "{id}");
        }
    }
    let [first, _second, _third] = upstreams;
    let gone = first.address;
    drop(first);
    while tokio::net::TcpStream::connect(gone).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for client in &mut clients {
        for (id, at) in &sessions {
            client.send(message(PING, Some(id))).await;
            let answer = client.reply().await;
            let (ours, expected) = (answer.status(), if *at == 0 { 404 } else { 200 });
            // A message that was on its way to the one that died may be lost; it is never sent elsewhere as well.
            assert!(ours == expected || (*at == 0 && ours == 502), "{id}: {ours}");
        }
        client.send(message(INITIALIZE, None)).await;
        assert_eq!(client.reply().await.status(), 200);
    }
}

#[tokio::test]
async fn the_upstream_sees_its_own_id_and_its_own_host() {
    let (one, two) = (with_sessions(1).await, with_sessions(2).await);
    let proxy = among(&[&one, &two]);
    let id = proxy.ask(message(INITIALIZE, None)).await.get("mcp-session-id").unwrap().to_owned();
    assert!(id.contains(".at-"), "{id}");
    proxy.ask(message(PING, Some(&id))).await;
    let seen: Vec<Message> = one.seen().into_iter().chain(two.seen()).collect();
    assert_eq!(seen[1].get("mcp-session-id"), id.split(".at-").next());
    assert!(seen.iter().all(|seen| seen.get("host") == Some("mcp.internal:9")));
}

#[tokio::test]
async fn with_one_address_an_id_is_as_it_was() {
    let upstream = with_sessions(1).await;
    let id = |answer: Message| answer.get("mcp-session-id").unwrap().to_owned();
    assert_eq!(id(Proxy::to(&upstream).start().ask(message(INITIALIZE, None)).await), "1-0");
    assert_eq!(id(among(&[&upstream]).ask(message(INITIALIZE, None)).await), "1-1");
}

#[tokio::test]
async fn who_cannot_be_reached_costs_nobody_an_answer() {
    let (one, two) = (Upstream::sound().await, Upstream::sound().await);
    let down = Upstream::down().await;
    let addresses = format!("{down},{},{}", one.address, two.address);
    let proxy = Proxy::to_url("http://mcp.internal").set("upstream.addresses", addresses).start();
    for number in 0..40 {
        let answer = proxy.ask(post(&format!("/x{number}"), &[], "hi")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(proxy.ask(message(PING, None)).await.status(), 200);
    }
    assert_eq!(one.seen().len() + two.seen().len(), 80);
    let report = proxy.running.as_ref().unwrap().sites().first().target.report();
    let of = |address: std::net::SocketAddr| report.iter().find(|one| one.address == address.to_string()).unwrap();
    assert!(!of(down).healthy && of(down).failures > 0);
    assert!(of(one.address).healthy);
}

#[tokio::test]
async fn one_callers_requests_take_no_address_from_the_others() {
    let cutting = || {
        Upstream::script(|mut conn| async move {
            while let Some(request) = conn.next().await {
                if request.target() == "/evil" {
                    return;
                }
                conn.send(ok("hello")).await;
            }
        })
    };
    let (one, two) = (cutting().await, cutting().await);
    let proxy = among(&[&one, &two]);
    for _ in 0..8 {
        assert_eq!(proxy.ask(post("/evil", &[], "x")).await.status(), 502);
        let report = proxy.running.as_ref().unwrap().sites().first().target.report();
        assert!(report.iter().all(|one| one.healthy), "{report:?}");
    }
    // Whether it was the caller or the upstream is asked.
    let asked = |seen: &Vec<Message>| {
        seen.iter().any(|seen| seen.get("user-agent").is_some_and(|agent| agent.contains("mcp-mend")))
    };
    let evil = if one.seen_at("/evil").is_empty() { &two } else { &one };
    evil.wait(asked).await;
}

#[tokio::test]
async fn an_address_that_answers_nobody_is_set_aside() {
    let silent = || Upstream::script(|mut conn| async move { drop(conn.next().await) });
    let (one, two) = (silent().await, silent().await);
    let proxy = among(&[&one, &two]);
    soon(async {
        loop {
            proxy.ask(post("/x", &[], "x")).await;
            let report = proxy.running.as_ref().unwrap().sites().first().target.report();
            if report.iter().any(|one| !one.healthy) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn all_down_is_502_and_each_is_tried() {
    let addresses = format!("{},{}", Upstream::down().await, Upstream::down().await);
    let proxy = Proxy::to_url("http://mcp.internal").set("upstream.addresses", addresses).start();
    for _ in 0..3 {
        let answer = proxy.ask(get("/x", &[])).await;
        assert_eq!((answer.status(), &answer.json()["error"]), (502, &"upstream_unreachable".into()));
        assert!(!answer.all_text().contains("127.0.0.1"));
    }
    let report = proxy.running.as_ref().unwrap().sites().first().target.report();
    assert!(report.iter().all(|one| one.failures == 3), "{report:?}");
}

#[tokio::test]
async fn what_one_may_have_acted_on_goes_to_no_other() {
    let dies = || Upstream::script(|mut conn| async move { drop(conn.next().await) });
    let (one, two) = (dies().await, dies().await);
    let proxy = among(&[&one, &two]);
    assert_eq!(proxy.ask(message(PING, None)).await.status(), 502);
    assert_eq!(one.seen().len() + two.seen().len(), 1);
}

#[tokio::test]
async fn logins_and_documents_go_to_one_address() {
    let (one, two, three) = (Upstream::sound().await, Upstream::sound().await, Upstream::sound().await);
    let proxy = among(&[&one, &two, &three]);
    for path in ["/authorize?a=1", "/login", "/.well-known/oauth-authorization-server", "/x"] {
        proxy.ask(get(path, &[])).await;
        proxy.ask(post("/token", &["Content-Type: application/x-www-form-urlencoded"], "grant_type=x")).await;
        proxy.ask(post("/register", &["Content-Type: application/json"], "{}")).await;
    }
    let used = [&one, &two, &three].iter().filter(|upstream| !upstream.seen().is_empty()).count();
    assert_eq!(used, 1);
}

#[tokio::test]
async fn an_address_whose_health_path_fails_is_left_out() {
    let upstream = |is_well: bool| async move {
        Upstream::answering(move |request| match request.target() {
            "/health" if !is_well => reply("503 Service Unavailable", &[], ""),
            _ => ok("hello"),
        })
        .await
    };
    let (well, ill) = (upstream(true).await, upstream(false).await);
    let proxy = Proxy::to_url("http://mcp.internal")
        .set("upstream.addresses", format!("{},{}", well.address, ill.address))
        .set("upstream.health_path", "/health")
        .set("upstream.health_seconds", "0.05")
        .start();
    // The second look has been answered when the third is asked.
    soon(ill.wait(|seen| seen.len() > 2)).await;
    for _ in 0..10 {
        assert_eq!(proxy.ask(message(PING, None)).await.status(), 200);
    }
    assert_eq!((well.seen_at("/mcp").len(), ill.seen_at("/mcp").len()), (10, 0));
    let report = proxy.running.as_ref().unwrap().sites().first().target.report();
    assert_eq!(report.iter().filter(|one| one.healthy).count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_an_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mcp.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let seen = hosts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut wire = crate::kit::Wire::new(stream);
            while let Some(request) = wire.request().await {
                seen.lock().unwrap().push(request.get("host").unwrap_or_default().to_owned());
                wire.send(ok("hello")).await;
            }
        }
    });
    let proxy = Proxy::to_url(&format!("unix:{}", path.display())).start();
    assert_eq!(proxy.ask(post("/x", &[], "hi")).await.text(), "hello");
    let addresses = format!("unix:{},{}", path.display(), Upstream::down().await);
    let proxy = Proxy::to_url("http://mcp.internal").set("upstream.addresses", addresses).start();
    assert_eq!(proxy.ask(get("/x", &[])).await.text(), "hello");
    assert_eq!(*hosts.lock().unwrap(), ["localhost", "mcp.internal"]);
}
