//! Registrations that are refused, or refused in words that no client knows (catalogue 4D).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Defect, html};
use crate::demo::parts::change::{Asked, Change, Seam, not_found};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};

/// What RFC 7591 section 2 names first; a strict schema has no more.
const KNOWN: [&str; 6] =
    ["client_name", "redirect_uris", "grant_types", "response_types", "token_endpoint_auth_method", "scope"];

/// Where the registration endpoint is when it is not at its default path.
const ELSEWHERE: &str = "/oauth2/register";

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "registration-public-refused",
        row: "D-14",
        summary: "a client that asks for no secret is refused",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[
            Change::Before(Seam::Register, |asked| {
                let public = asked.json()["token_endpoint_auth_method"] == "none";
                public.then(|| refused("token_endpoint_auth_method must be client_secret_basic or client_secret_post"))
            }),
            Change::Document(Seam::ServerMetadata, |_, document| {
                document["token_endpoint_auth_methods_supported"] =
                    json!(["client_secret_basic", "client_secret_post"]);
            }),
        ],
    },
    Defect {
        name: "registration-unknown-refused",
        row: "D-15",
        summary: "members that the server does not know are refused, not ignored",
        ask: visit::TALKATIVE_CLIENT,
        check: mended::registered,
        change: &[Change::Before(Seam::Register, |asked| {
            let client = asked.json();
            let unknown = client.as_object()?.keys().find(|name| !KNOWN.contains(&name.as_str()))?;
            Some(refused(&format!("Unrecognized field \"{unknown}\"")))
        })],
    },
    Defect {
        name: "registration-scheme-refused",
        row: "D-16",
        summary: "one redirect URI with an application's scheme, and all are refused",
        ask: visit::CURSOR,
        check: mended::registered,
        change: &[Change::Before(Seam::Register, |asked| {
            let client = asked.json();
            let uris = client["redirect_uris"].as_array()?;
            let odd = uris.iter().filter_map(Value::as_str).find(|uri| !uri.starts_with("http"))?;
            let text = format!("{odd} is not a valid URL");
            Some(reply::error(StatusCode::BAD_REQUEST, "invalid_redirect_uri", &text))
        })],
    },
    Defect {
        name: "registration-error-html",
        row: "D-19",
        summary: "a refused registration is a page with status 500",
        ask: visit::WRONG_CLIENT,
        check: mended::registration_refused,
        change: &[Change::After(Seam::Register, |_, reply| {
            if reply.status().is_success() {
                return reply;
            }
            html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        })],
    },
    Defect {
        name: "registration-error-422",
        row: "D-19",
        summary: "a refused registration is FastAPI's 422 with `detail`",
        ask: visit::WRONG_CLIENT,
        check: mended::registration_refused,
        change: &[Change::After(Seam::Register, |_, reply| {
            if reply.status().is_success() {
                return reply;
            }
            let detail = json!([{"loc": ["body", "redirect_uris", 0], "msg": "invalid URL", "type": "value_error"}]);
            reply::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({"detail": detail}))
        })],
    },
    Defect {
        name: "registration-wants-form",
        row: "D-20",
        summary: "registrations are taken as a form only",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[
            Change::Before(Seam::Register, |asked| {
                let text = "Content-Type must be application/x-www-form-urlencoded";
                let form = asked.is("application/x-www-form-urlencoded");
                (!form).then(|| reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text))
            }),
            Change::Body(Seam::Register, |asked| Some(from_form(asked).to_string())),
        ],
    },
    Defect {
        name: "registration-elsewhere",
        row: "D-25",
        summary: "404 at /register; the metadata name another path",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[
            Change::Also(ELSEWHERE, "/register"),
            Change::Before(Seam::Register, |asked| (asked.path() != ELSEWHERE).then(not_found)),
            Change::Document(Seam::ServerMetadata, |asked, document| {
                document["registration_endpoint"] = json!(format!("{}{ELSEWHERE}", asked.origin));
            }),
        ],
    },
];

fn refused(text: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, "invalid_client_metadata", text)
}

/// A registration from a form: lists as repeated fields, with or without brackets behind their name.
fn from_form(asked: &Asked<'_>) -> Value {
    let mut client = Map::new();
    for (name, value) in url::form_urlencoded::parse(asked.body) {
        let name = name.strip_suffix("[]").unwrap_or(&name).to_owned();
        let list = matches!(name.as_str(), "redirect_uris" | "grant_types" | "response_types" | "contacts");
        match client.get_mut(&name) {
            Some(Value::Array(values)) => values.push(json!(value)),
            _ if list => drop(client.insert(name, json!([value]))),
            _ => drop(client.insert(name, json!(value))),
        }
    }
    Value::Object(client)
}
