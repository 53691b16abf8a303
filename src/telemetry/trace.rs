//! W3C Trace Context: which trace an exchange is part of.

use http::{HeaderMap, HeaderName};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Who asked, as a `traceparent` field says it (section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub trace: u128,
    pub span: u64,
    pub sampled: bool,
}

impl Context {
    /// What a request says; `None` if it says nothing, or nothing that can be read: then it begins a new trace
    /// (section 4.3).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        match (fields.next(), fields.next()) {
            (Some(field), None) => Self::parse(field.as_bytes()),
            _ => None,
        }
    }

    /// Reads `version-trace-span-flags`. Later versions may say more after that (section 3.2.4).
    #[must_use]
    pub fn parse(field: &[u8]) -> Option<Self> {
        let (known, more) = field.split_at_checked(55)?;
        let parts: Vec<&[u8]> = known.split(|b| *b == b'-').collect();
        let [version, trace, span, flags] = parts.as_slice() else { return None };
        let lengths = [version.len(), trace.len(), span.len(), flags.len()];
        if lengths != [2, 32, 16, 2] {
            return None;
        }
        let is_known = match hex(version)? {
            0xff => return None,
            0 => more.is_empty(),
            _ => more.is_empty() || more.starts_with(b"-"),
        };
        let (trace, span, flags) = (hex(trace)?, hex(span)?, hex(flags)?);
        (is_known && trace != 0 && span != 0).then_some(Self {
            trace,
            span: u64::try_from(span).ok()?,
            sampled: flags & 1 == 1,
        })
    }

    /// The field as it is sent on.
    #[must_use]
    pub fn write(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Lower-case hexadecimal digits alone: others are not valid there.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_right_field_is_read_and_written_alike() {
        let context = Context::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(context.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((context.span, context.sampled), (0xb7ad_6b71_6920_3331, true));
        assert_eq!(context.write(), GOOD);
        let off = GOOD.replace("-01", "-00");
        assert!(!Context::parse(off.as_bytes()).unwrap().sampled);
        // A later version may say more, and other flags.
        for later in ["cc", "01"] {
            let later = GOOD.replacen("00", later, 1);
            assert_eq!(Context::parse(later.as_bytes()), Some(context));
            assert_eq!(Context::parse(format!("{later}-what-the-future").as_bytes()), Some(context));
            assert_eq!(Context::parse(format!("{later}.what").as_bytes()), None);
        }
        assert!(Context::parse(GOOD.replace("-01", "-ff").as_bytes()).unwrap().sampled);
    }

    #[test]
    fn a_wrong_field_is_none() {
        let zero_trace = GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let zero_span = GOOD.replace("b7ad6b7169203331", &"0".repeat(16));
        let wrong = [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &format!("{GOOD}-x"),
            &format!("{GOOD} "),
            &GOOD[..54],
            &GOOD.replace('-', "_"),
            &zero_trace,
            &zero_span,
            &GOOD.replace("-01", "-0g"),
            &GOOD.replacen("00", ".0", 1),
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
        ];
        for field in wrong {
            assert_eq!(Context::parse(field.as_bytes()), None, "{field}");
        }
        let mut twice = HeaderMap::new();
        twice.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        assert!(Context::of(&twice).is_some());
        twice.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        assert_eq!(Context::of(&twice), None);
    }

    proptest! {
        #[test]
        fn no_field_is_too_odd(field in prop::collection::vec(any::<u8>(), 0..80), text in "[0-9a-f-]{50,60}") {
            let _ = Context::parse(&field);
            if let Some(context) = Context::parse(text.as_bytes()) {
                prop_assert_eq!(Context::parse(context.write().as_bytes()), Some(context));
            }
        }
    }
}
