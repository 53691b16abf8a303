//! D-19, D-18: refusals that are not in the form of RFC 7591, and those that call themselves a success.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::{asks_for_client, names_client, refusal};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, ReplyBody, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Of the upstream's words so many characters are handed on.
const LONGEST: usize = 300;

pub static REPAIR: Repair = Repair {
    id: "register.error-form",
    rows: &["D-18", "D-19"],
    summary: "a registration is refused in a form that no client reads",
    why: "A refusal is a 400 with `error` and `error_description` in JSON. From anything else clients show that \
          they could not parse it, and the reason is lost. A page for every path makes a server without OAuth look \
          broken.",
    hits: "TypeScript and Python SDK clients, Go SDK hosts",
    stops: who::NOBODY,
    remedy: "Says it in the form of RFC 7591, with the server's own words. 401 and 403, limits and failures other \
             than 500 keep their status; where nothing is registered the answer is a 404.",
    advice: "Answer `400 {\"error\":\"invalid_client_metadata\",\"error_description\":\"...\"}`.",
    basis: &[basis::REGISTRATION_ERROR],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| {
            asks_for_client(request)
                && (reply.status.is_success() || reply.status.is_client_error() || reply.status.is_server_error())
        },
        run,
    },
    examples: &[
        Example {
            note: "FastAPI",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "422\nContent-Type: application/json\n\n\
                    {\"detail\":[{\"loc\":[\"body\",\"contacts\"],\"msg\":\"Field required\"}]}",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n\
                 {\"detail\":[{\"loc\":[\"body\",\"contacts\"],\"msg\":\"Field required\"}],\
                 \"error\":\"invalid_client_metadata\",\"error_description\":\"body.contacts: Field required\"}",
            ),
        },
        Example {
            note: "a page, about redirect URIs",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "500\nContent-Type: text/html\n\n<h1>Error</h1><p>The redirect URI is \"bad\"</p>",
            then: Then::Becomes(
                "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\",\
                 \"error_description\":\"Error The redirect URI is 'bad'\"}",
            ),
        },
        Example {
            note: "a refusal that calls itself a success",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "200\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}"),
        },
        Example {
            note: "a limit keeps its status",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "429\nContent-Type: text/plain\nRetry-After: 9\n\nToo many requests",
            then: Then::Becomes(
                "429\nContent-Type: application/json\nRetry-After: 9\n\n\
                 {\"error\":\"temporarily_unavailable\",\"error_description\":\"Too many requests\"}",
            ),
        },
        Example {
            note: "a stranger stays one",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "403\nContent-Type: application/json\n\n{\"message\":\"No\"}",
            then: Then::Becomes(
                "403\nContent-Type: application/json\n\n\
                 {\"message\":\"No\",\"error\":\"access_denied\",\"error_description\":\"No\"}",
            ),
        },
        Example {
            note: "nothing said",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "502\nContent-Length: 0",
            then: Then::Becomes(
                "502\nContent-Length: 0\nContent-Type: application/json\n\n{\"error\":\"server_error\",\
                 \"error_description\":\"The server answered with status 502 and gave no reason.\"}",
            ),
        },
        Example {
            note: "an open server's page for every path",
            site: SiteKind::Open,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "200\nContent-Type: text/html\n\n<!doctype html><title>App</title>",
            then: Then::Becomes(
                "404\nContent-Type: application/json\n\n\
                 {\"error\":\"not_found\",\"error_description\":\"No clients are registered here.\"}",
            ),
        },
        Example {
            note: "a description that is none",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client_metadata\",\"error_description\":null,\"error_uri\":null}",
            then: Then::Becomes("400\nContent-Type: application/json\n\n{\"error\":\"invalid_client_metadata\"}"),
        },
        Example {
            note: "the right form",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"]}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_redirect_uri\",\"error_description\":\"cursor:// is not allowed\"}",
            then: Then::Sound,
        },
        Example {
            note: "a site's own page for new users",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"email\":\"x@y.example\",\"password\":\"p\"}",
            reply: "422\nContent-Type: application/json\n\n{\"message\":\"taken\"}",
            then: Then::Sound,
        },
    ],
};

