//! without a Bearer challenge hosted clients and rmcp never start to log in.

use http::header::WWW_AUTHENTICATE;

use super::{complete, is_ours, is_unauthorized, with_challenges};
use crate::client::who;
use crate::edit::challenge::{Challenge, Challenges};
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "auth.challenge-missing",
    rows: &["A-01", "A-15"],
    summary: "a 401 from the MCP endpoint carries no Bearer challenge",
    why: "Clients learn from the challenge that the server speaks OAuth and where its metadata are. Without it they \
          show \"couldn't connect\" and never open a login page.",
    hits: "claude.ai, Claude Desktop and mobile, ChatGPT, VS Code, Codex and every rmcp client",
    stops: who::HOSTED.and(who::RUST),
    remedy: "Adds a Bearer challenge as the first one: with an absolute `resource_metadata` when the upstream has \
             resource metadata or they can be derived, else plain `Bearer`. Other challenges stay behind it.",
    advice: "Send `WWW-Authenticate: Bearer resource_metadata=\"https://HOST/.well-known/oauth-protected-resource/mcp\"` \
             with every 401 of the MCP endpoint, before any other middleware ends the request.",
    basis: &[basis::CHALLENGE, basis::CHALLENGE_MCP],
    default: Mode::Fix,
    on: Class::OF_MESSAGES,
    gate: &[&[Feature::Unauthorized]],
    hook: Hook::Reply { needs: Needs::Head, when: is_unauthorized, run },
    examples: &[
        Example {
            note: "bare 401",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "401\nContent-Type: application/json",
            then: Then::Becomes(
                "401\nContent-Type: application/json\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
            ),
        },
        Example {
            note: "no metadata anywhere: no pointer to nothing",
            site: SiteKind::Open,
            request: "GET /mcp",
            reply: "401",
            then: Then::Becomes("401\nWWW-Authenticate: Bearer"),
        },
        Example {
            note: "Basic alone stays, second",
            site: SiteKind::Foreign,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Basic realm=\"x\"",
            then: Then::Becomes(
                "401\nWWW-Authenticate: Bearer \
                 resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"\n\
                 WWW-Authenticate: Basic realm=\"x\"",
            ),
        },
        Example {
            note: "a right challenge",
            site: SiteKind::Cohosted,
            request: "POST /mcp",
            reply: "401\nWWW-Authenticate: Bearer \
                    resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if is_ours(site, reply) {
        return Outcome::Sound;
    }
    let mut found = match reply.headers.contains_key(WWW_AUTHENTICATE) {
        true => Challenges::read(&reply.headers),
        false => Challenges::default(),
    };
    if found.list.iter().any(Challenge::is_bearer) {
        return Outcome::Sound;
    }
    let mut bearer = Challenge::new("Bearer");
    complete(site, &mut bearer);
    found.list.insert(0, bearer);
    Outcome::mended("401 without a Bearer challenge", with_challenges(&found))
}
