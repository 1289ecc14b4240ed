//! Scripts that decide what happens to a snapshot.

use std::time::Duration;

use daytona_api::SnapshotState;
use serde::{Deserialize, Serialize};

use crate::base::range::{LONGEST, duration, fraction, within};
use crate::builder::{RunRule, pattern};

/// Decides what happens to the matching snapshots, instead of the usual course.
///
/// ```
/// use daytona_emulator::{Emulator, Script};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// // A build that takes its time, and fails in one of its steps.
/// emulator.script(
///     Script::for_dockerfile("npm ci")
///         .takes(Duration::from_secs(40))
///         .run_fails("npm ci", 7, "npm error code EUSAGE"),
/// );
/// // A snapshot that goes through states of its own.
/// let slow = Duration::from_secs(5);
/// emulator.script(
///     Script::for_name("odd-*")
///         .state(slow, "thinking")
///         .state(slow, "pulling")
///         .state(slow, "active"),
/// );
/// # Ok(())
/// # }
/// ```
///
/// Over HTTP it is JSON with the same names in camel case, times in milliseconds:
/// `{"dockerfile": "npm ci", "takes": 40000, "run": [{"containing": "npm ci", "exit": 7}]}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a script, such as {\"name\": \"my-app*\"}",
    default
)]
#[must_use]
pub struct Script {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dockerfile: Option<String>,
    /// How many more snapshots it applies to.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub(crate) takes: Option<Duration>,
    #[serde(with = "optional_milliseconds", skip_serializing_if = "Option::is_none")]
    pub(crate) inspection_takes: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fails: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rejected: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) not_in_registry: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) active_at_once: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) run: Vec<RunRule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) states: Vec<ScriptedState>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a state, such as {\"after\": 1000, \"state\": \"active\"}"
)]
pub(crate) struct ScriptedState {
    /// The time after the previous state.
    #[serde(with = "milliseconds")]
    pub(crate) after: Duration,
    pub(crate) state: SnapshotState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl Script {
    /// Matches snapshots of this name; `*` stands for any text without a slash.
    pub fn for_name(pattern: impl Into<String>) -> Self {
        Self {
            name: Some(pattern.into()),
            ..Self::default()
        }
    }

    /// Matches snapshots of this registry image; `*` stands for any text without a slash.
    pub fn for_image(pattern: impl Into<String>) -> Self {
        Self {
            image: Some(pattern.into()),
            ..Self::default()
        }
    }

    /// Matches snapshots that are built from a Dockerfile that contains this text.
    pub fn for_dockerfile(containing: impl Into<String>) -> Self {
        Self {
            dockerfile: Some(containing.into()),
            ..Self::default()
        }
    }

    /// Applies only to this many snapshots. Default: all.
    pub fn times(mut self, snapshots: u64) -> Self {
        self.times = Some(snapshots);
        self
    }

    /// The pull or the build takes this long, at most a year. If the runner already has the image, the snapshot is
    /// active before its pull has ended, as on the real server. Until then another pull of it fails.
    pub fn takes(mut self, duration: Duration) -> Self {
        self.takes = Some(duration.min(LONGEST));
        self
    }

    /// The request to the registry takes this long, at most a year. It happens before the pull of an image, while the
    /// snapshot is pending, and before a built snapshot becomes active if only the periodic task notices the end of the
    /// build. A deletion or a deactivation during that time is undone.
    pub fn inspection_takes(mut self, duration: Duration) -> Self {
        self.inspection_takes = Some(duration.min(LONGEST));
        self
    }

    /// The pull or the build fails with this reason. It takes place even if the result of an earlier one could be
    /// reused.
    pub fn fails(mut self, reason: impl Into<String>) -> Self {
        self.fails = Some(reason.into());
        self
    }

    /// No runner accepts the build, because another one is running: `build_failed`.
    pub fn rejected(mut self) -> Self {
        self.rejected = true;
        self
    }

    /// The registry does not know the image.
    pub fn not_in_registry(mut self) -> Self {
        self.not_in_registry = true;
        self
    }

    /// The answer to the creation already says `active`, as it does if the image is ready in the region. Such a
    /// snapshot never has a runner, and its log has no address.
    pub fn active_at_once(mut self) -> Self {
        self.active_at_once = true;
        self
    }

    /// The image has this size in GiB. If it is over the organization's limit, the snapshot fails.
    pub fn size(mut self, gibibytes: f64) -> Self {
        self.size = Some(gibibytes);
        self
    }

    /// The log of the build has exactly these lines. The build takes place even if the result of an earlier one could
    /// be reused.
    pub fn log<I: Into<String>>(mut self, lines: impl IntoIterator<Item = I>) -> Self {
        self.log = Some(lines.into_iter().map(Into::into).collect());
        self
    }

    /// `RUN` steps that contain this text print something and exit with this status. Any status except 0 fails the
    /// build. The build takes place even if the result of an earlier one could be reused.
    pub fn run_fails(self, containing: impl Into<String>, exit: i32, prints: impl Into<String>) -> Self {
        self.run(containing, exit, prints)
    }

    /// `RUN` steps that contain this text print something.
    pub fn run_prints(self, containing: impl Into<String>, prints: impl Into<String>) -> Self {
        self.run(containing, 0, prints)
    }

    fn run(mut self, containing: impl Into<String>, exit: i32, prints: impl Into<String>) -> Self {
        self.run.push(RunRule {
            containing: containing.into(),
            exit,
            prints: prints.into(),
        });
        self
    }

    /// The snapshot enters this state, this long after the previous one. Once a script has such a state, nothing else
    /// happens to the snapshot. Any text is accepted as a state, so you can test clients with unknown states. Over
    /// HTTP only the states of the service are.
    pub fn state(self, after: Duration, state: impl Into<SnapshotState>) -> Self {
        self.scripted(after, state.into(), None)
    }

    /// Like [`Script::state`], with a reason for a failure.
    pub fn failure(self, after: Duration, state: impl Into<SnapshotState>, reason: impl Into<String>) -> Self {
        self.scripted(after, state.into(), Some(reason.into()))
    }

    fn scripted(mut self, after: Duration, state: SnapshotState, reason: Option<String>) -> Self {
        self.states.push(ScriptedState {
            after: after.min(LONGEST),
            state,
            reason,
        });
        self
    }

    /// Whether its effects need a pull or a build of their own, so that an earlier result cannot be reused.
    pub(crate) fn is_particular(&self) -> bool {
        self.fails.is_some() || self.log.is_some() || !self.run.is_empty()
    }

    /// The problem with its numbers and states, if there is one.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(times) = self.times {
            within("times", times, 1..=u64::MAX)?;
        }
        if let Some(takes) = self.takes {
            duration("takes", takes)?;
        }
        if let Some(takes) = self.inspection_takes {
            duration("inspectionTakes", takes)?;
        }
        if let Some(size) = self.size {
            fraction("size", size, 0.0..=1e6)?;
        }
        for rule in &self.run {
            fraction("exit", rule.exit.into(), 0.0..=255.0)?;
        }
        self.states.iter().try_for_each(|scripted| {
            duration("after", scripted.after)?;
            known_state("state", &scripted.state)
        })
    }

    /// Whether it matches such a snapshot.
    fn is_for(&self, name: &str, image: &str, dockerfile: Option<&str>) -> bool {
        let matches = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| pattern::matches(wanted, actual))
        };
        let contains = |wanted: &String| dockerfile.is_some_and(|text| text.contains(wanted.as_str()));
        self.times != Some(0)
            && matches(&self.name, name)
            && matches(&self.image, image)
            && self.dockerfile.as_ref().is_none_or(contains)
    }
}

/// An error if the service has no such state.
pub(crate) fn known_state(name: &str, state: &SnapshotState) -> Result<(), String> {
    if SnapshotState::KNOWN.contains(state) {
        return Ok(());
    }
    let known: Vec<String> = SnapshotState::KNOWN
        .iter()
        .map(|state| format!("`{}`", state.as_str()))
        .collect();
    Err(format!(
        "{name} must be one of {}, but is `{}`",
        known.join(", "),
        state.as_str()
    ))
}

/// The scripts that are in force.
#[derive(Debug, Default)]
pub(crate) struct Scripts(pub(crate) Vec<Script>);

impl Scripts {
    /// The first script that matches such a snapshot.
    pub(crate) fn take(&mut self, name: &str, image: &str, dockerfile: Option<&str>) -> Option<Script> {
        let script = self
            .0
            .iter_mut()
            .find(|script| script.is_for(name, image, dockerfile))?;
        script.times = script.times.map(|left| left - 1);
        let found = script.clone();
        self.0.retain(|script| script.times != Some(0));
        Some(found)
    }
}

/// Times as whole milliseconds.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(time.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Times that may be absent.
pub(crate) mod optional_milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::milliseconds;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => milliseconds::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
