//! rmcp as a client of `tests/interop/messages/run`: one question a line, one answer a line, in any order.

#![allow(deprecated, reason = "logging is deprecated from 2026-07-28 on; the servers here are older")]

use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, ClientRequest, LoggingMessageNotificationParam, PingRequest};
use rmcp::service::{ClientInitializeError, NotificationContext, RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ServiceExt};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::Notify;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tokio::spawn(async move {
            let question: Value = serde_json::from_str(&line).expect("a question is JSON");
            let steps = Visit::of(&question).await;
            let answer = json!({ "id": question["id"], "steps": steps }).to_string();
            let mut out = std::io::stdout().lock();
            writeln!(out, "{answer}").and_then(|()| out.flush()).expect("the runner listens");
        });
    }
}

/// Notes that a notification has come.
struct Listener(Arc<Notify>);

impl ClientHandler for Listener {
    async fn on_logging_message(&self, _: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.notify_one();
    }
}

/// What the steps came to, by their names. After one that hung, the rest would only hang too.
struct Visit {
    steps: Map<String, Value>,
    limit: Duration,
    over: bool,
}

impl Visit {
    async fn of(question: &Value) -> Map<String, Value> {
        let limit = Duration::from_millis(question["limit"].as_u64().expect("a limit"));
        let wait = Duration::from_millis(question["wait"].as_u64().expect("a wait"));
        let mut visit = Self { steps: Map::new(), limit, over: false };
        let told = Arc::new(Notify::new());
        let url = question["url"].as_str().expect("a URL").to_owned();
        let Some(client) = visit.connect(&url, Listener(told.clone())).await else { return visit.steps };
        visit.step("tools", async { value(client.list_all_tools().await) }).await;
        visit.step("call", async { value(client.call_tool(call_of(question)).await) }).await;
        visit.step("ping", async { value(client.send_request(ping()).await.map(|_| ())) }).await;
        visit.step("resources", async { value(client.list_all_resources().await) }).await;
        visit.step("templates", async { value(client.list_all_resource_templates().await) }).await;
        visit.step("prompts", async { value(client.list_all_prompts().await) }).await;
        if question["stream"] == true && !visit.over {
            let came = tokio::time::timeout(wait, told.notified()).await.is_ok();
            visit.steps.insert("notified".to_owned(), json!({ "value": came }));
        }
        visit
            .step("close", async { client.cancel().await.map(|_| Value::Null).map_err(|e| (None, e.to_string())) })
            .await;
        visit.steps
    }

    async fn connect(&mut self, url: &str, listener: Listener) -> Option<RunningService<RoleClient, Listener>> {
        let transport = StreamableHttpClientTransport::from_uri(url);
        let client = match tokio::time::timeout(self.limit, listener.serve(transport)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let code = match &error {
                    ClientInitializeError::JsonRpcError(error) => Some(error.code.0),
                    _ => None,
                };
                self.steps.insert("connect".to_owned(), failed(code, &error.to_string()));
                return None;
            }
            Err(_) => {
                self.steps.insert("connect".to_owned(), json!({ "hung": true }));
                return None;
            }
        };
        let info = client.peer_info().map(|info| serde_json::to_value(&*info).expect("it can be written"));
        self.steps.insert("connect".to_owned(), json!({ "value": info }));
        Some(client)
    }

    async fn step(&mut self, name: &str, done: impl Future<Output = Result<Value, (Option<i32>, String)>>) {
        if self.over {
            return;
        }
        let outcome = match tokio::time::timeout(self.limit, done).await {
            Ok(Ok(value)) => json!({ "value": value }),
            Ok(Err((code, text))) => failed(code, &text),
            Err(_) => {
                self.over = true;
                json!({ "hung": true })
            }
        };
        self.steps.insert(name.to_owned(), outcome);
    }
}

fn failed(code: Option<i32>, text: &str) -> Value {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    json!({ "code": code, "error": text.chars().take(400).collect::<String>() })
}

fn value<T: serde::Serialize>(result: Result<T, ServiceError>) -> Result<Value, (Option<i32>, String)> {
    match result {
        Ok(value) => Ok(serde_json::to_value(value).expect("it can be written")),
        Err(ServiceError::McpError(error)) => Err((Some(error.code.0), error.message.to_string())),
        Err(error) => Err((None, error.to_string())),
    }
}

fn call_of(question: &Value) -> CallToolRequestParams {
    let name = question["call"]["name"].as_str().expect("a tool").to_owned();
    CallToolRequestParams::new(name)
        .with_arguments(question["call"]["arguments"].as_object().expect("arguments").clone())
}

fn ping() -> ClientRequest {
    ClientRequest::PingRequest(PingRequest::default())
}
