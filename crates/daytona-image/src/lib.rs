#![doc = include_str!("../README.md")]

mod advice;
pub mod dockerfile;
mod entrypoint;
mod glob;
pub mod ignore;
mod image;
mod plan;
mod problem;
mod quote;
mod raw;
mod render;
mod resolve;
mod scope;
mod tree;
pub mod walk;

pub use image::{
    AptInstall, Command, DockerfileCommands, DockerfileSource, Image, Links, LocalDir, PipInstall, Pyproject,
    PythonVersion, RegistryImage, RegistryImageError, Requirements, UvPipInstall,
};
pub use plan::{ExcludedPath, Explanation, ImagePlan, Member, PlanOptions, PlanWarning};
pub use problem::{PlanError, Problem, ProblemKind};
pub use walk::Fingerprint;
