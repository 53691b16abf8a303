//! What two objects have in common. The fence asks this at every change, mostly of an object and a changed copy of it.

use std::sync::Arc;

use super::{Member, Object, State};

/// Objects with more members than this are not compared by name, because that is slow.
const MANY: usize = 100;

impl Object {
    /// Whether a member has the same text in another object, or is in neither.
    #[must_use]
    pub fn is_same_in(&self, other: &Self, name: &str) -> bool {
        let (Some(own), Some(their)) = (self.member(name), other.member(name)) else {
            return self.has(name) == other.has(name);
        };
        match (&own.state, &own.span, &their.state, &their.span) {
            (State::Kept, Some(own), State::Kept, Some(their)) => {
                self.source[own.value.clone()] == other.source[their.value.clone()]
            }
            _ => self.raw(name) == other.raw(name),
        }
    }

    /// The names of the members that are not the same text in another object, each once; `None` if there are very many
    /// members.
    #[must_use]
    pub fn differs_in(&self, other: &Self) -> Option<Vec<String>> {
        if self.members.len().max(other.members.len()) > MANY {
            return None;
        }
        let mut names = self.names();
        names.extend(other.names().into_iter().filter(|name| !self.has(name)));
        names.retain(|name| !self.is_same_in(other, name));
        Some(names)
    }

    /// The names, out of these, of members that may differ in another object. The list may name members that are equal,
    /// because comparing values costs more than seeing that nobody touched them.
    #[must_use]
    pub fn may_differ_in<'a>(&self, other: &Self, names: &[&'a str]) -> Vec<&'a str> {
        let mut found = Vec::new();
        for (own, their) in self.unlike_pairs(other) {
            let is_it = |name: &&&str| {
                own.is_some_and(|member| self.is_named(member, name))
                    || their.is_some_and(|member| other.is_named(member, name))
            };
            found.extend(names.iter().filter(is_it));
        }
        found
    }

    /// Whether another object has the same members in the same order, whatever it says for one name.
    #[must_use]
    pub fn is_same_but(&self, other: &Self, but: &str) -> bool {
        if self.has_source_of(other) {
            let is_it =
                |object: &Self, member: Option<&Member>| member.is_none_or(|member| object.is_named(member, but));
            return self.unlike_pairs(other).all(|(own, their)| is_it(self, own) && is_it(other, their));
        }
        let names = |object: &Self| object.names().into_iter().filter(|name| name != but).collect::<Vec<_>>();
        let others = names(self);
        others == names(other) && others.iter().all(|name| self.is_same_in(other, name))
    }

    /// Whether both were read from one text: then members at the same place in it are the same.
    fn has_source_of(&self, other: &Self) -> bool {
        self.source.as_ptr() == other.source.as_ptr() && self.source.len() == other.source.len()
    }

    /// The members of both, side by side, but for those that nobody has touched.
    fn unlike_pairs<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Pair<'a>> {
        let has_source_of = self.has_source_of(other);
        let is_same = move |own: &Member, their: &Member| {
            let is_state = match (&own.state, &their.state) {
                (State::Kept, State::Kept) | (State::Removed, State::Removed) => true,
                (State::Set(own), State::Set(their)) => own == their,
                (State::Spliced(own), State::Spliced(their)) => own == their,
                _ => false,
            };
            is_state
                && match (&own.span, &their.span) {
                    (Some(own), Some(their)) => has_source_of && own == their,
                    (None, None) => self.name_of(own) == other.name_of(their),
                    _ => false,
                }
        };
        let is_shared = Arc::ptr_eq(&self.members, &other.members);
        let count = if is_shared { 0 } else { self.members.len().max(other.members.len()) };
        let pairs = (0..count).map(|place| (self.members.get(place), other.members.get(place)));
        pairs.filter(move |pair| !matches!(pair, (Some(own), Some(their)) if is_same(own, their)))
    }
}

/// Members at one place of two objects; `None` where one has fewer.
type Pair<'a> = (Option<&'a Member>, Option<&'a Member>);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// A member that is set, taken out or given as a text.
    fn any_edit() -> impl Strategy<Value = (String, u8, u8)> {
        ("[a-e]", 0..3_u8, 0..3_u8)
    }

    fn edit(object: &mut Object, (name, kind, value): &(String, u8, u8)) {
        match kind {
            0 => object.set(name, json!(value)),
            1 => object.splice(name, value.to_string().into()),
            _ => object.remove(name),
        }
    }

    fn object(members: &[(String, u8)]) -> Object {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        Object::parse(Bytes::from(format!("{{{}}}", members.join(",")))).unwrap()
    }

    proptest! {
        /// A copy and an object read anew are compared in two ways; both find what a look at each member finds.
        #[test]
        fn finds_what_a_look_at_each_member_finds(
            members in prop::collection::vec(("[a-d]", 0..3_u8), 0..5),
            first in prop::collection::vec(any_edit(), 0..3),
            then in prop::collection::vec(any_edit(), 0..3),
            is_read_anew: bool,
        ) {
            let mut was = object(&members);
            for change in &first {
                edit(&mut was, change);
            }
            let mut is = if is_read_anew { Object::parse(was.to_bytes()).unwrap() } else { was.clone() };
            for change in &then {
                edit(&mut is, change);
            }
            let mut differ: Vec<String> = ["a", "b", "c", "d", "e"]
                .into_iter()
                .filter(|name| was.raw(name) != is.raw(name))
                .map(str::to_owned)
                .collect();
            let others = |object: &Object, but: &str| -> Vec<(String, Option<Bytes>)> {
                object.names().into_iter().filter(|name| name != but).map(|name| (name.clone(), object.raw(&name))).collect()
            };
            for but in ["a", "b", ""] {
                let is_same = was.is_same_but(&is, but);
                prop_assert!(!is_same || others(&was, but) == others(&is, but), "{but}");
                // For a copy the answer is stricter: a member that was set to the value it had counts as changed.
                let is_exact = !was.has_source_of(&is) || then.is_empty();
                prop_assert!(!is_exact || is_same == (others(&was, but) == others(&is, but)), "{but}");
            }
            let may_differ = was.may_differ_in(&is, &["a", "b", "e"]);
            prop_assert!(differ.iter().all(|name| may_differ.contains(&name.as_str()) || ["c", "d"].contains(&name.as_str())));
            prop_assert!(!then.is_empty() || is_read_anew || may_differ.is_empty());
            let mut found = was.differs_in(&is).unwrap();
            found.sort();
            differ.sort();
            prop_assert_eq!(found, differ);
        }
    }

    #[test]
    fn objects_that_came_from_nowhere_are_no_copies() {
        let (one, other) = (Object::new([("a", Value::from(1))]), Object::new([("b", Value::from(1))]));
        assert!(!one.is_same_but(&other, "") && !one.is_same_but(&other, "a"));
        assert_eq!(one.differs_in(&other).unwrap(), ["a", "b"]);
        assert_eq!(one.may_differ_in(&other, &["b"]), ["b"]);
    }
}
