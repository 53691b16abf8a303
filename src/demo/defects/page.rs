//! What the known issue page found, in better-auth and around it. Together they are the server of the plain demo.

use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CACHE_CONTROL, PRAGMA, VARY,
    WWW_AUTHENTICATE,
};
use serde_json::{Value, json};

use super::Defect;
use crate::demo::parts::change::{Asked, Change, Seam, not_found};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};
use crate::endpoint::RESOURCE_METADATA;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "challenge-missing",
        row: "A-01",
        summary: "401 without WWW-Authenticate",
        ask: visit::STRANGER,
        check: mended::challenged,
        change: &[Change::After(Seam::Refused, |_, reply| reply::without(reply, WWW_AUTHENTICATE))],
    },
    Defect {
        name: "preflight-refused",
        row: "H-01",
        summary: "OPTIONS is answered with 401 or 405",
        ask: visit::PREFLIGHT,
        check: mended::preflight_granted,
        change: &[Change::After(Seam::Preflight, refused_preflight)],
    },
    Defect {
        name: "cors-missing",
        row: "H-02",
        summary: "no answer lets a page of another origin read it",
        ask: visit::PAGE,
        check: mended::readable_by_the_page,
        change: &[Change::After(Seam::Anything, without_cors)],
    },
    Defect {
        name: "documents-cacheable",
        row: "H-07",
        summary: "a cache may keep discovery documents and registrations for an hour",
        ask: visit::SERVER_METADATA,
        check: mended::not_kept,
        change: &[
            Change::After(Seam::ResourceMetadata, kept),
            Change::After(Seam::ServerMetadata, kept),
            Change::After(Seam::Register, kept),
        ],
    },
    Defect {
        name: "resource-metadata-at-path-only",
        row: "B-02",
        summary: "no resource metadata at the root, only with the endpoint's path",
        ask: visit::RESOURCE_METADATA_AT_ROOT,
        check: mended::resource_named,
        change: &[Change::Before(Seam::ResourceMetadata, |asked| (asked.path() == RESOURCE_METADATA).then(not_found))],
    },
    Defect {
        name: "registration-secret-refused",
        row: "D-14",
        summary: "a client that asks for client_secret_post is refused, not made public",
        ask: visit::CONFIDENTIAL_CLIENT,
        check: mended::registered,
        change: &[Change::Before(Seam::Register, refused_secret)],
    },
    Defect {
        name: "registration-time-fraction",
        row: "D-01",
        summary: "client_id_issued_at and client_secret_expires_at with a fraction",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, with_fractions)],
    },
    Defect {
        name: "registration-nulls",
        row: "D-05",
        summary: "null for what the client left out",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            for name in ["client_uri", "logo_uri", "contacts", "scope"] {
                client[name] = Value::Null;
            }
        })],
    },
    Defect {
        name: "registration-redirect-uris-missing",
        row: "D-07",
        summary: "the registration does not say which redirect URIs it holds",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| super::remove(client, "redirect_uris"))],
    },
    Defect {
        name: "registration-status-200",
        row: "D-18",
        summary: "200 instead of 201 for a registration",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::After(Seam::Register, |_, reply| {
            if reply.status().is_success() { reply::status(reply, StatusCode::OK) } else { reply }
        })],
    },
    Defect {
        name: "token-cacheable",
        row: "E-14",
        summary: "a token comes without Cache-Control: no-store",
        ask: visit::TOKEN,
        check: mended::token_issued,
        change: &[Change::After(Seam::Token, |_, reply| reply::without(reply::without(reply, CACHE_CONTROL), PRAGMA))],
    },
];

/// The endpoint wants a token even here; elsewhere OPTIONS is a method like any other, and none that is allowed.
fn refused_preflight(asked: &Asked<'_>, _: Reply) -> Reply {
    if asked.path() == visit::MCP {
        return reply::error(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication required");
    }
    reply::not_allowed("GET, HEAD, POST")
}

fn without_cors(_: &Asked<'_>, mut reply: Reply) -> Reply {
    let headers = reply.headers_mut();
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, VARY] {
        headers.remove(name);
    }
    reply
}

fn kept(_: &Asked<'_>, reply: Reply) -> Reply {
    if !reply.status().is_success() {
        return reply;
    }
    reply::with(reply::without(reply, PRAGMA), CACHE_CONTROL, "public, max-age=3600")
}

/// Only a client that says `none`, or somebody with credentials, may register.
fn refused_secret(asked: &Asked<'_>) -> Option<Reply> {
    let client = asked.json();
    let public = !client.is_object() || client["token_endpoint_auth_method"] == "none";
    if public || asked.head.headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let text = "Authentication required for confidential client registration";
    Some(reply::error(StatusCode::UNAUTHORIZED, "invalid_request", text))
}

fn with_fractions(_: &Asked<'_>, client: &mut Value) {
    for name in ["client_id_issued_at", "client_secret_expires_at"] {
        if let Some(seconds) = client[name].as_f64() {
            client[name] = json!(seconds + 0.718);
        }
    }
}
