//! One client that takes all it can get: others are served, and memory stays within what there is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use mcp_mend::config::budget::Budget;
#[cfg(target_os = "linux")]
use mcp_mend::config::budget::with_room;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::kit::{Binary, Proxy, Upstream, Wire, chunk, get, json, noise, ok, post, soon};

/// A local client and another: every address of 127.0.0.0/8 is this machine's.
const GREEDY: &str = "127.0.0.1";
const OTHER: &str = "127.0.0.2";

async fn connect_from(source: &str, proxy: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    soon(socket.connect(proxy)).await.unwrap()
}

/// Asks on a connection of its own; answers the status, 0 for none.
async fn asked_from(source: &str, proxy: SocketAddr, request: impl AsRef<[u8]>) -> u16 {
    let mut wire = Wire::new(connect_from(source, proxy).await);
    wire.send(request).await;
    wire.reply().await.status()
}

fn counted(proxy: &Proxy, name: &str) -> u64 {
    // Those of connections belong to no site.
    let counters = proxy.running.as_ref().unwrap().common.ledger.sum();
    let mut all = counters.by_refusal().chain(counters.by_hanging_up());
    all.find(|(have, _)| *have == name).map_or(0, |(_, count)| count)
}

/// Answers everything but `/never`.
async fn upstream() -> Upstream {
    Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.target() == "/never" {
                conn.until_closed().await;
                return;
            }
            conn.send(ok("hello")).await;
        }
    })
    .await
}

async fn h2_client(source: &str, proxy: SocketAddr) -> SendRequest<Bytes> {
    let stream = connect_from(source, proxy).await;
    let (sender, connection) = soon(h2::client::handshake(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn asking(path: &str, client: Option<&str>) -> Request<()> {
    let mut request = Request::builder().uri(format!("http://mcp.test{path}"));
    if let Some(client) = client {
        request = request.header("x-forwarded-for", client);
    }
    request.body(()).unwrap()
}

/// Opens so many streams that are never answered, over two connections, and waits until the upstream has them.
async fn flood(proxy: &Proxy, upstream: &Upstream, streams: usize, client: Option<&str>) -> Vec<SendRequest<Bytes>> {
    let before = upstream.seen_at("/never").len();
    let mut senders = Vec::new();
    for half in [streams / 2, streams - streams / 2] {
        let mut sender = h2_client(GREEDY, proxy.address).await;
        for _ in 0..half {
            let (answer, _) = sender.send_request(asking("/never", client), true).unwrap();
            tokio::spawn(answer);
        }
        senders.push(sender);
    }
    upstream.wait(|all| all.iter().filter(|request| request.target() == "/never").count() == before + streams).await;
    senders
}

/// The status and Retry-After of an answer over HTTP/2.
async fn answered(sender: &mut SendRequest<Bytes>, client: Option<&str>) -> (u16, Option<String>) {
    let (answer, _) = sender.send_request(asking("/x", client), true).unwrap();
    let answer = soon(answer).await.unwrap();
    let after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), after)
}

#[tokio::test]
async fn the_streams_of_one_local_client_leave_room_for_others() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("limits.requests", 16).start();
    let mut senders = flood(&proxy, &upstream, 14, None).await;
    assert_eq!(answered(&mut senders[0], None).await, (503, Some("1".into())));
    assert_eq!(counted(&proxy, "client_share_taken"), 1);
    assert_eq!(asked_from(OTHER, proxy.address, get("/x", &[])).await, 200);
    assert_eq!(asked_from(GREEDY, proxy.address, get("/x", &[])).await, 503);
}

#[tokio::test]
async fn a_client_that_a_trusted_proxy_names_has_half() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("limits.requests", 16).set("trusted_proxies", GREEDY).start();
    let greedy = Some("2001:db8::1");
    let mut senders = flood(&proxy, &upstream, 8, greedy).await;
    for (client, expected) in [
        (greedy, 503),
        // The same network is the same client.
        (Some("2001:db8::2"), 503),
        (Some("2001:db8:0:1::1"), 200),
        (Some("192.0.2.1"), 200),
        (None, 200),
    ] {
        assert_eq!(answered(&mut senders[0], client).await.0, expected, "{client:?}");
    }
    assert_eq!(counted(&proxy, "client_share_taken"), 2);
    assert_eq!(counted(&proxy, "overloaded"), 0);
}

