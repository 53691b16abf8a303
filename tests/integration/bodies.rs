//! Which bodies are mended, and that every other one passes to the byte with all that describes it.

use std::time::Duration;

use crate::kit::{Message, PUBLIC, Proxy, Upstream, get, json, post, reply};

/// A registration with a defect (the time is no integer) and no other.
const BROKEN: &str = r#"{"client_id":"a","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none","client_id_issued_at":1749600000.5}"#;

const ASKED: &str = r#"{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}"#;

/// The validators and digests of a body.
const DESCRIBED: [&str; 7] = [
    "Content-Type: application/json",
    "Cache-Control: no-store",
    "ETag: \"a\"",
    "Last-Modified: Tue, 01 Jan 2030 00:00:00 GMT",
    "Content-Digest: sha-256=:x:",
    "Accept-Ranges: bytes",
    "Content-MD5: x",
];

async fn register(upstream: &Upstream) -> Message {
    let proxy = Proxy::to(upstream).set("limits.body_bytes", "4096").set("limits.mend_seconds", "0.2").start();
    proxy.ask(post("/register", &["Content-Type: application/json"], ASKED)).await
}

/// An upstream whose registration answers so, and that serves nothing else.
async fn registers(answer: Vec<u8>) -> Upstream {
    Upstream::answering(move |request| match request.target() {
        "/register" => answer.clone(),
        _ => reply("404 Not Found", &[], ""),
    })
    .await
}

async fn answered(status: &str, headers: &[&str], body: &str) -> Message {
    register(&registers(reply(status, headers, body)).await).await
}

#[tokio::test]
async fn a_mended_body_is_framed_anew() {
    let answer = answered("201 Created", &DESCRIBED, BROKEN).await;
    assert_eq!(answer.text(), BROKEN.replace(".5", ""));
    assert_eq!(answer.get("content-length"), Some((BROKEN.len() - 2).to_string().as_str()));
    for gone in ["etag", "last-modified", "content-digest", "accept-ranges", "content-md5", "transfer-encoding"] {
        assert_eq!(answer.get(gone), None, "{gone}");
    }
    let chunked = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{BROKEN}\r\n0\r\n\r\n",
        BROKEN.len()
    );
    let answer = register(&registers(chunked.into_bytes()).await).await;
    assert_eq!((answer.text(), answer.get("transfer-encoding")), (BROKEN.replace(".5", ""), None));
}

#[tokio::test]
async fn a_sound_body_passes_with_all_that_describes_it() {
    let sound =
        BROKEN.replace("1749600000.5", "1749600000 , \"x\" :\t1.0e2,\"x\":12345678901234567890123,\"é\":\"\\u00e9\"");
    let answer = answered("201 Created", &DESCRIBED, &sound).await;
    assert_eq!(answer.text(), sound);
    for line in DESCRIBED {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(answer.get(name), Some(value));
    }
    assert_eq!(answer.get("content-length"), Some(sound.len().to_string().as_str()));
}

#[tokio::test]
async fn a_body_that_cannot_be_mended_passes_to_the_byte() {
    let deep = BROKEN.replace("1749600000.5", &format!("1.5,\"d\":{}{}", "[".repeat(200), "]".repeat(200)));
    let large = BROKEN.replace("\"a\"", &format!("\"{}\"", "a".repeat(8000)));
    for body in [
        &large,
        &deep,
        &BROKEN[..BROKEN.len() - 1],
        &format!("[{BROKEN}]"),
        &format!("{BROKEN}{BROKEN}"),
        &format!("\u{feff}{BROKEN}"),
        "{'client_id':'a'}",
        "null",
        "\"client_id\"",
        " ",
    ] {
        let answer = answered("201 Created", &DESCRIBED, body).await;
        assert!(answer.body == body.as_bytes(), "{}", answer.text());
        assert_eq!(answer.get("etag"), Some("\"a\""));
        assert_eq!(answer.get("content-length"), Some(body.len().to_string().as_str()));
    }
    for coding in ["gzip", "br", "zstd", "gzip, gzip"] {
        let coded = format!("Content-Encoding: {coding}");
        let answer = answered("201 Created", &["Content-Type: application/json", &coded], BROKEN).await;
        assert_eq!((answer.text().as_str(), answer.get("content-encoding")), (BROKEN, Some(coding)), "not coded so");
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut coder, plain).unwrap();
    coder.finish().unwrap()
}

