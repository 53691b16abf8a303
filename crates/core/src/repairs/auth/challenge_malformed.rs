//! a Bearer challenge that strict parsers do not find or cannot read.

use super::{is_ours, is_unauthorized, with_challenges};
use crate::client::who;
use crate::edit::challenge::{Challenge, Challenges};
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.challenge-malformed",
    rows: &["A-04", "A-05", "A-06"],
    summary: "the Bearer challenge is not the first one, or not written as the grammar says",
    why: "The TypeScript SDK reads a challenge only if the header begins with `Bearer`, rmcp reads only the first line, \
          Go refuses a missing comma or an empty realm, others cut an unquoted URL at a comma.",
    hits: "TypeScript SDK clients, rmcp clients, Go SDK hosts, VS Code (wants the spelling `Bearer`)",
    stops: who::GO,
    remedy: "Writes one well-formed Bearer challenge first, its `error`, `scope` and `realm` kept, and the other \
             challenges behind it, a line each.",
    advice: "Separate parameters by commas, put every value in quotes, leave out empty ones, and send Bearer before \
             Basic or Negotiate.",
    basis: &[basis::CHALLENGE_GRAMMAR],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Unauthorized]],
    hook: Hook::Reply { needs: Needs::Head, when: is_unauthorized, run },
    examples: &[
        Example {
            note: "no comma, no quotes",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"\" error=\"invalid_token\" error_description=it's-over",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"it's-over\"",
            ),
        },
        Example {
            note: "Basic first, on one line, lower case",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Basic realm=\"r\", bearer scope=\"a b\"",
            then: Then::Becomes("401\nWWW-Authenticate: Bearer scope=\"a b\"\nWWW-Authenticate: Basic realm=\"r\""),
        },
        Example {
            note: "two Bearer lines become one",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\"\nWWW-Authenticate: Bearer error=\"invalid_token\"",
            then: Then::Becomes("401\nWWW-Authenticate: Bearer realm=\"r\", error=\"invalid_token\""),
        },
        Example {
            note: "blanks and tokens as the grammar allows them",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\" , error=invalid_token, Basic realm=\"r\"",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if is_ours(site, reply) {
        return Outcome::Sound;
    }
    let found = Challenges::read(&reply.headers);
    let (bearers, others): (Vec<_>, Vec<_>) = found.list.iter().cloned().partition(Challenge::is_bearer);
    let Some(mut first) = bearers.first().cloned() else { return Outcome::Sound };
    let what = if let Some(irregular) = found.irregular {
        format!("challenge with {irregular}").into()
    } else if found.leading_bearer().is_none() {
        "the Bearer challenge is not the first".into()
    } else if bearers.len() > 1 {
        std::borrow::Cow::Borrowed("several Bearer challenges")
    } else {
        return Outcome::Sound;
    };
    first.remove_token68();
    for (name, value) in bearers.iter().skip(1).flat_map(Challenge::params) {
        if first.get(name).is_none() {
            first.set(name, value);
        }
    }
    let list = std::iter::once(first).chain(others).collect();
    Outcome::mended(what, with_challenges(&Challenges { list, irregular: None }))
}