#[tokio::test]
async fn whom_a_trusted_proxy_names_badly_are_one_client() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("limits.requests", 16).set("trusted_proxies", GREEDY).start();
    let mut senders = flood(&proxy, &upstream, 8, Some("unknown")).await;
    for (client, expected) in [("unknown", 503), ("_hidden", 503), ("192.0.2.1", 200)] {
        assert_eq!(answered(&mut senders[0], Some(client)).await.0, expected, "{client}");
    }
}

#[tokio::test]
async fn the_connections_of_one_local_client_leave_room_for_others_unless_it_is_stated_otherwise() {
    let upstream = upstream().await;
    let proxy = Proxy::to(&upstream).set("limits.connections", 2).set("limits.connections_per_peer", 0).start();
    let held = [connect_from(GREEDY, proxy.address).await, connect_from(GREEDY, proxy.address).await];
    assert_eq!(asked_from(OTHER, proxy.address, get("/x", &[])).await, 503);
    drop(held);
    let proxy = Proxy::to(&upstream).set("limits.connections", 16).start();
    let mut held = Vec::new();
    for number in 0..14 {
        let mut wire = Wire::new(connect_from(GREEDY, proxy.address).await);
        wire.send(get("/x", &[])).await;
        assert_eq!(wire.reply().await.status(), 200, "{number}");
        held.push(wire);
    }
    assert_eq!(asked_from(GREEDY, proxy.address, get("/x", &[])).await, 503);
    assert_eq!(asked_from(OTHER, proxy.address, get("/x", &[])).await, 200);
    assert_eq!(counted(&proxy, "too_many_connections"), 1);
}

/// An upstream whose answers have no end.
async fn endless() -> Upstream {
    Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.target() == "/x" {
                conn.send(ok("hello")).await;
                continue;
            }
            conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let part = chunk(&"x".repeat(1 << 16));
            while conn.stream.write_all(&part).await.is_ok() {}
            return;
        }
    })
    .await
}

