//! E-09: optional members of a token answer that have no value, or not that of their type.

use serde_json::Value;

use super::{is_granted, parameter, tokens};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.members",
    rows: &["E-09", "E-02"],
    summary: "optional members of a token answer are null, empty, or of another type",
    why: "The TypeScript SDK throws the tokens away at a null; a list for `scope` or `false` for `refresh_token` stops \
          every client. An empty refresh token is tried, and refused, once the access token has expired.",
    hits: "TypeScript SDK clients for null; every client otherwise",
    stops: who::STRICT,
    remedy: "`refresh_token` and `id_token` that are no text or empty go; `scope` becomes a text with blanks between \
             the scopes, or goes.",
    advice: "Leave out what has no value; write `scope` as one text.",
    basis: &[basis::TOKEN_ANSWER, basis::SCOPE],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply { needs: Needs::Body, when: is_granted, run },
    examples: &[
        Example {
            note: "null",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"access_token\":\"t\",\"refresh_token\":null,\"scope\":null,\"id_token\":null,\"own\":null}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"own\":null}"),
        },
        Example {
            note: "a list, and no refresh token",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"scope\":[\"a\",\"b\"],\"access_token\":\"t\",\"refresh_token\":false}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"scope\":\"a b\",\"access_token\":\"t\"}"),
        },
        Example {
            note: "commas",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"scope\":\"repo,user\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"scope\":\"repo user\"}",
            ),
        },
        Example {
            note: "a scope with a comma in it was asked for",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&scope=a%2Cb",
            reply: "200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"scope\":\"a,b\"}",
            then: Then::Sound,
        },
        Example {
            note: "all as it should be",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"access_token\":\"t\",\"refresh_token\":\"r\",\"scope\":\"a b\",\"id_token\":\"i\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let asked = parameter(request, "scope");
    let Some(mut document) = tokens(reply) else { return Outcome::Sound };
    let mut any = false;
    for name in ["refresh_token", "id_token"] {
        let is_usable = match document.get(name) {
            None => true,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => false,
        };
        if !is_usable {
            document.remove(name);
            any = true;
        }
    }
    any |= straighten_scope(&mut document, asked.as_deref());
    if any {
        Outcome::mended("members without a value, or of another type", Edits::to_document(document))
    } else {
        Outcome::Sound
    }
}

fn straighten_scope(document: &mut Object, asked: Option<&str>) -> bool {
    let scope = match document.get("scope") {
        None => return false,
        Some(Value::String(text)) => {
            // A comma may stand in a scope (RFC 6749 section 3.3); that it separates them is seen by there being no
            // blank.
            let separates =
                text.contains(',') && !text.contains(' ') && !asked.is_some_and(|asked| asked.contains(','));
            if !separates {
                return false;
            }
            joined(text.split(','))
        }
        Some(Value::Array(list)) => joined(list.iter().filter_map(Value::as_str).flat_map(|text| text.split(','))),
        Some(_) => String::new(),
    };
    if scope.is_empty() {
        document.remove("scope");
    } else {
        document.set("scope", scope.into());
    }
    true
}

fn joined<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    scopes.map(str::trim).filter(|scope| !scope.is_empty()).collect::<Vec<_>>().join(" ")
}
