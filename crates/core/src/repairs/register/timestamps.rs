//! D-01, D-02, D-04: times that are not integers.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use super::{is_accepted, registration};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::{Feature, SUCCESS};
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

/// Seconds beyond the year 5138 are milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

pub static REPAIR: Repair = Repair {
    id: "register.timestamp-type",
    rows: &["D-01", "D-02", "D-04"],
    summary: "client_secret_expires_at or client_id_issued_at is not an integer number of seconds",
    why: "RFC 7591 wants seconds since 1970 as an integer. Go stops at any float, Python and claude.ai at a fraction, \
          everything TypeScript at a string, a null or a boolean.",
    hits: "claude.ai (fractions), TypeScript SDK clients (strings, null, booleans), Go SDK hosts (all of them)",
    stops: who::TYPESCRIPT_OAUTH.and(who::PYTHON).and(who::GO).and(who::CLAUDE),
    remedy: "Floats are rounded down, numbers in strings and ISO dates converted, milliseconds divided; what is no \
             time at all goes. 0 (never) stays 0, and no time is ever made up.",
    advice: "Return `Math.floor(ms / 1000)` or `int(ts)`; 0 if the secret never expires.",
    basis: &[basis::REGISTRATION],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], SUCCESS, &[Feature::Json]],
    hook: Hook::Reply { needs: Needs::Json, when: is_accepted, run },
    examples: &[
        Example {
            note: "the known issue page's float",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_id_issued_at\":1749500000.999,\"client_secret_expires_at\":1.7496e9}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"client_id_issued_at\":1749500000,\"client_secret_expires_at\":1749600000}",
            ),
        },
        Example {
            note: "zero stays zero, a string, milliseconds",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_id_issued_at\":\"1749500000123\",\"client_secret_expires_at\":0.0}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n\
                 {\"client_id\":\"a\",\"client_id_issued_at\":1749500000,\"client_secret_expires_at\":0}",
            ),
        },
        Example {
            note: "an ISO date, and no time at all",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_id_issued_at\":\"2025-06-11T00:00:00.5Z\",\
                    \"client_secret_expires_at\":false}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_id_issued_at\":1749600000}",
            ),
        },
        Example {
            note: "a moment after 1970 is not never",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret_expires_at\":0.5}",
            then: Then::Becomes(
                "201\nContent-Type: application/json\n\n{\"client_id\":\"a\",\"client_secret_expires_at\":1}",
            ),
        },
        Example {
            note: "integers",
            site: SiteKind::Open,
            request: "POST /register",
            reply: "201\nContent-Type: application/json\n\n\
                    {\"client_id\":\"a\",\"client_id_issued_at\":1749500000,\"client_secret_expires_at\":0}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, _: &Request, reply: &Reply) -> Outcome {
    let Some(mut document) = registration(reply) else { return Outcome::Sound };
    let mut any = false;
    for name in ["client_id_issued_at", "client_secret_expires_at"] {
        let Some(have) = document.get(name) else { continue };
        let right = seconds(&have).map(|seconds| Value::Number(Number::from(not_for_ever(&have, seconds))));
        match right {
            Some(right) if right == have => continue,
            Some(right) => document.set(name, right),
            None => document.remove(name),
        }
        any = true;
    }
    if any {
        Outcome::mended("a time that is not an integer number of seconds", Edits::to_document(document))
    } else {
        Outcome::Sound
    }
}

/// Rounding down must not make 0, which means never, of a time that has passed (RFC 7591 section 3.2.1).
fn not_for_ever(value: &Value, seconds: i64) -> i64 {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let is_zero = text.parse::<f64>().is_ok_and(|number| number == 0.0);
    if seconds == 0 && !is_zero { 1 } else { seconds }
}

/// The time that a value means, in whole seconds; `None` when it means none.
fn seconds(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::Number(number) => whole(&number.to_string())?,
        Value::String(text) => whole(text.trim()).or_else(|| iso(text.trim()))?,
        _ => return None,
    };
    // Milli-, micro- and nanoseconds alike.
    let mut seconds = seconds;
    while seconds > MILLISECONDS_FROM {
        seconds /= 1000;
    }
    Some(seconds)
}

/// A decimal number rounded down, exactly: a double would lose digits beyond 2^53.
fn whole(text: &str) -> Option<i64> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer);
    }
    let plain = text.strip_prefix('-').unwrap_or(text);
    if let Some((integer, fraction)) = plain.split_once('.')
        && fraction.bytes().all(|b| b.is_ascii_digit())
    {
        let integer: i64 = integer.parse().ok()?;
        let below = plain != text && fraction.bytes().any(|b| b != b'0');
        return Some(if plain == text { integer } else { -integer - i64::from(below) });
    }
    let number: f64 = text.parse().ok()?;
    // 2^53: beyond it a double is no exact count of seconds, nor any date.
    (number.is_finite() && number.abs() <= 9_007_199_254_740_992.0).then(|| {
        #[allow(clippy::cast_possible_truncation, reason = "within 2^53")]
        let floor = number.floor() as i64;
        floor
    })
}

fn iso(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        // as_second truncates towards zero; before 1970 that would be up, but no registration is that old.
        return Some(time.as_second());
    }
    let date: Date = text.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling_of_a_time() {
        for (json, expected) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("-0.0", Some(0)),
            ("-1", Some(-1)),
            ("-1.5", Some(-2)),
            ("1e10", Some(10_000_000_000)),
            ("1749600000.999", Some(1_749_600_000)),
            ("1749600000000", Some(1_749_600_000)),
            ("1749600000000000000", Some(1_749_600_000)),
            ("\"1749600000\"", Some(1_749_600_000)),
            ("\" 1749600000.5 \"", Some(1_749_600_000)),
            ("\"2025-06-11\"", Some(1_749_600_000)),
            ("\"2025-06-11T02:00:00+02:00\"", Some(1_749_600_000)),
            ("9007199254740993.0", Some(9_007_199_254)),
            ("1e300", None),
            ("\"\"", None),
            ("\"never\"", None),
            ("\"NaN\"", None),
            ("null", None),
            ("true", None),
            ("[]", None),
        ] {
            assert_eq!(seconds(&serde_json::from_str(json).unwrap()), expected, "{json}");
        }
    }
}
