//! Finds the rules that a path could match, without a comparison with each of them.
//!
//! Each rule is filed under three bytes in a row that every path which it matches has in it: the rarest ones of its literal
//! text. A rule with less literal text is compared with every path.

use std::collections::HashMap;

use super::matches::Matches;

/// So few rules are compared one by one.
const FEW: usize = 64;

/// Some bytes in a row of a path or pattern.
type Gram = [u8; 3];

/// How many bytes of a pattern are looked at, from its end.
const LOOKED_AT: usize = 128;

/// The rules by a part of what every path that they match has in it. Of a pattern's parts it is the one that the fewest
/// patterns have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    by_gram: HashMap<Gram, Vec<usize>>,
    /// The rules that are not found by a part.
    others: Matches,
}

impl Index {
    /// Of rules with these texts in every path that they match.
    pub(super) fn new(literals: &[&str]) -> Self {
        let mut index = Self {
            by_gram: HashMap::new(),
            others: Matches::none(literals.len()),
        };
        let mut counts: HashMap<Gram, usize> = HashMap::new();
        if literals.len() > FEW {
            for gram in literals.iter().flat_map(|literal| grams_of(literal)) {
                *counts.entry(gram).or_default() += 1;
            }
        }
        for (number, literal) in literals.iter().enumerate() {
            let rarest = grams_of(literal)
                .filter_map(|gram| Some((counts.get(&gram)?, gram)))
                .min_by_key(|(count, _)| **count);
            match rarest {
                Some((_, gram)) => index.by_gram.entry(gram).or_default().push(number),
                None => index.others.set(number),
            }
        }
        index
    }

    /// All rules that could match the path, and perhaps some more.
    pub(super) fn possible(&self, path: &str) -> Matches {
        let mut possible = self.others.clone();
        if !self.by_gram.is_empty() {
            for rule in grams(path.as_bytes())
                .filter_map(|gram| self.by_gram.get(&gram))
                .flatten()
            {
                possible.set(*rule);
            }
        }
        possible
    }
}

fn grams_of(literal: &str) -> impl Iterator<Item = Gram> {
    let bytes = literal.as_bytes();
    grams(&bytes[bytes.len().saturating_sub(LOOKED_AT)..])
}

fn grams(text: &[u8]) -> impl Iterator<Item = Gram> {
    text.array_windows().copied()
}
