//! What reads see: the records, or, where reads lag, what they were some time ago.

use std::borrow::Cow;
use std::time::Duration;

use daytona_api::SnapshotState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, World};
use crate::account::Caller;
use crate::clock::after;
use crate::range::duration;
use crate::script::milliseconds;

/// How long reads lag behind writes, as they do where they are answered by another copy of the database.
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
/// Over HTTP it is `{"created": 3000, "deleted": 5000, "names": 0}`, in milliseconds of the emulator's clock. A lag over a year
/// counts as one of a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
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

    /// `get`, `list` and the address of a build log do not know a snapshot for so long after its creation, though its name is
    /// taken. Default: 0.
    pub fn created(mut self, lag: Duration) -> Self {
        self.created = lag.min(crate::range::LONGEST);
        self
    }

    /// `get` and `list` show a snapshot as it was before its deletion for so long after the request for it, and as `removing`
    /// for so long after it is gone. Default: 0.
    pub fn deleted(mut self, lag: Duration) -> Self {
        self.deleted = lag.min(crate::range::LONGEST);
        self
    }

    /// The name of a snapshot stays taken for so long after it is gone. Default: 0.
    pub fn names(mut self, lag: Duration) -> Self {
        self.names = lag.min(crate::range::LONGEST);
        self
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        duration("created", self.created)?;
        duration("deleted", self.deleted)?;
        duration("names", self.names)
    }
}

/// How a snapshot was before its deletion was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Stale {
    state: SnapshotState,
    updated: Timestamp,
    /// Until then reads see it.
    until: Timestamp,
}

/// What is left of snapshots that are gone.
#[derive(Debug, Default)]
pub(super) struct Traces {
    records: Vec<(Record, Timestamp)>,
    /// Organization, name, and until when it is taken.
    names: Vec<(String, String, Timestamp)>,
}

impl Record {
    /// Keeps what reads go on seeing for a while.
    pub(super) fn remember_for_reads(&mut self, lag: ReadLag, now: Timestamp) {
        if !lag.deleted.is_zero() {
            self.stale = Some(Stale {
                state: self.state.clone(),
                updated: self.updated,
                until: after(now, lag.deleted),
            });
        }
    }

    fn as_read(&self, now: Timestamp) -> Cow<'_, Self> {
        match &self.stale {
            Some(stale) if now < stale.until => {
                let mut shown = self.clone();
                shown.state = stale.state.clone();
                shown.updated = stale.updated;
                Cow::Owned(shown)
            }
            _ => Cow::Borrowed(self),
        }
    }
}

impl World {
    /// The snapshots as reads see them.
    pub(crate) fn reads(&self, now: Timestamp) -> impl Iterator<Item = Cow<'_, Record>> {
        let known = self.snapshots.iter().filter(move |record| !self.is_hidden(record, now));
        let gone = self.traces.records.iter().filter(move |(_, until)| now < *until);
        known
            .map(move |record| record.as_read(now))
            .chain(gone.map(|(record, _)| Cow::Borrowed(record)))
    }

    /// The snapshot that a read by the caller sees by that id or name: its own before a general one.
    pub(crate) fn read(&self, caller: &Caller, id_or_name: &str, now: Timestamp) -> Option<Cow<'_, Record>> {
        let mut general = None;
        for record in self.reads(now).filter(|record| record.is(id_or_name)) {
            if record.organization == caller.organization {
                return Some(record);
            }
            if record.general && general.is_none() {
                general = Some(record);
            }
        }
        general
    }

    /// Whether reads do not know the snapshot yet.
    pub(crate) fn is_hidden(&self, record: &Record, now: Timestamp) -> bool {
        !self.lag.created.is_zero() && now < after(record.created, self.lag.created)
    }

    /// Whether a name cannot be given to a new snapshot of the organization.
    pub(crate) fn is_taken(&self, organization: &str, name: &str, now: Timestamp) -> bool {
        let own = |record: &Record| record.organization == organization && record.name == name;
        let kept =
            |(owner, kept, until): &(String, String, Timestamp)| owner == organization && kept == name && now < *until;
        self.snapshots.iter().any(own) || self.traces.names.iter().any(kept)
    }

    /// Takes out a snapshot whose time has come.
    pub(super) fn let_go(&mut self, index: usize, now: Timestamp) {
        let record = self.snapshots.remove(index);
        self.traces.records.retain(|(_, until)| now < *until);
        self.traces.names.retain(|(_, _, until)| now < *until);
        if !self.lag.names.is_zero() {
            let until = after(now, self.lag.names);
            self.traces
                .names
                .push((record.organization.clone(), record.name.clone(), until));
        }
        if !self.lag.deleted.is_zero() {
            self.traces.records.push((record, after(now, self.lag.deleted)));
        }
        self.forget_builds(now);
    }
}
