//! Lists of problems and warnings with a limited length.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// The place of a message: the number of its step or part, and its line if it has one.
pub(crate) type Place = (usize, Option<usize>);

/// A message about a place.
pub(crate) trait Said {
    fn place(&self) -> Place;

    fn text(&self) -> Cow<'_, str>;
}

/// The first messages, in the order of their places and each only once, and how many more there were.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    most: usize,
    /// By their places. The messages about one place stay in their order.
    items: BTreeMap<(Place, usize), T>,
    /// The hashes of all messages, so that a repetition is recognized even if the message was not kept.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl<T: Said> Bounded<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            items: BTreeMap::new(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        let place = item.place();
        if !self.seen.insert(self.hasher.hash_one((place, item.text()))) {
            return;
        }
        self.items.insert((place, self.seen.len()), item);
        if self.items.len() > self.most {
            self.items.pop_last();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items, in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.values()
    }

    /// The items, in the order of their places, and how many more there are.
    pub(crate) fn into_parts(self) -> (Vec<T>, usize) {
        let more = self.seen.len() - self.items.len();
        (self.items.into_values().collect(), more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Line(usize, &'static str);

    impl Said for Line {
        fn place(&self) -> Place {
            (0, Some(self.0))
        }

        fn text(&self) -> Cow<'_, str> {
            self.1.into()
        }
    }

    #[test]
    fn the_first_lines_are_kept_and_no_repetition_is_counted() {
        let mut bounded = Bounded::new(3);
        for line in [9, 9, 8, 7, 7, 9, 2, 9, 8, 1] {
            bounded.push(Line(line, "a"));
        }
        bounded.push(Line(1, "0"));
        let kept = vec![Line(1, "a"), Line(1, "0"), Line(2, "a")];
        assert_eq!(bounded.into_parts(), (kept, 3));
    }
}
