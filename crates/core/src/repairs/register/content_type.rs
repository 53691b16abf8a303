//! D-18: a registration answer that does not say that it is JSON.

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::registration;
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.content-type",
    rows: &["D-18"],
    summary: "a registration answer is JSON, but is not called that",
    why: "The answer is `application/json`. Clients that look at the type before the body stop, and so do gateways \
          between the two.",
    hits: "strict clients, gateways that inspect bodies",
    stops: who::NOBODY,
    remedy: "Calls it `application/json` if the body is a JSON object with a client_id.",
    advice: "Send `Content-Type: application/json`.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| request.method == Method::POST && reply.status.is_success() && !reply.is_json(),
        run,
    },
    examples: &[
        Example {
            note: "plain text",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: text/plain; charset=utf-8\n\n{\"client_id\":\"a\"}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}"),
        },
        Example {
            note: "no type at all",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\n\n{\"client_id\":\"a\"}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}"),
        },
        Example {
            note: "no registration",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "200\nContent-Type: text/html\n\n{\"welcome\":true}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if registration(reply).is_none() {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Outcome::mended("a registration that is not called JSON", edits)
}
