//! a challenge that does not name the scopes that the operator states.

use super::{is_unauthorized, leading_bearer, with_challenges};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.challenge-scope",
    rows: &["A-16"],
    summary: "the challenge names no scope although the operator states `scopes`",
    why: "Clients ask first for the scopes of the challenge. Without them they ask for everything the metadata list, \
          or for nothing, and some authorization servers refuse either.",
    hits: "Claude, TypeScript and Python SDK clients, at servers that refuse an empty or a full scope",
    stops: who::NOBODY,
    remedy: "Adds `scope` with the stated scopes; one that the upstream sends is kept. Does nothing unless `scopes` is \
             stated.",
    advice: "Name the scopes that a first connection needs in the `scope` parameter of the challenge.",
    basis: &[basis::CHALLENGE_SCOPE],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Unauthorized]],
    hook: Hook::Reply { needs: Needs::Head, when: is_unauthorized, run },
    examples: &[
        Example {
            note: "stated scopes",
            site: SiteKind::Scoped,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer \
                    resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
                 scope=\"mcp:read mcp:write\"",
            ),
        },
        Example {
            note: "the upstream's own scope stays",
            site: SiteKind::Scoped,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer scope=\"mcp:admin\"",
            then: Then::Sound,
        },
        Example {
            note: "nothing stated",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer realm=\"r\"",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if site.facts.scopes.is_empty() {
        return Outcome::Sound;
    }
    let Some((mut found, mut bearer)) = leading_bearer(reply) else { return Outcome::Sound };
    if bearer.get("scope").is_some() {
        return Outcome::Sound;
    }
    bearer.set("scope", &site.facts.scopes.join(" "));
    if let Some(first) = found.list.first_mut() {
        *first = bearer;
    }
    Outcome::mended("the challenge names no scope", with_challenges(&found))
}
