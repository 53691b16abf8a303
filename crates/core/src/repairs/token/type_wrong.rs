//! E-04: a token type that is missing or names something else.

use serde_json::Value;

use super::{is_granted, tokens};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Types that say how a token is used otherwise than as a bearer token (RFC 9449, RFC 8693, and what came before).
const OTHERS: &[&str] = &["DPoP", "MAC", "PoP", "N_A"];

pub static REPAIR: Repair = Repair {
    id: "token.type",
    rows: &["E-04"],
    summary: "`token_type` is missing, or names the kind of the token instead of its use",
    why: "TypeScript clients and rmcp want the member, Python clients want it to be Bearer in any spelling. Servers \
          write `JWT`, `user` or `bot` there, or nothing.",
    hits: "TypeScript SDK, rmcp, Python SDK",
    stops: who::TYPESCRIPT_OAUTH.and(who::PYTHON).and(who::RUST).and(who::VSCODE),
    remedy: "Becomes `Bearer`, unless it names another use: DPoP, MAC, PoP, N_A.",
    advice: "Send `\"token_type\": \"Bearer\"`.",
    basis: &[basis::TOKEN_ANSWER, basis::TOKEN_TYPE],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply { needs: Needs::Body, when: is_granted, run },
    examples: &[
        Example {
            note: "missing",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"access_token\":\"t\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"token_type\":\"Bearer\"}",
            ),
        },
        Example {
            note: "the kind of the token",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"token_type\":\"JWT\",\"access_token\":\"t\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"token_type\":\"Bearer\",\"access_token\":\"t\"}",
            ),
        },
        Example {
            note: "in another spelling",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"token_type\":\"bEARER\",\"access_token\":\"t\"}",
            then: Then::Sound,
        },
        Example {
            note: "bound to a key",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"token_type\":\"dpop\",\"access_token\":\"t\"}",
            then: Then::Sound,
        },
        Example {
            note: "no token",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"own\":1}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = tokens(reply) else { return Outcome::Sound };
    let is_right = match document.get("token_type") {
        Some(Value::String(kind)) => {
            kind.eq_ignore_ascii_case("Bearer") || OTHERS.iter().any(|other| kind.trim().eq_ignore_ascii_case(other))
        }
        _ => false,
    };
    if is_right {
        return Outcome::Sound;
    }
    document.set("token_type", "Bearer".into());
    Outcome::mended("token_type is missing or names something else", Edits::to_document(document))
}
