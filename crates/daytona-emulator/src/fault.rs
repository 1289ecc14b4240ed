//! Scripted faults.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::operation::Operation;
use crate::script::milliseconds;

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
/// // The third part of an upload never gets through the first time.
/// let reset = Fault::reset_upload(64 * 1024).on(Operation::UploadPart).part(3);
/// ```
///
/// Over HTTP it is JSON with the same names in camel case, times in milliseconds:
/// `{"effect": {"status": {"status": 503}}, "on": "getSnapshot", "nth": 2, "times": 2}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[must_use]
pub struct Fault {
    pub(crate) effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    /// The first call that is hit.
    #[serde(default = "one")]
    nth: u64,
    /// Calls to hit.
    #[serde(default = "one")]
    times: u64,
}

fn one() -> u64 {
    1
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Effect {
    Status(StatusAnswer),
    Delay(#[serde(with = "milliseconds")] Duration),
    Disconnect,
    LoseAnswer,
    Malformed,
    Truncate(u64),
    Stall(u64),
    ResetUpload(u64),
    StallUpload(u64),
    ThrottleUpload(u64),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StatusAnswer {
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// The message of the envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// The whole body, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self {
            effect,
            on: None,
            part: None,
            nth: 1,
            times: 1,
        }
    }

    /// Answers with this status instead of doing anything, in the envelope that the real server has for it.
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Status(StatusAnswer {
            status,
            ..StatusAnswer::default()
        }))
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

    /// Does what is asked, and answers with a body that is neither text nor JSON nor XML.
    pub fn malformed() -> Self {
        Self::new(Effect::Malformed)
    }

    /// Breaks the connection after this many bytes of the answer's body.
    pub fn truncate(bytes: u64) -> Self {
        Self::new(Effect::Truncate(bytes))
    }

    /// Sends this many bytes of the answer's body and then nothing more, with the connection left open.
    pub fn stall(bytes: u64) -> Self {
        Self::new(Effect::Stall(bytes))
    }

    /// Breaks the connection after this many bytes of the request's body.
    pub fn reset_upload(bytes: u64) -> Self {
        Self::new(Effect::ResetUpload(bytes))
    }

    /// Takes this many bytes of the request's body and then nothing more, with the connection left open.
    pub fn stall_upload(bytes: u64) -> Self {
        Self::new(Effect::StallUpload(bytes))
    }

    /// Takes the request's body no faster than this many bytes a second, on the emulator's clock.
    pub fn throttle_upload(bytes_per_second: u64) -> Self {
        Self::new(Effect::ThrottleUpload(bytes_per_second.max(1)))
    }

    /// Adds a header to the answer of [`Fault::status`]; other faults have none.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Effect::Status(answer) = &mut self.effect {
            answer.headers.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// Sets the message in the envelope of [`Fault::status`].
    pub fn message(mut self, text: &str) -> Self {
        if let Effect::Status(answer) = &mut self.effect {
            answer.message = Some(text.to_owned());
        }
        self
    }

    /// Sets the body of the answer of [`Fault::status`], as it is.
    pub fn body(mut self, text: &str) -> Self {
        if let Effect::Status(answer) = &mut self.effect {
            answer.body = Some(text.to_owned());
        }
        self
    }

    /// Only calls of this operation. Default: every request.
    pub fn on(mut self, operation: Operation) -> Self {
        self.on = Some(operation);
        self
    }

    /// Only calls for the part of an upload with this number, counted from 1.
    pub fn part(mut self, number: u32) -> Self {
        self.part = Some(number);
        self
    }

    /// From the n-th matching call after the fault was set, counted from 1. Default: the first.
    pub fn nth(mut self, call: u64) -> Self {
        self.nth = call.max(1);
        self
    }

    /// This many calls. Default: one.
    pub fn times(mut self, calls: u64) -> Self {
        self.times = calls;
        self
    }

    /// Every call.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn hits(&mut self, operation: Operation, part: Option<u32>) -> bool {
        let is_other = self.on.is_some_and(|wanted| wanted != operation);
        if is_other || self.part.is_some_and(|wanted| part != Some(wanted)) || self.times == 0 {
            return false;
        }
        if self.nth > 1 {
            self.nth -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// A status, if it is a number that HTTP knows as one.
pub(crate) fn checked_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
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

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// What is to go wrong with this call: each fault counts it, all that hit apply in their order.
    pub(crate) fn hit(&self, operation: Operation, part: Option<u32>) -> Vec<Effect> {
        let mut faults = self.lock();
        let hits = faults
            .iter_mut()
            .filter_map(|fault| fault.hits(operation, part).then(|| fault.effect.clone()));
        let effects = hits.collect();
        faults.retain(|fault| fault.times > 0);
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
