//! The proxy's own questions about lessons: put when an exchange gave reason to, with nothing in them that came from it.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode};

use super::ask::{Ask, Fetched, head, own_target};
use super::visit::question_limit;
use crate::client::{CLIENTS, Client};
use crate::edit::params;
use crate::endpoint::{FIRST_STATELESS, VERSION};
use crate::evidence::message;
use crate::jsonrpc::{self, PROBE};
use crate::knowledge::is_true;
use crate::lesson::{Heard, Lesson};
use crate::runtime::Runtime;
use crate::secret;
use crate::upstream::Upstream;

/// Half of what clients wait for an answer to the probe: whoever is silent that long is silent to them.
const SILENCE: Duration = Duration::from_millis(2500);
/// The method of a message, as header field (MCP 2026-07-28).
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const BOTH_FORMS: &str = "application/json, text/event-stream";
const JSON: &str = "application/json";
/// A probe as MCP 2026-07-28 has it. The version in it is that of the header field.
const DISCOVER: &str = concat!(
    r#"{"jsonrpc":"2.0","id":"mcp-mend","method":"server/discover","params":{"_meta":{"#,
    r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
    r#""io.modelcontextprotocol/clientInfo":{"name":"mcp-mend","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""},"io.modelcontextprotocol/clientCapabilities":{}}}}"#
);
/// A message that every server answers: with a result, or with a refusal.
const PING: &str = r#"{"jsonrpc":"2.0","id":"mcp-mend","method":"ping"}"#;
/// So many clients with a document are asked for: a server may know some of them and not others.
const MOST_CLIENTS: usize = 2;

/// Whether the upstream can be asked about a lesson at all.
pub(super) fn has_one(lesson: Lesson) -> bool {
    matches!(lesson, Lesson::Moved | Lesson::Legacy | Lesson::RefusesDocuments)
}

/// Whether the answer would change anything.
pub(super) fn is_of_use(runtime: &Runtime, lesson: Lesson) -> bool {
    if lesson != Lesson::RefusesDocuments {
        return has_one(lesson);
    }
    let known = runtime.learner.recall();
    known.server_document.as_ref().is_some_and(|document| {
        is_true(document.get("client_id_metadata_document_supported")) && document.has("registration_endpoint")
    })
}

/// Asks the upstream about a lesson.
pub(super) async fn put(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>, lesson: Lesson) -> Heard {
    match lesson {
        Lesson::Moved => moved(runtime, upstream).await,
        Lesson::Legacy => probe(runtime, upstream).await,
        Lesson::RefusesDocuments => documents(runtime, upstream).await,
        Lesson::SendsIss | Lesson::ReturnsDirectly => Heard::Nothing(lesson, "there is no question about it"),
    }
}

/// A ping at the MCP path and at its twin: one of them is redirected to the other, and is taken or asked to log in there.
async fn moved(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) -> Heard {
    let headers = head(runtime, &runtime.target.authority);
    let ask = async |path: String| {
        let ping = Ask::post(&headers, path, JSON, PING).accepting(BOTH_FORMS);
        tokio::time::timeout(SILENCE, ping.once(upstream)).await.ok().flatten()
    };
    let path = &runtime.facts.mcp_path;
    let mut is_answered = false;
    for from in [Some(path.clone()), message::twin_of(path)].into_iter().flatten() {
        let Some(first) = ask(from.clone()).await else { continue };
        is_answered = true;
        let Some(to) = own_target(&first.reply, &runtime.facts) else { continue };
        let kind = first.reply.status;
        if !message::is_move(kind, &from, &to) {
            continue;
        }
        let Some(there) = ask(to.clone()).await else { continue };
        let status = there.reply.status;
        let is_taken = status.is_success() && error_of(&there).is_none();
        if !is_taken && status != StatusCode::UNAUTHORIZED {
            continue;
        }
        let evidence = format!("the proxy's own ping: {} from {from} to {to}, then {}", kind.as_u16(), status.as_u16());
        return Heard::Evidence(Lesson::Moved, evidence.into(), Some(to));
    }
    if !is_answered {
        return Heard::Nothing(Lesson::Moved, "the upstream does not answer");
    }
    let reason = "the proxy's own ping is not redirected by a slash";
    match runtime.learner.moved() {
        Some(_) => Heard::Wrong(Lesson::Moved, reason),
        None => Heard::Nothing(Lesson::Moved, reason),
    }
}

/// A probe and, beside it, a ping: an upstream that answers neither is slow or down, and not an older one.
async fn probe(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) -> Heard {
    let headers = head(runtime, &runtime.target.authority);
    let path = || runtime.facts.mcp_path.clone();
    let ping = Ask::post(&headers, path(), JSON, PING).accepting(BOTH_FORMS);
    let mut discover = Ask::post(&headers, path(), JSON, DISCOVER).accepting(BOTH_FORMS);
    discover.headers.insert(VERSION, HeaderValue::from_static(FIRST_STATELESS));
    discover.headers.insert(METHOD, HeaderValue::from_static(PROBE));
    let within = |ask: Ask| tokio::time::timeout(SILENCE, ask.once(upstream));
    let (answer, beside) = tokio::join!(within(discover), within(ping));
    let evidence = |text: &'static str| Heard::Evidence(Lesson::Legacy, text.into(), None);
    let wrong = |text| Heard::Wrong(Lesson::Legacy, text);
    match answer {
        Err(_) if matches!(beside, Ok(Some(_))) => {
            evidence("the proxy's own server/discover was not answered, while a ping beside it was")
        }
        Err(_) | Ok(None) => Heard::Nothing(Lesson::Legacy, "the upstream does not answer"),
        Ok(Some(answer)) => match error_of(&answer) {
            Some(jsonrpc::METHOD_NOT_FOUND) if matches!(answer.reply.status.as_u16(), 200 | 400 | 404) => {
                evidence("the proxy's own server/discover was answered with -32601")
            }
            Some(code) if jsonrpc::MODERN.contains(&code) => wrong("the proxy's own probe is known"),
            None if answer.document().is_some_and(|answer| answer.has("result")) => {
                wrong("the proxy's own probe is known")
            }
            _ => Heard::Nothing(Lesson::Legacy, "the answer to the proxy's own probe does not say that it is unknown"),
        },
    }
}

