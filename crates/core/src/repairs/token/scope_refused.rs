//! E-19: a refresh that is refused for the scopes that it names.

use super::{Said, is_refresh, is_refused};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::features::{CLIENT_ERROR, Feature};
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.scope-refused",
    rows: &["E-19"],
    summary: "a refresh is refused with invalid_scope",
    why: "Clients append `offline_access`, or name what they once asked for and were not granted. The server refuses \
          the refresh for it, and the user has to log in again.",
    hits: "TypeScript SDK v2, Claude Code",
    stops: who::TYPESCRIPT_2,
    remedy: "Asks once more without `scope`, which means the scopes that were granted. Not where the answer tells of a \
             token that was rotated.",
    advice: "Grant what is left after taking out the scopes that you do not know.",
    basis: &[basis::REFRESH],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], CLIENT_ERROR],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| is_refused(request, reply) && is_refresh(request) && reply.status.is_client_error(),
        run,
    },
    examples: &[
        Example {
            note: "offline_access",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&scope=mcp+offline_access&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_scope\"}",
            then: Then::Asks("POST /token\n\ngrant_type=refresh_token&refresh_token=r"),
        },
        Example {
            note: "no scope was named",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_scope\"}",
            then: Then::Sound,
        },
        Example {
            note: "another grant",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=client_credentials&scope=a",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_scope\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let rest = request.form().and_then(|form| params::without(form, "scope"));
    match rest.filter(|_| Said::by(reply).is_some_and(|said| said.meant == "invalid_scope" && !said.tells_of_taking()))
    {
        Some(rest) => Outcome::again("scope was refused; asking without it", Ask::with_form(rest)),
        None => Outcome::Sound,
    }
}
