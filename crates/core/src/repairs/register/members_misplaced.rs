//! D-24: a registration that is wrapped in another member, or written in camel case.

use http::Method;
use serde_json::{Map, Value};

use super::names_client;
use super::nulls::OPTIONAL;
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Members under which servers put the whole registration.
const WRAPPERS: [&str; 10] = [
    "data",
    "client",
    "result",
    "client_info",
    "clientInfo",
    "registration",
    "response",
    "payload",
    "oauth_client",
    "oauthClient",
];

pub static REPAIR: Repair = Repair {
    id: "register.members-misplaced",
    rows: &["D-24"],
    summary: "a registration answer is wrapped in another member, or its names are in camel case",
    why: "The members of a registration stand at the top of the answer under their registered names; no client looks \
          for them elsewhere.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Moves the members up and gives them their names, if there is no client_id where it belongs. Values stay \
             as they are, and so do the members beside them.",
    advice: "Return `client_id` and the others as members of the answer itself.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| request.method == Method::POST && reply.status.is_success(),
        run,
    },
    examples: &[
        Example {
            note: "wrapped",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"success\":true, \"data\":{\"client_id\":\"a\",\"client_secret\":\"s\"}}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"success\":true,\"client_id\":\"a\",\"client_secret\":\"s\"}",
            ),
        },
        Example {
            note: "camel case",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"clientId\":\"a\",\"clientSecret\":\"s\",\
                    \"clientSecretExpiresAt\":0,\"redirectUris\":[\"http://localhost:1/cb\"],\"ownName\":1}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"ownName\":1,\"client_id\":\"a\",\
                 \"client_secret\":\"s\",\"client_secret_expires_at\":0,\
                 \"redirect_uris\":[\"http://localhost:1/cb\"]}",
            ),
        },
        Example {
            note: "both, and two wrappers",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"result\":{\"client\":{\"clientId\":\"a\"}}}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}"),
        },
        Example {
            note: "beside members that are null",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"error\":null,\"client_id\":null,\"client\":{\"client_id\":\"a\"}}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"error\":null,\"client_id\":\"a\"}"),
        },
        Example {
            note: "a member of the server's own beside the id",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"clientId\":\"a\",\"data\":{\"client_id\":\"b\"}}",
            then: Then::Sound,
        },
        Example {
            note: "no client anywhere",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"data\":{\"user\":1},\"clientId\":null}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(document) = reply.json() else { return Outcome::Sound };
    let states = |name: &str| document.has(name) && !document.is_null(name);
    if states("client_id") || states("error") {
        return Outcome::Sound;
    }
    let mut straight = document.clone();
    for _ in 0..2 {
        let is_id = |name: &String| registered(name) == Some("client_id") && !straight.is_null(name);
        if !straight.names().iter().any(is_id) {
            unwrap(&mut straight);
        }
    }
    rename(&mut straight);
    if !names_client(&straight) {
        return Outcome::Sound;
    }
    Outcome::mended("the registration is wrapped or in camel case", Edits::to_document(straight))
}

/// The registered name that is meant by this one.
fn registered(name: &str) -> Option<&'static str> {
    let same = |right: &str| {
        let letters = right.bytes().filter(|&b| b != b'_');
        letters.eq(name.bytes().filter(|&b| b != b'_' && b != b'-').map(|b| b.to_ascii_lowercase()))
    };
    std::iter::once("client_id").chain(OPTIONAL.iter().copied()).find(|right| same(right))
}

/// Moves the members of the first wrapper up. What stands there already stays.
fn unwrap(document: &mut Object) {
    let wrapped = WRAPPERS.iter().find_map(|name| match document.get(name) {
        Some(Value::Object(members)) if holds_client(&members) => Some((*name, members)),
        _ => None,
    });
    let Some((wrapper, members)) = wrapped else { return };
    document.remove(wrapper);
    for (name, value) in members {
        if !document.has(&name) || document.is_null(&name) {
            document.set(&name, value);
        }
    }
}

/// Whether a client is in there, at most one wrapper deeper.
fn holds_client(members: &Map<String, Value>) -> bool {
    let is_id = |(name, value): (&String, &Value)| registered(name) == Some("client_id") && !value.is_null();
    let has_id = |members: &Map<String, Value>| members.iter().any(is_id);
    let inner = |name: &str| members.get(name).and_then(Value::as_object).is_some_and(has_id);
    has_id(members) || WRAPPERS.iter().any(|name| inner(name))
}

fn rename(document: &mut Object) {
    for name in document.names() {
        let is_free = |right: &&str| *right != name && (!document.has(right) || document.is_null(right));
        let Some(right) = registered(&name).filter(is_free) else { continue };
        if let Some(value) = document.get(&name) {
            document.remove(&name);
            document.set(right, value);
        }
    }
}
