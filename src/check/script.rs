//! The script of a check: every question, in the order in which a client meets them.

use http::Method;
use http::header::ORIGIN;
use serde_json::json;

use super::login::{self, Client};
use super::probes::{self, Caller};
use super::stand::Probe;
use super::walk::{Walk, Walked, has_result};
use crate::endpoint;
use crate::learn;

/// So many questions without an answer are enough.
const FIRST_QUESTIONS: usize = 3;

impl Walk<'_> {
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
        self.walked.known = learn::know_all(self.stand.runtime(), self.stand.upstream()).await;
    }

    /// Whether the first questions got no answer, nor those before them: then none is to be expected.
    fn is_nobody_there(&self) -> bool {
        let known = self.stand.runtime().learner.recall();
        let has_learned = !known.is_without_oauth() || known.anonymous_status.is_some();
        self.walked.seen.len() >= FIRST_QUESTIONS && !self.walked.is_reached() && !has_learned
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
            let paths = self.walked.known.endpoints.paths().clone();
            preflights.push(("a page's preflight to register", paths.register, "POST", probes::PAGE));
            preflights.push(("a page's preflight for a token", paths.token, "POST", probes::PAGE));
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
                self.ask(probes::bad_authorization(&endpoint::Paths::default().authorize)).await;
            }
            return;
        }
        let (named, guessed) = (self.walked.known.endpoints.paths().clone(), endpoint::Paths::default());
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

    /// Registers one client, and asks what becomes of a registration that nobody can take.
    async fn register(&mut self) {
        if !self.walked.known.has_own_authorization_server() {
            self.walked.missing.push("no registration: the server has no authorization server of its own".into());
            return;
        }
        let client = Client::like(&self.wish.profile(), None);
        for path in distinct([&self.walked.known.endpoints.paths().register, &endpoint::Paths::default().register]) {
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
        let path = self.walked.known.endpoints.paths().register.clone();
        self.ask(client.registration(&path)).await;
    }

    async fn log_in(&mut self) -> Option<String> {
        let outcome = login::log_in(self).await;
        self.walked.missing.extend(outcome.missing);
        outcome.token
    }
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
