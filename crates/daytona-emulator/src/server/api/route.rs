//! The routes of the API.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::wire::operation::Operation;

/// What a request to the API asks for.
#[derive(Debug)]
pub(in crate::server) enum Route {
    Operation(Operation, String),
    /// A null byte in the path, at which the server fails.
    Broken,
    /// `..`, which the server redirects.
    Parent,
    Unknown,
}

impl Route {
    /// The route of a path below `/api`.
    pub(in crate::server) fn of(method: &Method, path: &str) -> Self {
        if has_broken_escape(path) {
            return Self::Unknown;
        }
        let trimmed = path.strip_prefix('/').unwrap_or(path);
        let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
        let decode = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let given: Vec<&str> = trimmed.split('/').collect();
        // In what is no id or name, case does not matter.
        let lower: Vec<String> = given.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let mut segments: Vec<&str> = lower.iter().map(String::as_str).collect();
        let second = given.get(1).copied();
        if let (Some(given), Some(second)) = (second, segments.get_mut(1))
            && *second != "current"
            && *second != "push-access"
            && *second != "registry-push-access"
        {
            *second = given;
        }
        // HEAD is GET without a body.
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let (operation, id) = match (method.as_str(), segments.as_slice()) {
            ("POST", ["snapshots"]) => (Operation::CreateSnapshot, ""),
            ("GET", ["snapshots"]) => (Operation::GetAllSnapshots, ""),
            ("GET", ["snapshots", id]) => (Operation::GetSnapshot, *id),
            ("DELETE", ["snapshots", id]) => (Operation::RemoveSnapshot, *id),
            ("POST", ["snapshots", id, "activate"]) => (Operation::ActivateSnapshot, *id),
            ("POST", ["snapshots", id, "deactivate"]) => (Operation::DeactivateSnapshot, *id),
            ("GET", ["snapshots", id, "build-logs-url"]) => (Operation::GetSnapshotBuildLogsUrl, *id),
            ("GET", ["snapshots", id, "build-logs"]) => (Operation::GetSnapshotBuildLogs, *id),
            ("GET", ["object-storage", "push-access"]) => (Operation::GetPushAccess, ""),
            ("GET", ["regions"]) => (Operation::ListAvailableRegions, ""),
            ("GET", ["regions", id]) => (Operation::GetRegionById, *id),
            ("GET", ["shared-regions"]) => (Operation::ListSharedRegions, ""),
            ("GET", ["health"]) => (Operation::Health, ""),
            ("GET", ["config"]) => (Operation::GetConfig, ""),
            ("GET", ["api-keys", "current"]) => (Operation::GetCurrentApiKey, ""),
            ("GET", ["api-keys"]) => (Operation::ListApiKeys, ""),
            ("POST", ["api-keys"]) => (Operation::CreateApiKey, ""),
            ("GET", ["api-keys", name]) => (Operation::GetApiKey, *name),
            ("DELETE", ["api-keys", name]) => (Operation::DeleteApiKey, *name),
            ("POST", ["sandbox"]) => (Operation::CreateSandbox, ""),
            ("GET", ["sandbox"]) => (Operation::ListSandboxes, ""),
            ("GET", ["sandbox", id]) => (Operation::GetSandbox, *id),
            ("DELETE", ["sandbox", id]) => (Operation::DeleteSandbox, *id),
            ("POST", ["sandbox", id, "start"]) => (Operation::StartSandbox, *id),
            ("POST", ["sandbox", id, "stop"]) => (Operation::StopSandbox, *id),
            ("POST", ["sandbox", id, "snapshot"]) => (Operation::CreateSandboxSnapshot, *id),
            ("POST", ["sandbox", id, "archive" | "recover" | "backup"]) | ("PUT", ["sandbox", id, "labels"]) => {
                (Operation::OtherSandbox, *id)
            }
            ("GET", ["docker-registry", "registry-push-access"]) => (Operation::GetRegistryPushAccess, ""),
            ("POST", ["docker-registry"]) => (Operation::CreateRegistry, ""),
            ("GET", ["docker-registry"]) => (Operation::ListRegistries, ""),
            ("GET", ["docker-registry", id]) => (Operation::GetRegistry, *id),
            ("PATCH", ["docker-registry", id]) => (Operation::UpdateRegistry, *id),
            ("DELETE", ["docker-registry", id]) => (Operation::DeleteRegistry, *id),
            ("GET", ["organizations"]) => (Operation::ListOrganizations, ""),
            ("GET", ["organizations", id, "usage"]) => (Operation::GetOrganizationUsage, *id),
            _ => return Self::Unknown,
        };
        match decode(id).as_str() {
            ".." | "." => Self::Parent,
            id if id.contains('\0') => Self::Broken,
            id => Self::Operation(operation, id.to_owned()),
        }
    }

    /// The id or name of the snapshot that it is about.
    pub(in crate::server) fn snapshot(&self) -> Option<&str> {
        use Operation::{
            ActivateSnapshot, DeactivateSnapshot, GetSnapshot, GetSnapshotBuildLogs, GetSnapshotBuildLogsUrl,
            RemoveSnapshot,
        };
        match self {
            Self::Operation(
                ActivateSnapshot
                | DeactivateSnapshot
                | GetSnapshot
                | GetSnapshotBuildLogs
                | GetSnapshotBuildLogsUrl
                | RemoveSnapshot,
                id,
            ) => Some(id),
            _ => None,
        }
    }

    pub(in crate::server) fn operation(&self) -> Operation {
        match self {
            Self::Operation(operation, _) => *operation,
            Self::Broken | Self::Parent | Self::Unknown => Operation::Unknown,
        }
    }
}

/// Whether a path has a percent sign that is no escape.
pub(super) fn has_broken_escape(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| {
        let digits = rest.as_bytes();
        !(digits.len() >= 2 && digits[0].is_ascii_hexdigit() && digits[1].is_ascii_hexdigit())
    })
}
