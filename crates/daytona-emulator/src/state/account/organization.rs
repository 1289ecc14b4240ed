//! Organizations, and what they may have.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::random::new_id;

/// An organization: its limits, and whether it is suspended. Organizations do not see each other's snapshots.
///
/// ```
/// use daytona_emulator::{Emulator, Organization};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// emulator.put_organization(
///     Organization::new("acme")
///         .snapshot_quota(1)
///         .suspended("unpaid"),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) snapshot_quota: usize,
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
    pub(crate) snapshot_size: f64,
    pub(crate) gpus: usize,
    pub(crate) has_default_region: bool,
    pub(crate) suspension: Option<Suspension>,
    /// Cores, GB of memory and GB of disk of all sandboxes together.
    #[serde(default)]
    pub(crate) total: Option<(f64, f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspension {
    pub(crate) reason: String,
    pub(crate) until: Option<Timestamp>,
}

impl Organization {
    /// An organization with a new id and the limits of the measured server: 100 snapshots of at most 20 GB, and sandboxes of
    /// at most 4 cores, 8 GB of memory and 10 GB of disk.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: new_id(),
            name: name.into(),
            snapshot_quota: 100,
            cpu: 4.0,
            memory: 8.0,
            disk: 10.0,
            snapshot_size: 20.0,
            gpus: 1,
            has_default_region: true,
            suspension: None,
            total: None,
        }
    }

    /// Uses this id instead of a new one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// How many snapshots it may have. Default: 100.
    pub fn snapshot_quota(mut self, snapshots: usize) -> Self {
        self.snapshot_quota = snapshots;
        self
    }

    /// The largest sandbox: cores, GB of memory, GB of disk. Default: 4, 8, 10.
    pub fn sandbox_limits(mut self, cpu: f64, memory: f64, disk: f64) -> Self {
        (self.cpu, self.memory, self.disk) = (cpu, memory, disk);
        self
    }

    /// The total for all its sandboxes: cores, GB of memory, GB of disk. Default: no limit.
    pub fn total_limits(mut self, cpu: f64, memory: f64, disk: f64) -> Self {
        self.total = Some((cpu, memory, disk));
        self
    }

    /// How many GPUs it may ask for. Default: 1. No runner of the emulator has one.
    pub fn gpu_quota(mut self, gpus: usize) -> Self {
        self.gpus = gpus;
        self
    }

    /// The largest snapshot in GB. Default: 20.
    pub fn snapshot_size(mut self, gigabytes: f64) -> Self {
        self.snapshot_size = gigabytes;
        self
    }

    /// Removes its default region. Without one, nothing can be created.
    pub fn without_default_region(mut self) -> Self {
        self.has_default_region = false;
        self
    }

    /// Suspends it: it can read, but not create or activate.
    pub fn suspended(mut self, reason: impl Into<String>) -> Self {
        self.suspension = Some(Suspension {
            reason: reason.into(),
            until: None,
        });
        self
    }

    /// Suspends it until a given time. The real server 0.190.0 still accepts creations, and so does the emulator.
    pub fn suspended_until(mut self, reason: impl Into<String>, until: Timestamp) -> Self {
        self.suspension = Some(Suspension {
            reason: reason.into(),
            until: Some(until),
        });
        self
    }

    /// Ends its suspension.
    pub fn resumed(mut self) -> Self {
        self.suspension = None;
        self
    }
}
