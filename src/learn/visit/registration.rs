//! Whether clients may register (RFC 7591), as far as can be told without registering one.

use http::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};

use super::{JSON, Visitor};
use crate::edit::list;
use crate::edit::origin::after_origin;
use crate::learn::ask::{Ask, Fetched};
use crate::learn::read::is_oauth_error;

/// No JSON: even a server that asks for nothing in particular finds nothing to register.
const NO_REGISTRATION: &str = "mcp-mend";
/// Nothing is there. Who answers the same here and there says nothing of what is there.
const NOWHERE: &str = "/mcp-mend-is-nowhere";

/// Whether a registration endpoint is there. Its methods say so first; only what leaves them open is sent a body, one that
/// cannot be read.
pub(super) async fn is_taken(visitor: &mut Visitor<'_>, path: String) -> bool {
    let get = visitor.get(path.clone());
    let Some(answer) = visitor.ask(get.clone()).await else { return false };
    // What is refused for its method alone is there.
    if answer.reply.status == StatusCode::METHOD_NOT_ALLOWED || allows_post(&answer) {
        return true;
    }
    let nowhere = format!("{}{NOWHERE}", path.trim_end_matches('/'));
    let options = |target: String| get.clone().by(Method::OPTIONS).at(target);
    let answers = visitor.ask_all(vec![options(path.clone()), options(nowhere.clone())]).await;
    let allows = |at: usize| answers.get(at).and_then(Option::as_ref).is_some_and(allows_post);
    if allows(0) && !allows(1) {
        return true;
    }
    // Somebody might take even that.
    if visitor.runtime.as_client {
        return false;
    }
    let post = |target: String| Ask::post(&visitor.headers, target, JSON, NO_REGISTRATION);
    let (here, there) = (post(path), post(nowhere));
    let Some(answer) = visitor.ask(here).await else { return false };
    if answer.reply.status.is_success() {
        let has_registered = answer.object().is_some_and(|object| object.has("client_id"));
        take_back(visitor, &answer).await;
        return has_registered;
    }
    let is_refusal = |answer: &Fetched| {
        is_oauth_error(answer) && !matches!(answer.reply.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    };
    is_refusal(&answer) && !visitor.ask(there).await.as_ref().is_some_and(is_refusal)
}

fn allows_post(answer: &Fetched) -> bool {
    list::contains(&answer.reply.headers, ALLOW, "POST")
}

/// Deletes a client that a lax server has registered all the same, if it says how (RFC 7592 section 2.3).
async fn take_back(visitor: &mut Visitor<'_>, answer: &Fetched) {
    let Some(client) = answer.object() else { return };
    let (url, token) = (client.text("registration_client_uri"), client.text("registration_access_token"));
    let (Some(url), Some(token)) = (url, token) else { return };
    let target = if url.starts_with('/') && !url.starts_with("//") {
        Some(url.as_str())
    } else {
        after_origin(&url).filter(|_| visitor.site().owns(&url))
    };
    let (Some(target), Ok(token)) = (target, HeaderValue::from_str(&format!("Bearer {token}"))) else { return };
    let mut ask = visitor.get(target).by(Method::DELETE);
    ask.headers.insert(AUTHORIZATION, token);
    ask.headers.remove(CONTENT_TYPE);
    ask.headers.remove(CONTENT_LENGTH);
    let _ = visitor.ask(ask).await;
}
