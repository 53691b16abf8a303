//! Clients that run in their makers' networks. They are closed: nothing here was seen from within.

use super::{Client, Discovery, First, Form, Place, Registration, Scope, who};

/// Web, Desktop, mobile and Cowork connectors are one client (claude.com/docs/connectors/building,
/// typo3-mcp-server#115): IPv4, port 443, no `Origin`.
pub static CLAUDE: Client = Client {
    id: "claude",
    name: "Claude (web, Desktop, mobile)",
    version: "",
    one: who::CLAUDE,
    built_on: None,
    // claude-ai-mcp#354, #680 (python-httpx), #1061 (Claude-User).
    user_agents: &["python-httpx/0.28.1", "Claude-User"],
    is_hosted: true,
    is_browser: false,
    // Speaks 2025-03-26 to 2025-11-25; looks with HEAD when a connector is saved (claude-ai-mcp#82, lion-reader#978).
    first: &[First::Head, First::Initialize("2025-11-25")],
    // One of them alone is seen as well: python-sdk#2349, ha-mcp#750.
    accept: "application/json, text/event-stream",
    sends_resource: true,
    discovery: Discovery {
        // The first authorization server alone, RFC 8414 and then OpenID (claude.com/docs/connectors/building);
        // without metadata `/authorize`, `/token`, `/register` of the endpoint's host (claude-ai-mcp#82, #214).
        places: &[
            Place::Challenge,
            Place::ResourceInserted,
            Place::ResourceRoot,
            Place::Listed(Form::OauthInserted),
            Place::Listed(Form::OpenidInserted),
            Place::Listed(Form::OpenidAppended),
            Place::Own(Form::OauthRoot),
        ],
        // At times there is none: claude-ai-mcp#70.
        version: Some("2025-11-25"),
        accept: Some("*/*"),
        has_user_agent: true,
    },
    registration: Registration {
        // laravel/mcp#253.
        client_name: None,
        // claude-ai-mcp#313: the documented one; claude.com for some accounts.
        redirect_uris: &["https://claude.ai/api/mcp/auth_callback"],
        // claude-ai-mcp#1043; a stored secret is sent so as well (#667).
        auth_method: Some("client_secret_post"),
        grant_types: &["authorization_code", "refresh_token"],
        response_types: &["code"],
        application_type: None,
        // Challenge, then resource metadata, then `offline_access` if it is listed.
        scope: Scope::Known,
        // Only if the metadata also list `none` (claude.com/docs/connectors/building/authentication).
        document: Some("https://claude.ai/oauth/mcp-oauth-client-metadata"),
    },
};

/// developers.openai.com, Apps SDK authentication; kernel PR 91, adcp#1081.
pub static CHATGPT: Client = Client {
    id: "chatgpt",
    name: "ChatGPT",
    version: "",
    one: who::CHATGPT,
    built_on: None,
    // kernel PR 91.
    user_agents: &["openai-mcp/1.0.0"],
    is_hosted: true,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: "application/json, text/event-stream",
    sends_resource: true,
    discovery: Discovery {
        // Resource metadata at the root; authorization server's on the endpoint's host too, with its path
        // (kernel PR 91, adcp#1081): without them "does not implement OAuth".
        places: &[
            Place::Challenge,
            Place::ResourceRoot,
            Place::ResourceInserted,
            Place::Listed(Form::OauthInserted),
            Place::Listed(Form::OpenidInserted),
            Place::Own(Form::OauthInserted),
            Place::Own(Form::OauthRoot),
        ],
        version: None,
        accept: Some("*/*"),
        has_user_agent: true,
    },
    registration: Registration {
        client_name: Some("ChatGPT"),
        // The first is used where authorization responses have an `iss` (developers.openai.com).
        redirect_uris: &[
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://chatgpt.com/connector/oauth/{id}",
        ],
        auth_method: Some("none"),
        grant_types: &["authorization_code", "refresh_token"],
        response_types: &["code"],
        application_type: None,
        scope: Scope::Known,
        document: Some("https://chatgpt.com/oauth/client.json"),
    },
};
