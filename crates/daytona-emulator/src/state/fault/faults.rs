//! The faults in force.

use std::sync::{Mutex, PoisonError};

use super::{Call, Effect, Fault};

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Whether any of them needs to know the state of the snapshot.
    pub(crate) fn ask_for_states(&self) -> bool {
        self.lock().iter().any(|fault| fault.while_under_way)
    }

    /// The faults that apply to this call, in their order. Each matching fault counts the call.
    pub(crate) fn hit(&self, call: &Call) -> Vec<Effect> {
        let mut faults = self.lock();
        let hits = faults
            .iter_mut()
            .filter_map(|fault| fault.hits(call).then(|| fault.effect.clone()));
        let effects = hits.collect();
        faults.retain(|fault| fault.times > 0);
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
