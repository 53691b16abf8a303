//! What a client says once it is let in, over both transports.

use bytes::{Bytes, BytesMut};
use http::Method;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::ask::message_of;
use super::{LEGACY_LISTENING, LEGACY_VERSION, Walk};
use crate::check::Call;
use crate::check::probes::{self, Caller};
use crate::check::stand::{Answer, Listen, Probe};
use crate::endpoint::{self, SESSION};
use crate::sse;

impl Walk<'_> {
    /// What a client says once it is let in.
    pub(in crate::check) async fn messages(&mut self, token: Option<String>) {
        let bare = Caller { path: self.mcp_path(), token, ..Caller::default() };
        let first = self.ask(bare.post("initialize", &probes::initialize(probes::SPOKEN))).await;
        let Some(first) = first.filter(|answer| answer.status.is_success()) else {
            self.walked.missing.push("no messages: initialize was refused".into());
            return;
        };
        self.walked.is_in = true;
        let session = session_of(&first);
        self.walked.version = Some(version_of(&first));
        let caller = Caller { session: session.clone(), version: self.walked.version.clone(), ..bare.clone() };
        self.ask(caller.post("notifications/initialized", &probes::notification("notifications/initialized"))).await;
        self.listen(caller.stream("the stream of a session").listening(self.stand.listening()));
        for probe in probes::later_messages(&caller) {
            self.ask(probe).await;
        }
        // Not even of a tool that does not exist, unless somebody wants more than questions.
        if caller.token.is_some() || !self.wish.calls.is_empty() {
            self.ask(probes::unknown_tool(&caller)).await;
        }
        if caller.version.as_deref().is_some_and(|version| version <= probes::LAST_OF_LISTS) {
            self.ask(probes::batch(&caller)).await;
        }
        for call in &self.wish.calls {
            self.call(&caller, call).await;
        }
        self.ask(bare.discover()).await;
        self.ask(probes::lost_session(&bare)).await;
        for probe in probes::first_messages(&bare) {
            self.ask_and_end(probe).await;
        }
        self.ask_and_end(probes::of_a_foreign_page(&bare)).await;
        self.legacy(&bare).await;
        self.legacy_message(&bare).await;
        for listening in std::mem::take(&mut self.later) {
            if let Ok(seen) = listening.await {
                self.walked.seen.push(seen);
            }
        }
        // Last: whoever listens in a session is cut off by its end.
        if session.is_some() {
            self.ask(caller.ask("the end of a session", Method::DELETE)).await;
        }
    }

    pub(in crate::check) async fn call(&mut self, caller: &Caller, call: &Call) {
        let params = json!({
            "name": call.tool, "arguments": call.arguments, "_meta": {"progressToken": 1},
        });
        let probe = caller.post("a tool call", &probes::request("tools/call", &params));
        // Once and no more; a stream that goes on behind its answer is given the time to end.
        self.ask(probe.listening(self.stand.listening()).once()).await;
    }

    /// Listens while other questions are asked.
    pub(in crate::check) fn listen(&mut self, probe: Probe) {
        let stand = self.stand.clone();
        self.later.push(AbortOnDropHandle::new(tokio::spawn(async move { stand.ask(probe).await })));
    }

    /// The older transport, if the server has it.
    pub(in crate::check) async fn legacy(&mut self, caller: &Caller) {
        let caller = Caller { path: endpoint::LEGACY_SSE.to_owned(), ..caller.clone() };
        self.ask(caller.stream("the stream of HTTP+SSE (MCP 2024-11-05)")).await;
    }

    /// A first message over the older transport, if its stream is there: the answer comes on the stream or at once.
    pub(in crate::check) async fn legacy_message(&mut self, bare: &Caller) {
        let caller = Caller { path: endpoint::LEGACY_SSE.to_owned(), ..bare.clone() };
        let (sender, mut heard) = mpsc::unbounded_channel();
        let mut stream = caller.stream("a session over HTTP+SSE").listening(Listen::For(LEGACY_LISTENING));
        stream.heard = Some(sender);
        let stand = self.stand.clone();
        let listening = AbortOnDropHandle::new(tokio::spawn(async move { stand.ask(stream).await }));
        let mut text = BytesMut::new();
        let place = timeout(LEGACY_LISTENING, async {
            while let Some(piece) = heard.recv().await {
                text.extend_from_slice(&piece);
                if let Some(place) = endpoint_in(&text.clone().freeze()) {
                    return Some(place);
                }
            }
            None
        });
        let Ok(Some(place)) = place.await else { return };
        let facts = self.stand.runtime().facts.clone();
        let target = place.strip_prefix(facts.public.as_str()).unwrap_or(&place).to_owned();
        let caller = Caller { path: target, ..bare.clone() };
        self.ask(caller.post("a message over HTTP+SSE", &probes::initialize(LEGACY_VERSION))).await;
        if let Ok(seen) = listening.await {
            self.walked.seen.push(seen);
        }
    }
}

/// Where the first event of the older transport says that messages go.
fn endpoint_in(text: &Bytes) -> Option<String> {
    let event = sse::events(text).find(|event| sse::field(event, "event").is_some_and(|name| name == "endpoint"))?;
    let data = sse::data(&event)?;
    event.ends_with(b"\n").then(|| String::from_utf8_lossy(&data).trim().to_owned())
}

fn session_of(answer: &Answer) -> Option<String> {
    answer.headers.get(SESSION)?.to_str().ok().map(str::to_owned)
}

/// The version that was agreed on; who names none speaks what was asked for.
fn version_of(answer: &Answer) -> String {
    message_of(answer)
        .and_then(|message| message["result"]["protocolVersion"].as_str().map(str::to_owned))
        .unwrap_or_else(|| probes::SPOKEN.to_owned())
}
