//! E-02: an answer that is a form, or JSON under another media type.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::{holds_token, is_for_endpoint, put};
use crate::client::who;
use crate::edit::json::Object;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.encoding",
    rows: &["E-02"],
    summary: "an answer of the token endpoint is form-encoded, or JSON that is called something else",
    why: "GitHub answers in a form unless it is asked for JSON, which no client does. rmcp does not read a document \
          that is called a page.",
    hits: "every client for a form; rmcp for `text/html`",
    stops: who::EVERYBODY.without(who::GEMINI),
    remedy: "The form's parameters become the members of a JSON object; a JSON object is called `application/json`.",
    advice: "Answer with JSON as `application/json`, whatever `Accept` says.",
    basis: &[basis::TOKEN_ANSWER],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post]],
    hook: Hook::Reply { needs: Needs::Body, when: |request, _| is_for_endpoint(request), run },
    examples: &[
        Example {
            note: "GitHub",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\n\n\
                    access_token=gho_a%2Bb&scope=repo%2Cuser&token_type=bearer",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"access_token\":\"gho_a+b\",\"scope\":\"repo,user\",\"token_type\":\"bearer\"}",
            ),
        },
        Example {
            note: "an error in a form",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: text/plain\n\nerror=bad_verification_code&error_description=The+code+expired.",
            then: Then::Becomes(
                "200\nContent-Type: application/json\n\n\
                 {\"error\":\"bad_verification_code\",\"error_description\":\"The code expired.\"}",
            ),
        },
        Example {
            note: "JSON that is called a page",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: text/html\n\n{ \"access_token\": \"t\" }",
            then: Then::Becomes("200\nContent-Type: application/json\n\n{ \"access_token\": \"t\" }"),
        },
        Example {
            note: "JSON",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/json; charset=utf-8\n\n{ \"access_token\": \"t\" }",
            then: Then::Sound,
        },
        Example {
            note: "a page",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "404\nContent-Type: text/plain\n\nThere is no access_token here",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    if reply.json().is_some_and(|document| holds_token(document) || document.has("error")) {
        if reply.is_json() {
            return Outcome::Sound;
        }
        let mut edits = Edits::new();
        edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Outcome::mended("JSON under another media type", edits);
    }
    match reply.text().and_then(form) {
        Some(document) => Outcome::mended("a form instead of JSON", put(document)),
        None => Outcome::Sound,
    }
}

/// The parameters of a form that holds a token or an error.
fn form(text: &str) -> Option<Object> {
    let text = text.trim();
    let is_form = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>{}\"".contains(&b));
    let filled = |name: &str| params::get(text, name).is_some_and(|value| !value.is_empty());
    if !is_form || !(filled("access_token") || filled("error")) {
        return None;
    }
    let mut document = Object::new([]);
    for (name, value) in params::all(text) {
        if !document.has(&name) {
            document.set(&name, Value::from(value.into_owned()));
        }
    }
    Some(document)
}
