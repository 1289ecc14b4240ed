//! Builds that several requests write down at the same moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// For each reference, the requests that write it down now, and how many have come since it was free.
#[derive(Debug, Default)]
pub(crate) struct Writing(Mutex<HashMap<String, Crowd>>);

#[derive(Debug, Default)]
struct Crowd {
    inside: usize,
    entered: usize,
}

impl Writing {
    /// Takes note of a request until the place is dropped.
    pub(crate) fn enter(&self, reference: &str) -> Place<'_> {
        let mut crowds = self.lock();
        let crowd = crowds.entry(reference.to_owned()).or_default();
        let number = crowd.entered;
        crowd.entered += 1;
        crowd.inside += 1;
        Place {
            writing: self,
            reference: reference.to_owned(),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Crowd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request among those that write down the same build.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    writing: &'a Writing,
    reference: String,
    /// How many came before.
    number: usize,
}

impl Place<'_> {
    /// Whether it meets the row of another. Measured: one of two, one of three at most, four or five of six. So the third is the
    /// one that comes late enough to find what the first has written.
    pub(crate) fn collides(&self) -> bool {
        !matches!(self.number, 0 | 2)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut crowds = self.writing.lock();
        if let Some(crowd) = crowds.get_mut(&self.reference) {
            crowd.inside -= 1;
            if crowd.inside == 0 {
                crowds.remove(&self.reference);
            }
        }
    }
}
