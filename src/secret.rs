//! Names that nobody can guess, and the PKCE transformation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::GetRandomFailed;
use sha2::{Digest, Sha256};

/// 43 characters with 256 random bits: a code, a token, a secret, or a PKCE verifier (RFC 7636 section 4.1).
pub(crate) fn random() -> Result<String, GetRandomFailed> {
    Ok(URL_SAFE_NO_PAD.encode(key()?))
}

/// A key.
pub(crate) fn key() -> Result<[u8; 32], GetRandomFailed> {
    let mut bytes = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes)?;
    Ok(bytes)
}

/// 15 digits: a name that has to be unique and is no secret. A number of this size survives every JSON parser.
pub(crate) fn number() -> Result<String, GetRandomFailed> {
    let mut bytes = [0; 8];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes)?;
    Ok((100_000_000_000_000 + u64::from_be_bytes(bytes) % 900_000_000_000_000).to_string())
}

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s256_of_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(s256(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn no_name_comes_twice() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
        let (one, other) = (number().unwrap(), number().unwrap());
        assert!(one.len() == 15 && one.bytes().all(|byte| byte.is_ascii_digit()));
        assert_ne!(one, other);
    }
}
