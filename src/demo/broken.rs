//! The server of `mcp-mend demo`: a real MCP server with its own authorization server, on one origin. It is sound, and
//! broken by the defects that it is given (`defects.rs`): those of the known issue page, or the ones that were named.
//! A client completes its login and calls tools once they are mended.
//!
//! Nothing here is worth protecting: a few tools, state in memory. Still every check of a login is real.

mod authorize;
mod cors;
mod legacy;
mod mcp;
pub(in crate::demo) mod metadata;
mod offer;
mod register;
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

use super::defects::{self, Defect};
use super::parts::change::{Asked, Changes, Seam, not_found};
use super::parts::reply::{self, Reply};
use super::parts::shelf::Shelf;
use super::parts::streams::Streams;
use super::parts::{MCP, MESSAGES, OPENID};
use crate::endpoint::{LEGACY_SSE, OPENID_CONFIGURATION, RESOURCE_METADATA, SERVER_METADATA};

/// More than any message of a demo has.
const LONGEST_BODY: usize = 64 * 1024;

/// The broken server: where it believes to be, how it is broken, and what it remembers.
#[derive(Debug)]
pub struct Broken {
    origin: String,
    changes: Changes,
    state: Mutex<State>,
    /// Those of the HTTP+SSE transport, and those that a defect wants.
    streams: Streams,
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
    /// A server at this address, `http://127.0.0.1:PORT`, with the defects of the known issue page.
    #[must_use]
    pub fn new(origin: String) -> Self {
        Self::with(origin, &defects::of_the_page())
    }

    /// A server at this address with these defects; with none it is sound.
    #[must_use]
    pub fn with(origin: String, defects: &[&'static Defect]) -> Self {
        let changes = Changes(defects.iter().flat_map(|defect| defect.change).collect());
        Self {
            origin: origin.trim_end_matches('/').to_owned(),
            changes,
            state: Mutex::default(),
            streams: Streams::default(),
        }
    }

    /// The `resource` of the MCP endpoint: literally what the metadata advertise.
    fn resource(&self) -> String {
        self.resource_at(MCP)
    }

    /// The `resource` at a path. Tokens are issued for those of the two transports.
    fn resource_at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// A panic elsewhere leaves whole values behind: nothing here is changed in two steps.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request whose body was read.
    fn answer(&self, head: &Parts, body: &[u8]) -> Reply {
        let asked = Asked { origin: &self.origin, head, body, streams: &self.streams };
        let path = self.changes.stands_for(asked.path());
        let seam = if head.method == Method::OPTIONS { Seam::Preflight } else { self.seam(path, head) };
        let reply = match self.changes.before(Seam::Anything, &asked).or_else(|| self.changes.before(seam, &asked)) {
            Some(reply) => reply,
            None => {
                let body = self.changes.body(seam, &asked);
                let head = self.changes.head(seam, &asked);
                let head = head.as_ref().unwrap_or(asked.head);
                let reply = self.sound_answer(path, head, body.as_deref().map_or(asked.body, str::as_bytes));
                self.changes.after(seam, &asked, reply)
            }
        };
        self.changes.after(Seam::Anything, &asked, cors::opened(asked.path(), head, reply))
    }

    /// What answers a path, seen by a defect.
    fn seam(&self, path: &str, head: &Parts) -> Seam {
        match route(path) {
            Some(route) if route.seam.is_guarded() && mcp::access(self, head).is_none() => Seam::Refused,
            Some(route) => route.seam,
            None if path.contains(SERVER_METADATA) || path.contains(OPENID_CONFIGURATION) => Seam::ServerMetadata,
            None if path.contains(RESOURCE_METADATA) => Seam::ResourceMetadata,
            None => Seam::Anything,
        }
    }

    /// The answer without any defect.
    fn sound_answer(&self, path: &str, head: &Parts, body: &[u8]) -> Reply {
        if head.method == Method::OPTIONS {
            return cors::preflight();
        }
        let Some(Route { allow, handler, .. }) = route(path) else {
            return not_found();
        };
        if !allow.split(", ").any(|allowed| allowed == head.method.as_str()) {
            return reply::not_allowed(allow);
        }
        handler(self, head, body)
    }

    async fn respond(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let reply = match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => self.answer(&head, &body.to_bytes()),
            Err(_) => reply::empty(StatusCode::PAYLOAD_TOO_LARGE),
        };
        if let Some(reply::Late(time)) = reply.extensions().get() {
            tokio::time::sleep(*time).await;
        }
        reply
    }
}

/// What is at a path.
struct Route {
    seam: Seam,
    allow: &'static str,
    handler: Handler,
}

fn route(path: &str) -> Option<Route> {
    const READ: &str = "GET, HEAD";
    let (seam, allow, handler): (_, _, Handler) = match path {
        MCP => (Seam::Opened, "GET, HEAD, POST, DELETE, PUT, PATCH", mcp::answer),
        LEGACY_SSE => (Seam::Listening, READ, legacy::listen),
        MESSAGES => (Seam::Sending, "POST", legacy::send),
        SERVER_METADATA => (Seam::ServerMetadata, READ, metadata::server),
        OPENID => (Seam::ServerMetadata, READ, metadata::openid),
        RESOURCE_METADATA => (Seam::ResourceMetadata, READ, metadata::resource),
        _ if matches!(path.strip_prefix(RESOURCE_METADATA), Some(MCP | LEGACY_SSE)) => {
            (Seam::ResourceMetadata, READ, metadata::resource)
        }
        "/jwks" => (Seam::Anything, READ, metadata::keys),
        "/register" => (Seam::Register, "POST", register::register),
        "/authorize" => (Seam::Authorize, READ, authorize::ask),
        "/approve" => (Seam::Approve, "POST", authorize::approve),
        "/token" => (Seam::Token, "POST", token::token),
        _ => return None,
    };
    Some(Route { seam, allow, handler })
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

#[cfg(test)]
mod tests;
