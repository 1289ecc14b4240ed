//! The operation of a request, which its method and address decide.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};

/// An operation of the emulator, for [`Fault::on`](crate::Fault::on) and [`RequestRecord`](crate::RequestRecord).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operation {
    /// `POST /snapshots`
    CreateSnapshot,
    /// `GET /snapshots`
    GetAllSnapshots,
    /// `GET /snapshots/{id}`
    GetSnapshot,
    /// `DELETE /snapshots/{id}`
    RemoveSnapshot,
    /// `POST /snapshots/{id}/activate`
    ActivateSnapshot,
    /// `POST /snapshots/{id}/deactivate`
    DeactivateSnapshot,
    /// `GET /snapshots/{id}/build-logs-url`
    GetSnapshotBuildLogsUrl,
    /// `GET /snapshots/{id}/build-logs` of the API, which is deprecated.
    GetSnapshotBuildLogs,
    /// `GET /object-storage/push-access`
    GetPushAccess,
    /// `GET /regions`
    ListAvailableRegions,
    /// `GET /shared-regions`
    ListSharedRegions,
    /// `GET /regions/{id}`
    GetRegionById,
    /// `GET /health`
    Health,
    /// `GET /config`
    GetConfig,
    /// `GET /api-keys/current`
    GetCurrentApiKey,
    /// `GET /api-keys`
    ListApiKeys,
    /// `GET /api-keys/{name}`
    GetApiKey,
    /// `POST /api-keys`
    CreateApiKey,
    /// `DELETE /api-keys/{name}`
    DeleteApiKey,
    /// `GET /organizations`
    ListOrganizations,
    /// `GET /organizations/{id}/usage`
    GetOrganizationUsage,
    /// `POST /sandbox`
    CreateSandbox,
    /// `GET /sandbox`
    ListSandboxes,
    /// `GET /sandbox/{idOrName}`
    GetSandbox,
    /// `DELETE /sandbox/{idOrName}`
    DeleteSandbox,
    /// `POST /sandbox/{idOrName}/start`
    StartSandbox,
    /// `POST /sandbox/{idOrName}/stop`
    StopSandbox,
    /// `POST /sandbox/{idOrName}/snapshot`
    CreateSandboxSnapshot,
    /// Any other change of a sandbox, which the emulator refuses.
    OtherSandbox,
    /// `POST /docker-registry`
    CreateRegistry,
    /// `GET /docker-registry`
    ListRegistries,
    /// `GET /docker-registry/{id}`
    GetRegistry,
    /// `PATCH /docker-registry/{id}`
    UpdateRegistry,
    /// `DELETE /docker-registry/{id}`
    DeleteRegistry,
    /// `GET /docker-registry/registry-push-access`
    GetRegistryPushAccess,
    /// The build log at the address that the API names, on the log host.
    ReadBuildLog,
    /// `HEAD` of an object.
    HeadObject,
    /// `GET` of an object.
    GetObject,
    /// `PUT` of an object.
    PutObject,
    /// `PUT` of a part of an object.
    UploadPart,
    /// The beginning of a multipart upload.
    CreateMultipartUpload,
    /// The end of a multipart upload.
    CompleteMultipartUpload,
    /// Any other request to object storage.
    OtherStorage,
    /// Any other request.
    Unknown,
}

impl Operation {
    /// Whether object storage answers it.
    pub(crate) fn is_storage(self) -> bool {
        use Operation::{
            CompleteMultipartUpload, CreateMultipartUpload, GetObject, HeadObject, OtherStorage, PutObject, UploadPart,
        };
        matches!(
            self,
            HeadObject
                | GetObject
                | PutObject
                | UploadPart
                | CreateMultipartUpload
                | CompleteMultipartUpload
                | OtherStorage
        )
    }

    /// The storage operation of a request for `path`.
    pub(crate) fn of_storage(method: &Method, path: &str, query: &str) -> Self {
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        let is_object = path.trim_matches('/').contains('/');
        match *method {
            Method::HEAD if is_object => Self::HeadObject,
            Method::GET if is_object && !has("uploadId") => Self::GetObject,
            Method::PUT if is_object && has("partNumber") => Self::UploadPart,
            Method::PUT if is_object => Self::PutObject,
            Method::POST if is_object && has("uploads") => Self::CreateMultipartUpload,
            Method::POST if is_object && has("uploadId") => Self::CompleteMultipartUpload,
            _ => Self::OtherStorage,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
