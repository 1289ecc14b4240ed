//! Snapshots that are there from the beginning.

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;

use super::jobs::full_name;
use super::record::{
    BuildInfo, Record, Resources, USUAL_SIZE, default_region, entrypoint_of, full_reference, snapshot_ref,
};
use crate::base::random::new_id;

/// A snapshot that is added without the API and its checks.
///
/// ```
/// use daytona_emulator::{Emulator, SeededSnapshot};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// emulator.add_snapshot(
///     SeededSnapshot::from_image(
///         "daytonaio/sandbox:0.5.0-slim",
///         "daytonaio/sandbox:0.5.0-slim",
///     )
///     .general(),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SeededSnapshot {
    id: Option<String>,
    organization: Option<String>,
    general: bool,
    name: String,
    image: String,
    dockerfile: Option<String>,
    state: SnapshotState,
    size: Option<f64>,
    error: Option<String>,
    entrypoint: Option<Vec<String>>,
    created: Option<Timestamp>,
    used: Option<Timestamp>,
    resources: Resources,
    gpu_type: Option<String>,
    region: String,
    log: Option<Vec<u8>>,
}

impl SeededSnapshot {
    /// An active snapshot of a registry image.
    pub fn from_image(name: impl Into<String>, image: impl Into<String>) -> Self {
        Self {
            id: None,
            organization: None,
            general: false,
            name: name.into(),
            image: image.into(),
            dockerfile: None,
            state: SnapshotState::Active,
            size: Some(USUAL_SIZE),
            error: None,
            entrypoint: None,
            created: None,
            used: None,
            resources: Resources::default(),
            gpu_type: None,
            region: default_region(),
            log: None,
        }
    }

    /// An active snapshot that was built from a Dockerfile without a context.
    pub fn from_dockerfile(name: impl Into<String>, dockerfile: impl Into<String>) -> Self {
        Self {
            dockerfile: Some(dockerfile.into()),
            size: None,
            ..Self::from_image(name, "")
        }
    }

    /// Uses this id instead of a new one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets its organization, by id. Default: the emulator's own.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.organization = Some(id.into());
        self
    }

    /// Makes it visible to every organization. Nobody can delete it.
    pub fn general(mut self) -> Self {
        self.general = true;
        self
    }

    /// Sets its state. Nothing happens to it by itself. Default: active.
    pub fn state(mut self, state: impl Into<SnapshotState>) -> Self {
        self.state = state.into();
        self
    }

    /// Sets its size in GiB, or none. Default: a small one for an image, none for a build, as on the real server.
    pub fn size(mut self, gibibytes: Option<f64>) -> Self {
        self.size = gibibytes;
        self
    }

    /// Sets the reason of a failure.
    pub fn error_reason(mut self, reason: impl Into<String>) -> Self {
        self.error = Some(reason.into());
        self
    }

    /// Sets its entrypoint. Default: none for an image, the Dockerfile's for a build.
    pub fn entrypoint<I: Into<String>>(mut self, words: impl IntoIterator<Item = I>) -> Self {
        self.entrypoint = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// Sets its resources: cores, GPUs, GB of memory, GB of disk. Default: 1, 0, 1, 3.
    pub fn resources(mut self, cpu: f64, gpu: f64, memory: f64, disk: f64) -> Self {
        self.resources = Resources { cpu, gpu, memory, disk };
        self
    }

    /// Sets its kind of GPU; none if it is empty. Default: none.
    pub fn gpu_type(mut self, kind: impl Into<String>) -> Self {
        self.gpu_type = Some(kind.into()).filter(|kind| !kind.is_empty());
        self
    }

    /// Sets its region, by id. Default: `us`.
    pub fn region(mut self, id: impl Into<String>) -> Self {
        self.region = id.into();
        self
    }

    /// Sets the time of its creation. Default: now.
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        self
    }

    /// Sets the time of its last use. Default: when it was created, if it is active.
    pub fn last_used(mut self, at: Timestamp) -> Self {
        self.used = Some(at);
        self
    }

    /// Sets the log of its build.
    pub fn log(mut self, text: impl Into<String>) -> Self {
        self.log = Some(text.into().into_bytes());
        self
    }

    /// The record, and the log of its build.
    pub(crate) fn into_record(self, organization: &str, now: Timestamp) -> (Record, Option<Vec<u8>>) {
        let created = self.created.unwrap_or(now);
        let is_ready = self.state == SnapshotState::Active;
        let build = self.dockerfile.map(|dockerfile| BuildInfo {
            snapshot_ref: snapshot_ref(&dockerfile, &[]),
            dockerfile,
            hashes: Some(Vec::new()),
        });
        let reference = match &build {
            Some(info) => Some(full_reference(&info.snapshot_ref)),
            None => is_ready.then(|| full_reference(&snapshot_ref(&full_name(&self.image), &[]))),
        };
        let from_dockerfile = || entrypoint_of(&build.as_ref()?.dockerfile).flatten();
        let record = Record {
            id: SnapshotId::from(self.id.unwrap_or_else(new_id)),
            organization: self.organization.unwrap_or_else(|| organization.to_owned()),
            general: self.general,
            name: self.name,
            image: self.image,
            size: self.size,
            entrypoint: self.entrypoint.or_else(from_dockerfile),
            resources: self.resources,
            gpu_type: self.gpu_type,
            error: self.error,
            created,
            updated: created,
            used: self.used.or(is_ready.then_some(created)),
            runner: (self.state != SnapshotState::Pending).then(new_id),
            reference,
            class: "container".to_owned(),
            region: self.region,
            build,
            script: None,
            is_undone: false,
            is_seeded: true,
            stale: None,
            state: self.state,
        };
        (record, self.log)
    }
}