#[tokio::test]
async fn readers_that_are_stuck_make_room_in_a_crowd_long_before_their_time() {
    let upstream = endless().await;
    let proxy = Proxy::to(&upstream).set("limits.requests", 8).set("limits.stalled_seconds", 600).start();
    let mut stuck = Vec::new();
    for _ in 0..7 {
        let mut wire = Wire::new(connect_from(GREEDY, proxy.address).await);
        wire.send(get("/endless", &[])).await;
        assert_eq!(wire.head().await.unwrap().status(), 200);
        stuck.push(wire);
    }
    assert_eq!(asked_from(GREEDY, proxy.address, get("/x", &[])).await, 503, "they have the share of this machine");
    soon(async {
        while counted(&proxy, "stalled") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(asked_from(GREEDY, proxy.address, get("/x", &[])).await, 200);
}

/// A registration whose answer has a defect.
const REGISTRATION: &str = r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}"#;

#[tokio::test]
async fn slow_uploads_of_one_client_leave_others_what_is_held_for_them() {
    const UPLOADS: u64 = 20;
    const SENT: usize = 60_000;
    let answer = r#"{"client_id":"a","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none","client_id_issued_at":1.5}"#;
    let upstream = Upstream::script(move |mut conn| async move {
        while let Some(request) = conn.head().await {
            if request.target() != "/register" {
                conn.until_closed().await;
                return;
            }
            conn.exactly(REGISTRATION.len()).await;
            conn.send(json("201 Created", answer)).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.held_bytes", 1 << 20).set("trusted_proxies", "127.0.0.1").start();
    let mut uploads = Vec::new();
    for _ in 0..UPLOADS {
        let mut wire = proxy.connect().await;
        let fields = "Content-Type: application/json\r\nX-Forwarded-For: 192.0.2.1";
        wire.send(format!("POST /mcp HTTP/1.1\r\nHost: mcp.test\r\n{fields}\r\nContent-Length: {}\r\n\r\n", SENT + 1))
            .await;
        wire.send(" ".repeat(SENT)).await;
        uploads.push(wire);
    }
    // Each is held but for its last byte, or passes untouched.
    let load = proxy.running.as_ref().unwrap().runtime.load;
    let passed = || {
        let counters = proxy.running.as_ref().unwrap().common.ledger.sum();
        counters.by_reason().find(|(name, _)| *name == "busy").map_or(0, |(_, count)| count)
    };
    soon(async {
        while load.held_bytes() != (UPLOADS - passed()) * SENT as u64 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    assert_eq!(UPLOADS - passed(), (1 << 19) / SENT as u64, "half of what may be held");
    let other = ["Content-Type: application/json", "X-Forwarded-For: 192.0.2.2"];
    let mended = proxy.ask(post("/register", &other, REGISTRATION)).await;
    assert_eq!(mended.text(), answer.replace("1.5", "1"));
    let mut wire = proxy.connect().await;
    let fields = "Content-Type: application/json\r\nX-Forwarded-For: 192.0.2.2";
    wire.send(format!("POST /mcp HTTP/1.1\r\nHost: mcp.test\r\n{fields}\r\nContent-Length: {}\r\n\r\n", SENT + 1))
        .await;
    wire.send(" ".repeat(SENT)).await;
    // Counted from what the others hold: the proxy may have read all of it by now.
    soon(async {
        while load.held_bytes() != (UPLOADS - passed() + 1) * SENT as u64 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn memory_that_is_stated_decides_unless_a_limit_is_stated() {
    let upstream = upstream().await;
    let setup = || Proxy::to(&upstream).set("limits.memory_bytes", 64 << 20);
    let bounds = |proxy: &Proxy| proxy.running.as_ref().unwrap().runtime.bounds;
    let budget = Budget::of(Some(64 << 20));
    let derived = bounds(&setup().start());
    assert_eq!((derived.connections, derived.requests), (budget.connections, budget.connections));
    assert_eq!(derived.connections_per_peer, None);
    // What belongs to no site yet, as connections do, has the same bounds, even where open files allow fewer.
    let many = Proxy::to(&upstream).set("limits.connections", 1_000_000).start();
    let sites = many.running.as_ref().unwrap().sites();
    let both = [sites.first(), sites.no_site()].map(|site| (site.bounds.connections, site.bounds.requests));
    assert_eq!(both[0], both[1]);
    assert_eq!((derived.held_bytes, derived.socket_bytes), (4 << 20, Some(16 << 10)));
    let stated = bounds(
        &setup()
            .set("limits.connections", 300)
            .set("limits.connections_per_peer", 0)
            .set("limits.held_bytes", 1 << 20)
            .start(),
    );
    assert_eq!((stated.connections, stated.connections_per_peer, stated.held_bytes), (300, Some(0), 1 << 20));
}

#[tokio::test]
async fn the_start_says_what_follows_from_the_memory() {
    let upstream = upstream().await;
    let url = format!("http://{}", upstream.address);
    let mut proxy = Binary::start(&[&url, "--no-probe", "--limit-memory-bytes", "268435456"]).await;
    let budget = Budget::of(Some(256 << 20));
    let said = proxy.said("  memory       ").await;
    let (all, one) = (budget.connections, budget.connections_per_peer);
    assert_eq!(
        said,
        format!("256 MiB (stated): {all} connections, {one} of one address, 16 MiB held, 16 KiB a socket buffer")
    );
}

#[tokio::test]
async fn large_bodies_pass_whole_through_small_buffers() {
    let body = std::sync::Arc::new(noise(3_000_000));
    let sent = body.clone();
    let upstream = Upstream::script(move |mut conn| {
        let body = sent.clone();
        async move {
            while let Some(request) = conn.next().await {
                assert!(request.body.is_empty() || request.body == *body);
                conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())).await;
                conn.send(&*body).await;
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).set("limits.memory_bytes", 64 << 20).start();
    // With requests under way beyond those that have large buffers.
    let room = proxy.running.as_ref().unwrap().runtime.load;
    for roomy in [16, 0] {
        room.set_roomy(roomy);
        let mut client = proxy.connect().await;
        client.send(get("/x", &[])).await;
        assert!(client.reply().await.body == *body, "{roomy}");
        client.send(format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len())).await;
        client.send(&*body).await;
        assert!(client.reply().await.body == *body, "{roomy}");
    }
}

/// What a manifest says of the limits that follow from its memory limit, so that it says what happens.
#[test]
fn what_ships_states_memory_and_the_limits_that_follow() {
    for (file, limit, mib) in [
        ("deploy/kubernetes/deployment.yaml", "limits: {memory: 256Mi}", 256),
        ("deploy/kubernetes/sidecar.yaml", "limits: {memory: 128Mi}", 128),
        ("deploy/helm/mcp-mend/values.yaml", "    memory: 256Mi", 256),
        ("deploy/compose.yaml", "mem_limit: 256m", 256),
        ("deploy/systemd/mcp-mend.service", "MemoryMax=512M", 512),
    ] {
        let text = std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(text.contains(limit), "{file} has no `{limit}`");
        let Budget { connections, connections_per_peer, held_bytes, .. } = Budget::of(Some(mib << 20));
        let follows = format!(
            "# From this memory follow limits of {connections} connections, {connections_per_peer} of one address, {} MiB of held bodies.",
            held_bytes >> 20
        );
        assert!(text.contains(&follows), "{file} does not say: {follows}");
    }
}

/// Memory that the system says a process has or has had at most (`VmRSS`, `VmHWM`), in bytes.
#[cfg(target_os = "linux")]
fn memory(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// An upstream of large answers, of streams, and of uploads that it does not read.
#[cfg(target_os = "linux")]
async fn heavy() -> Upstream {
    let body = std::sync::Arc::new(noise(1 << 20));
    Upstream::script(move |mut conn| {
        let body = body.clone();
        async move {
            while let Some(head) = conn.head().await {
                match head.target() {
                    "/large" => {
                        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n").await;
                        if conn.stream.write_all(&body).await.is_err() {
                            return;
                        }
                    }
                    "/stream" => {
                        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked";
                        conn.send([head.as_bytes(), b"\r\n\r\n", &chunk("data: 1\n\n")].concat()).await;
                        std::future::pending::<()>().await;
                    }
                    "/unread" => std::future::pending::<()>().await,
                    _ => drop(conn.send(ok("hello")).await),
                }
            }
        }
    })
    .await
}

/// So many clients of one address do what holds memory; the others are served meanwhile. Answers the most memory that the
/// process had.
#[cfg(target_os = "linux")]
async fn most_memory(crowd: usize, begin: &[u8]) -> u64 {
    let upstream = heavy().await;
    let url = format!("http://{}", upstream.address);
    let memory_limit = (256u64 << 20).to_string();
    let arguments = [&url, "--no-probe", "--log-format", "text", "--limit-memory-bytes", &memory_limit];
    let proxy = Binary::start(&arguments).await;
    let mut clients = Vec::new();
    for number in 0..crowd {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind(format!("{GREEDY}:0").parse().unwrap()).unwrap();
        let mut stream = soon(socket.connect(proxy.address)).await.unwrap();
        // One that was turned away does not take it.
        let _ = tokio::time::timeout(Duration::from_millis(50), stream.write_all(begin)).await;
        clients.push(stream);
        if number % 50 == 49 {
            let began = Instant::now();
            assert_eq!(asked_from(OTHER, proxy.address, get("/x", &[])).await, 200, "behind {number}");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?} behind {number}", began.elapsed());
        }
    }
    let end = Instant::now() + Duration::from_secs(4);
    while Instant::now() < end {
        assert_eq!(asked_from(OTHER, proxy.address, get("/x", &[])).await, 200);
        assert_eq!(asked_from(OTHER, proxy.address, get("/large", &[])).await, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    memory(proxy.id(), "VmHWM")
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn crowds_of_one_address_stay_inside_four_fifths_of_256_mib() {
    let upload =
        [b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n".as_slice(), &noise(1 << 20)].concat();
    let drip =
        b"POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{\"a\":";
    let budget = Budget::of(Some(256 << 20));
    // Of the four socket buffers of a connection two can be full, and the system reckons each twice.
    let small = budget.socket_bytes.unwrap();
    let large = with_room(small) - small;
    let sockets = (budget.connections * 4 * small + budget.roomy * 4 * large) as u64;
    for (name, begin) in [
        ("stuck readers", get("/large", &[])),
        ("slow uploads", drip.to_vec()),
        ("unread uploads", upload),
        ("event streams", get("/stream", &["Accept: text/event-stream"])),
    ] {
        for crowd in [400, 2000] {
            let most = most_memory(crowd, &begin).await;
            eprintln!("{crowd} {name}: {} MiB, and {} MiB of socket buffers at most", most >> 20, sockets >> 20);
            assert!(most + sockets <= (256 << 20) / 5 * 4, "{crowd} {name}: {most} bytes");
        }
    }
}
