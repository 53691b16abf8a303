//! What goes wrong between the browser and the authorization endpoint (catalogue 4E, field report 20 and 24).

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use serde_json::json;
use url::Url;

use super::{Defect, redirect};
use crate::demo::parts::change::{Asked, Change, Seam, not_found};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};

/// Where the authorization endpoint is when it is not at its default path.
const ELSEWHERE: &str = "/oauth2/authorize";

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "authorize-elsewhere",
        row: "E-01",
        summary: "404 at /authorize; the metadata name another path",
        ask: visit::CONSENT_PAGE,
        check: mended::consent_found,
        change: &[
            Change::Also(ELSEWHERE, "/authorize"),
            Change::Before(Seam::Authorize, |asked| (asked.path() != ELSEWHERE).then(not_found)),
            Change::Document(Seam::ServerMetadata, |asked, document| {
                document["authorization_endpoint"] = json!(format!("{}{ELSEWHERE}", asked.origin));
            }),
        ],
    },
    Defect {
        name: "resource-refused",
        row: "E-07",
        summary: "an authorization request with `resource` is refused, as Entra does",
        ask: visit::CONSENT_PAGE,
        check: mended::consent_shown,
        change: &[Change::Before(Seam::Authorize, |asked| {
            asked.query("resource").map(|_| denied(asked, "invalid_target", "AADSTS9010010: resource is not supported"))
        })],
    },
    Defect {
        name: "scope-refused",
        row: "E-19",
        summary: "a scope that the server does not know is refused: offline_access",
        ask: visit::OFFLINE_ACCESS,
        check: mended::consent_shown,
        change: &[Change::Before(Seam::Authorize, |asked| {
            let scope = asked.query("scope")?;
            let unknown = scope.split(' ').find(|scope| !matches!(*scope, "mcp" | "mcp:forget"))?;
            Some(denied(asked, "invalid_scope", &format!("Unknown scope {unknown}")))
        })],
    },
    Defect {
        name: "consent-form-action",
        row: "R-20",
        summary: "the consent page's policy blocks the redirect: form-action 'self'",
        ask: visit::CONSENT_PAGE,
        check: mended::consent_shown,
        change: &[Change::After(Seam::Authorize, |_, reply| {
            if reply.status() != StatusCode::OK {
                return reply;
            }
            reply::with(
                reply,
                CONTENT_SECURITY_POLICY,
                "default-src 'self'; style-src 'unsafe-inline'; form-action 'self'",
            )
        })],
    },
    Defect {
        name: "consent-307",
        row: "R-24",
        summary: "307 after the consent: the browser POSTs its form to the client",
        ask: visit::APPROVED,
        check: mended::redirected,
        change: &[Change::After(Seam::Approve, |_, reply| {
            if !reply.status().is_redirection() {
                return reply;
            }
            reply::status(reply, StatusCode::TEMPORARY_REDIRECT)
        })],
    },
    Defect {
        name: "iss-not-sent",
        row: "C-17",
        summary: "the metadata promise `iss` in the redirect, and it does not come",
        ask: visit::PROMISED_ISS,
        check: mended::iss_kept,
        change: &[Change::After(Seam::Approve, |_, reply| without(reply, "iss"))],
    },
    Defect {
        name: "state-lost",
        row: "E-17",
        summary: "the redirect with an error has no `state`",
        ask: visit::DENIED,
        check: mended::denied,
        change: &[Change::After(Seam::Authorize, |_, reply| without(reply, "state"))],
    },
];

/// An error for the client (RFC 6749 section 4.1.2.1). Only to a loopback address: what came was not examined.
fn denied(asked: &Asked<'_>, error: &str, text: &str) -> Reply {
    let to = asked.query("redirect_uri").and_then(|uri| Url::parse(&uri).ok());
    let Some(mut to) = to.filter(|to| matches!(to.host_str(), Some("127.0.0.1" | "localhost"))) else {
        return reply::error(StatusCode::BAD_REQUEST, error, text);
    };
    to.query_pairs_mut().append_pair("error", error).append_pair("error_description", text);
    if let Some(state) = asked.query("state") {
        to.query_pairs_mut().append_pair("state", &state);
    }
    to.query_pairs_mut().append_pair("iss", asked.origin);
    redirect(StatusCode::FOUND, to.as_str())
}

/// The redirect without one of its parameters.
fn without(reply: Reply, name: &str) -> Reply {
    let location = reply.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let Some(mut to) = location.and_then(|location| Url::parse(location).ok()) else { return reply };
    let kept: Vec<_> = to.query_pairs().into_owned().filter(|(have, _)| have != name).collect();
    to.query_pairs_mut().clear().extend_pairs(kept);
    reply::with_text(reply, LOCATION, to.as_str())
}
