//! Connections that went stale while they waited: a read is tried once more, anything else is sent once at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::kit::{Proxy, Upstream, get, ok, post, soon};

/// An upstream whose first connection answers once, and then dies when the second request has been read.
async fn dies_on_second(reset: bool) -> Upstream {
    Upstream::script(move |mut conn| async move {
        let mut count = 0;
        while conn.next().await.is_some() {
            count += 1;
            if conn.index == 0 && count == 2 {
                if reset {
                    conn.reset();
                }
                return;
            }
            conn.send(ok("hello")).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_read_on_a_stale_connection_is_tried_once_more() {
    for reset in [false, true] {
        let upstream = dies_on_second(reset).await;
        let proxy = Proxy::to(&upstream).start();
        for _ in 0..3 {
            assert_eq!(proxy.ask(get("/x", &[])).await.status(), 200);
        }
        assert_eq!((upstream.seen().len(), upstream.connections()), (4, 2));
    }
}

#[tokio::test]
async fn a_post_on_a_stale_connection_is_never_sent_twice() {
    for reset in [false, true] {
        for body in ["", "hi"] {
            let upstream = dies_on_second(reset).await;
            let proxy = Proxy::to(&upstream).start();
            let mut client = proxy.connect().await;
            // Who has credentials goes on with the same connection.
            let mine = ["Authorization: Bearer a"];
            client.send(post("/x", &mine, "first")).await;
            assert_eq!(client.reply().await.status(), 200);
            client.send(post("/y", &mine, body)).await;
            assert_eq!(client.reply().await.status(), 502);
            assert_eq!(upstream.seen_at("/y").len(), 1);
        }
    }
}

#[tokio::test]
async fn a_read_is_not_tried_a_third_time() {
    let upstream = Upstream::script(|mut conn| async move {
        conn.next().await;
        if conn.index == 0 {
            conn.send(ok("hello")).await;
            conn.next().await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    assert_eq!(proxy.ask(get("/x", &[])).await.status(), 200);
    assert_eq!(proxy.ask(get("/y", &[])).await.status(), 502);
    assert_eq!(upstream.seen_at("/y").len(), 2);
}

#[tokio::test]
async fn a_fresh_connection_that_dies_is_not_tried_again() {
    let upstream = Upstream::script(|mut conn| async move { drop(conn.next().await) }).await;
    let proxy = Proxy::to(&upstream).start();
    assert_eq!(proxy.ask(get("/x", &[])).await.status(), 502);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn connections_that_were_closed_while_idle_cost_nobody_an_answer() {
    // Each connection serves one request and closes; the proxy may or may not have noticed when the next one comes.
    let upstream = Upstream::script(|mut conn| async move {
        if conn.next().await.is_some() {
            conn.send(ok("hello")).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    for _ in 0..100 {
        client.send(get("/x", &[])).await;
        assert_eq!(client.reply().await.status(), 200);
    }
}

#[tokio::test]
async fn an_unasked_answer_on_an_idle_connection_is_nobodys_answer() {
    let speak = Arc::new(Notify::new());
    let spoken = Arc::new(Notify::new());
    let (order, done) = (speak.clone(), spoken.clone());
    let upstream = Upstream::script(move |mut conn| {
        let (order, done) = (order.clone(), done.clone());
        async move {
            while let Some(request) = conn.next().await {
                conn.send(ok(request.target())).await;
                if request.target() == "/first" {
                    order.notified().await;
                    conn.send(ok("stray")).await;
                    done.notify_one();
                }
            }
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    for _ in 0..10 {
        assert_eq!(proxy.ask(get("/first", &[])).await.text(), "/first");
        speak.notify_one();
        soon(spoken.notified()).await;
        assert_eq!(proxy.ask(get("/second", &[])).await.text(), "/second");
    }
}

#[tokio::test]
async fn an_old_or_idle_connection_is_not_used_again() {
    for key in ["limits.pool_idle_seconds", "limits.pool_age_seconds"] {
        let upstream = Upstream::sound().await;
        let proxy = Proxy::to(&upstream).set(key, "0.001").start();
        proxy.ask(get("/x", &[])).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        proxy.ask(get("/x", &[])).await;
        assert_eq!(upstream.connections(), 2, "{key}");
    }
}

#[tokio::test]
async fn a_connection_that_says_close_is_not_used_again() {
    let upstream = Upstream::script(|mut conn| async move {
        while conn.next().await.is_some() {
            conn.send(crate::kit::reply("200 OK", &["Connection: close"], "hello")).await;
        }
    })
    .await;
    let proxy = Proxy::to(&upstream).start();
    let mut client = proxy.connect().await;
    for _ in 0..3 {
        client.send(post("/x", &[], "hi")).await;
        let answer = client.reply().await;
        assert_eq!((answer.status(), answer.get("connection")), (200, None));
    }
    assert_eq!(upstream.connections(), 3);
}

#[tokio::test]
async fn the_learning_of_many_clients_is_done_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let upstream = Upstream::answering(move |request| {
        if request.target().ends_with("oauth-protected-resource/mcp") {
            count.fetch_add(1, Ordering::SeqCst);
        }
        crate::kit::reply("404 Not Found", &[], "")
    })
    .await;
    let proxy = Arc::new(Proxy::to(&upstream).start());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let proxy = proxy.clone();
        clients.spawn(async move { proxy.ask(get("/authorize?client_id=a", &[])).await.status() });
    }
    assert!(clients.join_all().await.iter().all(|status| *status == 404));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
