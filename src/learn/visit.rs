//! One visit to the upstream: what is asked, in which order, and what the answers teach.

mod registration;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;
use tokio::time::Instant;

use url::Url;

use super::ask::{Ask, Fetched, Patience, ask_all, head};
use super::read::{complete, is_oauth_error, is_refusal, is_same_issuer, may_be_authorization, speaks_of_pkce};
use crate::documents;
use crate::edit::challenge::Challenges;
use crate::edit::json::Object;
use crate::edit::origin::{Origin, after_origin};
use crate::endpoint;
use crate::exchange::{Facts, Site};
use crate::knowledge::{Foreign, Knowledge};
use crate::learner::Visit;
use crate::runtime::Runtime;
use crate::tls::client::Trust;
use crate::upstream::{Limits, Target, Upstream};

/// A message that asks for nothing and needs no session (MCP, basic/utilities/ping).
const PING: &str = r#"{"jsonrpc":"2.0","id":"mcp-mend","method":"ping"}"#;
/// A token request that no server can grant, and that lacks what PKCE demands.
const BAD_GRANT: &str =
    "grant_type=authorization_code&code=mcp-mend&client_id=mcp-mend&redirect_uri=http%3A%2F%2F127.0.0.1%2F";
/// A refresh that no server can grant.
const BAD_REFRESH: &str = "grant_type=refresh_token&refresh_token=mcp-mend&client_id=mcp-mend";
/// An authorization request of a client that does not exist, without what PKCE demands.
const BAD_AUTHORIZATION: &str =
    "response_type=code&client_id=mcp-mend&redirect_uri=http%3A%2F%2F127.0.0.1%2F&state=mcp-mend";

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(4);
/// The same for whoever stands in for a client: the server may be a proxy that is on its own first visit.
const QUESTION_OF_A_CLIENT: Duration = Duration::from_secs(12);
/// How long a visit may take: a little less than those wait who know nothing.
const LIMIT: Duration = Duration::from_secs(9);

/// How long one question of a runtime may take.
pub(super) fn question_limit(runtime: &Runtime) -> Duration {
    if runtime.as_client { QUESTION_OF_A_CLIENT } else { QUESTION }
}

/// Asks the upstream for its metadata, everywhere they may be, and for what they do not say. On the last of several visits that
/// left something open, what was not answered counts as absent.
pub(super) async fn visit(runtime: &Arc<Runtime>, upstream: &Arc<Upstream>, is_last: bool) -> Visit {
    let limit = question_limit(runtime);
    let mut visitor = Visitor {
        runtime,
        upstream,
        facts: Arc::new(runtime.facts.clone()),
        headers: head(runtime, &runtime.target.authority),
        known: Knowledge::default(),
        patience: Patience::new(limit, Instant::now() + LIMIT.max(2 * limit)),
        is_last,
        reached: false,
        is_open: false,
    };
    visitor.look_at_endpoint_and_metadata().await;
    visitor.look_at_endpoints().await;
    visitor.look_at_foreign_server().await;
    let Visitor { known, reached, is_open, .. } = visitor;
    Visit { known, reached, is_open }
}

struct Visitor<'a> {
    runtime: &'a Arc<Runtime>,
    upstream: &'a Arc<Upstream>,
    facts: Arc<Facts>,
    headers: HeaderMap,
    known: Knowledge,
    patience: Patience,
    is_last: bool,
    reached: bool,
    is_open: bool,
}

