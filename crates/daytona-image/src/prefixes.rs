//! Finds texts that begin with another text, or that another one begins with, without a comparison with each of them.

/// Texts, each with a number.
///
/// They are sorted, so that those which begin with a given text stand together. The others that may be wanted are at the
/// beginning of that text: they are at the beginning of each other, too, and each knows the next shorter one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Prefixes {
    sorted: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    text: Box<str>,
    number: usize,
    /// The last one before it that it begins with.
    shorter: Option<usize>,
}

impl Prefixes {
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = (&'a str, usize)>) -> Self {
        let mut texts: Vec<(&str, usize)> = texts.into_iter().collect();
        texts.sort_unstable();
        let mut sorted: Vec<Entry> = Vec::with_capacity(texts.len());
        for (text, number) in texts {
            let mut shorter = sorted.len().checked_sub(1);
            while let Some(index) = shorter.filter(|index| !text.starts_with(&*sorted[*index].text)) {
                shorter = sorted[index].shorter;
            }
            sorted.push(Entry {
                text: text.into(),
                number,
                shorter,
            });
        }
        Self { sorted }
    }

    /// The numbers of the texts that this one begins with.
    pub(crate) fn at_beginning_of(&self, text: &str) -> impl Iterator<Item = usize> {
        // All of them come before it, and what is between one of them and it begins with that one.
        let last = self.sorted.partition_point(|entry| *entry.text <= *text).checked_sub(1);
        let chain = std::iter::successors(last, |index| self.sorted[*index].shorter);
        let entries = chain.map(|index| &self.sorted[index]);
        entries
            .filter(move |entry| text.starts_with(&*entry.text))
            .map(|entry| entry.number)
    }

    /// The numbers of the texts that begin with this one.
    pub(crate) fn beginning_with(&self, text: &str) -> impl Iterator<Item = usize> {
        let first = self.sorted.partition_point(|entry| *entry.text < *text);
        let entries = self.sorted[first..].iter();
        entries
            .take_while(move |entry| entry.text.starts_with(text))
            .map(|entry| entry.number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_texts_are_found_as_by_comparing_each(
            texts in prop::collection::vec("[ab/é]{0,4}", 0..30),
            text in "[ab/é]{0,5}",
        ) {
            let prefixes = Prefixes::new(texts.iter().map(String::as_str).zip(0..));
            let expected = |is_found: &dyn Fn(&str) -> bool| -> Vec<usize> {
                (0..texts.len()).filter(|index| is_found(&texts[*index])).collect()
            };
            let mut found: Vec<usize> = prefixes.at_beginning_of(&text).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected(&|other| text.starts_with(other)));
            let mut found: Vec<usize> = prefixes.beginning_with(&text).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected(&|other| other.starts_with(&text)));
        }
    }
}
