//! What may be written and shown of an exchange: its shape, without its secrets. Pure.
//!
//! By allowlist: a value is kept only where its place or its very word is known to be harmless. All
//! others become `#` and eight hexadecimal digits of a keyed hash: the same value is the same text as long as the
//! process runs, so that one sees that a code was used twice, and nobody can find the value by trying, for the key
//! is random and never written. What is kept is searched for the secrets of the exchange in whatever coding.

mod body;
mod facts;
mod headers;
mod json;
mod others;
mod rules;
mod secrets;
#[cfg(test)]
mod tests;
mod unseen;
mod urls;
mod words;

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::counters::SkipReason;
use crate::edit::json::Object;
use crate::ending::Ending;
use crate::endpoint::Class;
use crate::exchange::Facts;
use crate::knowledge::{Foreign, Knowledge};
use crate::plan::Fired;
use crate::tape::{Asked, Came, RecordedExchange, SiteFacts};

use body::has_body;
pub use facts::{Key, Kind, Signs};
use rules::Rule;
use secrets::{Secrets, Seen};
pub use unseen::plain;
pub use urls::path_for_logs;

/// Text that is kept is cut behind so many characters; a header's value, behind so many.
const LONGEST_TEXT: usize = 240;
const LONGEST_VALUE: usize = 2048;

/// Letters of private use, which stand for secrets while a text is being read.
const STANDS_FOR: std::ops::RangeInclusive<char> = '\u{e000}'..='\u{e17f}';

/// Stands for a word that is not shown.
const UNSAID: &str = "xxx";

/// Stands for a body that was not looked at.
pub const NOT_KEPT: &str = "(not kept)";

/// Takes the secrets out of exchanges.
pub struct Redactor {
    mac: Hmac<Sha256>,
    /// Hosts that the operator names: they are no secret to whoever reads this.
    hosts: Vec<String>,
    /// As are these paths.
    paths: Vec<String>,
    /// Secrets of other exchanges that are all known before the first is shown.
    secrets: Vec<String>,
    seen: Seen,
    /// The site, with the keys that its session ids are sealed with, and with the one that they are written with.
    sealed: Option<(Facts, Facts)>,
}

/// An exchange of which everything may be written.
#[derive(Clone, Debug)]
pub struct Redacted {
    pub number: u64,
    pub began: SystemTime,
    /// `None`: the request was for no site.
    pub site: Option<Arc<SiteFacts>>,
    pub client: IpAddr,
    /// The `User-Agent`.
    pub agent: String,
    pub class: Class,
    pub asked: Message,
    pub turns: Vec<(Message, Option<Message>)>,
    pub answered: Message,
    pub fired: Vec<Fired>,
    /// What was known of the upstream: documents that anybody can read, kept for the replay of a capture.
    pub known: Arc<Knowledge>,
    pub untouched: Option<SkipReason>,
    pub refused: Option<(&'static str, &'static str)>,
    pub first_byte: Duration,
    pub total: Duration,
    pub bytes: u64,
    pub ending: Option<Ending>,
    /// What ties it to others, and what it was about.
    pub signs: Signs,
}

/// A request or an answer, ready to be written in the form that examples use (`example.rs`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// `METHOD /target` or the status.
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Message {
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = self.start.clone();
        for (name, value) in &self.headers {
            out.push_str(&format!("\n{name}: {value}"));
        }
        if !self.body.is_empty() {
            out.push_str("\n\n");
            out.push_str(&self.body);
        }
        out
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The path of a request, without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.start.split_once(' ').map_or("", |(_, target)| target);
        target.split('?').next().unwrap_or_default()
    }

    /// The status of an answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.start.parse().unwrap_or(0)
    }
}

