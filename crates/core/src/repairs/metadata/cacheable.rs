//! H-07, B-12: discovery documents that a cache may keep.

use http::HeaderValue;
use http::header::{CACHE_CONTROL, EXPIRES};

use crate::client::who;
use crate::edit::list;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "metadata.cacheable",
    rows: &["H-07", "B-12"],
    summary: "a discovery document may be cached",
    why: "A CDN that keeps a document, or its absence, serves the old one after the server was mended, and one \
          site's document for another's.",
    hits: "everybody behind a CDN",
    stops: who::NOBODY,
    remedy: "Sets `Cache-Control: private, no-store, no-cache, must-revalidate, max-age=0`, on every status.",
    advice: "Send `Cache-Control: no-store` with the well-known documents. (Claude keeps them about five minutes all \
             the same.)",
    basis: &[basis::CACHE],
    default: Mode::Fix,
    on: &[Class::ResourceMetadata, Class::ServerMetadata],
    gate: &[],
    hook: Hook::Reply { needs: Needs::Head, when: |_, _| true, run },
    examples: &[
        Example {
            note: "an hour",
            site: SiteKind::Open,
            request: "GET /.well-known/oauth-protected-resource",
            reply: "404\nCache-Control: public, max-age=3600\nExpires: 0",
            then: Then::Becomes("404\nCache-Control: private, no-store, no-cache, must-revalidate, max-age=0"),
        },
        Example {
            note: "no-store already",
            site: SiteKind::Open,
            request: "GET /.well-known/openid-configuration",
            reply: "200\nCache-Control: no-store",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if list::contains(&reply.headers, CACHE_CONTROL, "no-store") || request.preflight.is_some() {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.set(CACHE_CONTROL, HeaderValue::from_static("private, no-store, no-cache, must-revalidate, max-age=0"));
    edits.remove(EXPIRES);
    Outcome::mended("a discovery document without no-store", edits)
}
