//! The clients that are known, as data: what each registers, asks and in which order. From here come `check --as`,
//! the table of who would connect, and what `explain` says of who is stopped.
//!
//! What a client does is written with its source. Closed clients were never run: what is said of them rests on their
//! documentation and on what was seen of them.

use crate::endpoint::{OPENID_CONFIGURATION, RESOURCE_METADATA, SERVER_METADATA};

mod hosted;
mod programs;
mod sdks;
pub mod who;

pub use hosted::{CHATGPT, CLAUDE};
pub use programs::{CLAUDE_CODE, CODEX, CURSOR, GEMINI, INSPECTOR, INSPECTOR_WEB, MCP_REMOTE, VSCODE};
pub use sdks::{AI_SDK, GO, PY1, PY2, RMCP, TS1, TS2};
pub use who::Clients;

/// Every client there is, those that most people use first.
pub static CLIENTS: &[&Client] = &[
    &CLAUDE,
    &CHATGPT,
    &CLAUDE_CODE,
    &VSCODE,
    &CURSOR,
    &CODEX,
    &GEMINI,
    &INSPECTOR,
    &INSPECTOR_WEB,
    &MCP_REMOTE,
    &TS1,
    &TS2,
    &PY1,
    &PY2,
    &RMCP,
    &GO,
    &AI_SDK,
];

/// All that is known of one client.
pub struct Client {
    /// Short and stable: it stands in command lines and reports.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// The version that was looked at; empty where there is none to name.
    pub version: &'static str,
    /// The set of it alone.
    pub one: Clients,
    /// The library whose code reads the answers, by its id.
    pub built_on: Option<&'static str>,
    /// What it calls itself, the most frequent first; empty where nothing is sent or nothing is known.
    pub user_agents: &'static [&'static str],
    /// Its requests come from its maker's network, not from its user's.
    pub is_hosted: bool,
    /// It is a page: what CORS does not let through does not reach it.
    pub is_browser: bool,
    /// What it sends to the endpoint before anything else.
    pub first: &'static [First],
    /// `Accept` of a message.
    pub accept: &'static str,
    /// It sends `resource` (RFC 8707) with authorization and token requests.
    pub sends_resource: bool,
    pub discovery: Discovery,
    pub registration: Registration,
}

/// The first request of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    Head,
    Get,
    /// `server/discover` of MCP 2026-07-28, with its header fields.
    Discover,
    /// `initialize`, asking for this version. No client sends `MCP-Protocol-Version` with it; each sends what was
    /// negotiated with what follows.
    Initialize(&'static str),
}

/// How a client finds out where to log in.
pub struct Discovery {
    /// Where it looks, in this order. The resource metadata that are found first end the search for such, and the
    /// same for the authorization server's.
    pub places: &'static [Place],
    /// `MCP-Protocol-Version` of these requests.
    pub version: Option<&'static str>,
    /// `Accept` of these requests; `None` if it names none.
    pub accept: Option<&'static str>,
    /// These requests name the client as messages do. Some firewalls refuse what has no `User-Agent`.
    pub has_user_agent: bool,
}

/// A place where a client looks for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `resource_metadata` of the challenge.
    Challenge,
    /// Resource metadata, put before the path of the endpoint (RFC 9728 section 3.1).
    ResourceInserted,
    /// The same behind the path, which no rule says.
    ResourceAppended,
    /// Resource metadata of the whole host.
    ResourceRoot,
    /// A document of the authorization server that the resource metadata list first.
    Listed(Form),
    /// The same of the endpoint's own host, as in MCP 2025-03-26: without resource metadata, or beside them.
    Own(Form),
}

/// Where the document of an issuer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 8414 section 3.1: before the path of the issuer.
    OauthInserted,
    /// Behind the path, which no rule says.
    OauthAppended,
    OauthRoot,
    /// OpenID configuration before the path (MCP 2025-11-25).
    OpenidInserted,
    /// OpenID Connect Discovery section 4: behind the path.
    OpenidAppended,
    OpenidRoot,
}

impl Place {
    /// The path on the host that is asked, for an endpoint and an issuer with these paths (`""` or `/` for none).
    /// `None` for the challenge's, which is named there.
    #[must_use]
    pub fn path(self, mcp_path: &str, issuer_path: &str) -> Option<String> {
        let (mcp, issuer) = (mcp_path.trim_end_matches('/'), issuer_path.trim_end_matches('/'));
        Some(match self {
            Self::Challenge => return None,
            Self::ResourceInserted => format!("{RESOURCE_METADATA}{mcp}"),
            Self::ResourceAppended => format!("{mcp}{RESOURCE_METADATA}"),
            Self::ResourceRoot => RESOURCE_METADATA.to_owned(),
            Self::Listed(form) => form.path(issuer),
            Self::Own(form) => form.path(mcp),
        })
    }
}

impl Form {
    fn path(self, base: &str) -> String {
        match self {
            Self::OauthInserted => format!("{SERVER_METADATA}{base}"),
            Self::OauthAppended => format!("{base}{SERVER_METADATA}"),
            Self::OauthRoot => SERVER_METADATA.to_owned(),
            Self::OpenidInserted => format!("{OPENID_CONFIGURATION}{base}"),
            Self::OpenidAppended => format!("{base}{OPENID_CONFIGURATION}"),
            Self::OpenidRoot => OPENID_CONFIGURATION.to_owned(),
        }
    }
}

/// What a client registers itself with (RFC 7591).
pub struct Registration {
    /// `None` if it does not say.
    pub client_name: Option<&'static str>,
    /// `{port}` stands for a loopback port, `{id}` for what the host puts there.
    pub redirect_uris: &'static [&'static str],
    /// `token_endpoint_auth_method`; `None` if it does not say.
    pub auth_method: Option<&'static str>,
    pub grant_types: &'static [&'static str],
    pub response_types: &'static [&'static str],
    pub application_type: Option<&'static str>,
    pub scope: Scope,
    /// The client id metadata document that it names instead of registering where the server says that it takes
    /// those.
    pub document: Option<&'static str>,
}

/// `scope` of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Left out.
    Omitted,
    /// What the challenge or the resource metadata name; left out if they name none.
    Known,
    /// The same, but empty if they name none.
    KnownOrEmpty,
}

impl Client {
    /// What it calls itself most often.
    #[must_use]
    pub fn user_agent(&self) -> Option<&'static str> {
        self.user_agents.first().copied()
    }
}

/// The client with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Client> {
    CLIENTS.iter().copied().find(|client| client.id == id)
}

/// The id most like a mistyped one.
#[must_use]
pub fn nearest(id: &str) -> Option<&'static str> {
    CLIENTS
        .iter()
        .map(|client| (strsim::jaro_winkler(id, client.id), client.id))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, id)| id)
}

#[cfg(test)]
mod tests;
