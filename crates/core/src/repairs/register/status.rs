//! D-18: a registration answered with another success than 201.

use http::StatusCode;

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.status",
    rows: &["D-18"],
    summary: "a registration is answered with another success than 201",
    why: "The Python SDK takes only 200 and 201, the Go SDK only 201.",
    hits: "Python SDK clients (202), Go SDK hosts (200, 202)",
    stops: who::PYTHON.and(who::GO),
    remedy: "The status becomes 201 if the answer carries a client_id.",
    advice: "Answer 201 Created.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[
        &[Feature::Post],
        &[Feature::Ok, Feature::Accepted, Feature::NoContent, Feature::OtherSuccess],
        &[Feature::Json],
    ],
    hook: Hook::Reply {
        needs: Needs::Json,
        when: |request, reply| is_accepted(request, reply) && reply.status != StatusCode::CREATED,
        run,
    },
    examples: &[
        Example {
            note: "200",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "200\nContent-Type: application/json\n\n{\"client_id\":\"a\"}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}"),
        },
        Example {
            note: "200 with an error is no registration",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "200\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if registration(reply).is_none() {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.status(StatusCode::CREATED);
    Outcome::mended("a success that is not 201", edits)
}
