//! The walk of a check: every question, in the order in which a client meets them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::discover::challenge_of;
use super::login::{self, Client, Outcome as LoginOutcome, Returned};
use super::probes::{self, Caller};
use super::reach;
use super::stand::{Answer, Listen, Probe, SILENCE, Seen, Stand};
use super::{Call, Wish};
use crate::endpoint::{self, SESSION, VERSION};
use crate::example;
use crate::exchange::{Finding, Reply, Site, is_media_type};
use crate::jsonrpc::Envelope;
use crate::knowledge::Knowledge;
use crate::learn;
use crate::repair::Mode;
use crate::sse;
use crate::telemetry::tape::{Came, Taped};

/// A stream is listened to for longer than any silence may last in it.
const LISTENING: std::time::Duration = SILENCE.saturating_add(std::time::Duration::from_millis(1500));

/// How long the older transport is listened to.
const LEGACY_LISTENING: std::time::Duration = std::time::Duration::from_secs(2);
/// The last version of it.
const LEGACY_VERSION: &str = "2024-11-05";

/// So many questions without an answer are enough.
const FIRST_QUESTIONS: usize = 3;
/// How many times it is waited for what is learned.
const LEARNING: usize = 5;

/// A repair of requests and what came of it.
#[derive(Clone, Debug)]
pub struct Judged {
    pub id: &'static str,
    pub finding: Finding,
    /// The plain exchange, and the one in which the repair was at work.
    pub refused: Seen,
    pub taken: Seen,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    pub seen: Vec<Seen>,
    pub judged: Vec<Judged>,
    pub known: Arc<Knowledge>,
    /// Whether messages were let in without a token.
    pub is_open: bool,
    /// Whether messages were let in at all.
    pub is_in: bool,
    /// The version that was agreed on.
    pub version: Option<String>,
    pub registered: bool,
    pub login: Option<LoginOutcome>,
    /// Whether hosted clients get here at all.
    pub reach: Vec<reach::Line>,
    /// What could not be asked, and why.
    pub missing: Vec<String>,
}

impl Walked {
    /// Whether the server has answered anything.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        let has_answered =
            |seen: &Seen| seen.taped.as_ref().is_some_and(|taped| taped.turns.iter().any(|turn| turn.came.is_some()));
        self.seen.iter().any(has_answered)
    }

    /// Whether the endpoint has asked for a token.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refuses = |came: &Came| matches!(came.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        self.asked_at_all().flat_map(said_to_messages).any(refuses)
    }

    /// What was answered instead, if nothing there speaks MCP: no JSON-RPC, no event stream, no request for a token, no
    /// redirect, and no metadata of a login beside it.
    #[must_use]
    pub fn no_endpoint(&self) -> Option<&Came> {
        let speaks = |came: &Came| {
            let message = Envelope::peek_start(&came.body.bytes);
            let is_message = message.is_versioned || (message.has_id() && message.is_message());
            let is_stream = came.headers.get(CONTENT_TYPE).is_some_and(|kind| is_media_type(kind, "text/event-stream"));
            is_message || is_stream || came.status.is_redirection()
        };
        let is_there = self.is_in || self.is_refused() || !self.known.is_without_oauth();
        let mut said = self.asked_at_all().flat_map(said_to_messages).peekable();
        let first = said.peek().copied();
        first.filter(|_| !is_there && !said.any(speaks))
    }

    fn asked_at_all(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().chain(self.judged.iter().flat_map(|judged| [&judged.refused, &judged.taken]))
    }
}

/// What the server itself said where messages go.
fn said_to_messages(seen: &Seen) -> impl Iterator<Item = &Came> {
    let taped = seen.taped.iter().filter(|taped| taped.class.has_messages());
    taped.flat_map(|taped| &taped.turns).filter_map(|turn| turn.came.as_ref())
}

pub struct Walk<'a> {
    stand: Arc<Stand>,
    wish: &'a Wish,
    walked: Walked,
    /// Streams that are listened to meanwhile.
    later: Vec<AbortOnDropHandle<Seen>>,
    /// Sessions that are being ended.
    ends: TaskTracker,
}

