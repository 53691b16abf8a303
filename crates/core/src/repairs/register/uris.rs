//! D-06: addresses of the client that are empty or relative.

use serde_json::Value;

use super::{is_accepted, registration};
use crate::client::who;
use crate::edit::origin::after_origin;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

const ADDRESSES: [&str; 7] =
    ["client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "sector_identifier_uri", "registration_client_uri"];

pub static REPAIR: Repair = Repair {
    id: "register.uri-form",
    rows: &["D-06"],
    summary: "an address in the registration answer is empty or not absolute",
    why: "TypeScript and Python parse these members as URLs and refuse the answer at one that is none. Hydra returns \
          empty strings for all that was not stated.",
    hits: "TypeScript and Python SDK clients",
    stops: who::TYPESCRIPT_OAUTH.and(who::PYTHON),
    remedy: "Takes the member out: it names nothing.",
    advice: "Leave the member out when there is no address.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "empty, relative, a bare host",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_uri\":\"\",\"client_id\":\"a\",\"logo_uri\":\"/l.png\",\"jwks_uri\":\"h.example/jwks\"}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}"),
        },
        Example {
            note: "absolute",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_uri\":\"https://client.example\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let mut any = false;
    for name in ADDRESSES {
        let usable = match document.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => after_origin(&text).is_some() && url::Url::parse(&text).is_ok(),
            Some(_) => false,
        };
        if !usable {
            document.remove(name);
            any = true;
        }
    }
    if any { Outcome::mended("an address that is none", Edits::to_document(document)) } else { Outcome::Sound }
}
