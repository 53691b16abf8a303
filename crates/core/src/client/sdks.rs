//! Libraries that clients are built on. All but the last two were run against servers with one defect each
//! (tests/interop/parsers, tests/interop/messages).

use super::{Client, Discovery, First, Form, Place, Registration, Scope, who};

/// What both versions of the TypeScript SDK look for (client/auth.ts). Who has a challenge with an address looks
/// nowhere else for resource metadata.
pub(super) const TYPESCRIPT_PLACES: &[Place] = &[
    Place::Challenge,
    Place::ResourceInserted,
    Place::ResourceRoot,
    Place::Listed(Form::OauthInserted),
    Place::Listed(Form::OpenidInserted),
    Place::Listed(Form::OpenidAppended),
    Place::Own(Form::OauthRoot),
    Place::Own(Form::OpenidRoot),
];

/// typescript-sdk client/auth.ts, `discoverMetadataWithFallback`.
pub(super) const TYPESCRIPT_DISCOVERY: Discovery = Discovery {
    places: TYPESCRIPT_PLACES,
    version: Some("2025-11-25"),
    accept: Some("application/json"),
    has_user_agent: true,
};

pub(super) const CODE_AND_REFRESH: &[&str] = &["authorization_code", "refresh_token"];
pub(super) const BOTH_FORMS: &str = "application/json, text/event-stream";

