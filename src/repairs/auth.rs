//! The challenge of a 401 (RFC 9728 section 5.1, RFC 9110 section 11.6.1).

pub mod challenge_malformed;
pub mod challenge_missing;
pub mod challenge_pointer;
pub mod challenge_scope;

use http::StatusCode;

use crate::edit::challenge::{Challenge, Challenges};
use crate::exchange::{Reply, Request, Site};

/// A 401 of an endpoint that clients log in to.
fn is_unauthorized(_: &Request, reply: &Reply) -> bool {
    reply.status == StatusCode::UNAUTHORIZED
}

/// The first challenge of a 401 that is Bearer already, with all the others.
fn leading_bearer(reply: &Reply) -> Option<(Challenges, Challenge)> {
    let found = Challenges::read(&reply.headers);
    let first = found.leading_bearer().filter(|_| found.irregular.is_none())?.clone();
    Some((found, first))
}

/// Names what the site serves and the operator states.
fn complete(site: &Site<'_>, bearer: &mut Challenge) {
    if let Some(url) = site.resource_metadata_url() {
        bearer.set("resource_metadata", &url);
    }
    if bearer.get("scope").is_none() && !site.facts.scopes.is_empty() {
        bearer.set("scope", &site.facts.scopes.join(" "));
    }
}
