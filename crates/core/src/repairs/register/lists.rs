//! D-08: lists given as strings, and a scope given as a list.

use serde_json::{Value, json};

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

const LISTS: [&str; 3] = ["grant_types", "response_types", "contacts"];

pub static REPAIR: Repair = Repair {
    id: "register.list-type",
    rows: &["D-08"],
    summary: "a list in the registration answer is a string, or `scope` a list",
    why: "RFC 7591 has arrays for grant types, response types and contacts, and one string for the scopes. Parsers in \
          TypeScript, Python and Go refuse the other form.",
    hits: "TypeScript and Python SDK clients, Go SDK hosts",
    stops: who::TYPESCRIPT_OAUTH.and(who::PYTHON).and(who::GO),
    remedy: "A string becomes a list of one (grant types: of its words); a list of scopes becomes one string; anything \
             else in these places goes.",
    advice: "Return arrays of strings, and scopes separated by blanks.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "both ways round",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\
                    \"grant_types\":\"authorization_code refresh_token\",\"response_types\":\"code\",\
                    \"scope\":[\"a\",\"b\"],\"contacts\":[null,\"x@y.z\"]}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\
                 \"grant_types\":[\"authorization_code\",\"refresh_token\"],\"response_types\":[\"code\"],\
                 \"scope\":\"a b\",\"contacts\":[\"x@y.z\"]}",
            ),
        },
        Example {
            note: "right types",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"grant_types\":[\"authorization_code\"],\"scope\":\"a b\",\"contacts\":[]}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let mut any = false;
    let places = LISTS.iter().map(|name| (*name, true)).chain([("scope", false)]);
    for (name, is_list) in places {
        let Some(have) = document.get(name).filter(|have| !have.is_null()) else { continue };
        let right = if is_list { list(name, &have) } else { scope(&have) };
        if right.as_ref() == Some(&have) {
            continue;
        }
        match right {
            Some(right) => document.set(name, right),
            None => document.remove(name),
        }
        any = true;
    }
    if any {
        Outcome::mended("a list that is a string, or the reverse", Edits::to_document(document))
    } else {
        Outcome::Sound
    }
}

fn list(name: &str, have: &Value) -> Option<Value> {
    match have {
        Value::Array(list) => {
            let texts: Vec<Value> = list.iter().filter(|member| member.is_string()).cloned().collect();
            (list.is_empty() || !texts.is_empty()).then(|| texts.into())
        }
        // A response type may consist of several words; a grant type does not.
        Value::String(text) if name == "grant_types" => {
            Some(text.split([' ', ',']).filter(|word| !word.is_empty()).map(Value::from).collect())
        }
        Value::String(text) if !text.is_empty() => Some(json!([text])),
        _ => None,
    }
}

fn scope(have: &Value) -> Option<Value> {
    match have {
        Value::String(_) => Some(have.clone()),
        Value::Array(list) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            (!words.is_empty()).then(|| words.join(" ").into())
        }
        _ => None,
    }
}
