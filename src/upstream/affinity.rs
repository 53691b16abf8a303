//! Which of several addresses a request belongs to. Nothing is remembered: the session id that a client carries says
//! where its session is, and where that address is gone, all replicas choose the same other one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

/// Between an upstream's session id and the letters that stand for the address that gave it out.
const AT: &[u8] = b".at-";
/// How many letters.
const TAG: usize = 6;
/// Who asks for what every client shares: discovery documents, logins, registrations.
pub(super) const HOME: &[u8] = b"home";

/// How well an address suits a key (rendezvous hashing): the best of those that are left is the right one, so that the
/// loss of one moves what was there and nothing else.
#[must_use]
pub(super) fn score(key: &[u8], address: &str) -> u64 {
    let digest = Sha256::new().chain_update(address).chain_update([0]).chain_update(key).finalize();
    digest.iter().take(8).fold(0, |score, byte| score << 8 | u64::from(*byte))
}

/// The letters that stand for an address.
#[must_use]
pub(super) fn tag(address: &str) -> String {
    let mut letters = URL_SAFE_NO_PAD.encode(Sha256::digest(address));
    letters.truncate(TAG);
    letters
}

/// A session id that says which address gave it out. An id that says there is none stays.
#[must_use]
pub(super) fn seal(id: &HeaderValue, tag: &str) -> Option<HeaderValue> {
    if crate::repairs::session::is_none(id) {
        return None;
    }
    HeaderValue::from_bytes(&[id.as_bytes(), AT, tag.as_bytes()].concat()).ok()
}

/// The upstream's own id and the letters; `None` if this is no id of ours.
#[must_use]
pub(super) fn unseal(sealed: &HeaderValue) -> Option<(HeaderValue, String)> {
    let bytes = sealed.as_bytes();
    let (id, end) = bytes.split_at_checked(bytes.len().checked_sub(AT.len() + TAG)?)?;
    let tag = std::str::from_utf8(end.strip_prefix(AT)?).ok()?;
    if id.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return None;
    }
    Some((HeaderValue::from_bytes(id).ok()?, tag.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADDRESSES: [&str; 4] = ["10.0.0.1:3000", "10.0.0.2:3000", "10.0.0.3:3000", "unix:/run/x.sock"];

    fn best<'a>(key: &[u8], of: &[&'a str]) -> &'a str {
        of.iter().max_by_key(|address| score(key, address)).unwrap()
    }

    #[test]
    fn the_loss_of_an_address_moves_what_was_there_and_nothing_else() {
        let mut counts = [0; 4];
        for key in 0..4000_u32 {
            let key = key.to_be_bytes();
            let before = best(&key, &ADDRESSES);
            counts[ADDRESSES.iter().position(|address| *address == before).unwrap()] += 1;
            let after = best(&key, &ADDRESSES[1..]);
            assert!(before == ADDRESSES[0] || before == after);
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_score_never_changes() {
        // Replicas of different versions have to agree.
        assert_eq!(score(b"home", "10.0.0.1:3000"), 3_699_751_628_686_038_233);
        assert_eq!(tag("10.0.0.1:3000"), "LOui6y");
    }

    #[test]
    fn an_id_that_is_none_stays() {
        for id in ["", " ", "null", "undefined", "None"] {
            assert!(seal(&HeaderValue::from_str(id).unwrap(), "AbC-_1").is_none(), "{id}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_comes_out_as_it_was(id in "[ -~\u{80}-\u{ff}]{1,80}", address in "[a-z.:]{1,30}") {
            let id = HeaderValue::from_bytes(id.as_bytes()).unwrap();
            if let Some(sealed) = seal(&id, &tag(&address)) {
                prop_assert_eq!(unseal(&sealed), Some((id, tag(&address))));
            }
        }

        #[test]
        fn any_id_may_come(id in "\\PC{0,40}") {
            let _ = HeaderValue::from_str(&id).map(|id| unseal(&id));
        }
    }
}
