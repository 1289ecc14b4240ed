//! What reads go on seeing.

use jiff::Timestamp;

use super::record::Record;

/// What is left of snapshots that are gone.
#[derive(Debug, Default)]
pub(super) struct Traces {
    pub(super) records: Vec<(Record, Timestamp)>,
    /// Organization, name, and until when it is taken.
    pub(super) names: Vec<(String, String, Timestamp)>,
}