fn coded(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Encoding: gzip\r\nETag: \"a\"\r\n");
    [format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body.to_vec()].concat()
}

#[tokio::test]
async fn a_compressed_answer_is_mended_and_leaves_as_its_reader_can_read_it() {
    let sound = BROKEN.replace(".5", "");
    for (body, accepted, mended) in
        [(BROKEN, "gzip", true), (BROKEN, "identity", true), (&sound, "gzip", false), (&sound, "identity", false)]
    {
        let upstream = registers(coded("201 Created", "application/json", &gzip(body.as_bytes()))).await;
        let accept = format!("Accept-Encoding: {accepted}");
        let asked = post("/register", &["Content-Type: application/json", &accept], ASKED);
        let answer = Proxy::to(&upstream).start().ask(asked).await;
        if !mended && accepted == "gzip" {
            assert_eq!(
                (answer.body, answer.headers.iter().any(|(name, _)| name == "etag")),
                (gzip(body.as_bytes()), true)
            );
            continue;
        }
        assert_eq!((answer.text(), answer.get("content-encoding")), (sound.clone(), None), "{body} {accepted}");
        assert_eq!(answer.get("content-length"), Some(sound.len().to_string().as_str()));
    }
}

#[tokio::test]
async fn a_stream_that_nobody_wants_compressed_is_decoded_as_it_comes() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let upstream = Upstream::script(move |mut conn| {
        let mut wait = wait.clone();
        async move {
            conn.next().await;
            let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n").await;
            for event in ["data: 1\n\n", "data: 2\n\n"] {
                std::io::Write::write_all(&mut coder, event.as_bytes()).unwrap();
                std::io::Write::flush(&mut coder).unwrap();
                conn.send(std::mem::take(coder.get_mut())).await;
                let _ = wait.wait_for(|go| *go).await;
            }
            conn.send(coder.finish().unwrap()).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    client.send(post("/mcp", &["Accept-Encoding: identity", "Authorization: Bearer t"], "{}")).await;
    let head = client.head().await.unwrap();
    assert_eq!((head.status(), head.get("content-encoding")), (200, None));
    // The second event is sent only when the first has come.
    assert_eq!(client.chunk().await.unwrap().unwrap(), b"data: 1\n\n");
    go.send(true).unwrap();
    assert_eq!(client.chunk().await.unwrap().unwrap(), b"data: 2\n\n");
    assert_eq!(client.chunk().await, Some(None));
}

#[tokio::test]
async fn a_bomb_is_never_unpacked() {
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    let upstream = registers(coded("201 Created", "application/json", &bomb)).await;
    let asked = post("/register", &["Content-Type: application/json", "Accept-Encoding: identity"], ASKED);
    let answer = Proxy::to(&upstream).start().ask(asked).await;
    assert_eq!((answer.body.len(), answer.get("content-encoding")), (bomb.len(), Some("gzip")), "it passes as it came");
}

#[tokio::test]
async fn of_a_member_given_twice_only_the_wrong_value_changes() {
    let twice = BROKEN.replace("\"client_id\":\"a\"", "\"x\":1,\"client_id\":\"a\",\"x\":2");
    assert_eq!(
        answered("201 Created", &["Content-Type: application/json"], &twice).await.text(),
        twice.replace(".5", "")
    );
}

#[tokio::test]
async fn a_slow_body_passes_whole_and_untouched() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            if request.target() != "/register" {
                conn.send(reply("404 Not Found", &[], "")).await;
                continue;
            }
            let whole = json("201 Created", BROKEN);
            let (first, second) = whole.split_at(whole.len() - 20);
            conn.send(first).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            conn.send(second).await;
        }
    })
    .await;
    let answer = register(&upstream).await;
    assert_eq!((answer.text().as_str(), answer.whole), (BROKEN, true));
}