impl Redactor {
    /// With a key that is random for each process and that nobody is told.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        // A shorter key is filled up with zeros (RFC 2104 section 2).
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key);
        Self {
            mac: Hmac::new(&block.into()),
            hosts: Vec::new(),
            paths: Vec::new(),
            secrets: Vec::new(),
            seen: Seen::default(),
            sealed: None,
        }
    }

    /// What stands for a value.
    #[must_use]
    pub fn hash(&self, value: &str) -> String {
        format!("#{:08x}", self.number(value) >> 32)
    }

    /// The longer hash that ties exchanges together, never written.
    #[must_use]
    pub fn number(&self, value: &str) -> u64 {
        let digest = self.mac.clone().chain_update(value.as_bytes()).finalize().into_bytes();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The path that was asked, without its query and its secrets.
    #[must_use]
    pub fn path(&self, taped: &RecordedExchange) -> String {
        let pass = self.pass(&taped.known);
        pass.asked(taped.class, &taped.asked);
        pass.secrets.settle();
        pass.target(taped.asked.target.path())
    }

    fn pass(&self, known: &Knowledge) -> Pass<'_> {
        Pass {
            redactor: self,
            secrets: Secrets::collecting(self),
            own_paths: own_paths(self, known),
            is_refusal: Cell::new(false),
        }
    }

    /// The exchange with its secrets taken out.
    #[must_use]
    pub fn redact(&self, taped: &RecordedExchange) -> Redacted {
        let pass = self.pass(&taped.known);
        // Once in order to know all secrets, and once without them.
        pass.exchange(taped);
        pass.secrets.settle();
        let (asked, turns, answered) = pass.exchange(taped);
        let agent = asked.headers.iter().find(|(name, _)| name == "user-agent").map(|(_, value)| value.clone());
        let fired = taped.fired.iter().map(|fired| pass.fired(fired)).collect();
        Redacted {
            number: taped.number,
            began: taped.began,
            site: taped.site.clone(),
            client: taped.client,
            agent: agent.unwrap_or_default(),
            class: taped.class,
            signs: facts::signs(self, taped),
            asked,
            turns,
            answered,
            fired,
            known: Arc::new(pass.known(&taped.known)),
            untouched: taped.untouched,
            refused: taped.refused,
            first_byte: taped.first_byte,
            total: taped.total,
            bytes: taped.bytes,
            ending: taped.ending,
        }
    }
}

fn own_paths(redactor: &Redactor, known: &Knowledge) -> Vec<String> {
    let endpoints = &known.endpoints;
    let all = [
        &endpoints.paths().authorize,
        &endpoints.paths().token,
        &endpoints.paths().register,
        &endpoints.paths().revoke,
    ];
    let documents = known.resource_metadata_path.iter().chain(&known.server_metadata_path);
    all.into_iter().chain(documents).chain(&redactor.paths).cloned().collect()
}

/// One reading of one exchange.
struct Pass<'a> {
    redactor: &'a Redactor,
    secrets: Secrets<'a>,
    own_paths: Vec<String>,
    /// Whether what is being read is a refusal: then its sentences matter.
    is_refusal: Cell<bool>,
}

