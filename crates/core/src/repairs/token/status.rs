//! E-15: a token with another status than 200.

use http::StatusCode;

use super::{is_granted, tokens};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.status",
    rows: &["E-15"],
    summary: "a token is issued with another success status than 200",
    why: "Python clients take a token only with 200, rmcp does so at a refresh. Frameworks answer a POST with 201.",
    hits: "Python SDK, rmcp",
    stops: who::PYTHON.and(who::RUST),
    remedy: "The status becomes 200, if the answer holds an access token.",
    advice: "Answer token requests with 200.",
    basis: &[basis::TOKEN_ANSWER],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], &[Feature::Created, Feature::Accepted, Feature::NoContent, Feature::OtherSuccess]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| is_granted(request, reply) && reply.status != StatusCode::OK,
        run,
    },
    examples: &[
        Example {
            note: "201",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "201\nContent-Type: application/json\n\n{\"access_token\":\"t\"}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"access_token\":\"t\"}"),
        },
        Example {
            note: "no token",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "202\nContent-Type: application/json\n\n{\"own\":1}",
            then: Then::Sound,
        },
        Example {
            note: "200",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"access_token\":\"t\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if tokens(reply).is_none() {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.status(StatusCode::OK);
    Outcome::mended("a token with another status than 200", edits)
}
