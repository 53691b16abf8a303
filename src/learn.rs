//! Learning about the upstream from its own answers: actively, on first need, with a short limit.
//!
//! What is learned has a bounded life and is learned anew after it. A replica that has just started learns the same
//! from the same answers, so that any number of them can stand side by side.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Uri};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::body::{RequestBody, Upload};
use crate::edit::challenge::Challenges;
use crate::edit::json::Object;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint;
use crate::exchange::{Facts, Reply, ReplyBody, Site};
use crate::knowledge::Knowledge;
use crate::upstream::{Question, Upstream, gather};

/// How long something learned is believed.
const LIFE: Duration = Duration::from_secs(60);
/// How long it is believed that there is nothing, after the upstream said so.
const LIFE_OF_NOTHING: Duration = Duration::from_secs(15);
/// How soon an upstream that could not be asked is asked again.
const RETRY: Duration = Duration::from_secs(5);
/// How long an exchange may be held up by learning.
const LIMIT: Duration = Duration::from_secs(4);
/// How long one question may take.
const LIMIT_OF_ONE: Duration = Duration::from_millis(1500);
/// A document longer than this is no metadata.
const DOCUMENT_BYTES: usize = 256 * 1024;

/// What is known of the upstream, shared by all workers.
pub struct Learner {
    state: ArcSwap<State>,
    /// One learns at a time; the others go on with what is known, or wait if nothing is.
    turn: tokio::sync::Mutex<()>,
}

struct State {
    known: Arc<Knowledge>,
    /// When this has to be learned again; `None`: nothing was learned yet.
    until: Option<Instant>,
}

/// What one visit to the upstream brought.
struct Visit {
    known: Knowledge,
    reached: bool,
}

impl Default for Learner {
    fn default() -> Self {
        let nothing = State { known: Arc::default(), until: None };
        Self { state: ArcSwap::from_pointee(nothing), turn: tokio::sync::Mutex::default() }
    }
}

impl Learner {
    /// What is known now, however old.
    #[must_use]
    pub fn recall(&self) -> Arc<Knowledge> {
        self.state.load().known.clone()
    }

    /// What is known, if it was learned and is not too old.
    #[must_use]
    pub fn fresh(&self) -> Option<Arc<Knowledge>> {
        let state = self.state.load();
        state.is_fresh().then(|| state.known.clone())
    }

    /// What is known, learned now if it never was or is too old. Waits no longer than the limit.
    pub async fn known(&self, facts: &Facts, upstream: &Arc<Upstream>, headers: &HeaderMap) -> Arc<Knowledge> {
        let state = self.state.load_full();
        if state.is_fresh() {
            return state.known.clone();
        }
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) if state.until.is_some() => return state.known.clone(),
            Err(_) => self.turn.lock().await,
        };
        let state = self.state.load_full();
        if state.is_fresh() {
            return state.known.clone();
        }
        let visit = tokio::time::timeout(LIMIT, visit(facts, upstream, headers)).await;
        let (known, life) = match visit {
            Ok(Visit { known, reached: true }) if known == Knowledge::default() => (Arc::new(known), LIFE_OF_NOTHING),
            Ok(Visit { known, reached: true }) => (Arc::new(known), LIFE),
            // An upstream that is down is not one that has changed.
            Ok(Visit { .. }) | Err(_) => (state.known.clone(), RETRY),
        };
        tracing::debug!(?known, "learned about the upstream");
        self.state.store(Arc::new(State { known: known.clone(), until: Some(Instant::now() + life) }));
        known
    }
}

