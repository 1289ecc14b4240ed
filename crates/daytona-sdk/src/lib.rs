#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod api_client;
mod auth;
#[cfg(feature = "blocking")]
pub mod blocking;
mod clock;
pub mod config;
mod daytona;
mod error;
mod heard;
mod network;
mod registries;
mod retry;
mod secrets;
mod snapshots;
mod text;
mod trace;
pub mod transport;

pub use auth::TokenProvider;
pub use clock::Clock;
pub use config::DaytonaBuilder;
pub use daytona::{CurrentKey, Daytona};
pub use daytona_api::{
    BuildInfo, GpuType, HealthStatus, PaginatedSnapshots, Permission, Region, RegionType, Registry, RegistryPushAccess,
    Sandbox, SandboxClass, SandboxState, Snapshot, SnapshotId, SnapshotSort, SnapshotState, SortOrder,
};
pub use daytona_context::{BoxError, Context, Digest, ExportFormat, ObjectStorage, Pushed, export};
pub use daytona_image::{
    AptInstall, Cancellation, Command, Commands, DockerfileCommands, DockerfileSource, ExcludedPath, Explanation,
    Image, ImagePlan, Links, LocalDir, LocalFile, Member, PipInstall, PlanError, PlanOptions, PlanWarning, Problem,
    ProblemKind, Pyproject, PythonVersion, RegistryImage, Requirements, UvPipInstall, ignore,
};
/// The crates that this crate is built from. Use them to write your own object storage, or to send an operation
/// yourself.
#[doc(no_inline)]
pub use {daytona_api as api, daytona_context as context, daytona_image as image};

pub use error::{Error, ErrorKind, SnapshotInfo};
pub use registries::{RegistryParams, RegistryService};
pub use snapshots::{
    Activate, Build, BuildLogs, Call, Create, CreateSnapshotParams, Deactivate, Definition, Delete, Ensure, Event,
    EventStream, InUse, ListSnapshots, LogEvent, LogGap, LogGapKind, LogLine, LogStream, PrunePlan, PrunePolicy,
    PruneReason, PruneReport, Resources, SnapshotRef, SnapshotService, SnapshotStream, Source, SweepReport, Wait,
};

#[cfg(any(doc, doctest))]
#[doc = include_str!("../MIGRATION.md")]
pub mod migration {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../COOKBOOK.md")]
pub mod cookbook {}

/// The code in the repository's README, which must compile too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct RepositoryReadme;
