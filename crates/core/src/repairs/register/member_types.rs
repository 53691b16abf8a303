//! D-08, field report 25: texts that are none, and keys that are a text.

use serde_json::Value;

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Members that are texts, and whether a number there is one that lost its quotes.
const TEXTS: [(&str, bool); 5] = [
    ("client_name", true),
    ("software_id", true),
    ("software_version", true),
    ("software_statement", false),
    ("application_type", false),
];

pub static REPAIR: Repair = Repair {
    id: "register.member-type",
    rows: &["D-08"],
    summary: "a text in the registration answer is a number, a list or an object, or `jwks` a text",
    why: "Every parser knows these members and refuses the whole answer when one of them has another type.",
    hits: "every client",
    stops: who::STRICT,
    remedy: "A number becomes its digits; anything else goes: the client knows what it stated of itself.",
    advice: "Return the members as they were sent.",
    basis: &[basis::REGISTRATION_REQUEST],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "a number and a list",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_name\":5,\"software_id\":[\"x\"],\"software_version\":1.0}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"client_name\":\"5\",\"software_version\":\"1.0\"}",
            ),
        },
        Example {
            note: "names by language, keys as a text",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_name\":{\"en\":\"x\"},\"application_type\":1,\"jwks\":\"{}\"}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}"),
        },
        Example {
            note: "texts, whatever they say",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_name\":\"\",\
                    \"application_type\":\"desktop\",\"jwks\":{\"keys\":[]}}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let mut any = false;
    for (name, takes_number) in TEXTS {
        match document.get(name) {
            None | Some(Value::Null | Value::String(_)) => continue,
            Some(Value::Number(number)) if takes_number => document.set(name, number.to_string().into()),
            Some(_) => document.remove(name),
        }
        any = true;
    }
    if document.get("jwks").is_some_and(|keys| !keys.is_object() && !keys.is_null()) {
        document.remove("jwks");
        any = true;
    }
    if any { Outcome::mended("a text that is none", Edits::to_document(document)) } else { Outcome::Sound }
}
