//! What the answers to the proxy's own questions say.

use http::StatusCode;
use url::Url;

use super::ask::Fetched;
use crate::edit::json::Object;

/// Adds the members that only the other document has.
pub(super) fn complete(document: &mut Object, other: &Object) {
    if document.text("issuer") != other.text("issuer") {
        return;
    }
    for name in other.names() {
        if (!document.has(&name) || document.is_null(&name))
            && let Some(value) = other.get(&name)
        {
            document.set(&name, value);
        }
    }
}

/// Whether two texts mean one issuer: they differ at most in a slash at the end, in the case of the host and in a
/// default port. Only then may one stand for the other.
pub(super) fn is_same_issuer(one: &str, other: &str) -> bool {
    let bare = |text: &str| Url::parse(text).ok().map(|url| url.as_str().trim_end_matches('/').to_owned());
    bare(one).is_some_and(|one| Some(one) == bare(other))
}

/// The answer of an OAuth endpoint that refuses: a client error that says so in JSON (RFC 6749 section 5.2), or in the
/// way of a framework that checks forms.
pub(super) fn is_oauth_error(fetched: &Fetched) -> bool {
    let status = fetched.reply.status;
    status.is_client_error()
        && !matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
        && fetched.object().is_some_and(|object| object.has("error") || object.has("detail") || object.has("errors"))
}

/// Whether this is how an authorization endpoint receives a stranger: with a page, on to a login, or with a refusal.
pub(super) fn may_be_authorization(fetched: &Fetched) -> bool {
    let status = fetched.reply.status;
    let refuses = status.is_client_error() && !matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    refuses || status.is_redirection() || (status.is_success() && fetched.reply.is_of("text/html"))
}

pub(super) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Whether a refusal says that PKCE is demanded: it names the missing parameter, and denies nothing.
pub(super) fn speaks_of_pkce(fetched: &Fetched) -> bool {
    let names_it = fetched.mentions(&["code_verifier", "code_challenge", "code verifier", "code challenge", "pkce"]);
    let demands = fetched.mentions(&["required", "require", "missing", "must", "expected", "mandatory", "needed"]);
    let denies =
        ["not supported", "unsupported", "ignored", "unknown", "unexpected", "unrecognized", "not allowed", "disabled"];
    names_it && demands && !fetched.mentions(&denies)
}
