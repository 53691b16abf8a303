//! The demo's defects, each between real sockets: through the proxy none is left.

use std::sync::Arc;

use mcp_mend::demo::broken::{self, Broken};
use mcp_mend::demo::defects::{self, Defect};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::accounting::books;
use crate::kit::{Proxy, run, soon};

/// Defects that are not mended yet, by name.
const NOT_YET: &[&str] = &["sse-login-page"];

/// Every other defect.
fn shown() -> impl Iterator<Item = &'static Defect> {
    defects::all().filter(|defect| !NOT_YET.contains(&defect.name))
}

/// A server with these defects, and a proxy before it.
async fn start(defects: &[&'static Defect]) -> (JoinHandle<()>, Proxy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), defects))));
    // As it comes, but that nobody has to wait for what is done about silence.
    let proxy = Proxy::to_url(&origin).set("no_probe", "false").set("repairs", "stream.silence=fix");
    (server, proxy.set("limits.silence_seconds", "1").start())
}

/// What is wrong with what meets a client of a defect behind a proxy.
async fn left(defect: &'static Defect, proxy: &Proxy) -> Option<String> {
    let answer = soon(defect.visit(&format!("http://{}", proxy.address))).await;
    let verdict = answer.and_then(|answer| defect.is_mended(&answer));
    verdict.err().map(|wrong| format!("{} ({}): {wrong}", defect.name, defect.row))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_defect_is_mended() {
    let mut left_over = Vec::new();
    for defect in shown() {
        let (server, proxy) = start(&[defect]).await;
        left_over.extend(left(defect, &proxy).await);
        server.abort();
        books(&proxy).await;
    }
    assert!(NOT_YET.iter().all(|name| defects::find(name).is_some()), "a name in NOT_YET is no defect's");
    let all = defects::all().count();
    assert!(left_over.is_empty(), "{} of {all} are not mended:\n{}", left_over.len(), left_over.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_server_stays_sound() {
    let (server, proxy) = start(&[]).await;
    let mut broken = Vec::new();
    for defect in defects::all() {
        broken.extend(left(defect, &proxy).await);
    }
    server.abort();
    assert!(broken.is_empty(), "{} visits fail:\n{}", broken.len(), broken.join("\n"));
}

#[tokio::test]
async fn a_defect_is_shown_directly_and_mended() {
    let (code, out, errors) = run(&["demo", "--defect", "challenge-missing", "--once"]).await;
    assert!(code == 0 && errors.is_empty(), "{out}\n{errors}");
    for text in ["directly", "wrong: no WWW-Authenticate", "through mcp-mend", "resource_metadata=", "1 of 1 mended"] {
        assert!(out.contains(text), "{text} is missing in {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
}

#[tokio::test]
async fn the_defects_are_listed() {
    let (code, out, _) = run(&["demo", "--list", "--json"]).await;
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, list.as_array().unwrap().len()), (0, defects::all().count()));
    let (code, out, _) = run(&["demo", "--list"]).await;
    assert!(code == 0 && defects::all().all(|defect| out.contains(defect.name)), "{out}");
}

#[tokio::test]
async fn a_mistyped_defect_ends_with_2() {
    let (code, out, errors) = run(&["demo", "--defect", "challenge-mising", "--once"]).await;
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(errors.contains("`challenge-missing`"), "{errors}");
}
