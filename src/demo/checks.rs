//! The known issue page's verification commands, walked against a base URL as `curl` would, and what came.
//!
//! Nothing here knows how the proxy mends: a check reads bytes off a socket and holds them to the page, with the
//! corrections of field report section 8.

mod challenge;
mod cors;
mod documents;
pub(super) mod login;
mod registration;

use std::pin::Pin;

use super::client::{self, Base};

/// What a cell of the report holds.
const WIDEST_SEEN: usize = 34;

/// Where the pages of Claude's hosted client come from, and where both of its hosts take the answer of a login.
pub(super) const PAGE: &str = "https://claude.ai";
const CALLBACKS: [&str; 2] = ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"];

/// The endpoint that the page's commands name.
const MCP: &str = "/mcp";

/// A running check: what came, for better or for worse.
type Running<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// One thing that the page asks for.
#[derive(Debug)]
pub struct Check {
    /// What the page asks, at most 46 characters.
    pub page: &'static str,
    /// What has to come.
    pub expected: &'static str,
    run: for<'a> fn(&'a Base) -> Running<'a>,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// At most 34 characters.
    pub text: String,
    /// Whether it is what the page asks for.
    pub ok: bool,
}

impl Seen {
    fn of(result: Result<String, String>) -> Self {
        let ok = result.is_ok();
        let (Ok(text) | Err(text)) = result;
        Self { text: short(&text), ok }
    }
}

/// All checks, in the order of the page.
pub static CHECKS: &[Check] = &[
    Check {
        page: "POST /mcp gives 401 and WWW-Authenticate",
        expected: "401, Bearer with resource_metadata",
        run: |base| Box::pin(challenge::is_sent(base)),
    },
    Check {
        page: "Access-Control-Expose-Headers on the 401",
        expected: "WWW-Authenticate",
        run: |base| Box::pin(challenge::is_exposed(base)),
    },
    Check {
        page: "/mcp names a specific origin, never *",
        expected: "https://claude.ai, Vary: Origin",
        run: |base| Box::pin(challenge::is_readable(base)),
    },
    Check {
        page: "OPTIONS oauth-authorization-server",
        expected: "204, *, methods, headers",
        run: |base| Box::pin(cors::document_preflight(base, documents::SERVER)),
    },
    Check {
        page: "OPTIONS oauth-protected-resource",
        expected: "204, *, methods, headers",
        run: |base| Box::pin(cors::document_preflight(base, documents::RESOURCE)),
    },
    Check {
        page: "GET oauth-authorization-server from a page",
        expected: "200, Access-Control-Allow-Origin: *",
        run: |base| Box::pin(cors::document_for_a_page(base, documents::SERVER)),
    },
    Check {
        page: "GET oauth-protected-resource from a page",
        expected: "200, Access-Control-Allow-Origin: *",
        run: |base| Box::pin(cors::document_for_a_page(base, documents::RESOURCE)),
    },
    Check {
        page: "Cache-Control on both well-known documents",
        expected: "no-store",
        run: |base| Box::pin(documents::are_not_kept(base)),
    },
    Check {
        page: "OPTIONS /mcp from https://claude.ai",
        expected: "2xx, that origin, Authorization",
        run: |base| Box::pin(cors::mcp_preflight(base)),
    },
    Check {
        page: "both documents name this address",
        expected: "issuer, resource and endpoints here",
        run: |base| Box::pin(documents::name_this_address(base)),
    },
    Check {
        page: "POST /register with client_secret_post",
        expected: "201, none, both callbacks, no-store",
        run: |base| Box::pin(registration::of_a_public_client(base)),
    },
    Check {
        page: "client_secret_expires_at is an integer",
        expected: "int, as RFC 7591 says",
        run: |base| Box::pin(registration::of_a_confidential_client(base)),
    },
    Check {
        page: "login and tools/call work",
        expected: "token, session, echo",
        run: |base| Box::pin(login::works(base)),
    },
];

/// Walks all checks against `http://HOST:PORT`, one after the other. One result for each, in their order.
pub async fn walk(base: &str) -> Vec<Seen> {
    let base = Base::parse(base);
    let mut seen = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        let result = match &base {
            Some(base) => (check.run)(base).await,
            None => Err("not an http:// address".to_owned()),
        };
        seen.push(Seen::of(result));
    }
    seen
}

/// Cut to the cell's width, without what would move a terminal's cursor: the text may come from a stranger.
fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    if text.chars().count() <= WIDEST_SEEN {
        return text.chars().map(plain).collect();
    }
    text.chars().take(WIDEST_SEEN - 1).map(plain).chain(['…']).collect()
}

/// The last thing a check says: `what` if `right`, else `came`.
fn verdict(right: bool, what: &str, came: impl FnOnce() -> String) -> Result<String, String> {
    if right { Ok(what.to_owned()) } else { Err(came()) }
}

#[cfg(test)]
mod tests;