impl<'a> Walk<'a> {
    #[must_use]
    pub fn new(stand: Arc<Stand>, wish: &'a Wish) -> Self {
        stand.begin(wish.time);
        Self { stand, wish, walked: Walked::default(), later: Vec::new(), ends: TaskTracker::new() }
    }

    /// Asks everything that the wish allows.
    pub async fn whole(mut self) -> Walked {
        self.harmless().await;
        if !self.walked.is_reached() {
            let why = self.walked.seen.iter().find_map(|seen| Some(seen.taped.as_ref()?.refused?.0));
            let why = why.map_or_else(String::new, |why| format!(" ({})", why.replace('_', " ")));
            self.walked.missing.push(format!("the server could not be reached{why}"));
            return self.walked;
        }
        if self.wish.register {
            self.register().await;
        }
        let mut token = self.wish.token.clone();
        if self.wish.login {
            token = self.log_in().await.or(token);
        }
        if token.is_some() || self.walked.is_open {
            self.messages(token).await;
        }
        self.done().await
    }

    /// Asks what changes nothing and needs nothing.
    pub async fn harmless_alone(mut self) -> Walked {
        self.harmless().await;
        self.done().await
    }

    async fn done(mut self) -> Walked {
        self.ends.close();
        self.ends.wait().await;
        if self.stand.unasked() > 0 {
            let (unasked, time) = (self.stand.unasked(), self.wish.time.as_secs());
            let said = format!("{unasked} questions were not asked: the server took more than {time} s for the others");
            self.walked.missing.push(said);
        }
        self.walked.known = self.stand.runtime().learner.recall();
        self.walked
    }

    fn mcp_path(&self) -> String {
        self.stand.runtime().facts.mcp_path.clone()
    }

    async fn harmless(&mut self) {
        self.learn().await;
        self.stranger().await;
        if self.is_nobody_there() {
            return;
        }
        self.documents().await;
        self.pages().await;
        self.endpoints().await;
        self.legacy(&Caller::default()).await;
    }

    /// Learns what there is to know of the server, and waits for it longer than a client would.
    async fn learn(&mut self) {
        for _ in 0..LEARNING {
            self.walked.known = learn::know(self.stand.runtime(), self.stand.upstream()).await;
            if self.stand.runtime().learner.fresh().is_some() {
                return;
            }
        }
    }

    /// Whether the first questions got no answer, nor those before them: then none is to be expected.
    fn is_nobody_there(&self) -> bool {
        let known = self.stand.runtime().learner.recall();
        let has_learned = !known.is_without_oauth() || known.stranger.is_some();
        self.walked.seen.len() >= FIRST_QUESTIONS && !self.walked.is_reached() && !has_learned
    }

    /// Asks once, and if a repair of requests would have mended the question, whether it had to. Answers what a client of
    /// the mended server gets.
    async fn ask(&mut self, probe: Probe) -> Option<Answer> {
        let seen = self.stand.ask(probe.clone()).await;
        self.take_in(probe, seen).await
    }

    /// Asks all at once what does not depend on each other: one that hangs does not hold up the others.
    async fn ask_all(&mut self, probes: Vec<Probe>) {
        let asking: Vec<_> = probes
            .into_iter()
            .map(|probe| {
                let (stand, asked) = (self.stand.clone(), probe.clone());
                (probe, AbortOnDropHandle::new(tokio::spawn(async move { stand.ask(asked).await })))
            })
            .collect();
        for (probe, seen) in asking {
            if let Ok(seen) = seen.await {
                self.take_in(probe, seen).await;
            }
        }
    }

