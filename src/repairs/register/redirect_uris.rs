//! D-07: redirect URIs that are missing from the answer.

use serde_json::{Value, json};

use super::{is_accepted, registration};
use crate::endpoint::Class;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.redirect-uris",
    rows: &["D-07"],
    summary: "the registration answer does not list the redirect URIs",
    why: "The answer returns what was registered; three of five parsers refuse one without a list of redirect URIs.",
    hits: "TypeScript SDK clients, Python SDK 1.x, rmcp clients",
    remedy: "Copies the list from the request that the upstream accepted; a single string becomes a list.",
    advice: "Echo `redirect_uris` as it was registered.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
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
            note: "a list, though another than was asked for",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"cursor://cb\",\"http://localhost:1/cb\"]}",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &mut Reply) -> Outcome {
    let asked = request.json().and_then(|asked| asked.get("redirect_uris"));
    let Some(document) = registration(reply) else { return Outcome::Sound };
    let have = document.get("redirect_uris");
    let right = match &have {
        Some(Value::Array(list)) if !list.is_empty() && list.iter().all(Value::is_string) => return Outcome::Sound,
        Some(Value::String(one)) if !one.is_empty() => Some(json!([one])),
        _ => asked
            .filter(|asked| asked.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_string))),
    };
    let Some(right) = right else { return Outcome::Sound };
    document.set("redirect_uris", right);
    Outcome::mended("redirect_uris is not a list of what was registered")
}
