//! Decoding that accepts what servers of other versions send.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, Unexpected};
use serde_json::Value;

/// A date. One that cannot be read counts as absent. Only the first gives a warning, since a list of snapshots may hold
/// hundreds of them.
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
        Date::Other(_) => "(not a string)".to_owned(),
    };
    let read = text.parse().ok();
    if read.is_none() && !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(date = %text, "cannot read a date that the server sent: this one, and any after it, count as absent");
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

/// The integer that `float` equals, if a float can hold it exactly.
fn whole(float: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole, not negative and within the range of exact integers"
    )]
    ((0.0..=EXACT).contains(&float) && float.fract() == 0.0).then_some(float as u64)
}

/// Texts by names. The server checks no values: what is no text is kept as its JSON, and null as nothing.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let Some(values) = Option::<BTreeMap<String, Value>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let texts = values.into_iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    });
    Ok(Some(texts.collect()))
}

/// The text in a value of any kind. Several texts are joined with a comma. An object stands for the `message` or `error` in
/// it, or else for its own JSON.
pub(crate) fn any_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().filter_map(any_text).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        Value::Object(fields) => {
            let inner = ["message", "error"]
                .iter()
                .find_map(|name| any_text(fields.get(*name)?));
            inner.or_else(|| (!fields.is_empty()).then(|| value.to_string()))
        }
    }
}

/// A count, which may also be written as a string. Anything else is `None`.
pub(crate) fn any_count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
