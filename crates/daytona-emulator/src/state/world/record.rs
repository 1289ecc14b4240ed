//! The records that the service keeps of snapshots and builds.

use std::sync::Arc;

use daytona_api::{SnapshotId, SnapshotState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lag::Stale;
use crate::builder::BuiltImage;
use crate::state::script::Script;

/// Size of an image in GiB, if a script gives no other.
pub(super) const USUAL_SIZE: f64 = 0.117_187_5;

/// Host of the registry in the references of images.
const REGISTRY: &str = "registry.daytona.emulator";

/// A snapshot's record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: SnapshotId,
    pub(crate) organization: String,
    /// Visible to every organization.
    pub(crate) general: bool,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) state: SnapshotState,
    pub(crate) size: Option<f64>,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) resources: Resources,
    pub(crate) gpu_type: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) used: Option<Timestamp>,
    pub(crate) runner: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) class: String,
    #[serde(default = "default_region")]
    pub(crate) region: String,
    pub(crate) build: Option<BuildInfo>,
    /// What was scripted for it.
    pub(crate) script: Option<Script>,
    /// Its deletion or deactivation is going to be undone.
    #[serde(skip)]
    pub(crate) is_undone: bool,
    /// It was put there from outside, and nothing happens to it by itself.
    #[serde(default)]
    pub(crate) is_seeded: bool,
    /// What reads see for a while.
    #[serde(skip)]
    pub(crate) stale: Option<Stale>,
}

pub(super) fn default_region() -> String {
    crate::state::region::DEFAULT.to_owned()
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Resources {
    pub(crate) cpu: f64,
    pub(crate) gpu: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpu: 1.0,
            gpu: 0.0,
            memory: 1.0,
            disk: 3.0,
        }
    }
}

/// What a snapshot is built from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BuildInfo {
    pub(crate) dockerfile: String,
    pub(crate) hashes: Option<Vec<String>>,
    /// Reference that snapshots with the same definition share.
    pub(crate) snapshot_ref: String,
}

/// A build, shared by all snapshots with the same definition.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Opened once the runner has all contexts; another build of the same definition appends to it.
    #[serde(with = "log_text")]
    pub(crate) log: Option<Vec<u8>>,
    #[serde(skip)]
    pub(crate) is_running: bool,
    pub(crate) has_failed: bool,
    /// When the image came to be.
    pub(crate) built: Option<Timestamp>,
    /// How often it was begun without an end.
    #[serde(default)]
    pub(crate) attempts: u32,
    /// Since when no snapshot has it.
    #[serde(default)]
    pub(crate) left: Option<Timestamp>,
    /// What is known about the image. It is worked out again after a restart.
    #[serde(skip)]
    pub(crate) image: Option<Arc<BuiltImage>>,
}

/// A log is kept as text: it is made of lines of text.
mod log_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(log: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        log.as_ref()
            .map(|log| String::from_utf8_lossy(log))
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(String::into_bytes))
    }
}

impl Build {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            updated: now,
            log: None,
            is_running: false,
            has_failed: false,
            built: None,
            attempts: 0,
            left: None,
            image: None,
        }
    }
}

impl Record {
    /// The image as the runner names it in its refusals.
    pub(super) fn named_image(&self) -> String {
        let first = self.image.split('/').next().unwrap_or_default();
        let has_host = self.image.contains('/') && first.contains(['.', ':']);
        format!("{}{}", if has_host { "" } else { "docker.io/" }, self.image)
    }

    /// Whether it has that id, in any case, or that name.
    pub(crate) fn is(&self, id_or_name: &str) -> bool {
        self.id.as_str().eq_ignore_ascii_case(id_or_name) || self.name == id_or_name
    }

    pub(crate) fn is_under_way(&self) -> bool {
        matches!(
            self.state,
            SnapshotState::Pending | SnapshotState::Pulling | SnapshotState::Building
        )
    }

    /// Puts it into a state, and returns the one before.
    pub(super) fn replace_state(&mut self, state: SnapshotState, now: Timestamp) -> SnapshotState {
        self.updated = now;
        std::mem::replace(&mut self.state, state)
    }

    pub(crate) fn become_active(&mut self, now: Timestamp) {
        self.state = SnapshotState::Active;
        self.error = None;
        (self.updated, self.used) = (now, Some(now));
    }

    pub(crate) fn fail(&mut self, state: SnapshotState, reason: String, now: Timestamp) {
        self.state = state;
        self.error = Some(reason);
        self.updated = now;
    }
}

/// The reference that snapshots of one definition share.
pub(crate) fn snapshot_ref(dockerfile: &str, hashes: &[String]) -> String {
    use sha2::{Digest, Sha256};

    let mut sorted = hashes.to_vec();
    sorted.sort();
    let mut hasher = Sha256::new();
    hasher.update(dockerfile);
    for hash in sorted {
        hasher.update(hash);
    }
    format!("daytona-{}:daytona", hex::encode(hasher.finalize()))
}

pub(crate) fn full_reference(snapshot_ref: &str) -> String {
    format!("{REGISTRY}/daytona/{snapshot_ref}")
}

/// The entrypoint that the service stores: the last `ENTRYPOINT` anywhere in the text, even in a comment. Blank words
/// are left out. If no word is left, nothing is stored. If a word is not text, the server fails.
#[expect(clippy::option_option, reason = "a failure, no entrypoint, and one")]
pub(crate) fn entrypoint_of(dockerfile: &str) -> Option<Option<Vec<String>>> {
    let Some((_, rest)) = dockerfile.rsplit_once("ENTRYPOINT") else {
        return Some(Some(vec!["sleep".to_owned(), "infinity".to_owned()]));
    };
    let line = rest.lines().next().unwrap_or_default().trim();
    let words = match serde_json::from_str::<Vec<serde_json::Value>>(line) {
        Ok(words) => {
            let words = words.into_iter().map(|word| word.as_str().map(ToOwned::to_owned));
            words.collect::<Option<Vec<String>>>()?
        }
        Err(_) => vec![line.replace(['"', '\''], "")],
    };
    let words: Vec<String> = words.into_iter().filter(|word| !word.trim().is_empty()).collect();
    Some((!words.is_empty()).then_some(words))
}
