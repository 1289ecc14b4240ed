//! What an expression is made of.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Beginning,
    End,
    /// Between a word of ASCII letters, digits and `_`, and what is none; or the opposite.
    WordBoundary(bool),
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Characters {
    pub(super) ranges: Vec<(char, char)>,
    pub(super) is_negated: bool,
}

impl Characters {
    pub(super) fn one(character: char) -> Self {
        Self {
            ranges: vec![(character, character)],
            is_negated: false,
        }
    }

    /// The only one there is.
    pub(super) fn only(&self) -> Option<char> {
        match (self.ranges.as_slice(), self.is_negated) {
            ([(low, high)], false) if low == high => Some(*low),
            _ => None,
        }
    }

    pub(super) fn contains(&self, character: char) -> bool {
        let is_in = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&character));
        is_in != self.is_negated
    }
}

/// What a reader makes of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Take(Characters),
    Assert(Place),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: usize,
        most: Option<usize>,
    },
}
