#![doc = include_str!("../README.md")]

mod bounded;
mod cancel;
pub mod dockerfile;
mod escape;
pub mod ignore;
mod image;
mod plan;
mod prefixes;
mod problem;
mod quote;
pub mod walk;

pub use cancel::Cancellation;
pub use image::{
    AptInstall, Command, Commands, DockerfileCommands, DockerfileSource, Image, LocalDir, LocalFile, PipInstall,
    Pyproject, PythonVersion, RegistryImage, RegistryImageError, Requirements, UvPipInstall,
};
pub use plan::{ExcludedPath, Explanation, ImagePlan, Member, PlanOptions, PlanWarning};
pub use problem::{DockerfileLine, PlanError, Problem, ProblemKind};
pub use walk::{Fingerprint, Links};
