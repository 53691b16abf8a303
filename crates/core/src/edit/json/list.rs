//! A JSON array whose elements can be changed one by one while every other byte stays as it came.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::outline::can_be_built;
use super::tape::View;
use super::{Object, scan};

/// A JSON array and what became of its elements.
#[derive(Clone, Debug)]
pub struct List {
    source: Bytes,
    elements: Vec<Element>,
    /// Where it stands in a text of which every value was found.
    view: Option<View>,
}

#[derive(Clone, Debug)]
struct Element {
    place: Range<usize>,
    /// The element on the tape of the list's view.
    node: Option<u32>,
    /// What takes its place.
    new: Option<Bytes>,
}

impl Element {
    fn at(place: Range<usize>) -> Self {
        Self { place, node: None, new: None }
    }
}

impl List {
    /// Reads where the elements stand; `None` if the text is no JSON array.
    #[must_use]
    pub fn parse(source: Bytes) -> Option<Self> {
        let mut elements = Vec::new();
        let scanned = scan::elements(&source, |element| {
            elements.push(Element::at(element));
            Some(())
        });
        if scanned.is_some() {
            return Some(Self { source, elements, view: None });
        }
        let text = std::str::from_utf8(&source).ok()?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let elements = reader.deserialize_seq(Outline { text }).ok()?;
        reader.end().ok()?;
        if !can_be_built(text) {
            return None;
        }
        Some(Self { source, elements, view: None })
    }

    /// The list of a view, with its text.
    pub(super) fn viewed(source: Bytes, view: &View) -> Self {
        let start = view.place().start;
        let element = |(place, node): (Range<usize>, u32)| Element {
            node: Some(node),
            ..Element::at(place.start - start..place.end - start)
        };
        Self { source, elements: view.elements().map(element).collect(), view: Some(view.clone()) }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The JSON text of each element.
    pub fn iter(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.elements.iter().map(|element| self.text(element))
    }

    fn text(&self, element: &Element) -> Bytes {
        element.new.clone().unwrap_or_else(|| self.source.slice(element.place.clone()))
    }

    /// An element, if it is an object.
    fn object(&self, element: &Element) -> Option<Object> {
        let text = self.text(element);
        match (&self.view, element.node, &element.new) {
            (Some(_), Some(_), None) if text.first() != Some(&b'{') => None,
            (Some(view), Some(node), None) => Object::of_view(text, view.at(node)),
            _ => Object::parse_message(text).ok(),
        }
    }

    /// Changes the elements that are objects: what the function answers takes the place of what it was given. Answers whether any
    /// was.
    pub fn change(&mut self, mut change: impl FnMut(Object) -> Option<Bytes>) -> bool {
        let mut any = false;
        for at in 0..self.elements.len() {
            if let Some(text) = self.object(&self.elements[at]).and_then(&mut change) {
                self.elements[at].new = Some(text);
                any = true;
            }
        }
        any
    }

    /// The text: the source with the changed elements spliced in.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.source.len() + 64);
        let mut from = 0;
        for Element { place, new, .. } in &self.elements {
            if let Some(text) = new {
                out.extend_from_slice(&self.source[from..place.start]);
                out.extend_from_slice(text);
                from = place.end;
            }
        }
        out.extend_from_slice(&self.source[from..]);
        out.into()
    }
}

struct Outline<'a> {
    text: &'a str,
}

impl<'de> Visitor<'de> for Outline<'de> {
    type Value = Vec<Element>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element::<&'de RawValue>()? {
            // Both come from the same buffer: the difference of addresses is where the element stands.
            let start = (element.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
            elements.push(Element::at(start..start + element.get().len()));
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_only_the_element() {
        let mut list = List::parse(Bytes::from_static(b"[ 1e400 , {\"a\": null},\n[ ] ]")).unwrap();
        assert_eq!(list.len(), 3);
        assert!(list.change(|_| Some(Bytes::from_static(b"{}"))));
        assert_eq!(list.to_bytes(), &b"[ 1e400 , {},\n[ ] ]"[..]);
        assert!(!list.change(|_| None));
        for text in ["", "{}", "[1", "[1]x"] {
            assert!(List::parse(Bytes::from(text)).is_none(), "{text}");
        }
    }
}
