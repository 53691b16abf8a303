//! The one thing that is read of a bearer token in the form of a JWT (RFC 7519): when it expires.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::Value;

/// Clocks differ: a token is called expired only so many seconds after its time.
const LEEWAY: i64 = 60;
/// A payload longer than this is not looked at.
const LONGEST: usize = 16 * 1024;

/// Whether the value has the form of a bearer JWT: what is asked first, of every message.
#[must_use]
pub fn may_expire(authorization: &HeaderValue) -> bool {
    token(authorization.as_bytes()).is_some()
}

/// Whether an `Authorization` value is a bearer JWT whose `exp` (RFC 7519 section 4.1.4) lies before `now`, in seconds
/// since 1970. Anything that cannot be read has not expired. The signature is the upstream's to check.
#[must_use]
pub fn has_expired(authorization: &HeaderValue, now: i64) -> bool {
    let is_over = |expiry: i64| expiry.saturating_add(LEEWAY) < now;
    let mut short = [0; SHORT];
    let mut long = Vec::new();
    payload(authorization.as_bytes(), &mut short, &mut long)
        // The first is cheap and nearly always says that there is time left; the second is sure.
        .filter(|payload| first_number(payload).is_some_and(is_over))
        .and_then(expiry)
        .is_some_and(is_over)
}

fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    // Every header of a JWT begins with `{"`.
    (scheme.eq_ignore_ascii_case(b"bearer ") && token.starts_with(b"eyJ")).then_some(token)
}

/// A payload as short as most is decoded where it costs nothing.
const SHORT: usize = 1024;

/// The decoded payload of a bearer JWT.
fn payload<'a>(value: &[u8], short: &'a mut [u8; SHORT], long: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let mut parts = token(value)?.split(|&b| b == b'.');
    let (payload, signature) = (parts.nth(1)?, parts.next());
    if signature.is_none() || parts.next().is_some() || payload.len() > LONGEST {
        return None;
    }
    if payload.len() <= SHORT {
        let length = URL_SAFE_NO_PAD.decode_slice(payload, short).ok()?;
        return short.get(..length);
    }
    URL_SAFE_NO_PAD.decode_vec(payload, long).ok()?;
    Some(long)
}

/// The claim `exp`, a NumericDate: seconds, perhaps with a fraction.
fn expiry(payload: &[u8]) -> Option<i64> {
    let claims: Value = serde_json::from_slice(payload).ok()?;
    match claims.get("exp")? {
        // Some issuers write 0 for "never".
        Value::Number(number) => whole(&number.to_string()).filter(|expiry| *expiry > 0),
        _ => None,
    }
}

/// The number behind the first `"exp"`, which is the claim unless somebody hides one inside another. Of a token whose
/// time is not over this is all that is read.
fn first_number(payload: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"\"exp\"";
    let at = memchr::memmem::find(payload, NAME)?;
    let rest = payload.get(at + NAME.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

fn whole(number: &str) -> Option<i64> {
    number.split('.').next()?.parse().ok().filter(|_| !number.contains(['e', 'E']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(claims: &str) -> HeaderValue {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        HeaderValue::from_str(&format!("Bearer {}.{}.sig", part("{\"alg\":\"RS256\"}"), part(claims))).unwrap()
    }

    #[test]
    fn only_a_token_whose_time_is_over_has_expired() {
        for (claims, expired) in [
            ("{\"exp\":1000}", true),
            ("{\"exp\":0}", false),
            ("{\"exp\":-1}", false),
            ("{\"exp\":1000.5}", true),
            ("{\"exp\":9941}", false),
            ("{\"exp\":9939}", true),
            ("{\"exp\":20000}", false),
            ("{\"sub\":\"exp\"}", false),
            ("{\"exp\":\"1000\"}", false),
            ("{\"exp\":1e3}", false),
            ("not json", false),
            ("{\"a\":{\"exp\":9000000000},\"exp\":1000}", false),
            ("{\"a\":{\"exp\":1000},\"exp\":20000}", false),
            ("{ \"exp\" : 1000 }", true),
        ] {
            assert_eq!(has_expired(&bearer(claims), 10_000), expired, "{claims}");
        }
        for text in
            ["Bearer opaque", "Basic eyJ.eyJ.x", "Bearer eyJ.e30", "Bearer eyJ.!!.x", "Bearer eyJ.e30.x.y.z", ""]
        {
            assert!(!has_expired(&HeaderValue::from_str(text).unwrap(), i64::MAX), "{text}");
        }
    }
}
