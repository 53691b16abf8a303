//! Texts that a client carries for this proxy, encrypted and authenticated. Pure: the cipher is deterministic.
//!
//! The cipher is AES-256-SIV (RFC 5297). It needs no nonce, so the repairs stay free of randomness and replicas that share
//! a key write the same text. The key of the cipher is derived with HKDF-SHA-256 (RFC 5869).

use std::fmt;
use std::sync::Arc;

use aes_siv::KeyInit as _;
use aes_siv::siv::Aes256Siv;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;

/// The fewest bytes of a secret that a key is derived from.
pub const SHORTEST_SECRET: usize = 32;

/// Separates these keys from any others that may once be derived from the same secret (RFC 5869 section 3.2).
const PURPOSE: &[u8] = b"mcp-mend session ids, AES-256-SIV, 1";

/// The keys of a deployment: the first one seals, each of them opens. Without a key nothing is sealed and nothing opens.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SealKeys {
    keys: Arc<[[u8; 64]]>,
}

impl SealKeys {
    /// Keys derived from secrets, each of at least [`SHORTEST_SECRET`] bytes that nobody can guess.
    #[must_use]
    pub fn of<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        Self { keys: secrets.iter().filter_map(|secret| derived(secret.as_ref())).collect() }
    }

    /// A key that is written here. It protects nothing: it is for examples, and for captures, where the secrets are
    /// already taken out.
    #[must_use]
    pub fn known_to_all() -> Self {
        Self::of(&["this key is published in the source and protects nothing"])
    }

    /// Whether these are the very keys that another value holds, not only equal ones.
    #[must_use]
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keys, &other.keys)
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The sealed form in letters of base64url. It opens only with the same `bound_to`. `None` without a key.
    #[must_use]
    pub fn seal(&self, bound_to: &[&str], plain: &[u8]) -> Option<String> {
        let key = self.keys.first()?;
        let sealed = Aes256Siv::new(&(*key).into()).encrypt(bound_to, plain).ok()?;
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What was sealed; `None` if no key opens it, or if it was sealed for something else.
    #[must_use]
    pub fn open(&self, bound_to: &[&str], text: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        self.keys.iter().find_map(|key| Aes256Siv::new(&(*key).into()).decrypt(bound_to, &sealed).ok())
    }
}

fn derived(secret: &[u8]) -> Option<[u8; 64]> {
    let mut key = [0; 64];
    Hkdf::<Sha256>::new(None, secret).expand(PURPOSE, &mut key).ok()?;
    Some(key)
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKeys").field("count", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SITE: [&str; 3] = ["https://mcp.example.com", "http://localhost:3000", "/mcp"];
    const SECRETS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];

    #[test]
    fn the_sealed_form_is_that_of_the_rfcs() {
        // Computed with AESSIV and HKDF of Python's `cryptography`. Replicas of different versions have to agree.
        let known = SealKeys::known_to_all();
        assert_eq!(known.seal(&SITE, b"s1\0a=1").unwrap(), "QQzs8OP9nEGHCaHe734fjc9Cdyq6cQ");
        let stated = SealKeys::of(&SECRETS[..1]);
        assert_eq!(stated.seal(&SITE, b"s1\0a=1").unwrap(), "KYsESMQLCHtTu-F1KKm5fvZEkXi8og");
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let [old, new] = SECRETS;
        let before = SealKeys::of(&[old]);
        let both = SealKeys::of(&[new, old]);
        let after = SealKeys::of(&[new]);
        let sealed = before.seal(&SITE, b"s").unwrap();
        assert_eq!(both.open(&SITE, &sealed).as_deref(), Some(&b"s"[..]));
        assert_eq!(both.seal(&SITE, b"s"), after.seal(&SITE, b"s"));
        assert_eq!(after.open(&SITE, &sealed), None);
    }

    #[test]
    fn without_a_key_nothing_is_sealed_and_nothing_opens() {
        let sealed = SealKeys::known_to_all().seal(&SITE, b"s").unwrap();
        let none = SealKeys::default();
        assert!(none.is_empty() && none.seal(&SITE, b"s").is_none() && none.open(&SITE, &sealed).is_none());
    }

    #[test]
    fn what_was_sealed_for_another_purpose_does_not_open() {
        let keys = SealKeys::known_to_all();
        let sealed = keys.seal(&SITE, b"s").unwrap();
        for other in [
            ["https://other.example.com", SITE[1], SITE[2]],
            [SITE[0], "http://localhost:3001", SITE[2]],
            [SITE[0], SITE[1], "/"],
            [SITE[0], "http://localhost:3000/mcp", ""],
        ] {
            assert_eq!(keys.open(&other, &sealed), None, "{other:?}");
        }
        assert_eq!(keys.open(&SITE[..2], &sealed), None);
    }

    #[test]
    fn the_debug_form_shows_no_key() {
        assert_eq!(format!("{:?}", SealKeys::of(&SECRETS)), "SealKeys { count: 2, .. }");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_shows_nothing(plain in prop::collection::vec(any::<u8>(), 0..200)) {
            let keys = SealKeys::of(&SECRETS);
            let sealed = keys.seal(&SITE, &plain).unwrap();
            prop_assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            prop_assert!(plain.len() < 6 || !bytes.windows(plain.len()).any(|window| window == plain));
            prop_assert_eq!(keys.open(&SITE, &sealed), Some(plain));
        }

        #[test]
        fn a_changed_text_does_not_open(plain in "[ -~]{0,60}", at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
            let keys = SealKeys::known_to_all();
            let sealed = keys.seal(&SITE, plain.as_bytes()).unwrap();
            let at = at.index(sealed.len());
            let changed = format!("{}{to}{}", &sealed[..at], &sealed[at + 1..]);
            prop_assert_eq!(keys.open(&SITE, &changed).is_some(), changed == sealed);
            prop_assert_eq!(keys.open(&SITE, &sealed[..at]), None);
        }

        #[test]
        fn any_text_may_come(text in "\\PC{0,80}") {
            prop_assert_eq!(SealKeys::known_to_all().open(&SITE, &text), None);
        }
    }
}
