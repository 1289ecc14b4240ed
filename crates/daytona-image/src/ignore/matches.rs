//! A set of rules, by their numbers.

/// Some of the rules: those that matched a directory or one of its parents, or those that may match a path. The empty list
/// belongs to the root: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Matches(Box<[u64]>);

impl Matches {
    pub(super) fn none(rules: usize) -> Self {
        Self(vec![0; rules.div_ceil(64)].into())
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// Asks about each rule in order, and keeps those for which the answer is yes.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        for (place, word) in self.0.iter_mut().enumerate() {
            let mut open = *word;
            while open != 0 {
                let bit = open.trailing_zeros();
                open &= open - 1;
                if !keeps(place * 64 + bit as usize) {
                    *word &= !(1 << bit);
                }
            }
        }
    }
}
