//! What a client does after it has logged in: it begins a session, lists and calls tools, listens, and leaves.

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Came, MCP, Visit, access_token, initialize, mcp};
use crate::demo::client::{Ask, Base};
use crate::endpoint::{SESSION, VERSION};

macro_rules! visits {
    ($($name:ident = $visit:ident;)*) => { $(pub(in crate::demo) const $name: Visit = |base| Box::pin($visit(base));)* };
}

visits! {
    BEGIN = begin;
    BEGIN_NEWEST = begin_newest;
    PROBE = probe;
    NOTIFY = notify;
    LIST = list;
    LIST_IN_JSON = list_in_json;
    LIST_WITH_CHARSET = list_with_charset;
    LIST_WITH_VERSION = list_with_version;
    LIST_IN_SESSION = list_in_session;
    LIST_AFTER_A_RESTART = list_after_a_restart;
    CALL = call;
    CALL_OF_THE_NEWEST = call_of_the_newest;
    PING = ping;
    RESOURCES = resources;
    WRONG_CALL = wrong_call;
    LISTEN = listen;
    LOOK = look;
    END = end;
}

fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params})
}

/// A message with a token that opens.
async fn opened<'a>(base: &'a Base, message: &Value) -> Result<Ask<'a>, String> {
    let token = access_token(base).await?;
    Ok(mcp(base, message).header(AUTHORIZATION, &format!("Bearer {token}")))
}

async fn begin(base: &Base) -> Came {
    opened(base, &initialize()).await?.send().await
}

/// As a client begins that knows the newest version and no other way.
async fn begin_newest(base: &Base) -> Came {
    let mut message = initialize();
    message["params"]["protocolVersion"] = "2026-07-28".into();
    opened(base, &message).await?.send().await
}

/// The probe of MCP 2026-07-28.
async fn probe(base: &Base) -> Came {
    let message = request("server/discover", &json!({}));
    opened(base, &message).await?.header(VERSION, "2026-07-28").send().await
}

async fn notify(base: &Base) -> Came {
    opened(base, &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?.send().await
}

async fn list(base: &Base) -> Came {
    opened(base, &request("tools/list", &json!({}))).await?.send().await
}

async fn list_in_json(base: &Base) -> Came {
    opened(base, &request("tools/list", &json!({}))).await?.header(ACCEPT, "application/json").send().await
}

async fn list_with_charset(base: &Base) -> Came {
    let ask = opened(base, &request("tools/list", &json!({}))).await?;
    ask.header(CONTENT_TYPE, "application/json; charset=utf-8").send().await
}

async fn list_with_version(base: &Base) -> Came {
    opened(base, &request("tools/list", &json!({}))).await?.header(VERSION, "2025-11-25").send().await
}

/// Begins a session, as the client was told, and lists in it.
async fn list_in_session(base: &Base) -> Came {
    let begun = begin(base).await?;
    let ask = opened(base, &request("tools/list", &json!({}))).await?;
    match begun.headers.get(SESSION) {
        Some(session) => {
            ask.header(SESSION, session.to_str().map_err(|_| "a session id that is no text")?).send().await
        }
        None => ask.send().await,
    }
}

async fn list_after_a_restart(base: &Base) -> Came {
    opened(base, &request("tools/list", &json!({}))).await?.header(SESSION, "from-before").send().await
}

fn add() -> Value {
    json!({"name": "add", "arguments": {"a": 2, "b": 3}})
}

async fn call(base: &Base) -> Came {
    opened(base, &request("tools/call", &add())).await?.send().await
}

/// A call that carries what MCP 2026-07-28 writes into `_meta`.
async fn call_of_the_newest(base: &Base) -> Came {
    let mut params = add();
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    opened(base, &request("tools/call", &params)).await?.send().await
}

async fn ping(base: &Base) -> Came {
    opened(base, &request("ping", &json!({}))).await?.send().await
}

async fn resources(base: &Base) -> Came {
    opened(base, &request("resources/list", &json!({}))).await?.send().await
}

/// A tool that is not there.
async fn wrong_call(base: &Base) -> Came {
    opened(base, &request("tools/call", &json!({"name": "rm"}))).await?.send().await
}

async fn bare(base: &Base, method: Method) -> Came {
    let token = access_token(base).await?;
    let ask = base.ask(method, MCP).header(AUTHORIZATION, &format!("Bearer {token}"));
    ask.header(ACCEPT, "text/event-stream").send().await
}

/// A stream for what the server says of its own accord.
async fn listen(base: &Base) -> Came {
    bare(base, Method::GET).await
}

/// Whether anything is there.
async fn look(base: &Base) -> Came {
    bare(base, Method::HEAD).await
}

/// The session ends.
async fn end(base: &Base) -> Came {
    bare(base, Method::DELETE).await
}
