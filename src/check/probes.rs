//! What is asked: one function for each kind of question, in the words of real clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ORIGIN,
};
use http::{HeaderName, Method};
use serde_json::{Value, json};

use super::stand::{Listen, Probe};
use crate::endpoint::{FIRST_STATELESS, SESSION, VERSION};
use crate::exchange::BOTH_FORMS;

/// A page that is allowed unless the operator says otherwise.
pub const PAGE: &str = "https://claude.ai";
/// A page that nobody allows.
pub const FOREIGN_PAGE: &str = "https://check.mcp-mend.example";
/// The version that most clients speak.
pub const SPOKEN: &str = "2025-11-25";
/// The last version that has lists of messages.
pub const LAST_OF_LISTS: &str = "2025-03-26";
/// Ids of `initialize` and of every other message.
const FIRST_ID: u64 = 1;
const ID: u64 = 2;
/// What no server has issued.
pub const NOBODY: &str = "mcp-mend-check";
/// Names the method, from MCP 2026-07-28 on.
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// Who asks for messages: with a token, in a session, perhaps from a page.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    pub path: String,
    pub token: Option<String>,
    /// The session, and with it the version that was agreed on.
    pub session: Option<String>,
    pub version: Option<String>,
}

impl Caller {
    #[must_use]
    pub fn ask(&self, name: &'static str, method: Method) -> Probe {
        let mut probe = Probe::new(name, method, self.path.clone());
        if let Some(token) = &self.token {
            probe = probe.header(AUTHORIZATION, &format!("Bearer {token}"));
        }
        if let Some(session) = &self.session {
            probe = probe.header(SESSION, session);
        }
        match &self.version {
            Some(version) => probe.header(VERSION, version),
            None => probe,
        }
    }

    #[must_use]
    pub fn post(&self, name: &'static str, message: &Value) -> Probe {
        let mut probe = self.ask(name, Method::POST).json(message);
        probe.headers.insert(ACCEPT, BOTH_FORMS);
        probe
    }

    #[must_use]
    pub fn stream(&self, name: &'static str) -> Probe {
        self.ask(name, Method::GET).header(ACCEPT, "text/event-stream").listening(Listen::Opening)
    }

    #[must_use]
    pub fn discover(&self) -> Probe {
        let message = request("server/discover", &json!({"_meta": meta()}));
        self.post("server/discover (MCP 2026-07-28)", &message)
            .header(VERSION, FIRST_STATELESS)
            .header(METHOD, "server/discover")
    }
}

#[must_use]
pub fn initialize(version: &str) -> Value {
    let client = json!({"name": "mcp-mend check", "version": env!("CARGO_PKG_VERSION")});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": FIRST_ID, "method": "initialize", "params": params})
}

#[must_use]
pub fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": ID, "method": method, "params": params})
}

#[must_use]
pub fn notification(method: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": method})
}

/// What MCP 2026-07-28 says of a client with every message.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": FIRST_STATELESS,
        "io.modelcontextprotocol/clientInfo": {"name": "mcp-mend check", "version": env!("CARGO_PKG_VERSION")},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A signed token (RFC 7519) whose time is over.
#[must_use]
pub fn expired_token() -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (head, claims) = (json!({"alg": "RS256", "typ": "JWT"}), json!({"sub": NOBODY, "exp": 1_000_000_000}));
    format!("{}.{}.{}", part(&head), part(&claims), URL_SAFE_NO_PAD.encode("no signature"))
}

/// How a server receives somebody without a token, and with one that is none.
#[must_use]
pub fn of_a_stranger(path: &str) -> Vec<Probe> {
    let stranger = Caller { path: path.to_owned(), ..Caller::default() };
    let with = |token: String| Caller { token: Some(token), ..stranger.clone() };
    let first = initialize(SPOKEN);
    vec![
        stranger.post("a message without a token", &first),
        stranger.post("a message without a token, from a page", &first).header(ORIGIN, PAGE),
        stranger.stream("a stream without a token"),
        stranger.ask("HEAD without a token", Method::HEAD),
        with(NOBODY.to_owned()).post("a message with a token that is none", &first),
        with(expired_token()).post("a message with a token that has expired", &first),
    ]
}

/// A page of somebody else's calls.
#[must_use]
pub fn of_a_foreign_page(caller: &Caller) -> Probe {
    caller.post("a message from a page that may not", &initialize(SPOKEN)).header(ORIGIN, FOREIGN_PAGE)
}

