//! Reads answers, and names the field that is missing or of the wrong kind.

use serde::de::DeserializeOwned;

/// An answer that is not JSON, or that lacks a required field.
///
/// ```
/// use daytona_api::{GetSnapshot, Operation};
///
/// let error = GetSnapshot::decode(br#"{"id": "1", "state": "active"}"#).unwrap_err();
/// assert_eq!(error.field(), Some("name"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("cannot read the answer{}", self.at())]
pub struct DecodeError {
    field: Option<String>,
    #[source]
    source: serde_json::Error,
}

impl DecodeError {
    /// Returns the path of the field that is missing or of the wrong kind, such as `items[2].id`. Returns `None` if the body
    /// is not JSON at all.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    fn at(&self) -> String {
        self.field
            .as_ref()
            .map(|field| format!(" at `{field}`"))
            .unwrap_or_default()
    }
}

/// Reads a body that is one JSON value.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let source = error.into_inner();
        DecodeError {
            field: field(&path, &source),
            source,
        }
    })?;
    deserializer
        .end()
        .map_err(|source| DecodeError { field: None, source })?;
    Ok(value)
}

/// Reads a body that is text. Bytes that are not UTF-8 are replaced.
pub(crate) fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// The path of the field that an error is about. Serde reports a missing field at its parent, and names it only in the
/// message.
fn field(path: &str, error: &serde_json::Error) -> Option<String> {
    if !error.is_data() {
        return None;
    }
    let parent = (path != ".").then_some(path);
    let message = error.to_string();
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    match (parent, missing) {
        (Some(parent), Some(name)) => Some(format!("{parent}.{name}")),
        (None, Some(name)) => Some(name.to_owned()),
        (Some(parent), None) => Some(parent.to_owned()),
        (None, None) => None,
    }
}
