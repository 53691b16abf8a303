//! E-10: an error with the status of a success.

use http::{Method, StatusCode};
use serde_json::Value;

use super::{Said, holds_token, is_for_endpoint, refuse};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, ReplyBody, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "token.error-as-success",
    rows: &["E-10", "E-02"],
    summary: "the token endpoint refuses with a success status, or answers with a page",
    why: "GitHub and Slack say `200` and an error. Clients take it for tokens, fail at reading it, and show a parser's \
          message instead of the reason; a dead refresh token is never given up.",
    hits: "every client",
    stops: who::EVERYBODY.without(who::TYPESCRIPT_2),
    remedy: "A document without a token that states an error becomes a `400` in the form of RFC 6749; a page or an \
             empty answer becomes a `502`.",
    advice: "Refuse with `400` and `{\"error\": ...}`.",
    basis: &[basis::TOKEN_ERROR],
    default: Mode::Fix,
    on: &[Class::Token],
    gate: &[&[Feature::Post], SUCCESS],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| request.method == Method::POST && reply.status.is_success() && is_for_endpoint(request),
        run,
    },
    examples: &[
        Example {
            note: "GitHub",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/json\n\n\
                    {\"error\":\"bad_verification_code\",\"error_description\":\"expired\"}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n\
                 {\"error\":\"bad_verification_code\",\"error_description\":\"expired\"}",
            ),
        },
        Example {
            note: "Slack",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/json\n\n{\"ok\":false,\"error\":\"invalid_code\"}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"ok\":false,\"error\":\"invalid_code\"}"),
        },
        Example {
            note: "an error that is an object",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/json\n\n{\"error\":{\"message\":\"no\"}}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"error\":\"invalid_request\",\"error_description\":\"no\"}",
            ),
        },
        Example {
            note: "a page",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: text/html\n\n<!doctype html><title>App</title>",
            then: Then::Becomes(
                "502\nContent-Type: application/json\n\n{\"error\":\"server_error\",\"error_description\":\"App\"}",
            ),
        },
        Example {
            note: "a token",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/json\n\n{\"ok\":true,\"error\":null,\"access_token\":\"t\"}",
            then: Then::Sound,
        },
        Example {
            note: "no error",
            site: SiteKind::Open,
            request: "POST /token\n\ngrant_type=authorization_code&code=c",
            reply: "200\nContent-Type: application/json\n\n{\"own\":1}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let status = match &reply.body {
        ReplyBody::Json(document) if !holds_token(document) && states_error(document) => StatusCode::BAD_REQUEST,
        ReplyBody::Text(bytes) if is_page_or_empty(bytes) => StatusCode::BAD_GATEWAY,
        _ => return Outcome::Sound,
    };
    // What it says is read with the status that it gets.
    let edits = if let Some(said) = Said::under(reply, status) {
        refuse(reply, status, &said.meant, &said)
    } else {
        let mut edits = Edits::new();
        edits.status(status);
        edits
    };
    Outcome::mended("an error with the status of a success", edits)
}

fn states_error(document: &Object) -> bool {
    let is_false = |name: &str| document.get(name) == Some(Value::Bool(false));
    let is_filled = |name: &str| match document.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Bool(true) | Value::Number(_)) => true,
    };
    is_filled("error") || is_filled("errors") || is_false("ok") || is_false("success")
}

fn is_page_or_empty(bytes: &[u8]) -> bool {
    bytes.trim_ascii().first().is_none_or(|&first| first == b'<')
}
