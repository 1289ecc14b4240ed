//! Scripted faults.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

use crate::operation::Operation;

/// Something that goes wrong with some calls of an operation.
///
/// ```
/// use daytona_emulator::{Fault, Operation};
/// use std::time::Duration;
///
/// // The second and third poll are refused, with the time to wait.
/// let busy = Fault::status(429).header("Retry-After-authenticated", "7").on(Operation::GetSnapshot).nth(2).times(2);
/// // The snapshot is created, but nobody hears of it.
/// let lost = Fault::lose_answer().on(Operation::CreateSnapshot);
/// // The log breaks off after 100 bytes, every time.
/// let cut = Fault::truncate(100).on(Operation::ReadBuildLog).always();
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Fault {
    pub(crate) effect: Effect,
    operation: Option<Operation>,
    /// Calls to let pass before the first one that is hit.
    skip: u64,
    /// Calls to hit.
    left: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Status {
        status: u16,
        headers: Vec<(String, String)>,
        body: Option<String>,
    },
    Delay(Duration),
    Disconnect,
    LoseAnswer,
    Truncate(usize),
    Stall(usize),
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self {
            effect,
            operation: None,
            skip: 0,
            left: 1,
        }
    }

    /// Answers with this status instead of doing anything, in the envelope that the real server has for it.
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Status {
            status,
            headers: Vec::new(),
            body: None,
        })
    }

    /// Waits on the emulator's clock, then goes on as usual.
    pub fn delay(duration: Duration) -> Self {
        Self::new(Effect::Delay(duration))
    }

    /// Breaks the connection without doing anything.
    pub fn disconnect() -> Self {
        Self::new(Effect::Disconnect)
    }

    /// Does what is asked, then breaks the connection without an answer.
    pub fn lose_answer() -> Self {
        Self::new(Effect::LoseAnswer)
    }

    /// Breaks the connection after this many bytes of the answer's body.
    pub fn truncate(bytes: usize) -> Self {
        Self::new(Effect::Truncate(bytes))
    }

    /// Sends this many bytes of the answer's body and then nothing more, with the connection left open.
    pub fn stall(bytes: usize) -> Self {
        Self::new(Effect::Stall(bytes))
    }

    /// Adds a header to the answer of [`Fault::status`]; other faults have none.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Effect::Status { headers, .. } = &mut self.effect {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sets the body of the answer of [`Fault::status`], as it is.
    pub fn body(mut self, text: &str) -> Self {
        if let Effect::Status { body, .. } = &mut self.effect {
            *body = Some(text.to_owned());
        }
        self
    }

    /// Only calls of this operation. Default: every request.
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// From the n-th matching call after the fault was set, counted from 1. Default: the first.
    pub fn nth(mut self, call: u64) -> Self {
        self.skip = call.saturating_sub(1);
        self
    }

    /// This many calls. Default: one.
    pub fn times(mut self, calls: u64) -> Self {
        self.left = calls;
        self
    }

    /// Every call.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    /// Whether it is a number that HTTP knows as a status.
    pub(crate) fn checked_status(status: u16) -> StatusCode {
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn hits(&mut self, operation: Operation) -> bool {
        if self.operation.is_some_and(|wanted| wanted != operation) || self.left == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.left -= 1;
        true
    }
}

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

    /// What is to go wrong with this call: each fault counts it, all that hit apply in their order.
    pub(crate) fn hit(&self, operation: Operation) -> Vec<Effect> {
        let mut faults = self.lock();
        let hits = faults
            .iter_mut()
            .filter_map(|fault| fault.hits(operation).then(|| fault.effect.clone()));
        let effects = hits.collect();
        faults.retain(|fault| fault.left > 0);
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