impl Visitor<'_> {
    fn site(&self) -> Site<'_> {
        Site { facts: &self.facts, known: &self.known }
    }

    fn get(&self, target: impl Into<String>) -> Ask {
        Ask::get(&self.headers, target)
    }

    /// The MCP endpoint as a stranger sees it, and both kinds of metadata.
    async fn look_at_endpoint_and_metadata(&mut self) {
        let mcp = self.facts.mcp_path.clone();
        let places = endpoint::resource_metadata_places(&mcp);
        let count = places.len();
        let mut asks: Vec<Ask> = places.into_iter().map(|place| self.get(place)).collect();
        asks.push(self.get(mcp.clone()).accepting("text/event-stream").that_may_wait());
        let guesses: Vec<String> =
            ["", mcp.as_str()].iter().flat_map(|path| endpoint::server_metadata_places(path)).collect();
        asks.extend(guesses.iter().map(|place| self.get(place.clone())));
        let mut answers = self.ask_all(asks).await;
        if !self.reached {
            return;
        }
        let servers = answers.split_off(count + 1);
        let get = answers.pop().flatten();
        self.take_resource_metadata(answers);
        let pointed = get.as_ref().and_then(|fetched| self.place_in_challenge(fetched));
        if let (None, Some(place)) = (&self.known.resource_metadata_path, pointed) {
            let found = self.ask_all(vec![self.get(place)]).await;
            self.take_resource_metadata(found);
        }
        self.find_server_metadata(servers).await;
        self.note_stranger(get.as_ref()).await;
    }

    /// How a stranger is received. A GET that is refused says it all; if it is not, at a server that people log in to, a
    /// message has to show.
    async fn note_stranger(&mut self, get: Option<&Fetched>) {
        let status = get.map(|fetched| fetched.reply.status);
        self.known.anonymous_status = status.filter(|status| is_refusal(*status));
        if self.known.is_without_oauth() || self.known.anonymous_status.is_some() || !self.reached {
            return;
        }
        self.known.anonymous_status = self.ping().await;
        let is_let_in = status.is_none_or(|status| status.is_success());
        self.known.open_get = is_let_in && self.known.anonymous_status.is_some_and(is_refusal);
    }

    /// What a message of a stranger is answered with.
    async fn ping(&mut self) -> Option<StatusCode> {
        let ask = Ask::post(&self.headers, self.facts.mcp_path.clone(), JSON, PING)
            .accepting("application/json, text/event-stream");
        let answers = self.ask_all(vec![ask]).await;
        let fetched = answers.into_iter().flatten().next()?;
        fetched.reply.reception(fetched.object().as_ref())
    }

    /// Takes the first of the answers that is the document.
    fn take_resource_metadata(&mut self, answers: Vec<Option<Fetched>>) {
        for fetched in answers.into_iter().flatten() {
            let document = fetched.document();
            if document.is_some_and(|document| self.known.take_resource_metadata(&fetched.target, &document)) {
                return;
            }
        }
    }

    /// The metadata of the upstream's own authorization server: of the listed issuers that are its own; without
    /// resource metadata, of the root (MCP 2025-03-26).
    async fn find_server_metadata(&mut self, guessed: Vec<Option<Fetched>>) {
        let own = self.known.own_issuer_paths(&self.facts);
        let mut answers = if own.is_empty() { Vec::new() } else { self.at_issuers(&own).await };
        // Where the listed server is another host's, what lies here is a copy.
        if self.known.authorization_servers.is_empty() || !own.is_empty() {
            answers.extend(guessed);
        }
        let listed = !own.is_empty();
        let (mut best, mut all): (Option<(String, Object)>, Vec<Object>) = (None, Vec::new());
        for fetched in answers.into_iter().flatten() {
            let Some(document) = fetched.document() else { continue };
            let document = documents::straightened(&document).unwrap_or(document);
            if !documents::is_server_metadata(&document) {
                continue;
            }
            if !self.is_own(&document).await {
                self.note_foreign_copy(&document);
                continue;
            }
            all.push(document.clone());
            match &mut best {
                None => best = Some((fetched.target, document)),
                // The other kind of document may say what the first does not.
                Some((_, first)) => complete(first, &document),
            }
        }
        match best {
            Some((place, document)) => {
                self.known.foreign = None;
                self.known.take_server_metadata(&self.facts, &place, &document);
                for document in all {
                    self.known.take_further_endpoints(&document);
                }
            }
            None if listed || self.known.authorization_servers.is_empty() => self.try_defaults().await,
            None => {}
        }
    }

    async fn at_issuers(&mut self, paths: &[String]) -> Vec<Option<Fetched>> {
        let mut places: Vec<String> = Vec::new();
        for place in paths.iter().flat_map(|path| endpoint::server_metadata_places(path)) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let asks = places.into_iter().map(|place| self.get(place)).collect();
        self.ask_all(asks).await
    }

    /// Whether a document speaks for the upstream itself: by its issuer or by its token endpoint. One whose URLs are all
    /// on an origin that nobody vouches for is either the upstream under its public name or a copy of another host's
    /// document: only in the first case is there a token endpoint here.
    async fn is_own(&mut self, document: &Object) -> bool {
        let issuer = document.text("issuer").filter(|issuer| !issuer.is_empty());
        let Some(token) = document.text("token_endpoint") else {
            return issuer.is_some_and(|issuer| self.site().owns(&issuer));
        };
        if issuer.as_deref().is_some_and(|issuer| self.site().owns(issuer)) || token.starts_with('/') {
            return true;
        }
        if self.site().owns(&token) {
            return true;
        }
        let Some(issuer) = issuer else { return false };
        let same_origin = Origin::of(&issuer).is_ok_and(|issuer| Origin::of(&token).is_ok_and(|token| token == issuer));
        let path = after_origin(&token).map(|rest| rest.split(['?', '#']).next().unwrap_or(rest));
        match path {
            Some(path) if same_origin && path.starts_with('/') => self.has_token_endpoint(path).await,
            _ => false,
        }
    }

    /// Whether a token endpoint answers there: with an OAuth error, or by refusing a GET (RFC 6749 section 3.2). What the server
    /// says at a path beside it as well is no sign: many ask for a login everywhere, or show a page.
    async fn has_token_endpoint(&mut self, path: &str) -> bool {
        let beside = format!("{path}-mcp-mend");
        let post = |path: &str| Ask::post(&self.headers, path, FORM, BAD_GRANT);
        let asks = vec![post(path), post(&beside), self.get(path), self.get(&beside)];
        let answers = self.ask_all(asks).await;
        let [posted, posted_beside, got, got_beside] = answers.as_slice() else { return false };
        let refuses = |answer: &Option<Fetched>| answer.as_ref().is_some_and(is_oauth_error);
        let status = |answer: &Option<Fetched>| answer.as_ref().map(|answer| answer.reply.status);
        let is_there = status(got).is_some_and(|status| status != StatusCode::NOT_FOUND);
        (refuses(posted) && !refuses(posted_beside)) || (is_there && status(got) != status(got_beside))
    }

    /// A copy of another host's document names that host's server, even where the upstream lists itself.
    fn note_foreign_copy(&mut self, document: &Object) {
        let Some(issuer) = document.text("issuer").filter(|issuer| after_origin(issuer).is_some()) else { return };
        self.known.foreign.get_or_insert_with(|| Foreign {
            listed: issuer.clone(),
            issuer,
            authorization_endpoint: document.text("authorization_endpoint"),
        });
    }

    /// No metadata anywhere: the endpoints may still be at the default paths, if there is something to log in to. A
    /// server without an authorization page is asked nothing more. While a question is open, the document may still come
    /// and say something else.
    async fn try_defaults(&mut self) {
        if self.known.foreign.is_some() || self.is_open && !self.is_last {
            return;
        }
        let defaults = endpoint::Paths::default();
        let page = self.get(format!("{}?{BAD_AUTHORIZATION}", defaults.authorize));
        let authorize = self.ask_all(vec![page]).await.pop().flatten();
        let Some(authorize) = authorize.filter(may_be_authorization) else { return };
        if !self.ping().await.is_some_and(is_refusal) {
            return;
        }
        let token = self.ask_all(vec![Ask::post(&self.headers, defaults.token, FORM, BAD_GRANT)]).await.pop().flatten();
        let Some(token) = token.filter(is_oauth_error) else { return };
        self.known.checks_pkce = [&token, &authorize].into_iter().any(speaks_of_pkce);
        self.known.registers = registration::is_taken(self, defaults.register).await;
        self.known.take_defaults(&self.facts);
    }

    /// What the metadata of the upstream's own server leave open is asked of its endpoints.
    async fn look_at_endpoints(&mut self) {
        let (Some(document), Some(_)) = (self.known.server_document.clone(), &self.known.server_metadata_path) else {
            return;
        };
        // Where what is required is missing, silence about the rest means nothing (RFC 8414 section 2).
        let required = ["authorization_endpoint", "token_endpoint", "response_types_supported"];
        if !required.iter().all(|name| document.has(name)) {
            return;
        }
        let empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
        let paths = self.known.endpoints.paths().clone();
        let mut asks = Vec::new();
        let asks_pkce = empty(&self.known.pkce_methods);
        if asks_pkce {
            asks.push(Ask::post(&self.headers, paths.token.clone(), FORM, BAD_GRANT));
            asks.push(self.get(format!("{}?{BAD_AUTHORIZATION}", paths.authorize)));
        }
        let grants = crate::knowledge::strings(document.get("grant_types_supported"));
        let asks_refresh = grants.is_some_and(|grants| !grants.iter().any(|grant| grant == "refresh_token"));
        if asks_refresh {
            asks.push(Ask::post(&self.headers, paths.token, FORM, BAD_REFRESH));
        }
        if document.text("registration_endpoint").is_none_or(|url| url.is_empty()) {
            self.known.registers = registration::is_taken(self, paths.register).await;
        }
        let mut answers = self.ask_all(asks).await.into_iter();
        if asks_pkce {
            let both = [answers.next(), answers.next()];
            self.known.checks_pkce = both.into_iter().flatten().flatten().any(|fetched| speaks_of_pkce(&fetched));
        }
        if asks_refresh {
            let refused = answers.next().flatten().and_then(|fetched| fetched.object()?.text("error"));
            self.known.refreshes = refused.as_deref() == Some("invalid_grant");
        }
    }

    /// The issuer of a listed server on another host, as that server itself writes it.
    async fn look_at_foreign_server(&mut self) {
        let listed = self.known.authorization_servers.iter().find(|listed| !self.site().owns(listed)).cloned();
        let Some(listed) = listed.filter(|_| self.known.issuer.is_none()) else { return };
        let Some(server) = self.foreign_upstream(&listed).await else { return };
        let Some(url) = Url::parse(&listed).ok().filter(|url| endpoint::is_unambiguous(url.path())) else { return };
        let headers = head(self.runtime, &server.target().authority);
        let asks: Vec<Ask> =
            endpoint::server_metadata_places(url.path()).into_iter().map(|place| Ask::get(&headers, place)).collect();
        let facts = Arc::new(Facts { upstream: server.target().origin.clone(), ..(*self.facts).clone() });
        let answers = ask_all(&server, &facts, &mut self.patience.afresh(), asks).await;
        self.is_open |= answers.iter().any(Option::is_none);
        for fetched in answers.into_iter().flatten() {
            let Some(document) = fetched.document().filter(documents::is_server_metadata) else { continue };
            let Some(issuer) = document.text("issuer").filter(|issuer| is_same_issuer(issuer, &listed)) else {
                continue;
            };
            let authorization_endpoint = document.text("authorization_endpoint");
            self.known.foreign = Some(Foreign { listed, issuer, authorization_endpoint });
            return;
        }
    }

    /// How to ask another host that the upstream's own metadata name: over TLS, or on loopback.
    async fn foreign_upstream(&self, url: &str) -> Option<Arc<Upstream>> {
        let origin = Origin::of(url).ok()?;
        // Who is not on this machine itself has no business here.
        let is_neighbour = origin.is_loopback() && self.facts.upstream.is_loopback();
        if !is_neighbour && (!origin.is_secure() || origin.is_loopback()) {
            return None;
        }
        let trust = Trust { ca_file: self.runtime.ca_file.clone(), ..Trust::default() };
        let limits = Limits { connect: Duration::from_secs(1), ..self.runtime.target.limits };
        // Reading the platform's certificates takes a while.
        let target = tokio::task::spawn_blocking(move || Target::to(origin, limits, &trust)).await.ok()?.ok()?;
        Some(Upstream::new(Arc::new(target)))
    }

    /// Where the upstream's own challenge says that its resource metadata are, if that is on the upstream.
    fn place_in_challenge(&self, fetched: &Fetched) -> Option<String> {
        if fetched.reply.status != StatusCode::UNAUTHORIZED {
            return None;
        }
        let challenges = Challenges::read(&fetched.reply.headers);
        let url = challenges.list.iter().find_map(|challenge| challenge.get("resource_metadata"))?;
        let path = if url.starts_with('/') { url } else { after_origin(url).filter(|_| self.site().owns(url))? };
        endpoint::is_plain(path).then(|| path.to_owned())
    }

    async fn ask_all(&mut self, asks: Vec<Ask>) -> Vec<Option<Fetched>> {
        let may_wait: Vec<bool> = asks.iter().map(|ask| ask.may_wait).collect();
        let answers = ask_all(self.upstream, &self.facts, &mut self.patience, asks).await;
        self.reached |= answers.iter().any(Option::is_some);
        let is_open = |(answer, may_wait): (&Option<Fetched>, bool)| match answer {
            Some(answer) => answer.may_pass(),
            None => !may_wait,
        };
        self.is_open |= answers.iter().zip(may_wait).any(is_open);
        answers
    }

    async fn ask(&mut self, ask: Ask) -> Option<Fetched> {
        self.ask_all(vec![ask]).await.pop().flatten()
    }
}
