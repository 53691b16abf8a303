//! E-06: a token endpoint that reads JSON alone.

use http::StatusCode;
use serde_json::Value;

use super::words::is_about_elsewhere;
use super::{Said, is_refused};
use crate::client::who;
use crate::edit::json::Object;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::features::{ERROR, Feature};
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// What is wrong with a body that could not be read.
const UNREAD: &[&str] = &[
    "must",
    "expect",
    "only",
    "accept",
    "require",
    "missing",
    "empty",
    "invalid",
    "malformed",
    "not valid",
    "parse",
    "unexpected token",
    "unsupported",
];

pub static REPAIR: Repair = Repair {
    id: "token.form-refused",
    rows: &["E-06"],
    summary: "the token endpoint reads JSON and no forms",
    why: "RFC 6749 has token requests form-encoded, and every client sends them so. A server whose framework parses \
          only JSON finds no parameter and refuses.",
    hits: "every client",
    stops: who::EVERYBODY,
    remedy: "Asks once more with the same parameters as a JSON object. Only after 415, or a 400 or 422 that says that the \
             body could not be read or lacks the grant_type that is in it, and of nothing that was taken.",
    advice: "Parse `application/x-www-form-urlencoded` at the token and revocation endpoints.",
    basis: &[basis::TOKEN_REQUEST],
    default: Mode::Fix,
    on: &[Class::Token, Class::Revoke],
    gate: &[&[Feature::Post], ERROR],
    hook: Hook::Reply { needs: Needs::Body, when: is_refused, run },
    examples: &[
        Example {
            note: "415",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=a%2Fb&client_id=c",
            reply: "415\nContent-Length: 0",
            then: Then::Asks(
                "POST /token\nContent-Type: application/json\n\n\
                 {\"grant_type\":\"authorization_code\",\"code\":\"a/b\",\"client_id\":\"c\"}",
            ),
        },
        Example {
            note: "FastAPI with a model",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "422\nContent-Type: application/json\n\n{\"detail\":[{\"loc\":[\"body\"],\"msg\":\
                    \"Input should be a valid dictionary or object to extract fields from\"}]}",
            then: Then::Asks(
                "POST /token\nContent-Type: application/json\n\n\
                 {\"grant_type\":\"refresh_token\",\"refresh_token\":\"r\"}",
            ),
        },
        Example {
            note: "Express without the form parser",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=refresh_token&refresh_token=r",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"grant_type is required\"}",
            then: Then::Asks(
                "POST /token\nContent-Type: application/json\n\n\
                 {\"grant_type\":\"refresh_token\",\"refresh_token\":\"r\"}",
            ),
        },
        Example {
            note: "a code that was looked at",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_grant\",\"error_description\":\"request body has a dead code\"}",
            then: Then::Sound,
        },
        Example {
            note: "something else is missing",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"code_verifier is required\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let Some(form) = request.form() else { return Outcome::Sound };
    let said = Said::by(reply);
    if said.as_ref().is_some_and(Said::tells_of_taking) {
        return Outcome::Sound;
    }
    let unread = match reply.status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => true,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => said.is_some_and(|said| {
            let may_be = matches!(said.meant.as_str(), "invalid_request" | "unsupported_grant_type")
                || !said.has_registered_code();
            may_be && said.any(|sentence| is_about_body(sentence) || lacks_grant(sentence))
        }),
        _ => false,
    };
    match object(form).filter(|_| unread) {
        Some(object) => Outcome::again("the form was not read; asking with JSON", Ask::with_json(object)),
        None => Outcome::Sound,
    }
}

/// Whether a sentence says that the body of the request could not be read: not that of an answer to the server itself,
/// which has sent the code on by then (a page there begins with `<`).
fn is_about_body(sentence: &str) -> bool {
    if is_about_elsewhere(sentence) || sentence.contains("token <") || sentence.contains("token '<") {
        return false;
    }
    let holds = |words: &[&str]| words.iter().any(|word| sentence.contains(word));
    holds(&["content type", "media type", "input should be a valid dictionary"])
        || (holds(&["json", "request body", "missing body", "invalid body", "body is", "body must"]) && holds(UNREAD))
}

/// Whether a sentence misses the grant type, which every form has that gets here.
fn lacks_grant(sentence: &str) -> bool {
    sentence.contains("grant type")
        && ["missing", "required", "undefined", "not provided", "null"].iter().any(|word| sentence.contains(word))
}

/// The parameters as members; `None` if a name is there twice, which JSON has no sound way to say.
fn object(form: &str) -> Option<Object> {
    let mut object = Object::new([]);
    for (name, value) in params::all(form) {
        if object.has(&name) {
            return None;
        }
        object.set(&name, Value::from(value.into_owned()));
    }
    Some(object)
}
