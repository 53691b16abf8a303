//! Messages that two readers could take in two ways: refused, or passed on with one meaning only.

use crate::kit::{Proxy, Upstream, ok};

/// What may become of a message.
enum Right {
    /// 4xx, 501 or a closed connection; no whole request gets through.
    Refused,
    /// As `Refused`, or exactly one request with this target and body.
    Only(&'static str, &'static str),
}
use Right::{Only, Refused};

/// Sends the bytes, reads until the connection ends, and answers the statuses and what the upstream saw.
async fn outcome(bytes: &[u8]) -> (Vec<u16>, Upstream) {
    let upstream = Upstream::always(ok("hello")).await;
    let proxy = Proxy::to(&upstream)
        .set("limits.head_seconds", "0.25")
        .set("limits.body_seconds", "0.25")
        .set("limits.idle_seconds", "0.25")
        .start();
    let mut client = proxy.connect().await;
    client.send(bytes).await;
    let mut statuses = Vec::new();
    loop {
        let reply = client.reply().await;
        if reply.start.is_empty() {
            return (statuses, upstream);
        }
        statuses.push(reply.status());
    }
}

async fn check(bytes: Vec<u8>, right: Right) -> Result<(), String> {
    let (statuses, upstream) = outcome(&bytes).await;
    let seen = upstream.seen();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).escape_debug().to_string();
    let refused = statuses.len() <= 1 && statuses.iter().all(|status| matches!(status, 400..=499 | 501));
    if refused && seen.is_empty() {
        return Ok(());
    }
    if let Only(target, body) = right
        && let [one] = &seen[..]
        && one.target() == target
        && one.body == body.as_bytes()
    {
        return Ok(());
    }
    let seen: Vec<String> = seen.iter().map(|one| format!("{} {:?}", one.start, one.text())).collect();
    Err(format!("{shown}\n    answered {statuses:?}, upstream saw {seen:?}"))
}

/// Checks all rows at the same time.
async fn check_all(rows: Vec<(Vec<u8>, Right)>) {
    let mut checks = tokio::task::JoinSet::new();
    for (bytes, right) in rows {
        checks.spawn(check(bytes, right));
    }
    let failed: Vec<String> = checks.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n"));
}

/// A POST with these header lines and this body, as it stands.
fn raw(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /x HTTP/1.1\r\nHost: h\r\n{headers}\r\n{body}").into_bytes()
}

const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn two_framings_are_read_one_way() {
    let rows = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 400\r\nTransfer-Encoding: chunked\r\n",
    ];
    let rows = rows.map(|headers| (raw(headers, "5\r\nhello\r\n0\r\n\r\n"), Only("/x", "hello")));
    check_all(rows.into()).await;
}

#[tokio::test]
async fn an_obscured_transfer_coding_hides_nothing() {
    let mut rows = Vec::new();
    for coding in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chunked; foo",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding: chunked x",
        "Transfer-Encoding: x chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: \u{0}chunked",
        "Transfer-Encoding: chunked\u{7f}",
        "Transfer-Encoding:\n chunked",
        "Transfer-Encoding: x\r\n chunked",
        "X: y\rTransfer-Encoding: chunked",
        "\u{0}Transfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding\r\n : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: x",
    ] {
        for length in ["", "Content-Length: 4\r\n"] {
            rows.push((raw(&format!("{length}{coding}\r\n"), SMUGGLED), Refused));
            rows.push((raw(&format!("{coding}\r\n{length}"), SMUGGLED), Refused));
        }
    }
    for coding in ["Transfer-Encoding: Chunked", "Transfer-Encoding:chunked", "TRANSFER-ENCODING:\tCHUNKED \t"] {
        rows.push((raw(&format!("{coding}\r\n"), "2\r\nhi\r\n0\r\n\r\n"), Only("/x", "hi")));
    }
    check_all(rows).await;
}

#[tokio::test]
async fn an_unknown_field_beside_the_coding_is_only_a_field() {
    let rows = ["Transfer_Encoding: chunked", "X-Transfer-Encoding: chunked", "TransferEncoding: chunked"]
        .map(|field| (raw(&format!("{field}\r\nContent-Length: 2\r\n"), "hi"), Only("/x", "hi")));
    check_all(rows.into()).await;
}

