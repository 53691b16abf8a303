//! D-05: members that are null. Every TypeScript client refuses the whole answer.

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// The optional members of client metadata and of the answer (RFC 7591 sections 2 and 3.2.1, RFC 7592, OpenID).
pub(super) const OPTIONAL: &[&str] = &[
    "client_secret",
    "client_secret_expires_at",
    "client_id_issued_at",
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
    "software_statement",
    "application_type",
    "registration_client_uri",
    "registration_access_token",
    "post_logout_redirect_uris",
    "initiate_login_uri",
    "request_uris",
    "default_max_age",
    "subject_type",
    "sector_identifier_uri",
    "id_token_signed_response_alg",
];

pub static REPAIR: Repair = Repair {
    id: "register.null-members",
    rows: &["D-05", "D-02"],
    summary: "a registration answer carries members that are null",
    why: "An optional member is left out or has its type. The TypeScript SDK checks every member it knows and throws \
          the whole registration away at the first null.",
    hits: "every TypeScript SDK client: Claude Code, mcp-remote, MCP Inspector, Cursor; LM Studio",
    stops: who::TYPESCRIPT_OAUTH.and(who::PY1),
    remedy: "Takes out the standard optional members that are null. Members of the server's own stay.",
    advice: "Leave out what has no value (pydantic: exclude_none; serde: skip_serializing_if).",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "nulls go, the server's own stays",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\", \"client_uri\":null, \"x_own\":null, \"scope\":null}",
            then: Then::Becomes("201\nContent-Type: application/json\n\n{\"client_id\":\"a\", \"x_own\":null}"),
        },
        Example {
            note: "none",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let mut any = false;
    for name in document.nulls() {
        if OPTIONAL.contains(&name.as_str()) {
            document.remove(&name);
            any = true;
        }
    }
    if any { Outcome::mended("members that are null", Edits::to_document(document)) } else { Outcome::Sound }
}
