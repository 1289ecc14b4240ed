//! Reads that lag behind writes, and what they need for it.

use std::time::Duration;

use daytona_api::SnapshotState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::range::duration;
use crate::state::script::milliseconds;

/// How long reads lag behind writes, as they do if another copy of the database answers them.
///
/// ```
/// use daytona_emulator::{Emulator, ReadLag};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// let second = Duration::from_secs(1);
/// emulator.set_read_lag(ReadLag::new().created(3 * second).deleted(5 * second));
/// # Ok(())
/// # }
/// ```
///
/// Over HTTP it is `{"created": 3000, "deleted": 5000, "names": 0}`, in milliseconds of the emulator's clock. A lag of
/// more than a year counts as a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a lag, such as {\"created\": 3000}",
    default
)]
#[must_use]
pub struct ReadLag {
    #[serde(with = "milliseconds")]
    pub(super) created: Duration,
    #[serde(with = "milliseconds")]
    pub(super) deleted: Duration,
    #[serde(with = "milliseconds")]
    pub(super) names: Duration,
}

impl ReadLag {
    /// No lag.
    pub fn new() -> Self {
        Self::default()
    }

    /// For this long after its creation, `get`, `list` and the address of a build log do not know a snapshot, although
    /// its name is taken. Default: 0.
    pub fn created(mut self, lag: Duration) -> Self {
        self.created = lag.min(crate::base::range::LONGEST);
        self
    }

    /// For this long after a request to delete it, `get` and `list` show a snapshot as it was before, and for this long
    /// after it is gone, as `removing`. Default: 0.
    pub fn deleted(mut self, lag: Duration) -> Self {
        self.deleted = lag.min(crate::base::range::LONGEST);
        self
    }

    /// For this long after a snapshot is gone, its name stays taken. Default: 0.
    pub fn names(mut self, lag: Duration) -> Self {
        self.names = lag.min(crate::base::range::LONGEST);
        self
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        duration("created", self.created)?;
        duration("deleted", self.deleted)?;
        duration("names", self.names)
    }
}

/// A snapshot before its deletion was requested.
#[derive(Debug, Clone)]
pub(crate) struct Stale {
    pub(super) state: SnapshotState,
    pub(super) updated: Timestamp,
    /// Until then reads see it.
    pub(super) until: Timestamp,
}