/// The code of a JSON-RPC error.
fn error_of(answer: &Fetched) -> Option<i64> {
    answer.object()?.child("error")?.get("code")?.as_i64()
}

/// The authorization requests of well-known clients that have a document, each as a browser would bring it. Nothing is
/// left behind there: a request that is not refused leads to a page that nobody looks at.
async fn documents(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>) -> Heard {
    let headers = browser(head(runtime, &runtime.target.authority));
    let known = runtime.learner.recall();
    let resource =
        known.resource.clone().unwrap_or_else(|| format!("{}{}", runtime.facts.upstream, runtime.facts.mcp_path));
    let nothing = |text| Heard::Nothing(Lesson::RefusesDocuments, text);
    let mut asked = 0;
    for client in CLIENTS.iter().filter(|client| client.registration.document.is_some()).take(MOST_CLIENTS) {
        let Some(query) = authorization(client, &resource) else { return nothing("no random bytes can be had") };
        let ask = Ask::get(&headers, format!("{}?{query}", known.endpoints.paths().authorize));
        let facts = Arc::new(runtime.facts.clone());
        let Some(answer) = ask.send(upstream.clone(), facts, question_limit(runtime)).await else {
            return nothing("the upstream does not answer");
        };
        match refuses_client(&answer) {
            true => asked += 1,
            false if is_taken(&answer) => {
                return Heard::Wrong(Lesson::RefusesDocuments, "a well-known client with a document is not refused");
            }
            false => return nothing("the answer does not say that the client is refused"),
        }
    }
    if asked == 0 {
        return nothing("no client with a document is known");
    }
    let evidence = format!("the authorization requests of {asked} well-known clients with a document were refused");
    Heard::Evidence(Lesson::RefusesDocuments, evidence.into(), None)
}

fn browser(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
    headers.remove(CONTENT_TYPE);
    headers
}

/// The authorization request of a client with a document (RFC 6749 section 4.1.1, RFC 7636, RFC 8707).
fn authorization(client: &Client, resource: &str) -> Option<String> {
    let registration = &client.registration;
    let redirect = registration.redirect_uris.first()?.replace("{port}", "33418").replace("{id}", "mcp-mend");
    let (verifier, state) = (secret::random().ok()?, secret::random().ok()?);
    let challenge = secret::s256(&verifier);
    let parameters = [
        ("response_type", "code"),
        ("client_id", registration.document?),
        ("redirect_uri", &redirect),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", &state),
        ("resource", resource),
    ];
    Some(parameters.iter().fold(String::new(), |query, (name, value)| params::with(&query, name, value)))
}

/// Whether an answer refuses the client, and not the rest of the request or everybody: where everybody has to be logged in
/// before, 401 says nothing of the client.
fn refuses_client(answer: &Fetched) -> bool {
    let error = answer.object().and_then(|object| object.text("error"));
    match (answer.reply.status, error.as_deref()) {
        (StatusCode::BAD_REQUEST, Some(error)) => {
            !["invalid_target", "invalid_scope", "unsupported_response_type", "temporarily_unavailable", "server_error"]
                .contains(&error)
        }
        (StatusCode::BAD_REQUEST, None) => true,
        (StatusCode::UNAUTHORIZED, error) => matches!(error, Some("invalid_client" | "unauthorized_client")),
        _ => false,
    }
}

/// Whether the client got on: to a page, to the login, or back with an error that is about something else.
fn is_taken(answer: &Fetched) -> bool {
    answer.reply.status.is_success() || answer.reply.status.is_redirection()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_of_the_version_that_its_header_names() {
        let message: serde_json::Value = serde_json::from_str(DISCOVER).unwrap();
        let meta = &message["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], FIRST_STATELESS);
        assert_eq!((&message["method"], message["id"].is_string()), (&PROBE.into(), true));
    }

    #[test]
    fn an_authorization_request_is_whole() {
        let clients = || CLIENTS.iter().filter(|client| client.registration.document.is_some());
        assert!(clients().count() >= MOST_CLIENTS);
        for client in clients() {
            let query = authorization(client, "https://mcp.example.com/mcp").unwrap();
            assert!(params::get(&query, "client_id").unwrap().starts_with("https://"), "{query}");
            assert!(url::Url::parse(&params::get(&query, "redirect_uri").unwrap()).is_ok(), "{query}");
            assert_eq!(params::get(&query, "code_challenge").unwrap().len(), 43);
        }
    }
}
