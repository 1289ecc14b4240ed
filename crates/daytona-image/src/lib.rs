#![doc = include_str!("../README.md")]

mod advice;
mod apt;
mod archive_name;
pub mod dockerfile;
mod dockerfile_source;
mod entrypoint;
mod glob;
pub mod ignore;
mod image;
mod instruction;
mod local;
mod pip;
mod plan;
mod problem;
mod python;
mod quote;
mod raw;
mod registry;
mod render;
mod resolve;
mod scope;
mod tree;
pub mod walk;

pub use apt::AptInstall;
pub use dockerfile_source::{DockerfileCommands, DockerfileSource};
pub use image::Image;
pub use instruction::Command;
pub use local::{Links, LocalDir};
pub use pip::{PipInstall, Pyproject, Requirements, UvPipInstall};
pub use plan::{ExcludedPath, Explanation, ImagePlan, Member, PlanOptions, PlanWarning};
pub use problem::{PlanError, Problem, ProblemKind};
pub use python::PythonVersion;
pub use registry::{RegistryImage, RegistryImageError};
pub use walk::Fingerprint;
