//! The known issue page: both callbacks of Claude's hosted clients.

use http::Method;
use serde_json::Value;

use super::HOSTED_CALLBACKS;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.hosted-callback",
    rows: &["D-16"],
    summary: "a hosted Claude client registers one of its two callbacks",
    why: "Claude's hosted clients call back at claude.ai and, for some accounts, at claude.com. A registration of one \
          fails at login for the other.",
    hits: "claude.ai, Claude Desktop and mobile",
    stops: who::NOBODY,
    remedy: "Registers both exact callbacks when the client asks for one of them; if the upstream refuses the larger \
             set, the client's own is sent once more. No other address is ever added.",
    advice: "Allow `https://claude.ai/api/mcp/auth_callback` and `https://claude.com/api/mcp/auth_callback`.",
    basis: &[basis::HOSTED_CALLBACKS],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post]],
    hook: Hook::Request { needs: Needs::Json, when: |request| request.method == Method::POST, run, goes_on: false },
    examples: &[
        Example {
            note: "one of the two",
            site: SiteKind::Open,
            request: "POST /register\nContent-Type: application/json\n\n\
                      {\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\"], \"x\":1.0}",
            reply: "",
            then: Then::Becomes(
                "POST /register\nContent-Type: application/json\n\n\
                 {\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\",\
                 \"https://claude.com/api/mcp/auth_callback\"], \"x\":1.0}",
            ),
        },
        Example {
            note: "somebody else's callback",
            site: SiteKind::Open,
            request: "POST /register\nContent-Type: application/json\n\n\
                      {\"redirect_uris\":[\"https://claude.ai.evil.example/api/mcp/auth_callback\"]}",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request) -> Outcome {
    let Some(asked) = request.json() else { return Outcome::Sound };
    let Some(Value::Array(mut list)) = asked.get("redirect_uris") else { return Outcome::Sound };
    let missing: Vec<&str> = HOSTED_CALLBACKS.into_iter().filter(|one| !list.iter().any(|have| have == one)).collect();
    if missing.len() != 1 {
        return Outcome::Sound;
    }
    list.extend(missing.into_iter().map(Value::from));
    let mut asked = asked.clone();
    asked.set("redirect_uris", Value::Array(list));
    Outcome::mended("one of the two hosted callbacks is missing", Edits::to_document(asked))
}
