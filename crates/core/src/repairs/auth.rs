//! The challenge of a 401 (RFC 9728 section 5.1, RFC 9110 section 11.6.1), and answers that should have been one.

pub mod challenge_malformed;
pub mod challenge_missing;
pub mod challenge_pointer;
pub mod challenge_renamed;
pub mod challenge_scope;
pub mod error_as_success;
pub mod head_unanswered;
pub mod login_page;
pub mod open_get;
pub mod page_as_refusal;
pub mod refused_otherwise;
pub(super) mod said;
pub mod scope_unsaid;
pub mod token_expired;
pub mod token_refused_otherwise;
mod words;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::json;

use crate::edit::challenge::{Challenge, Challenges};
use crate::edit::json::Object;
use crate::endpoint::RESOURCE_METADATA;
use crate::exchange::edits::Edits;
use crate::exchange::{OF_THE_ANSWER, Reply, Request, Site, is_credential};

/// Why there is a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// No token was sent. Such a challenge names no error (RFC 6750 section 3.1).
    Token,
    /// The token that was sent is none that counts.
    ValidToken,
    /// The token that was sent has expired.
    FreshToken,
}

impl Lack {
    fn error(self) -> &'static str {
        if self == Self::Token { "unauthorized" } else { "invalid_token" }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Token => "Authentication required",
            Self::ValidToken => "The access token is invalid",
            Self::FreshToken => "The access token expired",
        }
    }
}

/// A request to which a 401 may be the right answer.
fn may_be_refused(request: &Request) -> bool {
    request.requires_auth && request.preflight.is_none() && request.method != Method::OPTIONS
}

/// Whether a page asks that may not call the site: such a request is refused for that (MCP 2025-11-25, Streamable HTTP),
/// and the upstream says so itself.
fn is_of_a_foreign_page(site: &Site<'_>, request: &Request) -> bool {
    request.origin.as_ref().is_some_and(|origin| !site.allows_origin(origin))
}

/// Makes the answer the 401 that a sound server gives (RFC 9728 section 5.1). What the upstream's answer says of the request
/// stays.
fn refuse(site: &Site<'_>, request: &Request, reply: &Reply, lack: Lack) -> Edits {
    let mut found = Challenges::read(&reply.headers);
    if lack == Lack::Token {
        for bearer in found.list.iter_mut().filter(|challenge| challenge.is_bearer()) {
            for name in ["error", "error_description", "error_uri"] {
                bearer.remove(name);
            }
        }
    }
    let mut bearer = take_bearer(&mut found);
    if lack != Lack::Token && bearer.get("error") != Some("invalid_token") {
        bearer.set("error", lack.error());
        bearer.set("error_description", lack.description());
    }
    complete(site, &mut bearer);
    found.list.insert(0, bearer);
    let mut edits = with_challenges(&found);
    edits.status(StatusCode::UNAUTHORIZED);
    edits.extend(explain(request, lack));
    edits
}

/// A 401 of our own, where the upstream is not asked.
fn refusal(site: &Site<'_>, request: &Request, lack: Lack) -> Option<Reply> {
    let mut reply = Reply::new(StatusCode::UNAUTHORIZED, HeaderMap::new());
    let edits = refuse(site, request, &reply, lack);
    edits.apply_to_reply(&mut reply).is_ok().then_some(reply)
}

/// Makes these the challenges of the answer, a line each.
fn with_challenges(found: &Challenges) -> Edits {
    let mut edits = Edits::new();
    edits.set_all(&WWW_AUTHENTICATE, found.lines());
    edits
}

/// Takes the first Bearer challenge out of a list, to be put at its head; a new one if there is none.
fn take_bearer(found: &mut Challenges) -> Challenge {
    let first = found.list.iter().position(Challenge::is_bearer);
    let mut bearer = first.map_or_else(|| Challenge::new("Bearer"), |at| found.list.remove(at));
    bearer.remove_token68();
    bearer
}

/// Whether the request carries anything that may let it in beside a token.
fn brings_credentials(request: &Request) -> bool {
    let mut pairs = request.query().unwrap_or_default().split('&');
    pairs.any(|pair| is_credential(pair.split('=').next().unwrap_or_default())) || request.has_other_credentials
}

/// Replaces the body by one that says why there is a 401.
fn explain(request: &Request, lack: Lack) -> Edits {
    let mut edits = Edits::new();
    for name in OF_THE_ANSWER {
        edits.remove(name.clone());
    }
    edits.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    edits.set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if request.method == Method::HEAD {
        edits.empty();
    } else {
        let description = ("error_description", json!(lack.description()));
        edits.document(Object::new([("error", json!(lack.error())), description]));
    }
    edits.new_body();
    edits
}

/// The error that a Bearer challenge of the answer names.
fn challenged_error(reply: &Reply) -> Option<String> {
    let found = Challenges::read(&reply.headers);
    found
        .list
        .iter()
        .filter(|challenge| challenge.is_bearer())
        .find_map(|bearer| bearer.get("error").map(str::to_owned))
}

/// A 401 of an endpoint that clients log in to.
fn is_unauthorized(_: &Request, reply: &Reply) -> bool {
    reply.status == StatusCode::UNAUTHORIZED
}

/// Whether the challenge is the one that we write ourselves, to the byte: most are, and then there is nothing to read.
fn is_ours(site: &Site<'_>, reply: &Reply) -> bool {
    let mut lines = reply.headers.get_all(WWW_AUTHENTICATE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let facts = site.facts;
    let rest = line
        .as_bytes()
        .strip_prefix(b"Bearer resource_metadata=\"")
        .and_then(|rest| rest.strip_prefix(facts.public.as_str().as_bytes()))
        .and_then(|rest| rest.strip_prefix(RESOURCE_METADATA.as_bytes()))
        .and_then(|rest| rest.strip_prefix(facts.mcp_path.trim_end_matches('/').as_bytes()));
    rest == Some(b"\"") && facts.scopes.is_empty() && site.serves_resource_metadata()
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
