//! D-09: a client id that is a number.

use serde_json::Value;

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.client-id-type",
    rows: &["D-09"],
    summary: "client_id is a number",
    why: "client_id is a string; every client's parser refuses a number.",
    hits: "every client",
    stops: who::STRICT.and(who::HOSTED),
    remedy: "Puts the digits in quotes: as a form parameter it is the same text.",
    advice: "Return the id as a string.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "beyond 2^53, to the digit",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":90071992547409931}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"90071992547409931\"}"),
        },
        Example {
            note: "a string",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"9\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let Some(Value::Number(number)) = document.get("client_id") else { return Outcome::Sound };
    document.set("client_id", number.to_string().into());
    Outcome::mended("client_id is a number", Edits::to_document(document))
}