    async fn take_in(&mut self, probe: Probe, seen: Seen) -> Option<Answer> {
        let observed: Vec<_> = seen
            .taped
            .iter()
            .flat_map(|taped| &taped.fired)
            .filter(|fired| fired.mode == Mode::Observe)
            .map(|fired| (fired.id, fired.finding.clone()))
            .collect();
        let ids: Vec<&str> = observed.iter().map(|(id, _)| *id).collect();
        for (id, finding) in observed {
            if let Some(mended) = self.judge(id, &probe, &seen).await {
                // What a repair would have prevented shows nothing more, and its session is nobody's.
                if let Ok(plain) = &seen.answer {
                    self.end_of(&probe, plain);
                }
                let answer = mended.answer.clone().ok();
                self.walked.judged.push(Judged { id, finding, refused: seen, taken: mended });
                return answer;
            }
        }
        let answer = seen.answer.clone().ok();
        let is_known = |id: &str| self.walked.judged.iter().any(|judged| judged.id == id);
        let was_taken = seen.taped.as_ref().and_then(first_status).is_some_and(|status| status.is_success());
        if was_taken || !ids.iter().any(|id| is_known(id)) {
            self.walked.seen.push(seen);
        }
        answer
    }

    /// A repair of requests is needed if the server refuses the plain request and takes the mended one, or lets in what
    /// the repair refuses. Answers the mended exchange, if so.
    async fn judge(&self, id: &'static str, probe: &Probe, plain: &Seen) -> Option<Seen> {
        let taped = plain.taped.as_ref()?;
        // Who gives no answer at all does not refuse either.
        let is_in = plain.answer.as_ref().map_or(true, |answer| answer.status.is_success() && !is_error(answer));
        let was_taken = first_status(taped).is_some_and(|status| status.is_success());
        // What was taken once is not sent again, but for messages that change nothing.
        let is_repeatable = taped.class.has_messages() && !probe.is_once;
        if (was_taken && !is_repeatable) || self.walked.judged.iter().any(|judged| judged.id == id) {
            return None;
        }
        let mended = self.stand.ask_with(id, probe.clone()).await?;
        let second = mended.taped.as_ref()?;
        let status = mended.answer.as_ref().ok()?.status;
        let is_needed = if second.turns.is_empty() {
            is_in && !status.is_success()
        } else {
            !was_taken && status_where_it_is_taken(second).is_some_and(|status| status.is_success())
        };
        if !is_needed {
            self.end_of(probe, mended.answer.as_ref().ok()?);
        }
        is_needed.then_some(mended)
    }

    /// How the endpoint receives strangers.
    async fn stranger(&mut self) {
        for probe in probes::of_a_stranger(&self.mcp_path()) {
            let is_first = self.walked.seen.is_empty();
            let answer = self.ask(probe.clone()).await;
            if self.is_nobody_there() {
                return;
            }
            let Some(answer) = answer else { continue };
            if is_first {
                self.walked.is_open = answer.status.is_success() && has_result(&answer);
                self.walked.is_in = self.walked.is_open;
            }
            self.end_of(&probe, &answer);
        }
        let caller = Caller { path: self.mcp_path(), ..Caller::default() };
        self.ask_and_end(probes::of_a_foreign_page(&caller)).await;
        self.ask(caller.discover()).await;
    }

    /// Asks, and ends the session that this may begin.
    async fn ask_and_end(&mut self, probe: Probe) {
        if let Some(answer) = self.ask(probe.clone()).await {
            self.end_of(&probe, &answer);
        }
    }

    /// Begins to end the session that the answer to a question has begun, if it has.
    fn end_of(&self, probe: &Probe, answer: &Answer) {
        let is_in_session = probe.headers.contains_key(SESSION);
        let Some(session) = answer.headers.get(SESSION).filter(|_| !is_in_session) else { return };
        let mut end = Probe::new("the end of a session", Method::DELETE, probe.target.clone());
        for name in [AUTHORIZATION, ORIGIN] {
            if let Some(value) = probe.headers.get(&name) {
                end.headers.insert(name, value.clone());
            }
        }
        end.headers.insert(SESSION, session.clone());
        // Nothing waits for it but the end of the walk.
        let (stand, end) = (self.stand.clone(), end.header(VERSION, probes::SPOKEN));
        self.ends.spawn(async move { drop(stand.ask(end).await) });
    }

