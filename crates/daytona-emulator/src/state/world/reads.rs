//! What reads see: the records, or, where reads lag, what they were some time ago.

use std::borrow::Cow;

use jiff::Timestamp;

use super::World;
use super::lag::{ReadLag, Stale};
use super::record::Record;
use crate::base::clock::after;
use crate::state::account::Caller;

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
