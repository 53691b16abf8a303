//! One flow: what has been reached, what came last, and the sentence that can be said of it.

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::endpoint::Class;
use crate::redact::{Key, Kind, Redacted};

/// So many exchanges of a flow are kept, and so many keys.
pub const MOST_EXCHANGES: usize = 200;
const MOST_KEYS: usize = 128;
/// After so much silence it can be said that nothing came.
pub const SILENCE: Duration = Duration::from_secs(60);

/// The steps of connecting, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Discovery,
    Registration,
    Authorize,
    Token,
    Initialize,
    Tools,
}

impl Phase {
    pub const ALL: [Self; 6] =
        [Self::Discovery, Self::Registration, Self::Authorize, Self::Token, Self::Initialize, Self::Tools];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Registration => "registration",
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Initialize => "initialize",
            Self::Tools => "tools",
        }
    }

    /// The step that an exchange is, if any, and whether it was taken.
    #[must_use]
    pub fn of(exchange: &Redacted) -> Option<(Self, bool)> {
        let status = exchange.answered.status();
        let (signs, is_success) = (&exchange.signs, (200..300).contains(&status));
        if exchange.asked.method() == "OPTIONS" {
            return None;
        }
        match exchange.class {
            Class::ResourceMetadata | Class::ServerMetadata | Class::Keys => Some((Self::Discovery, is_success)),
            Class::Register => Some((Self::Registration, signs.is_registered)),
            Class::Token => Some((Self::Token, signs.is_granted)),
            Class::Authorize | Class::Other if signs.is_authorized => Some((Self::Authorize, true)),
            Class::Authorize => Some((Self::Authorize, (200..400).contains(&status) && !is_error(exchange))),
            Class::Mcp | Class::LegacyPost | Class::LegacySse if status == 401 && !signs.has_token => {
                Some((Self::Discovery, true))
            }
            Class::Mcp | Class::LegacyPost => {
                let is_taken = is_success && !signs.is_error;
                match signs.rpc.as_deref()? {
                    "initialize" | "server/discover" => Some((Self::Initialize, is_taken)),
                    "tools/list" | "tools/call" => Some((Self::Tools, is_taken)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Whether a redirect carries an error.
fn is_error(exchange: &Redacted) -> bool {
    let to = exchange.answered.headers.iter().find(|(name, _)| name == "location");
    to.is_some_and(|(_, to)| to.split(['?', '#']).skip(1).any(|part| crate::edit::params::has(part, "error")))
}

/// What can be said of a flow. The closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sentence {
    AfterToken,
    NeverAuthorized,
    AfterChallenge,
    NoTokenRequest,
    TokenRefused { ms: u64 },
}

/// What is said when nobody came at all.
pub const NOBODY: &str = "no request has reached us from a hosted client";

impl Sentence {
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::AfterToken => {
                "token 200, then nothing for 60 s: the client has its token and does not come back".into()
            }
            Self::NeverAuthorized => "registered, then nothing: the authorize page was never opened".into(),
            Self::AfterChallenge => "challenge sent, then nothing: the client never asked for the metadata".into(),
            Self::NoTokenRequest => {
                "authorize answered, no token request came: the code did not reach the client".into()
            }
            Self::TokenRefused { ms } => format!("401 with a token, {ms} ms: the server refuses its own token"),
        }
    }

    /// Whether the operator is told at once, in the log.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::AfterToken | Self::NeverAuthorized)
    }
}

/// Who asks, without knowing more: all of its requests at one site may be one login.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// What the site is called; `None`: the requests were for no site.
    site: Option<String>,
    client: IpAddr,
    agent: String,
}

impl Source {
    #[must_use]
    pub fn of(exchange: &Redacted) -> Self {
        Self { site: site_of(exchange), client: exchange.client, agent: exchange.agent.clone() }
    }
}

fn site_of(exchange: &Redacted) -> Option<String> {
    exchange.site.as_ref().map(|site| site.name.clone())
}

/// Exchanges of one login, all of them at one site.
#[derive(Debug)]
pub struct Flow {
    pub id: u64,
    /// What the site is called; `None`: the requests were for no site.
    pub site: Option<String>,
    pub client: IpAddr,
    pub agent: String,
    pub hosted: Option<String>,
    pub began: SystemTime,
    pub last: SystemTime,
    pub phases: [Option<bool>; 6],
    pub sentence: Option<Sentence>,
    /// Each is said once.
    pub said: HashSet<Sentence>,
    /// Number and what is shown of each exchange, oldest first.
    pub exchanges: VecDeque<(u64, Value, usize)>,
    pub bytes: usize,
    keys: HashSet<Key>,
    /// The tokens that were given out in it.
    granted: HashSet<Key>,
    /// The client that it is about, once that is known.
    pub client_id: Option<u64>,
    /// Addresses and agents that have part in it.
    pub sources: HashSet<Source>,
    turn: Turn,
}

/// What came last, of what something must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Nothing,
    Challenged,
    Registered,
    Authorized,
    Granted,
    Refused { ms: u64 },
    Arrived,
}

