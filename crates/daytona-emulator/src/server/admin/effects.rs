//! Faults as tests send them, and what is said of an effect of the wrong shape.

use serde_json::Value;

use super::answer::{Refused, refused};
use super::fields::read;
use crate::state::fault::{Effect, Fault};

/// Each effect, as it is written.
const EXAMPLES: [(&str, &str); 15] = [
    ("status", r#"{"status": {"status": 503}}"#),
    ("gatewayPage", r#"{"gatewayPage": {"status": 502}}"#),
    ("ignore", r#""ignore""#),
    ("undo", r#""undo""#),
    ("withHeader", r#"{"withHeader": {"name": "Retry-After", "value": "1"}}"#),
    ("withoutHeader", r#"{"withoutHeader": "Date"}"#),
    ("delay", r#"{"delay": 1000}"#),
    ("disconnect", r#""disconnect""#),
    ("loseAnswer", r#""loseAnswer""#),
    ("malformed", r#""malformed""#),
    ("truncate", r#"{"truncate": 100}"#),
    ("stall", r#"{"stall": 100}"#),
    ("resetUpload", r#"{"resetUpload": 100}"#),
    ("stallUpload", r#"{"stallUpload": 100}"#),
    ("throttleUpload", r#"{"throttleUpload": 1000}"#),
];

/// The fault that a body describes.
pub(super) fn fault(body: &[u8]) -> Result<Fault, Refused> {
    let fault: Fault = read(body).map_err(|error| explained(body).unwrap_or(error))?;
    fault.check().map_err(refused)?;
    Ok(fault)
}

/// What is wrong with an effect of a known name, and how it is written.
fn explained(body: &[u8]) -> Option<Refused> {
    let effect = serde_json::from_slice::<Value>(body).ok()?.get("effect")?.clone();
    let name = match &effect {
        Value::String(name) => name.clone(),
        Value::Object(fields) => fields.keys().next()?.clone(),
        _ => return None,
    };
    let (_, example) = EXAMPLES.iter().find(|(known, _)| *known == name)?;
    let error = serde_json::from_value::<Effect>(effect).err()?;
    Some(refused(format!(
        "the effect `{name}`: {error}; write it like this: {{\"effect\": {example}}}"
    )))
}

#[test]
fn every_effect_can_be_written_as_its_example_says() {
    let unknown = serde_json::from_str::<Effect>(r#""?""#).unwrap_err().to_string();
    let known: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert_eq!(EXAMPLES.map(|(name, _)| name).to_vec(), known);
    let readme = include_str!("../../../README.md");
    for (name, example) in EXAMPLES {
        assert!(fault(format!("{{\"effect\": {example}}}").as_bytes()).is_ok(), "{name}");
        assert!(readme.contains(&format!("`{example}`")), "{name}");
    }
}
