//! Which rules keep somebody out of a path: those of every place that a lenient server may take it for.

use http::{HeaderMap, Method};

use super::canonical::{is_at, is_below, readings};
use super::named::Place;
use super::{
    Class, Endpoints, KEYS, LEGACY_SSE, WELL_KNOWN, default_class, is_document, is_read, names_a_session_loosely,
};

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(u16);

impl Classes {
    /// The set of these.
    #[must_use]
    pub fn of(classes: &[Class]) -> Self {
        classes.iter().fold(Self::default(), |set, class| set.with(*class))
    }

    /// The set with one more.
    #[must_use]
    pub fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u16)
    }

    /// Whether the class is in the set.
    #[must_use]
    pub fn contains(self, class: Class) -> bool {
        self.0 & 1 << class as u16 != 0
    }

    /// Whether the sets share a class.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the other set has every class of this one. [`Class::Other`] is left aside: it says that a path is at none of the known
    /// places.
    #[must_use]
    pub fn adds_nothing_to(self, other: Self) -> bool {
        self.0 & !other.with(Class::Other).0 == 0
    }

    /// Whether messages may be exchanged there, over either transport.
    #[must_use]
    pub fn has_messages(self) -> bool {
        self.intersects(Self::of(Class::OF_MESSAGES))
    }

    /// Whether requests there carry credentials: messages, registrations, tokens.
    #[must_use]
    pub fn takes_credentials(self) -> bool {
        self.has_messages() || self.intersects(Self::of(&[Class::Register, Class::Token, Class::Revoke]))
    }
}

/// What a request is, as far as rules that keep somebody out are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The class that decides which repairs run.
    pub class: Class,
    /// The method; of a preflight, the one that it asks about.
    pub method: &'a Method,
    pub path: &'a str,
    pub query: &'a str,
}

impl Asked<'_> {
    /// Every class whose rules the request has to keep: its own, and that of each place for which a lenient server may take
    /// its path. What is exactly at a known place is that and nothing else.
    #[must_use]
    pub fn classes(&self, mcp_path: &str, endpoints: &Endpoints) -> Classes {
        let own = Classes::of(&[self.class]);
        match self.class {
            Class::Other => {}
            _ if is_document(self.class) && !self.is_exact_document(mcp_path) => {}
            _ => return own,
        }
        let mut set = own;
        let every = || Class::ALL.into_iter().filter(|class| *class != Class::Other).fold(own, Classes::with);
        let (Some(read), Some(mcp)) = (readings(self.path), readings(mcp_path)) else { return every() };
        if endpoints.is_crowded() && !is_read(self.method) {
            return every();
        }
        for reading in read {
            if mcp.iter().any(|place| is_at(&reading, place) || is_below(&reading, place)) {
                set = set.with(Class::Mcp);
            }
            // Anything but a read of a document is none, and somebody may take it for a message.
            if !is_read(self.method) && (reading == KEYS || super::metadata_class(&reading).is_some()) {
                set = set.with(Class::Mcp);
            }
            if is_below(&reading, LEGACY_SSE) {
                set = set.with(Class::LegacySse);
            }
            set = endpoints_at(&reading, &endpoints.places, set);
        }
        if !is_read(self.method) && names_a_session_loosely(self.path, self.query) {
            set = set.with(Class::LegacyPost);
        }
        set
    }

    /// Whether a document is read at a well-known place of the host, or of an endpoint for messages as it is named. Below any
    /// other spelling of one a handler may take the path.
    fn is_exact_document(&self, mcp_path: &str) -> bool {
        let is_of = |at: &str| self.path.strip_prefix(at).is_some_and(|rest| WELL_KNOWN.contains(&rest));
        is_read(self.method) && (self.path.starts_with("/.well-known/") || is_of(mcp_path) || is_of(LEGACY_SSE))
    }
}

/// The endpoints of an authorization server and the older transport at a reading: those that are named, and those that clients
/// guess.
fn endpoints_at(reading: &str, named: &[Place], set: Classes) -> Classes {
    let bare = reading.rsplit_once('.').map_or(reading, |(bare, _)| bare);
    let guessed = [default_class(reading), default_class(bare)].into_iter().flatten();
    let named = named.iter().filter(|place| is_at(reading, &place.reading)).map(|place| place.class);
    guessed.chain(named).fold(set, Classes::with)
}

/// The method that a request is about: a preflight is about the one that it asks for (Fetch section 4.8).
#[must_use]
pub fn method_asked_for(method: &Method, headers: &HeaderMap) -> Method {
    if *method != Method::OPTIONS {
        return method.clone();
    }
    let asked = headers.get(http::header::ACCESS_CONTROL_REQUEST_METHOD);
    asked.and_then(|asked| Method::from_bytes(asked.as_bytes()).ok()).unwrap_or(Method::OPTIONS)
}
