//! How the bodies of admin routes and their fields are read.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::answer::{Refused, refused};

/// A body as JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| refused(error.to_string()))
}

/// A field that may be left out, but is not null if it is given.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A time that a field names, if it is given.
pub(super) fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Refused> {
    let parsed = text.map(|text| {
        text.parse().map_err(|_| {
            let example = "such as 2026-01-01T00:00:00Z";
            refused(format!("{name} must be a time {example}, but is {text:?}"))
        })
    });
    parsed.transpose()
}
