//! What lets pages of other origins in (Fetch, CORS protocol): any to the public documents, the listed ones to the rest.

use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN, VARY,
};
use http::request::Parts;

use crate::demo::parts::reply::{self, Reply};

/// The pages that may talk to the server.
const PAGES: [&str; 2] = ["https://claude.ai", "https://claude.com"];

/// The answer to OPTIONS, but for the origin.
pub(super) fn preflight() -> Reply {
    let reply = reply::empty(StatusCode::NO_CONTENT);
    let reply = reply::with(reply, ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, DELETE, OPTIONS");
    let headers = "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID";
    reply::with(reply, ACCESS_CONTROL_ALLOW_HEADERS, headers)
}

/// The answer with what a page may read of it.
pub(super) fn opened(path: &str, head: &Parts, reply: Reply) -> Reply {
    let exposed = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After";
    if path.contains("/.well-known/") {
        let reply = reply::with(reply, ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        return reply::with(reply, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    }
    let reply = reply::with(reply, VARY, "Origin");
    let origin = head.headers.get(ORIGIN).and_then(|origin| PAGES.into_iter().find(|page| origin == page));
    match origin {
        Some(origin) => {
            let reply = reply::with(reply, ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            reply::with(reply, ACCESS_CONTROL_ALLOW_ORIGIN, origin)
        }
        None => reply,
    }
}

/// Whether a page may call the MCP endpoint (MCP 2025-11-25, transports, security warning): one that is listed, one of
/// this machine or of the server itself. Who is no page says nothing.
pub(super) fn is_welcome(own: &str, head: &Parts) -> bool {
    let Some(origin) = head.headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let host = url::Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    let is_of_this_machine = matches!(host.as_deref(), Some("localhost" | "127.0.0.1" | "[::1]"));
    origin == own || is_of_this_machine || PAGES.contains(&origin)
}
