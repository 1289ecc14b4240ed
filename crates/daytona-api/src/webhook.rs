//! Finds out which event a webhook is about, before its body is read.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Map, Value};

use crate::{DecodeError, decode};

/// The `event` of a body.
pub(crate) fn event(body: &[u8]) -> Result<String, DecodeError> {
    #[derive(Deserialize)]
    struct Head {
        event: String,
    }
    // Serde also reads a list as a struct, one field after the other. A webhook is an object.
    decode::json::<Map<String, Value>>(body)?;
    decode::json::<Head>(body).map(|head| head.event)
}

/// The event of a body that was kept whole.
pub(crate) fn name(body: &Map<String, Value>) -> &str {
    body.get("event").and_then(Value::as_str).unwrap_or_default()
}

/// A body that has an `event`.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn event(&self) -> &str {
        name(&self.0)
    }

    /// Reads the body as the type that belongs to its event.
    pub(crate) fn read<T: DeserializeOwned, E: Error>(&self) -> Result<T, E> {
        T::deserialize(&self.0).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Map::deserialize(deserializer)?;
        match body.get("event") {
            Some(Value::String(_)) => Ok(Self(body)),
            Some(_) => Err(D::Error::custom("`event` is not a string")),
            None => Err(D::Error::missing_field("event")),
        }
    }
}
