//! Event streams: every event the moment it is sent, every byte as it came, but for the one address that is mended.

use tokio::sync::mpsc;

use crate::kit::{PUBLIC, Proxy, Upstream, Wire, chunk, get, post, soon};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// An upstream that sends what it is told to, a chunk each.
async fn told() -> (Upstream, mpsc::UnboundedSender<Vec<u8>>) {
    let (teller, told) = mpsc::unbounded_channel::<Vec<u8>>();
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let upstream = Upstream::script(move |mut conn| {
        let told = told.clone();
        async move {
            conn.next().await;
            conn.send(STREAM).await;
            while let Some(bytes) = told.lock().await.recv().await {
                conn.send(bytes).await;
            }
        }
    })
    .await;
    (upstream, teller)
}

async fn next(client: &mut Wire) -> String {
    String::from_utf8(client.chunk().await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn an_event_arrives_before_the_next_is_sent() {
    for request in [get("/sse", &[]), get("/mcp", &["Accept: text/event-stream"]), post("/mcp", &[], "{}")] {
        let (upstream, teller) = told().await;
        let proxy = Proxy::to(&upstream).start();
        let mut client = proxy.connect().await;
        client.send(request).await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status(), head.get("content-length")), (200, None));
        for number in 0..20 {
            let event = format!("id: {number}\nevent: message\ndata: {{\"n\":{number}}}\n\n");
            teller.send(chunk(&event)).unwrap();
            assert_eq!(next(&mut client).await, event);
        }
    }
}

#[tokio::test]
async fn half_an_event_passes_where_nothing_is_to_be_mended() {
    let (upstream, teller) = told().await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(post("/other", &[], "{}")).await;
    client.head().await.unwrap();
    for part in ["data: ha", "lf\n", "\n: comment\n", "\n"] {
        teller.send(chunk(part)).unwrap();
        assert_eq!(next(&mut client).await, part);
    }
}

/// What a client of `/sse` gets when the upstream sends these parts.
async fn sent(parts: Vec<Vec<u8>>) -> String {
    let (upstream, teller) = told().await;
    let proxy = Proxy::to_url(&format!("http://{}", upstream.address)).set("public_url", PUBLIC).start();
    let mut client = proxy.connect().await;
    client.send(get("/sse", &[])).await;
    client.head().await.unwrap();
    for part in parts {
        teller.send(part).unwrap();
    }
    teller.send(b"0\r\n\r\n".to_vec()).unwrap();
    let mut all = Vec::new();
    while let Some(data) = client.chunk().await.expect("the stream was cut") {
        all.extend_from_slice(&data);
    }
    drop(upstream);
    String::from_utf8(all).unwrap()
}

fn bytewise(text: &str) -> Vec<Vec<u8>> {
    text.chars().map(|letter| chunk(&letter.to_string())).collect()
}

#[tokio::test]
async fn the_endpoint_event_names_the_public_address_however_it_is_cut() {
    let (upstream, teller) = told().await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    let mut client = proxy.connect().await;
    client.send(get("/sse", &[])).await;
    client.head().await.unwrap();
    let (before, after) = (": hi\r\n\r\n", "event: message\r\ndata: \"http://127.0.0.1/x\"\r\n\r\n");
    let event = format!("event: endpoint\r\ndata: http://{}/messages?id=1\r\n\r\n", upstream.address);
    for part in bytewise(&format!("{before}{event}{after}")) {
        teller.send(part).unwrap();
    }
    teller.send(b"0\r\n\r\n".to_vec()).unwrap();
    let mut all = Vec::new();
    while let Some(data) = client.chunk().await.unwrap() {
        all.extend_from_slice(&data);
    }
    let expected = format!("{before}event: endpoint\r\ndata: {PUBLIC}/messages?id=1\r\n\r\n{after}");
    assert_eq!(String::from_utf8(all).unwrap(), expected);
}

#[tokio::test]
async fn every_other_event_passes_byte_for_byte() {
    for text in [
        "event: endpoint\ndata: /messages?id=1\n\ndata: 2\n\n",
        ": ping\n\n: ping\n\nevent: endpoint\ndata: https://other.example/m\n\ndata: x",
        "\n\n\ndata: \"\u{1F600} \u{FEFF}\"\nid: 1\nretry: 10\n\n\n\n",
        "data: no end",
        "event: message\ndata: {\"a\" : 1.0}\n\nevent: endpoint\ndata: late\n\n",
        "",
    ] {
        assert_eq!(sent(bytewise(text)).await, text);
        if !text.is_empty() {
            assert_eq!(sent(vec![chunk(text)]).await, text);
        }
    }
}

#[tokio::test]
async fn an_endless_event_is_not_held() {
    let (upstream, teller) = told().await;
    let proxy = Proxy::to(&upstream).set("limits.body_bytes", "1024").start();
    let mut client = proxy.connect().await;
    client.send(get("/sse", &[])).await;
    client.head().await.unwrap();
    let long = format!("data: {}", "x".repeat(2000));
    teller.send(chunk(&long)).unwrap();
    assert_eq!(next(&mut client).await, long);
    teller.send(chunk("more\n\n")).unwrap();
    assert_eq!(next(&mut client).await, "more\n\n");
}

#[tokio::test]
async fn the_events_before_a_cut_arrive() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        conn.send(STREAM).await;
        conn.send(chunk("data: 1\n\n")).await;
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let answer = proxy.ask(get("/sse", &[])).await;
    assert_eq!((answer.text().as_str(), answer.whole), ("data: 1\n\n", false));
    assert!(proxy.logged("\"path\":\"/sse\"").await.contains("upstream-cut"));
}

#[tokio::test]
async fn many_streams_run_side_by_side() {
    let (sender, orders) = tokio::sync::broadcast::channel::<usize>(64);
    let upstream = {
        let sender = sender.clone();
        Upstream::script(move |mut conn| {
            let mut orders = sender.subscribe();
            async move {
                conn.next().await;
                conn.send(STREAM).await;
                while let Ok(number) = orders.recv().await {
                    conn.send(chunk(&format!("data: {number}\n\n"))).await;
                }
            }
        })
        .await
    };
    drop(orders);
    let proxy = Proxy::to(&upstream).start();
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = proxy.connect().await;
        client.send(get("/mcp", &["Accept: text/event-stream"])).await;
        client.head().await.unwrap();
        clients.push(client);
    }
    for number in 0..5 {
        sender.send(number).unwrap();
        for client in &mut clients {
            assert_eq!(soon(next(client)).await, format!("data: {number}\n\n"));
        }
    }
}
