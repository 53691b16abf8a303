//! Every defect shows itself, and only where it is: its check fails on the server that has it and passes on one that
//! has none.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::net::TcpListener;

use super::*;
use crate::demo::broken::{self, Broken};
use crate::demo::mended;

/// Serves a server with these defects, and gives its address.
async fn serve(defects: &[&'static Defect]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(broken::serve(listener, Arc::new(Broken::with(origin.clone(), defects))));
    origin
}

async fn verdict(defect: &Defect, base: &str) -> Result<(), String> {
    let answer = defect.visit(base).await?;
    defect.is_mended(&answer)
}

#[test]
fn names_are_unique_and_rows_exist() {
    let names: HashSet<_> = all().map(|defect| defect.name).collect();
    assert_eq!(names.len(), all().count());
    assert!(!names.contains(ALL_OF_THE_PAGE));
    for Defect { name, row, summary, change, .. } in all() {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        assert!(!summary.is_empty() && summary.len() <= 76 && !summary.ends_with('.') && !change.is_empty(), "{name}");
        let (group, number) = row.split_once('-').unwrap();
        let number: u8 = number.parse().unwrap();
        let last = match group {
            "A" => 16,
            "B" => 13,
            "C" => 20,
            "D" => 25,
            "E" => 24,
            "F" => 43,
            "G" => 7,
            "H" => 10,
            "R" => 50,
            _ => 0,
        };
        assert!((1..=last).contains(&number), "{name}: {row}");
    }
}

#[test]
fn a_mistyped_name_finds_its_defect() {
    assert_eq!(nearest("chalenge-missing"), Some("challenge-missing"));
    assert_eq!(nearest("all-of-page"), Some(ALL_OF_THE_PAGE));
    assert_eq!(nearest("zzz"), None);
    assert!(find("challenge-missing").is_some() && find("challenge").is_none());
}

#[tokio::test]
async fn a_sound_server_passes_every_check() {
    let sound = serve(&[]).await;
    let mut wrong = Vec::new();
    for defect in all() {
        if let Err(what) = verdict(defect, &sound).await {
            wrong.push(format!("{}: {what}", defect.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_defect_shows_itself() {
    let mut tasks = Vec::new();
    for defect in all() {
        tasks.push(tokio::spawn(async move {
            let base = serve(&[defect]).await;
            // One that keeps a client waiting is seen before that client gives up.
            let seen = tokio::time::timeout(Duration::from_secs(4), verdict(defect, &base)).await;
            matches!(seen, Ok(Ok(()))).then_some(defect.name)
        }));
    }
    let mut hidden = Vec::new();
    for task in tasks {
        hidden.extend(task.await.unwrap());
    }
    assert!(hidden.is_empty(), "{hidden:#?}");
}

/// A defect that moves something must not lose it: a client that is led there goes on.
#[tokio::test]
async fn what_was_moved_is_where_it_went() {
    for defect in all() {
        for change in defect.change {
            let Change::Also(at, _) = change else { continue };
            let base = Base::parse(&serve(&[defect]).await).unwrap();
            let answer = base.ask(Method::GET, at).send().await.unwrap();
            assert_ne!(answer.status, StatusCode::NOT_FOUND, "{}: {at}", defect.name);
        }
    }
}

/// A server that wants another form takes that form.
#[tokio::test]
async fn the_form_that_is_wanted_is_taken() {
    let base = Base::parse(&serve(&[find("registration-wants-form").unwrap()]).await).unwrap();
    let fields = [
        ("redirect_uris", "https://one.example/cb"),
        ("redirect_uris[]", "https://two.example/cb"),
        ("token_endpoint_auth_method", "none"),
    ];
    let answer = base.ask(Method::POST, "/register").form(&fields).send().await.unwrap();
    assert_eq!(mended::registered(&answer), Ok(()));
    assert_eq!(answer.json().unwrap()["redirect_uris"].as_array().unwrap().len(), 2);

    let base = Base::parse(&serve(&[find("token-wants-json").unwrap()]).await).unwrap();
    let asked = serde_json::json!({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "forgotten"});
    let answer = base.ask(Method::POST, "/token").json(&asked).send().await.unwrap();
    assert_eq!(mended::client_refused(&answer), Ok(()));
}

/// A server that takes a secret in one way only takes it in that way, and needs no `resource`.
#[tokio::test]
async fn the_other_way_leads_to_a_token() {
    for (name, visit) in [
        ("secret-in-body-only", crate::demo::visit::TOKEN_BY_POST),
        ("secret-in-header-only", crate::demo::visit::TOKEN_BY_BASIC),
    ] {
        let base = Base::parse(&serve(&[find(name).unwrap()]).await).unwrap();
        let answer = visit(&base).await.unwrap();
        assert_eq!(mended::token_issued(&answer), Ok(()), "{name}");
    }
}