    /// Every place where clients look for metadata.
    async fn documents(&mut self) {
        let path = self.mcp_path();
        let mut places = endpoint::resource_metadata_places(&path);
        let known = self.walked.known.clone();
        let own = known.own_issuer_paths(&self.stand.runtime().facts);
        let prescribed = self.prescribed(&own);
        let issuers = std::iter::once(String::new()).chain(own).chain([path]);
        places.extend(issuers.flat_map(|issuer| endpoint::server_metadata_places(&issuer)));
        let mut asks: Vec<Probe> = Vec::new();
        for place in places {
            if asks.iter().any(|probe| probe.target == place) {
                continue;
            }
            let probe = probes::document("a discovery document", &place);
            asks.push(if prescribed.contains(&place) { probe } else { probe.beside() });
        }
        if known.has_own_authorization_server() {
            asks.push(probes::document("the set of keys", endpoint::KEYS).beside());
        }
        let head = endpoint::resource_metadata_path(&self.mcp_path());
        let probe = Probe::new("HEAD of a discovery document", Method::HEAD, head.as_str());
        asks.push(if prescribed.contains(&head) { probe } else { probe.beside() });
        self.ask_all(asks).await;
    }

    /// Where a document has to be: the resource metadata at both places that clients ask (RFC 9728 section 3.1; ChatGPT asks
    /// at the root), the server metadata where its issuer says (RFC 8414 section 3.1).
    fn prescribed(&self, issuers: &[String]) -> Vec<String> {
        let known = &self.walked.known;
        let mut places = Vec::new();
        if !known.is_without_oauth() {
            places.push(endpoint::resource_metadata_path(&self.mcp_path()));
            places.push(endpoint::RESOURCE_METADATA.to_owned());
        }
        if known.has_own_authorization_server() {
            let root = [String::new()];
            let issuers = if issuers.is_empty() { &root[..] } else { issuers };
            places.extend(
                issuers.iter().filter_map(|issuer| endpoint::server_metadata_places(issuer).into_iter().next()),
            );
        }
        places
    }

    /// What browsers ask before a page's requests.
    async fn pages(&mut self) {
        let path = self.mcp_path();
        let document = endpoint::resource_metadata_path(&path);
        let mut preflights = vec![
            ("a page's preflight", path.clone(), "POST", probes::PAGE),
            ("a page's preflight to end its session", path.clone(), "DELETE", probes::PAGE),
            ("the preflight of a page that may not", path, "POST", probes::FOREIGN_PAGE),
            ("a page's preflight for a document", document, "GET", probes::PAGE),
        ];
        if self.walked.known.has_own_authorization_server() {
            let endpoints = self.walked.known.endpoints.clone();
            preflights.push(("a page's preflight to register", endpoints.register, "POST", probes::PAGE));
            preflights.push(("a page's preflight for a token", endpoints.token, "POST", probes::PAGE));
        }
        let preflight = |(name, path, method, origin): (&'static str, String, &str, &str)| {
            let probe = probes::preflight(name, &path, method, origin);
            let is_beside = path.starts_with(endpoint::RESOURCE_METADATA) && self.walked.known.is_without_oauth();
            if is_beside { probe.beside() } else { probe }
        };
        let preflights = preflights.into_iter().map(preflight).collect();
        self.ask_all(preflights).await;
    }

    /// The endpoints of the server's own login, where the metadata name them and where clients guess them.
    async fn endpoints(&mut self) {
        if !self.walked.known.has_own_authorization_server() {
            if self.walked.known.foreign.is_some() {
                self.ask(probes::bad_authorization(&endpoint::Endpoints::default().authorize)).await;
            }
            return;
        }
        let (named, guessed) = (self.walked.known.endpoints.clone(), endpoint::Endpoints::default());
        for path in distinct([&named.token, &guessed.token]) {
            for probe in probes::bad_grants(&path) {
                self.ask(probe.header(ORIGIN, probes::PAGE)).await;
            }
        }
        for path in distinct([&named.authorize, &guessed.authorize]) {
            self.ask(probes::bad_authorization(&path)).await;
        }
        let revokes = self.walked.known.server_document.as_ref().is_some_and(|said| said.has("revocation_endpoint"));
        if revokes {
            self.ask(probes::bad_revocation(&named.revoke)).await;
        }
    }

