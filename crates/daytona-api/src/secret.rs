//! The one way in which a secret is written out: a field that asks for it by name.

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

/// For `#[serde(serialize_with = …)]` on the fields of an answer that is made of credentials.
pub(crate) fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
