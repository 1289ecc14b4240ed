//! Finds the rules that a path could match, without a comparison with each of them.
//!
//! Each rule is filed under up to three bytes in a row that every path which it matches has in it: the rarest ones of its
//! literal text. A rule without any is compared with every path.

use std::collections::{BTreeSet, HashMap};

use super::matches::Matches;

/// So few rules are compared one by one.
const FEW: usize = 64;

/// Some bytes in a row of a path or pattern; zeros stand for those that are missing.
type Gram = [u8; LONGEST];

/// How many bytes a rule is filed under, if its literal text has as many.
const LONGEST: usize = 3;

/// How many bytes of a pattern are looked at, from its end.
const LOOKED_AT: usize = 128;

/// The rules by a part of what every path that they match has in it. Of a pattern's parts it is the one that the fewest
/// patterns have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    by_gram: HashMap<Gram, Vec<usize>>,
    /// The lengths of these parts.
    lengths: BTreeSet<usize>,
    /// The rules that are not found by a part.
    others: Matches,
}

impl Index {
    /// Of rules with these texts in every path that they match.
    pub(super) fn new(literals: &[&str]) -> Self {
        let mut index = Self {
            others: Matches::none(literals.len()),
            ..Self::default()
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
                Some((_, gram)) => {
                    index.lengths.insert(literal.len().min(LONGEST));
                    index.by_gram.entry(gram).or_default().push(number);
                }
                None => index.others.set(number),
            }
        }
        index
    }

    /// All rules that could match the path, and perhaps some more.
    pub(super) fn possible(&self, path: &str) -> Matches {
        let mut possible = self.others.clone();
        let grams = self.lengths.iter().flat_map(|length| grams(path.as_bytes(), *length));
        for rule in grams.filter_map(|gram| self.by_gram.get(&gram)).flatten() {
            possible.set(*rule);
        }
        possible
    }
}

/// The parts that a rule with this literal text may be filed under.
fn grams_of(literal: &str) -> impl Iterator<Item = Gram> {
    let bytes = literal.as_bytes();
    let end = &bytes[bytes.len().saturating_sub(LOOKED_AT)..];
    grams(end, bytes.len().min(LONGEST))
}

/// All parts of this length; there are none of no length.
fn grams(text: &[u8], length: usize) -> impl Iterator<Item = Gram> {
    let count = if length == 0 {
        0
    } else {
        (text.len() + 1).saturating_sub(length)
    };
    (0..count).map(move |start| {
        let mut gram = Gram::default();
        gram[..length].copy_from_slice(&text[start..start + length]);
        gram
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pattern::Pattern;
    use super::*;

    proptest! {
        #[test]
        fn every_rule_that_matches_is_among_the_possible_ones(
            patterns in prop::collection::vec("[abc][abc.*?]{0,2}(/[abc*?]{1,2})?|\\*\\*/[abc]{1,2}", FEW + 1..FEW + 60),
            path in "[abc.]{1,4}(/[abc.]{1,2}){0,2}",
        ) {
            let patterns: Vec<Pattern> = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
            let literals: Vec<&str> = patterns.iter().map(Pattern::literal).collect();
            let possible = Index::new(&literals).possible(&path);
            for (number, pattern) in patterns.iter().enumerate() {
                prop_assert!(possible.has(number) || !pattern.matches(&path), "{pattern:?} {path}");
            }
        }
    }

    #[test]
    fn short_names_are_told_apart_without_a_comparison() {
        let names: Vec<String> = ('a'..='z')
            .flat_map(|one| ('a'..='z').map(move |other| format!("{one}{other}")))
            .collect();
        let literals: Vec<&str> = names.iter().map(String::as_str).collect();
        let index = Index::new(&literals);
        let mut possible = Vec::new();
        index.possible("x/ab").retain(|number| {
            possible.push(literals[number]);
            true
        });
        assert_eq!(possible, ["ab"]);
    }
}