    /// The older transport, if the server has it.
    async fn legacy(&mut self, caller: &Caller) {
        let caller = Caller { path: endpoint::LEGACY_SSE.to_owned(), ..caller.clone() };
        self.ask(caller.stream("the stream of HTTP+SSE (MCP 2024-11-05)")).await;
    }

    /// A first message over the older transport, if its stream is there: the answer comes on the stream or at once.
    async fn legacy_message(&mut self, bare: &Caller) {
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

    /// Registers one client, and asks what becomes of a registration that nobody can take.
    async fn register(&mut self) {
        if !self.walked.known.has_own_authorization_server() {
            self.walked.missing.push("no registration: the server has no authorization server of its own".into());
            return;
        }
        let client = Client::like(&self.wish.profile(), None);
        for path in distinct([&self.walked.known.endpoints.register, &endpoint::Endpoints::default().register]) {
            self.ask(
                Probe::new("a registration that nobody can take", Method::POST, path)
                    .json(&json!({"redirect_uris": probes::NOBODY}))
                    .header(ORIGIN, probes::PAGE),
            )
            .await;
        }
        // A login registers the client that it needs.
        if self.wish.login {
            return;
        }
        let path = self.walked.known.endpoints.register.clone();
        let answer = self.ask(client.registration(&path)).await;
        self.walked.registered = answer.is_some_and(|answer| answer.status.is_success());
    }

    async fn log_in(&mut self) -> Option<String> {
        let outcome = login::log_in(self).await;
        let token = outcome.token.clone();
        self.walked.registered |= outcome.registered;
        self.walked.missing.extend(outcome.missing.iter().cloned());
        self.walked.login = Some(outcome);
        token
    }

    /// What a client says once it is let in.
    async fn messages(&mut self, token: Option<String>) {
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
        self.listen(caller.stream("the stream of a session").listening(Listen::For(LISTENING)));
        for probe in probes::later_messages(&caller) {
            self.ask(probe).await;
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

    async fn call(&mut self, caller: &Caller, call: &Call) {
        let params = json!({
            "name": call.tool, "arguments": call.arguments, "_meta": {"progressToken": 1},
        });
        let probe = caller.post("a tool call", &probes::request("tools/call", &params));
        // Once and no more; a stream that goes on behind its answer is given the time to end.
        self.ask(probe.listening(Listen::For(LISTENING)).once()).await;
    }

    /// Listens while other questions are asked.
    fn listen(&mut self, probe: Probe) {
        let stand = self.stand.clone();
        self.later.push(AbortOnDropHandle::new(tokio::spawn(async move { stand.ask(probe).await })));
    }
}

/// For the login, which asks in its own order.
impl Walk<'_> {
    pub(super) async fn put(&mut self, probe: Probe) -> Option<Answer> {
        self.ask(probe).await
    }

    pub(super) fn wish(&self) -> &Wish {
        self.wish
    }

    /// The site as a client of the mended server sees it.
    pub(super) fn site(&self) -> Site<'_> {
        Site { facts: &self.stand.runtime().facts, known: &self.walked.known }
    }

    /// Whether a document was looked for there already, in vain: the server does not answer.
    pub(super) fn hangs_at(&self, path: &str) -> bool {
        let is_silent = |taped: &Taped| {
            taped.asked.target.path() == path
                && !taped.turns.is_empty()
                && taped.turns.iter().all(|turn| turn.came.is_none())
        };
        self.walked.seen.iter().filter_map(|seen| seen.taped.as_ref()).any(is_silent)
    }

    /// The challenge that a stranger gets, as the client of the mended server sees it.
    pub(super) fn first_refusal(&self) -> Option<HeaderMap> {
        self.walked.seen.iter().find_map(|seen| challenge_of(seen.answer.as_ref().ok()?))
    }

    /// What the server was asked last, in the form that it took.
    pub(super) fn last_target(&self) -> Option<String> {
        let taped = self.walked.seen.last()?.taped.as_ref()?;
        taped.turns.last().map(|turn| turn.asked.target.to_string())
    }

    /// What the redirect that brought the browser back must have been, shown to the repairs: it went past this process.
    /// Answers the response as a client of the mended server gets it.
    pub(super) fn came_back(&mut self, target: &str, redirect_uri: &str, returned: &Returned) -> String {
        let (method, status) = match returned.by_post {
            true => ("POST", StatusCode::TEMPORARY_REDIRECT),
            false => ("GET", StatusCode::FOUND),
        };
        let site = self.site();
        let location = HeaderValue::from_str(&format!("{redirect_uri}?{}", returned.query));
        let request = example::request(&format!("{method} {target}"), site.facts, site.known);
        let (Ok(location), Ok(request)) = (location, request) else { return returned.query.clone() };
        let mut reply = Reply::new(status, HeaderMap::from_iter([(LOCATION, location)]));
        let before = reply.clone();
        let (report, _) = self.stand.runtime().plan.mend_reply(&site, &request, &mut reply, false);
        let query = reply.headers.get(LOCATION).and_then(|to| Some(to.to_str().ok()?.split_once('?')?.1.to_owned()));
        let taped = Taped::past(&request, &before, &reply, report.fired, self.walked.known.clone());
        let probe = "the way back from the browser";
        self.walked.seen.push(Seen {
            probe,
            is_beside: false,
            taped: Some(taped),
            answer: Err("it went to the browser".into()),
        });
        query.unwrap_or_else(|| returned.query.clone())
    }

    /// Somebody was waited for.
    pub(super) fn waited(&self, time: std::time::Duration) {
        self.stand.waited(time);
    }

    pub(super) fn known(&self) -> &Arc<Knowledge> {
        &self.walked.known
    }
}

/// Where the first event of the older transport says that messages go.
fn endpoint_in(text: &Bytes) -> Option<String> {
    let event = sse::events(text).find(|event| sse::field(event, "event").is_some_and(|name| name == "endpoint"))?;
    let data = sse::data(&event)?;
    event.ends_with(b"\n").then(|| String::from_utf8_lossy(&data).trim().to_owned())
}

/// What the server itself said first.
fn first_status(taped: &Taped) -> Option<StatusCode> {
    taped.turns.first()?.came.as_ref().map(|came| came.status)
}

/// What it said first where it takes messages: a redirect on the way there is another matter.
fn status_where_it_is_taken(taped: &Taped) -> Option<StatusCode> {
    let statuses = || taped.turns.iter().filter_map(|turn| turn.came.as_ref()).map(|came| came.status);
    let is_on_the_way = |status: &StatusCode| status.is_redirection() && taped.class.has_messages();
    statuses().find(|status| !is_on_the_way(status)).or_else(|| statuses().next())
}

fn distinct<const N: usize>(paths: [&String; N]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for path in paths {
        if !all.contains(path) {
            all.push(path.clone());
        }
    }
    all
}

fn session_of(answer: &Answer) -> Option<String> {
    answer.headers.get(SESSION)?.to_str().ok().map(str::to_owned)
}

/// The message of an answer, be it the body or the data of an event.
fn message_of(answer: &Answer) -> Option<serde_json::Value> {
    serde_json::from_slice(&answer.body).ok().or_else(|| {
        sse::events(&answer.body)
            .filter_map(|event| sse::data(&event))
            .find_map(|data| serde_json::from_slice::<serde_json::Value>(&data).ok().filter(|data| data.is_object()))
    })
}

/// Whether an answer carries a JSON-RPC error.
fn is_error(answer: &Answer) -> bool {
    message_of(answer).is_some_and(|message| message.get("error").is_some_and(|error| !error.is_null()))
}

fn has_result(answer: &Answer) -> bool {
    message_of(answer).is_some_and(|message| message.get("result").is_some())
}

/// The version that was agreed on; who names none speaks what was asked for.
fn version_of(answer: &Answer) -> String {
    message_of(answer)
        .and_then(|message| message["result"]["protocolVersion"].as_str().map(str::to_owned))
        .unwrap_or_else(|| probes::SPOKEN.to_owned())
}
