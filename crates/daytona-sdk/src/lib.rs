#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod clock;
pub mod config;
mod error;
mod retry;
mod snapshots;
mod token;
mod trace;
pub mod transport;

pub use client::Daytona;
pub use clock::Clock;
pub use config::DaytonaBuilder;
pub use daytona_api::{
    BuildInfo, GpuType, HealthStatus, PaginatedSnapshots, Region, RegionType, SandboxClass, Snapshot, SnapshotId,
    SnapshotSort, SnapshotState, SortOrder,
};
pub use daytona_context::{Context, Digest, ExportFormat, ObjectStorage, Pushed, export};
pub use daytona_image::{
    AptInstall, Command, DockerfileCommands, DockerfileSource, ExcludedPath, Explanation, Image, ImagePlan, Links,
    LocalDir, Member, PipInstall, PlanError, PlanOptions, PlanWarning, Problem, ProblemKind, Pyproject, PythonVersion,
    RegistryImage, Requirements, UvPipInstall, ignore,
};
/// The crates that this one is made of, whole: for a storage of one's own, say, or an operation that is sent by hand.
#[doc(no_inline)]
pub use {daytona_api as api, daytona_context as context, daytona_image as image};

pub use error::{Error, ErrorKind, SnapshotInfo};
pub use snapshots::{
    Activate, Build, BuildLogs, Create, CreateSnapshotParams, Deactivate, Delete, Ensure, Event, EventStream,
    ListSnapshots, LogEvent, LogGap, LogLine, LogStream, PrunePlan, PrunePolicy, PruneReport, Resources, SnapshotRef,
    SnapshotService, SnapshotStream, Source, Wait,
};
pub use token::TokenProvider;

/// An error of any kind, as it passes through bodies and seams.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(any(doc, doctest))]
#[doc = include_str!("../MIGRATION.md")]
pub mod migration {}

/// The code in the README of the repository, which has to compile too.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct RepositoryReadme;
