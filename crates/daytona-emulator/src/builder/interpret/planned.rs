//! What the stages of a Dockerfile are going to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chmod::Chmod;
use super::stages::Values;

/// A stage, ready to be followed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) state: State,
}

impl Plan {
    /// The images from registries whose files its steps take.
    pub(super) fn images(&self) -> impl Iterator<Item = &String> {
        let sources = self.steps.iter().flat_map(|step| match &step.action {
            Action::Copy(copy) => vec![&copy.from],
            Action::Run(run) => run.mounts.iter().map(|mount| &mount.from).collect(),
            Action::Workdir(..) => Vec::new(),
        });
        sources.filter_map(|source| match source {
            Source::Image(image) => Some(image),
            _ => None,
        })
    }
}

/// A step with a layer of its own.
#[derive(Debug)]
pub(super) struct Step {
    /// The line that BuildKit blames if it fails.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Copy(Box<CopyPlan>),
    /// `WORKDIR` makes its directory, for this user.
    Workdir(String, Option<String>),
    Run(RunPlan),
}

/// `COPY` or `ADD`, expanded.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the instruction")]
pub(super) struct CopyPlan {
    pub(super) line: usize,
    pub(super) from: Source,
    pub(super) owner: Option<String>,
    pub(super) chmod: Option<Chmod>,
    pub(super) excluded: Vec<String>,
    pub(super) keeps_parents: bool,
    pub(super) is_linked: bool,
    pub(super) unpacks: bool,
    pub(super) sources: Vec<CopySource>,
    pub(super) heredocs: Vec<(String, String)>,
    /// Absolute; a slash at its end stays.
    pub(super) target: String,
    /// Whether the target depends on the working directory of a base image.
    pub(super) is_below_unknown_workdir: bool,
}

#[derive(Debug)]
pub(super) enum CopySource {
    Path(String),
    /// From elsewhere: `http`, git.
    Remote(String),
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Context,
    Scratch,
    /// A stage, and how it was named.
    Stage(usize, String),
    Image(String),
}

/// `RUN`.
#[derive(Debug)]
pub(super) struct RunPlan {
    /// What the shell or the system gets.
    pub(super) words: Vec<String>,
    pub(super) command: String,
    pub(super) is_exec_form: bool,
    pub(super) mounts: Vec<MountPlan>,
}

/// A mount of a `RUN`.
#[derive(Debug)]
pub(super) struct MountPlan {
    pub(super) from: Source,
    pub(super) path: String,
    /// Whether its source has to be there.
    pub(super) is_needed: bool,
}

/// What an instruction finds from those before it, and what stages hand down.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// Variables: of `ENV` and of `ARG`, the last one counts.
    pub(super) variables: Values,
    /// Those of `ENV`.
    pub(super) env: Values,
    pub(super) labels: Values,
    pub(super) exposed: Arc<Vec<Arc<str>>>,
    /// Absolute.
    pub(super) workdir: Option<Arc<str>>,
    pub(super) user: Option<Arc<str>>,
    pub(super) entrypoint: Option<Arc<[String]>>,
    pub(super) cmd: Option<Arc<[String]>>,
    pub(super) shell: Option<Arc<[String]>>,
    /// Whether it began with an image from a registry.
    pub(super) has_base_image: bool,
}

/// The values as an image shows them.
pub(super) fn shown(values: &Values) -> BTreeMap<String, String> {
    let values = values.iter();
    values
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}