fn run(site: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let is_success = reply.status.is_success();
    let code = match &reply.body {
        ReplyBody::Json(document) if is_success && !is_failure(document) => return Outcome::Sound,
        ReplyBody::Json(document) => document.text("error").filter(|error| is_code(error)),
        ReplyBody::Text(_) if is_success => return page_for_every_path(site, reply),
        ReplyBody::Text(_) => None,
        ReplyBody::Stream if !is_success && refusal::is_empty(reply) => None,
        ReplyBody::Stream | ReplyBody::Empty => return Outcome::Sound,
    };
    let has_code = code.is_some();
    if has_code && !is_success && reply.is_json() && reply.json().is_some_and(has_plain_description) {
        return Outcome::Sound;
    }
    let said = description(site, reply);
    let (right, fitting) = form_of(reply.status, &said);
    let status = if !has_code || is_success { right } else { reply.status };
    let mut document = reply.json().cloned().unwrap_or_else(|| Object::new([]));
    if !has_code {
        document.set("error", json!(fitting));
    }
    set_description(&mut document, &said, status, has_code);
    Outcome::mended("a refusal that is not in the form of RFC 7591", answer(status, document))
}

/// What is no registration is a failure, if it says so of itself.
fn is_failure(document: &Object) -> bool {
    let filled = |value: Option<Value>| match value {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(_)) => true,
        _ => false,
    };
    !names_client(document)
        && (filled(document.get("error"))
            || filled(document.get("errors"))
            || document.get("success") == Some(Value::Bool(false)))
}

/// Whether `error` is a code and no sentence (RFC 6749 section 5.2).
fn is_code(error: &str) -> bool {
    !error.is_empty()
        && error.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.'))
}

fn has_plain_description(document: &Object) -> bool {
    ["error_description", "error_uri"].iter().all(|name| !document.has(name) || document.text(name).is_some())
}

/// A success that is a page: where there is no authorization server, it stands for every path that is not there.
fn page_for_every_path(site: &Site<'_>, reply: &Reply) -> Outcome {
    if site.has_own_authorization_server() || !reply.is_of("text/html") {
        return Outcome::Sound;
    }
    let document =
        Object::new([("error", json!("not_found")), ("error_description", json!("No clients are registered here."))]);
    Outcome::mended("a page where no clients are registered", answer(StatusCode::NOT_FOUND, document))
}

/// Status and code of a refusal that has none of RFC 7591 section 3.2.2.
fn form_of(status: StatusCode, said: &str) -> (StatusCode, &'static str) {
    let said = said.to_lowercase();
    match status {
        StatusCode::UNAUTHORIZED => (status, "invalid_token"),
        StatusCode::FORBIDDEN => (status, "access_denied"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => {
            (StatusCode::NOT_FOUND, "not_found")
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => (status, "temporarily_unavailable"),
        status if status.is_server_error() && status != StatusCode::INTERNAL_SERVER_ERROR => (status, "server_error"),
        _ if refusal::has(&said, &["redirect", "callback ur"]) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
        _ if refusal::names(&said, "software_statement") => (StatusCode::BAD_REQUEST, "invalid_software_statement"),
        _ => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
    }
}

/// The upstream's words, in characters that a description may have (RFC 6749 section 5.2), with the address that
/// clients know.
fn description(site: &Site<'_>, reply: &Reply) -> String {
    let facts = site.facts;
    let said = refusal::sentence(reply).replace(facts.upstream.as_str(), facts.public.as_str());
    let allowed = said.chars().filter(|c| !c.is_control() && *c != '\\');
    allowed.map(|c| if c == '"' { '\'' } else { c }).take(LONGEST).collect::<String>().trim().to_owned()
}

fn set_description(document: &mut Object, said: &str, status: StatusCode, has_code: bool) {
    if document.has("error_uri") && document.text("error_uri").is_none() {
        document.remove("error_uri");
    }
    let have = document.text("error_description").filter(|text| !text.is_empty());
    if have.is_some() && has_code {
        return;
    }
    match (said, has_code) {
        // The code alone says it.
        (_, true) if document.is_null("error_description") => document.remove("error_description"),
        (_, true) if !document.has("error_description") => {}
        ("", _) => {
            let number = status.as_u16();
            let text = format!("The server answered with status {number} and gave no reason.");
            document.set("error_description", text.into());
        }
        (said, _) => document.set("error_description", said.into()),
    }
}

fn answer(status: StatusCode, document: Object) -> Edits {
    let mut edits = Edits::new();
    edits.status(status);
    edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    edits.document(document);
    edits
}
