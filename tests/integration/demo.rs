//! The demo's defects, each between real sockets: through the proxy none is left.

use std::sync::Arc;

use mcp_mend::demo::broken::{self, Broken};
use mcp_mend::demo::defects::{self, Defect};
use tokio::net::TcpListener;

use crate::kit::{Proxy, run, soon};

/// What is wrong with a defect's answer through a proxy of its own.
async fn left(defect: &'static Defect) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), &[defect]))));
    let proxy = Proxy::to_url(&origin).set("no_probe", "false").start();
    let answer = soon(defect.visit(&format!("http://{}", proxy.address))).await;
    let verdict = answer.and_then(|answer| defect.is_mended(&answer));
    server.abort();
    verdict.err().map(|wrong| format!("{} ({}): {wrong}", defect.name, defect.row))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_defect_is_mended() {
    let mut left_over = Vec::new();
    for defect in defects::all() {
        left_over.extend(left(defect).await);
    }
    let all = defects::all().count();
    assert!(left_over.is_empty(), "{} of {all} are not mended:\n{}", left_over.len(), left_over.join("\n"));
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
