//! The table of messages with two readings (`corpus/requests.txt`), each through the proxy, before a judge that writes down
//! what it was sent and reads it in three ways.

mod judge;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use judge::{Judge, Request};
use table::{Right, Row};

use crate::kit::{Proxy, Wire, soon};

/// Rows that are tried at the same time, each before a proxy and a judge of its own.
const LANES: usize = 40;

/// What the client was told until the connection ended; interim answers left out.
async fn told(client: &mut Wire) -> Vec<u16> {
    let mut statuses = Vec::new();
    loop {
        let reply = client.reply().await;
        match reply.status() {
            0 => return statuses,
            100..=199 => {}
            status => statuses.push(status),
        }
    }
}

/// Whether a row came out as the table says; if not, what happened.
fn verdict(row: &Row, statuses: &[u16], read: Result<Vec<Request>, String>) -> Result<(), String> {
    let read = read?;
    let (answered, refused) = match statuses.split_last() {
        Some((last, before)) if *last >= 400 => (before, Some(*last)),
        _ => (statuses, None),
    };
    if answered.iter().any(|status| *status != 200) || answered.len() > read.len() {
        return Err("answers that belong to no request".into());
    }
    match &row.right {
        Right::Refuse(allowed) => {
            if !read.is_empty() {
                return Err("it reached the upstream".into());
            }
            // No status stands for a connection that was closed without a word.
            let status = refused.unwrap_or(0);
            if allowed.contains(&status) { Ok(()) } else { Err(format!("{status} is none of {allowed:?}")) }
        }
        Right::Meaning(requests) => {
            if !requests.starts_with(&read) {
                return Err("the upstream took it for something else".into());
            }
            let is_refusal = |status| matches!(status, 400..=499 | 501 | 505);
            if refused.is_none_or(is_refusal) { Ok(()) } else { Err("it was answered by chance".into()) }
        }
        Right::Exactly(requests) if *requests == read && refused.is_none() => Ok(()),
        Right::Exactly(_) => Err("it did not pass as it is".into()),
    }
}

async fn try_row(row: &Row, proxy: &Proxy, judge: &Judge) -> Result<(), String> {
    judge.forget();
    let mut client = proxy.connect().await;
    client.send(&row.bytes).await;
    let statuses = told(&mut client).await;
    drop(client);
    judge.all_closed().await;
    verdict(row, &statuses, judge.read()).map_err(|why| {
        let shown = String::from_utf8_lossy(&row.bytes[..row.bytes.len().min(160)]).escape_debug().to_string();
        let got = judge.bytes().concat();
        let got = String::from_utf8_lossy(&got[..got.len().min(400)]).escape_debug().to_string();
        format!("[{}] {why}\n    {shown}\n    answered {statuses:?}; the upstream got {got}", row.section)
    })
}

async fn lane(rows: Arc<Vec<Row>>, next: Arc<AtomicUsize>) -> Vec<String> {
    let judge = Judge::start().await;
    let proxy = Proxy::to_url(&format!("http://{}", judge.address))
        .set("hosts", "mcp.test,h,other.example")
        .set("limits.head_seconds", "0.4")
        .set("limits.body_seconds", "0.4")
        .set("limits.idle_seconds", "0.4")
        .start();
    let mut failed = Vec::new();
    while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
        if let Err(why) = try_row(row, &proxy, &judge).await {
            failed.push(why);
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_reaches_the_upstream_in_another_meaning() {
    let rows = Arc::new(table::rows(include_str!("corpus/requests.txt")));
    assert!(rows.len() >= 300, "{} messages", rows.len());
    let next = Arc::new(AtomicUsize::new(0));
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..LANES {
        lanes.spawn(lane(rows.clone(), next.clone()));
    }
    let failed = lanes.join_all().await.concat();
    eprintln!("{} of {} messages came out otherwise than the table says", failed.len(), rows.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

#[tokio::test]
async fn the_judge_sees_what_is_smuggled() {
    let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    for sent in [
        format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{get}"),
        format!("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{get}"),
        "GET /a HTTP/1.1\nHost: h\n\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\r\n\r\n".to_owned(),
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n".to_owned(),
    ] {
        let judge = Judge::start().await;
        let mut wire = Wire::new(soon(tokio::net::TcpStream::connect(judge.address)).await.unwrap());
        wire.send(&sent).await;
        wire.finish().await;
        wire.until_closed().await;
        judge.all_closed().await;
        assert!(judge.read().is_err(), "{sent:?} {:?}", judge.read());
    }
}
