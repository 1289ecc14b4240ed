//! Scripted faults.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::base::range::{duration, within};
use crate::state::script::milliseconds;
use crate::wire::operation::Operation;

mod faults;

pub(crate) use faults::Faults;

/// A fault that affects some calls of an operation.
///
/// ```
/// use daytona_emulator::{Fault, Operation};
/// use std::time::Duration;
///
/// // The second and third poll are refused, with the time to wait.
/// let busy = Fault::status(429)
///     .header("Retry-After-authenticated", "7")
///     .on(Operation::GetSnapshot)
///     .nth(2)
///     .times(2);
/// // The snapshot is created, but nobody hears of it.
/// let lost = Fault::lose_answer().on(Operation::CreateSnapshot);
/// // The log breaks off after 100 bytes, every time.
/// let cut = Fault::truncate(100).on(Operation::ReadBuildLog).always();
/// // The third part of an upload never gets through the first time.
/// let reset = Fault::reset_upload(64 * 1024).on(Operation::UploadPart).part(3);
/// // The snapshot is created, but a gateway gave up waiting for the answer.
/// let gateway = Fault::gateway_page(524).carried_out().on(Operation::CreateSnapshot);
/// // Two deletions that come while the snapshot is being made are answered and forgotten.
/// let deaf = Fault::ignore().on(Operation::RemoveSnapshot).while_under_way().times(2);
/// // Every answer says that few requests are left.
/// let busy = Fault::with_header("X-RateLimit-Remaining-authenticated", "3").always();
/// ```
///
/// Over HTTP it is JSON with the same names in camel case, times in milliseconds:
/// `{"effect": {"status": {"status": 503}}, "on": "getSnapshot", "nth": 2, "times": 2}`,
/// `{"effect": {"gatewayPage": {"status": 524, "carriedOut": true}}, "on": "createSnapshot"}`,
/// `{"effect": "ignore", "on": "removeSnapshot", "whileUnderWay": true}`. A number outside its range is refused there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a fault, such as {\"effect\": \"disconnect\"}"
)]
#[must_use]
pub struct Fault {
    pub(crate) effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    /// Only while the snapshot is pending, pulling or building.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    while_under_way: bool,
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
    GatewayPage(StatusAnswer),
    Ignore,
    Undo,
    WithHeader { name: String, value: String },
    WithoutHeader(String),
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
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "an answer, such as {\"status\": 503}"
)]
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
    /// Whether the request is carried out before this answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) carried_out: bool,
}