#[tokio::test]
async fn a_bad_or_double_length_is_refused() {
    let mut rows = Vec::new();
    for length in [
        "+5",
        "-5",
        "5 5",
        "5,5",
        "5, 6",
        "0x5",
        "5.0",
        "5e0",
        "five",
        "",
        " ",
        "\"5\"",
        "5;",
        "0005x",
        "5\u{b}",
        "18446744073709551616",
        "99999999999999999999999",
        "9223372036854775808",
        "٥",
        "5\t6",
        "_5",
        "5_000",
    ] {
        rows.push((raw(&format!("Content-Length: {length}\r\n"), "helloGET /smuggled HTTP/1.1\r\n\r\n"), Refused));
    }
    for lines in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 6\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: x\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 5\r\nContent-Length : 0\r\n",
    ] {
        rows.push((raw(lines, "hello!"), Refused));
    }
    // The same length twice has one meaning (RFC 9112 section 6.3).
    rows.push((raw("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), Only("/x", "hello")));
    rows.push((raw("Content-Length: 005\r\n", "hello"), Only("/x", "hello")));
    check_all(rows).await;
}

#[tokio::test]
async fn a_bad_chunk_never_completes_a_request() {
    let mut rows = Vec::new();
    for body in [
        "5\nhello\n0\n\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;a=\"\r\nhello\r\n0\r\n\r\nX\"",
        "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
        "5\r\nhello\r\n0\r\nA: b\u{0}\r\n\r\n",
    ] {
        let right = if body.starts_with("5;a=") { Only("/x", "hello") } else { Refused };
        rows.push((raw("Transfer-Encoding: chunked\r\n", body), right));
    }
    for body in [
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "05\r\nhello\r\n00\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5;\u{0}\r\nhello\r\n0\r\n\r\n",
    ] {
        rows.push((raw("Transfer-Encoding: chunked\r\n", body), Only("/x", "hello")));
    }
    check_all(rows).await;
}

#[tokio::test]
async fn a_bad_line_is_refused() {
    let mut rows: Vec<(Vec<u8>, Right)> = Vec::new();
    for head in [
        "GET /x HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\nA: b\u{0}c\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\nA\u{0}: b\r\n\r\n",
        "GET /x HTTP/1.1\rHost: h\r\n\r\n",
        "GET /x\u{0} HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /x\r HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET  /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /x HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET /x y HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET\t/x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /x HTTP/1.2\r\nHost: h\r\n\r\n",
        "GET /x HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET /x HTTP/0.9\r\n\r\n",
        "GET /x http/1.1\r\nHost: h\r\n\r\n",
        "GET /x HTTP/1.1x\r\nHost: h\r\n\r\n",
        "GET /x\r\n\r\n",
        "GET /x\r\nHost: h\r\n\r\n",
        "G@T /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET(/x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\n: empty\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n",
        "GET /x HTTP/1.1\r\n Host: h\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
        "GET /x HTTP/1.1\r\nHost: h\r\n",
        "GET /x HT",
        "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
    ] {
        rows.push((head.as_bytes().to_vec(), Refused));
    }
    rows.push((b"GET /x HTTP/1.1\nHost: h\n\n".to_vec(), Only("/x", "")));
    rows.push((b"\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), Only("/x", "")));
    check_all(rows).await;
}

#[tokio::test]
async fn exactly_one_valid_host_is_needed() {
    let mut rows = Vec::new();
    for hosts in [
        "",
        "Host:\r\n",
        "Host: \r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a b\r\n",
        "Host: user@h\r\n",
        "Host: user:pass@h\r\n",
        "Host: h/path\r\n",
        "Host: h?q\r\n",
        "Host: h#f\r\n",
        "Host: h:x\r\n",
        "Host: h:99999\r\n",
        "Host: [::1\r\n",
        "Host: a,b\r\n",
        "Host: http://h\r\n",
        "Host: h\\x\r\n",
        "Host: :80\r\n",
        "Host: h\t\u{b}\r\n",
        "Host : h\r\n",
        "Host: \u{e9}\r\n",
        "Host: h:80:80\r\n",
        "Host: \"h\"\r\n",
        "Host: <h>\r\n",
        "Host: h:\u{0}\r\n",
    ] {
        rows.push((format!("GET /x HTTP/1.1\r\n{hosts}\r\n").into_bytes(), Refused));
    }
    for host in ["h", "h:8080", "127.0.0.1", "[::1]:3000", "xn--e1afmkfd.example"] {
        rows.push((format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(), Only("/x", "")));
    }
    check_all(rows).await;
}

#[tokio::test]
async fn only_paths_are_targets() {
    let mut rows = Vec::new();
    for line in [
        "CONNECT h:443",
        "CONNECT /x",
        "GET h:443",
        "GET h",
        "GET x",
        "GET ?q",
        "GET *",
        "OPTIONS *",
        "GET ftp://h/x",
        "GET http://user@h/x",
        "GET http://user:p@h/x",
        "GET http:///x",
        "GET file:///etc/passwd",
        "GET http://h:bad/x",
        "GET h:80/x",
        "GET \\x",
        "GET %2fx",
        "GET ./x",
    ] {
        rows.push((
            format!("{line} HTTP/1.1\r\nHost: h\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(),
            Refused,
        ));
    }
    rows.push((b"GET http://h/x HTTP/1.1\r\n\r\n".to_vec(), Refused));
    rows.push((b"GET http://h/x?y=1 HTTP/1.1\r\nHost: other\r\n\r\n".to_vec(), Only("/x?y=1", "")));
    rows.push((b"GET HTTP://h/x HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), Only("/x", "")));
    check_all(rows).await;
}

#[tokio::test]
async fn http_1_0_has_no_transfer_coding() {
    let chunked = "POST /x HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n";
    let rows = vec![
        (format!("{chunked}\r\n{SMUGGLED}").into_bytes(), Refused),
        (format!("{chunked}Content-Length: 4\r\n\r\n{SMUGGLED}").into_bytes(), Refused),
        (b"GET /x HTTP/1.0\r\n\r\nGET /smuggled HTTP/1.0\r\n\r\n".to_vec(), Only("/x", "")),
    ];
    check_all(rows).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_gets_431_and_a_target_414() {
    let upstream = Upstream::sound().await;
    let proxy = Proxy::to(&upstream).start();
    let long = "a".repeat(70_000);
    let many = "A: b\r\n".repeat(101);
    for (head, status) in [
        (format!("GET /x HTTP/1.1\r\nHost: h\r\nA: {long}\r\n\r\n"), 431),
        (format!("GET /x HTTP/1.1\r\nHost: h\r\n{many}\r\n"), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", &long[..17_000]), 414),
        (format!("GET /?{} HTTP/1.1\r\nHost: h\r\n\r\n", &long[..17_000]), 414),
    ] {
        let reply = proxy.ask(head).await;
        assert_eq!(reply.status(), status);
    }
    assert_eq!(proxy.ask(format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", &long[..16_000])).await.status(), 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::answering(|request| ok(request.target())).await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    let post = "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    client.send(format!("GET /0 HTTP/1.1\r\nHost: h\r\n\r\n{post}GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    for number in 0..3 {
        assert_eq!(client.reply().await.text(), format!("/{number}"));
    }
}

#[tokio::test]
async fn a_request_with_two_framings_ends_the_connection() {
    for headers in ["Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"] {
        let both = raw(headers, "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
        let (statuses, upstream) = outcome(&both).await;
        assert_eq!(statuses.len(), 1, "{statuses:?}");
        assert!(upstream.seen_at("/smuggled").is_empty());
    }
}

#[tokio::test]
async fn a_refused_body_is_told_from_a_stalled_one() {
    let (statuses, _) = outcome(&raw("Transfer-Encoding: chunked\r\n", "5\r\nhelloXX0\r\n\r\n")).await;
    assert_eq!(statuses, [400]);
    let (statuses, _) = outcome(&raw("Content-Length: 9\r\n", "half")).await;
    assert_eq!(statuses, [408]);
}
