//! The reader that knows every rule, for what the scan does not read.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
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