/// `@modelcontextprotocol/sdk` client/streamableHttp.ts, client/auth.ts.
pub static TS1: Client = Client {
    id: "ts1",
    name: "TypeScript SDK 1",
    version: "1.32.2",
    one: who::TS1,
    built_on: None,
    // Of Node's fetch.
    user_agents: &["node"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: TYPESCRIPT_DISCOVERY,
    registration: Registration {
        client_name: Some("MCP client"),
        redirect_uris: &["http://localhost:{port}/callback"],
        // The host says; the SDK adds `scope` and nothing else (`registerClient`).
        auth_method: None,
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: None,
        scope: Scope::Known,
        document: None,
    },
};

/// `@modelcontextprotocol/client`, client/auth.ts. As it comes: a host may have it ask `server/discover` first
/// (`versionNegotiation: 'auto'`), as Claude Code does.
pub static TS2: Client = Client {
    id: "ts2",
    name: "TypeScript SDK 2",
    version: "2.4.0",
    one: who::TS2,
    built_on: None,
    user_agents: &["node"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: TYPESCRIPT_DISCOVERY,
    registration: Registration {
        client_name: Some("MCP client"),
        redirect_uris: &["http://localhost:{port}/callback"],
        auth_method: None,
        // `registerClient` adds these two.
        grant_types: CODE_AND_REFRESH,
        application_type: Some("native"),
        response_types: &["code"],
        scope: Scope::Known,
        document: None,
    },
};

/// What both lines of the Python SDK look for (mcp/client/auth/utils.py). Without resource metadata the root of the
/// endpoint's host alone, for OAuth alone.
const PYTHON_PLACES: &[Place] = &[
    Place::Challenge,
    Place::ResourceInserted,
    Place::ResourceRoot,
    Place::Listed(Form::OauthInserted),
    Place::Listed(Form::OpenidInserted),
    Place::Listed(Form::OpenidAppended),
    Place::Own(Form::OauthRoot),
];

/// mcp/shared/auth.py, `OAuthClientMetadata`.
const PYTHON_REGISTRATION: Registration = Registration {
    client_name: Some("MCP client"),
    redirect_uris: &["http://localhost:{port}/callback"],
    // Not said, which means `client_secret_basic`.
    auth_method: None,
    grant_types: CODE_AND_REFRESH,
    response_types: &["code"],
    application_type: None,
    scope: Scope::Known,
    document: None,
};

/// mcp/client/auth/oauth2.py, mcp/client/streamable_http.py.
pub static PY1: Client = Client {
    id: "py1",
    name: "Python SDK 1",
    version: "1.30.0",
    one: who::PY1,
    built_on: None,
    user_agents: &["python-httpx/0.28.1"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: Discovery {
        places: PYTHON_PLACES,
        version: Some("2025-11-25"),
        accept: None,
        // `httpx.Request` is built without the client's own fields.
        has_user_agent: false,
    },
    registration: PYTHON_REGISTRATION,
};

/// The same files. It asks `server/discover` only where the host wants that.
pub static PY2: Client = Client {
    id: "py2",
    name: "Python SDK 2",
    version: "2.3.0",
    one: who::PY2,
    built_on: None,
    user_agents: &["python-httpx2/2.16.2"],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: Discovery { places: PYTHON_PLACES, version: Some("2026-07-28"), accept: None, has_user_agent: false },
    registration: Registration { application_type: Some("native"), ..PYTHON_REGISTRATION },
};

/// What rmcp looks for (src/transport/auth.rs). Without an address in the challenge it first asks the endpoint itself
/// with GET.
pub(super) const RMCP_DISCOVERY: Discovery = Discovery {
    places: &[
        Place::Challenge,
        Place::ResourceInserted,
        Place::ResourceAppended,
        Place::ResourceRoot,
        Place::Listed(Form::OauthInserted),
        Place::Listed(Form::OpenidInserted),
        Place::Listed(Form::OpenidAppended),
        Place::Listed(Form::OauthRoot),
        Place::Own(Form::OauthInserted),
        Place::Own(Form::OpenidInserted),
        Place::Own(Form::OpenidAppended),
        Place::Own(Form::OauthRoot),
    ],
    version: Some("2024-11-05"),
    accept: Some("*/*"),
    has_user_agent: false,
};

/// The crate, src/transport/auth.rs and streamable_http_client.rs.
pub static RMCP: Client = Client {
    id: "rmcp",
    name: "rmcp (Rust SDK)",
    version: "3.11.0",
    one: who::RMCP,
    built_on: None,
    // reqwest names itself only if the host says so.
    user_agents: &[],
    is_hosted: false,
    is_browser: false,
    first: &[First::Initialize("2026-07-28")],
    accept: "text/event-stream, application/json",
    sends_resource: true,
    discovery: RMCP_DISCOVERY,
    registration: Registration {
        client_name: Some("MCP client"),
        redirect_uris: &["http://localhost:{port}/callback"],
        // `ClientRegistrationRequest`.
        auth_method: Some("none"),
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: Some("native"),
        scope: Scope::Known,
        document: None,
    },
};

/// modelcontextprotocol/go-sdk, auth/authorization_code.go and oauthex: read, not run.
pub static GO: Client = Client {
    id: "go",
    name: "Go SDK",
    version: "2026-08",
    one: who::GO,
    built_on: None,
    user_agents: &["Go-http-client/1.1"],
    is_hosted: false,
    is_browser: false,
    // go-sdk#1014, #1177: newer ones ask `server/discover` first.
    first: &[First::Discover, First::Initialize("2025-11-25")],
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
            Place::Own(Form::OauthRoot),
            Place::Own(Form::OpenidRoot),
        ],
        version: None,
        accept: None,
        has_user_agent: true,
    },
    registration: Registration {
        client_name: Some("MCP client"),
        redirect_uris: &["http://localhost:{port}/callback"],
        auth_method: None,
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        application_type: None,
        scope: Scope::Omitted,
        document: None,
    },
};

/// `@ai-sdk/mcp`, src/tool/oauth.ts, mcp-client.ts and mcp-http-transport.ts: read, not run.
pub static AI_SDK: Client = Client {
    id: "ai-sdk",
    name: "AI SDK",
    version: "2.0.99",
    one: who::AI_SDK,
    built_on: None,
    user_agents: &["node"],
    is_hosted: false,
    is_browser: false,
    // `protocolVersionDiscovery`, on unless the host says otherwise. A refusal of any kind is taken for an older
    // server.
    first: &[First::Discover, First::Initialize("2025-11-25")],
    accept: BOTH_FORMS,
    sends_resource: true,
    discovery: Discovery {
        // `buildDiscoveryUrls`: the root of the issuer's host comes second.
        places: &[
            Place::Challenge,
            Place::ResourceInserted,
            Place::ResourceRoot,
            Place::Listed(Form::OauthInserted),
            Place::Listed(Form::OauthRoot),
            Place::Listed(Form::OpenidInserted),
            Place::Listed(Form::OpenidAppended),
            Place::Own(Form::OauthRoot),
            Place::Own(Form::OpenidRoot),
        ],
        version: Some("2026-07-28"),
        accept: None,
        has_user_agent: true,
    },
    registration: Registration {
        client_name: Some("MCP client"),
        redirect_uris: &["http://localhost:{port}/callback"],
        auth_method: None,
        grant_types: CODE_AND_REFRESH,
        response_types: &["code"],
        // `inferOAuthApplicationType`.
        application_type: Some("native"),
        scope: Scope::Omitted,
        document: None,
    },
};
