//! Scripts that decide what happens to sandboxes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::range::{LONGEST, duration, within};
use crate::builder::pattern;
use crate::state::script::optional_milliseconds;

/// Decides what happens to the matching sandboxes. Without a script, every start, stop and deletion succeeds.
///
/// ```
/// use daytona_emulator::{Emulator, SandboxScript};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// emulator.script_sandboxes(
///     SandboxScript::for_snapshot("my-app*")
///         .fails("sandbox exited with code 1, reason: "),
/// );
/// # Ok(())
/// # }
/// ```
///
/// Over HTTP it is JSON with the same names in camel case, times in milliseconds: `{"snapshot": "my-app*", "takes":
/// 40000}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a script, such as {\"snapshot\": \"my-app*\"}",
    default
)]
#[must_use]
pub struct SandboxScript {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
    /// How many more sandboxes it applies to.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub(crate) takes: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fails: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recoverable: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hangs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) removal_fails: Option<String>,
    #[serde(with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub(crate) capture_takes: Option<Duration>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) capture_fails: bool,
    #[serde(with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub(crate) record_lags: Option<Duration>,
}

impl SandboxScript {
    /// Matches sandboxes of this name; `*` stands for any text without a slash.
    pub fn for_name(pattern: impl Into<String>) -> Self {
        Self {
            name: Some(pattern.into()),
            ..Self::default()
        }
    }

    /// Matches sandboxes of the snapshot of this name; `*` stands for any text without a slash.
    pub fn for_snapshot(pattern: impl Into<String>) -> Self {
        Self {
            snapshot: Some(pattern.into()),
            ..Self::default()
        }
    }

    /// Applies only to this many sandboxes. Default: all.
    pub fn times(mut self, sandboxes: u64) -> Self {
        self.times = Some(sandboxes);
        self
    }

    /// The start takes this long, at most a year.
    pub fn takes(mut self, duration: Duration) -> Self {
        self.takes = Some(duration.min(LONGEST));
        self
    }

    /// The start fails with this message of the runner.
    pub fn fails(mut self, reason: impl Into<String>) -> Self {
        self.fails = Some(reason.into());
        self
    }

    /// The failure counts as one from which the sandbox can recover.
    pub fn recoverable(mut self) -> Self {
        self.recoverable = true;
        self
    }

    /// The runner stops working: the sandbox stays in state `creating` forever, and cannot be deleted.
    pub fn hangs(mut self) -> Self {
        self.hangs = true;
        self
    }

    /// The deletion fails on the runner with this message. Only a list with `includeErroredDeleted` shows it.
    pub fn removal_fails(mut self, reason: impl Into<String>) -> Self {
        self.removal_fails = Some(reason.into());
        self
    }

    /// A snapshot of the sandbox takes this long, at most a year.
    pub fn capture_takes(mut self, duration: Duration) -> Self {
        self.capture_takes = Some(duration.min(LONGEST));
        self
    }

    /// A snapshot of the sandbox fails, and nothing shows the failure.
    pub fn capture_fails(mut self) -> Self {
        self.capture_fails = true;
        self
    }

    /// A snapshot of the sandbox becomes visible this long after the sandbox is back in its state. Default: just
    /// before.
    pub fn record_lags(mut self, duration: Duration) -> Self {
        self.record_lags = Some(duration.min(LONGEST));
        self
    }

    /// The problem with its numbers, if there is one.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(times) = self.times {
            within("times", times, 1..=u64::MAX)?;
        }
        let times = [
            ("takes", self.takes),
            ("captureTakes", self.capture_takes),
            ("recordLags", self.record_lags),
        ];
        times
            .into_iter()
            .try_for_each(|(name, time)| time.map_or(Ok(()), |time| duration(name, time)))
    }

    fn is_for(&self, name: &str, snapshot: &str) -> bool {
        let matches = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| pattern::matches(wanted, actual))
        };
        matches(&self.name, name) && matches(&self.snapshot, snapshot)
    }
}

/// The scripts that are in force.
#[derive(Debug, Default)]
pub(crate) struct SandboxScripts(pub(crate) Vec<SandboxScript>);

impl SandboxScripts {
    /// The first script that matches such a sandbox.
    pub(crate) fn take(&mut self, name: &str, snapshot: &str) -> SandboxScript {
        let Some(script) = self.0.iter_mut().find(|script| script.is_for(name, snapshot)) else {
            return SandboxScript::default();
        };
        script.times = script.times.map(|left| left - 1);
        let found = script.clone();
        self.0.retain(|script| script.times != Some(0));
        found
    }
}
