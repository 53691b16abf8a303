//! What is wrong with the protected resource metadata (catalogue 4B).

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{Defect, html, redirect, remove};
use crate::demo::parts::change::{Asked, Change, Seam, not_found};
use crate::demo::parts::reply;
use crate::demo::{mended, visit};
use crate::endpoint::{RESOURCE_METADATA, SERVER_METADATA};

/// Where a server that is mounted under `/mcp` has it.
const APPENDED: &str = "/mcp/.well-known/oauth-protected-resource";

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "resource-metadata-missing",
        row: "B-01",
        summary: "no resource metadata at all",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Before(Seam::ResourceMetadata, |_| Some(not_found()))],
    },
    Defect {
        name: "resource-metadata-at-root-only",
        row: "B-02",
        summary: "no resource metadata with the endpoint's path, only at the root",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Before(Seam::ResourceMetadata, |asked| (asked.path() != RESOURCE_METADATA).then(not_found))],
    },
    Defect {
        name: "resource-metadata-mounted",
        row: "B-02",
        summary: "the resource metadata are under the endpoint's own path",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[
            Change::Also(APPENDED, RESOURCE_METADATA),
            Change::Before(Seam::ResourceMetadata, |asked| (asked.path() != APPENDED).then(not_found)),
        ],
    },
    Defect {
        name: "resource-origin-only",
        row: "B-03",
        summary: "`resource` is the origin, without the endpoint's path",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |asked, document| {
            document["resource"] = json!(asked.origin);
        })],
    },
    Defect {
        name: "resource-slash",
        row: "B-03",
        summary: "`resource` ends with a slash that the endpoint's URL does not have",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |asked, document| {
            document["resource"] = json!(format!("{}{}/", asked.origin, visit::MCP));
        })],
    },
    Defect {
        name: "resource-internal",
        row: "B-03",
        summary: "`resource` names the host behind a gateway",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |_, document| {
            document["resource"] = json!("http://mcp.internal:8080/mcp");
        })],
    },
    Defect {
        name: "issuers-missing",
        row: "B-04",
        summary: "no `authorization_servers`",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |_, document| remove(document, "authorization_servers"))],
    },
    Defect {
        name: "issuers-string",
        row: "B-04",
        summary: "`authorization_servers` is a text, not a list",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |asked, document| {
            document["authorization_servers"] = json!(asked.origin);
        })],
    },
    Defect {
        name: "issuers-metadata-url",
        row: "B-04",
        summary: "`authorization_servers` lists the URL of a document, not the issuer",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |asked, document| {
            document["authorization_servers"] = json!([format!("{}{SERVER_METADATA}", asked.origin)]);
        })],
    },
    Defect {
        name: "issuers-singular",
        row: "B-04",
        summary: "`authorization_server` instead of `authorization_servers`",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |asked, document| {
            remove(document, "authorization_servers");
            document["authorization_server"] = json!(asked.origin);
        })],
    },
    Defect {
        name: "resource-metadata-nulls",
        row: "B-06",
        summary: "members that are null, empty or a relative URL",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, |_, document| {
            document["jwks_uri"] = Value::Null;
            document["resource_name"] = json!("");
            document["resource_documentation"] = json!("/docs");
        })],
    },
    Defect {
        name: "resource-metadata-strings",
        row: "B-06",
        summary: "texts for `scopes_supported` and `bearer_methods_supported`",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::Document(Seam::ResourceMetadata, strings_for_lists)],
    },
    Defect {
        name: "resource-metadata-html",
        row: "B-07",
        summary: "a page with status 200 where the resource metadata should be",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named_or_absent,
        change: &[Change::Before(Seam::ResourceMetadata, |_| Some(html(StatusCode::OK, "My app")))],
    },
    Defect {
        name: "resource-metadata-401",
        row: "B-07",
        summary: "the resource metadata want a token",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named_or_absent,
        change: &[Change::Before(Seam::ResourceMetadata, |_| {
            Some(reply::error(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication required"))
        })],
    },
    Defect {
        name: "resource-metadata-500",
        row: "B-07",
        summary: "500 where the resource metadata should be",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named_or_absent,
        change: &[Change::Before(Seam::ResourceMetadata, |_| {
            Some(html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        })],
    },
    Defect {
        name: "resource-metadata-redirect",
        row: "B-07",
        summary: "the resource metadata redirect to a login page",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named_or_absent,
        change: &[Change::Before(Seam::ResourceMetadata, |_| Some(redirect(StatusCode::FOUND, "/login")))],
    },
    Defect {
        name: "resource-metadata-hang",
        row: "B-07",
        summary: "no answer where the resource metadata should be",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named_or_absent,
        change: &[Change::Before(Seam::ResourceMetadata, |_| Some(reply::late(not_found())))],
    },
    Defect {
        name: "resource-metadata-text",
        row: "B-08",
        summary: "the resource metadata come as text/plain",
        ask: visit::RESOURCE_METADATA,
        check: mended::resource_named,
        change: &[Change::After(Seam::ResourceMetadata, |_, reply| {
            reply::with(reply, CONTENT_TYPE, "text/plain; charset=utf-8")
        })],
    },
];

fn strings_for_lists(_: &Asked<'_>, document: &mut Value) {
    document["scopes_supported"] = json!("mcp");
    document["bearer_methods_supported"] = json!("header");
}
