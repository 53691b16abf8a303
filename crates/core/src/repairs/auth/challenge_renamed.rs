//! a gateway that takes the challenge away and sends it under another name (field report 39).

use http::HeaderName;
use http::header::{HeaderValue, WWW_AUTHENTICATE};

use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What API Gateway makes of `WWW-Authenticate`.
const REMAPPED: HeaderName = HeaderName::from_static("x-amzn-remapped-www-authenticate");

pub static REPAIR: Repair = Repair {
    id: "auth.challenge-renamed",
    rows: &["A-01"],
    summary: "the challenge comes under the name that AWS API Gateway gives it",
    why: "API Gateway and Lambda function URLs rename `WWW-Authenticate` to `x-amzn-Remapped-WWW-Authenticate`. No \
          client looks there, so that none learns that the server speaks OAuth.",
    hits: "every client of a server behind AWS API Gateway",
    stops: who::HOSTED.and(who::RUST),
    remedy: "Gives the header its name back, line by line. A `WWW-Authenticate` that is there as well wins.",
    advice: "Map the header in a gateway response, or put the server behind an ALB or CloudFront instead.",
    basis: &[basis::CHALLENGE_GRAMMAR],
    default: Mode::Fix,
    on: &[Class::Mcp, Class::LegacySse, Class::LegacyPost, Class::Token],
    gate: &[&[Feature::RenamedChallenge]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "renamed",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nx-amzn-Remapped-WWW-Authenticate: Bearer realm=\"r\"",
            then: Then::Becomes("401\nWWW-Authenticate: Bearer realm=\"r\""),
        },
        Example {
            note: "several lines",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "401\nCache-Control: no-store\nx-amzn-Remapped-WWW-Authenticate: Bearer\n\
                    x-amzn-Remapped-WWW-Authenticate: Basic realm=\"r\"",
            then: Then::Becomes(
                "401\nCache-Control: no-store\nWWW-Authenticate: Bearer\nWWW-Authenticate: Basic realm=\"r\"",
            ),
        },
        Example {
            note: "a real one wins",
            site: SiteKind::Open,
            request: "GET /sse",
            reply: "401\nWWW-Authenticate: Bearer\nx-amzn-Remapped-WWW-Authenticate: Basic realm=\"r\"",
            then: Then::Becomes("401\nWWW-Authenticate: Bearer"),
        },
        Example {
            note: "other remapped headers stay",
            site: SiteKind::Open,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer\nx-amzn-Remapped-Date: today",
            then: Then::Sound,
        },
    ],
};

fn when(_: &Request, reply: &Reply) -> bool {
    reply.headers.contains_key(REMAPPED)
}

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let renamed: Vec<HeaderValue> = reply.headers.get_all(REMAPPED).iter().cloned().collect();
    if renamed.is_empty() {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.remove(REMAPPED);
    if !reply.headers.contains_key(WWW_AUTHENTICATE) {
        for line in renamed {
            edits.add(WWW_AUTHENTICATE, line);
        }
    }
    Outcome::mended("the challenge has another name", edits)
}
