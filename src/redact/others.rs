//! What an exchange does not say itself: the operator's own names, what others tell, and what is said about all of them.

use super::secrets::Secrets;
use super::{Redactor, plain, words};
use crate::exchange::Facts;
use crate::seal::SealKeys;
use crate::tape::RecordedExchange;

/// A sentence of our own, with words of a server in it, is cut behind so many characters.
const LONGEST_SENTENCE: usize = 400;

impl Redactor {
    /// The same, and the operator's own names stay readable.
    #[must_use]
    pub fn knowing(mut self, facts: &Facts) -> Self {
        self.know(Some(facts));
        self
    }

    /// From now on the operator's own names are those of this site, and of no other. Without a site none stays readable.
    pub fn know(&mut self, facts: Option<&Facts>) {
        self.hosts.clear();
        self.paths.clear();
        self.sealed = facts.map(|facts| (facts.clone(), Facts { seal: SealKeys::known_to_all(), ..facts.clone() }));
        let Some(facts) = facts else { return };
        for origin in [&facts.public, &facts.upstream].into_iter().chain(&facts.origins) {
            self.hosts.push(origin.authority().to_owned());
            self.hosts.push(origin.host().to_string());
        }
        self.paths.push(facts.mcp_path.clone());
    }

    /// The same, and a secret of one of these exchanges is found in all others: a server may say in one answer what it gave
    /// out in another.
    #[must_use]
    pub fn knowing_all<'t>(mut self, exchanges: impl IntoIterator<Item = &'t RecordedExchange>) -> Self {
        let mut found = Vec::new();
        for taped in exchanges {
            let pass = self.pass(&taped.known);
            pass.exchange(taped);
            found.extend(pass.secrets.proper());
        }
        found.retain(|secret| !words::is_said_by_all(secret));
        found.sort_unstable();
        found.dedup();
        self.secrets = found;
        self
    }

    /// A sentence of this program about these exchanges, with words of the server in it.
    #[must_use]
    pub fn sentence(&self, text: &str) -> String {
        let secrets = Secrets::new(self);
        let mut text = text.to_owned();
        for secret in secrets.plainly_in(&text) {
            text = text.replace(&secret, &self.hash(&secret));
        }
        let word = |word: &str| secrets.found_in(word).map_or_else(|| word.to_owned(), |secret| self.hash(&secret));
        let said = text.split(' ').map(word).collect::<Vec<_>>().join(" ");
        let mut said = plain(&secrets.found_in(&said).map_or(said, |secret| self.hash(&secret)));
        if let Some((end, _)) = said.char_indices().nth(LONGEST_SENTENCE) {
            said.truncate(end);
            said.push('…');
        }
        said
    }
}
