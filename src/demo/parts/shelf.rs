//! A bounded store: the oldest entry leaves when a new one has no room.

use std::collections::VecDeque;

/// Entries of one kind. A demo never has more than a handful; a loop of registrations must not fill the memory.
const LIMIT: usize = 1000;

/// Values by name, oldest first.
#[derive(Debug)]
pub(in crate::demo) struct Shelf<T>(VecDeque<(String, T)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Shelf<T> {
    /// Adds an entry.
    pub(in crate::demo) fn put(&mut self, name: String, value: T) {
        if self.0.len() >= LIMIT {
            self.0.pop_front();
        }
        self.0.push_back((name, value));
    }

    /// The entry of this name.
    pub(in crate::demo) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// Takes the entry of this name out.
    pub(in crate::demo) fn take(&mut self, name: &str) -> Option<T> {
        let index = self.0.iter().position(|(have, _)| have == name)?;
        self.0.remove(index).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves_first() {
        let mut shelf = Shelf::default();
        for number in 0..=LIMIT {
            shelf.put(number.to_string(), number);
        }
        assert_eq!(shelf.0.len(), LIMIT);
        assert_eq!((shelf.get("0"), shelf.get("1"), shelf.get("1000")), (None, Some(&1), Some(&1000)));
        assert_eq!((shelf.take("1"), shelf.take("1")), (Some(1), None));
    }
}
