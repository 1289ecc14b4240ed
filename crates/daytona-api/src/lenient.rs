//! Decoding that forgives what servers of other versions send.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Unexpected, Visitor};

/// A date that cannot be read counts as absent; the first one is worth a warning, all of them would drown the log.
pub(crate) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Date {
        Text(String),
        Other(IgnoredAny),
    }
    static WARNED: AtomicBool = AtomicBool::new(false);

    let Some(date) = Option::<Date>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let text = match date {
        Date::Text(text) => text,
        Date::Other(_) => "(not a text)".to_owned(),
    };
    let read = text.parse().ok();
    if read.is_none() && !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(date = %text, "the server sent a date that cannot be read; it and further ones count as absent");
    }
    Ok(read)
}

/// A count that may come as `2` or `2.0`.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Whole(u64),
        Float(f64),
    }

    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Number::Whole(count)) => Ok(Some(count)),
        Some(Number::Float(float)) => whole(float)
            .map(Some)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Float(float), &"a whole number that is not negative")),
    }
}

/// The integer that `float` is, if it is one that a float can hold exactly.
fn whole(float: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole, not negative and within the range of exact integers"
    )]
    ((0.0..=EXACT).contains(&float) && float.fract() == 0.0).then_some(float as u64)
}

/// A text that some servers send as a list of texts.
pub(crate) fn text_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct TextOrList;

    impl<'de> Visitor<'de> for TextOrList {
        type Value = Option<String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a text or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element::<String>()? {
                texts.push(text);
            }
            Ok(Some(texts.join(", ")))
        }
    }

    deserializer.deserialize_any(TextOrList)
}