impl Flow {
    #[must_use]
    pub fn new(id: u64, exchange: &Redacted, hosted: Option<String>, now: SystemTime) -> Self {
        Self {
            id,
            site: site_of(exchange),
            client: exchange.client,
            agent: exchange.agent.clone(),
            hosted,
            began: exchange.began,
            last: now,
            phases: [None; 6],
            sentence: None,
            said: HashSet::new(),
            exchanges: VecDeque::new(),
            bytes: 0,
            keys: HashSet::new(),
            granted: HashSet::new(),
            client_id: None,
            sources: HashSet::new(),
            turn: Turn::Nothing,
        }
    }

    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// Takes an exchange in, or what has become of one that was open.
    pub fn take(&mut self, exchange: &Redacted, shown: Value, now: SystemTime) {
        self.last = self.last.max(now);
        self.sources.insert(Source::of(exchange));
        for key in &exchange.signs.keys {
            if self.keys.len() < MOST_KEYS {
                self.keys.insert(*key);
            }
            if key.kind == Kind::Token && exchange.signs.is_granted && self.granted.len() < MOST_KEYS {
                self.granted.insert(*key);
            }
            if key.kind == Kind::Client {
                self.client_id = Some(key.hash);
            }
        }
        let size = exchange.asked.body.len() + exchange.answered.body.len();
        let size =
            size + exchange.turns.iter().filter_map(|(_, came)| Some(came.as_ref()?.body.len())).sum::<usize>() + 1024;
        match self.exchanges.iter_mut().find(|(number, _, _)| *number == exchange.number) {
            Some(known) => {
                self.bytes = (self.bytes + size).saturating_sub(known.2);
                (known.1, known.2) = (shown, size);
            }
            None => {
                self.bytes += size;
                self.exchanges.push_back((exchange.number, shown, size));
            }
        }
        while self.exchanges.len() > MOST_EXCHANGES {
            self.forget_oldest();
        }
        self.step(exchange);
        self.judge(now);
    }

    pub fn forget_oldest(&mut self) -> bool {
        let Some((_, _, size)) = self.exchanges.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(size);
        true
    }

    fn step(&mut self, exchange: &Redacted) {
        let Some((phase, is_taken)) = Phase::of(exchange) else {
            // A stream, a ping: whoever sends that with a token has arrived.
            let status = exchange.answered.status();
            if exchange.class.has_messages() && exchange.asked.method() != "OPTIONS" && (200..300).contains(&status) {
                self.turn = Turn::Arrived;
            } else if self.refuses_own(exchange) {
                self.turn = refused(exchange);
            }
            return;
        };
        if let Some(have) = self.phases.get_mut(phase as usize) {
            // A document may be at the second place that is tried.
            *have = Some(is_taken || (phase == Phase::Discovery && *have == Some(true)));
        }
        let signs = &exchange.signs;
        self.turn = match phase {
            Phase::Discovery if exchange.class.has_messages() => Turn::Challenged,
            Phase::Discovery => match self.turn {
                Turn::Challenged => Turn::Nothing,
                turn => turn,
            },
            Phase::Registration if is_taken => Turn::Registered,
            Phase::Authorize if signs.is_authorized => Turn::Authorized,
            Phase::Token if is_taken => Turn::Granted,
            Phase::Initialize | Phase::Tools if self.refuses_own(exchange) => refused(exchange),
            Phase::Initialize | Phase::Tools => Turn::Arrived,
            _ => Turn::Nothing,
        };
    }

    /// Whether the server refused a token that it gave out itself and that has not run out.
    fn refuses_own(&self, exchange: &Redacted) -> bool {
        let is_own = exchange.signs.keys.iter().any(|key| self.granted.contains(key));
        is_own && is_refused_token(exchange)
    }

    /// Says what can be said now.
    pub fn judge(&mut self, now: SystemTime) {
        let silent = now.duration_since(self.last).unwrap_or_default() >= SILENCE;
        self.sentence = match self.turn {
            Turn::Refused { ms } => Some(Sentence::TokenRefused { ms }),
            Turn::Granted if silent => Some(Sentence::AfterToken),
            Turn::Registered if silent => Some(Sentence::NeverAuthorized),
            Turn::Challenged if silent => Some(Sentence::AfterChallenge),
            Turn::Authorized if silent => Some(Sentence::NoTokenRequest),
            _ => None,
        };
    }

    /// Whether an exchange of another client id cannot belong here.
    #[must_use]
    pub fn contradicts(&self, exchange: &Redacted) -> bool {
        let theirs = exchange.signs.keys.iter().find(|key| key.kind == Kind::Client);
        matches!((self.client_id, theirs), (Some(ours), Some(theirs)) if ours != theirs.hash)
    }

    /// Takes over all of another flow, which is the younger one.
    pub fn absorb(&mut self, other: Self) {
        self.exchanges.extend(other.exchanges);
        self.exchanges.make_contiguous().sort_by_key(|(number, _, _)| *number);
        self.bytes += other.bytes;
        self.keys.extend(other.keys);
        self.granted.extend(other.granted);
        self.sources.extend(other.sources);
        self.said.extend(other.said);
        self.client_id = self.client_id.or(other.client_id);
        self.hosted = self.hosted.take().or(other.hosted);
        for (have, theirs) in self.phases.iter_mut().zip(other.phases) {
            *have = theirs.or(*have);
        }
        if other.last >= self.last {
            (self.last, self.turn) = (other.last, other.turn);
        }
        while self.exchanges.len() > MOST_EXCHANGES {
            self.forget_oldest();
        }
    }
}

/// Whether the server refused a token that has not run out.
fn is_refused_token(exchange: &Redacted) -> bool {
    let signs = &exchange.signs;
    exchange.class.has_messages() && exchange.answered.status() == 401 && signs.has_token && !signs.is_expired
}

fn refused(exchange: &Redacted) -> Turn {
    Turn::Refused { ms: u64::try_from(exchange.total.as_millis()).unwrap_or(u64::MAX) }
}
