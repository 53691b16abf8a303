//! D-18, E-14: answers with credentials in them that a cache may keep.

use http::HeaderValue;
use http::header::{CACHE_CONTROL, PRAGMA};

use crate::client::who;
use crate::edit::list;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.cacheable",
    rows: &["D-18", "E-14", "H-07"],
    summary: "an answer of the token or registration endpoint may be cached",
    why: "These answers carry tokens and client secrets. A cache between the two may keep them or hand them to \
          somebody else.",
    hits: "everybody behind a CDN or a caching proxy",
    stops: who::NOBODY,
    remedy: "Sets `Cache-Control: no-store` and `Pragma: no-cache` on answers of every status.",
    advice: "Send `Cache-Control: no-store` with every answer of both endpoints.",
    basis: &[basis::TOKEN_ANSWER, basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Token, Class::Register],
    gate: &[],
    hook: Hook::Reply { needs: Needs::Head, when: |request, _| request.preflight.is_none(), run },
    examples: &[
        Example {
            note: "nothing said",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "200\nContent-Type: application/json",
            then: Then::Becomes("200\nContent-Type: application/json\nCache-Control: no-store\nPragma: no-cache"),
        },
        Example {
            note: "cacheable registration",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nCache-Control: public, max-age=60",
            then: Then::Becomes("201\nCache-Control: no-store\nPragma: no-cache"),
        },
        Example {
            note: "no-store already",
            site: SiteKind::Open,
            request: "POST /token",
            reply: "400\nCache-Control: private, no-store",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if list::contains(&reply.headers, CACHE_CONTROL, "no-store") {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    edits.set(PRAGMA, HeaderValue::from_static("no-cache"));
    let outcome = Outcome::mended("credentials without no-store", edits);
    // RFC 7591 shows the field in its examples and asks for it nowhere.
    if request.class == Class::Register { outcome.within_the_rules() } else { outcome }
}
