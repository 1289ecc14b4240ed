//! Texts by chance.

use uuid::Uuid;

pub(crate) fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// Hex digits by chance.
pub(crate) fn random(digits: usize) -> String {
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&Uuid::new_v4().simple().to_string());
    }
    text.truncate(digits);
    text
}
