//! E-19: a `scope` without a value.

use http::Method;

use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.scope-empty",
    rows: &["E-19"],
    summary: "a token request has a `scope` without a value",
    why: "A parameter without a value is to be taken for omitted. Servers that look for scopes in it answer \
          invalid_scope.",
    hits: "Claude Code, every client that was given no scope",
    stops: who::CLAUDE_CODE,
    remedy: "Takes the empty parameter out.",
    advice: "Treat parameters without a value as omitted.",
    basis: &[basis::EMPTY_PARAMETER],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post]],
    hook: Hook::Request { needs: Needs::Form, when: |request| request.method == Method::POST, run, goes_on: false },
    examples: &[
        Example {
            note: "empty",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&scope=&code=a%2fb",
            reply: "",
            then: Then::Becomes("POST /token\n\ngrant_type=authorization_code&code=a%2fb"),
        },
        Example {
            note: "blank",
            site: SiteKind::Open,
            request: "POST /token\n\nscope=+&grant_type=authorization_code",
            reply: "",
            then: Then::Becomes("POST /token\n\ngrant_type=authorization_code"),
        },
        Example {
            note: "a scope",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&scope=mcp",
            reply: "",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request) -> Outcome {
    let rest = request.form().filter(|form| is_blank(form)).and_then(|form| params::without(form, "scope"));
    match rest {
        Some(rest) => {
            let mut edits = Edits::new();
            edits.fields(rest);
            Outcome::mended("an empty scope", edits)
        }
        None => Outcome::Sound,
    }
}

fn is_blank(form: &str) -> bool {
    params::all(form).filter(|(name, _)| name == "scope").all(|(_, value)| value.trim().is_empty())
}
