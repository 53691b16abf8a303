//! Where every value of a JSON text stands, found in one pass. Objects and lists inside others are then read without going
//! over their text again.

use std::ops::Range;
use std::sync::Arc;

use super::scan::{self, Record};

/// The values of a text, each before those that are inside it; each name of a member before its value.
#[derive(Debug, Default)]
struct Tape {
    nodes: Vec<Node>,
    /// The innermost value that has not ended.
    open: u32,
    /// More than these would take much more memory than the text.
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    /// What stands behind a value and all that is inside it; until it ends, what it is inside of. Of a name: [`PLAIN`] or
    /// [`ESCAPED`].
    next: u32,
}

/// The longest tape: 1.2 MB.
const MOST_NODES: usize = 100_000;

const PLAIN: u32 = 0;
const ESCAPED: u32 = 1;

/// A value in a text whose tape is known.
#[derive(Clone, Debug)]
pub(super) struct View {
    tape: Arc<Tape>,
    node: u32,
}

impl View {
    /// The value of a whole text; `None` if the scan does not read it, or it has very many values.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        // A place has 32 bits.
        u32::try_from(text.len()).ok()?;
        let nodes = Vec::with_capacity(text.len() / 16 + 8);
        let tape = Tape { nodes, open: 0, most: (text.len() / 8 + 16).min(MOST_NODES) };
        let tape = scan::record(text, tape)?;
        Some(Self { tape: Arc::new(tape), node: 0 })
    }

    /// Another value of the same text.
    pub(super) fn at(&self, node: u32) -> Self {
        Self { tape: self.tape.clone(), node }
    }

    /// Where it stands in the text.
    pub(super) fn place(&self) -> Range<usize> {
        self.node(self.node).map_or(0..0, Node::place)
    }

    /// The members of an object: where the name stands, where the value stands, and the node of that. `None` for a name that has
    /// escapes.
    pub(super) fn members(&self) -> impl Iterator<Item = Option<(Range<usize>, Range<usize>, u32)>> + '_ {
        let (mut at, end) = self.inside();
        std::iter::from_fn(move || {
            let name = self.node(at).filter(|_| at < end)?;
            let (node, value) = (at + 1, self.node(at + 1)?);
            at = value.next;
            Some((name.next == PLAIN).then(|| (name.place(), value.place(), node)))
        })
    }

    /// The elements of a list: where each stands, and its node.
    pub(super) fn elements(&self) -> impl Iterator<Item = (Range<usize>, u32)> + '_ {
        let (mut at, end) = self.inside();
        std::iter::from_fn(move || {
            let (node, value) = (at, self.node(at).filter(|_| at < end)?);
            at = value.next;
            Some((value.place(), node))
        })
    }

    /// The first node inside, and the first behind.
    fn inside(&self) -> (u32, u32) {
        (self.node + 1, self.node(self.node).map_or(0, |node| node.next))
    }

    fn node(&self, node: u32) -> Option<Node> {
        self.tape.nodes.get(node as usize).copied()
    }
}

impl Node {
    fn place(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Tape {
    fn push(&mut self, place: Range<usize>, next: u32) -> Option<()> {
        let is_room = self.nodes.len() < self.most;
        // The text is not longer than that.
        let node = Node { start: place.start as u32, end: place.end as u32, next };
        is_room.then(|| self.nodes.push(node))
    }

    /// The place of the next node.
    fn here(&self) -> u32 {
        self.nodes.len() as u32
    }
}

impl Record for Tape {
    fn name(&mut self, place: Range<usize>, is_plain: bool) -> Option<()> {
        self.push(place, if is_plain { PLAIN } else { ESCAPED })
    }

    fn scalar(&mut self, place: Range<usize>) -> Option<()> {
        self.push(place, self.here() + 1)
    }

    fn open(&mut self, start: usize) -> Option<()> {
        let here = self.here();
        self.push(start..start, self.open)?;
        self.open = here;
        Some(())
    }

    fn close(&mut self, end: usize) {
        let here = self.here();
        if let Some(node) = self.nodes.get_mut(self.open as usize) {
            self.open = std::mem::replace(&mut node.next, here);
            node.end = end as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of each value, with that of the values inside it.
    fn outline(text: &str, view: &View) -> String {
        let own = &text[view.place()];
        let member = |member: Option<(Range<usize>, Range<usize>, u32)>| match member {
            Some((name, _, value)) => format!("{}={}", &text[name], outline(text, &view.at(value))),
            None => "?".to_owned(),
        };
        let inside: Vec<String> = match own.as_bytes()[0] {
            b'{' => view.members().map(member).collect(),
            b'[' => view.elements().map(|(_, element)| outline(text, &view.at(element))).collect(),
            _ => return own.to_owned(),
        };
        format!("<{}>", inside.join(" "))
    }

    #[test]
    fn finds_every_value() {
        let text = r#" {"a" : [1, {"b":{}, "c":[ ]},"x,}"], "\u0064":null ,"e":{"f":-1.5e3}} "#;
        let view = View::of(text.as_bytes()).unwrap();
        assert_eq!(view.place(), 1..text.len() - 1);
        assert_eq!(outline(text, &view), r#"<a=<1 <b=<> c=<>> "x,}"> ? e=<f=-1.5e3>>"#);
        for text in ["{", "{}x", "1 2", "[1,]", ""] {
            assert!(View::of(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn has_no_more_memory_than_a_text_is_worth() {
        let ones = format!("[{}1]", "1,".repeat(1000));
        assert!(View::of(ones.as_bytes()).is_none());
        let longer = format!("[{}1]", "1234567,".repeat(1000));
        assert_eq!(View::of(longer.as_bytes()).unwrap().elements().count(), 1001);
    }
}
