//! Programs that people run themselves: editors, command lines, bridges and tools.

use super::sdks::{BOTH_FORMS, CODE_AND_REFRESH, RMCP_DISCOVERY, TYPESCRIPT_DISCOVERY};
use super::{Client, Discovery, First, Form, Place, Registration, Scope, who};

/// Without resource metadata it also looks below the path of the endpoint, with a fetch of its own.
const CLAUDE_CODE_PLACES: &[Place] = &[
    Place::Challenge,
    Place::ResourceInserted,
    Place::ResourceRoot,
    Place::Listed(Form::OauthInserted),
    Place::Listed(Form::OpenidInserted),
    Place::Listed(Form::OpenidAppended),
    Place::Own(Form::OauthInserted),
    Place::Own(Form::OauthRoot),
    Place::Own(Form::OpenidRoot),
];

/// `@anthropic-ai/claude-code`, read: the TypeScript SDK 2 with `versionNegotiation: 'auto'`. It only logs that an
/// issuer is another (`skipIssuerMetadataValidation`).
pub static CLAUDE_CODE: Client = Client {
    id: "claude-code",
    name: "Claude Code",
    version: "2.1.330",
    one: who::CLAUDE_CODE,
    built_on: Some("ts2"),
    user_agents: &["claude-code/2.1.330"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Discover, First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: Discovery { places: CLAUDE_CODE_PLACES, ..TYPESCRIPT_DISCOVERY },
    registration: Registration {
        client_name: Some("Claude Code"),
        // 3118, or one of 49152 to 65535.
        redirect_uris: &["http://localhost:{port}/callback"],
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: Some("native"),
        // `offline_access` is added if the metadata list it.
        scope: Scope::Known,
        document: Some("https://claude.ai/oauth/claude-code-client-metadata"),
    },
};

/// microsoft/vscode, workbench/api/common/extHostMcp.ts and base/common/oauth.ts, read. A 403 leads to the login as a
/// 401 does, with or without a challenge. Any other status from 300 on, to any message, ends the connection.
pub static VSCODE: Client = Client {
    id: "vscode",
    name: "VS Code",
    version: "",
    one: who::VSCODE,
    built_on: None,
    // `product.nameLong`, and its version.
    user_agents: &["Visual Studio Code/1.107.0"],
    is_hosted: false,
    is_browser: false,
    // Any 4xx but 401 and 403 leads to the HTTP+SSE transport.
    first: &[First::Initialize("2025-11-25")],
    accept: "text/event-stream, application/json",
    sends_resource: true,
    discovery: Discovery {
        // `fetchResourceMetadata`; metadata of another resource are dropped, and then the endpoint's host is asked.
        places: &[
            Place::Challenge,
            Place::ResourceInserted,
            Place::ResourceRoot,
            Place::Listed(Form::OauthInserted),
            Place::Listed(Form::OpenidInserted),
            Place::Listed(Form::OpenidAppended),
            Place::Own(Form::OauthRoot),
            Place::Own(Form::OpenidRoot),
        ],
        // To the endpoint's own host alone.
        version: Some("2025-11-25"),
        accept: Some("application/json"),
        has_user_agent: true,
    },
    registration: Registration {
        client_name: Some("Visual Studio Code"),
        redirect_uris: &[
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        auth_method: Some("none"),
        // Less those that the metadata do not list.
        grant_types: &["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        response_types: &["code"],
        application_type: Some("native"),
        scope: Scope::Known,
        document: Some("https://vscode.dev/oauth/client-metadata.json"),
    },
};

/// Closed; redmine_mcp#188 and the forum. Without metadata it takes `/authorize` of the issuer.
pub static CURSOR: Client = Client {
    id: "cursor",
    name: "Cursor",
    version: "",
    one: who::CURSOR,
    built_on: Some("ts1"),
    user_agents: &[],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: TYPESCRIPT_DISCOVERY,
    registration: Registration {
        client_name: Some("Cursor"),
        redirect_uris: &[
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: None,
        scope: Scope::Known,
        document: None,
    },
};

/// openai/codex, codex-rs/rmcp-client (auth_status.rs, perform_oauth_login.rs). Whether a server has OAuth at all it decides by three places on the endpoint's
/// own host, within five seconds each; then rmcp goes on.
pub static CODEX: Client = Client {
    id: "codex",
    name: "Codex",
    version: "",
    one: who::CODEX,
    built_on: Some("rmcp"),
    user_agents: &[],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2026-07-28")],
    accept: "text/event-stream, application/json",
    sends_resource: true,
    discovery: Discovery {
        places: &[
            Place::Own(Form::OauthInserted),
            Place::Own(Form::OauthAppended),
            Place::Own(Form::OauthRoot),
            Place::Challenge,
            Place::ResourceInserted,
            Place::ResourceAppended,
            Place::ResourceRoot,
            Place::Listed(Form::OauthInserted),
            Place::Listed(Form::OpenidInserted),
            Place::Listed(Form::OpenidAppended),
            Place::Listed(Form::OauthRoot),
        ],
        ..RMCP_DISCOVERY
    },
    registration: Registration {
        client_name: Some("Codex"),
        // Newer ones put an id behind it, made from the server's address.
        redirect_uris: &["http://127.0.0.1:{port}/callback"],
        // A secret is sent with Basic whatever the registration says: codex#40928.
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: Some("native"),
        scope: Scope::Known,
        document: Some("https://chatgpt.com/oauth/codex/client.json"),
    },
};

/// `@google/gemini-cli-core`, mcp/oauth-utils.ts and oauth-provider.ts: OAuth of its own, messages by the TypeScript
/// SDK 1. It checks hardly any member, has no default endpoints, and reads tokens from a form as well.
pub static GEMINI: Client = Client {
    id: "gemini",
    name: "Gemini CLI",
    version: "0.61.0",
    one: who::GEMINI,
    built_on: None,
    user_agents: &["node"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: Discovery {
        places: &[
            Place::Challenge,
            Place::ResourceInserted,
            Place::ResourceRoot,
            Place::Listed(Form::OauthInserted),
            Place::Listed(Form::OpenidInserted),
            Place::Listed(Form::OpenidAppended),
            Place::Listed(Form::OauthRoot),
            Place::Listed(Form::OpenidRoot),
            Place::Own(Form::OauthInserted),
            Place::Own(Form::OpenidInserted),
            Place::Own(Form::OpenidAppended),
            Place::Own(Form::OauthRoot),
            Place::Own(Form::OpenidRoot),
        ],
        version: None,
        accept: Some("*/*"),
        has_user_agent: true,
    },
    registration: Registration {
        client_name: Some("Gemini CLI MCP Client"),
        redirect_uris: &["http://localhost:7777/oauth/callback"],
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: None,
        // `scopes_supported` of the authorization server, or "".
        scope: Scope::KnownOrEmpty,
        document: None,
    },
};

/// `@modelcontextprotocol/inspector` 2: everything goes through its own Node server.
pub static INSPECTOR: Client = Client {
    id: "inspector",
    name: "MCP Inspector 2",
    version: "2.12.0",
    one: who::INSPECTOR,
    built_on: Some("ts2"),
    user_agents: &["node"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: TYPESCRIPT_DISCOVERY,
    registration: Registration {
        client_name: Some("MCP Inspector"),
        redirect_uris: &["http://localhost:6274/oauth/callback"],
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: Some("native"),
        // Written as "" where none is known.
        scope: Scope::KnownOrEmpty,
        document: None,
    },
};

/// `@modelcontextprotocol/inspector` 0.21 in direct mode, and pages like it (use-mcp): all in the browser.
pub static INSPECTOR_WEB: Client = Client {
    id: "inspector-web",
    name: "MCP Inspector 0.21 (a page)",
    version: "0.21.0",
    one: who::INSPECTOR_WEB,
    built_on: Some("ts1"),
    user_agents: &["Mozilla/5.0"],
    is_hosted: false,
    is_browser: true,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: TYPESCRIPT_DISCOVERY,
    registration: Registration {
        client_name: Some("MCP Inspector"),
        redirect_uris: &["http://localhost:6274/oauth/callback"],
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: None,
        scope: Scope::Known,
        document: None,
    },
};

/// The npm package, run: a bridge for programs that know local servers alone. Its own search is only informative;
/// what counts is that of the TypeScript SDK 2 which it bundles.
pub static MCP_REMOTE: Client = Client {
    id: "mcp-remote",
    name: "mcp-remote",
    version: "0.15.1",
    one: who::MCP_REMOTE,
    built_on: Some("ts2"),
    user_agents: &["node"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Get, First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: TYPESCRIPT_DISCOVERY,
    registration: Registration {
        client_name: Some("MCP CLI Proxy"),
        // The port is a hash of the server's address.
        redirect_uris: &["http://localhost:{port}/oauth/callback"],
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: Some("native"),
        scope: Scope::Known,
        document: None,
    },
};
