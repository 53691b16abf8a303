//! Token requests that are refused, or refused in words that no client knows (catalogue 4E).

use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::{Defect, html, redirect};
use crate::demo::parts::change::{Change, Seam, not_found};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};

/// Where the token endpoint is when it is not at its default path.
const ELSEWHERE: &str = "/oauth2/token";
const WITH_SLASH: &str = "/token/";

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "token-elsewhere",
        row: "E-01",
        summary: "404 at /token; the metadata name another path",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[
            Change::Also(ELSEWHERE, "/token"),
            Change::Before(Seam::Token, |asked| (asked.path() != ELSEWHERE).then(not_found)),
            Change::Document(Seam::ServerMetadata, |asked, document| {
                document["token_endpoint"] = json!(format!("{}{ELSEWHERE}", asked.origin));
            }),
        ],
    },
    Defect {
        name: "token-redirect",
        row: "E-16",
        summary: "/token redirects to /token/",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[
            Change::Also(WITH_SLASH, "/token"),
            Change::Before(Seam::Token, |asked| {
                (asked.path() == "/token").then(|| redirect(StatusCode::TEMPORARY_REDIRECT, WITH_SLASH))
            }),
        ],
    },
    Defect {
        name: "secret-in-body-only",
        row: "E-05",
        summary: "the client's secret is taken from the form only",
        ask: visit::TOKEN_BY_BASIC,
        check: mended::token_issued,
        change: &[
            Change::Before(Seam::Token, |asked| {
                asked.head.headers.contains_key(AUTHORIZATION).then(|| unknown("client_id is missing"))
            }),
            Change::Document(Seam::ServerMetadata, |_, document| takes(document, "client_secret_post")),
        ],
    },
    Defect {
        name: "secret-in-header-only",
        row: "E-05",
        summary: "the client's secret is taken from the Authorization header only",
        ask: visit::TOKEN_BY_POST,
        check: mended::token_issued,
        change: &[
            Change::Before(Seam::Token, |asked| {
                let in_header = asked.head.headers.contains_key(AUTHORIZATION);
                (!in_header).then(|| unknown("Client authentication failed: no Authorization header"))
            }),
            Change::Document(Seam::ServerMetadata, |_, document| takes(document, "client_secret_basic")),
        ],
    },
    Defect {
        name: "token-wants-json",
        row: "E-06",
        summary: "the token endpoint takes JSON only, no form",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[
            Change::Before(Seam::Token, |asked| {
                let text = "Content-Type must be application/json";
                let json = asked.is("application/json");
                (!json).then(|| reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text))
            }),
            Change::Body(Seam::Token, |asked| {
                let fields = asked.json();
                let texts = fields.as_object()?.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
                Some(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(texts).finish())
            }),
        ],
    },
    Defect {
        name: "resource-refused-at-token",
        row: "E-07",
        summary: "a token request with `resource` is refused",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::Before(Seam::Token, |asked| {
            let text = "resource is not supported";
            asked.form("resource").map(|_| reply::error(StatusCode::BAD_REQUEST, "invalid_target", text))
        })],
    },
    Defect {
        name: "token-error-200",
        row: "E-10",
        summary: "a refused token request is answered with 200",
        ask: visit::WRONG_CODE,
        check: mended::grant_refused,
        change: &[Change::After(Seam::Token, |_, reply| reply::status(reply, StatusCode::OK))],
    },
    Defect {
        name: "token-error-html",
        row: "E-11",
        summary: "a refused refresh is answered with a page",
        ask: visit::DEAD_REFRESH_TOKEN,
        check: mended::grant_refused,
        change: &[Change::After(Seam::Token, |_, reply| {
            if is(&reply, "invalid_grant") { html(StatusCode::BAD_REQUEST, "Bad Request") } else { reply }
        })],
    },
    Defect {
        name: "token-error-detail",
        row: "E-11",
        summary: "FastAPI's `detail` instead of `error`",
        ask: visit::WRONG_CODE,
        check: mended::token_refused_in_words,
        change: &[Change::After(Seam::Token, |_, reply| {
            if !is(&reply, "invalid_grant") {
                return reply;
            }
            reply::json(StatusCode::BAD_REQUEST, &json!({"detail": "invalid_grant"}))
        })],
    },
    Defect {
        name: "token-error-nested",
        row: "E-11",
        summary: "the error is an object with code and message",
        ask: visit::WRONG_CODE,
        check: mended::grant_refused,
        change: &[Change::After(Seam::Token, |_, reply| {
            if !is(&reply, "invalid_grant") {
                return reply;
            }
            let error = json!({"code": "invalid_grant", "message": "Unknown code, or used before"});
            reply::json(StatusCode::BAD_REQUEST, &json!({"error": error}))
        })],
    },
    Defect {
        name: "unknown-client-404",
        row: "E-12",
        summary: "404 for a client that the server has forgotten",
        ask: visit::UNKNOWN_CLIENT,
        check: mended::client_refused,
        change: &[Change::After(Seam::Token, |_, reply| {
            if !is(&reply, "invalid_client") {
                return reply;
            }
            reply::json(StatusCode::NOT_FOUND, &json!({"error": "not_found", "message": "Client not found"}))
        })],
    },
    Defect {
        name: "unknown-client-500",
        row: "E-12",
        summary: "500 for a client that the server has forgotten",
        ask: visit::UNKNOWN_CLIENT,
        check: mended::client_refused,
        change: &[Change::After(Seam::Token, |_, reply| {
            if !is(&reply, "invalid_client") {
                return reply;
            }
            let text = "Client not found";
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
        })],
    },
    Defect {
        name: "dead-refresh-500",
        row: "E-13",
        summary: "500 for a refresh token that expired",
        ask: visit::DEAD_REFRESH_TOKEN,
        check: mended::grant_refused,
        change: &[Change::After(Seam::Token, |_, reply| {
            if !is(&reply, "invalid_grant") {
                return reply;
            }
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Refresh token expired")
        })],
    },
    Defect {
        name: "dead-refresh-code",
        row: "E-13",
        summary: "`invalid_request` for a refresh token that expired, as Metabase says it",
        ask: visit::DEAD_REFRESH_TOKEN,
        check: mended::grant_refused,
        change: &[Change::After(Seam::Token, |_, reply| {
            if !is(&reply, "invalid_grant") {
                return reply;
            }
            reply::error(StatusCode::BAD_REQUEST, "invalid_request", "The token request is invalid.")
        })],
    },
];

/// The server says in its metadata which way it takes.
fn takes(document: &mut Value, method: &str) {
    document["token_endpoint_auth_methods_supported"] = json!([method]);
}

fn unknown(text: &str) -> Reply {
    reply::error(StatusCode::UNAUTHORIZED, "invalid_client", text)
}

/// Whether this is that refusal.
fn is(reply: &Reply, error: &str) -> bool {
    reply::document(reply)["error"] == error
}
