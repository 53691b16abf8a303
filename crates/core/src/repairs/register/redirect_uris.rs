//! D-07: redirect URIs that are missing from the answer.

use serde_json::{Value, json};
use url::Url;

use super::{asked_for, is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.redirect-uris",
    rows: &["D-07"],
    summary: "the registration answer does not list the redirect URIs",
    why: "The answer returns what was registered; three of five parsers refuse one without a list of redirect URIs.",
    hits: "TypeScript SDK clients, Python SDK 1.x, rmcp clients",
    stops: who::STRICT,
    remedy: "Keeps what is a URI in it, also in a single string; if there is none, copies the list from the request \
             that the upstream accepted.",
    advice: "Echo `redirect_uris` as it was registered.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "missing",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            ),
        },
        Example {
            note: "a string",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"redirect_uris\":\"http://localhost:1/cb\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            ),
        },
        Example {
            note: "not only URIs",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"cursor://cb\",\"http://localhost:1/cb\"]}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"redirect_uris\":[null,\"http://localhost:1/cb\",\"/cb\"]}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            ),
        },
        Example {
            note: "none of a list",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"redirect_uris\":[null]}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            ),
        },
        Example {
            note: "a list, though another than was asked for",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"cursor://cb\",\"http://localhost:1/cb\"]}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let asked = asked_for(request, "redirect_uris");
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let have = document.get("redirect_uris");
    let stated = match &have {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => listed(text),
        _ => Vec::new(),
    };
    let mut right: Vec<String> = stated.into_iter().filter(|uri| Url::parse(uri).is_ok()).collect();
    if right.is_empty() {
        right = asked;
    }
    let right = json!(right);
    if have.as_ref() == Some(&right) || right == json!([]) {
        return Outcome::Sound;
    }
    document.set("redirect_uris", right);
    Outcome::mended("redirect_uris is not a list of what was registered", Edits::to_document(document))
}

/// The URIs in one text: a list that was printed, or several with blanks between them.
fn listed(text: &str) -> Vec<String> {
    serde_json::from_str(text)
        .unwrap_or_else(|_| text.split_whitespace().map(|uri| uri.trim_end_matches(',').to_owned()).collect())
}