/// What a browser asks before a page's request.
#[must_use]
pub fn preflight(name: &'static str, path: &str, method: &str, origin: &str) -> Probe {
    Probe::new(name, Method::OPTIONS, path)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, method)
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type,mcp-protocol-version,mcp-session-id")
}

/// A discovery document, as a client and as a page asks for it.
#[must_use]
pub fn document(name: &'static str, place: &str) -> Probe {
    Probe::new(name, Method::GET, place).header(ACCEPT, "application/json").header(ORIGIN, PAGE).header(VERSION, SPOKEN)
}

/// Token requests that no server can grant: a code, a refresh token, a client that nobody has issued.
#[must_use]
pub fn bad_grants(path: &str) -> Vec<Probe> {
    let redirect = ("redirect_uri", "http://127.0.0.1/callback");
    let code = [
        ("grant_type", "authorization_code"),
        ("code", NOBODY),
        redirect,
        ("client_id", NOBODY),
        ("code_verifier", "mcp-mend-check-mcp-mend-check-mcp-mend-check"),
    ];
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", NOBODY), ("client_id", NOBODY)];
    vec![
        Probe::new("a token request with a code that nobody issued", Method::POST, path).form(&code),
        Probe::new("a refresh with a token that nobody issued", Method::POST, path).form(&refresh),
    ]
}

/// An authorization request of a client that does not exist.
#[must_use]
pub fn bad_authorization(path: &str) -> Probe {
    let query = format!(
        "response_type=code&client_id={NOBODY}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&state=a%2Bb%3D&\
         code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    Probe::new("the authorization page of a client that does not exist", Method::GET, format!("{path}?{query}"))
}

/// A revocation of a token that nobody issued (RFC 7009 section 2.2).
#[must_use]
pub fn bad_revocation(path: &str) -> Probe {
    Probe::new("the revocation of a token that nobody issued", Method::POST, path)
        .form(&[("token", NOBODY), ("client_id", NOBODY)])
}

/// First messages as clients differ in them. Each may open a session.
#[must_use]
pub fn first_messages(caller: &Caller) -> Vec<Probe> {
    let first = initialize(SPOKEN);
    let bare = Caller { version: None, session: None, ..caller.clone() };
    vec![
        bare.post("initialize, the client takes JSON alone", &first).header(ACCEPT, "application/json"),
        bare.post("initialize, the client takes anything", &first).header(ACCEPT, "*/*"),
        bare.post("initialize with a charset", &first).header(CONTENT_TYPE, "application/json; charset=utf-8"),
        bare.post("initialize without a Content-Type", &first).without(CONTENT_TYPE),
        bare.post("initialize of a client of MCP 2026-07-28", &initialize(FIRST_STATELESS)),
        bare.post("initialize from a page that may", &first).header(ORIGIN, PAGE),
    ]
}

/// Messages within a session that ask and change nothing.
#[must_use]
pub fn later_messages(caller: &Caller) -> Vec<Probe> {
    let none = json!({});
    let post = |name, method| caller.post(name, &request(method, &none));
    vec![
        post("tools/list", "tools/list"),
        post("resources/list", "resources/list"),
        post("prompts/list", "prompts/list"),
        post("ping", "ping"),
        post("tools/list without MCP-Protocol-Version", "tools/list").without(VERSION),
        caller.post("tools/list with the _meta of MCP 2026-07-28", &request("tools/list", &json!({"_meta": meta()}))),
        post("a method that nobody knows", "mcp-mend/check"),
        caller.post("a notification that nobody knows", &notification("notifications/mcp-mend-check")),
        caller.ask("HEAD", Method::HEAD),
    ]
}

/// A call of a tool that does not exist.
#[must_use]
pub fn unknown_tool(caller: &Caller) -> Probe {
    let params = json!({"name": NOBODY, "arguments": {}});
    caller.post("a call of a tool that does not exist", &request("tools/call", &params))
}

/// A list of messages, as MCP 2025-03-26 has them.
#[must_use]
pub fn batch(caller: &Caller) -> Probe {
    let ping = |id: u64| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    caller.post("a list of two messages (MCP 2025-03-26)", &json!([ping(3), ping(4)])).header(VERSION, LAST_OF_LISTS)
}

/// A message in a session that does not exist.
#[must_use]
pub fn lost_session(caller: &Caller) -> Probe {
    let lost =
        Caller { session: Some("a-session-before-the-restart".into()), version: Some(SPOKEN.into()), ..caller.clone() };
    lost.post("a message in a session that is gone", &request("tools/list", &json!({})))
}
