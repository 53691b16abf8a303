//! How clients meet what goes wrong with messages over Streamable HTTP (catalogue 4F).

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, ORIGIN};
use serde_json::{Value, json};

use super::session::{BOTH, Client, METHOD, NEWEST, initialize, is_legal_session, notification, request};
use super::{Came, Visit};
use crate::demo::checks;
use crate::demo::client::Base;
use crate::endpoint::VERSION;

/// How long a client listens to a stream that may be silent.
const A_MOMENT: Duration = Duration::from_secs(2);
/// How long a client waits for the end of an answer that it has.
const FOR_THE_END: Duration = Duration::from_secs(3);

visits! {
    INITIALIZE = initialized;
    INITIALIZE_NEWEST = initialized_newest;
    INITIALIZE_FOR_JSON = initialized_for_json;
    INITIALIZE_FOR_ANYTHING = initialized_for_anything;
    INITIALIZE_WITH_CHARSET = initialized_with_charset;
    INITIALIZE_UNTYPED = initialized_untyped;
    DISCOVER = discover;
    NOTIFY = notify;
    SESSION = session;
    LOST_SESSION = lost_session;
    TOOLS = tools;
    TOOLS_WITHOUT_VERSION = tools_without_version;
    TOOLS_WITH_META = tools_with_meta;
    RESOURCES = resources;
    PROMPTS = prompts;
    PING = ping;
    ECHO = echo;
    UNKNOWN_TOOL = unknown_tool;
    COUNT = count;
    LISTEN = listen;
    END = end;
    HEAD = head;
    LISTED_PAGE = listed_page;
    FOREIGN_PAGE = foreign_page;
}

/// The first message.
async fn initialized(base: &Base) -> Came {
    Client::logged_in(base).await?.post(&initialize("2025-11-25")).send().await
}

/// The first message of a client that would rather speak a version without it.
async fn initialized_newest(base: &Base) -> Came {
    Client::logged_in(base).await?.post(&initialize(NEWEST)).send().await
}

async fn accepting(base: &Base, accept: &str) -> Came {
    Client::logged_in(base).await?.post(&initialize("2025-11-25")).header(ACCEPT, accept).send().await
}

/// The first message of a client that takes no streams.
async fn initialized_for_json(base: &Base) -> Came {
    accepting(base, "application/json").await
}

/// The first message of a client that takes anything, as curl does.
async fn initialized_for_anything(base: &Base) -> Came {
    accepting(base, "*/*").await
}

/// The first message, as a JSON of some charset.
async fn initialized_with_charset(base: &Base) -> Came {
    let ask = Client::logged_in(base).await?.post(&initialize("2025-11-25"));
    ask.header(CONTENT_TYPE, "application/json; charset=utf-8").send().await
}

/// The first message, without a word on what it is.
async fn initialized_untyped(base: &Base) -> Came {
    let client = Client::logged_in(base).await?;
    client.ask(Method::POST).body(initialize("2025-11-25").to_string()).header(ACCEPT, BOTH).send().await
}

/// What MCP 2026-07-28 says of a client with every message.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientInfo": {"name": "mcp-mend demo", "version": env!("CARGO_PKG_VERSION")},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// A client of MCP 2026-07-28 asks what server this is.
async fn discover(base: &Base) -> Came {
    let client = Client::logged_in(base).await?;
    let ask = client.post(&request("server/discover", &json!({"_meta": meta()})));
    ask.header(VERSION, NEWEST).header(METHOD, "server/discover").send().await
}

/// The message after the first one, which wants no answer.
async fn notify(base: &Base) -> Came {
    let mut client = Client::logged_in(base).await?;
    client.begin().await?;
    client.post(&notification("notifications/initialized")).send().await
}

/// A session begins, and goes on under its name.
async fn session(base: &Base) -> Came {
    let mut client = Client::logged_in(base).await?;
    let answer = client.begin().await?;
    if !is_legal_session(&answer) {
        return Ok(answer);
    }
    client.call("tools/list", &json!({})).await
}

/// A session that the server has forgotten.
async fn lost_session(base: &Base) -> Came {
    let client = Client::logged_in(base).await?.in_session("a-session-before-the-restart");
    client.call("tools/list", &json!({})).await
}

async fn called(base: &Base, method: &str) -> Came {
    Client::ready(base).await?.call(method, &json!({})).await
}

/// The tools of a server.
async fn tools(base: &Base) -> Came {
    called(base, "tools/list").await
}

/// The same, by a client that does not say which version it speaks.
async fn tools_without_version(base: &Base) -> Came {
    let client = Client::ready(base).await?;
    client.post(&request("tools/list", &json!({}))).without(VERSION).send().await
}

/// The same, by a client that says with every message what MCP 2026-07-28 wants to know.
async fn tools_with_meta(base: &Base) -> Came {
    Client::ready(base).await?.call("tools/list", &json!({"_meta": meta()})).await
}

/// The resources of a server.
async fn resources(base: &Base) -> Came {
    called(base, "resources/list").await
}

/// The prompts of a server.
async fn prompts(base: &Base) -> Came {
    called(base, "prompts/list").await
}

/// A sign of life.
async fn ping(base: &Base) -> Came {
    called(base, "ping").await
}

/// A tool that says something again.
async fn echo(base: &Base) -> Came {
    Client::ready(base).await?.call("tools/call", &json!({"name": "echo", "arguments": {"text": "hello"}})).await
}

/// A tool that does not exist.
async fn unknown_tool(base: &Base) -> Came {
    Client::ready(base).await?.call("tools/call", &json!({"name": "sing", "arguments": {}})).await
}

/// A tool that answers with a stream.
async fn count(base: &Base) -> Came {
    let params = json!({"name": "count", "arguments": {}, "_meta": {"progressToken": 1}});
    let mut answer = Client::ready(base).await?.post(&request("tools/call", &params)).open().await?;
    answer.read(FOR_THE_END, |_| false).await;
    Ok(answer.close())
}

/// A stream for what the server has to say by itself.
async fn listen(base: &Base) -> Came {
    let client = Client::ready(base).await?;
    let mut answer = client.ask(Method::GET).header(ACCEPT, "text/event-stream").open().await?;
    answer.read(A_MOMENT, |body| !body.is_empty()).await;
    Ok(answer.close())
}

/// The session ends.
async fn end(base: &Base) -> Came {
    Client::ready(base).await?.ask(Method::DELETE).send().await
}

/// Is somebody there?
async fn head(base: &Base) -> Came {
    Client::ready(base).await?.ask(Method::HEAD).send().await
}

/// The first message, from a page that may.
async fn listed_page(base: &Base) -> Came {
    from(base, checks::PAGE).await
}

/// The first message, from a page that may not.
async fn foreign_page(base: &Base) -> Came {
    from(base, "https://evil.example").await
}

async fn from(base: &Base, page: &str) -> Came {
    Client::logged_in(base).await?.post(&initialize("2025-11-25")).header(ORIGIN, page).send().await
}
