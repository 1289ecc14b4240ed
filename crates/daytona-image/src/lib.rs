#![doc = include_str!("../README.md")]

mod archive_name;
pub mod ignore;
mod image;
mod instruction;
mod local;
mod pip;
mod plan;
mod problem;
mod python;
mod quote;
mod registry;
mod render;
mod resolve;
mod tree;
pub mod walk;

pub use image::Image;
pub use instruction::Command;
pub use local::{Links, LocalDir};
pub use pip::PipInstall;
pub use plan::{ExcludedPath, ImagePlan, Member, PlanOptions, PlanWarning};
pub use problem::{PlanError, Problem, ProblemKind};
pub use python::PythonVersion;
pub use registry::{RegistryImage, RegistryImageError};
pub use walk::Fingerprint;
