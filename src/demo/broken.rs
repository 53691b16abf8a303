//! The server of `mcp-mend demo`: a real MCP server with its own authorization server, on one origin, that works but
//! for the defects of the known issue page. A client completes its login and calls tools once they are mended.
//!
//! The defects, by row of protocol section 4: A-01 and A-15 (bare 401), H-01 (OPTIONS refused), H-02 and H-07 (no
//! CORS, cacheable), D-01, D-05, D-07, D-14 and D-18 (registration), B-02, B-03 and C-16 (documents at one place, with
//! the internal address), E-07 (`resource` compared literally) and E-14 (token answers without no-store).
//!
//! Nothing here is worth protecting: two tools, state in memory. Still every check of a login is real.

mod authorize;
mod mcp;
mod metadata;
mod register;
mod reply;
pub(in crate::demo) mod secret;
mod shelf;
mod token;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use self::reply::Reply;
use self::shelf::Shelf;
use crate::endpoint::{RESOURCE_METADATA, SERVER_METADATA};

/// What registers a confidential client (RFC 7591 section 1.2: initial access token).
pub const INITIAL_ACCESS_TOKEN: &str = "demo-initial-access-token";

/// The path of the MCP endpoint.
const MCP: &str = "/mcp";

/// More than any message of a demo has.
const LONGEST_BODY: usize = 64 * 1024;

/// The broken server: where it believes to be, and what it remembers.
#[derive(Debug)]
pub struct Broken {
    origin: String,
    state: Mutex<State>,
}

/// What the server remembers, each kind bounded.
#[derive(Debug, Default)]
struct State {
    clients: Shelf<register::Client>,
    codes: Shelf<authorize::Grant>,
    access_tokens: Shelf<token::Access>,
    refresh_tokens: Shelf<token::Refresh>,
    sessions: Shelf<()>,
}

/// What answers a method of a path. The body was read before.
type Handler = fn(&Broken, &Parts, &[u8]) -> Reply;

impl Broken {
    /// A server at this address, `http://127.0.0.1:PORT`: the internal one that its documents and redirects leak.
    #[must_use]
    pub fn new(origin: String) -> Self {
        Self { origin: origin.trim_end_matches('/').to_owned(), state: Mutex::default() }
    }

    /// The only `resource` for which tokens are issued: literally what the metadata advertise (defect E-07).
    fn resource(&self) -> String {
        format!("{}{MCP}", self.origin)
    }

    /// A panic elsewhere leaves whole values behind: nothing here is changed in two steps.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request whose body was read.
    fn answer(&self, head: &Parts, body: &[u8]) -> Reply {
        let path = head.uri.path();
        if path == MCP {
            return mcp::answer(self, head, body);
        }
        // Defect H-01: a preflight is a method like any other here, and none that is allowed.
        if head.method == Method::OPTIONS {
            return reply::not_allowed("GET, HEAD, POST");
        }
        let Some((allow, handler)) = route(path) else {
            return reply::json(StatusCode::NOT_FOUND, &serde_json::json!({"error": "not_found"}));
        };
        if !allow.split(", ").any(|allowed| allowed == head.method.as_str()) {
            return reply::not_allowed(allow);
        }
        handler(self, head, body)
    }

    async fn respond(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => self.answer(&head, &body.to_bytes()),
            Err(_) => reply::empty(StatusCode::PAYLOAD_TOO_LARGE),
        }
    }
}

/// Methods and handler of a path. Defect B-02: the resource metadata are only at the place with the path inserted.
fn route(path: &str) -> Option<(&'static str, Handler)> {
    let found: (&'static str, Handler) = match path {
        SERVER_METADATA => ("GET, HEAD", metadata::server),
        "/register" => ("POST", register::register),
        "/authorize" => ("GET, HEAD", authorize::ask),
        "/approve" => ("POST", authorize::approve),
        "/token" => ("POST", token::token),
        _ if path.strip_prefix(RESOURCE_METADATA) == Some(MCP) => ("GET, HEAD", metadata::resource),
        _ => return None,
    };
    Some(found)
}

/// Serves the broken server until the future is dropped.
pub async fn serve(listener: TcpListener, broken: Arc<Broken>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, Arc::clone(&broken)))),
            // Out of descriptors, or a peer that left early: neither ends the demo.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, broken: Arc<Broken>) {
    let service = service_fn(|request| {
        let broken = Arc::clone(&broken);
        async move { Ok::<_, Infallible>(broken.respond(request).await) }
    });
    // A connection that fails is the client's to notice.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// The bearer token of a request (RFC 6750 section 2.1).
fn bearer(head: &Parts) -> Option<&str> {
    let (scheme, token) = head.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The first value of a form field or query parameter, if it is not empty (RFC 6749 section 3.1: an empty one counts
/// as left out).
fn field(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
}

/// The fields of a form or query.
fn fields(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

#[cfg(test)]
mod tests;
