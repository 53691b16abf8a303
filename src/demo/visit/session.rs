//! A client that has logged in, and its messages over Streamable HTTP (MCP 2025-11-25).

use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::{Came, MCP, access_token};
use crate::demo::client::{Answer, Ask, Base};
use crate::endpoint::{SESSION, VERSION};

/// What a client accepts (MCP 2025-11-25, Sending Messages to the Server).
pub(super) const BOTH: &str = "application/json, text/event-stream";
/// The version that it speaks.
pub(super) const SPOKEN: &str = "2025-11-25";
/// The version without `initialize`.
pub(super) const NEWEST: &str = "2026-07-28";
/// The ids of `initialize` and of the one message after it.
pub(in crate::demo) const FIRST_ID: u64 = 1;
pub(in crate::demo) const ID: u64 = 2;

/// A client with a token, and with a session once it has begun one.
pub(super) struct Client<'a> {
    base: &'a Base,
    token: String,
    session: Option<HeaderValue>,
}

impl<'a> Client<'a> {
    /// A client that has logged in.
    pub(super) async fn logged_in(base: &'a Base) -> Result<Self, String> {
        Ok(Self { base, token: access_token(base).await?, session: None })
    }

    /// One that is ready to send messages.
    pub(super) async fn ready(base: &'a Base) -> Result<Self, String> {
        let mut client = Self::logged_in(base).await?;
        client.begin().await?;
        client.post(&notification("notifications/initialized")).send().await?;
        Ok(client)
    }

    /// Begins a session, if the answer names one.
    pub(super) async fn begin(&mut self) -> Came {
        let answer = self.post(&initialize(SPOKEN)).send().await?;
        if !answer.status.is_success() {
            return Err(format!("initialize: {}", answer.status.as_u16()));
        }
        self.session = answer.headers.get(SESSION).cloned();
        Ok(answer)
    }

    /// A client that believes to be in this session.
    pub(super) fn in_session(self, session: &'static str) -> Self {
        Self { session: Some(HeaderValue::from_static(session)), ..self }
    }

    /// Any request to the endpoint.
    pub(super) fn ask(&self, method: Method) -> Ask<'a> {
        self.at(method, MCP)
    }

    /// Any request to a place.
    pub(super) fn at(&self, method: Method, target: &str) -> Ask<'a> {
        let ask = self.base.ask(method, target).header(AUTHORIZATION, &format!("Bearer {}", self.token));
        match self.session.as_ref().and_then(|session| session.to_str().ok()) {
            Some(session) => ask.header(SESSION, session).header(VERSION, SPOKEN),
            None => ask,
        }
    }

    /// A message.
    pub(super) fn post(&self, message: &Value) -> Ask<'a> {
        self.ask(Method::POST).json(message).header(ACCEPT, BOTH)
    }

    /// A message of this method, and its answer.
    pub(super) async fn call(&self, method: &str, params: &Value) -> Came {
        self.post(&request(method, params)).send().await
    }
}

/// Whether a client can send the session id of an answer back: visible ASCII, and not the word for none
/// (MCP 2025-11-25, Session Management).
pub(in crate::demo) fn is_legal_session(answer: &Answer) -> bool {
    answer.headers.get(SESSION).is_none_or(|id| {
        let is_word = [&b"null"[..], b"undefined", b""].contains(&id.as_bytes());
        !is_word && id.as_bytes().iter().all(u8::is_ascii_graphic)
    })
}

pub(super) fn initialize(version: &str) -> Value {
    let client = json!({"name": "mcp-mend demo", "version": env!("CARGO_PKG_VERSION")});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": FIRST_ID, "method": "initialize", "params": params})
}

pub(super) fn notification(method: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": method})
}

pub(super) fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": ID, "method": method, "params": params})
}

/// Names the method, from MCP 2026-07-28 on.
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
