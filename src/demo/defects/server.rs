//! What is wrong with the authorization server's metadata (catalogue 4C).

use http::StatusCode;
use serde_json::{Value, json};

use super::{Defect, html, redirect, remove, rename};
use crate::demo::parts::OPENID;
use crate::demo::parts::change::{Asked, Change, Seam, not_found};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};
use crate::endpoint::{OPENID_CONFIGURATION, SERVER_METADATA};

/// The documents of an issuer with the path `/auth`, put behind that path.
const BEHIND_PATH: &str = "/auth/.well-known/oauth-authorization-server";

/// The server has an OpenID configuration too.
const OPENID_SERVED: Change = Change::Also(OPENID_CONFIGURATION, OPENID);

/// The token endpoint of a server that enforces what its metadata do not say (RFC 7636 section 4.4.1).
const PKCE_ENFORCED: Change = Change::Before(Seam::Token, |asked| {
    let code = asked.form("grant_type").as_deref() == Some("authorization_code");
    let unproven = code && asked.form("code_verifier").is_none();
    unproven.then(|| reply::error(StatusCode::BAD_REQUEST, "invalid_request", "code_verifier is required"))
});

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "metadata-missing",
        row: "C-01",
        summary: "no metadata at all; the endpoints are at their default paths",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[
            Change::Before(Seam::ServerMetadata, |_| Some(not_found())),
            Change::Before(Seam::ResourceMetadata, |_| Some(not_found())),
            PKCE_ENFORCED,
        ],
    },
    Defect {
        name: "server-metadata-openid-only",
        row: "C-02",
        summary: "an OpenID configuration alone, no OAuth server metadata",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[
            OPENID_SERVED,
            Change::Before(Seam::ServerMetadata, |asked| (asked.path() != OPENID_CONFIGURATION).then(not_found)),
        ],
    },
    Defect {
        name: "server-metadata-behind-path",
        row: "C-03",
        summary: "an issuer with a path, whose metadata are behind the path and not before",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[
            Change::Also(BEHIND_PATH, SERVER_METADATA),
            Change::Before(Seam::ServerMetadata, |asked| (asked.path() != BEHIND_PATH).then(not_found)),
            Change::Document(Seam::ServerMetadata, |asked, document| {
                document["issuer"] = json!(format!("{}/auth", asked.origin));
            }),
            Change::Document(Seam::ResourceMetadata, |asked, document| {
                document["authorization_servers"] = json!([format!("{}/auth", asked.origin)]);
            }),
        ],
    },
    Defect {
        name: "issuer-missing",
        row: "C-04",
        summary: "no `issuer`",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| remove(document, "issuer"))],
    },
    Defect {
        name: "issuer-slash",
        row: "C-04",
        summary: "`issuer` has a slash that the resource metadata do not have",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |asked, document| {
            document["issuer"] = json!(format!("{}/", asked.origin));
        })],
    },
    Defect {
        name: "pkce-not-listed",
        row: "C-05",
        summary: "no `code_challenge_methods_supported`, though PKCE is enforced",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[
            Change::Document(Seam::ServerMetadata, |_, document| remove(document, "code_challenge_methods_supported")),
            PKCE_ENFORCED,
        ],
    },
    Defect {
        name: "pkce-list-empty",
        row: "C-05",
        summary: "`code_challenge_methods_supported` is empty, though PKCE is enforced",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[
            Change::Document(Seam::ServerMetadata, |_, document| {
                document["code_challenge_methods_supported"] = json!([]);
            }),
            PKCE_ENFORCED,
        ],
    },
    Defect {
        name: "response-types-missing",
        row: "C-06",
        summary: "no `response_types_supported`",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| remove(document, "response_types_supported"))],
    },
    Defect {
        name: "response-types-string",
        row: "C-06",
        summary: "`response_types_supported` is a text, not a list",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            document["response_types_supported"] = json!("code");
        })],
    },
    Defect {
        name: "server-metadata-nulls",
        row: "C-07",
        summary: "members that are null or empty",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            document["revocation_endpoint"] = Value::Null;
            document["service_documentation"] = json!("");
            document["ui_locales_supported"] = Value::Null;
        })],
    },
    Defect {
        name: "endpoints-relative",
        row: "C-07",
        summary: "the endpoints are paths, not URLs",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            document["authorization_endpoint"] = json!("/authorize");
            document["token_endpoint"] = json!("/token");
            document["registration_endpoint"] = json!("/register");
        })],
    },
    Defect {
        name: "server-metadata-strings",
        row: "C-07",
        summary: "texts for `grant_types_supported` and `scopes_supported`",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            document["grant_types_supported"] = json!("authorization_code");
            document["scopes_supported"] = json!("mcp");
        })],
    },
    Defect {
        name: "openid-incomplete",
        row: "C-08",
        summary: "an OpenID configuration without jwks_uri and what else is required",
        ask: visit::OPENID_CONFIGURATION,
        check: mended::server_named_or_absent,
        change: &[
            OPENID_SERVED,
            Change::Document(Seam::ServerMetadata, |_, document| {
                for name in ["jwks_uri", "subject_types_supported", "id_token_signing_alg_values_supported"] {
                    remove(document, name);
                }
            }),
        ],
    },
    Defect {
        name: "auth-methods-not-listed",
        row: "C-09",
        summary: "the auth methods are not listed, so no client without a secret may come",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            remove(document, "token_endpoint_auth_methods_supported");
        })],
    },
    Defect {
        name: "registration-not-named",
        row: "C-11",
        summary: "no `registration_endpoint`, though /register works",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| remove(document, "registration_endpoint"))],
    },
    Defect {
        name: "flag-string",
        row: "C-13",
        summary: "a flag is a text, not a boolean: client_id_metadata_document_supported",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            document["client_id_metadata_document_supported"] = json!("false");
        })],
    },
    Defect {
        name: "no-document-html",
        row: "C-15",
        summary: "a page with status 200 where there are no server metadata",
        ask: visit::OTHER_SERVER_METADATA,
        check: mended::server_named_or_absent,
        change: &[Change::Before(Seam::ServerMetadata, |asked| elsewhere(asked, || html(StatusCode::OK, "My app")))],
    },
    Defect {
        name: "no-document-401",
        row: "C-15",
        summary: "401 where there are no server metadata",
        ask: visit::OTHER_SERVER_METADATA,
        check: mended::server_named_or_absent,
        change: &[Change::Before(Seam::ServerMetadata, |asked| {
            elsewhere(asked, || reply::error(StatusCode::UNAUTHORIZED, "unauthorized", "Authentication required"))
        })],
    },
    Defect {
        name: "no-document-500",
        row: "C-15",
        summary: "500 where there are no server metadata",
        ask: visit::OTHER_SERVER_METADATA,
        check: mended::server_named_or_absent,
        change: &[Change::Before(Seam::ServerMetadata, |asked| {
            elsewhere(asked, || html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        })],
    },
    Defect {
        name: "no-document-redirect",
        row: "C-15",
        summary: "a redirect to the start page where there are no server metadata",
        ask: visit::OTHER_SERVER_METADATA,
        check: mended::server_named_or_absent,
        change: &[Change::Before(Seam::ServerMetadata, |asked| elsewhere(asked, || redirect(StatusCode::FOUND, "/")))],
    },
    Defect {
        name: "server-metadata-500",
        row: "C-15",
        summary: "500 for the OAuth server metadata, while the OpenID configuration works",
        ask: visit::SERVER_METADATA,
        check: mended::server_named_or_absent,
        change: &[
            OPENID_SERVED,
            Change::Before(Seam::ServerMetadata, |asked| {
                let oauth = asked.path() != OPENID_CONFIGURATION;
                oauth.then(|| html(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
            }),
        ],
    },
    Defect {
        name: "server-metadata-names",
        row: "C-20",
        summary: "`authorize_url`, `token_url`, `registration_url` for the endpoints",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| {
            rename(document, "authorization_endpoint", "authorize_url");
            rename(document, "token_endpoint", "token_url");
            rename(document, "registration_endpoint", "registration_url");
        })],
    },
    Defect {
        name: "server-metadata-wrapped",
        row: "C-20",
        summary: "the server metadata are inside a member `data`",
        ask: visit::SERVER_METADATA,
        check: mended::server_named,
        change: &[Change::Document(Seam::ServerMetadata, |_, document| *document = json!({"data": document.take()}))],
    },
];

/// An answer at every place but the one that has the document.
fn elsewhere(asked: &Asked<'_>, answer: impl FnOnce() -> Reply) -> Option<Reply> {
    (asked.path() != SERVER_METADATA).then(answer)
}
