//! What a key or a user may do.

use serde::{Deserialize, Serialize};

/// A permission of an API key, in addition to reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Permission {
    /// `write:registries`: add and change registries.
    #[serde(rename = "write:registries")]
    WriteRegistries,
    /// `delete:registries`.
    #[serde(rename = "delete:registries")]
    DeleteRegistries,
    /// `write:snapshots`: create, activate, deactivate, push access.
    #[serde(rename = "write:snapshots")]
    WriteSnapshots,
    /// `delete:snapshots`.
    #[serde(rename = "delete:snapshots")]
    DeleteSnapshots,
    /// `write:sandboxes`: create, start, stop and capture sandboxes, push access.
    #[serde(rename = "write:sandboxes")]
    WriteSandboxes,
    /// `delete:sandboxes`.
    #[serde(rename = "delete:sandboxes")]
    DeleteSandboxes,
    /// `read:volumes`: for routes that the emulator does not have.
    #[serde(rename = "read:volumes")]
    ReadVolumes,
    /// `write:volumes`: for routes that the emulator does not have.
    #[serde(rename = "write:volumes")]
    WriteVolumes,
    /// `delete:volumes`: for routes that the emulator does not have.
    #[serde(rename = "delete:volumes")]
    DeleteVolumes,
    /// `write:regions`: for routes that the emulator does not have.
    #[serde(rename = "write:regions")]
    WriteRegions,
    /// `delete:regions`: for routes that the emulator does not have.
    #[serde(rename = "delete:regions")]
    DeleteRegions,
    /// `read:runners`: for routes that the emulator does not have.
    #[serde(rename = "read:runners")]
    ReadRunners,
    /// `write:runners`: for routes that the emulator does not have.
    #[serde(rename = "write:runners")]
    WriteRunners,
    /// `delete:runners`: for routes that the emulator does not have.
    #[serde(rename = "delete:runners")]
    DeleteRunners,
    /// `read:audit_logs`: for routes that the emulator does not have.
    #[serde(rename = "read:audit_logs")]
    ReadAuditLogs,
}

impl Permission {
    /// All permissions, in the server's order.
    pub(crate) const ALL: [Self; 15] = [
        Self::WriteRegistries,
        Self::DeleteRegistries,
        Self::WriteSnapshots,
        Self::DeleteSnapshots,
        Self::WriteSandboxes,
        Self::DeleteSandboxes,
        Self::ReadVolumes,
        Self::WriteVolumes,
        Self::DeleteVolumes,
        Self::WriteRegions,
        Self::DeleteRegions,
        Self::ReadRunners,
        Self::WriteRunners,
        Self::DeleteRunners,
        Self::ReadAuditLogs,
    ];

    /// As the server writes it.
    pub(crate) fn name(self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    }
}