impl State {
    fn is_fresh(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

/// What a GET of the upstream brought: the head, and the body where it may be a document.
struct Fetched {
    reply: Reply,
    body: Bytes,
}

impl Fetched {
    /// The JSON object, if it was served as one.
    fn document(&self) -> Option<Object> {
        let served = self.reply.status == StatusCode::OK && self.reply.is_json();
        served.then(|| Object::parse(self.body.clone()).ok()).flatten()
    }
}

/// Asks the upstream for its metadata, everywhere they may be.
async fn visit(facts: &Facts, upstream: &Arc<Upstream>, headers: &HeaderMap) -> Visit {
    let mut visit = Visit { known: Knowledge::default(), reached: false };
    let places = endpoint::resource_metadata_places(&facts.mcp_path);
    visit.take_resource_metadata(upstream, headers, places).await;
    if visit.known.resource_metadata_path.is_none()
        && let Some(place) = visit.place_in_challenge(facts, upstream, headers).await
    {
        visit.take_resource_metadata(upstream, headers, vec![place]).await;
    }
    visit.find_server_metadata(facts, upstream, headers).await;
    visit
}

impl Visit {
    /// Takes the first of the places that has the document.
    async fn take_resource_metadata(&mut self, upstream: &Arc<Upstream>, headers: &HeaderMap, places: Vec<String>) {
        for (place, document) in self.documents(upstream, headers, places).await {
            if self.known.take_resource_metadata(&place, &document) {
                return;
            }
        }
    }

    /// The metadata of the upstream's own authorization server: of the listed issuers that are its own; without
    /// resource metadata, of the root (MCP 2025-03-26).
    async fn find_server_metadata(&mut self, facts: &Facts, upstream: &Arc<Upstream>, headers: &HeaderMap) {
        let mut issuers = self.known.own_issuer_paths(facts);
        if self.known.authorization_servers.is_empty() {
            issuers.push(String::new());
            issuers.push(facts.mcp_path.clone());
        }
        let mut places: Vec<String> = Vec::new();
        for place in issuers.iter().flat_map(|path| endpoint::server_metadata_places(path)) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        for (place, document) in self.documents(upstream, headers, places).await {
            let Some(issuer) = document.text("issuer") else { continue };
            let owned = Site { facts, known: &self.known }.owns(&issuer);
            if owned || self.serves_its_own_endpoints(upstream, headers, &document).await {
                self.known.take_server_metadata(facts, &place, &document);
                return;
            }
        }
    }

    /// Whether an issuer on an origin that nobody vouches for is the upstream under its public name, or a copy of
    /// another host's document: only in the first case is there a token endpoint here.
    async fn serves_its_own_endpoints(
        &mut self,
        upstream: &Arc<Upstream>,
        headers: &HeaderMap,
        document: &Object,
    ) -> bool {
        if self.known.resource_metadata_path.is_some() {
            return false;
        }
        let (Some(issuer), Some(token)) = (document.text("issuer"), document.text("token_endpoint")) else {
            return false;
        };
        let same_origin = Origin::of(&issuer).is_ok_and(|issuer| Origin::of(&token).is_ok_and(|token| token == issuer));
        let path = after_origin(&token).map(|rest| rest.split(['?', '#']).next().unwrap_or(rest));
        match path {
            Some(path) if same_origin && path.starts_with('/') => {
                // A GET of a token endpoint is refused, and changes nothing (RFC 6749 section 3.2).
                let fetched = fetch(upstream.clone(), headers.clone(), path.to_owned()).await;
                fetched.is_some_and(|fetched| fetched.reply.status != StatusCode::NOT_FOUND)
            }
            _ => false,
        }
    }

    /// Where the upstream's own challenge says that its resource metadata are, if that is on the upstream.
    async fn place_in_challenge(
        &mut self,
        facts: &Facts,
        upstream: &Arc<Upstream>,
        headers: &HeaderMap,
    ) -> Option<String> {
        let mut headers = headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let reply = fetch(upstream.clone(), headers, facts.mcp_path.clone()).await?.reply;
        if reply.status != StatusCode::UNAUTHORIZED {
            return None;
        }
        let challenges = Challenges::read(&reply.headers);
        let url = challenges.list.iter().find_map(|challenge| challenge.get("resource_metadata"))?;
        let site = Site { facts, known: &self.known };
        let path = if url.starts_with('/') { url } else { after_origin(url).filter(|_| site.owns(url))? };
        endpoint::is_plain(path).then(|| path.to_owned())
    }

    /// The documents at some places, asked for all at once, in the order of the places.
    async fn documents(
        &mut self,
        upstream: &Arc<Upstream>,
        headers: &HeaderMap,
        places: Vec<String>,
    ) -> Vec<(String, Object)> {
        let asks: Vec<_> = places
            .into_iter()
            .map(|place| {
                let asking = tokio::spawn(fetch(upstream.clone(), headers.clone(), place.clone()));
                (place, AbortOnDropHandle::new(asking))
            })
            .collect();
        let mut found = Vec::new();
        for (place, asking) in asks {
            let Ok(Some(fetched)) = asking.await else { continue };
            self.reached = true;
            found.extend(fetched.document().map(|document| (place, document)));
        }
        found
    }
}

/// One GET, within its time.
async fn fetch(upstream: Arc<Upstream>, headers: HeaderMap, path: String) -> Option<Fetched> {
    tokio::time::timeout(LIMIT_OF_ONE, get(&upstream, headers, &path)).await.ok().flatten()
}

async fn get(upstream: &Arc<Upstream>, headers: HeaderMap, path: &str) -> Option<Fetched> {
    let question = Question {
        method: Method::GET,
        target: path.parse::<Uri>().ok()?,
        headers,
        body: RequestBody::Empty,
        upload: Upload::begun(Instant::now()),
    };
    let (answer, lease) = upstream.ask(question).await.ok()?;
    let (parts, incoming) = answer.into_parts();
    let reply = Reply { status: parts.status, headers: parts.headers, body: ReplyBody::Stream };
    if !reply.is_json() {
        // The connection goes with the body: an event stream would never end.
        return Some(Fetched { reply, body: Bytes::new() });
    }
    let body = gather(incoming, DOCUMENT_BYTES).await.ok()?;
    lease.give_back(Instant::now());
    Some(Fetched { reply, body })
}
