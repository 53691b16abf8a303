//! D-20: the upstream wants a registration in another media type.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::{asks_for_client, is_refused_for_content, refusal};
use crate::client::who;
use crate::edit::json::Object;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.media-type-refused",
    rows: &["D-20"],
    summary: "a registration is refused because it is JSON, or because its type has parameters",
    why: "Registrations are `application/json`. A server that was built for forms, or compares the type to the \
          letter, turns every client away.",
    hits: "every client; those that add a charset",
    stops: who::EVERYBODY,
    remedy: "Sends it once more: as plain `application/json` if the client added parameters, else as a form, in \
             which a list is its name repeated.",
    advice: "Read `application/json`, with any parameters.",
    basis: &[basis::REGISTRATION_JSON],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], &[Feature::BadRequest, Feature::OtherClientError]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| is_refused_for_content(request, reply) && asks_for_client(request),
        run,
    },
    examples: &[
        Example {
            note: "a form is wanted",
            site: SiteKind::Cohosted,
            request: "POST /register\nContent-Type: application/json\n\n\
                      {\"client_name\":\"A b\",\"redirect_uris\":[\"http://h/1\",\"http://h/2\"],\"scope\":null}",
            reply: "415\nContent-Type: text/plain\n\nUnsupported Media Type",
            then: Then::Asks(
                "POST /register\nContent-Type: application/x-www-form-urlencoded\n\n\
                 client_name=A+b&redirect_uris=http%3A%2F%2Fh%2F1&redirect_uris=http%3A%2F%2Fh%2F2",
            ),
        },
        Example {
            note: "wanted by name",
            site: SiteKind::Cohosted,
            request: "POST /register\nContent-Type: application/json\n\n{\"client_name\":\"A\"}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_request\",\"error_description\":\"expected x-www-form-urlencoded\"}",
            then: Then::Asks("POST /register\nContent-Type: application/x-www-form-urlencoded\n\nclient_name=A"),
        },
        Example {
            note: "refused for its charset: the further ask says plain `application/json`",
            site: SiteKind::Cohosted,
            request: "POST /register\nContent-Type: application/json; charset=utf-8\n\n{\"client_name\":\"A\"}",
            reply: "415\nContent-Length: 0",
            then: Then::Asks(
                "POST /register\nContent-Type: application/json; charset=utf-8\n\n{\"client_name\":\"A\"}",
            ),
        },
        Example {
            note: "refused for something else",
            site: SiteKind::Cohosted,
            request: "POST /register\nContent-Type: application/json\n\n{\"client_name\":\"A\"}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_redirect_uri\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let (Some(asked), Some(words)) = (request.json(), refusal::words(reply)) else { return Outcome::Sound };
    let is_type_refused = reply.status == StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let wants_form = refusal::has(&words, &["urlencoded", "form data", "form-data"]);
    if !is_type_refused && !wants_form && !refusal::has(&words, &["content-type", "content type", "media type"]) {
        return Outcome::Sound;
    }
    let has_parameters = request.headers.get(CONTENT_TYPE).is_some_and(|sent| sent != "application/json");
    if has_parameters && !wants_form {
        return Outcome::again("the parameters of the media type are refused", Ask::with_json(asked.clone()));
    }
    if is_type_refused || wants_form {
        return Outcome::again("a form is wanted instead of JSON", Ask::with_form(form(asked)));
    }
    Outcome::Sound
}

/// The members as a form. A list is its name repeated, as HTML forms have it (URL Standard, section 5.2): a server
/// that takes one value then still reads a whole URI, where joined ones would be none.
fn form(asked: &Object) -> String {
    let mut form = Serializer::new(String::new());
    for name in asked.names() {
        match asked.get(&name) {
            Some(Value::Array(list)) => {
                form.extend_pairs(list.iter().filter_map(text).map(|text| (&name, text)));
            }
            Some(value) => {
                form.extend_pairs(text(&value).map(|text| (&name, text)));
            }
            None => {}
        }
    }
    form.finish()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
