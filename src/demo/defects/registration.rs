//! Registrations that are answered in a form that clients cannot read (catalogue 4D).

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{Defect, remove, rename};
use crate::demo::parts::change::{Change, Seam};
use crate::demo::parts::reply;
use crate::demo::{mended, visit};

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "registration-time-string",
        row: "D-02",
        summary: "the times are texts",
        ask: visit::CONFIDENTIAL_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            client["client_id_issued_at"] = json!(client["client_id_issued_at"].to_string());
            client["client_secret_expires_at"] = json!("0");
        })],
    },
    Defect {
        name: "registration-time-iso",
        row: "D-02",
        summary: "client_id_issued_at is an ISO date",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            client["client_id_issued_at"] = json!("2026-11-23T12:00:00.000Z");
        })],
    },
    Defect {
        name: "registration-time-null",
        row: "D-02",
        summary: "client_secret_expires_at is null",
        ask: visit::CONFIDENTIAL_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| client["client_secret_expires_at"] = Value::Null)],
    },
    Defect {
        name: "registration-expiry-missing",
        row: "D-03",
        summary: "a secret without client_secret_expires_at",
        ask: visit::CONFIDENTIAL_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| remove(client, "client_secret_expires_at"))],
    },
    Defect {
        name: "registration-time-milliseconds",
        row: "D-04",
        summary: "the times are milliseconds",
        ask: visit::CONFIDENTIAL_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            for name in ["client_id_issued_at", "client_secret_expires_at"] {
                if let Some(seconds) = client[name].as_u64() {
                    client[name] = json!(seconds * 1000);
                }
            }
        })],
    },
    Defect {
        name: "registration-urls",
        row: "D-06",
        summary: "addresses that are empty or relative",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            client["client_uri"] = json!("");
            client["jwks_uri"] = json!("");
            client["policy_uri"] = json!("/policy");
        })],
    },
    Defect {
        name: "registration-strings",
        row: "D-08",
        summary: "texts for lists, and a list for `scope`",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            client["grant_types"] = json!("authorization_code");
            client["response_types"] = json!("code");
            client["scope"] = json!(["mcp"]);
        })],
    },
    Defect {
        name: "registration-id-number",
        row: "D-09",
        summary: "client_id is a number",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            if let Some(id) = client["client_id"].as_str().and_then(|id| id.parse::<u64>().ok()) {
                client["client_id"] = json!(id);
            }
        })],
    },
    Defect {
        name: "registration-secret-empty",
        row: "D-10",
        summary: "an empty secret for a client without one",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| client["client_secret"] = json!(""))],
    },
    Defect {
        name: "registration-method-without-secret",
        row: "D-11",
        summary: "client_secret_basic for a client that gets no secret",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            client["token_endpoint_auth_method"] = json!("client_secret_basic");
        })],
    },
    Defect {
        name: "registration-method-missing",
        row: "D-12",
        summary: "no token_endpoint_auth_method",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| remove(client, "token_endpoint_auth_method"))],
    },
    Defect {
        name: "registration-method-unusable",
        row: "D-13",
        summary: "private_key_jwt for a client that has no key",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            client["token_endpoint_auth_method"] = json!("private_key_jwt");
        })],
    },
    Defect {
        name: "registration-status-202",
        row: "D-18",
        summary: "202 and text/plain for a registration",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::After(Seam::Register, |_, reply| {
            if !reply.status().is_success() {
                return reply;
            }
            reply::with(reply::status(reply, StatusCode::ACCEPTED), CONTENT_TYPE, "text/plain")
        })],
    },
    Defect {
        name: "registration-wrapped",
        row: "D-24",
        summary: "the client is inside a member `data`",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| *client = json!({"data": client.take()}))],
    },
    Defect {
        name: "registration-camel-case",
        row: "D-24",
        summary: "clientId, redirectUris and so on",
        ask: visit::PUBLIC_CLIENT,
        check: mended::registered,
        change: &[Change::Document(Seam::Register, |_, client| {
            for (name, other) in [
                ("client_id", "clientId"),
                ("client_id_issued_at", "clientIdIssuedAt"),
                ("client_name", "clientName"),
                ("redirect_uris", "redirectUris"),
                ("grant_types", "grantTypes"),
                ("response_types", "responseTypes"),
                ("token_endpoint_auth_method", "tokenEndpointAuthMethod"),
            ] {
                rename(client, name, other);
            }
        })],
    },
];
