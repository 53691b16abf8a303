//! E-02, field report 46: tokens under other names, or one level down.

use serde_json::Value;

use super::{holds_token, is_granted};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// The members of RFC 6749 section 5.1 and OpenID Connect Core section 3.1.3.3, and what they are called in camel case.
const MEMBERS: &[(&str, &str)] = &[
    ("access_token", "accessToken"),
    ("token_type", "tokenType"),
    ("expires_in", "expiresIn"),
    ("refresh_token", "refreshToken"),
    ("scope", "scopes"),
    ("id_token", "idToken"),
];

/// Members under which servers put them; Slack's for a user's token last.
const WRAPPERS: &[&str] = &["data", "token", "result", "tokens", "response", "authed_user"];

pub static REPAIR: Repair = Repair {
    id: "token.wrapped",
    rows: &["E-02"],
    summary: "the tokens are in a member of the answer, or have names of their own",
    why: "Clients look for `access_token` at the top of the document. What a framework's envelope holds, or its naming \
          style changes, they do not find.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "If there is no `access_token` at the top: the standard members are copied up from `data`, `token`, \
             `result`, or Slack's `authed_user`, and get their standard names.",
    advice: "Answer with the document of RFC 6749 section 5.1 itself.",
    basis: &[basis::TOKEN_ANSWER],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply { needs: Needs::Body, when: is_granted, run },
    examples: &[
        Example {
            note: "an envelope",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"data\":{\"access_token\":\"t\",\"expires_in\":60,\"x\":1}}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"data\":{\"access_token\":\"t\",\"expires_in\":60,\"x\":1},\
                 \"access_token\":\"t\",\"expires_in\":60}",
            ),
        },
        Example {
            note: "camel case",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"accessToken\":\"t\",\"expiresIn\":60,\"own\":1}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"own\":1,\"access_token\":\"t\",\"expires_in\":60}",
            ),
        },
        Example {
            note: "Slack, for a user",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"ok\":true,\"authed_user\":{\"id\":\"U\",\"access_token\":\"xoxp\",\"token_type\":\"user\"}}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"ok\":true,\"authed_user\":{\"id\":\"U\",\"access_token\":\"xoxp\",\"token_type\":\"user\"},\
                 \"access_token\":\"xoxp\",\"token_type\":\"user\"}",
            ),
        },
        Example {
            note: "Slack, for a bot",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"ok\":true,\"access_token\":\"xoxb\",\"authed_user\":{\"access_token\":\"xoxp\"}}",
            then: Then::Sound,
        },
        Example {
            note: "no token anywhere",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"token\":\"t\",\"data\":{\"id\":1}}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(document) = reply.json().filter(|document| !holds_token(document)) else { return Outcome::Sound };
    let mut document = document.clone();
    if is_token(document.get("accessToken").as_ref()) {
        rename(&mut document);
        return Outcome::mended("the tokens have names of their own", Edits::to_document(document));
    }
    let inner = WRAPPERS.iter().find_map(|wrapper| match document.get(wrapper) {
        Some(Value::Object(members)) => {
            let has = |name| is_token(members.get(name));
            (has("access_token") || has("accessToken")).then_some(members)
        }
        _ => None,
    });
    let Some(inner) = inner else { return Outcome::Sound };
    for (name, other) in MEMBERS {
        let value = [name, other].into_iter().filter_map(|name| inner.get(*name)).find(|value| !value.is_null());
        if let Some(value) = value.filter(|_| is_unset(&document, name)) {
            document.set(name, value.clone());
        }
    }
    Outcome::mended("the tokens are one level down", Edits::to_document(document))
}

fn is_token(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|token| !token.is_empty())
}

/// Whether nothing stands where a member is to come.
fn is_unset(document: &Object, name: &str) -> bool {
    match document.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        // No text, no token.
        Some(_) => name == "access_token",
    }
}

fn rename(document: &mut Object) {
    for (name, other) in MEMBERS {
        if let Some(value) = document.get(other).filter(|_| is_unset(document, name)) {
            document.remove(other);
            document.set(name, value);
        }
    }
}