impl Pass<'_> {
    fn exchange(&self, taped: &RecordedExchange) -> (Message, Vec<(Message, Option<Message>)>, Message) {
        let turn = |asked: &Asked| self.asked(taped.class, asked);
        let asked = turn(&taped.asked);
        let turns = taped
            .turns
            .iter()
            .map(|each| (turn(&each.asked), each.came.as_ref().map(|came| self.came(taped.class, came))))
            .collect();
        (asked, turns, self.came(taped.class, &taped.answered))
    }

    fn asked(&self, class: Class, asked: &Asked) -> Message {
        self.is_refusal.set(false);
        Message {
            start: format!("{} {}", asked.method, self.target(asked.target.as_str())),
            headers: self.headers(&asked.headers),
            body: if has_body(asked) { self.body(class, &asked.headers, &asked.body) } else { String::new() },
        }
    }

    fn came(&self, class: Class, came: &Came) -> Message {
        self.is_refusal.set(!came.status.is_success() && !came.status.is_redirection());
        Message {
            start: came.status.as_str().to_owned(),
            headers: self.headers(&came.headers),
            body: self.body(class, &came.headers, &came.body),
        }
    }

    fn fired(&self, fired: &Fired) -> Fired {
        let mut fired = fired.clone();
        fired.finding.what = self.words(&fired.finding.what).into();
        fired
    }

    /// What is known of the upstream is what anybody can ask it; still nothing is kept that is not on the list.
    fn known(&self, known: &Knowledge) -> Knowledge {
        let url = |text: &String| self.url(text);
        let document = |document: &Object| {
            let text = document.to_bytes();
            let shown = self.json(json::Language::OAuth, &String::from_utf8_lossy(&text))?;
            Object::parse(shown.into()).ok()
        };
        let words = |list: &Vec<String>| list.iter().map(|word| self.word(word)).collect();
        Knowledge {
            resource: known.resource.as_ref().map(url),
            authorization_servers: known.authorization_servers.iter().map(url).collect(),
            resource_document: known.resource_document.as_ref().and_then(document),
            issuer: known.issuer.as_ref().map(url),
            server_document: known.server_document.as_ref().and_then(document),
            foreign: known.foreign.as_ref().map(|foreign| Foreign {
                listed: self.url(&foreign.listed),
                issuer: self.url(&foreign.issuer),
                authorization_endpoint: foreign.authorization_endpoint.as_ref().map(url),
            }),
            auth_methods: known.auth_methods.as_ref().map(words),
            pkce_methods: known.pkce_methods.as_ref().map(words),
            scopes: known.scopes.as_ref().map(|list| list.iter().map(|scope| self.by(Rule::Scope, scope)).collect()),
            ..known.clone()
        }
    }

    /// A secret: it stands nowhere.
    fn secret(&self, value: &str) -> String {
        self.secrets.add_proper(value);
        self.redactor.hash(value)
    }

    /// A value that is nobody's business.
    fn value(&self, value: &str) -> String {
        if words::looks_made(value) {
            self.secrets.add(value);
        }
        self.redactor.hash(value)
    }

    /// A name that somebody gave to a member, a parameter, a header.
    fn name(&self, text: &str) -> String {
        if words::is_name(text) && self.secrets.found_in(text).is_none() {
            text.to_owned()
        } else {
            self.redactor.hash(text)
        }
    }

    /// A word out of a list that is open: an error code, a grant type.
    fn word(&self, text: &str) -> String {
        let is_kept = text.is_empty() || words::is_protocol(text) || words::is_name(text);
        if is_kept && self.secrets.found_in(text).is_none() { text.to_owned() } else { self.redactor.hash(text) }
    }

    /// Text for people: kept but for what looks made by a machine, and for the secrets of the exchange.
    fn words(&self, text: &str) -> String {
        self.words_up_to(text, LONGEST_TEXT)
    }

    fn words_up_to(&self, text: &str, most: usize) -> String {
        let mut text: String = text.chars().take(most).filter(|c| !STANDS_FOR.contains(c)).collect();
        let secrets = self.secrets.plainly_in(&text);
        for (secret, letter) in secrets.iter().zip(STANDS_FOR) {
            text = text.replace(secret, &letter.to_string());
        }
        let is_end = |c: char| {
            STANDS_FOR.contains(&c) || c.is_whitespace() || unseen::is_unseen(c) || "\"',;()<>{}[]|".contains(c)
        };
        let mut out = String::new();
        for piece in text.split_inclusive(is_end) {
            let word = piece.trim_end_matches(is_end);
            let end = &piece[word.len()..];
            match self.secrets.found_in(word) {
                Some(secret) => out.push_str(&self.redactor.hash(&secret)),
                None if self.is_own(word) => out.push_str(word),
                None if word.contains("://") => out.push_str(&self.link(word)),
                None if words::tells_whom(word) => out.push_str(&self.redactor.hash(word)),
                None => out.push_str(word),
            }
            out.push_str(if end.chars().any(unseen::is_unseen) { " " } else { end });
        }
        for (secret, letter) in secrets.iter().zip(STANDS_FOR) {
            out = out.replace(letter, &self.redactor.hash(secret));
        }
        // A coding may go over several words.
        if let Some(secret) = self.secrets.found_in(&out) { self.redactor.hash(&secret) } else { out }
    }

    /// A sentence of a refusal: only words that refusals are made of; a hash if there are none.
    fn refusal(&self, text: &str) -> String {
        let (mut out, mut known) = (String::new(), false);
        for word in text.split_whitespace().take(40) {
            if !out.is_empty() {
                out.push(' ');
            }
            let mut parts = word.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(words::parts_of);
            let is_kept = word.len() <= 40 && parts.all(words::is_of_refusals);
            known |= is_kept;
            out.push_str(if is_kept { word } else { UNSAID });
        }
        if !known || self.secrets.found_in(&out).is_some() { self.value(text) } else { out }
    }

    /// A URL in a text, and what stands before it without a blank.
    fn link(&self, word: &str) -> String {
        let start = word
            .find("://")
            .map_or(0, |at| word[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1));
        let (before, url) = word.split_at_checked(start).unwrap_or(("", word));
        let before = if words::tells_whom(before) { self.redactor.hash(before) } else { before.to_owned() };
        before + &self.url(url)
    }

    /// Whether a word is a host that the operator named, as it stands in a header.
    fn is_own(&self, word: &str) -> bool {
        let host = word.rsplit_once("://").map_or(word, |(_, host)| host);
        self.redactor.hosts.iter().any(|own| own == host)
    }
}
