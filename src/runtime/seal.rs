//! The key that session ids are sealed with where no key file is stated.

use std::sync::Once;

use http::HeaderMap;

use crate::endpoint::SESSION;
use crate::repairs::session;
use crate::seal::SealKeys;
use crate::secret;

/// The key of this process. All sites share it, and a reload keeps it.
pub struct OwnSeal {
    pub keys: SealKeys,
    warned: Once,
}

impl Default for OwnSeal {
    fn default() -> Self {
        // Where the system has no random numbers, nothing is sealed.
        let keys = secret::key().map(|key| SealKeys::of(&[key])).unwrap_or_default();
        Self { keys, warned: Once::new() }
    }
}

impl OwnSeal {
    /// Warns, once in the life of the process, when the answer of a site that uses these `keys` carries a sealed id.
    pub fn watch(&self, keys: &SealKeys, headers: &HeaderMap) {
        let is_sealed = || headers.get(SESSION).is_some_and(session::is_marked);
        if self.warned.is_completed() || !self.keys.is_shared_with(keys) || !is_sealed() {
            return;
        }
        self.warned.call_once(|| {
            tracing::warn!(
                "session ids are sealed with a key that only this process has: after a restart, and at other replicas, \
                 clients have to begin their sessions anew; state seal.key_files to share a key"
            );
        });
    }
}
