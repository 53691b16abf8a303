//! The reader that knows every rule, for what the scan does not read.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_MEMBERS, Member, Name, Span, State};

/// How deep arrays and objects nest in a JSON text, and about how many values it has (what stands inside strings does
/// not count).
pub(super) fn extent(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut values, mut in_string, mut escaped) = (0_usize, 0, 0, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    (deepest, values)
}

/// Checks that serde_json can build every value, without building it: no string has half of a surrogate pair (RFC 8259
/// section 8.2), and nothing is nested too deep.
pub(super) fn can_be_built(text: &str) -> bool {
    serde_json::from_str::<Built>(text).is_ok()
}

/// A value that was read as if it were built.
struct Built;

impl<'de> Deserialize<'de> for Built {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Built)
    }
}

impl<'de> Visitor<'de> for Built {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Built>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Built, Built>()?.is_some() {}
        Ok(self)
    }
}

/// The members of any object, by serde_json.
pub(super) struct Outline<'a> {
    pub(super) text: &'a str,
}

impl Outline<'_> {
    /// Where a part of the text stands in it: both come from the same buffer, so the difference of addresses is it.
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
}

impl<'de> Visitor<'de> for Outline<'de> {
    type Value = Vec<Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            let start = self.offset(value.get());
            let span = Span { name: self.offset(name.get()), value: start..start + value.get().len() };
            let name = serde_json::from_str(name.get()).map_err(serde::de::Error::custom)?;
            members.push(Member { name: Name::Other(name), span: Some(span), node: None, state: State::Kept });
            if members.len() > MAX_MEMBERS {
                // The rest has to be read all the same: it must be JSON.
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            }
        }
        Ok(members)
    }
}