impl StatusAnswer {
    fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self {
            effect,
            on: None,
            part: None,
            while_under_way: false,
            nth: 1,
            times: 1,
        }
    }

    /// Answers with this status, 200 to 999, without carrying out the request. The envelope is that of the service: the
    /// API, the log host or object storage. An impossible status becomes 500.
    pub fn status(status: u16) -> Self {
        Self::new(Effect::Status(StatusAnswer::new(status)))
    }

    /// Answers with the HTML page of a gateway, without carrying out the request: 502 or 504 as a reverse proxy writes
    /// it, 520 to 530 as a content delivery network does. A status outside 400 to 599 becomes 502.
    pub fn gateway_page(status: u16) -> Self {
        Self::new(Effect::GatewayPage(StatusAnswer::new(status)))
    }

    /// Carries out the request before the answer of [`Fault::status`] or [`Fault::gateway_page`]. Other faults do not
    /// change.
    pub fn carried_out(mut self) -> Self {
        if let Some(answer) = self.answer() {
            answer.carried_out = true;
        }
        self
    }

    /// Answers a deletion, an activation or a deactivation as usual, but does not carry it out. Does not affect other
    /// calls.
    pub fn ignore() -> Self {
        Self::new(Effect::Ignore)
    }

    /// Carries out a deletion or a deactivation, and then undoes it. The snapshot is `removing` or `inactive` for a
    /// second, or until the next event would have happened to it, and then goes on as before. The measured server does
    /// this if the call comes during the inspection of an image or the last check of a build. Does not affect other
    /// calls.
    pub fn undo() -> Self {
        Self::new(Effect::Undo)
    }

    /// Sets a header of the answer, and replaces one of the same name. An invalid header is left out.
    pub fn with_header(name: &str, value: &str) -> Self {
        let (name, value) = (name.to_owned(), value.to_owned());
        Self::new(Effect::WithHeader { name, value })
    }

    /// Removes a header of the answer, for example its `Date`.
    pub fn without_header(name: &str) -> Self {
        Self::new(Effect::WithoutHeader(name.to_owned()))
    }

    /// Waits on the emulator's clock, then goes on as usual.
    pub fn delay(duration: Duration) -> Self {
        Self::new(Effect::Delay(duration))
    }

    /// Breaks the connection without carrying out the request.
    pub fn disconnect() -> Self {
        Self::new(Effect::Disconnect)
    }

    /// Carries out the request, then breaks the connection without an answer.
    pub fn lose_answer() -> Self {
        Self::new(Effect::LoseAnswer)
    }

    /// Carries out the request, and answers with a body that is neither text nor JSON nor XML.
    pub fn malformed() -> Self {
        Self::new(Effect::Malformed)
    }

    /// Breaks the connection after this many bytes of the answer's body.
    pub fn truncate(bytes: u64) -> Self {
        Self::new(Effect::Truncate(bytes))
    }

    /// Sends this many bytes of the answer's body and then nothing more, but keeps the connection open.
    pub fn stall(bytes: u64) -> Self {
        Self::new(Effect::Stall(bytes))
    }

    /// Breaks the connection after this many bytes of the request's body.
    pub fn reset_upload(bytes: u64) -> Self {
        Self::new(Effect::ResetUpload(bytes))
    }

    /// Reads this many bytes of the request's body and then nothing more, but keeps the connection open.
    pub fn stall_upload(bytes: u64) -> Self {
        Self::new(Effect::StallUpload(bytes))
    }

    /// Reads the request's body no faster than this many bytes a second, by the emulator's clock.
    pub fn throttle_upload(bytes_per_second: u64) -> Self {
        Self::new(Effect::ThrottleUpload(bytes_per_second.max(1)))
    }

    /// Adds a header to the answer of [`Fault::status`] or [`Fault::gateway_page`]. Other faults do not change.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(answer) = self.answer() {
            answer.headers.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// Sets the message in the envelope of [`Fault::status`].
    pub fn message(mut self, text: &str) -> Self {
        if let Some(answer) = self.answer() {
            answer.message = Some(text.to_owned());
        }
        self
    }

    /// Sets the body of the answer of [`Fault::status`] or [`Fault::gateway_page`], as it is.
    pub fn body(mut self, text: &str) -> Self {
        if let Some(answer) = self.answer() {
            answer.body = Some(text.to_owned());
        }
        self
    }

    /// Affects only calls of this operation. Default: every request.
    pub fn on(mut self, operation: Operation) -> Self {
        self.on = Some(operation);
        self
    }

    /// Affects only calls for the part with this number of an upload, counted from 1.
    pub fn part(mut self, number: u32) -> Self {
        self.part = Some(number);
        self
    }

    /// Affects and counts only calls for a snapshot that is pending, pulling or building when they come.
    pub fn while_under_way(mut self) -> Self {
        self.while_under_way = true;
        self
    }

    /// Begins with the n-th matching call after the fault was set, counted from 1. Default: the first.
    pub fn nth(mut self, call: u64) -> Self {
        self.nth = call.max(1);
        self
    }

    /// Affects this many calls. Default: one.
    pub fn times(mut self, calls: u64) -> Self {
        self.times = calls;
        self
    }

    /// Affects every call.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn answer(&mut self) -> Option<&mut StatusAnswer> {
        match &mut self.effect {
            Effect::Status(answer) | Effect::GatewayPage(answer) => Some(answer),
            _ => None,
        }
    }

    /// The problem with its numbers and names, if there is one.
    pub(crate) fn check(&self) -> Result<(), String> {
        within("nth", self.nth, 1..=u64::MAX)?;
        within("times", self.times, 1..=u64::MAX)?;
        if let Some(part) = self.part {
            within("part", part.into(), 1..=10_000)?;
        }
        match &self.effect {
            Effect::Status(answer) => {
                within("status", answer.status.into(), 200..=999)?;
                answer.headers.iter().try_for_each(|(name, value)| header(name, value))
            }
            Effect::GatewayPage(answer) => {
                within("status", answer.status.into(), GATEWAY_STATUSES)?;
                answer.headers.iter().try_for_each(|(name, value)| header(name, value))
            }
            Effect::WithHeader { name, value } => header(name, value),
            Effect::WithoutHeader(name) => header(name, ""),
            Effect::Delay(time) => duration("delay", *time),
            Effect::ThrottleUpload(rate) => within("throttleUpload", *rate, 1..=u64::MAX),
            _ => Ok(()),
        }
    }

    fn hits(&mut self, call: &Call) -> bool {
        let is_other = self.on.is_some_and(|wanted| wanted != call.operation)
            || self.part.is_some_and(|wanted| call.part != Some(wanted))
            || self.while_under_way && !call.is_under_way
            || !self.effect.is_for(call.operation);
        if is_other || self.times == 0 {
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

impl Effect {
    /// Whether it can do anything to such a call.
    fn is_for(&self, operation: Operation) -> bool {
        use Operation::{ActivateSnapshot, DeactivateSnapshot, RemoveSnapshot};
        match self {
            Self::Ignore => matches!(operation, RemoveSnapshot | DeactivateSnapshot | ActivateSnapshot),
            Self::Undo => matches!(operation, RemoveSnapshot | DeactivateSnapshot),
            _ => true,
        }
    }
}

/// A call, with what faults distinguish.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// The number of the uploaded part.
    pub(crate) part: Option<u32>,
    /// Whether it names a snapshot that is pending, pulling or building.
    pub(crate) is_under_way: bool,
}

/// The statuses that a gateway's page can have.
pub(crate) const GATEWAY_STATUSES: RangeInclusive<u64> = 400..=599;

fn header(name: &str, value: &str) -> Result<(), String> {
    if name.parse::<HeaderName>().is_err() {
        return Err(format!("{name:?} cannot be the name of a header"));
    }
    match value.parse::<HeaderValue>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("the value of the header {name} is invalid")),
    }
}

/// A status that a response can have.
pub(crate) fn checked_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
