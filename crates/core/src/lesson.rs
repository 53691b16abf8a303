//! What is learned from exchanges that pass: one value for each kind of lesson. `evidence` says what teaches it.
//!
//! A caller decides what he sends, and often what comes back: by redirect URIs, by paths, by a backend of his own. What he
//! caused must not change what others get. So a lesson is learned in one of two ways only. Either the exchange that passes
//! shows something that its caller could not bring about, or it raises a question, and the upstream's answer to the proxy's
//! own question, which carries nothing of the caller's, is the evidence.

use std::borrow::Cow;

/// A kind of lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// Messages are redirected to the same path with or without a slash at its end.
    Moved,
    /// The probe of MCP 2026-07-28 is not known.
    Legacy,
    /// Authorization responses carry `iss` (RFC 9207).
    SendsIss,
    /// A client id that is a URL (client id metadata document) is refused.
    RefusesDocuments,
    /// The login goes on at another host and comes back to the upstream's own address, past the proxy.
    ReturnsDirectly,
}

/// What there is to say of a kind of lesson.
#[derive(Debug)]
pub struct About {
    /// Its name in metrics and on the admin page.
    pub id: &'static str,
    /// What clients get because of it.
    pub changes: &'static str,
    /// What it is learned from.
    pub evidence: &'static str,
    /// When it is forgotten before its time.
    pub forgotten: &'static str,
    /// How long it is believed, as a multiple of `limits.learned_seconds`.
    pub life: u32,
    /// What the operator has to know, because no repair can help.
    pub warning: Option<&'static str>,
    /// Whether it is about the upstream's own authorization server: other metadata of that server end it.
    pub is_of_server: bool,
}

const MOVED: About = About {
    id: "moved",
    changes: "messages go to the other path at once (transport.moved)",
    evidence: "the proxy's own ping, without credentials, is redirected from the MCP path to the same path with or \
               without a slash, and succeeds or gets 401 there",
    forgotten: "the proxy's own ping is no longer redirected, which is tried when a message fails there",
    life: 1,
    warning: None,
    is_of_server: false,
};

const LEGACY: About = About {
    id: "legacy",
    changes: "server/discover is answered with -32601 at once (version.probe-known)",
    evidence: "the proxy's own server/discover, without credentials, is answered with -32601, or not at all while a ping \
               beside it is answered",
    forgotten: "a server/discover is answered by a server that knows it",
    life: 1,
    warning: None,
    is_of_server: false,
};

const SENDS_ISS: About = About {
    id: "sends-iss",
    changes: "the metadata promise iss (metadata.iss-unsaid), and every authorization response carries it \
              (authorize.iss-missing)",
    evidence: "the answer to an authorization request: to the redirect URI that the request names, which has no query, with \
               one code, one state and the upstream's own issuer as iss, no error, and nothing of it brought along",
    forgotten: "the metadata change; a response without iss gets it, so the promise holds whoever caused it",
    life: 1440,
    warning: None,
    is_of_server: true,
};

const REFUSES_DOCUMENTS: About = About {
    id: "refuses-documents",
    changes: "the metadata no longer claim client id metadata documents (metadata.client-documents)",
    evidence: "the proxy's own authorization requests in the name of well-known clients with a document are refused",
    forgotten: "such a request is no longer refused, or the metadata change",
    life: 60,
    warning: None,
    is_of_server: true,
};

const RETURNS_DIRECTLY: About = About {
    id: "returns-directly",
    changes: "nothing; the operator is warned",
    evidence: "a redirect to another host's login that sends the browser back to the upstream's own address, which the \
               request did not bring along",
    forgotten: "the metadata change",
    life: 60,
    warning: Some(
        "the login goes on at another host, which sends the browser back to the upstream's own address and not \
         through this proxy: clients will refuse the issuer in its answer; state the public URL in the upstream \
         (base_url, issuer) and register it there as the callback",
    ),
    is_of_server: true,
};

impl Lesson {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 5] =
        [Self::Moved, Self::Legacy, Self::SendsIss, Self::RefusesDocuments, Self::ReturnsDirectly];

    /// What there is to say of it.
    #[must_use]
    pub fn about(self) -> &'static About {
        match self {
            Self::Moved => &MOVED,
            Self::Legacy => &LEGACY,
            Self::SendsIss => &SENDS_ISS,
            Self::RefusesDocuments => &REFUSES_DOCUMENTS,
            Self::ReturnsDirectly => &RETURNS_DIRECTLY,
        }
    }

    /// Its name in metrics and on the admin page.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.about().id
    }
}

/// What became of a lesson, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Learned,
    /// What passed was no evidence.
    Rejected,
    /// It proved wrong.
    Forgotten,
    /// Its time was over.
    Expired,
}

impl Fate {
    pub const ALL: [Self; 4] = [Self::Learned, Self::Rejected, Self::Forgotten, Self::Expired];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Rejected => "rejected",
            Self::Forgotten => "forgotten",
            Self::Expired => "expired",
        }
    }
}

/// What an exchange that passes has to say about a lesson. The texts carry nothing that a client or the upstream wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Evidence for it; with what else there is to know, such as the path that messages moved to.
    Evidence(Lesson, Cow<'static, str>, Option<String>),
    /// A reason to ask the upstream.
    Question(Lesson),
    /// It does not hold, or no longer.
    Wrong(Lesson, &'static str),
    /// It looks like evidence and is none.
    Nothing(Lesson, &'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_listed_once_at_its_place_and_says_what_it_is() {
        for (place, lesson) in Lesson::ALL.into_iter().enumerate() {
            let about = lesson.about();
            assert_eq!(lesson as usize, place);
            assert!(about.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", about.id);
            assert!(about.life > 0, "{}: every lesson ends", about.id);
            for text in [about.changes, about.evidence, about.forgotten] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
            }
            assert_eq!(Lesson::ALL.iter().filter(|other| other.id() == about.id).count(), 1);
        }
    }
}
