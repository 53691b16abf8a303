//! E-03: a lifetime that is no whole number of seconds.

use serde_json::Value;

use super::{is_granted, tokens};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// No token is meant to live thirty years: a larger number is one of milliseconds.
const MOST_SECONDS: f64 = 1e9;

pub static REPAIR: Repair = Repair {
    id: "token.expires-in",
    rows: &["E-03"],
    summary: "`expires_in` is no whole number of seconds",
    why: "rmcp refuses a text, a fraction and a negative number; TypeScript clients read null and the empty text as 0 \
          and refresh at every call; Python clients refuse a fraction.",
    hits: "rmcp, Codex, Goose; Claude Code; Python SDK",
    stops: who::TYPESCRIPT_OAUTH.and(who::PYTHON).and(who::RUST),
    remedy: "Becomes the whole number of seconds that it says, rounded down; milliseconds become seconds. What says \
             no number, or one below 0, goes. 0 stays 0.",
    advice: "Send `expires_in` as an integer number of seconds, or leave it out.",
    basis: &[basis::TOKEN_ANSWER],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply { needs: Needs::Body, when: is_granted, run },
    examples: &[
        Example {
            note: "a text",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"expires_in\": \"3600\",\"access_token\":\"t\"}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"expires_in\": 3600,\"access_token\":\"t\"}"),
        },
        Example {
            note: "a fraction",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"expires_in\":3599.97,\"access_token\":\"t\"}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"expires_in\":3599,\"access_token\":\"t\"}"),
        },
        Example {
            note: "milliseconds",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"expires_in\":2592000000,\"access_token\":\"t\"}",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n{\"expires_in\":2592000,\"access_token\":\"t\"}",
            ),
        },
        Example {
            note: "null",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"expires_in\":null}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"access_token\":\"t\"}"),
        },
        Example {
            note: "below 0",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n{\"access_token\":\"t\",\"expires_in\":-1}",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{\"access_token\":\"t\"}"),
        },
        Example {
            note: "0, and a member that is another's",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"access_token\":\"t\",\"expires_in\":0,\"expires_at\":1749600000.5}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = tokens(reply) else { return Outcome::Sound };
    let Some(value) = document.get("expires_in") else { return Outcome::Sound };
    let right = seconds(&value).map(Value::from);
    if right.as_ref() == Some(&value) {
        return Outcome::Sound;
    }
    match right {
        Some(right) => document.set("expires_in", right),
        None => document.remove("expires_in"),
    }
    Outcome::mended("expires_in is no whole number of seconds", Edits::to_document(document))
}

/// The lifetime that a value states.
fn seconds(value: &Value) -> Option<u64> {
    let stated = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let stated: f64 = if stated > MOST_SECONDS { stated / 1000.0 } else { stated };
    // What is still too large is a point in time.
    (0.0..=MOST_SECONDS).contains(&stated).then_some(stated as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_whole_seconds_or_nothing() {
        for (text, expected) in [
            ("0", Some(0)),
            ("3600", Some(3600)),
            ("3600.0", Some(3600)),
            ("36e2", Some(3600)),
            ("-0.0", Some(0)),
            ("1000000000", Some(1_000_000_000)),
            ("1000000001", Some(1_000_000)),
            ("1749600000000", None),
            ("1e999", None),
            ("-1", None),
            ("\" 3600 \"", Some(3600)),
            ("\"3600.9\"", Some(3600)),
            ("\"\"", None),
            ("\"1h\"", None),
            ("\"NaN\"", None),
            ("\"inf\"", None),
            ("true", None),
            ("null", None),
            ("[3600]", None),
        ] {
            assert_eq!(seconds(&serde_json::from_str(text).unwrap()), expected, "{text}");
        }
    }
}