#[tokio::test]
async fn every_untouched_body_says_why_in_the_log() {
    for (body, headers, why) in [
        (BROKEN.replace("\"a\"", &format!("\"{}\"", "a".repeat(8000))), "X: y", "large"),
        ("{".to_owned(), "X: y", "json"),
        (BROKEN.to_owned(), "Content-Encoding: br", "encoded"),
    ] {
        let upstream = registers(reply("201 Created", &["Content-Type: application/json", headers], &body)).await;
        let proxy = Proxy::to(&upstream).set("limits.body_bytes", "4096").start();
        proxy.ask(post("/register", &["Content-Type: application/json"], ASKED)).await;
        let line: serde_json::Value = serde_json::from_str(&proxy.logged("/register").await).unwrap();
        assert!(line["untouched"].as_str().is_some_and(|said| said.contains(why)), "{line}");
    }
}

#[tokio::test]
async fn parts_and_unchanged_answers_of_documents_are_never_rewritten() {
    let path = "/.well-known/oauth-authorization-server";
    let document = r#"{"issuer":"http://localhost:1/","token_endpoint":"http://localhost:1/token"}"#;
    let upstream = Upstream::answering(move |request| match (request.method(), request.target()) {
        ("HEAD", _) => {
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", document.len())
                .into_bytes()
        }
        (_, "/.well-known/oauth-authorization-server/206") => {
            reply("206 Partial Content", &["Content-Type: application/json", "Content-Range: bytes 0-75/76"], document)
        }
        (_, "/.well-known/oauth-authorization-server/304") => {
            b"HTTP/1.1 304 Not Modified\r\nContent-Type: application/json\r\nETag: \"a\"\r\n\r\n".to_vec()
        }
        _ => json("200 OK", document),
    })
    .await;
    let proxy = Proxy::to(&upstream).set("public_url", PUBLIC).start();
    assert_eq!(proxy.ask(get(&format!("{path}/206"), &[])).await.text(), document);
    let mut client = proxy.connect().await;
    client.send(get(&format!("{path}/304"), &[])).await;
    assert_eq!(client.head().await.unwrap().status(), 304);
    client.send(crate::kit::request("HEAD", path, &[], "")).await;
    assert_eq!(client.head().await.unwrap().status(), 200);
    client
        .send(get(path, &["If-None-Match: \"a\"", "Range: bytes=0-5", "Accept-Encoding: gzip", "If-Range: \"a\""]))
        .await;
    assert_eq!(client.reply().await.status(), 200);
    let seen = upstream.seen().into_iter().rfind(|seen| seen.target() == path).unwrap();
    for gone in ["if-none-match", "range", "accept-encoding", "if-range"] {
        assert_eq!(seen.get(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn a_message_of_the_mcp_endpoint_passes_to_the_byte_both_ways() {
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\/","_meta":null}],"structuredContent":{"url":"http://localhost:3000/x","n":1.0}}}"#;
    let upstream = Upstream::always(reply("200 OK", &["Content-Type: application/json", "ETag: \"a\""], answer)).await;
    let proxy = Proxy::to(&upstream).start();
    let asked = "{ \"jsonrpc\":\"2.0\",\t\"id\":1e0, \"method\":\"tools/call\" }";
    let got = proxy.ask(post("/mcp", &["Content-Type: application/json", "Accept-Encoding: gzip"], asked)).await;
    assert_eq!((got.text().as_str(), got.get("etag")), (answer, Some("\"a\"")));
    assert_eq!(upstream.seen_at("/mcp")[0].text(), asked);
}

#[tokio::test]
async fn a_large_answer_is_decoded_whole_slice_by_slice() {
    let text: Vec<u8> = crate::kit::noise(1 << 18).iter().flat_map(|byte| format!("{byte:08b}").into_bytes()).collect();
    for (body, kind) in
        [(text, "application/json"), ([vec![b' '; 4 << 20], b"\n\n".to_vec()].concat(), "text/event-stream")]
    {
        let upstream = Upstream::always(coded("200 OK", kind, &gzip(&body))).await;
        let asked = post("/mcp", &["Accept-Encoding: identity", "Authorization: Bearer t"], "{}");
        let answer = Proxy::to(&upstream).start().ask(asked).await;
        assert!(answer.whole && answer.body == body, "{kind}: {} of {}", answer.body.len(), body.len());
    }
}
