//! D-03: a client secret without its expiry.

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.secret-expiry",
    rows: &["D-03"],
    summary: "a client secret comes without client_secret_expires_at",
    why: "The member is required beside a secret; clients on openid-client refuse an answer without it.",
    hits: "Smithery and other clients on openid-client, strict parsers",
    stops: who::NOBODY,
    remedy: "Adds 0, which says that no expiry is known; the server still refuses the secret when it wants to.",
    advice: "Return `client_secret_expires_at`, 0 if the secret never expires.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "missing",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret\":\"s\"}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"client_secret\":\"s\",\"client_secret_expires_at\":0}",
            ),
        },
        Example {
            note: "a public client needs none",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let has_secret = document.text("client_secret").is_some_and(|secret| !secret.is_empty());
    if !has_secret || document.has("client_secret_expires_at") {
        return Outcome::Sound;
    }
    document.set("client_secret_expires_at", 0.into());
    Outcome::mended("a secret without its expiry", Edits::to_document(document))
}
