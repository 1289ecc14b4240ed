//! Regions, and the runners in them.

use serde::{Deserialize, Serialize};

/// Id of the region that exists from the beginning, and is every organization's default.
pub(crate) const DEFAULT: &str = "us";

/// A region in addition to `us`, which exists from the beginning.
///
/// ```
/// use daytona_emulator::{Emulator, Region};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// emulator.put_region(Region::shared("eu").gpu_types(["RTX-PRO-6000"]));
/// // The first region gets runners with a GPU.
/// emulator.put_region(Region::shared("us").gpu_types(["H100"]));
/// # Ok(())
/// # }
/// ```
///
/// Over HTTP it is JSON: `{"id": "eu", "gpuTypes": ["RTX-PRO-6000"]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a region, such as {\"id\": \"eu\"}"
)]
#[must_use]
pub struct Region {
    pub(crate) id: String,
    #[serde(default)]
    name: Option<String>,
    /// The organization that owns it.
    #[serde(default)]
    pub(crate) organization_id: Option<String>,
    /// The GPUs of its runners.
    #[serde(default)]
    gpu_types: Vec<String>,
    /// The GPUs that may be requested; all if not set.
    #[serde(default)]
    allowed_gpu_types: Option<Vec<String>>,
}

impl Region {
    /// A region for all organizations, whose name is its id.
    pub fn shared(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
            organization_id: None,
            gpu_types: Vec::new(),
            allowed_gpu_types: None,
        }
    }

    /// A region of one organization.
    pub fn custom(id: impl Into<String>, name: impl Into<String>, organization_id: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            organization_id: Some(organization_id.into()),
            ..Self::shared(id)
        }
    }

    /// Adds runners with these GPUs. Default: no GPUs.
    pub fn gpu_types<I: Into<String>>(mut self, types: impl IntoIterator<Item = I>) -> Self {
        self.gpu_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Allows requests for only these GPUs. Default: all.
    pub fn allowed_gpu_types<I: Into<String>>(mut self, types: impl IntoIterator<Item = I>) -> Self {
        self.allowed_gpu_types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Whether snapshots of the organization can be in it.
    pub(crate) fn is_for(&self, organization: &str) -> bool {
        self.organization_id.as_deref().is_none_or(|own| own == organization)
    }

    /// Fails with a message if the kind of GPU is not permitted here.
    pub(crate) fn check_gpu(&self, wanted: Option<&str>) -> Result<(), String> {
        match (&self.allowed_gpu_types, wanted) {
            (Some(allowed), _) if allowed.is_empty() => Err("No GPU types are allowed in this region.".to_owned()),
            (Some(allowed), Some(wanted)) if !allowed.iter().any(|one| one == wanted) => Err(format!(
                "Requested GPU type(s) {wanted} not permitted in this region. Allowed: {}.",
                allowed.join(", ")
            )),
            _ => Ok(()),
        }
    }

    /// The kind of GPU that a snapshot gets, or a message if no runner has it.
    pub(crate) fn gpu(&self, wanted: Option<&str>) -> Result<&str, String> {
        let permits = |kind: &&String| {
            self.allowed_gpu_types
                .as_ref()
                .is_none_or(|allowed| allowed.contains(kind))
        };
        let mut there = self.gpu_types.iter().filter(permits);
        match wanted {
            None => there
                .next()
                .map(String::as_str)
                .ok_or_else(|| "No available runners".to_owned()),
            Some(wanted) => there
                .find(|kind| *kind == wanted)
                .map(String::as_str)
                .ok_or_else(|| format!("No available runners with GPU type: {wanted}.")),
        }
    }
}
