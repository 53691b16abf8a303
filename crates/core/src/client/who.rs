//! Sets of clients, for `Repair::stops`.

use std::fmt;

use super::{CLIENTS, Client};

/// A set of clients, so small that it can be put together in constants: one bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients(u32);

impl Clients {
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of these are in it.
    #[must_use]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// In the order of the registry.
    pub fn iter(self) -> impl Iterator<Item = &'static Client> {
        CLIENTS.iter().copied().filter(move |client| self.has(client.one))
    }

    /// Their ids.
    #[must_use]
    pub fn ids(self) -> Vec<&'static str> {
        self.iter().map(|client| client.id).collect()
    }

    /// How many they are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// For people: all of them by name, or all but a few.
impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FEW: usize = 4;
        let names = |set: Self| set.iter().map(|client| client.name).collect::<Vec<_>>().join(", ");
        let others = EVERYBODY.without(*self);
        match (self.len(), others.len()) {
            (0, _) => f.write_str("no known client"),
            (_, 0) => f.write_str("every known client"),
            (_, 1..=FEW) => write!(f, "every known client but {}", names(others)),
            _ => f.write_str(&names(*self)),
        }
    }
}

/// Nobody has to stop there: it hurts in part, or somebody who is not in the registry.
pub const NOBODY: Clients = Clients(0);

pub const CLAUDE: Clients = Clients(1);
pub const CHATGPT: Clients = Clients(1 << 1);
pub const CLAUDE_CODE: Clients = Clients(1 << 2);
pub const VSCODE: Clients = Clients(1 << 3);
pub const CURSOR: Clients = Clients(1 << 4);
pub const CODEX: Clients = Clients(1 << 5);
pub const GEMINI: Clients = Clients(1 << 6);
pub const INSPECTOR: Clients = Clients(1 << 7);
pub const INSPECTOR_WEB: Clients = Clients(1 << 8);
pub const MCP_REMOTE: Clients = Clients(1 << 9);
pub const TS1: Clients = Clients(1 << 10);
pub const TS2: Clients = Clients(1 << 11);
pub const PY1: Clients = Clients(1 << 12);
pub const PY2: Clients = Clients(1 << 13);
pub const RMCP: Clients = Clients(1 << 14);
pub const GO: Clients = Clients(1 << 15);
pub const AI_SDK: Clients = Clients(1 << 16);

/// Run in their makers' networks.
pub const HOSTED: Clients = CLAUDE.and(CHATGPT);

/// Pages.
pub const BROWSERS: Clients = INSPECTOR_WEB;

/// The TypeScript SDK 1, and what is built on it.
pub const TYPESCRIPT_1: Clients = TS1.and(CURSOR).and(INSPECTOR_WEB);

/// The TypeScript SDK 2, and what is built on it.
pub const TYPESCRIPT_2: Clients = TS2.and(CLAUDE_CODE).and(MCP_REMOTE).and(INSPECTOR);

/// Both versions of the TypeScript SDK, and what is built on them.
pub const TYPESCRIPT: Clients = TYPESCRIPT_1.and(TYPESCRIPT_2);

/// Who reads OAuth documents by the schemas of the TypeScript SDK: the AI SDK has a copy of its code
/// (@ai-sdk/mcp src/tool/oauth-types.ts).
pub const TYPESCRIPT_OAUTH: Clients = TYPESCRIPT.and(AI_SDK);

/// Who reads messages so: Gemini CLI takes the SDK for these and has OAuth of its own (package.json of
/// @google/gemini-cli-core), the AI SDK has schemas as strict (@ai-sdk/mcp src/tool/json-rpc-message.ts, types.ts).
pub const TYPESCRIPT_MESSAGES: Clients = TYPESCRIPT.and(GEMINI).and(AI_SDK);

/// Both lines of the Python SDK.
pub const PYTHON: Clients = PY1.and(PY2);

/// rmcp, and what is built on it.
pub const RUST: Clients = RMCP.and(CODEX);

/// Who reads documents and messages by a schema, and refuses what does not fit it.
pub const STRICT: Clients = TYPESCRIPT_OAUTH.and(PYTHON).and(RUST).and(GO);

/// Everybody in the registry.
pub const EVERYBODY: Clients = STRICT.and(HOSTED).and(VSCODE).and(GEMINI);

/// Who can be told to speak HTTP+SSE; rmcp has left that transport out.
pub const OLDER_TRANSPORT: Clients = EVERYBODY.without(RUST);
